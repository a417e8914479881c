"""A disk that fails under the real binary: `faults.py --cairn BINARY [--all] [--seed S] [PART…]`.

Parts:

* `calls`: with strace the N-th write, sync, rename, open, mkdir and unlink of a fixed workload fails, for N over what the workload makes
* `lasting`: all of them fail for a whole workload
* `start`: the N-th one of a start fails
* `short`: real short writes (`short.c`)
* `disks`: small loop-mounted file systems and few descriptors (`disks.py`)

While a fault is on there may be nothing but answers and refusals that clients retry; afterwards everything is well again
without an operator, and nothing acknowledged is lost (`workload.py`). A line `conformance: 3.6 | check | means | passed` each.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), os.path.join(HERE, "..", "crash")]
import disks  # noqa: E402
import inject  # noqa: E402
import short  # noqa: E402
from checks import Checks  # noqa: E402
from workload import Bench  # noqa: E402

# What the dynamic loader ends with when it cannot read a library: the fault came before the server did.
LOADER_FAILED = 127

# The last line of a part.
CLOSING = re.compile(r"(\d+) passed, (\d+) failed")

# Cases between two `kill -9`.
LIFE = 12

# The N of each fault in the suite, as parts of the largest one; the first is always there.
SAMPLED = [0.1, 0.4]


def sample(numbers, options):
    """All of them, or a few."""
    numbers = list(numbers)
    if options.all or not numbers:
        return numbers
    return sorted({numbers[0], *(numbers[int(part * len(numbers))] for part in SAMPLED)})


class Cases:
    """Cases one after the other on one bench, with a restart now and then."""

    def __init__(self, options, folder, count):
        self.bench = Bench(options, folder, options.seed, count)
        self.bench.server.start()
        # By what failed: cases, those that reached nothing, and the files that were hit.
        self.failed = Counter()

    def run(self, fault, when):
        """One case. Returns what was wrong, and how many calls failed."""
        bench = self.bench
        bench.begin()
        tracer = inject.Tracer(bench.server.process.pid, bench.server.data_dir, [fault.call], fault, when)
        try:
            bench.work()
        finally:
            found = tracer.end()
        for what, count in found.failed.items():
            self.failed[fault.call, what] += count
        bench.recover()
        if bench.case % LIFE == LIFE - 1:
            bench.restart()
        return bench.take_complaints(), sum(found.failed.values())


def counted(options, folder):
    """What the workload calls, by thread, without any fault."""
    bench = Bench(options, folder, options.seed, 2)
    try:
        bench.server.start()
        # The first requests make folders and warm up; the cases come after that, too.
        bench.begin()
        bench.work(rounds=1)
        bench.begin()
        names = sorted({fault.call for fault in inject.FAULTS})
        tracer = inject.Tracer(bench.server.process.pid, bench.server.data_dir, names)
        bench.work()
        found = tracer.end()
        bench.finish()
    finally:
        bench.close()
    if complaints := bench.take_complaints():
        raise RuntimeError(f"it fails without a fault: {complaints}")
    return found


def calls(options, folder, checks):
    """The N-th call fails."""
    found = counted(options, os.path.join(folder, "counted"))
    plan = []
    for fault in inject.FAULTS:
        plan += [(fault, str(n)) for n in sample(found.reached(fault), options)]
    injected(options, folder, checks, plan, "the N-th call of the workload")


def lasting(options, folder, checks):
    """All calls fail for a whole workload."""
    injected(options, folder, checks, [(fault, "1+") for fault in inject.LASTING], "every call of a workload")


def injected(options, folder, checks, plan, which):
    cases = Cases(options, folder, len(plan))
    wrong, reached = {}, Counter()
    try:
        for fault, when in plan:
            complaints, count = cases.run(fault, when)
            reached[fault] += count > 0
            if complaints:
                wrong.setdefault(fault, []).append(f"{fault}, when={when}: {complaints}")
        cases.bench.finish()
        checks.row("3.6", f"{which}: everything is there at the end, and verified", "strace", cases.bench.take_complaints())
    finally:
        cases.bench.close()
    for fault in dict.fromkeys(fault for fault, _ in plan):
        of_fault = sum(1 for each, _ in plan if each == fault)
        complaints = wrong.get(fault, [])
        if not reached[fault]:
            complaints = [*complaints, f"none of {of_fault} cases reached a call: the check is blind"]
        checks.row("3.6", f"{fault}: {which}", "strace", complaints)
        print(f"{fault}: {which}: {reached[fault]} of {of_fault} cases hit")
    print(f"calls that failed: {dict(sorted(cases.failed.items()))}")
    print(f"{cases.bench.refused} requests put off, the slowest recovery took {cases.bench.slowest:.1f} s")


def start(options, folder, checks):
    """The N-th call of a start fails: it starts all the same, or ends with an error and starts the next time."""
    found = counted_at_start(options, os.path.join(folder, "counted"))
    plan = []
    for fault in inject.AT_START:
        plan += [(fault, n) for n in sample(found.reached(fault), options)]
    bench = Bench(options, folder, options.seed, len(plan) + 1)
    bench.server.start()
    wrong, outcomes = {}, Counter()
    try:
        for fault, n in plan:
            outcomes[start_with(bench, fault, n)] += 1
            if complaints := bench.take_complaints():
                wrong.setdefault(fault, []).append(f"{fault}, when={n}: {complaints}")
        bench.finish()
        checks.row("3.6", "a start with a fault: everything is there at the end", "strace", bench.take_complaints())
    finally:
        bench.close()
    for fault in dict.fromkeys(fault for fault, _ in plan):
        checks.row("3.6", f"{fault}: the N-th call of a start", "strace", wrong.get(fault, []))
    print(f"starts with a fault: {dict(outcomes)}")


def counted_at_start(options, folder):
    """What a start that replays a log calls, by thread."""
    names = sorted({fault.call for fault in inject.AT_START})
    bench = Bench(options, folder, options.seed, 1)
    trace = os.path.join(folder, "trace.txt")
    try:
        bench.server.start()
        bench.begin()
        bench.work(rounds=1, has_flush=False)
        bench.close_links()
        bench.server.kill()
        bench.server.wrapper = ["strace", "-f", "-y", "-s", "0", "-e", f"trace={','.join(names)}", "-o", trace]
        bench.server.start()
        bench.server.stop()
    finally:
        bench.close()
    return inject.hits(trace)


def start_with(bench, fault, n):
    """A kill, a start under a fault, another kill and a start without it. Returns what became of the first start."""
    server = bench.server
    bench.begin()
    bench.work(rounds=1, has_flush=False)
    bench.close_links()
    server.kill()
    trace = os.path.join(bench.folder, "trace.txt")
    server.wrapper = ["strace", "-f", "-y", "-s", "0", "-e", "signal=none", "-o", trace]
    server.wrapper += ["-e", f"trace={fault.call}", *inject.injection(fault, n)]
    try:
        server.start()
        outcome = "started"
        # Threads that come later may still be hit.
        bench.work(rounds=1)
        bench.close_links()
        os.kill(server.server_process_id(), 9)
        server.process.wait()
    except RuntimeError as error:
        code = server.process.poll()
        outcome = f"ended with {code}"
        if code is None:
            bench.findings.add("start", f"it hangs: {error}")
            os.kill(server.server_process_id(), 9)
            server.process.wait()
        elif code == LOADER_FAILED:
            outcome = "was not loaded"
        elif code != 1:
            bench.findings.add("start", f"{error}")
    finally:
        server.wrapper = []
    server.start()
    bench.recover()
    if aside := [name for name in os.listdir(server.data_dir) if "damaged" in name]:
        bench.findings.add("start", f"a whole catalog was taken for a damaged one: {aside}")
    return outcome


PARTS = {
    "calls": calls,
    "lasting": lasting,
    "start": start,
    "short": short.part,
    "disks": disks.part,
}


def run_part(name, options):
    """One part in this process. Returns the counts of its checks."""
    checks = Checks()
    began = time.monotonic()
    folder = os.path.realpath(tempfile.mkdtemp(prefix=f"cairn-faults-{name}-"))
    try:
        PARTS[name](options, folder, checks)
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        traceback.print_exc()
        checks.row("3.6", f"{name}: it runs to its end", "the harness", [repr(error)])
    if checks.wrong:
        print(f"what is left of it: {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{name}: {time.monotonic() - began:.0f} s")
    return checks.passed, len(checks.wrong)


def run_beside(name, options):
    """One part in a process of its own, since most of its time is waiting. Returns the counts of its checks."""
    command = [sys.executable, __file__, "--cairn", options.cairn, "--seed", str(options.seed), name]
    command += ["--all"] if options.all else []
    counts = None
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if match := CLOSING.fullmatch(line.strip()):
                counts = int(match.group(1)), int(match.group(2))
            else:
                print(line, end="", flush=True)
    return counts or (0, 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn", required=True)
    parser.add_argument("--all", action="store_true", help="every N and not a few")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)}; all of them by default")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}")
    names = options.parts or list(PARTS)
    if len(names) == 1:
        counts = [run_part(names[0], options)]
    else:
        with ThreadPoolExecutor(len(names)) as pool:
            counts = list(pool.map(lambda name: run_beside(name, options), names))
    passed, failed = (sum(column) for column in zip(*counts))
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
