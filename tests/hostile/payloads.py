"""OTLP logs as bytes, made by hand where no client would make them: sizes to the byte, depths, bombs, lengths that lie."""

import struct
import time
import zlib

import pyarrow

MIB = 1 << 20
REQUEST_BYTES = 64 * MIB


def varint(number):
    made = bytearray()
    while number > 127:
        made.append(number & 127 | 128)
        number >>= 7
    made.append(number)
    return bytes(made)


def field(number, content):
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def fixed64(number, value):
    return varint(number << 3 | 1) + struct.pack("<Q", value)


def text(value):
    """An AnyValue with a string."""
    return field(1, value if isinstance(value, bytes) else value.encode())


def key_value(key, value):
    return field(1, key.encode()) + field(2, value)


def record(body, attributes=(), nanos=None, parts=b""):
    """A LogRecord; `attributes` are encoded KeyValues."""
    nanos = time.time_ns() if nanos is None else nanos
    return fixed64(1, nanos) + field(5, text(body)) + b"".join(field(6, entry) for entry in attributes) + parts


def logs(records, service="limits"):
    """An ExportLogsServiceRequest with encoded records in one scope."""
    resource = field(1, field(1, key_value("service.name", text(service))))
    scope = b"".join(field(2, each) for each in records)
    return field(1, resource + field(2, scope))


def sized(length, name):
    """A request of exactly `length` bytes with one record: the rest is a field that nobody knows."""
    made = logs([record(f"sized {name}")])
    for header in range(3, 8):
        rest = length - len(made) - header
        filler = field(1_000, bytes(rest))
        if len(made) + len(filler) == length:
            return made + filler
    raise AssertionError(f"no request of {length} bytes")


def nested(levels, kind):
    """An AnyValue of `levels` arrays, or maps, within each other around a text."""
    heads, length = [], len(text("x"))
    for _ in range(levels):
        if kind == "array":
            # AnyValue.array_value (5) of ArrayValue.values (1).
            parts = [(1, b"")]
        else:
            # AnyValue.kvlist_value (6) of KeyValueList.values (1) of a KeyValue with key "k" and a value (2).
            parts = [(2, field(1, b"k")), (1, b"")]
        for number, before in parts:
            head = before + varint(number << 3 | 2) + varint(length)
            heads.append(head)
            length += len(head)
        head = varint((5 if kind == "array" else 6) << 3 | 2) + varint(length)
        heads.append(head)
        length += len(head)
    return b"".join(reversed(heads)) + text("x")


def gzip(content, level=1):
    packer = zlib.compressobj(level, zlib.DEFLATED, 31)
    return packer.compress(content) + packer.flush()


def zstd(content):
    return pyarrow.compress(content, codec="zstd", asbytes=True)


def bomb(pack, gib):
    """Zeros, `gib` GiB of them in members of 64 MiB."""
    return pack(bytes(64 * MIB)) * (gib * 16)


def zstd_runs(gib):
    """A zstd frame of blocks that each say "128 KiB of this byte": four bytes make 131,072."""
    block = struct.pack("<I", (131_072 << 3) | (1 << 1))[:3] + b"\0"
    blocks = gib << 13
    return struct.pack("<IBB", 0xFD2FB528, 0, (20 - 10) << 3) + block * (blocks - 1) + struct.pack("<I", (131_072 << 3) | 2 | 1)[:3] + b"\0"


def zstd_window(log, content):
    """A frame whose header asks for a window of 2^log bytes."""
    head = struct.pack("<IBB", 0xFD2FB528, 0, (log - 10) << 3)
    return head + struct.pack("<I", len(content) << 3 | 1)[:3] + content
