"""A server of buckets as a process of its own, until it is told to end."""

import signal
import subprocess
import time


class BucketServer:
    """What moto and Azurite share: `answers` of the class says whether it is ready, by an `OSError` where it is not."""

    def begin(self, command, log_path, seconds=60):
        """Starts the process and waits until it answers."""
        self.log = open(log_path, "ab")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                self.answers()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{command[0]} did not start; see {log_path}")

    def pause(self):
        """Out of reach: connections are taken and never answered."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log.close()
