"""Clients that send made requests over one protocol, with faults, and keep books of it.

A worker is a process with one client. What can happen to a request: it is sent once; again after its answer; sent by somebody who
does not wait for the answer; cut off half-way; preceded by a relative that must be refused as a whole.
"""

import http.client
import json
import os
import random
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from made import Maker
from truth import Life

METHODS = {
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
}
RESPONSES = {
    "logs": (ExportLogsServiceResponse, "rejected_log_records", "rejectedLogRecords"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points", "rejectedDataPoints"),
    "traces": (ExportTraceServiceResponse, "rejected_spans", "rejectedSpans"),
}
RETRIED_STATUS = {429, 502, 503, 504}
RETRIED_CODE = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}
FAULTS = {None: 78, "again": 8, "vanish": 5, "cut": 4, "refused": 5}


class Later(Exception):
    """The server said to come back: nothing is stored."""


class Gone(Exception):
    """No answer: perhaps it is stored, perhaps not."""


class Refused(Exception):
    """The server will never take this."""


@dataclass
class Work:
    """What a worker does in one life."""

    client: str
    seed: str
    records: int
    most: int
    first: int
    ports: tuple
    keys: dict
    # Sent in an earlier life without an answer, and some with one.
    unanswered: list
    answered: list


@dataclass
class Done:
    """What it did."""

    client: str
    life: Life = field(default_factory=Life)
    acknowledged: list = field(default_factory=list)
    unanswered: list = field(default_factory=list)
    complaints: list = field(default_factory=list)
    faults: dict = field(default_factory=lambda: dict.fromkeys(["again", "vanish", "cut", "refused", "later"], 0))
    next: int = 0


class Worker:
    """One client in one life of the server."""

    def __init__(self, work, stop):
        self.work, self.stop = work, stop
        self.rng = random.Random(f"{work.seed} {work.client} {work.first}")
        self.maker = Maker(work.client, sorted(work.keys), work.client == "json", self.rng, work.first)
        self.done = Done(work.client)
        self.link = LINKS[work.client](work.ports, work.keys)

    def run(self):
        sent = 0
        queue = [(request, True) for request in self.work.unanswered]
        for request in self.work.answered:
            if not self.send(request):
                break
            self.done.life.deduplicated(request)
            self.done.faults["again"] += 1
        while queue or (sent < self.work.records and not self.stop.is_set()):
            request, is_unsure = queue.pop() if queue else (self.maker.request(self.work.most), False)
            sent += request.offered
            try:
                self.one(request, is_unsure)
            except Gone:
                self.done.unanswered += [request] + [other for other, _ in queue]
                break
        self.done.next = self.maker.next
        return self.done

    def one(self, request, is_unsure):
        (fault,) = self.rng.choices(list(FAULTS), FAULTS.values())
        life = self.done.life
        if fault == "cut":
            cut(self.work, request)
        elif fault == "vanish":
            vanish(self.work, request)
            life.vanished[request.tenant, request.table] += request.offered
        elif fault == "refused":
            self.refuse(request)
        if not self.send(request):
            raise Gone
        life.unsure.append(request) if is_unsure else life.stored(request)
        self.done.acknowledged.append(request)
        if fault == "again":
            for _ in range(self.rng.randrange(1, 3)):
                if not self.send(request):
                    break
                life.deduplicated(request)
        if fault:
            self.done.faults[fault] += 1

    def send(self, request):
        """Sends until there is an answer; whether there was one before the end of the life."""
        for _ in range(2_000):
            try:
                rejected = self.link.send(request)
            except Later:
                self.done.faults["later"] += 1
                time.sleep(0.02)
                continue
            except Gone as gone:
                time.sleep(0.3)
                if not self.stop.is_set():
                    self.done.complaints.append(f"{request.client}: no answer although the server lives: {gone}")
                return False
            except Refused as refused:
                self.done.complaints.append(f"{request.client}: refused: {refused}")
                return False
            wanted = sum(request.letters.values())
            if rejected != wanted:
                self.done.complaints.append(f"{request.client}: {rejected} told as rejected, {wanted} were: {request.letters}")
            return True
        self.done.complaints.append(f"{request.client}: never taken")
        return False

    def refuse(self, request):
        """Something that the server must refuse as a whole, for good."""
        body, key, kind = request.body, self.work.keys[request.tenant], media(request)
        which = self.rng.choice(["undecodable", "key", "media type", "too large", "path"])
        path = f"/v1/{request.signal}"
        if which == "undecodable":
            body = b"{" if request.is_json else b"\x0a\xff" + body
        elif which == "key":
            key = "cairn_" + "0" * 40
        elif which == "media type":
            kind = "text/plain"
        elif which == "too large":
            body = body + b" " * (5 << 20)
        else:
            path = "/v1/nothing"
        try:
            status, _ = post(self.work.ports[1], path, body, {"content-type": kind, "authorization": f"Bearer {key}"})
        except Gone:
            return
        if status < 400:
            self.done.complaints.append(f"{which} was answered {status}")


def media(request):
    return "application/json" if request.is_json else "application/x-protobuf"


def rejected_in(request, answer):
    """The rejected records that an answer tells of."""
    response, name, json_name = RESPONSES[request.signal]
    if request.is_json:
        return int(json.loads(answer).get("partialSuccess", {}).get(json_name, 0))
    return getattr(response.FromString(answer).partial_success, name)


def post(port, path, body, headers):
    """Status and body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise Gone(repr(error)) from error
    finally:
        connection.close()


class Http:
    """OTLP/HTTP on a connection that is kept open."""

    def __init__(self, ports, keys):
        self.port, self.keys, self.connection = ports[1], keys, None

    def send(self, request):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"content-type": media(request), "authorization": f"Bearer {self.keys[request.tenant]}"}
        try:
            self.connection.request("POST", f"/v1/{request.signal}", request.body, headers)
            answer = self.connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            self.connection = None
            raise Gone(repr(error)) from error
        return settled(request, answer.status, body)


def settled(request, status, body):
    if status in RETRIED_STATUS:
        raise Later
    if status != 200:
        raise Refused(f"{status} {body[:300]!r}")
    return rejected_in(request, body)


class Grpc:
    """OTLP/gRPC on one channel."""

    def __init__(self, ports, keys):
        self.channel, self.keys = grpc.insecure_channel(f"127.0.0.1:{ports[0]}"), keys
        self.calls = {signal: self.channel.unary_unary(method) for signal, method in METHODS.items()}

    def send(self, request):
        metadata = [("authorization", f"Bearer {self.keys[request.tenant]}")]
        try:
            answer = self.calls[request.signal](request.body, timeout=30, metadata=metadata)
        except grpc.RpcError as error:
            is_told = any(key.startswith("grpc-status-details") for key, _ in error.trailing_metadata() or [])
            if error.code() in RETRIED_CODE and is_told:
                raise Later from error
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                raise Gone(f"{error.code()} {error.details()}") from error
            raise Refused(f"{error.code()} {error.details()}") from error
        return rejected_in(request, answer)


class Raw:
    """HTTP/1.1 written by hand: chunks of odd sizes, headers in odd cases, a connection a request."""

    def __init__(self, ports, keys):
        self.port, self.keys = ports[1], keys

    def send(self, request):
        key = self.keys[request.tenant]
        head = f"POST /v1/{request.signal} HTTP/1.1\r\nhOsT: x\r\nAUTHORIZATION:bearer {key}\r\n"
        head += f"Content-TYPE: {media(request)}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        pieces = [head.encode()]
        size = 1 + len(request.body) // 3
        for at in range(0, len(request.body), size):
            piece = request.body[at : at + size]
            pieces += [f"{len(piece):X}\r\n".encode(), piece, b"\r\n"]
        pieces.append(b"0\r\n\r\n")
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=30) as link:
                link.sendall(b"".join(pieces))
                response = http.client.HTTPResponse(link)
                response.begin()
                return settled(request, response.status, response.read())
        except (OSError, http.client.HTTPException) as error:
            raise Gone(repr(error)) from error


class Curl:
    """curl, a process a request."""

    def __init__(self, ports, keys):
        self.port, self.keys = ports[1], keys
        self.folder = tempfile.mkdtemp(prefix="cairn-curl-")

    def send(self, request):
        path = os.path.join(self.folder, "body")
        with open(path, "wb") as body:
            body.write(request.body)
        command = ["curl", "--silent", "--max-time", "30", "--data-binary", f"@{path}", "--write-out", "%{http_code}"]
        command += ["--header", f"content-type: {media(request)}", "--output", path + ".answer"]
        command += ["--header", f"authorization: Bearer {self.keys[request.tenant]}"]
        done = subprocess.run(
            [*command, f"http://127.0.0.1:{self.port}/v1/{request.signal}"], capture_output=True, check=False
        )
        if done.returncode != 0:
            raise Gone(f"curl ended with {done.returncode}")
        with open(path + ".answer", "rb") as answer:
            return settled(request, int(done.stdout), answer.read())


LINKS = {"grpc": Grpc, "http": Http, "json": Http, "raw": Raw, "curl": Curl}


def head(work, request):
    key = work.keys[request.tenant]
    lines = [f"POST /v1/{request.signal} HTTP/1.1", "host: x", f"authorization: Bearer {key}"]
    lines += [f"content-type: {media(request)}", f"content-length: {len(request.body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def vanish(work, request):
    """Sends all of a request and goes away at once."""
    try:
        with socket.create_connection(("127.0.0.1", work.ports[1]), timeout=30) as link:
            link.sendall(head(work, request) + request.body)
    except OSError:
        pass


def cut(work, request):
    """Sends a part of a request and goes away."""
    try:
        with socket.create_connection(("127.0.0.1", work.ports[1]), timeout=30) as link:
            link.sendall(head(work, request) + request.body[: len(request.body) // 2])
    except OSError:
        pass


def run_worker(work, stop, results):
    results.put(Worker(work, stop).run())
