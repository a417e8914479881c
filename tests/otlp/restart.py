"""Restarts under load: clients that retry as OTLP tells them to lose nothing, and get no error that they may not retry."""

import http.client
import threading
import time

import grpc
from checks import CHECKS
from otlp_rows import REQUESTS

EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
RETRYABLE = {
    grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.ABORTED,
    grpc.StatusCode.OUT_OF_RANGE, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DATA_LOSS,
}
RECORDS, CLIENTS, RESTARTS = 20, 4, 3


class Sender(threading.Thread):
    """Sends requests one after the other, each until it is acknowledged."""

    def __init__(self, server, name):
        super().__init__(daemon=True)
        self.server, self.name_sent, self.stopping = server, name, threading.Event()
        self.acknowledged, self.refused, self.waits, self.wrong = [], 0, [], []

    def run(self):
        number = 0
        while not self.stopping.is_set():
            self.deliver(f"{self.name_sent}-{number}")
            number += 1

    def deliver(self, name):
        request = REQUESTS["logs"]()
        records = request.resource_logs.add().scope_logs.add(scope={"name": "restart"}).log_records
        for _ in range(RECORDS):
            records.add(time_unix_nano=time.time_ns(), event_name=name)
        body = request.SerializeToString()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            wait = self.attempt(body)
            if wait is None:
                self.acknowledged.append(name)
                return
            self.refused += 1
            # No client waits less than a moment, whatever it was told.
            time.sleep(max(wait, 0.02))
        self.wrong.append(f"{name} was never acknowledged")
        self.stopping.set()


class GrpcSender(Sender):
    """Over one channel of grpcio."""

    def run(self):
        options = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200)]
        with grpc.insecure_channel(f"127.0.0.1:{self.server.grpc_port}", options) as channel:
            self.export = channel.unary_unary(EXPORT)
            super().run()

    def attempt(self, body):
        try:
            self.export(body, timeout=20)
        except grpc.RpcError as error:
            if error.code() not in RETRYABLE:
                self.wrong.append(f"{error.code()}: {error.details()}")
            return 0
        return None


class HttpSender(Sender):
    """Over connections that are kept alive."""

    connection = None

    def attempt(self, body):
        try:
            self.connection = self.connection or http.client.HTTPConnection("127.0.0.1", self.server.http_port, timeout=20)
            self.connection.request("POST", "/v1/logs", body, {"content-type": "application/x-protobuf"})
            answer = self.connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            # Broken off without an answer: OTLP's clients try again.
            self.connection = None
            return 0
        if answer.status == 200:
            return None
        after = answer.getheader("retry-after", "")
        if answer.status not in (429, 502, 503, 504):
            self.wrong.append(f"status {answer.status}")
        elif not after.isdecimal() or int(after) < 1:
            self.wrong.append(f"status {answer.status} with retry-after {after!r}")
        else:
            self.waits.append(int(after))
            return int(after)
        return 0


def check_restart(server):
    """The server is stopped and started under the senders; all that they sent is there once."""
    senders = {
        "gRPC, grpcio": [GrpcSender(server, f"grpc-{number}") for number in range(CLIENTS)],
        "HTTP/1.1, Python": [HttpSender(server, f"http-{number}") for number in range(CLIENTS)],
    }
    everybody = [sender for of_kind in senders.values() for sender in of_kind]
    for sender in everybody:
        sender.start()
    codes = []
    for _ in range(RESTARTS):
        time.sleep(1.5)
        codes.append(server.stop())
        server.start()
    time.sleep(1)
    for sender in everybody:
        sender.stopping.set()
    for sender in everybody:
        sender.join(timeout=70)
    statement = "SELECT event_name, count(*) AS n FROM logs WHERE scope_name = 'restart' GROUP BY 1"
    found = {each["event_name"]: each["n"] for each in server.sql(statement)}
    for client, of_kind in senders.items():
        wrong = [text for sender in of_kind for text in sender.wrong]
        CHECKS.row(50, "what is refused in a rolling restart may be tried again", client, wrong)
        names = [name for sender in of_kind for name in sender.acknowledged]
        refused = sum(sender.refused for sender in of_kind)
        print(f"{client}: {len(names)} requests, {refused} attempts refused in {RESTARTS} restarts")
        lost = [f"{name}: {found.get(name, 0)} of {RECORDS}" for name in names if found.get(name) != RECORDS]
        lost += [] if refused else ["no attempt was ever refused, so nothing was tried"]
        CHECKS.row(50, "a rolling restart under load loses nothing and doubles nothing", client, lost)
    CHECKS.row(50, "a stop under load is clean", "signal", [f"it ended with {code}" for code in codes if code])
    waits = [wait for sender in everybody for wait in sender.waits]
    print(f"{len(waits)} answers told when to come back")
