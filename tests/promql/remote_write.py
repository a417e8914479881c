"""Prometheus' remote write by hand: series as the messages of 1.0 and 2.0, in snappy's block format.

Field numbers are those of prometheus/prometheus `prompb/remote.proto`, `prompb/types.proto` and `io/prometheus/write/v2`.
"""

import struct
from dataclasses import dataclass, field, replace

V1 = ("prometheus.WriteRequest", "0.1.0")
V2 = ("io.prometheus.write.v2.Request", "2.0.0")

# The value that says that a series ended: a NaN of these bits.
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0_0000_0000_0002))[0]
STALE_BYTES = struct.pack("<Q", 0x7FF0_0000_0000_0002)

# Of both versions, by name; what is not here is unknown.
TYPES = {"counter": 1, "gauge": 2, "histogram": 3, "gaugehistogram": 4, "summary": 5, "info": 6, "stateset": 7}

# A schema that says that the bounds are the histogram's own.
CUSTOM = -53


@dataclass
class Histogram:
    """A native histogram: buckets by index, whole numbers unless `is_float`."""

    schema: int = 0
    sum: float = 0.0
    count: float = 0
    zero_threshold: float = 0.0
    zero_count: float = 0
    positive: dict = field(default_factory=dict)
    negative: dict = field(default_factory=dict)
    bounds: tuple = ()
    is_float: bool = False
    # 0 unknown, 1 reset, 2 none, 3 gauge.
    hint: int = 0
    is_stale: bool = False

    def copy(self, **changes):
        return replace(self, positive=dict(self.positive), negative=dict(self.negative), **changes)


@dataclass
class Exemplar:
    labels: dict
    value: float
    ms: int


@dataclass
class Series:
    """One series with its points, `(milliseconds, double or Histogram)` by time; `None` as a value is a stale marker."""

    labels: dict
    kind: str
    points: list
    exemplars: list = field(default_factory=list)
    help: str = ""
    unit: str = ""
    family: str = ""

    def name(self):
        return self.labels["__name__"]


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def signed(number):
    """A number of a field of type int64."""
    return varint(number & 0xFFFF_FFFF_FFFF_FFFF)


def zigzag(number):
    """A number of a field of type sint32 or sint64."""
    return varint(number << 1 if number >= 0 else (-number << 1) - 1)


def nested(number, body):
    """A field with a length: a message, text, a packed list."""
    return varint(number << 3 | 2) + varint(len(body)) + body


def text(number, value):
    return nested(number, value.encode()) if value else b""


def double(number, value):
    return varint(number << 3 | 1) + (STALE_BYTES if value is None else struct.pack("<d", value))


def integer(number, value):
    return varint(number << 3) + value


def snappy(raw):
    """Snappy's block format with literals alone, which is valid and not small."""
    out = [varint(len(raw))]
    for at in range(0, len(raw), 65_536):
        piece = raw[at : at + 65_536]
        out += [bytes([61 << 2]) + struct.pack("<H", len(piece) - 1), piece]
    return b"".join(out)


def spans(buckets):
    """The spans of sparse buckets and their counts in order."""
    out, counts, after = [], [], None
    for index in sorted(buckets):
        counts.append(buckets[index])
        if after is not None and index == after:
            out[-1][1] += 1
        else:
            out.append([index if after is None else index - after, 1])
        after = index + 1
    return out, counts


def side(histogram, buckets, numbers):
    """The fields of the buckets of one side: spans, deltas of whole numbers, doubles."""
    of_spans, of_deltas, of_counts = numbers
    found, counts = spans(buckets)
    body = b"".join(nested(of_spans, integer(1, zigzag(offset)) + integer(2, varint(length))) for offset, length in found)
    if not counts:
        return body
    if histogram.is_float:
        return body + nested(of_counts, b"".join(struct.pack("<d", count) for count in counts))
    deltas = [now - before for before, now in zip([0, *counts], counts)]
    return body + nested(of_deltas, b"".join(zigzag(delta) for delta in deltas))


def histogram_message(ms, histogram):
    if histogram.is_float:
        counts = double(2, float(histogram.count)), double(7, float(histogram.zero_count))
    else:
        counts = integer(1, varint(histogram.count)), integer(6, varint(histogram.zero_count))
    body = counts[0] + double(3, None if histogram.is_stale else histogram.sum)
    body += integer(4, zigzag(histogram.schema)) + double(5, histogram.zero_threshold) + counts[1]
    body += side(histogram, histogram.negative, (8, 9, 10)) + side(histogram, histogram.positive, (11, 12, 13))
    body += integer(14, varint(histogram.hint)) + integer(15, signed(ms))
    if histogram.bounds:
        body += nested(16, b"".join(struct.pack("<d", bound) for bound in histogram.bounds))
    return body


def message_v1(series):
    """A `prometheus.WriteRequest`."""
    out, metadata = [], {}
    for each in series:
        body = label_list(each.labels)
        exemplars = b"".join(
            nested(3, label_list(one.labels) + double(2, one.value) + integer(3, signed(one.ms))) for one in each.exemplars
        )
        out.append(nested(1, body + points(each, (2, 4)) + exemplars))
        metadata[each.family or each.name()] = each
    for family, each in metadata.items():
        kind = integer(1, varint(TYPES.get(each.kind, 0)))
        out.append(nested(3, kind + text(2, family) + text(4, each.help) + text(5, each.unit)))
    return b"".join(out)


def label_list(labels):
    """Labels in the order of their names."""
    return b"".join(nested(1, text(1, name) + text(2, value)) for name, value in sorted_labels(labels))


def sorted_labels(labels):
    return sorted(labels.items(), key=lambda pair: pair[0].encode())


def points(series, numbers):
    """Samples and histograms; `numbers` are the numbers of their fields."""
    of_samples, of_histograms = numbers
    out = []
    for ms, value in series.points:
        if isinstance(value, Histogram):
            out.append(nested(of_histograms, histogram_message(ms, value)))
        else:
            out.append(nested(of_samples, double(1, value) + integer(2, signed(ms))))
    return b"".join(out)


def message_v2(series):
    """An `io.prometheus.write.v2.Request`."""
    symbols = {"": 0}

    def symbol(value):
        return symbols.setdefault(value, len(symbols))

    def references(number, labels):
        pairs = [symbol(each) for pair in sorted_labels(labels) for each in pair]
        return nested(number, b"".join(varint(each) for each in pairs))

    out = []
    for each in series:
        exemplars = b"".join(
            nested(4, references(1, one.labels) + double(2, one.value) + integer(3, signed(one.ms))) for one in each.exemplars
        )
        metadata = integer(1, varint(TYPES.get(each.kind, 0)))
        metadata += integer(3, varint(symbol(each.help))) + integer(4, varint(symbol(each.unit)))
        out.append(nested(5, references(1, each.labels) + points(each, (2, 3)) + exemplars + nested(5, metadata)))
    table = b"".join(nested(4, symbol.encode()) for symbol in symbols)
    return table + b"".join(out)


def send(api, series, version):
    """Sends series by one request."""
    message = message_v1(series) if version is V1 else message_v2(series)
    return api.write(snappy(message), *version)
