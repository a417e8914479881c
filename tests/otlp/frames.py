"""Bare HTTP/2 frames: a ping is answered, and GOAWAY comes before a stop closes the connection."""

import os
import signal
import socket
import struct
import time

from checks import CHECKS

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY = 4, 6, 7
ACK = 1


def frame(kind, flags, payload):
    """A frame of stream 0."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + bytes(4) + payload


def connect(port):
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.sendall(PREFACE + frame(SETTINGS, 0, b""))
    return connection, connection.makefile("rb")


def read(stream):
    """The kind, the flags and the payload of the next frame; `None` at the end of the connection."""
    head = stream.read(9)
    if len(head) < 9:
        return None
    return head[3], head[4], stream.read(int.from_bytes(head[:3], "big"))


def until(stream, kind, flags=0):
    """The payload of the next frame of that kind, or `None`."""
    try:
        while found := read(stream):
            if found[0] == kind and found[1] & flags == flags:
                return found[2]
    except OSError:
        pass
    return None


def check_frames(server):
    """Stops the server."""
    ports = {"gRPC": server.grpc_port, "HTTP": server.http_port}
    open_ones = {}
    for name, port in ports.items():
        connection, stream = connect(port)
        connection.sendall(frame(PING, 0, b"12345678"))
        found = until(stream, PING, ACK)
        complaints = [] if found == b"12345678" else [f"the answer to the ping was {found!r}"]
        CHECKS.row(50, f"a ping on the port of {name} is answered", "raw HTTP/2 frames", complaints)
        open_ones[name] = connection, stream
    began = time.monotonic()
    os.kill(server.server_process_id(), signal.SIGTERM)
    for name, (connection, stream) in open_ones.items():
        found = until(stream, GOAWAY)
        complaints = [] if found is not None and found[4:8] == bytes(4) else [f"GOAWAY was {found!r}"]
        CHECKS.row(50, f"GOAWAY without an error comes before a stop on the port of {name}", "raw HTTP/2 frames", complaints)
        connection.close()
    code = server.process.wait(timeout=60)
    seconds = time.monotonic() - began
    complaints = [] if code == 0 and seconds < 15 else [f"it ended with {code} after {seconds:.0f} s"]
    CHECKS.row(50, "a stop does not wait for connections without a request", "raw HTTP/2 frames", complaints)
