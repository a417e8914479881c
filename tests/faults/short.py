"""Short writes: the N-th write to a file of the workload writes half of what it was given (`short.c`)."""

import mmap
import os
import shutil
import struct
import subprocess

from workload import Bench

HERE = os.path.dirname(os.path.abspath(__file__))

# `struct control` of `short.c`.
FIELDS = struct.Struct("<QQQQ")

# Single calls that are cut short in the suite, over those of a workload; all are with `--all`.
SAMPLED = 8


class Control:
    """The page that the library and this program share."""

    def __init__(self, path):
        with open(path, "wb") as file:
            file.write(b"\0" * mmap.PAGESIZE)
        with open(path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), mmap.PAGESIZE)

    def shorten(self, first, last):
        """Counts from now on, and shortens the calls from `first` to `last`."""
        self.page[: FIELDS.size] = FIELDS.pack(first, last + 1, 0, 0)

    def counts(self):
        """Calls and shortened ones since then."""
        return FIELDS.unpack(self.page[: FIELDS.size])[2:]


def part(options, folder, checks):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        checks.skip("3.6", "short writes", "a library before libc", "there is no C compiler")
        return
    library, page = os.path.join(folder, "short.so"), os.path.join(folder, "control")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", library, os.path.join(HERE, "short.c"), "-ldl"], check=True
    )
    control = Control(page)
    # As many cases as there can be; unused ones cost nothing.
    bench = Bench(
        options, folder, options.seed, 1000, environment={"LD_PRELOAD": library, "SHORT_CONTROL": page}
    )
    try:
        bench.server.start()
        bench.begin()
        control.shorten(0, -1)
        bench.work()
        calls, _ = control.counts()
        plan = [(n, n) for n in range(1, calls + 1)]
        if not options.all:
            plan = plan[:: max(1, len(plan) // SAMPLED)]
        shortened = 0
        for first, last in [*plan, (1, 1 << 40)]:
            bench.begin()
            control.shorten(first, last)
            bench.work()
            shortened += control.counts()[1]
            control.shorten(0, -1)
            if bench.refused:
                bench.findings.add("refused", "a short write is no reason to refuse")
            bench.recover()
        bench.restart()
        bench.finish()
    finally:
        bench.close()
    complaints = bench.take_complaints()
    if shortened < len(plan):
        complaints.append(f"only {shortened} writes were cut short: the check is blind")
    print(f"short writes: {len(plan)} of {calls} calls one by one, then all; {shortened} cut")
    checks.row("3.6", "short writes: the N-th, and all of them, go on where they stopped", "a library before libc", complaints)
