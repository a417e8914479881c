"""Starts the real binary for a test: free ports, a data folder, SQL over HTTP."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request


def free_ports(count):
    """Ports of 127.0.0.1 that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Server:
    """One life of `cairn serve` over a data folder; ports stay the same over restarts."""

    def __init__(self, binary, data_dir, settings=(), wrapper=(), arguments=(), environment=()):
        self.binary, self.data_dir, self.arguments = binary, data_dir, list(arguments)
        self.settings, self.wrapper = list(settings), list(wrapper)
        # Variables beside those of this process.
        self.environment = dict(environment)
        # Beside the data folder, unless somebody puts it elsewhere.
        self.log_path = os.path.join(os.path.dirname(data_dir), "cairn.log")
        self.grpc_port, self.http_port, self.api_port = free_ports(3)
        self.process = None

    def start(self, wait=True):
        """Starts the process; with `wait` until it is ready."""
        command = self.wrapper + [self.binary, "serve", "--data-dir", self.data_dir]
        command += ["--listen-grpc", f"127.0.0.1:{self.grpc_port}"]
        command += ["--listen-http", f"127.0.0.1:{self.http_port}"]
        command += ["--listen-api", f"127.0.0.1:{self.api_port}"]
        command += self.arguments
        for setting in self.settings:
            command += ["--set", setting]
        self.log = open(self.log_path, "ab")
        environment = os.environ | self.environment
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=environment)
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds=30):
        """Waits until /readyz says 200."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"cairn ended with {self.process.returncode}; see {self.log.name}")
            try:
                url = f"http://127.0.0.1:{self.api_port}/readyz"
                with urllib.request.urlopen(url, timeout=5) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.01)
        raise RuntimeError(f"cairn was not ready within {seconds} s; see {self.log.name}")

    def kill(self):
        """kill -9, by the process id that was started."""
        self.process.kill()
        self.process.wait()
        self.log.close()

    def end(self):
        """Kills what is left when a test ends early."""
        if self.process and self.process.poll() is None:
            self.kill()

    def server_process_id(self):
        """The server itself, also where a wrapper (strace) started it."""
        if not self.wrapper:
            return self.process.pid
        wrapper = self.process.pid
        with open(f"/proc/{wrapper}/task/{wrapper}/children", encoding="ascii") as children:
            return int(children.read().split()[0])

    def stop(self, seconds=60):
        """A clean shutdown: SIGTERM and wait."""
        os.kill(self.server_process_id(), signal.SIGTERM)
        code = self.process.wait(timeout=seconds)
        self.log.close()
        return code

    def post_sql(self, statement, accept="application/json", key=None):
        """The raw answer bytes of one statement, asked with an API key where there are any."""
        headers = {"content-type": "text/plain", "accept": accept}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.api_port}/api/v1/sql",
            data=statement.encode(),
            headers=headers | ({"authorization": f"Bearer {key}"} if key else {}),
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{statement}: {error.code} {error.read().decode()}") from error

    def sql(self, statement, key=None):
        """The rows of one statement, each a dict by column name."""
        answer = json.loads(self.post_sql(statement, key=key))
        names = [column["name"] for column in answer["columns"]]
        return [dict(zip(names, row)) for row in answer["rows"]]
