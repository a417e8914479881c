"""The three servers of the `metrics` benchmark as processes: Cairn, Prometheus and VictoriaMetrics of Debian's sid.

Each takes remote write 1.0, answers Prometheus' HTTP API, can bring what it has to disk, and tells what it took.
"""

import http.client
import json
import math
import os
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "harness"))
from prometheus import wait_ready  # noqa: E402
from server import Server, free_ports  # noqa: E402

# USER_HZ: 100 on every Linux.
TICKS = 100


class Peer:
    """A process over a folder of its own. `prefix` stands before `/api/v1`."""

    name, prefix = "", ""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.folder, self.port, self.process = folder, free_ports(1)[0], None

    def launch(self, command, ready):
        self.log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        wait_ready(f"http://127.0.0.1:{self.port}{ready}", self.process, self.log.name, 300)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=300)

    def processor_seconds(self):
        """User and system, since its start."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(") ", 1)[1].split(" ")
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident(self):
        """MiB resident now, and at most up to now."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            lines = dict(line.split(":", 1) for line in status)
        return tuple(int(lines[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))

    def call(self, path, method="GET"):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        with urllib.request.urlopen(request, timeout=600) as answer:
            return answer.read()

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)

    def idle(self, seconds=2.0):
        """Waits until it does nothing any more."""
        before = self.processor_seconds()
        while True:
            time.sleep(seconds)
            now = self.processor_seconds()
            if now - before < 0.05 * seconds:
                return
            before = now


class Cairn(Peer):
    """`settings` as for `cairn serve --set`."""

    name, prefix = "Cairn", "/prometheus"

    def __init__(self, binary, folder, settings=()):
        super().__init__(folder)
        self.server = Server(binary, os.path.join(folder, "data"), settings=settings)

    def start(self):
        self.server.start(wait=False)
        self.server.wait_ready(300)
        self.port, self.process = self.server.api_port, self.server.process

    def stop(self):
        if self.process and self.process.poll() is None:
            self.server.stop(seconds=300)

    def settle(self):
        """Everything in segments: bytes on disk then, and when they are merged."""
        self.call("/api/v1/flush", "POST")
        flushed = self.live_bytes()
        self.idle()
        return {"flushed": flushed, "merged": self.live_bytes()}

    def live_bytes(self):
        """Of what a query reads, index sidecars included; what merges replaced stays for ten minutes and is not counted."""
        report = json.loads(self.call("/api/v1/storage"))
        return sum(signal["bytes"] for signal in report["signals"])


class Prometheus(Peer):
    """With limits as its users have them, and the remote-write receiver."""

    name = "Prometheus"

    def __init__(self, program, folder):
        super().__init__(folder)
        self.program = program

    def start(self):
        settings = os.path.join(self.folder, "prometheus.yml")
        with open(settings, "w", encoding="utf-8") as file:
            file.write("global: {}\n")
        command = [
            self.program, f"--config.file={settings}", f"--storage.tsdb.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}", "--web.enable-remote-write-receiver", "--web.enable-admin-api",
            "--storage.tsdb.retention.time=10y", "--log.level=warn",
        ]  # fmt: skip
        self.launch(command, "/-/ready")

    def settle(self):
        """A snapshot is its blocks with what is in the head as a block; the log is not counted."""
        self.idle()
        raw = self.call("/api/v1/admin/tsdb/snapshot", "POST").decode()
        name = raw.split('"name":"')[1].split('"')[0]
        snapshot = os.path.join(self.folder, "data", "snapshots", name)
        size = folder_bytes(snapshot)
        self.idle()
        return {"flushed": size, "merged": size}


class Victoria(Peer):
    """Without its cache of answers, and without its lag."""

    name = "VictoriaMetrics"

    def __init__(self, program, folder):
        super().__init__(folder)
        self.program = program

    def start(self):
        command = [
            self.program, f"-storageDataPath={self.folder}/data", f"-httpListenAddr=127.0.0.1:{self.port}",
            "-retentionPeriod=100y", "-search.latencyOffset=0s", "-search.disableCache", "-loggerLevel=WARN",
            "-search.maxUniqueTimeseries=5000000", "-search.maxSeries=5000000", "-search.maxPointsPerTimeseries=100000",
        ]  # fmt: skip
        self.launch(command, "/health")

    def settle(self):
        """Its index of labels counts as Cairn's table of series does; what it keeps in memory first is on disk only then."""
        self.call("/internal/force_flush")
        self.call("/internal/force_merge")
        self.idle()
        merged = sum(folder_bytes(os.path.join(self.folder, "data", name)) for name in ("data", "indexdb"))
        return {"flushed": math.nan, "merged": merged}


def folder_bytes(folder):
    """The bytes of all files in it."""
    found = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                found += os.path.getsize(os.path.join(place, name))
            except FileNotFoundError:
                pass
    return found


def write(peer, path, shards):
    """Sends all requests, each shard over a connection of its own and in order; seconds that it took."""
    failures = []

    def send(pieces):
        connection = peer.connect()
        headers = {"content-type": "application/x-protobuf", "content-encoding": "snappy", "x-prometheus-remote-write-version": "0.1.0"}
        target = f"{peer.prefix}/api/v1/write"
        with open(path, "rb") as file:
            for at, length in pieces:
                file.seek(at)
                body = file.read(length)
                for _ in range(1_000):
                    connection.request("POST", target, body, headers)
                    answer = connection.getresponse()
                    text = answer.read()
                    if answer.status < 300:
                        break
                    if answer.status not in (429, 503):
                        failures.append(f"{peer.name}: {answer.status} {text[:300]}")
                        return
                    time.sleep(0.02)

    threads = [threading.Thread(target=send, args=(pieces,)) for pieces in shards if pieces]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise RuntimeError(failures[0])
    return time.perf_counter() - started


def ask(connection, prefix, path, parameters):
    """The milliseconds and the body of one question."""
    target = f"{prefix}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    started = time.perf_counter()
    connection.request("GET", target)
    answer = connection.getresponse()
    body = answer.read()
    return (time.perf_counter() - started) * 1000, answer.status, body
