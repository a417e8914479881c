"""Numbered records of all signals, and writers that send them and remember what was acknowledged.

Every record carries its client and its sequence number, so that a row can be told from any other. Each life of the server has
a stretch of event time of its own (`Generation`), so that one query finds the rows of a life without reading the others.
"""

import http.client
import random
import struct
import time
from dataclasses import dataclass
from typing import ClassVar

import grpc
from otlp_rows import REQUESTS, rows

HOUR = 3_600_000_000_000

METHODS = {
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
}

# Answers after which OTLP clients send again (OTLP 1.11, "Failures"): nothing is promised by them.
RETRIED_STATUS = {429, 502, 503, 504}
RETRIED_CODE = {
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
}


@dataclass(frozen=True)
class Generation:
    """A life of the server; its records lie in two hours of event time, so that flushes make two segments."""

    number: int
    start: int

    def time(self, rng):
        return self.start + rng.randrange(0, 2 * HOUR)

    def hours(self):
        """The folders of its segments below those of the signal."""
        stamps = [time.gmtime((self.start + at * HOUR) // 1_000_000_000) for at in range(2)]
        return [time.strftime("date=%Y-%m-%d/hour=%H", stamp) for stamp in stamps]


def generations(count):
    """`count` generations, the last of them some hours ago."""
    last = time.time_ns() // HOUR * HOUR - 4 * HOUR
    return [Generation(number, last - (count - number) * 3 * HOUR) for number in range(count)]


def attribute(attributes, key, value):
    entry = attributes.add()
    entry.key = key
    if isinstance(value, int):
        entry.value.int_value = value
    elif isinstance(value, float):
        entry.value.double_value = value
    else:
        entry.value.string_value = value


def number_record(attributes, client, sequence):
    attribute(attributes, "client", client)
    attribute(attributes, "sequence", sequence)


def build(signal, client, first, count, generation, rng):
    """The bytes of one request with `count` records of `client`, numbered from `first`."""
    request = REQUESTS[signal]()
    groups = {"logs": "resource_logs", "metrics": "resource_metrics", "traces": "resource_spans"}
    group = getattr(request, groups[signal]).add()
    attribute(group.resource.attributes, "service.name", f"writer-{client}")
    attribute(group.resource.attributes, "life", generation.number)
    add = {"logs": add_logs, "metrics": add_metrics, "traces": add_spans}[signal]
    add(group, client, range(first, first + count), generation, rng)
    return request.SerializeToString()


def add_logs(group, client, sequences, generation, rng):
    records = group.scope_logs.add().log_records
    for sequence in sequences:
        record = records.add()
        record.time_unix_nano = generation.time(rng)
        record.observed_time_unix_nano = record.time_unix_nano + sequence
        record.severity_number = 1 + sequence % 24
        record.body.string_value = f"record {sequence} of client {client}"
        record.trace_id = rng.randbytes(16)
        number_record(record.attributes, client, sequence)
        attribute(record.attributes, "share", rng.random())
        attribute(record.attributes, "word", rng.choice(["alder", "birch", "cedar"]))


def add_spans(group, client, sequences, generation, rng):
    spans = group.scope_spans.add().spans
    for sequence in sequences:
        span = spans.add()
        span.trace_id, span.span_id = rng.randbytes(16), rng.randbytes(8)
        span.name = f"step {sequence % 7}"
        span.kind = 1 + sequence % 5
        span.start_time_unix_nano = generation.time(rng)
        span.end_time_unix_nano = span.start_time_unix_nano + rng.randrange(10**9)
        span.status.message = f"span {sequence} of client {client}"
        number_record(span.attributes, client, sequence)
        for position in range(sequence % 3):
            event = span.events.add()
            event.time_unix_nano = generation.time(rng)
            event.name = f"event {position}"
            number_record(event.attributes, client, sequence)
        for _ in range(sequence % 2):
            link = span.links.add()
            link.trace_id, link.span_id = rng.randbytes(16), rng.randbytes(8)
            number_record(link.attributes, client, sequence)


def add_metrics(group, client, sequences, generation, rng):
    """Sums and histograms in turn, five series each a client; a point's number is its value."""
    metrics = group.scope_metrics.add().metrics
    sums, histograms = metrics.add(), metrics.add()
    sums.name, sums.unit, sums.sum.is_monotonic, sums.sum.aggregation_temporality = "made", "1", True, 2
    histograms.name, histograms.histogram.aggregation_temporality = "lasted", 1
    for sequence in sequences:
        data = sums.sum if sequence % 2 == 0 else histograms.histogram
        point = data.data_points.add()
        point.time_unix_nano = generation.time(rng)
        point.start_time_unix_nano = point.time_unix_nano - HOUR
        attribute(point.attributes, "client", client)
        attribute(point.attributes, "slot", sequence % 5)
        if sequence % 2 == 0:
            point.as_int = sequence
        else:
            point.sum = float(sequence)
            point.explicit_bounds.extend([1.0, 10.0])
            point.bucket_counts.extend([rng.randrange(9), sequence, 1])
            point.count = sum(point.bucket_counts)
        if sequence % 4 == 0:
            exemplar = point.exemplars.add()
            exemplar.time_unix_nano = generation.time(rng)
            exemplar.as_double = rng.random()
            exemplar.trace_id, exemplar.span_id = rng.randbytes(16), rng.randbytes(8)
            number_record(exemplar.filtered_attributes, client, sequence)
    # A metric without points is no record.
    for at in (1, 0):
        if not getattr(metrics[at], metrics[at].WhichOneof("data")).data_points:
            del metrics[at]


def key(table, row):
    """Client, sequence and position that a row carries; None for a row that nobody can have sent."""
    attributes = row["attributes"]
    client, sequence = attributes.get("client"), attributes.get("sequence")
    if table == "metrics":
        sequence = f"i:{row['value_int']}"
        if row["type"] == "histogram":
            sequence = f"i:{int(struct.unpack('>d', bytes.fromhex(row['sum'][2:]))[0])}"
    position = row.get("event_ordinal", row.get("link_ordinal", 0))
    return (client, sequence, position)


@dataclass(eq=False)
class Sent:
    """A request: who sent it when, its bytes, and whether it was acknowledged."""

    # Rows of the requests asked for last: each life is compared several times.
    LAST: ClassVar[dict] = {}

    signal: str
    client: int
    generation: Generation
    body: bytes
    acknowledged: bool = False

    def rows(self):
        """The rows by table that SQL must return."""
        if self not in Sent.LAST:
            if len(Sent.LAST) > 5_000:
                Sent.LAST.clear()
            Sent.LAST[self] = rows(self.signal, self.body)
        return Sent.LAST[self]


class Refused(Exception):
    """The server asked to come back."""


class Writer:
    """Sends requests of one signal over one protocol, and remembers all of them."""

    def __init__(self, client, signal, protocol, server, rng):
        self.client, self.signal, self.protocol = client, signal, protocol
        self.server, self.rng = server, rng
        self.next, self.sent, self.records = 0, [], 0
        self.refusals, self.complaints = 0, []
        # A control may change bytes on their way.
        self.tamper = lambda body, is_resend: body

    def connect(self):
        """A function that sends one body, and the thing to close afterwards."""
        if self.protocol == "grpc":
            channel = grpc.insecure_channel(f"127.0.0.1:{self.server.grpc_port}")
            call = channel.unary_unary(METHODS[self.signal])
            return lambda body: self.by_grpc(call, body), channel
        link = http.client.HTTPConnection("127.0.0.1", self.server.http_port, timeout=20)
        return lambda body: self.by_http(link, body), link

    def by_grpc(self, call, body):
        try:
            answer = call(body, timeout=20)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise Refused from error
            if error.code() not in RETRIED_CODE:
                self.complaints.append(f"client {self.client}: no client retries {error.code()} {error.details()}")
            raise ConnectionError from error
        self.must_be_whole(answer)

    def by_http(self, link, body):
        path = f"/v1/{self.signal}"
        link.request("POST", path, body, {"content-type": "application/x-protobuf"})
        answer = link.getresponse()
        text = answer.read()
        if answer.status in RETRIED_STATUS:
            raise Refused
        if answer.status != 200:
            self.complaints.append(f"client {self.client}: no client retries {answer.status} {text[:200]!r}")
            raise ConnectionError
        self.must_be_whole(text)

    def must_be_whole(self, answer):
        """An OK without a partial success is an empty message."""
        if answer != b"":
            self.complaints.append(f"client {self.client}: partial success {answer!r}")

    def unanswered(self):
        return [request for request in self.sent if not request.acknowledged]

    def to_resend(self, since):
        """All requests without an answer, and half of the last twenty answered ones of generation `since` and later."""
        answered = [request for request in self.sent if request.acknowledged and request.generation.number >= since]
        return self.unanswered() + [request for request in answered[-20:] if self.rng.random() < 0.5]

    def resend(self, send, requests):
        for request in requests:
            send(self.tamper(request.body, True))
            request.acknowledged = True

    def run(self, stop, generation, again):
        """Sends `again` and then new requests, until `stop` is set or the server is gone."""
        send, closing = self.connect()
        try:
            self.resend(send, again)
            while not stop.is_set():
                self.send_new(send, generation)
                # Leaves the processors to the server, and varies how requests meet in one group commit.
                time.sleep(self.rng.random() * 0.02)
        except Refused:
            self.refusals += 1
        except (ConnectionError, OSError, http.client.HTTPException):
            pass
        finally:
            closing.close()

    def send_new(self, send, generation):
        count = self.rng.randrange(1, 25)
        body = build(self.signal, self.client, self.next, count, generation, self.rng)
        request = Sent(self.signal, self.client, generation, body)
        self.next += count
        self.records += count
        self.sent.append(request)
        send(self.tamper(body, False))
        request.acknowledged = True


def writers(server, seed):
    """Two clients a signal, one over gRPC and one over HTTP."""
    pairs = [(signal, protocol) for signal in METHODS for protocol in ("grpc", "http")]
    return [Writer(client, *pair, server, random.Random(f"{seed} {client}")) for client, pair in enumerate(pairs)]
