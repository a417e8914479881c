"""A real S3 server under the store: `s3.py --cairn BINARY --conformance BINARY`.

Starts moto's server, makes a bucket, and runs the conformance suite of buckets against it (`storage/examples/s3.rs`). Then
the real binary keeps its segments there: records come in over OTLP, are flushed by a clean shutdown and found again by
SQL after a restart, after an outage of the bucket, after the catalog was lost and made anew from the bucket alone, and by a
server with nothing but the bucket; `cairn verify` reads every object and tells when one is damaged or gone. A statement that
is asked again, also after a restart, asks the bucket for no object.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import boto3
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))
from checks import Checks  # noqa: E402
from server import Server, free_ports  # noqa: E402

CHECKS = Checks(is_loud=True)
BUCKET = "telemetry"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "of-cairn"}


class S3:
    """moto's server as a process of its own; its objects are in its memory."""

    def __init__(self, folder):
        self.port = free_ports(1)[0]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.log = open(os.path.join(folder, "s3.log"), "ab")
        program = os.path.join(os.path.dirname(sys.executable), "moto_server")
        command = [program, "-H", "127.0.0.1", "-p", str(self.port)]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        self.client = boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1")
        self.wait_ready()
        self.client.create_bucket(Bucket=BUCKET)

    def wait_ready(self, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(self.endpoint, timeout=5):
                    return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"moto_server did not start; see {self.log.name}")

    def pause(self):
        """Out of reach: connections are taken and never answered."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def keys(self, prefix):
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def body(self, key):
        return self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def put(self, key, body):
        self.client.put_object(Bucket=BUCKET, Key=key, Body=body)


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
    command = [options.conformance, "--endpoint", s3.endpoint, "--bucket", BUCKET]
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
    settings = [
        f"storage.bucket=s3://{BUCKET}/cairn",
        f"storage.bucket_options.aws_endpoint={s3.endpoint}",
        "storage.bucket_options.aws_allow_http=true",
        "storage.bucket_options.aws_region=us-east-1",
    ]
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
    server.stop()

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


def damage(options, s3, data_dir, settings):
    """`cairn verify` tells of one flipped bit and of an object that is gone."""
    key = sorted(key for key in s3.keys("cairn/") if key.endswith(".parquet"))[0]
    whole = s3.body(key)
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 4
    s3.put(key, bytes(flipped))
    code, text = cairn(options, data_dir, settings, "verify")
    name = key.removeprefix("cairn/")
    CHECKS.expect("verify tells of a flipped bit", (code != 0, f"WRONG: {name}" in text), (True, True))
    s3.client.delete_object(Bucket=BUCKET, Key=key)
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn", required=True)
    parser.add_argument("--conformance", required=True)
    options = parser.parse_args()
    os.environ.update(CREDENTIALS)
    folder = tempfile.mkdtemp(prefix="cairn-s3-")
    s3 = S3(folder)
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
