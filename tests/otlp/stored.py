"""What only the stored rows show: bits of doubles and of flags, and an answer's compression."""

import gzip
import http.client
import struct
import time

from answers import stored
from checks import CHECKS
from otlp_rows import REQUESTS

PROTOBUF = "application/x-protobuf"

# NaNs with payloads, quiet and signalling; both zeros; the smallest and the largest subnormal; infinities.
BITS = [
    0x7FF8_0000_0000_0001, 0xFFF8_DEAD_BEEF_0001, 0x7FF0_0000_0000_0001, 0x8000_0000_0000_0000, 0,
    1, 0x000F_FFFF_FFFF_FFFF, 0x7FF0_0000_0000_0000, 0xFFF0_0000_0000_0000, 0x3FF0_0000_0000_0001,
]

# Stands in a message for the bits, since Python's own doubles may change a signalling NaN.
MARK = 12345.678


def post(server, signal, body, headers=()):
    """The status, the headers and the body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=30)
    connection.request("POST", f"/v1/{signal}", body, {"content-type": PROTOBUF} | dict(headers))
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def check_doubles(server):
    request = REQUESTS["metrics"]()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="bits")
    for number in range(len(BITS)):
        point = metric.gauge.data_points.add(time_unix_nano=time.time_ns() + number, as_double=MARK)
        point.attributes.add(key="number").value.int_value = number
    pieces = request.SerializeToString().split(struct.pack("<d", MARK))
    body = pieces[0] + b"".join(struct.pack("<Q", bits) + rest for bits, rest in zip(BITS, pieces[1:]))
    status, _, _ = post(server, "metrics", body)
    rows = stored(server, ["metrics"], "metric = 'bits'")["metrics"]
    wanted = sorted(f"d:{bits:016x}" for bits in BITS)
    found = sorted(str(each["value"]) for each in rows)
    complaints = [f"{status}: {found} and not {wanted}"] if (status, found) != (200, wanted) else []
    CHECKS.row(48, "NaNs with payloads, both zeros, subnormals and infinities keep their bits", "HTTP/protobuf, Python", complaints)


def check_flags(server):
    flags = [0, 1, 0x101, 0x301, 0xFFFF_FFFF]
    logs, traces = REQUESTS["logs"](), REQUESTS["traces"]()
    records = logs.resource_logs.add().scope_logs.add(scope={"name": "flags"}).log_records
    spans = traces.resource_spans.add().scope_spans.add(scope={"name": "flags"}).spans
    for number, bits in enumerate(flags):
        ids = {"trace_id": bytes([number + 1] * 16), "span_id": bytes([number + 1] * 8), "flags": bits}
        records.add(time_unix_nano=time.time_ns(), **ids)
        spans.add(start_time_unix_nano=1, end_time_unix_nano=2, name="flags", **ids)
    for signal, request, table in (("logs", logs, "logs"), ("traces", traces, "spans")):
        post(server, signal, request.SerializeToString())
        statement = f"SELECT flags, flags & 255 AS low FROM {table} WHERE scope_name = 'flags' ORDER BY flags"
        found = [(each["flags"], each["low"]) for each in server.sql(statement)]
        wanted = [(bits, bits & 255) for bits in flags]
        complaints = [f"{found} and not {wanted}"] if found != wanted else []
        CHECKS.row(46, f"{table}: bits above the eighth are kept and masked by flags & 255", "HTTP/protobuf, Python", complaints)


def check_answers(server):
    for accept, allowed in ((None, {None}), ("identity", {None}), ("gzip", {None, "gzip"}), ("br, zstd;q=0.5", {None})):
        headers = {} if accept is None else {"accept-encoding": accept}
        status, told, body = post(server, "logs", b"\xff", headers)
        encoding = {name.lower(): value for name, value in told.items()}.get("content-encoding")
        body = gzip.decompress(body) if encoding == "gzip" else body
        complaints = [f"{status}, {encoding}, {body!r}"] if status != 400 or encoding not in allowed or not body else []
        CHECKS.row(52, f"an answer to accept-encoding {accept} can be read", "HTTP/protobuf, Python", complaints)


def check_stored(server):
    check_doubles(server)
    check_flags(server)
    check_answers(server)
