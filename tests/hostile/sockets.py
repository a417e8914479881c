"""Sockets made to hurt: slow ones, many of them, HTTP/2 floods, smuggled requests, garbage."""

import http.client
import random
import resource
import select
import socket
import struct
import threading
import time

from payloads import logs, record
from wires import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    LOGS,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Link,
    connect,
    export_http,
    goaway,
    raw,
    read_all,
    reset,
    statuses,
)

MIB = 1 << 20

# Attacks come from another address than the client beside, which has to keep its connections.
ATTACKER = "127.0.0.2"

# What a time limit may be late by: it is looked at once a second, and the machine may be busy.
LATE_SECONDS = 4

ENHANCE_YOUR_CALM, REFUSED_STREAM, PROTOCOL_ERROR = 11, 7, 1


def ports(server):
    return {"gRPC": server.grpc_port, "HTTP": server.http_port, "API": server.api_port}


def head(run, length=None, path="/v1/logs", extra=""):
    """The head of an export over HTTP/1."""
    lines = f"POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {run.key}\r\ncontent-type: application/x-protobuf\r\n{extra}"
    return (lines + (f"content-length: {length}\r\n" if length is not None else "") + "\r\n").encode()


def grpc_frame(server, key, length):
    """The answer to a gRPC frame that declares `length` bytes and has none."""
    with Link(server.grpc_port, ATTACKER) as link:
        link.headers(1, LOGS, [("authorization", f"Bearer {key}")])
        link.send(link.frame(DATA, 0, 1, b"\0" + struct.pack(">I", length)))
        return link.answer(1, 20)[0]


def timed(run, what, work, least, most):
    """`work` ends between `least` and `most` seconds (and what a time limit may be late by); its result."""
    started = time.monotonic()
    result = work()
    took = time.monotonic() - started
    is_in_time = least - 0.1 <= took <= most + LATE_SECONDS
    run.checks.hold(f"{what} ends after {took:.1f} s", is_in_time, f"wanted {least} to {most} s")
    return result


def drip(link, first, piece, seconds):
    """Sends `piece` again and again, slowly, until the server closes; what it said."""
    link.sendall(first)
    deadline, answer = time.monotonic() + seconds, b""
    while time.monotonic() < deadline:
        readable, _, _ = select.select([link], [], [], 0.3)
        if readable:
            try:
                got = link.recv(1 << 16)
            except OSError:
                return answer, True
            if not got:
                return answer, True
            answer += got
            continue
        try:
            link.sendall(piece)
        except OSError:
            return answer, True
    return answer, False


def slow(run):
    """Heads, bodies and readers that take their time; each is cut when its time is over, and not before."""
    together = []

    def case(work, *arguments):
        thread = threading.Thread(target=work, args=(run, *arguments))
        thread.start()
        together.append(thread)

    for name, port in ports(run.server).items():
        for what, first, piece in (
            ("silence", b"", b""),
            ("a head that drips", b"POST /v1/logs HTTP/1.1\r\nx: ", b"x"),
            ("a preface that drips", PREFACE[:10], b""),
            ("a preface and nothing", PREFACE + Link.frame(SETTINGS, 0, 0), b""),
            ("a preface and pings", PREFACE + Link.frame(SETTINGS, 0, 0), Link.frame(PING, 0, 0, bytes(8))),
        ):
            case(slow_head, f"{what}, {name}", port, first, piece)
    case(slow_body_http)
    case(slow_body_http2)
    case(slow_body_grpc)
    case(idle)
    case(idle_http2)
    case(slow_reader)
    case(slow_reader_http2)
    case(quick_enough)
    for thread in together:
        thread.join()


def slow_head(run, what, port, first, piece):
    def work():
        with connect(port, ATTACKER) as link:
            return drip(link, first, piece, 20)

    _, closed = timed(run, what, work, 2, 2)
    run.checks.expect(f"{what}: the server closes", closed, True)


def slow_body_http(run):
    def work():
        with connect(run.server.http_port, ATTACKER) as link:
            return drip(link, head(run, 1_000), b"x", 20)

    answer, closed = timed(run, "a body that drips, HTTP", work, 3, 3)
    first = answer.split(b"\r\n")[0]
    run.checks.expect("a body that drips, HTTP", (first, b"retry-after" in answer.lower(), closed), (b"HTTP/1.1 503 Service Unavailable", True, True))


def slow_body_http2(run):
    def work():
        with Link(run.server.http_port, ATTACKER) as link:
            link.headers(1, "/v1/logs", [("authorization", f"Bearer {run.key}")], content_type="application/x-protobuf")
            for _ in range(12):
                link.send(link.frame(DATA, 0, 1, b"x"))
                time.sleep(0.2)
            return link.answer(1, 20)[0]

    headers = timed(run, "a body that drips, HTTP/2", work, 3, 3)
    run.checks.expect("a body that drips, HTTP/2", headers.get(":status"), "503")


def slow_body_grpc(run):
    def work():
        with Link(run.server.grpc_port, ATTACKER) as link:
            link.headers(1, LOGS, [("authorization", f"Bearer {run.key}")])
            link.send(link.frame(DATA, 0, 1, b"\0\0\0\1\0"))
            for _ in range(12):
                link.send(link.frame(DATA, 0, 1, b"x"))
                time.sleep(0.2)
            return link.answer(1, 20)[0]

    headers = timed(run, "a body that drips, gRPC", work, 3, 3)
    run.checks.expect("a body that drips, gRPC", headers.get("grpc-status"), "4")


def idle(run):
    with connect(run.server.http_port, ATTACKER) as link:
        body = logs([record("idle")])
        link.sendall(head(run, len(body)) + body)
        answer, closed = timed(run, "a connection that rests, HTTP", lambda: read_all(link, 20), 4, 4)
    run.checks.expect("a connection that rests, HTTP", (statuses(answer), closed), ([200], True))


def idle_http2(run):
    with Link(run.server.grpc_port, ATTACKER) as link:
        body = logs([record("idle")])
        link.headers(1, LOGS, [("authorization", f"Bearer {run.key}")])
        link.body(1, b"\0" + struct.pack(">I", len(body)) + body, 10)
        first = link.answer(1, 10)[0]
        frames = timed(run, "a connection that rests, gRPC", lambda: link.collect(20), 3, 4)
    run.checks.expect("a connection that rests, gRPC", (first.get("grpc-status"), goaway(frames)), ("0", 0))


LONG_ANSWER = b"SELECT repeat('x', 10000) FROM unnest(range(0, 20000))"


def slow_reader(run):
    """Asks for 200 MB and reads none: the server must not hold it for long."""
    with connect(run.server.api_port, ATTACKER) as link:
        request = f"POST /api/v1/sql HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {run.key}\r\ncontent-type: text/plain\r\n"
        link.sendall(f"{request}content-length: {len(LONG_ANSWER)}\r\n\r\n".encode() + LONG_ANSWER)
        time.sleep(3 + 2 * LATE_SECONDS)
        answer, closed = read_all(link, 20)
    run.checks.hold("an answer that nobody reads is cut", closed and len(answer) < 100 * MIB, f"{len(answer)} bytes, closed: {closed}")


def slow_reader_http2(run):
    """The same with windows that stay shut."""
    with Link(run.server.api_port, ATTACKER) as link:
        link.headers(1, "/api/v1/sql", [("authorization", f"Bearer {run.key}")], content_type="text/plain")
        link.send(link.frame(DATA, END_STREAM, 1, LONG_ANSWER))
        frames = timed(run, "an answer over HTTP/2 that nobody reads", lambda: link.collect(30), 3, 6)
        got = sum(len(payload) for kind, _, _, payload in frames if kind == DATA)
    run.checks.hold("an answer over HTTP/2 that nobody reads is cut", link.is_closed and got < MIB, f"{got} bytes")


def quick_enough(run):
    """Just below the limits: a head in 1.2 s, a body in 2 s, then a rest of 2 s and another request."""
    body = logs([record("slow but in time")])
    with connect(run.server.http_port, ATTACKER) as link:
        for _ in range(2):
            whole = head(run, len(body))
            link.sendall(whole[:20])
            time.sleep(1.2)
            link.sendall(whole[20:] + body[:5])
            time.sleep(2)
            link.sendall(body[5:])
            answer = b""
            while b"\r\n\r\n" not in answer and (piece := link.recv(1 << 16)):
                answer += piece
            run.checks.expect("slow, and within every limit", statuses(answer), [200])
            time.sleep(1)


def flooded(run, what, port, flood, is_ended=True):
    """Floods a connection; it is ended where `is_ended`, and memory does not grow with it."""
    started, spent = time.monotonic(), run.meter.processor_seconds()
    before = run.meter.resident_bytes()
    try:
        with Link(port, ATTACKER) as link:
            frames, sent = flood(link)
            closed = link.is_closed or goaway(frames) is not None
    except OSError as error:
        run.checks.hold(what, False, repr(error))
        return
    grown = max(0, run.meter.peak_since(started) - before) // MIB
    told = f"{what}: {sent} frames, GOAWAY {goaway(frames)}, {time.monotonic() - started:.1f} s"
    told += f", {run.meter.processor_seconds() - spent:.1f} s of processor time, {grown} MiB more"
    run.checks.hold(told, (closed or not is_ended) and grown < 96, f"closed: {closed}")


def pour(link, frames, count, every=1):
    """Sends `frames(n)` for n below `count` in pieces, until the server closes."""
    sent, piece = 0, bytearray()
    for number in range(count):
        piece += frames(number)
        if len(piece) > 64_000 or number == count - 1:
            if not link.send(bytes(piece)):
                break
            sent, piece = number + 1, bytearray()
    return link.collect(3), sent * every


def rapid_reset(run):
    def flood(link):
        block = link.head(LOGS, [("authorization", f"Bearer {run.key}")])
        first = lambda n: link.frame(HEADERS, END_HEADERS, 2 * n + 1, block if n == 0 else again)
        # From the second on most of it is one byte: the tables of HPACK.
        again = link.head(LOGS, [("authorization", f"Bearer {run.key}")])
        cancel = struct.pack(">I", 8)
        return pour(link, lambda n: first(n) + link.frame(RST_STREAM, 0, 2 * n + 1, cancel), 20_000, 2)

    return flood


def continuation(run):
    def flood(link):
        link.send(link.frame(HEADERS, 0, 1, link.head(LOGS)))
        junk = b"\x00\x01x\x7f\xf0\x7f" + b"y" * 16_000
        return pour(link, lambda n: link.frame(CONTINUATION, 0, 1, junk), 10_000)

    return flood


def empty_continuation(run):
    def flood(link):
        link.send(link.frame(HEADERS, 0, 1, link.head(LOGS)))
        return pour(link, lambda n: link.frame(CONTINUATION, 0, 1, b""), 200_000)

    return flood


def empty_data(run):
    def flood(link):
        link.headers(1, LOGS, [("authorization", f"Bearer {run.key}")])
        return pour(link, lambda n: link.frame(DATA, 0, 1, b""), 300_000)

    return flood


def settings(run):
    def flood(link):
        return pour(link, lambda n: link.frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65_535 + n % 2)), 200_000)

    return flood


def pings(run):
    def flood(link):
        return pour(link, lambda n: link.frame(PING, 0, 0, struct.pack(">Q", n)), 200_000)

    return flood


def window_updates(run):
    def flood(link):
        return pour(link, lambda n: link.frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)), 200_000)

    return flood


def window_overflow(run):
    return lambda link: pour(link, lambda n: link.frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**31 - 1)), 3)


def unknown_streams(run):
    return lambda link: pour(link, lambda n: link.frame(DATA, 0, 2 * n + 1, b"x"), 50_000)


def unknown_frames(run):
    return lambda link: pour(link, lambda n: link.frame(200, 255, n % 7, bytes(100)), 100_000)


def large_frame(run):
    return lambda link: pour(link, lambda n: link.frame(DATA, 0, 1, bytes(20_000)), 2)


def bad_hpack(run):
    return lambda link: pour(link, lambda n: link.frame(HEADERS, END_HEADERS, 1, b"\xff" * 20), 1)


# What is sent, and whether the connection must end by it. Floods that a server answers frame by frame need not
# end it, as long as they take nothing but their own time.
FLOODS = {
    "rapid reset": (rapid_reset, True),
    "a CONTINUATION flood": (continuation, True),
    "empty CONTINUATION frames": (empty_continuation, True),
    "empty DATA frames": (empty_data, True),
    "a SETTINGS flood": (settings, False),
    "a PING flood": (pings, False),
    "a WINDOW_UPDATE flood": (window_updates, False),
    "windows over 2^31": (window_overflow, True),
    "DATA for streams that are not open": (unknown_streams, True),
    "frames of an unknown kind": (unknown_frames, False),
    "a frame over 16 KiB": (large_frame, True),
    "HPACK that is none": (bad_hpack, True),
}


def floods(run):
    """HTTP/2 frames of the wrong kind or number, on every port that speaks it."""
    for index, (name, (make, is_ended)) in enumerate(FLOODS.items()):
        for port_name, port in list(ports(run.server).items())[: 3 if index < 2 else 1]:
            flooded(run, f"{name}, {port_name}", port, make(run), is_ended)
    header_lists(run)
    streams(run)


def header_lists(run):
    """16 KiB of headers, a little less and a little more."""
    for size, is_taken in ((14_000, True), (17_000, False), (60_000, False)):
        with Link(run.server.grpc_port, ATTACKER) as link:
            block = link.head(LOGS, [("authorization", f"Bearer {run.key}"), ("x-large", "y" * size)])
            pieces = [block[at : at + 16_000] for at in range(0, len(block), 16_000)]
            for at, piece in enumerate(pieces):
                last = END_HEADERS if at == len(pieces) - 1 else 0
                link.send(link.frame(CONTINUATION if at else HEADERS, last, 1, piece))
            link.body(1, b"\0" + struct.pack(">I", 0), 5)
            headers, _ = link.answer(1, 10)
        found = headers.get("grpc-status") or headers.get(":status") or headers.get("reset") or headers.get("goaway")
        is_right = found == "0" if is_taken else found is not None and found != "0"
        run.checks.hold(f"{size} bytes of headers: {headers.get(':status')}", is_right, f"{headers}")
    long = f"GET / HTTP/1.1\r\nhost: localhost\r\nx: {'y' * 70_000}\r\n\r\n".encode()
    for name, port in ports(run.server).items():
        answer, closed = raw(port, long, 10, ATTACKER)
        run.checks.expect(f"70 KB of headers over HTTP/1, {name}", (statuses(answer), closed), ([431], True))
        many = "GET / HTTP/1.1\r\nhost: localhost\r\n" + "".join(f"x{n}: y\r\n" for n in range(1_000)) + "\r\n"
        answer, closed = raw(port, many.encode(), 10, ATTACKER)
        run.checks.expect(f"1,000 headers over HTTP/1, {name}", (statuses(answer), closed), ([431], True))


def streams(run):
    """256 streams at a time; the next is refused, and those that are open go on."""
    with Link(run.server.grpc_port, ATTACKER) as link:
        body = logs([record("one of many streams")])
        message = b"\0" + struct.pack(">I", len(body)) + body
        link.read(1)
        for number in range(300):
            link.headers(2 * number + 1, LOGS, [("authorization", f"Bearer {run.key}")])
        refused, deadline = set(), time.monotonic() + 5
        while time.monotonic() < deadline and len(refused) < 44:
            for kind, _, stream, payload in link.read(0.5):
                if kind == RST_STREAM and int.from_bytes(payload, "big") == REFUSED_STREAM:
                    refused.add(stream)
        run.checks.expect("of 300 open streams so many are refused", len(refused), 44)
        first = [2 * number + 1 for number in range(300) if 2 * number + 1 not in refused][0]
        link.send(link.frame(DATA, END_STREAM, first, message))
        headers, _ = link.answer(first, 10)
        run.checks.expect("a stream among 256 gets its answer", headers.get("grpc-status"), "0")


def smuggling(run):
    """Heads that two readers may read differently: refused, the connection closed, and nothing behind them answered."""
    body = logs([record("smuggled")])
    inner = b"GET /smuggled HTTP/1.1\r\nhost: localhost\r\n\r\n"
    chunked = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    start = head(run)[:-2]
    cases = {
        "two content-lengths": start + b"content-length: %d\r\ncontent-length: 0\r\n\r\n" % len(body) + body,
        "a list of content-lengths": start + b"content-length: %d, 0\r\n\r\n" % len(body) + body,
        "content-length with a plus": start + b"content-length: +%d\r\n\r\n" % len(body) + body,
        "content-length in hex": start + b"content-length: 0x%x\r\n\r\n" % len(body) + body,
        "transfer-encoding xchunked": start + b"transfer-encoding: xchunked\r\n\r\n" + chunked,
        "transfer-encoding chunked, identity": start + b"transfer-encoding: chunked, identity\r\n\r\n" + chunked,
        "transfer-encoding with \\x0b": start + b"transfer-encoding:\x0bchunked\r\n\r\n" + chunked,
        "space before the colon": start + b"transfer-encoding : chunked\r\n\r\n" + chunked,
        "a folded header": start + b"x: a\r\n b\r\ncontent-length: 0\r\n\r\n",
        "a header that starts with a space": start + b" x: a\r\ncontent-length: 0\r\n\r\n",
        "NUL in a value": start + b"x: a\0b\r\ncontent-length: 0\r\n\r\n",
        "NUL in a name": start + b"x\0y: a\r\ncontent-length: 0\r\n\r\n",
        "CR in a value": start + b"x: a\rb\r\ncontent-length: 0\r\n\r\n",
        "a name with a space": start + b"x y: a\r\ncontent-length: 0\r\n\r\n",
        "an empty name": start + b": a\r\ncontent-length: 0\r\n\r\n",
        "a header without a colon": start + b"x\r\ncontent-length: 0\r\n\r\n",
        "a target with a space": start.replace(b"/v1/logs", b"/v1/lo gs") + b"content-length: 0\r\n\r\n",
        "HTTP/1.1 in lower case": start.replace(b"HTTP/1.1", b"http/1.1") + b"content-length: 0\r\n\r\n",
        "HTTP/9.9": start.replace(b"HTTP/1.1", b"HTTP/9.9") + b"content-length: 0\r\n\r\n",
        "a chunk size of -1": start + b"transfer-encoding: chunked\r\n\r\n-1\r\n" + body,
        "a chunk size with 0x": start + b"transfer-encoding: chunked\r\n\r\n0x5\r\nabcde\r\n0\r\n\r\n",
        "a chunk without its end": start + b"transfer-encoding: chunked\r\n\r\n1\r\nxGET /",
        "transfer-encoding over HTTP/1.0": start.replace(b"HTTP/1.1", b"HTTP/1.0") + b"transfer-encoding: chunked\r\n\r\n" + chunked,
    }
    for name, request in cases.items():
        for port_name, port in (("HTTP", run.server.http_port), ("API", run.server.api_port)):
            sent = request if port_name == "HTTP" else request.replace(b"/v1/logs", b"/api/v1/sql").replace(b"application/x-protobuf", b"text/plain")
            answer, closed = raw(port, sent + inner, 4, ATTACKER)
            found = statuses(answer)
            is_right = closed and len(found) <= 1 and all(400 <= status < 500 for status in found)
            run.checks.hold(f"{name}, {port_name}: {found}", is_right, f"closed: {closed}, {answer[:300]!r}")
    two_lengths(run, start, chunked, inner)
    controls(run, body, chunked, start)


def two_lengths(run, start, chunked, inner):
    """A length and chunks, which a proxy may read as another request: read as chunks, and the connection ends (RFC 9112, 6.1)."""
    length, chunks = b"content-length: 5\r\n", b"transfer-encoding: chunked\r\n"
    for name, both in {"content-length and transfer-encoding": length + chunks, "transfer-encoding and content-length": chunks + length}.items():
        answer, closed = raw(run.server.http_port, start + both + b"\r\n" + chunked + inner, 4, ATTACKER)
        run.checks.expect(f"{name}: one answer and the end", (statuses(answer), closed), ([200], True))


def controls(run, body, chunked, start):
    """What is like them and right: two requests in one go, chunks, bare LF after a head's lines is no end."""
    both = head(run, len(body)) + body
    answer, _ = raw(run.server.http_port, both * 2, 3, ATTACKER)
    run.checks.expect("two requests in one go", statuses(answer), [200, 200])
    answer, _ = raw(run.server.http_port, start + b"transfer-encoding: chunked\r\n\r\n" + chunked, 3, ATTACKER)
    run.checks.expect("a chunked request", statuses(answer), [200])
    answer, closed = raw(run.server.http_port, (start + b"content-length: %d\r\n\r\n" % len(body)).replace(b"\r\n", b"\n") + body, 3, ATTACKER)
    run.checks.hold(f"bare line feeds: {statuses(answer)}", statuses(answer) in ([], [400], [200]), f"{answer[:100]!r} {closed}")


HELLO = bytes.fromhex("160301007b0100007703035f") + bytes(range(120))


def garbage(run):
    """Bytes that are nothing, on each port; resets in the middle of requests."""
    rng = random.Random(7)
    cases = {
        "a TLS hello": HELLO,
        "random bytes": rng.randbytes(100_000),
        "zeros": bytes(100_000),
        "line ends": b"\r\n" * 50_000,
        "an SSH greeting": b"SSH-2.0-OpenSSH_9.6\r\n",
        "a PROXY line": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
        "half a preface": PREFACE[:-3] + b"xyz",
        "a preface in HTTP/1": b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n" + PREFACE,
        "an absolute target": b"GET http://169.254.169.254/latest HTTP/1.1\r\nhost: 169.254.169.254\r\n\r\n",
        "CONNECT": b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nhost: 127.0.0.1:22\r\n\r\n",
        "an upgrade to h2c": b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n",
        "an upgrade to websocket": b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n\r\n",
    }
    for name, sent in cases.items():
        for port_name, port in ports(run.server).items():
            answer, closed = raw(port, sent, 8, ATTACKER)
            found = statuses(answer)
            is_right = all(status >= 400 and status != 500 for status in found) and closed
            run.checks.hold(f"{name}, {port_name}: {found}", is_right, f"closed: {closed}, {answer[:200]!r}")
    resets(run, rng)


def resets(run, rng):
    """500 connections that break off anywhere in a request; what was sent whole may be stored, nothing else."""
    body = logs([record(f"reset {n}") for n in range(50)])
    whole = head(run, len(body)) + body
    for _ in range(500):
        link = connect(run.server.http_port, ATTACKER)
        link.sendall(whole[: rng.randrange(len(whole))])
        reset(link)
    for _ in range(200):
        link = Link(run.server.grpc_port, ATTACKER)
        link.headers(1, LOGS, [("authorization", f"Bearer {run.key}")])
        link.send(link.frame(DATA, 0, 1, (b"\0" + struct.pack(">I", len(body)) + body)[: rng.randrange(len(body))]))
        reset(link.socket)
    time.sleep(0.5)
    count = run.rows("SELECT count(*) FROM logs WHERE body LIKE 'reset %'")[0][0]
    run.checks.expect("nothing is stored of requests that broke off", int(count), 0)
    reply = export_http(run.server, body, run.key)
    run.checks.expect("a whole request after them", reply.code, 200)


def connections(run):
    """200 of one address; then as many slow ones as there may be, from many addresses."""
    of_one_address(run)
    wanted = run.options.sockets
    most = min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 500)
    if most < wanted:
        print(f"NOT ALL: only {most} sockets, since this process may not have more")
    started, links = time.monotonic(), []
    refused_before = refused(run)
    try:
        for number in range(most + 300):
            try:
                links.append(connect(run.server.http_port, f"127.0.{1 + number // 190}.1", 5))
                links[-1].send(b"GET / HTTP/1.1\r\nx: ")
            except OSError:
                continue
        took = time.monotonic() - started
        run.bounded(f"{len(links)} slow sockets in {took:.1f} s", started)
        reply = wait_for_reply(run)
        run.checks.hold(f"another client gets its answer within {reply:.1f} s", reply < 2 + LATE_SECONDS + 2)
        print(f"   {int(refused(run) - refused_before)} connections closed at once", flush=True)
    finally:
        for link in links:
            link.close()


def wait_for_reply(run):
    """How long a new client waits for its first OK."""
    started = time.monotonic()
    while time.monotonic() - started < 60:
        try:
            reply = export_http(run.server, logs([record(f"after {time.time_ns()}")]), run.key)
            if reply.code == 200:
                break
        except (OSError, http.client.HTTPException):
            pass  # Closed at once: there are too many.
        time.sleep(0.1)
    return time.monotonic() - started


def refused(run):
    from beside import total

    return total(run.samples(), "cairn_connections_refused_total", reason="too_many")


def of_one_address(run):
    """200 connections of one address are served, the next is closed; other addresses do not notice."""
    before, links = refused(run), []
    request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
    try:
        for _ in range(200):
            link = connect(run.server.api_port, "127.0.0.3")
            link.sendall(request)
            links.append(link)
        answered = sum(b"200 OK" in link.recv(4_096) for link in links)
        run.checks.expect("of one address so many connections are served", answered, 200)
        answer, closed = raw(run.server.api_port, request, 3, "127.0.0.3")
        run.checks.expect("the next one is closed", (answer, closed), (b"", True))
        answer, _ = raw(run.server.http_port, request, 3, "127.0.0.3")
        run.checks.expect("the next one on another port is closed too", answer, b"")
        answer, _ = raw(run.server.api_port, request, 1, "127.0.0.4")
        run.checks.expect("another address is served", statuses(answer), [200])
        run.checks.expect("both are counted", refused(run) - before, 2)
    finally:
        for link in links:
            link.close()
    time.sleep(0.3)
    answer, _ = raw(run.server.api_port, request, 1, "127.0.0.3")
    run.checks.expect("after these are closed the address is served again", statuses(answer), [200])
