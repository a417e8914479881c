"""Seeded requests of all signals with good and bad records, and what must become of each record.

The expectation is worked out when a record is made, from `docs/configuration.md` and the OTLP specification; nothing of Cairn takes
part. Each record has a flaw or none; records carry the name of their client (`service.name`) and a number of their own.
"""

import time
from collections import Counter
from dataclasses import dataclass, field

from otlp_json import from_protobuf
from otlp_rows import REQUESTS

# The limits that the server is started with, small enough that records beyond them are cheap.
MAX_VALUE_BYTES = 2_048
MAX_ATTRIBUTES = 24
MAX_AGE_SECONDS = 86_400
LIMITS = [
    f"ingest.max_value_bytes={MAX_VALUE_BYTES}",
    f"ingest.max_attributes={MAX_ATTRIBUTES}",
    f"ingest.max_age_seconds={MAX_AGE_SECONDS}",
]

# What the records of these reasons become once the limits are raised.
MENDED = {"too_large", "too_many_attributes", "too_old"}

SECOND = 1_000_000_000
SIGNALS = {"logs": "logs", "metrics": "metrics", "traces": "spans"}
FLAWS = ["too_deep", "time_out_of_range", "too_old", "too_far_ahead", "too_many_attributes", "too_large", "malformed"]


@dataclass(eq=False)
class Request:
    """A request as it is sent, and what becomes of its records."""

    tenant: str
    signal: str
    client: str
    is_json: bool
    body: bytes
    stored: int = 0
    letters: Counter = field(default_factory=Counter)

    @property
    def offered(self):
        return self.stored + sum(self.letters.values())

    @property
    def table(self):
        return SIGNALS[self.signal]


class Maker:
    """Makes the requests of one client, with numbers that no other of its requests has."""

    def __init__(self, client, tenants, is_json, rng, first):
        self.client, self.tenants, self.is_json, self.rng, self.next = client, tenants, is_json, rng, first

    def request(self, most):
        """A request of up to `most` records; every third has bad ones among them."""
        rng = self.rng
        signal = rng.choice(list(SIGNALS))
        made = Request(rng.choice(self.tenants), signal, self.client, self.is_json, b"")
        message = REQUESTS[signal]()
        group = getattr(message, {"logs": "resource_logs", "metrics": "resource_metrics", "traces": "resource_spans"}[signal])
        group = group.add()
        text(group.resource.attributes, "service.name", self.client)
        share = rng.choice([0, 0, 0.1])
        flaws = [self.flaw(signal) if rng.random() < share else None for _ in range(rng.randrange(1, most + 1))]
        add = {"logs": self.add_logs, "metrics": self.add_metrics, "traces": self.add_spans}[signal]
        add(group, flaws)
        made.letters = Counter(flaw for flaw in flaws if flaw)
        made.stored = len(flaws) - sum(made.letters.values())
        made.body = from_protobuf(message) if self.is_json else message.SerializeToString()
        return made

    def flaw(self, signal):
        """A reason to be refused for, which the encoding can express."""
        flaws = FLAWS + ["incomplete"] if signal == "metrics" else FLAWS
        flaw = self.rng.choice(flaws)
        return "too_old" if flaw == "malformed" and self.is_json else flaw

    def number(self):
        self.next += 1
        return self.next

    def time(self, flaw):
        now = time.time_ns()
        if flaw == "time_out_of_range":
            return 2**64 - 1 - self.rng.randrange(1000)
        if flaw == "too_old":
            return now - (MAX_AGE_SECONDS + 3_600) * SECOND
        if flaw == "too_far_ahead":
            return now + 3 * 86_400 * SECOND
        return now - self.rng.randrange(1_800 * SECOND)

    def attributes(self, entries, flaw):
        if flaw == "too_large":
            text(entries, "long", "x" * (MAX_VALUE_BYTES + 1 + self.rng.randrange(500)))
        if flaw == "too_many_attributes":
            for at in range(MAX_ATTRIBUTES + 1):
                text(entries, f"k{at}", "v")
        if flaw == "too_deep":
            value = entries.add(key="deep").value
            for _ in range(65):
                value = value.array_value.values.add()
            value.string_value = "x"

    def add_logs(self, group, flaws):
        records = group.scope_logs.add().log_records
        for flaw in flaws:
            record = records.add(time_unix_nano=self.time(flaw), severity_number=self.rng.randrange(25))
            record.body.string_value = "something happened"
            integer(record.attributes, "n", self.number())
            self.attributes(record.attributes, flaw)
            if flaw == "malformed":
                # A varint where the time is a fixed-width number.
                record.MergeFromString(b"\x08\x01")

    def add_spans(self, group, flaws):
        spans = group.scope_spans.add().spans
        for flaw in flaws:
            at = self.time(flaw)
            span = spans.add(name="step", start_time_unix_nano=at, end_time_unix_nano=at)
            span.trace_id, span.span_id = self.rng.randbytes(16), self.rng.randbytes(8)
            integer(span.attributes, "n", self.number())
            self.attributes(span.attributes, flaw)
            if flaw == "malformed":
                span.MergeFromString(b"\x08\x01")

    def add_metrics(self, group, flaws):
        """Gauges; a point's number is its value, so that there are few series."""
        metrics = group.scope_metrics.add().metrics
        named, nameless = metrics.add(name="level"), None
        for flaw in flaws:
            metric = named
            if flaw == "incomplete":
                nameless = metric = nameless or metrics.add()
            point = metric.gauge.data_points.add(time_unix_nano=self.time(flaw), as_int=self.number())
            self.attributes(point.attributes, flaw)
            if flaw == "malformed":
                point.MergeFromString(b"\x18\x01")
        if not named.gauge.data_points:
            del metrics[0]


def text(entries, key, value):
    entries.add(key=key).value.string_value = value


def integer(entries, key, value):
    entries.add(key=key).value.int_value = value
