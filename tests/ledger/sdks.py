"""Real SDKs, through relays that count what went over the wire and now and then lose the server's answer.

What an SDK does then is its own affair (most send again, byte for byte); the books follow the wire: the first time that bytes are
sent they are stored, after that they are a retry.
"""

import os
import socket
import subprocess
import sys
import time

import rotel
from made import MAX_VALUE_BYTES, Request
from otlp_rows import REQUESTS
from server import free_ports
from tee import PREFACE, Tee, http1_requests, http2_requests, relay

HERE = os.path.dirname(os.path.abspath(__file__))
SCOPES = {"logs": "scope_logs", "metrics": "scope_metrics", "traces": "scope_spans"}


class LossyTee(Tee):
    """A relay that loses the first answer on every third connection of HTTP/1.1: the client sees it break."""

    def __init__(self, target_port, is_lossy):
        self.is_lossy = is_lossy
        super().__init__(target_port)

    def way_back(self):
        return lose if self.is_lossy and len(self.connections) % 3 == 2 else relay

    def attempts(self):
        """Every request on every connection, repeated ones too: (signal, protobuf bytes, how)."""
        for kept in self.connections:
            raw = bytes(kept)
            yield from http2_requests(raw) if raw.startswith(PREFACE) else http1_requests(raw)


def lose(source, sink, _):
    """Waits for the answer and closes both sides without it."""
    try:
        source.recv(65536)
    except OSError:
        pass
    for each in (sink, source):
        try:
            each.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        each.close()


def offer(tenant, client, signal, body):
    """The request of these bytes, and what becomes of it."""
    request = Request(tenant, signal, client, False, body)
    for group in REQUESTS[signal].FromString(body).ListFields()[0][1]:
        for scope in getattr(group, SCOPES[signal]):
            for record in records(signal, scope):
                is_long = any(len(each.value.string_value) > MAX_VALUE_BYTES for each in record.attributes)
                request.letters["too_large"] += is_long
                request.stored += not is_long
    request.letters = +request.letters
    return request


def records(signal, scope):
    if signal == "logs":
        return scope.log_records
    if signal == "traces":
        return scope.spans
    return [point for metric in scope.metrics for point in getattr(metric, metric.WhichOneof("data")).data_points]


def command(options, urls, count, name, folder, key):
    """What runs as the client `name`."""
    many = [sys.executable, os.path.join(HERE, "many.py")]
    node = ["node", os.path.join(options.node, "send.mjs"), *urls]
    if name == "rotel":
        return [*many, "grpc", rotel_url(urls, folder, key), name, str(count)]
    return {
        "python-sdk-grpc": [*many, "grpc", urls[0], name, str(count)],
        "python-sdk-http": [*many, "http", urls[1], name, str(count)],
        "node-sdk": [*node, name],
        "node-sdk-json": [*node, name, "json"],
        "rust-sdk": [options.rust_sender, *urls, name],
    }[name]


ROTEL = []


def rotel_url(urls, folder, key):
    """Starts rotel, which forwards over OTLP/HTTP, and says where it listens."""
    grpc_port, http_port = free_ports(2)
    environment = dict(os.environ)
    environment |= {
        "ROTEL_OTLP_GRPC_ENDPOINT": f"127.0.0.1:{grpc_port}",
        "ROTEL_OTLP_HTTP_ENDPOINT": f"127.0.0.1:{http_port}",
        "ROTEL_OTLP_EXPORTER_ENDPOINT": urls[1],
        "ROTEL_OTLP_EXPORTER_PROTOCOL": "http",
        "ROTEL_OTLP_EXPORTER_CUSTOM_HEADERS": f"authorization=Bearer {key}",
        "ROTEL_PID_FILE": os.path.join(folder, "rotel.pid"),
    }
    agent = os.path.join(os.path.dirname(rotel.__file__), "rotel-agent")
    with open(os.path.join(folder, "rotel.log"), "wb") as log:
        ROTEL.append(subprocess.Popen([agent, "start"], env=environment, stdout=log, stderr=log))
    time.sleep(1)
    return f"http://127.0.0.1:{grpc_port}"


def end_rotel():
    """Ends what `rotel_url` started, when it has forwarded everything."""
    time.sleep(2)
    for process in ROTEL:
        process.terminate()
        process.wait(timeout=10)
    ROTEL.clear()


def run(server, options, keys, count, folder):
    """Runs all SDKs at the same time, each for one tenant. Returns the attempts on the wire, in their order by client."""
    tenants = sorted(keys)
    relays, running = {}, {}
    names = ["python-sdk-grpc", "python-sdk-http", "node-sdk", "node-sdk-json", "rust-sdk", "rotel"]
    for at, name in enumerate(names):
        tenant = tenants[at % len(tenants)]
        # The Rust SDK sends nothing again.
        relays[name] = (tenant, LossyTee(server.grpc_port, False), LossyTee(server.http_port, name != "rust-sdk"))
        urls = [f"http://127.0.0.1:{each.port}" for each in relays[name][1:]]
        environment = dict(os.environ)
        if name != "rotel":
            environment["OTEL_EXPORTER_OTLP_HEADERS"] = f"authorization=Bearer%20{keys[tenant]}"
        arguments = command(options, urls, count, name, folder, keys[tenant])
        with open(os.path.join(folder, f"{name}.log"), "wb") as log:
            running[name] = subprocess.Popen(arguments, env=environment, stdout=log, stderr=log)
    problems = []
    for name, process in running.items():
        if process.wait(timeout=180) != 0:
            problems.append(f"{name} ended with {process.returncode}")
    end_rotel()
    attempts = {}
    for name, (tenant, *both) in relays.items():
        attempts[name] = [offer(tenant, name, signal, body) for each in both for signal, body, _ in each.attempts()]
        for each in both:
            each.close()
    return attempts, problems
