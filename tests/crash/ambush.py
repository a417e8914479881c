"""Freezes the server inside a flush: `ambush.py PID DATA_DIR PHASE DELAY HOUR...`, or `look` from Python.

The phases are told from what lies on the disk while the process stands still:

* `staging`: a segment's files are in the staging folder, unfinished or waiting, and none is in the bucket,
* `uploading`: some files are in the bucket and others not yet,
* `commit`: all are in the bucket, and the catalog does not have the segment.

Standard input names the segments that lie uncommitted in the bucket since an earlier life, a signal and an id a line.

As a program it looks a few thousand times a second for a sign of `PHASE`, stops the process, and looks again: only when
the phase is the true one it prints it and leaves the process stopped; else the process goes on. It is a process
of its own, so that the writers' threads do not hold it up.
"""

import os
import signal
import sqlite3
import sys
import time

PHASES = ["staging", "uploading", "commit"]
SIGNALS = ["logs", "metrics", "spans"]

# Seconds after which the phase is given up.
PATIENCE = 6


def folders(hours):
    """The folders of segments of these event hours (`date=…/hour=…`), below staging and bucket."""
    return [f"tenant=default/signal={name}/{hour}" for name in SIGNALS for hour in hours]


def segments(root, places):
    """The segments that have files in `places` below `root`: signal and id."""
    found = set()
    for place in places:
        try:
            of_signal = place.split("/")[1]
            found.update((of_signal, name.split(".", 1)[0]) for name in os.listdir(f"{root}/{place}"))
        except FileNotFoundError:
            pass
    return found


def milliseconds(segment):
    """When the id of a segment was made: the first ten digits of a ULID, Crockford's base 32."""
    number = 0
    for digit in segment[1][:10]:
        number = number * 32 + "0123456789abcdefghjkmnpqrstvwxyz".index(digit)
    return number


def of_one_flush(left, right):
    """Whether two segments come of one flush, whose ids are made at once."""
    return left[0] == right[0] and abs(milliseconds(left) - milliseconds(right)) <= 3


def committed(data_dir, those):
    """Those segments that the catalog has. The server may stand still within a transaction: readers need no lock."""
    if not those:
        return set()
    catalog = sqlite3.connect(f"file:{data_dir}/catalog.sqlite?mode=ro", uri=True, timeout=1)
    try:
        marks = ",".join("?" * len(those))
        ids = [of_segment for _, of_segment in those]
        rows = catalog.execute(f"SELECT lower(id) FROM segments WHERE lower(id) IN ({marks})", ids)
        there = {row[0] for row in rows}
        return {segment for segment in those if segment[1] in there}
    finally:
        catalog.close()


def look(data_dir, hours, orphans=frozenset()):
    """The phase that a stopped server is in, or None. `orphans` lie in the bucket since an earlier life."""
    places = folders(hours)
    staged = segments(f"{data_dir}/staging", places)
    placed = segments(f"{data_dir}/bucket", places) - orphans
    in_catalog = committed(data_dir, staged | placed)
    staged, placed = staged - in_catalog, placed - in_catalog
    if not placed:
        return "staging" if staged else None
    is_under_way = any(of_one_flush(left, right) for left in placed for right in staged)
    return "uploading" if is_under_way else "commit"


def state(process, thread):
    """The state of a thread as `ps` has it; None for one that is gone."""
    try:
        with open(f"/proc/{process}/task/{thread}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def freeze(process):
    """Stops a process and waits until all of its threads stand still."""
    os.kill(process, signal.SIGSTOP)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        states = {state(process, thread) for thread in os.listdir(f"/proc/{process}/task")}
        if states <= {"T", None}:
            return
        time.sleep(0.0005)
    raise RuntimeError(f"process {process} does not stand still: {states}")


def is_near(phase, data_dir, places, known):
    """Whether it looks like `phase`, from the names alone."""
    staged = segments(f"{data_dir}/staging", places)
    if phase == "staging":
        return bool(staged)
    placed = segments(f"{data_dir}/bucket", places) - known
    return bool(placed & staged) if phase == "uploading" else bool(placed - staged)


def main():
    process, data_dir, phase, delay = int(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4])
    hours, places = sys.argv[5:], folders(sys.argv[5:])
    orphans = {tuple(line.split()) for line in sys.stdin}
    time.sleep(delay)
    known = segments(f"{data_dir}/bucket", places)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if not is_near(phase, data_dir, places, known):
            continue
        freeze(process)
        found = look(data_dir, hours, orphans)
        if found == phase:
            print(phase, flush=True)
            return
        known |= segments(f"{data_dir}/bucket", places)
        os.kill(process, signal.SIGCONT)
        time.sleep(0.002)
    print("missed", flush=True)


if __name__ == "__main__":
    main()
