"""A relay between an SDK and the server that keeps every byte the SDK sent, and the OTLP requests in these bytes.

The bytes go on untouched, so the server sees the SDK's own HTTP/2 frames, compression and chunks; what they say is worked out
afterwards (`requests`).
"""

import gzip
import io
import socket
import threading
import zlib

import hpack
from otlp_json import to_protobuf

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

# The end of a gRPC or HTTP path, by signal.
SIGNALS = {
    "LogsService/Export": "logs",
    "MetricsService/Export": "metrics",
    "TraceService/Export": "traces",
    "/v1/logs": "logs",
    "/v1/metrics": "metrics",
    "/v1/traces": "traces",
}

DATA, HEADERS, CONTINUATION = 0, 1, 9
END_STREAM, END_HEADERS, PADDED, PRIORITY = 1, 4, 8, 32


class Tee:
    """Listens on a free port and relays each connection to `target_port`, all on 127.0.0.1."""

    def __init__(self, target_port):
        self.target_port = target_port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target_port))
            kept = bytearray()
            self.connections.append(kept)
            threading.Thread(target=relay, args=(client, server, kept), daemon=True).start()
            threading.Thread(target=self.way_back(), args=(server, client, None), daemon=True).start()

    def way_back(self):
        """What carries the answers of the newest connection."""
        return relay

    def close(self):
        self.listener.close()

    def requests(self):
        """The requests of all connections: (signal, protobuf bytes, how it was sent). Equal ones, which are retries, once.

        JSON is turned into protobuf by protobuf's own library.
        """
        found = {}
        for kept in self.connections:
            raw = bytes(kept)
            of_connection = http2_requests(raw) if raw.startswith(PREFACE) else http1_requests(raw)
            for signal, body, how in of_connection:
                found[signal, body] = how
        return [(signal, body, how) for (signal, body), how in found.items()]


def relay(source, sink, kept):
    """Copies until the end of `source`, into `kept` too where there is one."""
    try:
        while piece := source.recv(65536):
            if kept is not None:
                kept.extend(piece)
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for each in (source, sink):
            each.close()


def signal_of(path):
    """The signal of a path; an unknown one is an error, since a request would be missed."""
    return next(signal for end, signal in SIGNALS.items() if path.endswith(end))


def unpacked(body, encoding):
    """A body without its compression."""
    if encoding == "gzip":
        return gzip.decompress(body)
    if encoding == "deflate":
        return zlib.decompress(body)
    if encoding in (None, "", "identity"):
        return body
    raise ValueError(f"a body is packed with {encoding}")


def http1_requests(raw):
    """Requests on a connection of HTTP/1.1."""
    stream = io.BytesIO(raw)
    while line := stream.readline():
        _, path, _ = line.decode().split(" ", 2)
        headers = {}
        while (line := stream.readline().strip()) != b"":
            name, value = line.decode().split(":", 1)
            headers[name.strip().lower()] = value.strip()
        body = http1_body(stream, headers)
        encoding = headers.get("content-encoding")
        signal, body = signal_of(path), unpacked(body, encoding)
        if headers.get("content-type", "").startswith("application/json"):
            yield signal, to_protobuf(signal, body), f"http/json {encoding or 'plain'}"
        else:
            yield signal, body, f"http {encoding or 'plain'}"


def http1_body(stream, headers):
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return stream.read(int(headers.get("content-length", 0)))
    body = b""
    while size := int(stream.readline().split(b";")[0], 16):
        body += stream.read(size)
        stream.readline()
    while stream.readline().strip():
        pass
    return body


def frames(raw):
    """Frames of HTTP/2 (RFC 9113, section 4.1): type, flags, stream, payload without padding."""
    at = len(PREFACE)
    while at + 9 <= len(raw):
        length = int.from_bytes(raw[at : at + 3], "big")
        kind, flags = raw[at + 3], raw[at + 4]
        stream = int.from_bytes(raw[at + 5 : at + 9], "big") & 0x7FFFFFFF
        payload = raw[at + 9 : at + 9 + length]
        if kind in (DATA, HEADERS) and flags & PADDED:
            payload = payload[1 : len(payload) - payload[0]]
        if kind == HEADERS and flags & PRIORITY:
            payload = payload[5:]
        yield kind, flags, stream, payload
        at += 9 + length


def http2_requests(raw):
    """gRPC calls on a connection of HTTP/2."""
    decoder = hpack.Decoder()
    heads, bodies, block = {}, {}, b""
    for kind, flags, stream, payload in frames(raw):
        if kind in (HEADERS, CONTINUATION):
            block += payload
            if flags & END_HEADERS:
                heads.setdefault(stream, {}).update(decoder.decode(block))
                block = b""
        if kind == DATA:
            bodies[stream] = bodies.get(stream, b"") + payload
    for stream, body in bodies.items():
        packed, length = body[0], int.from_bytes(body[1:5], "big")
        assert len(body) == 5 + length, "one message a call"
        encoding = heads[stream].get("grpc-encoding") if packed else None
        yield signal_of(heads[stream][":path"]), unpacked(body[5:], encoding), f"grpc {encoding or 'plain'}"
