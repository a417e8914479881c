"""Outages of a bucket, by a proxy before it: requests that are refused, that hang, whose replies get lost, slow bodies.

Ingest goes on into staged files until the disk quota, statements answer rightly or fail clearly, and what waits reaches the bucket by
itself within twice the time of the outage.
"""

import json
import os
import time
import urllib.error
import urllib.request

from proxy import Proxy

# Seconds of each kind of failure, one after the other: the whole outage.
PHASES = [("refuse", 8), ("hang", 6), ("lost", 6), ("slow", 4)]
RECORDS = 20


def metric(server, name):
    """The sum of a metric's samples."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.api_port}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    values = [line.rsplit(" ", 1)[1] for line in lines if line.split("{")[0].split(" ")[0] == name]
    return sum(float(value) for value in values)


class Outages:
    """One bucket behind a proxy, with what `s3.py` has to send and to ask."""

    def __init__(self, checks, make_server, send, port):
        self.checks, self.send = checks, send
        self.proxy = Proxy(port)
        # From a proxy's port and a name for the folder to a server that does not run yet.
        self.make_server = make_server

    def run(self):
        try:
            self.goes_on()
            self.ends_at_the_quota()
        finally:
            self.proxy.close()

    def ask(self, server):
        """How many records a statement counts, or the status that it failed with; `None` for an answer that says what is missing."""
        call = urllib.request.Request(
            f"http://127.0.0.1:{server.api_port}/api/v1/sql",
            data=b"SELECT count(body) AS n FROM logs",
            headers={"content-type": "text/plain"},
        )
        try:
            with urllib.request.urlopen(call, timeout=60) as answer:
                said = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            problem = json.loads(error.read())
            return f"{error.code} {problem.get('code', problem.get('title'))}"
        return None if said["completeness"]["missing"] else int(said["rows"][0][0])

    def drained(self, server, seconds):
        """Waits until nothing waits for the bucket; the seconds that it took, or `None`."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if metric(server, "storage_staged_bytes") == 0:
                return time.monotonic() - began
            time.sleep(0.2)
        return None

    def goes_on(self):
        """Every request is taken while the bucket fails in each way, and nothing of it is lost."""
        checks, proxy = self.checks, self.proxy
        settings = ["storage.flush_age_seconds=1", "storage.small_segment_bytes=1"]
        # Without a cache statements need the bucket.
        settings += ["storage.cache_memory_bytes=0", "storage.cache_disk_bytes=0"]
        settings += ["storage.compaction_target_bytes=0", "query.timeout_seconds=5"]
        server = self.make_server(proxy.port, "phases", settings)
        server.start()
        sent = 0
        self.send(server, sent, RECORDS)
        sent += RECORDS
        self.drained(server, 30)
        slowest, wrong, answers = 0.0, [], set()
        began = time.monotonic()
        for mode, seconds in PHASES:
            proxy.set(mode)
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                before = time.monotonic()
                self.send(server, sent, RECORDS)
                slowest = max(slowest, time.monotonic() - before)
                sent += RECORDS
                if sent % (RECORDS * 8) == 0:
                    answer = self.ask(server)
                    answers.add(answer if isinstance(answer, str) or answer is None else "all")
                    if isinstance(answer, int) and answer != sent:
                        wrong.append((mode, answer, sent))
                time.sleep(0.1)
        took = time.monotonic() - began
        proxy.set("fine")
        checks.expect("an outage changes no count", wrong, [])
        clear = all(answer == "all" or answer is None or answer[0] in "45" for answer in answers)
        checks.hold("statements answer in full or say why not", clear, f"{answers}")
        checks.hold("requests are taken without waiting for the bucket", slowest < 5, f"{slowest:.1f} s")
        drained = self.drained(server, 2 * took)
        checks.hold(
            f"what waited is in the bucket within twice the outage ({took:.0f} s)",
            drained is not None,
            f"{metric(server, 'storage_staged_bytes')} bytes still wait",
        )
        for mode in ("refuse", "hang", "lost"):
            checks.hold(f"requests met `{mode}`", proxy.counts[mode] > 0, f"{proxy.counts}")
        checks.expect("every record is there", self.ask(server), sent)
        checks.expect("once", int(server.sql("SELECT count(DISTINCT body) AS n FROM logs")[0]["n"]), sent)
        checks.expect("a clean shutdown", server.stop(120), 0)
        server.start()
        checks.expect("after a restart, too", self.ask(server), sent)
        server.stop(120)
        self.checks.expect("cairn verify finds nothing", server.verify(), 0)

    def ends_at_the_quota(self):
        """At the disk quota requests are refused with a word when to come back, and taken again when the bucket is back."""
        checks, proxy = self.checks, self.proxy
        settings = ["storage.flush_age_seconds=1", "storage.small_segment_bytes=1"]
        settings += ["storage.wal_file_bytes=65536", "storage.disk_bytes=1048576"]
        server = self.make_server(proxy.port, "quota", settings)
        server.start()
        proxy.set("refuse")
        began = time.monotonic()
        sent, refused = 0, None
        while refused is None and time.monotonic() - began < 60:
            try:
                self.send(server, sent, 200)
                sent += 200
            except urllib.error.HTTPError as error:
                refused = (error.code, error.headers.get("retry-after") is not None)
        took = time.monotonic() - began
        checks.expect("requests beyond the quota are told to come back", refused in [(429, True), (503, True)], True)
        checks.hold("some were taken before", sent > 0, f"{sent}")
        used = metric(server, "storage_wal_bytes") + metric(server, "storage_staged_bytes")
        checks.hold("the disk has a bound", used < 4 << 20, f"{used} bytes")
        checks.expect("what was taken is read", self.ask(server), sent)
        proxy.set("fine")
        began, again = time.monotonic(), None
        while again is None and time.monotonic() - began < max(2 * took, 60):
            try:
                self.send(server, sent, 200)
                again = time.monotonic() - began
                sent += 200
            except urllib.error.HTTPError:
                time.sleep(0.2)
        checks.hold("requests are taken again when the bucket is back", again is not None)
        checks.hold("what waited is in the bucket", self.drained(server, 60) is not None)
        checks.expect("nothing that was acknowledged is lost", self.ask(server), sent)
        checks.expect("a clean shutdown", server.stop(120), 0)
        checks.expect("cairn verify finds nothing", server.verify(), 0)
