"""strace as the disk that fails: attached to a running server, it lets the N-th call of each thread fail.

strace counts calls by thread, and the server's blocking work goes over a handful of threads, so that one N fails a few calls, at
different places. What was really hit is read from strace's own record (`Hits`).
"""

import os
import re
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass

LINE = re.compile(r"^(\d+)\s+(?:<\.\.\. )?(\w+)")


@dataclass(frozen=True)
class Fault:
    """A call and the error that it gets; `target` narrows it to some files of the data folder."""

    call: str
    error: str
    target: str = ""

    def __str__(self):
        return f"{self.error} at {self.call}" + (f" of the {self.target}" if self.target else "")


# Sockets are never hit: these calls are made on files only (hyper writes with sendto and writev), except `openat`, which is none of a
# socket's either.
FAULTS = [
    Fault("pwrite64", "EIO"),
    Fault("pwrite64", "ENOSPC"),
    Fault("pwrite64", "EINTR"),
    Fault("fdatasync", "EIO"),
    Fault("fdatasync", "ENOSPC"),
    Fault("fdatasync", "EINTR"),
    Fault("fsync", "EIO"),
    Fault("fsync", "ENOSPC"),
    Fault("fsync", "EINTR"),
    Fault("rename", "EIO"),
    Fault("rename", "ENOSPC"),
    Fault("openat", "EIO"),
    Fault("openat", "ENOSPC"),
    Fault("openat", "EMFILE"),
    Fault("openat", "EINTR"),
    Fault("mkdir", "EIO"),
    Fault("mkdir", "ENOSPC"),
    Fault("unlink", "EIO"),
    Fault("pread64", "EIO"),
    Fault("pwrite64", "EIO", "catalog"),
    Fault("pwrite64", "ENOSPC", "catalog"),
    Fault("fsync", "EIO", "catalog"),
]

# Faults that last for a whole workload. EINTR is not among them: whoever asks again until it works would ask for ever.
LASTING = [
    Fault("pwrite64", "EIO"),
    Fault("pwrite64", "ENOSPC"),
    Fault("pwrite64", "EROFS"),
    Fault("fdatasync", "EIO"),
    Fault("fsync", "EIO"),
    Fault("rename", "EROFS"),
    Fault("openat", "EIO"),
    Fault("openat", "EROFS"),
    Fault("openat", "EMFILE"),
    Fault("openat", "ENFILE"),
    Fault("mkdir", "EROFS"),
    Fault("unlink", "EROFS"),
    Fault("pwrite64", "ENOSPC", "catalog"),
    Fault("fsync", "EIO", "catalog"),
]

# What the server does to files at a start.
AT_START = [
    Fault("openat", "EIO"),
    Fault("openat", "EMFILE"),
    Fault("pwrite64", "EIO"),
    Fault("pwrite64", "ENOSPC"),
    Fault("fsync", "EIO"),
    Fault("fdatasync", "EIO"),
    Fault("rename", "EIO"),
    Fault("mkdir", "ENOSPC"),
    Fault("pread64", "EIO"),
]

class Tracer:
    """strace on a running process: counts calls, or lets some fail, until it is ended."""

    def __init__(self, process, data_dir, calls, fault=None, when=None):
        self.path = os.path.join(os.path.dirname(data_dir), "trace.txt")
        self.process = process
        command = ["strace", "-f", "-y", "-s", "0", "-e", "signal=none", "-o", self.path]
        command += ["-e", f"trace={','.join(calls)}", *injection(fault, when), *targets(fault, data_dir)]
        self.strace = subprocess.Popen(
            [*command, "-p", str(process)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        while not is_traced(process):
            if self.strace.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"strace did not attach to {process}")
            time.sleep(0.002)

    def end(self):
        """Lets the process go; returns what was traced."""
        if self.strace.poll() is None:
            self.strace.send_signal(signal.SIGINT)
        self.strace.wait(timeout=30)
        return hits(self.path)


def injection(fault, when):
    """Arguments that let calls fail."""
    return ["-e", f"inject={fault.call}:error={fault.error}:when={when}"] if fault else []


def targets(fault, data_dir):
    if fault is None or not fault.target:
        return []
    assert fault.target == "catalog", "the other files have names that are not known ahead"
    return [each for end in ("", "-wal") for each in ("-P", f"{data_dir}/catalog.sqlite{end}")]


def is_traced(process):
    """Whether all threads of a process have a tracer."""
    try:
        for thread in os.listdir(f"/proc/{process}/task"):
            with open(f"/proc/{process}/task/{thread}/status", encoding="ascii", errors="replace") as status:
                if "TracerPid:\t0\n" in status.read():
                    return False
    except FileNotFoundError:
        return False
    return True


@dataclass
class Hits:
    """What was traced: calls by name, thread and kind of file, and those that failed by kind of file."""

    calls: Counter
    failed: Counter

    def most(self, fault):
        """The largest number of calls that one thread made and that the fault is about."""
        by_thread = Counter()
        for (name, thread, what), count in self.calls.items():
            if name == fault.call and fault.target in ("", what):
                by_thread[thread] += count
        return max(by_thread.values(), default=0)

    def reached(self, fault):
        """Those N at which some thread made such a call."""
        return range(1, self.most(fault) + 1)


def hits(path):
    calls, failed = Counter(), Counter()
    with open(path, errors="replace") as trace:
        for line in trace:
            match = LINE.match(line)
            if not match:
                continue
            if "resumed>" not in line:
                calls[match.group(2), match.group(1), kind(line)] += 1
            if "(INJECTED)" in line:
                failed[kind(line)] += 1
    return Hits(calls, failed)


def kind(line):
    """Which part of the data folder a line is about."""
    found = re.search(r"/data/(?:(wal|staging|bucket|spill)\b|(catalog))", line)
    if found:
        return found.group(1) or found.group(2)
    return "resumed" if "resumed>" in line else "other"
