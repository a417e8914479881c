"""Sockets by hand: HTTP/1 as bytes, HTTP/2 as frames, and what clients that behave cannot be made to send."""

import http.client
import socket
import struct
import time

import grpc
import hpack

LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
FRAME_BYTES = 16_384


def connect(port, source=None, timeout=20):
    """A socket; `source` is the loopback address it comes from."""
    link = socket.socket()
    link.settimeout(timeout)
    if source:
        link.bind((source, 0))
    link.connect(("127.0.0.1", port))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


def read_all(link, seconds):
    """What comes until the peer closes or `seconds` are over: the bytes, and whether it closed."""
    link_bytes, deadline = b"", time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        link.settimeout(left)
        try:
            piece = link.recv(1 << 16)
        except TimeoutError:
            break
        except OSError:
            return link_bytes, True
        if not piece:
            return link_bytes, True
        link_bytes += piece
    return link_bytes, False


def raw(port, request, seconds=5, source=None):
    """Sends bytes; what comes back, and whether the server closed."""
    with connect(port, source) as link:
        try:
            link.sendall(request)
        except OSError:
            pass  # It closed while we wrote: the answer may be there all the same.
        return read_all(link, seconds)


def reset(link):
    """Closes with a reset, as a process that dies does."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.close()


def statuses(answer):
    """The status of every HTTP/1 answer in what came back."""
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:] if part[:3].isdigit()]


class Reply:
    """How an export ended: `code` is the HTTP status or the gRPC code."""

    def __init__(self, code, body, headers=(), is_retryable=False):
        self.code, self.body, self.headers, self.is_retryable = code, body, dict(headers), is_retryable


def export_http(server, body, key=None, encoding=None, signal="logs", timeout=120):
    """One export over OTLP/HTTP."""
    link = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=timeout)
    headers = {"content-type": "application/x-protobuf"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    if encoding:
        headers["content-encoding"] = encoding
    try:
        try:
            link.request("POST", f"/v1/{signal}", body, headers)
        except OSError:
            pass  # Refused before it was sent whole: the answer is there.
        answer = link.getresponse()
        text = answer.read()
        return Reply(answer.status, text, answer.getheaders(), answer.getheader("retry-after") is not None)
    finally:
        link.close()


def export_grpc(server, body, key=None, encoding=None, timeout=120):
    """One export over OTLP/gRPC; a compressed message is framed by hand."""
    if encoding:
        return export_frames(server, b"\x01" + struct.pack(">I", len(body)) + body, key, encoding, timeout)
    options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    metadata = [("authorization", f"Bearer {key}")] if key else []
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}", options) as channel:
        call = channel.unary_unary(LOGS)
        try:
            return Reply(0, call(body, timeout=timeout, metadata=metadata))
        except grpc.RpcError as error:
            details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
            return Reply(error.code().value[0], error.details().encode(), (), b"google.rpc.RetryInfo" in details)


def export_frames(server, message, key, encoding, timeout):
    """A gRPC call by hand, message frame included."""
    with Link(server.grpc_port) as link:
        extra = [("grpc-encoding", encoding)] if encoding else []
        if key:
            extra.append(("authorization", f"Bearer {key}"))
        link.headers(1, LOGS, extra)
        link.body(1, message, timeout)
        headers, _ = link.answer(1, timeout)
        code = int(headers.get("grpc-status", -1))
        import base64

        details = headers.get("grpc-status-details-bin", "")
        details = base64.b64decode(details + "=" * (-len(details) % 4))
        return Reply(code, headers.get("grpc-message", "").encode(), headers, b"google.rpc.RetryInfo" in details)


class Link:
    """An HTTP/2 connection of single frames."""

    def __init__(self, port, source=None, settings=b"", is_greeting=True, buffer=None):
        self.socket = connect(port, source)
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.pending, self.is_closed = b"", False
        self.windows = {0: 65_535}
        self.initial_window = 65_535
        if is_greeting:
            self.socket.sendall(PREFACE + self.frame(SETTINGS, 0, 0, settings))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    @staticmethod
    def frame(kind, flags, stream, payload=b""):
        return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload

    def send(self, data):
        """False once the server has closed."""
        try:
            self.socket.sendall(data)
        except OSError:
            self.is_closed = True
        return not self.is_closed

    def head(self, path, extra=(), method="POST", content_type="application/grpc"):
        fields = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "localhost")]
        fields += [("content-type", content_type), ("te", "trailers"), *extra]
        return self.encoder.encode(fields, huffman=False)

    def headers(self, stream, path, extra=(), flags=END_HEADERS, **more):
        return self.send(self.frame(HEADERS, flags, stream, self.head(path, extra, **more)))

    def body(self, stream, message, seconds):
        """All of a message within the windows that the server gives; ends the stream."""
        self.windows.setdefault(stream, self.initial_window)
        deadline, at = time.monotonic() + seconds, 0
        while at < len(message) and time.monotonic() < deadline and not self.is_closed:
            room = min(self.windows[0], self.windows[stream], FRAME_BYTES, len(message) - at)
            if room <= 0:
                if not self.note(self.read(1)):
                    return
                continue
            self.send(self.frame(DATA, 0, stream, message[at : at + room]))
            at += room
            self.windows[0] -= room
            self.windows[stream] -= room
        self.send(self.frame(DATA, END_STREAM, stream))

    def note(self, frames):
        """Takes windows and settings to heart; `False` when the stream need not go on."""
        goes_on = True
        for kind, flags, stream, payload in frames:
            if kind == WINDOW_UPDATE:
                self.windows[stream] = self.windows.get(stream, self.initial_window) + struct.unpack(">I", payload)[0]
            elif kind == SETTINGS and not flags & ACK:
                for at in range(0, len(payload), 6):
                    name, value = struct.unpack(">HI", payload[at : at + 6])
                    if name == 4:
                        for known in self.windows:
                            self.windows[known] += value - self.initial_window if known else 0
                        self.initial_window = value
            elif kind in (HEADERS, RST_STREAM, GOAWAY):
                self.kept = getattr(self, "kept", []) + [(kind, flags, stream, payload)]
                goes_on = False
        return goes_on and not self.is_closed

    def read(self, seconds):
        """The frames that come within `seconds`; returns at the first that do."""
        deadline, frames = time.monotonic() + seconds, []
        while not frames and not self.is_closed and (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                piece = self.socket.recv(1 << 18)
            except TimeoutError:
                break
            except OSError:
                piece = b""
            self.is_closed = not piece
            self.pending += piece
            while len(self.pending) >= 9:
                length = int.from_bytes(self.pending[:3], "big")
                if len(self.pending) < 9 + length:
                    break
                kind, flags = self.pending[3], self.pending[4]
                stream = int.from_bytes(self.pending[5:9], "big") & 0x7FFFFFFF
                frames.append((kind, flags, stream, self.pending[9 : 9 + length]))
                if kind == SETTINGS and not flags & ACK:
                    # The server's larger windows count for it from here on.
                    self.send(self.frame(SETTINGS, ACK, 0))
                self.pending = self.pending[9 + length :]
        return frames

    def collect(self, seconds):
        """All frames until the server closes, says GOAWAY, or `seconds` are over."""
        deadline, frames = time.monotonic() + seconds, getattr(self, "kept", [])
        self.kept = []
        while not self.is_closed and (left := deadline - time.monotonic()) > 0:
            frames += self.read(left)
            if any(kind == GOAWAY for kind, *_ in frames):
                break
        return frames

    def answer(self, stream, seconds):
        """Headers (trailers included) and body of one answer."""
        headers, body, deadline = {}, b"", time.monotonic() + seconds
        frames = getattr(self, "kept", [])
        while True:
            for kind, flags, of_stream, payload in frames:
                if kind == HEADERS and of_stream == stream:
                    headers.update({str(name): str(value) for name, value in self.decoder.decode(payload)})
                elif kind == DATA and of_stream == stream:
                    body += payload
                elif kind == RST_STREAM and of_stream == stream:
                    headers.setdefault("reset", str(int.from_bytes(payload, "big")))
                elif kind == GOAWAY:
                    headers.setdefault("goaway", str(int.from_bytes(payload[4:8], "big")))
                if of_stream == stream and flags & END_STREAM and kind in (HEADERS, DATA) or "reset" in headers or "goaway" in headers:
                    return headers, body
            if self.is_closed or time.monotonic() > deadline:
                return headers, body
            frames = self.read(max(0.01, deadline - time.monotonic()))


def goaway(frames):
    """The code of the GOAWAY among frames, if there is one."""
    for kind, _, _, payload in frames:
        if kind == GOAWAY:
            return int.from_bytes(payload[4:8], "big")
    return None
