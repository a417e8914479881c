"""Requests and sockets made to hurt: `limits.py --cairn BINARY [--only SECTION] [--sockets N]`.

Each limit on ingest and sockets is reached, and once approached from just below. The answer must be the one that is documented,
exactly the record at fault is refused and counted by its reason, memory and processor time stay bounded, and a
client beside keeps getting its OK; its p99 is told for each section.
"""

import argparse
import os
import resource
import shutil
import sys
import tempfile
import time

import pyarrow.parquet

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "harness")]
import payloads  # noqa: E402
import sockets  # noqa: E402
from asking import Asker, ask  # noqa: E402
from beside import MIB, Meter, Steady, is_ready, keyed_server, metrics, total  # noqa: E402
from case import Case  # noqa: E402
from checks import Checks  # noqa: E402
from payloads import REQUEST_BYTES, key_value, logs, nested, record, text  # noqa: E402
from wires import export_grpc, export_http, raw  # noqa: E402

SETTINGS = [
    "listen.header_timeout_seconds=2",
    "listen.idle_timeout_seconds=4",
    "listen.write_timeout_seconds=3",
    "ingest.body_timeout_seconds=3",
]

# storage.memory_bytes by default, what is decompressed or copied and not yet counted, code and caches, and an allocator that
# gives back late.
MEMORY_BYTES = (384 + 512) * MIB

# Processor time of a request that is refused before it is decompressed; decompressing one of these bombs takes seconds.
UNREAD_SECONDS = 0.5

RESOURCE_EXHAUSTED, UNAUTHENTICATED, INVALID_ARGUMENT = 8, 16, 3


class Run:
    """A server with default limits and short times, and what is watched."""

    def __init__(self, options, checks, folder):
        self.options, self.checks = options, checks
        self.server, self.keys = keyed_server(options.cairn, folder, ["limits", "steady"], SETTINGS)
        self.key = self.keys["limits"]

    def start(self):
        self.server.start()
        self.meter = Meter(self.server.process.pid)
        self.meter.start()
        self.steady = Steady(self.server, self.keys["steady"])
        self.steady.phase("quiet")
        time.sleep(self.options.quiet)

    def samples(self):
        return metrics(self.server, self.key)

    def rows(self, sql):
        import json

        answer = ask(Asker("limits", self.key, self.server.api_port, []), Case("", "", sql), 60_000, 90)
        assert answer.status == 200, answer.head
        return json.loads(answer.head)["rows"]

    def bounded(self, what, since):
        """The memory since a moment is within the bound."""
        peak = self.meter.peak_since(since)
        self.checks.hold(f"{what}: memory at most {peak // MIB} MiB", peak <= MEMORY_BYTES, f"over {MEMORY_BYTES // MIB}")


def both(run, what, make, codes, encodings=(None,), key="own"):
    """Sends `make()` over HTTP and gRPC; `codes` are the status and the code that must come. Returns the replies."""
    key = run.key if key == "own" else key
    replies = []
    for encoding in encodings:
        for name, export, code in (("HTTP", export_http, codes[0]), ("gRPC", export_grpc, codes[1])):
            said = f"{what}, {name}{' ' + encoding if encoding else ''}"
            try:
                reply = export(run.server, make(), key, encoding)
            except OSError as error:
                run.checks.hold(said, False, f"no answer: {error!r}")
                continue
            run.checks.expect(said, reply.code, code)
            if code in (413, 400, 401, RESOURCE_EXHAUSTED, INVALID_ARGUMENT, UNAUTHENTICATED):
                run.checks.hold(f"{said}: nobody is told to try again", not reply.is_retryable)
            replies.append(reply)
    return replies


def sizes(run):
    """64 MiB after decompression, to the byte; bombs; lengths that lie."""
    started = time.monotonic()
    for at, codes in ((REQUEST_BYTES, (200, 0)), (REQUEST_BYTES + 1, (413, RESOURCE_EXHAUSTED))):
        serial = iter(range(9))
        both(run, f"{at} bytes", lambda at=at, serial=serial: payloads.sized(at, f"{at} {next(serial)}"), codes)
        for encoding, pack in (("gzip", payloads.gzip), ("zstd", payloads.zstd)):
            make = lambda at=at, pack=pack, encoding=encoding: pack(payloads.sized(at, f"{at} {encoding}"))
            both(run, f"{at} bytes within", make, codes, (encoding,))
    run.bounded("requests of 64 MiB", started)
    bombs(run)
    windows(run)
    declared(run)
    long = lambda: logs([record("x" * (REQUEST_BYTES - 1_000)), record("the one beside")])
    partial(run, "a text of 64 MiB", long, 1, "too_large", rows=1)


def bombs(run):
    """10 GiB of zeros, with credentials and without."""
    made = {"gzip": payloads.bomb(payloads.gzip, 10), "zstd": payloads.bomb(payloads.zstd, 10)}
    made["zstd, runs"] = payloads.zstd_runs(10)
    for name, packed in made.items():
        encoding = name.split(",")[0]
        started, spent = time.monotonic(), run.meter.processor_seconds()
        both(run, f"a bomb of 10 GiB in {len(packed)} bytes of {name}", lambda: packed, (413, RESOURCE_EXHAUSTED), (encoding,))
        run.bounded(f"a bomb of {name}", started)
        print(f"   {run.meter.processor_seconds() - spent:.2f} s of processor time", flush=True)
    before, spent = run.samples(), run.meter.processor_seconds()
    for name, packed in made.items():
        for key in (None, "cairn_" + "0" * 64):
            both(run, f"a bomb of {name}, {'a wrong key' if key else 'no key'}", lambda: packed, (401, UNAUTHENTICATED), (name.split(",")[0],), key)
    spent, after = run.meter.processor_seconds() - spent, run.samples()
    unread = [total(samples, "ingest_payload_bytes_total", tenant="") for samples in (before, after)]
    run.checks.expect("bombs without credentials: bytes decompressed", unread[1] - unread[0], 0)
    run.checks.hold(f"bombs without credentials: {spent:.2f} s of processor time for 12, the client beside included", spent < UNREAD_SECONDS + 2)


def windows(run):
    """8 MiB of zstd window, and twice that."""
    for log, codes in ((23, (200, 0)), (24, (413, RESOURCE_EXHAUSTED)), (41, (413, RESOURCE_EXHAUSTED))):
        make = lambda log=log: payloads.zstd_window(log, logs([record(f"window {log} {time.time_ns()}")]))
        both(run, f"a zstd window of 2^{log} bytes", make, codes, ("zstd",))


def declared(run):
    """Lengths that say more than comes."""
    started = time.monotonic()
    for name, body in {
        "a request field of 2^31 bytes": b"\x0a" + payloads.varint(2**31),
        "a request field of 2^63 bytes": b"\x0a" + payloads.varint(2**63),
        "a request field of 2^64 - 1 bytes": b"\x0a" + payloads.varint(2**64 - 1),
        "a varint of eleven bytes": b"\x0a" + b"\xff" * 10 + b"\x01",
        "a resource field of 4 GiB": payloads.field(1, b"\x0a" + payloads.varint(2**32)),
    }.items():
        both(run, name, lambda body=body: body, (400, INVALID_ARGUMENT))
    for name, inside in {
        "an attribute of 2^31 bytes": b"\x32" + payloads.varint(2**31),
        "a body of 2^62 bytes": b"\x2a" + payloads.varint(2**62) + b"x",
    }.items():
        bad = lambda inside=inside: logs([record("the one beside"), payloads.fixed64(1, time.time_ns()) + inside])
        partial(run, name, bad, 1, "malformed", rows=1)
    declared_by_http(run)
    run.bounded("lengths that lie", started)


def declared_by_http(run):
    head = f"POST /v1/logs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {run.key}\r\ncontent-type: application/x-protobuf\r\n"
    for length in (10 << 30, 2**63 - 1):
        answer, _ = raw(run.server.http_port, f"{head}content-length: {length}\r\n\r\n".encode(), 10)
        run.checks.expect(f"a content-length of {length} and no body", answer.split(b"\r\n")[0], b"HTTP/1.1 413 Payload Too Large")
    for length in (2**64, -1):
        answer, closed = raw(run.server.http_port, f"{head}content-length: {length}\r\n\r\n".encode(), 10)
        run.checks.expect(f"a content-length of {length}", (answer.split(b"\r\n")[0], closed), (b"HTTP/1.1 400 Bad Request", True))
    for length in (REQUEST_BYTES * 2, 2**32 - 1):
        reply = sockets.grpc_frame(run.server, run.key, length)
        run.checks.expect(f"a gRPC frame of {length} bytes and no message", reply.get("grpc-status"), str(RESOURCE_EXHAUSTED))
    chunk = b"10000\r\n" + bytes(65_536) + b"\r\n"
    answer, closed = raw(run.server.http_port, f"{head}transfer-encoding: chunked\r\n\r\n".encode() + chunk * 1_200, 20)
    run.checks.expect("chunks without end", (answer.split(b"\r\n")[0], closed), (b"HTTP/1.1 413 Payload Too Large", True))
    huge = f"{head}transfer-encoding: chunked\r\n\r\n".encode() + b"ffffffffffffffff\r\nx"
    answer, closed = raw(run.server.http_port, huge, 10)
    run.checks.hold("a chunk of 2^64 - 1 bytes", closed and b"HTTP/1.1 200" not in answer, f"{answer[:100]!r} {closed}")


def partial(run, what, make, rejected, reason, rows, replies=2):
    """Over both protocols: OK with exactly `rejected` records refused for `reason`, the `rows` others stored, the ledger even."""
    for name, export in (("HTTP", export_http), ("gRPC", export_grpc))[:replies]:
        before = run.samples()
        try:
            reply = export(run.server, make(), run.key)
        except OSError as error:
            run.checks.hold(f"{what}, {name}", False, f"no answer: {error!r}")
            continue
        after = run.samples()

        def grown(**labels):
            counts = [total(samples, "storage_records_total", tenant="limits", **labels) for samples in (before, after)]
            return int(counts[1] - counts[0])

        found = {
            "code": reply.code,
            "told": told(reply.body),
            "received": grown(outcome="received"),
            "stored": grown(outcome="stored"),
            "rejected": grown(outcome="rejected"),
            "for the reason": grown(outcome="rejected", reason=reason) if reason else 0,
        }
        wanted = {
            "code": 200 if name == "HTTP" else 0,
            "told": (rejected, rejected > 0),
            "received": rejected + rows,
            "stored": rows,
            "rejected": rejected,
            "for the reason": rejected if reason else 0,
        }
        run.checks.expect(f"{what}, {name}", found, wanted)


def told(body):
    """The rejected count of a partial success, and whether it has words."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

    answer = ExportLogsServiceResponse.FromString(body)
    return answer.partial_success.rejected_log_records, answer.partial_success.error_message != ""


def records(run):
    """Limits of single records; one that keeps to them is beside each."""
    beside = lambda: record(f"the one beside {time.time_ns()}")
    many = lambda count: [key_value(f"key-{at}", text("v")) for at in range(count)]
    cases = {
        # What, a record, and the reason where it is refused.
        "64 arrays": (lambda: record("x", [key_value("deep", nested(63, "array"))]), None),
        "64 maps": (lambda: record("x", [key_value("deep", nested(63, "map"))]), None),
        "65 arrays": (lambda: record("x", [key_value("deep", nested(65, "array"))]), "too_deep"),
        "65 maps": (lambda: record("x", [key_value("deep", nested(65, "map"))]), "too_deep"),
        "10^6 arrays": (lambda: record("x", [key_value("deep", nested(1_000_000, "array"))]), "too_deep"),
        "10^6 maps": (lambda: record("x", [key_value("deep", nested(1_000_000, "map"))]), "too_deep"),
        "10^6 groups": (lambda: record("x", parts=b"\xa3\x06" * 1_000_000), "malformed"),
        "1,000 attributes": (lambda: record("x", many(1_000)), None),
        "1,001 attributes": (lambda: record("x", many(1_001)), "too_many_attributes"),
        "10^5 attributes": (lambda: record("x", many(100_000)), "too_many_attributes"),
        "10^6 times one key": (lambda: record("x", [key_value("again", text("v"))] * 1_000_000), "too_many_attributes"),
        "a key of 1 KiB": (lambda: record("x", [key_value("k" * 1_024, text("v"))]), None),
        "a key of 1 KiB and one": (lambda: record("x", [key_value("k" * 1_025, text("v"))]), "too_large"),
        "a body of 1 MiB less 1 KiB": (lambda: record("b" * (MIB - 1_024)), None),
        "a body of 1 MiB and one": (lambda: record("b" * (MIB + 1)), "too_large"),
        "a value of 1 MiB less 1 KiB": (lambda: record("x", [key_value("v", text("v" * (MIB - 1_024)))]), None),
        "a value of 1 MiB and one": (lambda: record("x", [key_value("v", text("v" * (MIB + 1)))]), "too_large"),
        "a value of 1 MiB of quotes": (lambda: record("x", [key_value("v", text('"' * (MIB - 100)))]), "too_large"),
        "two values of 600 KiB": (lambda: record("x", [key_value(k, text("v" * 600 * 1_024)) for k in "ab"]), "too_large"),
        "the time 0": (lambda: record("x", nanos=0), None),
        "the time 1": (lambda: record("x", nanos=1), None),
        "23 hours ahead": (lambda: record("x", nanos=time.time_ns() + 23 * 3_600 * 10**9), None),
        "25 hours ahead": (lambda: record("x", nanos=time.time_ns() + 25 * 3_600 * 10**9), "too_far_ahead"),
        "the last time of 2262": (lambda: record("x", nanos=2**63 - 1), "too_far_ahead"),
        "one after 2262": (lambda: record("x", nanos=2**63), "time_out_of_range"),
        "the time 2^64 - 1": (lambda: record("x", nanos=2**64 - 1), "time_out_of_range"),
    }
    started = time.monotonic()
    for what, (make, reason) in cases.items():
        refused = 1 if reason else 0
        partial(run, what, lambda make=make: logs([beside(), make()]), refused, reason, rows=2 - refused)
    run.bounded("records at their limits", started)
    letters = dict(run.rows("SELECT reason, count(*) FROM dead_letters GROUP BY reason"))
    samples = run.samples()
    counted = {reason: int(total(samples, "storage_records_total", tenant="limits", outcome="rejected", reason=reason)) for reason in letters}
    run.checks.expect("dead letters by reason are as many as the metrics say", {k: int(v) for k, v in letters.items()}, counted)


def keys(run):
    """10^6 different keys: a thousand records of a thousand each."""
    started, wrong = time.monotonic(), []
    for batch in range(20):
        made = [record(f"keys {batch} {at}", [key_value(f"k{batch * 50 + at}.{n}", text("v")) for n in range(1_000)]) for at in range(50)]
        reply = export_http(run.server, logs(made), run.key)
        if (reply.code, reply.body) != (200, b""):
            wrong.append((reply.code, reply.body[:200]))
    run.checks.expect("10^6 different keys are accepted", wrong, [])
    reply, _ = raw(run.server.api_port, f"POST /api/v1/flush HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {run.key}\r\n"
                   "content-length: 0\r\nconnection: close\r\n\r\n".encode(), 120)
    run.checks.expect("they are flushed", reply.split(b"\r\n")[0][:12], b"HTTP/1.1 200")
    found = run.rows("SELECT count(*), count(attributes['k999.999']) FROM logs WHERE body LIKE 'keys %'")
    run.checks.expect("they are read", [int(cell) for cell in found[0]], [1_000, 1])
    wide = [pyarrow.parquet.ParquetFile(path).metadata.num_columns for path in parquet(run.server.data_dir)]
    run.checks.hold(f"the widest segment has {max(wide)} columns", max(wide) <= 250)
    run.bounded("10^6 different keys", started)


def parquet(data_dir):
    for at, _, names in os.walk(os.path.join(data_dir, "bucket")):
        for name in names:
            if name.endswith("logs.parquet"):
                yield os.path.join(at, name)


SECTIONS = {
    "sizes": sizes,
    "records": records,
    "keys": keys,
    "slow": sockets.slow,
    "floods": sockets.floods,
    "smuggling": sockets.smuggling,
    "garbage": sockets.garbage,
    "connections": sockets.connections,
}


def attack(run):
    """Every section, with the client beside; then the client itself and the bounds."""
    for name, section in SECTIONS.items():
        if run.options.only and name not in run.options.only.split(","):
            continue
        run.steady.phase(name)
        started = time.monotonic()
        with run.checks.section("3.3", section.__doc__.splitlines()[0].rstrip("."), "raw sockets"):
            section(run)
            run.checks.hold(f"{name}: the same process, and ready", is_ready(run.server))
        print(f"-- {name}: {time.monotonic() - started:.1f} s", flush=True)
    with run.checks.section("3.3", "a client beside all of it gets its OK each time", "http.client of Python"):
        beside(run, run.steady.end())
    with run.checks.section("3.3", "after all of it the ledger adds up, and memory stayed within its bound", "/metrics and /proc"):
        bounds(run)


def bounds(run):
    """What holds at the end."""
    samples = run.samples()
    for tenant in ("limits", "steady"):
        count = lambda outcome: total(samples, "storage_records_total", tenant=tenant, outcome=outcome)
        ended = sum(count(outcome) for outcome in ("stored", "deduplicated", "rejected", "quarantined"))
        run.checks.expect(f"the ledger of {tenant}: received", count("received"), ended)
    run.checks.expect("requests in flight at the end", total(samples, "ingest_requests_in_flight"), 0)
    run.checks.hold(f"memory at most {run.meter.peak_bytes // MIB} MiB", run.meter.peak_bytes <= MEMORY_BYTES)


def beside(run, phases):
    """The client beside: every request acknowledged, and its times."""
    quiet = phases["quiet"]["p99"]
    for name, seen in phases.items():
        p50, p99 = seen["p50"] or 0, seen["p99"] or 0
        numbers = f"{seen['acknowledged']} acknowledged, p50 {p50 * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms, {p99 / quiet:.1f} times the quiet one"
        run.checks.hold(f"beside, {name}: {numbers}", seen["wrong"] == 0 and seen["acknowledged"] > 0, f"{seen['wrong']}: {seen['examples']}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn", required=True)
    parser.add_argument("--only", help=f"some of {', '.join(SECTIONS)}, with commas")
    parser.add_argument("--sockets", type=int, default=10_000, help="sockets that are opened at the same time")
    parser.add_argument("--quiet", type=int, default=5, help="seconds of the client beside without an attack")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    checks = Checks(is_loud=True)
    folder = tempfile.mkdtemp(prefix="cairn-limits-")
    run = Run(options, checks, folder)
    try:
        run.start()
        attack(run)
        run.meter.end()
        checks.expect("a clean shutdown", run.server.stop(), 0)
    finally:
        run.server.end()
    code = checks.close()
    if code == 0:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(code)


main()
