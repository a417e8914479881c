"""Sends hostile statements and judges each answer: refused or answered, in time, and without a word that is not the asker's."""

import http.client
import json
import re
import threading
import time
from dataclasses import dataclass, field

# What tells of this machine: a path is a leak unless the statement itself named it.
PATH = re.compile(rb"/(?:root|tmp|home|work|etc|usr|var|proc|opt|dev|rustc|builds?)/[\w.\-/=]+")
TELLING = [rb"root:x:0:0", rb"\.cargo/registry", rb"panicked at", rb"RUST_BACKTRACE", rb"SQLite format"]

# A lane may be taken by statements that were stopped and have not ended yet.
TRIES = 40
PAUSE_SECONDS = 0.5
PIECE_BYTES = 1 << 18


@dataclass
class Asker:
    """A tenant that asks, and what it must never read."""

    name: str
    key: str
    port: int
    forbidden: list


@dataclass
class Answer:
    """How a request ended."""

    status: int
    seconds: float
    head: bytes
    headers: dict
    size: int
    is_whole: bool
    leaks: list = field(default_factory=list)


class Leaks:
    """Looks for what must not be in an answer, in pieces that may cut a word."""

    def __init__(self, asker, sent):
        self.forbidden, self.sent, self.tail, self.found = asker.forbidden, sent, b"", []

    def take(self, piece):
        text = self.tail + piece
        for word in self.forbidden:
            if word in text:
                self.found.append(word.decode())
        for pattern in TELLING:
            if (match := re.search(pattern, text)) and match[0] not in self.sent:
                self.found.append(match[0].decode())
        for match in PATH.finditer(text):
            if match[0] not in self.sent and len(self.found) < 10:
                self.found.append(match[0].decode())
        self.tail = text[-200:]


def request_of(case, milliseconds):
    """Body and headers of a case."""
    headers = {"content-type": "application/json", "accept": "application/json", **case.headers}
    if case.raw is not None:
        return case.raw, headers
    document = {"sql": case.sql, "timeout_ms": milliseconds, "max_rows": 100_000, **case.fields}
    return json.dumps(document).encode(), headers


def ask(asker, case, milliseconds, patience):
    """Sends one case; raises `OSError` where no answer comes within `patience` seconds."""
    body, headers = request_of(case, milliseconds)
    headers["authorization"] = f"Bearer {asker.key}"
    leaks = Leaks(asker, body + json.dumps(case.sql, ensure_ascii=False).encode())
    for _ in range(TRIES):
        link = http.client.HTTPConnection("127.0.0.1", asker.port, timeout=patience)
        try:
            started = time.monotonic()
            link.request("POST", "/api/v1/sql", body, headers)
            answer = link.getresponse()
            head, size, is_whole = read(answer, leaks)
            took = time.monotonic() - started
        finally:
            link.close()
        if answer.status != 429:
            break
        time.sleep(PAUSE_SECONDS)
    leaks.take(repr(answer.getheaders()).encode())
    return Answer(answer.status, took, head, dict(answer.getheaders()), size, is_whole, leaks.found)


def read(answer, leaks):
    """The first bytes of an answer, its length, and whether it came to its end."""
    head, size = b"", 0
    try:
        while piece := answer.read(PIECE_BYTES):
            leaks.take(piece)
            head, size = head or piece, size + len(piece)
    except http.client.IncompleteRead:
        # The one way to say in the middle of an answer that it is not whole.
        return head, size, False
    return head, size, True


def is_problem(answer):
    """Whether it is a problem document (RFC 9457) of ours."""
    if answer.headers.get("content-type") != "application/problem+json":
        return False
    try:
        document = json.loads(answer.head)
    except ValueError:
        return False
    is_named = str(document.get("type", "")).startswith("urn:cairn:problem:")
    return is_named and document.get("status") == answer.status and bool(document.get("detail"))


def complaints(case, answer, allowed_seconds):
    """What is wrong with an answer."""
    wrong = []
    if answer.leaks:
        wrong.append(f"leak: {sorted(set(answer.leaks))}")
    if answer.seconds > allowed_seconds:
        wrong.append(f"deadline: it took {answer.seconds:.1f} s")
    if answer.status >= 400 and not is_problem(answer):
        wrong.append(f"problem: {answer.status} without a problem document: {answer.head[:200]!r}")
    if answer.status == 429:
        wrong.append("limited: no lane in all the tries")
    if case.kind == "escape" and not 400 <= answer.status < 500:
        wrong.append(f"escape: {answer.status} {answer.head[:300]!r}")
    if answer.status >= 500 and answer.status != 504:
        wrong.append(f"fault: {answer.status} {answer.head[:300]!r}")
    if not 200 <= answer.status < 600 or 300 <= answer.status < 400:
        wrong.append(f"status: {answer.status}")
    return wrong


@dataclass
class Tally:
    """What became of the cases of one category."""

    asked: int = 0
    answered: int = 0
    refused: int = 0
    timed_out: int = 0
    slowest: float = 0.0


class Attack:
    """Sends cases from several threads and keeps what was found."""

    def __init__(self, askers, milliseconds, grace, meter):
        self.askers, self.milliseconds, self.grace, self.meter = askers, milliseconds, grace, meter
        self.findings, self.tallies, self.costs = [], {}, []
        self.lock = threading.Lock()

    def run(self, cases, threads):
        """Sends all of `cases`, each by one of the askers in turns."""
        queue = iter(enumerate(cases))

        def work():
            while True:
                with self.lock:
                    index, case = next(queue, (None, None))
                if case is None:
                    return
                self.one(case, self.askers[index % len(self.askers)])

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def one(self, case, asker):
        started = time.monotonic()
        allowed = self.milliseconds / 1000 + self.grace
        try:
            answer = ask(asker, case, self.milliseconds, allowed + 20)
        except (OSError, http.client.HTTPException) as error:
            self.found(case, f"no answer: {error!r} after {time.monotonic() - started:.1f} s")
            return
        for complaint in complaints(case, answer, allowed):
            self.found(case, complaint)
        peak = self.meter.peak_since(started)
        with self.lock:
            tally = self.tallies.setdefault(case.category.split(":")[0], Tally())
            tally.asked += 1
            tally.answered += answer.status == 200
            tally.timed_out += answer.status == 504
            tally.refused += 400 <= answer.status < 500
            tally.slowest = max(tally.slowest, answer.seconds)
            self.costs.append((peak, answer.seconds, answer.status, case))

    def found(self, case, complaint):
        with self.lock:
            self.findings.append((case, complaint))
            print(f"FOUND [{case.category}] {complaint}\n   by {case.sql[:300]!r} {repr(case.fields)[:100]} {case.headers}", flush=True)
