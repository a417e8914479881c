"""A real object store under the store: `s3.py --cairn BINARY --conformance BINARY [--azurite PROGRAM]`.

Starts moto's S3 server, or Azurite, makes a bucket, and runs the conformance suite of buckets against it (`storage/examples/s3.rs`). Then
the real binary keeps its segments there: records come in over OTLP, are flushed by a clean shutdown and found again by
SQL after a restart, after an outage of the bucket, after the catalog was lost and made anew from the bucket alone, and by a
server with nothing but the bucket; `cairn verify` reads every object and tells when one is damaged or gone. A statement that
is asked again, also after a restart, asks the bucket for no object. The catalog is restored from its backup in the bucket, and
`cairn restore-drill` counts. `outages.py` has the bucket fail in every way while requests come in.
"""

import argparse
import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))
from checks import Checks  # noqa: E402
from outages import Outages  # noqa: E402
from server import Server  # noqa: E402

CHECKS = Checks(is_loud=True)
BUCKET = "telemetry"


def send(server, first, count):
    """Records `first` and up, two hours of event time, over OTLP/HTTP."""
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    label = group.resource.attributes.add()
    label.key, label.value.string_value = "service.name", "shop"
    records = group.scope_logs.add().log_records
    for number in range(first, first + count):
        record = records.add()
        record.time_unix_nano = 1_790_000_000_000_000_000 + number % 2 * 3_600_000_000_000 + number
        record.body.string_value = f"record {number}"
        attribute = record.attributes.add()
        attribute.key, attribute.value.int_value = "number", number
    call = urllib.request.Request(
        f"http://127.0.0.1:{server.http_port}/v1/logs",
        data=request.SerializeToString(),
        headers={"content-type": "application/x-protobuf"},
    )
    with urllib.request.urlopen(call, timeout=30) as answer:
        assert (answer.status, answer.read()) == (200, b"")


def expect_records(what, server, count):
    """By SQL: records 0 to `count` are there, each once."""
    rows = server.sql(
        "SELECT count(*) AS n, count(DISTINCT body) AS d, min(attributes['number'] + 0) AS low,"
        " max(attributes['number'] + 0) AS high FROM logs"
    )
    row = {name: int(value) for name, value in rows[0].items()}
    CHECKS.expect(what, row, {"n": count, "d": count, "low": 0, "high": count - 1})


def bucket_reads(server):
    """Reads of tenants' objects that the server has sent to the bucket, by `/metrics`."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.api_port}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    reads = 0
    for line in lines:
        # The marker of the bucket is no tenant's object and may be asked for at any time.
        counted = line.startswith("storage_object_requests_total{") and 'tenant=""' not in line
        if counted and ('kind="get"' in line or 'kind="head"' in line):
            reads += int(float(line.rsplit(" ", 1)[1]))
    return reads


def bucket_reads_at_rest(server, seconds=30):
    """The same, when what runs in the background has ended: the footers that a start reads, and what is fetched ahead."""
    deadline = time.monotonic() + seconds
    before = bucket_reads(server)
    while time.monotonic() < deadline:
        time.sleep(1)
        now = bucket_reads(server)
        if now == before:
            return now
        before = now
    raise RuntimeError("the server goes on reading from the bucket")


def cached(options, folder, settings):
    """What was read once is not asked for again: by the same server, and by the next one over the same data folder."""
    data_dir = os.path.join(folder, "cached", "data")
    os.makedirs(data_dir)
    settings = [s.replace("/cairn", "/cached") for s in settings]
    # A merge in between would make a segment that was never read.
    settings.append("storage.compaction_target_bytes=0")
    server = Server(options.cairn, data_dir, settings)
    server.start()
    send(server, 0, 500)
    CHECKS.expect("a clean shutdown", server.stop(), 0)
    server.start()
    expect_records("a first statement reads from the bucket", server, 500)
    reads = bucket_reads_at_rest(server)
    CHECKS.expect("which is counted", reads > 0, True)
    expect_records("the same statement again", server, 500)
    CHECKS.expect("asks the bucket for nothing", bucket_reads_at_rest(server) - reads, 0)
    answer = json.loads(server.post_sql("SELECT count(DISTINCT body) AS n FROM logs"))
    said = answer["completeness"]
    expected = {"requests": 0, "bytes_read": 0}
    CHECKS.expect("as the answer says", {name: said[name] for name in expected}, expected)
    CHECKS.expect("and where its bytes came from", said["bytes_cached"] > 0, True)
    CHECKS.expect("a clean shutdown", server.stop(), 0)
    server.start()
    expect_records("after a restart", server, 500)
    CHECKS.expect("all of it was on disk", bucket_reads_at_rest(server), 0)
    CHECKS.expect("a clean shutdown", server.stop(), 0)
    cache = os.path.join(data_dir, "cache")
    for name in os.listdir(cache):
        flip(os.path.join(cache, name))
    server.start()
    expect_records("a damaged cache changes no answer", server, 500)
    CHECKS.expect("a clean shutdown", server.stop(), 0)
    shutil.rmtree(cache)
    server.start()
    expect_records("nor does a removed one", server, 500)
    server.stop()


def flip(path):
    """Other bytes at the beginning of every sector of the first pieces of a file."""
    with open(path, "r+b") as file:
        for at in range(0, min(os.path.getsize(path), 4 << 20), 512):
            file.seek(at)
            file.write(b"\xa5")


def cairn(options, data_dir, settings, *command):
    """An offline command: its exit code and what it prints."""
    arguments = [options.cairn, *command, "--data-dir", data_dir]
    for setting in settings:
        arguments += ["--set", setting]
    done = subprocess.run(arguments, capture_output=True, timeout=120, check=False)
    return done.returncode, done.stdout.decode() + done.stderr.decode()


def conformance(options, s3):
    """The suite of buckets, one check a case."""
    command = [options.conformance, "--endpoint", s3.endpoint, "--bucket", s3.url]
    done = subprocess.run(command, capture_output=True, timeout=300, check=False)
    lines = done.stdout.decode().splitlines()
    cases = [line for line in lines if line.startswith(("ok: ", "WRONG: "))]
    print(done.stderr.decode(), end="")
    for case in cases:
        verdict, name = case.split(": ", 1)
        CHECKS.expect(f"bucket: {name}", verdict, "ok")
    CHECKS.expect("the suite ran to its end", (len(cases) > 5, done.returncode), (True, 0))


def lives(options, s3, folder):
    """The real binary over the bucket."""
    data_dir = os.path.join(folder, "data")
    settings = s3.settings("cairn")
    server = Server(options.cairn, data_dir, settings)
    server.start()
    send(server, 0, 500)
    expect_records("what is buffered is read", server, 500)
    CHECKS.expect("a clean shutdown", server.stop(), 0)
    objects = [key for key in s3.keys("cairn/") if key.endswith(".logs.parquet")]
    CHECKS.expect("one segment an event hour is in the bucket", len(objects), 2)
    server.start()
    expect_records("what was flushed is read from the bucket", server, 500)
    send(server, 500, 100)
    server.kill()
    server.start()
    expect_records("a kill lost nothing", server, 600)
    CHECKS.expect("a clean shutdown", server.stop(), 0)
    code, text = cairn(options, data_dir, settings, "verify")
    CHECKS.expect(f"cairn verify: {text.strip().splitlines()[0]}", (code, "WRONG" in text), (0, False))

    for name in os.listdir(data_dir):
        if name.startswith("catalog.sqlite"):
            os.remove(os.path.join(data_dir, name))
    code, text = cairn(options, data_dir, settings, "catalog", "rebuild")
    CHECKS.expect("the catalog is made anew from the bucket", (code, "600 rows" in text), (0, True))
    server.start()
    expect_records("after the rebuild", server, 600)
    drill_beside(options, data_dir, settings)
    server.stop()
    drills(options, s3, folder, data_dir, settings)

    other = os.path.join(folder, "elsewhere", "data")
    code, text = cairn(options, other, settings, "catalog", "rebuild")
    CHECKS.expect("the bucket of another data folder is refused", (code, "600 rows" in text), (1, False))
    code, text = cairn(options, other, settings, "catalog", "rebuild", "--take-over")
    CHECKS.expect("a rebuild with nothing but the bucket", (code, "600 rows" in text), (0, True))
    elsewhere = Server(options.cairn, other, settings)
    elsewhere.start()
    expect_records("by a server with nothing but the bucket", elsewhere, 600)
    elsewhere.stop()

    cached(options, folder, settings)
    damage(options, s3, other, settings)
    outage(options, s3, folder, settings)
    outages(options, s3, folder, settings)


def drilled(options, data_dir, settings, *more):
    """The exit code of a drill and its report."""
    code, text = cairn(options, data_dir, settings, "restore-drill", "--json", *more)
    try:
        return code, json.loads(text)
    except ValueError:
        return code, {"error": text}


def drill_beside(options, data_dir, settings):
    """A drill beside the server that runs finds what its catalog says."""
    code, report = drilled(options, data_dir, settings)
    found = (code, report.get("compared_with"), report.get("rows"))
    CHECKS.expect("a drill beside the server", found, (0, "catalog", 600))
    left = os.path.exists(os.path.join(data_dir, "restore-drill"))
    CHECKS.expect("which leaves nothing behind", left, False)


def drills(options, s3, folder, data_dir, settings):
    """What a drill says of backups, with nothing but the bucket."""
    backups = [key for key in s3.keys("cairn/catalog/") if key.endswith(".backup")]
    CHECKS.hold("clean shutdowns left backups", len(backups) > 1, f"{backups}")
    nowhere = os.path.join(folder, "nowhere", "data")
    code, report = drilled(options, nowhere, settings, "--read-all")
    found = (code, report.get("compared_with"), report.get("rows"), report.get("unusable_backups"))
    CHECKS.expect("a drill with nothing but the bucket", found, (0, "backup", 600, []))
    whole = s3.body(backups[-1])
    s3.put(backups[-1], whole[: len(whole) // 2])
    code, report = drilled(options, nowhere, settings)
    found = (code, report.get("rows"), len(report.get("unusable_backups", [])))
    CHECKS.expect("a damaged backup: the one before it is taken", found, (0, 600, 1))
    s3.put(backups[-1], whole)
    key = live_key(s3, data_dir)
    segment = s3.body(key)
    s3.delete(key)
    code, report = drilled(options, data_dir, settings, "--from-backup")
    fewer = [table["table"] for table in report.get("tables", []) if table["found"] == "fewer"]
    CHECKS.expect("a lost segment fails the drill", (code, fewer), (1, ["logs"]))
    s3.put(key, segment)
    kept = os.path.join(folder, "kept")
    code, text = cairn(options, data_dir, settings, "restore-drill", "--into", kept)
    CHECKS.expect("a drill that keeps its catalog", (code, os.path.exists(f"{kept}/catalog.sqlite")), (0, True))
    CHECKS.hold("and tells time and point", "recovery time: " in text and "recovery point: " in text, text)
    code, _ = cairn(options, data_dir, settings, "restore-drill", "--into", kept)
    CHECKS.expect("a folder that is not empty is refused", code, 1)


def live_key(s3, data_dir):
    """The object of a segment that no merge has replaced yet; the catalog is at rest."""
    with contextlib.closing(sqlite3.connect(os.path.join(data_dir, "catalog.sqlite"))) as catalog:
        (segment,) = catalog.execute("SELECT id FROM segments WHERE live = 1 AND signal = 'logs' ORDER BY id").fetchone()
    (key,) = (key for key in s3.keys("cairn/") if key.endswith(f"{segment}.logs.parquet"))
    return key


def outages(options, s3, folder, settings):
    """See `outages.py`."""

    def make_server(port, name, more):
        data_dir = os.path.join(folder, name, "data")
        os.makedirs(data_dir)
        own = [s.replace("/cairn", f"/{name}").replace(s3.host, f"http://127.0.0.1:{port}") for s in settings]
        server = Server(options.cairn, data_dir, own + more)
        server.verify = lambda: cairn(options, data_dir, own, "verify")[0]
        return server

    Outages(CHECKS, make_server, send, s3.port).run()


def damage(options, s3, data_dir, settings):
    """`cairn verify` tells of one flipped bit and of an object that is gone."""
    key = live_key(s3, data_dir)
    whole = s3.body(key)
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 4
    s3.put(key, bytes(flipped))
    code, text = cairn(options, data_dir, settings, "verify")
    name = key.removeprefix("cairn/")
    CHECKS.expect("verify tells of a flipped bit", (code != 0, f"WRONG: {name}" in text), (True, True))
    s3.delete(key)
    code, text = cairn(options, data_dir, settings, "verify")
    CHECKS.expect("verify tells of a lost object", (code != 0, f"WRONG: {name}" in text), (True, True))
    s3.put(key, whole)
    code, text = cairn(options, data_dir, settings, "verify")
    CHECKS.expect("verify after the repair", (code, "WRONG" in text), (0, False))


def outage(options, s3, folder, settings):
    """Ingest and queries go on while the bucket does not answer; afterwards everything reaches it."""
    data_dir = os.path.join(folder, "outage", "data")
    os.makedirs(data_dir)
    settings = [s.replace("/cairn", "/outage") for s in settings]
    settings += ["storage.flush_age_seconds=1", "storage.small_segment_bytes=1"]
    server = Server(options.cairn, data_dir, settings)
    server.start()
    s3.pause()
    send(server, 0, 300)
    deadline = time.monotonic() + 30
    staging = os.path.join(data_dir, "staging")
    while time.monotonic() < deadline and not any(files for _, _, files in os.walk(staging)):
        time.sleep(0.1)
    expect_records("staged segments are read while the bucket is away", server, 300)
    send(server, 300, 10)
    expect_records("and so is what comes meanwhile", server, 310)
    s3.go_on()
    CHECKS.expect("a clean shutdown after the outage", server.stop(180), 0)
    server.start()
    expect_records("everything reached the bucket", server, 310)
    server.stop()
    code, text = cairn(options, data_dir, settings, "verify")
    CHECKS.expect("verify after the outage", (code, "WRONG" in text), (0, False))


def object_store(options, folder):
    """The server of objects, with credentials for it in the environment. Each has packages of its own."""
    if options.azurite:
        from azurite import CREDENTIALS, Azurite

        os.environ.update(CREDENTIALS)
        return Azurite(folder, BUCKET, options.azurite)
    from moto_server import CREDENTIALS, S3

    os.environ.update(CREDENTIALS)
    return S3(folder, BUCKET)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn", required=True)
    parser.add_argument("--conformance", required=True)
    parser.add_argument("--azurite", help="the program azurite-blob, for a bucket on Azure")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="cairn-s3-")
    s3 = object_store(options, folder)
    try:
        conformance(options, s3)
        lives(options, s3, folder)
    finally:
        s3.go_on()
        s3.stop()
    code = CHECKS.close()
    if code == 0:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(code)


main()
