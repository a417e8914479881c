"""The `ingest` benchmark: what a log record costs the server, durability on, everything flushed to Parquet.

`ingest.py --cairn BINARY [--records 2000000] [--batch 1000] [--senders 4]`. Seeded requests over OTLP/HTTP, each with
bytes of its own so that nothing is taken for a retry. Prints records/s, the server's CPU seconds for a million
records (user and system, flush and shutdown included), the acknowledgement's percentiles, peak resident
memory, and bytes on disk a record.
"""

import argparse
import http.client
import os
import random
import shutil
import sys
import tempfile
import threading
import time

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "harness"))
from server import Server  # noqa: E402

MARK = b"request-000000000"
ROUTES = ["/cart", "/cart/items", "/checkout", "/pay", "/products", "/products/search", "/login", "/orders"]
BODIES = [
    "served {route} in {ms} ms for customer {customer}",
    "payment {customer} declined by provider after {ms} ms: timeout",
    "cache miss for product {customer}, loading from database",
    "order {customer} placed, {n} items, queue depth {ms}",
]


def attribute(owner, key, value):
    item = owner.attributes.add()
    item.key = key
    if isinstance(value, int):
        item.value.int_value = value
    elif isinstance(value, float):
        item.value.double_value = value
    else:
        item.value.string_value = value


def template(rng, batch, base):
    """One request of `batch` records of about 300 bytes: 80 resources, 2-7 attributes, 30 % with trace ids."""
    request = ExportLogsServiceRequest()
    for part in range(4):
        group = request.resource_logs.add()
        pod = rng.randrange(80)
        attribute(group.resource, "service.name", f"service-{pod % 16}")
        attribute(group.resource, "k8s.pod.name", f"service-{pod % 16}-7f9c4-{pod}")
        attribute(group.resource, "host.name", f"node-{pod % 8}")
        attribute(group.resource, "service.version", "3.14.2")
        if part == 0:
            attribute(group.resource, "telemetry.sdk.name", MARK.decode())
        scope = group.scope_logs.add()
        scope.scope.name = "shop.http"
        for _ in range(batch // 4):
            record(rng, scope.log_records.add(), base)
    return request.SerializeToString()


def record(rng, row, base):
    row.time_unix_nano = base + rng.randrange(0, 600_000_000_000)
    row.observed_time_unix_nano = row.time_unix_nano + 1_000_000
    row.severity_number = rng.choices([5, 9, 13, 17], [20, 70, 7, 3])[0]
    row.severity_text = {5: "DEBUG", 9: "INFO", 13: "WARN", 17: "ERROR"}[row.severity_number]
    route, customer, ms = rng.choice(ROUTES), rng.randrange(100_000), rng.randrange(1, 3000)
    row.body.string_value = rng.choice(BODIES).format(route=route, customer=customer, ms=ms, n=ms % 9)
    wanted = [
        ("http.route", route), ("http.response.status_code", rng.choice([200, 200, 200, 404, 500])),
        ("customer.id", customer), ("duration_ms", ms / 7), ("http.request.method", rng.choice(["GET", "POST"])),
        ("thread.name", f"worker-{ms % 16}"), ("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64)"),
    ]
    for key, value in wanted[: rng.randrange(2, 8)]:
        attribute(row, key, value)
    if rng.random() < 0.3:
        row.trace_id, row.span_id = rng.randbytes(16), rng.randbytes(8)


def cpu_seconds(process):
    with open(f"/proc/{process}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_bytes(process):
    with open(f"/proc/{process}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def folder_bytes(folder):
    walked = os.walk(folder)
    return sum(os.path.getsize(os.path.join(at, name)) for at, _, names in walked for name in names)


def sender(server, templates, numbers, waits, pace):
    link = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=60)
    for number in numbers:
        body = templates[number % len(templates)].replace(MARK, b"request-%09d" % number)
        while True:
            started = time.perf_counter()
            link.request("POST", "/v1/logs", body, {"content-type": "application/x-protobuf"})
            answer = link.getresponse()
            text = answer.read()
            if answer.status == 200 and not text:
                break
            if answer.status not in (429, 503):
                raise RuntimeError(f"{answer.status} {text!r}")
            time.sleep(float(answer.headers["retry-after"]))
        waits.append(time.perf_counter() - started)
        if pace:
            time.sleep(max(0.0, pace - waits[-1]))
    link.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn", required=True)
    parser.add_argument("--records", type=int, default=2_000_000)
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--senders", type=int, default=4)
    parser.add_argument("--rate", type=int, default=0, help="records/s over all senders; 0 is as fast as it goes")
    parser.add_argument("--keep", help="leave the data in this folder")
    options = parser.parse_args()
    rng = random.Random(1)
    base = time.time_ns() - 1_200_000_000_000
    templates = [template(rng, options.batch, base) for _ in range(max(8, 64_000 // options.batch))]
    folder = options.keep or tempfile.mkdtemp(prefix="cairn-ingest-")
    server = Server(options.cairn, os.path.join(folder, "data"))
    os.makedirs(folder, exist_ok=True)
    server.start()
    requests = options.records // options.batch
    waits = []
    pace = options.senders * options.batch / options.rate if options.rate else 0
    shares = [range(each, requests, options.senders) for each in range(options.senders)]
    threads = [threading.Thread(target=sender, args=(server, templates, share, waits, pace)) for share in shares]
    process = server.process.pid
    before, started = cpu_seconds(process), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - started
    peak = peak_bytes(process)
    children = os.times().children_user + os.times().children_system
    server.stop()
    total_cpu = os.times().children_user + os.times().children_system - children - before
    stored = requests * options.batch
    waits.sort()
    size = sum(map(len, templates)) / len(templates) / options.batch
    print(f"{stored} records of {size:.0f} bytes in requests of {options.batch}, {options.senders} senders")
    print(f"{stored / elapsed:,.0f} records/s, {requests / elapsed:,.0f} requests/s")
    print(f"{total_cpu / stored * 1e6:.2f} CPU seconds of the server for a million records")
    print(f"acknowledged after {waits[len(waits) // 2] * 1e3:.1f} ms (p50), {waits[int(len(waits) * 0.99)] * 1e3:.1f} ms (p99)")
    print(f"{peak / 2**20:.0f} MiB resident at most")
    print(f"{folder_bytes(os.path.join(server.data_dir, 'bucket')) / stored:.1f} bytes on disk a record")
    if not options.keep:
        shutil.rmtree(folder, ignore_errors=True)


main()
