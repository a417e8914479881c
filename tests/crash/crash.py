"""kill -9 against the real binary: `crash.py --cairn BINARY --kills N [--seed S] [--power] [--no-controls]`.

Writers send numbered log records, spans and data points over gRPC and HTTP while the server is killed at random instants; a
fifth of the kills wait until a flush is truly under way (`ambush.py`), some hit the start. After every fifth kill comes a life that ends in good order under load, in which clients may get nothing but
errors that they retry. After each restart SQL's rows
are compared with everything that was sent, column by column (`ledger.py`), before and after all requests without an answer
and some of the answered ones are sent again byte for byte; in a quarter of the lives these come under the next kill.
At the end all lives are compared again, before and after a clean stop.

Controls come first: lives in which acknowledged bytes are taken from the log, a retry is not byte-identical, or a record is changed
on its way. Each must be found, or the harness is blind.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))
import ambush  # noqa: E402
from ledger import Findings, check, check_all  # noqa: E402
from power import PowerCutDisk  # noqa: E402
from records import generations, writers  # noqa: E402
from server import Server  # noqa: E402

SETTINGS = [
    "storage.flush_age_seconds=1",
    "storage.small_segment_bytes=1",
    "storage.flush_bytes=262144",
    "storage.wal_file_bytes=1048576",
    # Merges as often as flushes come, and of what was merged.
    "storage.compaction_segments=3",
]


class Run:
    """One data folder, its server and writers over many lives."""

    def __init__(self, options, seed, lives, disk=None):
        self.rng = random.Random(seed)
        self.folder = tempfile.mkdtemp(prefix="cairn-crash-")
        self.disk = disk(self.folder) if disk else None
        self.data_dir = os.path.join(self.disk.mount_point if disk else self.folder, "data")
        self.server = Server(options.cairn, self.data_dir, SETTINGS)
        self.writers = writers(self.server, seed)
        self.lives = generations(lives)
        self.findings = Findings()
        self.phases = dict.fromkeys([*ambush.PHASES, "start", "elsewhere"], 0)
        self.missed = dict.fromkeys(ambush.PHASES, 0)

    def complaints(self):
        """What was wrong so far."""
        return self.findings.lines() + [text for writer in self.writers for text in writer.complaints]

    def recent(self, life):
        """The lives whose requests may be without an answer or be sent again: this one and those of before, from the first
        that has an unanswered request."""
        first = max(0, life - 1)
        for writer in self.writers:
            numbers = [request.generation.number for request in writer.unanswered()]
            first = min([first, *numbers])
        return self.lives[first : life + 1]

    def check(self, life):
        check(self.server, self.writers, self.recent(life), self.findings)

    def resend(self, life):
        """Sends again what has no answer and some of the rest; the server is not disturbed, so all must work."""
        failures = []

        def one(writer):
            send, closing = writer.connect()
            try:
                writer.resend(send, writer.to_resend(life - 1))
            except Exception as error:  # noqa: BLE001
                failures.append(f"client {writer.client} could not send again: {error!r}")
            finally:
                closing.close()

        together(one, self.writers)
        for failure in failures:
            self.findings.add("refused", failure)

    def live(self, life, phase=None, is_killed=True):
        """One life from the start to the kill; `phase` is the one to be killed in. Without a kill it is stopped under load."""
        generation = self.lives[life]
        if self.rng.random() < 0.1:
            self.kill_at_start()
        orphans = self.orphans(life)
        self.server.start()
        recent = self.recent(life)
        self.check(life)
        is_raced = self.rng.random() < 0.25
        if not is_raced:
            self.resend(life)
            check(self.server, self.writers, recent, self.findings)
        again = {writer: writer.to_resend(life - 1) if is_raced else [] for writer in self.writers}
        stop = threading.Event()
        threads = [
            threading.Thread(target=writer.run, args=(stop, generation, again[writer])) for writer in self.writers
        ]
        for thread in threads:
            thread.start()
        if phase:
            self.wait_for(phase, life, orphans)
        else:
            time.sleep(self.rng.random() * 0.7)
        if is_killed:
            self.kill(life, orphans)
        elif (code := self.server.stop()) != 0:
            self.findings.add("stop", f"a shutdown under load ended with {code}")
        stop.set()
        for thread in threads:
            thread.join()
        if self.disk and is_killed:
            self.disk.restore()

    def kill_at_start(self):
        """Kills while the log is replayed and the folder tidied."""
        self.server.start(wait=False)
        time.sleep(self.rng.random() * 0.15)
        self.server.kill()
        self.phases["start"] += 1

    def hours(self, life):
        """The event hours whose folders may get segments in this life."""
        return [hour for generation in self.lives[max(0, life - 2) : life + 1] for hour in generation.hours()]

    def orphans(self, life):
        """Segments in the bucket that no catalog knows, from kills before this life."""
        if not os.path.exists(os.path.join(self.data_dir, "catalog.sqlite")):
            return frozenset()
        placed = ambush.segments(f"{self.data_dir}/bucket", ambush.folders(self.hours(life)))
        return frozenset(placed - ambush.committed(self.data_dir, placed))

    def wait_for(self, phase, life, orphans):
        """Waits until the server stands still in `phase`."""
        command = [sys.executable, os.path.join(HERE, "ambush.py"), str(self.server.process.pid), self.data_dir]
        command += [phase, f"{self.rng.random() * 0.5:.3f}", *self.hours(life)]
        lines = "".join(f"{of_signal} {number}\n" for of_signal, number in orphans)
        done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=60, check=True)
        if done.stdout.strip() != phase:
            self.missed[phase] += 1

    def kill(self, life, orphans):
        """Freezes the server, notes where it stands, and kills it; with a disk the power goes first."""
        ambush.freeze(self.server.process.pid)
        self.phases[ambush.look(self.data_dir, self.hours(life), orphans) or "elsewhere"] += 1
        if self.disk:
            self.disk.cut()
            # What the server still does without a disk must not be acknowledged either.
            os.kill(self.server.process.pid, signal.SIGCONT)
            time.sleep(self.rng.random() * 0.05)
        self.server.kill()

    def finish(self):
        """The end: everything acknowledged, compared whole, before and after a clean stop, and `cairn verify`."""
        last = len(self.lives) - 1
        self.server.start()
        check_all(self.server, self.writers, self.lives, self.findings)
        self.resend(last)
        counts = check_all(self.server, self.writers, self.lives, self.findings)
        if any(writer.unanswered() for writer in self.writers):
            self.findings.add("refused", "requests are without an answer at the end")
        code = self.server.stop()
        if code != 0:
            self.findings.add("stop", f"the clean shutdown ended with {code}")
        self.server.start()
        if check_all(self.server, self.writers, self.lives, self.findings) != counts:
            self.findings.add("changed", "the counts of rows moved over a clean stop")
        self.server.stop()
        command = [self.server.binary, "verify", "--data-dir", self.data_dir]
        verify = subprocess.run(command, capture_output=True, check=False)
        if verify.returncode != 0:
            self.findings.add("verify", verify.stdout.decode()[-2000:])
        return counts

    def close(self, is_kept=False):
        """Ends what is left; the folder stays where something was wrong in it."""
        self.server.end()
        if self.disk:
            self.disk.close()
        if is_kept:
            print(f"what is left of it: {self.folder}", file=sys.stderr)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


def together(work, items):
    """Runs `work` on each item in a thread of its own."""
    threads = [threading.Thread(target=work, args=(item,)) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def cut_log(run):
    """Takes the last bytes of the log away, as a disk does that lied about an fsync."""
    folder = os.path.join(run.data_dir, "wal")
    files = [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".wal")]
    newest = max(files, key=os.path.basename)
    with open(newest, "r+b") as log:
        used = len(log.read().rstrip(b"\0"))
        cut = min(used - 100, 3000)
        if cut > 0:
            log.seek(used - cut)
            log.write(b"\0" * cut)


def unlike(body, is_resend):
    """A retry with an unknown field behind it: the same records, other bytes."""
    return body + b"\xc0\x3e\x01" if is_resend else body


def changed(body, is_resend):
    """One word for another of the same length, where there is one."""
    return body.replace(b"alder", b"elder").replace(b"step 3", b"step 8").replace(b"made", b"mode")


CONTROLS = {
    # What is done, and what must be found.
    "acknowledged bytes taken from the log": ("lost", cut_log, None),
    "retries that are not byte-identical": ("double", None, unlike),
    "records changed on their way": ("changed", None, changed),
}


def control(options, name):
    """Sabotages some lives; a complaint if the harness does not find it."""
    kind, between, tamper = CONTROLS[name]
    run = Run(options, f"{options.seed} {name}", 8)
    for writer in run.writers:
        writer.tamper = tamper or writer.tamper
    for life in range(6):
        run.live(life)
        if between:
            between(run)
        if kind in run.findings.counts:
            break
    found = run.findings.counts
    run.close()
    print(f"control, {name}: {found or 'nothing'} found after {life + 1} lives", flush=True)
    return [] if kind in found else [f"the harness is blind to {name}"]


def kills(options):
    """The real thing, in a folder of its own. Returns complaints."""
    run = Run(options, options.seed, options.kills + (options.kills + 2) // 5, PowerCutDisk if options.power else None)
    complaints = ["it ended early"]
    try:
        complaints = all_lives(run, options)
    finally:
        run.close(is_kept=bool(complaints))
    return complaints


def all_lives(run, options):
    """Kills and clean stops as many as were asked for, and the comparison at the end. Returns complaints."""
    start, life = time.monotonic(), 0
    for kill in range(options.kills):
        run.live(life, ambush.PHASES[kill // 5 % 3] if kill % 5 == 4 else None)
        life += 1
        if kill % 5 == 2:
            run.live(life, is_killed=False)
            life += 1
        if kill % 10 == 9:
            print(f"{kill + 1} kills, {time.monotonic() - start:.0f} s, {json.dumps(run.phases)}", flush=True)
        if run.complaints():
            return run.complaints()
    counts = run.finish()
    report(run, counts, options)
    print(f"{time.monotonic() - start:.0f} s")
    return run.complaints() or blind_spots(run, options)


def report(run, counts, options):
    inside = sum(run.phases[phase] for phase in ambush.PHASES)
    how = "power cuts" if options.power else "kills"
    print(f"{options.kills} {how} and {run.phases['start']} during the start; {inside} inside a flush: ", end="")
    print(", ".join(f"{run.phases[phase]} {phase}" for phase in ambush.PHASES))
    print(f"ambushes that found no flush: {sum(run.missed.values())} ({json.dumps(run.missed)})")
    acknowledged = sum(len(writer.sent) - len(writer.unanswered()) for writer in run.writers)
    refusals = sum(writer.refusals for writer in run.writers)
    records = sum(writer.records for writer in run.writers)
    print(f"{acknowledged} requests acknowledged, {refusals} put off, {records} records; rows compared: {json.dumps(counts)}")


def blind_spots(run, options):
    """What must have happened for the comparison to mean something."""
    texts = []
    inside = sum(run.phases[phase] for phase in ambush.PHASES)
    if inside < options.kills // 5:
        texts.append(f"only {inside} of {options.kills} kills were inside a flush")
    if options.kills >= 30:
        texts += [f"no kill hit the phase {phase}" for phase in ambush.PHASES if not run.phases[phase]]
    for writer in run.writers:
        if len(writer.sent) < options.kills:
            texts.append(f"client {writer.client} sent only {len(writer.sent)} requests")
    return texts


def why_no_power_cuts():
    """The error of mounting a disk whose power can be cut; None where it works."""
    with tempfile.TemporaryDirectory(prefix="cairn-power-") as folder:
        try:
            PowerCutDisk(folder).close()
        except (OSError, subprocess.CalledProcessError) as error:
            return error
    return None


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn", required=True)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--power", action="store_true", help="cut the power of a loop-mounted ext4")
    parser.add_argument("--no-controls", action="store_true", help="leave the sabotaged lives out")
    return parser.parse_args()


def main():
    options = arguments()
    if options.power and (reason := why_no_power_cuts()):
        print(f"NOT RUN: no power was cut, since this machine cannot mount a loop device: {reason}")
        print("0 passed, 0 failed")
        return
    passed, complaints = 0, []
    # What the controls show is shown once, whatever ends the lives.
    if not options.no_controls and not options.power:
        for name in CONTROLS:
            blind = control(options, name)
            passed += not blind
            complaints += blind
    wrong = kills(options)
    passed += not wrong
    failed = len(complaints) + bool(wrong)
    for complaint in complaints + wrong:
        print(f"WRONG: {complaint}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
