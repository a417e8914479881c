"""A server, its clients and a fixed workload, and what must hold while a fault is on and after it is over.

While it is on: every answer is an OK or a refusal that clients retry; every statement gets the truth, or a refusal that can be
tried again; the process lives. After it is over, and without a restart: `/readyz` and `/healthz` are well again, what had no answer is taken,
and every acknowledged record is there once, column by column (`ledger.py`). After `kill -9` and a restart as well.
"""

import http.client
import json
import os
import subprocess
import time
import urllib.error
import urllib.request

from ledger import Findings, check, check_all
from records import HOUR, Refused, generations, writers
from server import Server

SETTINGS = [
    "storage.flush_age_seconds=1",
    "storage.small_segment_bytes=1",
    # So small that the workload meets new files of the log all the time.
    "storage.wal_file_bytes=65536",
    # Merges come when there is time for them, and would make the N-th call another one each time.
    "storage.compaction_target_bytes=0",
]

# Rounds of the workload: each is REQUESTS of every client, a statement and a flush.
ROUNDS = 3
REQUESTS = 2

# Within so many seconds after a fault everything is well again: the longest pause between two attempts to flush is 30 s.
RECOVERED = 45

# What a statement may be answered while something is out of reach (`docs/` of the HTTP API): all can be tried again.
STATEMENT_REFUSED = {429, 503, 504}


class Bench:
    """One data folder and its clients over many cases; each case has a stretch of event time of its own."""

    def __init__(self, options, folder, seed, cases, environment=(), data_dir=None):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        data_dir = data_dir or os.path.join(folder, "data")
        self.server = Server(options.cairn, data_dir, SETTINGS, environment=environment)
        self.server.log_path = os.path.join(folder, "cairn.log")
        self.writers = writers(self.server, seed)
        self.generations = generations(cases)
        self.links = {}
        self.case, self.checked = -1, 0
        self.findings = Findings()
        self.refused = self.refused_before = 0
        # Seconds that the slowest recovery took.
        self.slowest = 0.0
        # Whether connections may break, which is no refusal: only where descriptors are short.
        self.may_break = False
        # Seconds that an answer of the API may take.
        self.patience = 30

    @property
    def generation(self):
        return self.generations[self.case]

    def begin(self):
        """The next case."""
        self.case += 1
        self.refused_before = self.refused

    def refused_in_case(self):
        """Requests that were put off in this case."""
        return self.refused - self.refused_before

    # While the fault is on.

    def work(self, rounds=ROUNDS, has_flush=True):
        """The fixed workload: clients one after the other, so that each run makes the same calls."""
        for _ in range(rounds):
            for writer in self.writers:
                for _ in range(REQUESTS):
                    self.send(writer)
            self.look()
            if has_flush:
                self.flush()
            self.must_live()

    def send(self, writer):
        try:
            self.attempt(writer, lambda send: writer.send_new(send, self.generation))
        except Refused:
            pass

    def attempt(self, writer, act):
        """Lets `act` send over the client's connection; `Refused` when it has to come back."""
        try:
            if writer not in self.links:
                self.links[writer] = writer.connect()
            act(self.links[writer][0])
        except Refused:
            self.refused += 1
            raise
        except (ConnectionError, OSError, http.client.HTTPException) as error:
            self.unlink(writer)
            self.refused += 1
            # Over gRPC a refusal and a broken connection are one: both are UNAVAILABLE.
            if writer.protocol == "http" and not self.may_break:
                self.findings.add("broken", f"client {writer.client}: {error!r}")
            raise Refused from error

    def unlink(self, writer):
        if writer in self.links:
            self.links.pop(writer)[1].close()

    def close_links(self):
        for writer in self.writers:
            self.unlink(writer)

    def flush(self):
        status, _ = self.post("/api/v1/flush", b"")
        if status not in (200, 503) and not (self.may_break and status is None):
            self.findings.add("flush", f"a flush on demand was answered {status}")

    def look(self):
        """A statement over the records of this case: the truth or a refusal that can be tried again."""
        start = self.generation.start
        where = f"timestamp >= to_timestamp_nanos({start}) AND timestamp < to_timestamp_nanos({start + 3 * HOUR})"
        status, body = self.post("/api/v1/sql", f"SELECT count(*) AS n FROM logs WHERE {where}".encode())
        if status != 200:
            if status not in STATEMENT_REFUSED and not (self.may_break and status is None):
                self.findings.add("statement", f"a statement was answered {status} {body[:300]!r}")
            return False
        answer = json.loads(body)
        # What was damaged in no way must not be given up.
        if not answer["completeness"]["complete"]:
            self.findings.add("statement", f"a statement says that rows are missing: {answer['completeness']}")
            return False
        least, most = self.counts()
        found = answer["rows"][0][0]
        if not least <= found <= most:
            self.findings.add("statement", f"{found} log records, not {least} to {most}")
        return True

    def counts(self):
        """Log records of this case that were acknowledged, and that were sent."""
        sent = [r for w in self.writers if w.signal == "logs" for r in w.sent if r.generation is self.generation]
        sizes = [(len(request.rows()["logs"]), request.acknowledged) for request in sent]
        return sum(size for size, acknowledged in sizes if acknowledged), sum(size for size, _ in sizes)

    def post(self, path, body):
        """Status and body; no status where there was no answer."""
        url = f"http://127.0.0.1:{self.server.api_port}{path}"
        request = urllib.request.Request(url, data=body, headers={"content-type": "text/plain"})
        return fetched(request, self.patience)

    def must_live(self):
        if (code := self.server.process.poll()) is not None:
            raise RuntimeError(f"the process ended with {code}; see {self.server.log.name}")

    # After it is over.

    def recover(self):
        """Everything is well again by itself, and what had no answer is taken."""
        start = time.monotonic()
        deadline = start + RECOVERED
        self.until("/readyz", 200, b"ready\n", deadline)
        for writer in self.writers:
            for request in writer.unanswered():
                self.until_taken(writer, request, deadline)
        self.until("/healthz", 200, b'{"status":"ok","parts":[]}', deadline)
        self.slowest = max(self.slowest, time.monotonic() - start)
        self.check()

    def until(self, path, status, body, deadline):
        answer = None
        while time.monotonic() < deadline:
            self.must_live()
            answer = fetched(urllib.request.Request(f"http://127.0.0.1:{self.server.api_port}{path}"))
            if answer == (status, body):
                return
            time.sleep(0.05)
        self.findings.add("recovery", f"{RECOVERED} s after the fault {path} says {answer}")

    def until_taken(self, writer, request, deadline):
        while time.monotonic() < deadline:
            self.must_live()
            try:
                self.attempt(writer, lambda send: writer.resend(send, [request]))
                return
            except Refused:
                time.sleep(0.1)
        self.findings.add("recovery", f"{RECOVERED} s after the fault client {writer.client} is still refused")

    def check(self, number=None):
        """The records of this case, or of that one, against SQL; a statement that gets no answer is a complaint."""
        generation = self.generation if number is None else self.generations[number]
        try:
            check(self.server, self.writers, [generation], self.findings)
        except (RuntimeError, OSError) as error:
            self.findings.add("statement", f"rows cannot be read: {error}")

    def restart(self):
        """`kill -9`, a start, and everything since the last restart compared."""
        self.close_links()
        self.server.kill()
        self.server.start()
        lives = self.generations[self.checked : self.case + 1]
        for at in range(0, len(lives), 10):
            check(self.server, self.writers, lives[at : at + 10], self.findings)
        self.checked = self.case + 1

    def finish(self):
        """A clean stop, a start, everything compared, and `cairn verify`."""
        self.close_links()
        if (code := self.server.stop()) != 0:
            self.findings.add("stop", f"the clean shutdown ended with {code}")
        self.server.start()
        check_all(self.server, self.writers, self.generations, self.findings)
        self.server.stop()
        command = [self.server.binary, "verify", "--data-dir", self.server.data_dir]
        verified = subprocess.run(command, capture_output=True, check=False)
        if verified.returncode != 0:
            self.findings.add("verify", verified.stdout.decode()[-2000:])

    def close(self):
        self.close_links()
        self.server.end()

    def take_complaints(self):
        """What was wrong since the last call."""
        texts = self.findings.lines() + [text for writer in self.writers for text in writer.complaints]
        self.findings = Findings()
        for writer in self.writers:
            writer.complaints = []
        return texts


def fetched(request, seconds=30):
    """Status and body of an answer, whatever the status; no status where there was no answer."""
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        return None, repr(error).encode()
