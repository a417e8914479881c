"""Real SDKs against the real binary: `acceptance.py --cairn BINARY --node DIR --rust-sender BINARY --readme-sender BINARY`.

The Python SDK (gRPC and HTTP), the Node SDK (protobuf and JSON), the Rust SDK and rotel (a forwarder that the Python SDK sends to)
send all three signals; three more requests a signal have every field of OTLP (`everything.py`), one of them in JSON; curl sends
OpenTelemetry's own examples of JSON; the README's snippets are run too (`readme.py`). A relay keeps the bytes that went over the
wire (`tee.py`). What these bytes say, decoded with the official protobuf classes, is what SQL must return: every field of every record
and nothing else, from the buffer and again after a restart that flushes. Then DuckDB reads the segment files without
Cairn, and a hash over all columns of all tables must equal that of SQL's answer (`files.py`). At the end every field that
was sent is changed once, to see that the comparison notices (`fields.py`).
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request

import grpc
import rotel

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))
import everything  # noqa: E402
import fields  # noqa: E402
from answers import difference, stored  # noqa: E402
from checks import CHECKS  # noqa: E402
from files import check_files  # noqa: E402
from otlp_json import from_protobuf  # noqa: E402
from otlp_rows import REQUESTS, TABLES, rows  # noqa: E402
from readme import run_snippets  # noqa: E402
from said import check_said  # noqa: E402
from server import Server, free_ports  # noqa: E402
from tee import Tee  # noqa: E402

METHODS = {
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
}

# OpenTelemetry's examples of OTLP/JSON, which are not part of this repository: their folder, and the signal of each.
EXAMPLES = os.path.join(HERE, "..", "..", "..", "shared", "otlp-examples")
EXAMPLE_SIGNALS = {"logs.json": "logs", "events.json": "logs", "metrics.json": "metrics", "trace.json": "traces"}

ALL_TABLES = [table for tables in TABLES.values() for table in tables]


class Relays:
    """The relays between one sender and the server."""

    def __init__(self, server):
        self.grpc, self.http = Tee(server.grpc_port), Tee(server.http_port)
        self.urls = [f"http://127.0.0.1:{each.port}" for each in (self.grpc, self.http)]

    def requests(self):
        found = self.grpc.requests() + self.http.requests()
        for each in (self.grpc, self.http):
            each.close()
        return found


def send(*command):
    """Runs a sender and returns what it says it sent."""
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stderr.decode()[-3000:]}")
    return json.loads(done.stdout.decode().strip().splitlines()[-1])


def send_through_rotel(relays, folder):
    """Python SDK over gRPC to rotel, which forwards over OTLP/HTTP."""
    grpc_port, http_port = free_ports(2)
    agent = os.path.join(os.path.dirname(rotel.__file__), "rotel-agent")
    environment = dict(os.environ)
    environment |= {
        "ROTEL_OTLP_GRPC_ENDPOINT": f"127.0.0.1:{grpc_port}",
        "ROTEL_OTLP_HTTP_ENDPOINT": f"127.0.0.1:{http_port}",
        "ROTEL_OTLP_EXPORTER_ENDPOINT": relays.urls[1],
        "ROTEL_OTLP_EXPORTER_PROTOCOL": "http",
        "ROTEL_PID_FILE": os.path.join(folder, "rotel.pid"),
    }
    with open(os.path.join(folder, "rotel.log"), "wb") as log:
        process = subprocess.Popen([agent, "start"], env=environment, stdout=log, stderr=log)
        try:
            time.sleep(1)
            sender = os.path.join(HERE, "python", "send.py")
            return send(sys.executable, sender, "grpc", f"http://127.0.0.1:{grpc_port}", "via-rotel")
        finally:
            time.sleep(2)
            process.terminate()
            process.wait(timeout=10)


def send_sdks(server, options, folder):
    """All SDKs. Returns what they say they sent, and the requests on the wire by sender."""
    python = [sys.executable, os.path.join(HERE, "python", "send.py")]
    senders = {
        "python-grpc": lambda relays: send(*python, "grpc", relays.urls[0], "python-grpc"),
        "python-http": lambda relays: send(*python, "http", relays.urls[1], "python-http"),
        "node": lambda relays: send("node", os.path.join(options.node, "send.mjs"), *relays.urls, "node"),
        "node-json": lambda relays: send("node", os.path.join(options.node, "send.mjs"), *relays.urls, "node-json", "json"),
        "rust": lambda relays: send(options.rust_sender, *relays.urls, "rust"),
        "via-rotel": lambda relays: send_through_rotel(relays, folder),
    }
    said, wire = [], {}
    for name, sender in senders.items():
        relays = Relays(server)
        said.append(sender(relays))
        wire[name] = relays.requests()
        counts = {}
        for signal, body, how in wire[name]:
            for table, of_table in rows(signal, body).items():
                counts[table] = counts.get(table, 0) + len(of_table)
        hows = sorted({how for _, _, how in wire[name]})
        if name == "node-json":
            CHECKS.hold("the JSON exporters send JSON alone", all(how.startswith("http/json") for how in hows), hows)
        print(f"{name}: {', '.join(hows)}; {json.dumps(counts)}")
        for table in ("logs", "spans", "metrics", "span_events", "span_links"):
            CHECKS.hold(f"{name} sent {table}", counts.get(table), counts)
    return said, wire


def send_everything(server):
    """Requests with every field, over all protocols. Returns (signal, bytes, how) by service."""
    wire = {"every-grpc": [], "every-http": [], "every-json": []}
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        for signal, request in everything.requests("every-grpc").items():
            body = request.SerializeToString()
            answer = channel.unary_unary(METHODS[signal])(body, timeout=30)
            CHECKS.expect(f"answer to every field of {signal} over gRPC", answer, b"")
            wire["every-grpc"].append((signal, body, "grpc"))
    for signal, request in everything.requests("every-http").items():
        body = request.SerializeToString()
        CHECKS.expect(f"answer to every field of {signal} over HTTP", post(server, signal, body), b"")
        wire["every-http"].append((signal, body, "http"))
    for signal, request in everything.requests("every-json").items():
        answer = post(server, signal, from_protobuf(request), "application/json")
        CHECKS.expect(f"answer to every field of {signal} in JSON", answer, b"{}")
        wire["every-json"].append((signal, request.SerializeToString(), "http/json"))
    return wire


def send_examples(server):
    """OpenTelemetry's examples of OTLP/JSON by curl. Returns the requests on the wire."""
    if not os.path.isdir(EXAMPLES):
        print(f"NOT CHECKED: the examples of OTLP/JSON, since there is no {os.path.normpath(EXAMPLES)}")
        return []
    relays = Relays(server)
    for file, signal in EXAMPLE_SIGNALS.items():
        command = ["curl", "--silent", "--show-error", "--max-time", "30", "--header", "Content-Type: application/json"]
        command += ["--data-binary", f"@{os.path.join(EXAMPLES, file)}", f"{relays.urls[1]}/v1/{signal}"]
        done = subprocess.run(command, capture_output=True, check=False)
        CHECKS.expect(f"answer to curl with {file}", (done.stdout, done.stderr), (b"{}", b""))
    requests = relays.requests()
    CHECKS.expect("examples on the wire", sorted(signal for signal, _, _ in requests), sorted(EXAMPLE_SIGNALS.values()))
    return requests


def post(server, signal, body, media_type="application/x-protobuf"):
    url = f"http://127.0.0.1:{server.http_port}/v1/{signal}"
    headers = {"content-type": media_type, "content-encoding": "gzip"}
    request = urllib.request.Request(url, gzip.compress(body), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def send_rejected(server):
    """A record of each signal that cannot be a row, so that dead letters are compared too."""
    key = "k" * 2_000
    logs, metrics, traces = (REQUESTS[signal]() for signal in ("logs", "metrics", "traces"))
    logs.resource_logs.add().scope_logs.add().log_records.add().attributes.add(key=key)
    traces.resource_spans.add().scope_spans.add().spans.add(name="rejected").attributes.add(key=key)
    gauge = metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="rejected").gauge
    gauge.data_points.add(time_unix_nano=time.time_ns()).attributes.add(key=key)
    for signal, request in (("logs", logs), ("metrics", metrics), ("traces", traces)):
        CHECKS.hold(f"a rejected record of {signal} is reported", post(server, signal, request.SerializeToString()), "OK alone")
    count = server.sql("SELECT count(*) AS n FROM dead_letters")[0]["n"]
    CHECKS.expect("dead letters", count, 3)


def numbers_of(hows):
    """The rows of docs/conformance.md that a sender is a client of, by how it sent."""
    starts = {"grpc": 1, "http/json": 4, "http": 2}
    numbers = {next(number for start, number in starts.items() if how.startswith(start)) for how in hows}
    return sorted(numbers | ({5} if any("gzip" in how for how in hows) else set()))


def check_senders(server, said, wire, when):
    """What each sender says it sent is there."""
    for sent in said:
        name, before = sent["service"], len(CHECKS.wrong)
        check_said(server, [sent])
        complaints = CHECKS.wrong[before:]
        for number in numbers_of({how for _, _, how in wire[name]}):
            CHECKS.row(number, f"what it says it sent is stored, {when}", name, complaints)


def check_wire(server, wire, when):
    """Every field of every record that went over the wire, and nothing else."""
    wanted = {table: [] for table in ALL_TABLES}
    for requests in wire.values():
        for signal, body, _ in requests:
            for table, of_table in rows(signal, body).items():
                wanted[table] += of_table
    found = stored(server, ALL_TABLES)
    for table in ALL_TABLES:
        texts = difference(wanted[table], found[table])
        for text in texts:
            print(f"WRONG {table} {when}: {text}")
        CHECKS.row(54, f"{table}: every field of every record, {when}", "all SDKs, rotel, curl", texts)
        print(f"{table} {when}: {len(wanted[table])} rows sent, {len(found[table])} found")
    return found


def check_fields(wire, found):
    """No field is left out, neither by the senders nor by the comparison."""
    requests = [(signal, body) for of_sender in wire.values() for signal, body, _ in of_sender]
    CHECKS.expect("fields of OTLP that nobody sent", fields.never_sent(requests), [])
    changed, unseen = 0, []
    for signal, body, _ in wire["every-grpc"]:
        request = REQUESTS[signal].FromString(body)
        own = {table: [row for row in found[table] if is_own(row)] for table in TABLES[signal]}
        same = rows(signal, request)
        CHECKS.hold(f"{signal} as sent", not any(difference(same[table], own[table]) for table in own), "differ")
        for path, other in fields.changes(request):
            changed += 1
            differing = rows(signal, other)
            if not any(difference(differing[table], own[table]) for table in own):
                unseen.append(path)
    print(f"{changed} fields were changed one by one")
    CHECKS.row(54, "a change of any one field is noticed", "Python, protobuf", unseen)


def is_own(row):
    """Whether a row is one of `every-grpc`; exemplars say so by their series."""
    return row["service_name"] == "every-grpc" if "service_name" in row else "s:every-grpc" in str(row["series"])


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn", required=True)
    parser.add_argument("--node", required=True, help="the folder where node_modules was installed")
    parser.add_argument("--rust-sender", required=True)
    parser.add_argument("--readme-sender", required=True, help="the compiled Rust snippet of the README")
    return parser.parse_args()


def main():
    options = arguments()
    folder = tempfile.mkdtemp(prefix="cairn-sdk-")
    server = Server(options.cairn, os.path.join(folder, "data"))
    server.start()
    said, wire = send_sdks(server, options, folder)
    wire |= send_everything(server)
    wire["curl"] = send_examples(server)
    send_rejected(server)
    check_senders(server, said, wire, "from the buffer")
    relays = Relays(server)
    run_snippets(server, relays, options, folder)
    wire["readme"] = relays.requests()
    check_wire(server, wire, "from the buffer")
    CHECKS.expect("clean shutdown", server.stop(), 0)
    server.start()
    check_senders(server, said, wire, "from segments")
    found = check_wire(server, wire, "from segments")
    check_fields(wire, found)
    with CHECKS.section(55, "the segment files hold what SQL answers", "DuckDB"):
        check_files(server)
    CHECKS.expect("second shutdown", server.stop(), 0)
    CHECKS.end(folder)


main()
