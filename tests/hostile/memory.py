"""Little memory: heavy statements and ingest as fast as it is taken, in a memory control group, with values of 1 MiB.

`memory.py --cairn BINARY`: the server gets 1 GiB (`--limit`). Sixteen clients ask what sorts, groups and joins everything; two send
as fast as they are answered; a steady client's times are measured alone and beside them. The process lives, whatever was
acknowledged is there, and a statement is answered or told what to change. The default budgets are what is tried: a
server finds out by itself how much memory there is.
"""

import argparse
import http.client
import json
import os
import shutil
import sys
import tempfile
import threading
import time

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))
from beside import MIB, Meter, Steady  # noqa: E402
from checks import Checks  # noqa: E402
from server import Server  # noqa: E402

NUMBER, CLIENT = "3.3", "http.client of Python"
CLIENTS = 16
SENDERS = 2
RECORDS = 1_000
LARGE_VALUES = 300
# As long as a mark that stands in a body and is replaced in every request, so that no two are the same.
MARK = b"mark-0000000000000000"
STATEMENTS = [
    "SELECT * FROM logs ORDER BY body, timestamp LIMIT 100000",
    "SELECT trace_id, count(*), max(body) FROM logs GROUP BY trace_id ORDER BY 2 DESC LIMIT 10",
    "SELECT a.body FROM logs a JOIN logs b ON a.trace_id = b.trace_id ORDER BY a.body DESC LIMIT 10",
    "SELECT count(DISTINCT body) FROM logs",
    "SELECT service_name, array_agg(body) FROM logs GROUP BY service_name",
    "SELECT max(attributes['large']), min(attributes['large']) FROM logs",
    "SELECT attributes['large'], count(*) FROM logs GROUP BY 1",
    "SELECT body, row_number() OVER (PARTITION BY attributes['user'] ORDER BY body) FROM logs ORDER BY 2 DESC LIMIT 10",
    "SELECT count(*) FROM logs WHERE body LIKE '%9f%' AND attributes['large'] NOT LIKE '%zz%'",
]


def record(records, number):
    one = records.add()
    one.time_unix_nano = time.time_ns()
    one.severity_number = 9
    one.body.string_value = f"user {number} paid {number * 37 % 9973} cents for order {os.urandom(8).hex()} at {os.urandom(4).hex()}"
    one.trace_id = os.urandom(16)
    for key, value in [("user", f"u-{number % 5000}"), ("mark", MARK.decode())]:
        attribute = one.attributes.add()
        attribute.key, attribute.value.string_value = key, value
    return one


def request(large=0):
    """A request of `RECORDS` records, or of `large` ones with a value of 1 MiB each, as bytes."""
    message = ExportLogsServiceRequest()
    group = message.resource_logs.add()
    label = group.resource.attributes.add()
    label.key, label.value.string_value = "service.name", "pressed"
    records = group.scope_logs.add().log_records
    for number in range(large or RECORDS):
        one = record(records, number)
        if large:
            attribute = one.attributes.add()
            attribute.key, attribute.value.string_value = "large", os.urandom(MIB // 2 - 512).hex()
    return message.SerializeToString()


class Sender(threading.Thread):
    """Sends until it is told to end, and counts what was acknowledged."""

    def __init__(self, port, name):
        super().__init__(daemon=True)
        self.port, self.name = port, name
        self.bodies = [request() for _ in range(4)]
        self.acknowledged, self.told, self.wrong = 0, 0, []
        self.ending = threading.Event()

    def run(self):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        number = 0
        while not self.ending.is_set():
            body = self.bodies[number % len(self.bodies)].replace(MARK, f"{self.name}{number:020d}".encode()[: len(MARK)])
            number += 1
            # The same request again until it is taken, as senders do.
            while not self.ending.is_set():
                status, text = post(link, body)
                if status == 200:
                    self.acknowledged += RECORDS
                    break
                if status not in (429, 503):
                    self.wrong.append(f"{status} {text[:200]!r}")
                    break
                self.told += 1
                time.sleep(0.05)

    def end(self):
        self.ending.set()
        self.join()


def post(link, body):
    link.request("POST", "/v1/logs", body, {"content-type": "application/x-protobuf"})
    answer = link.getresponse()
    return answer.status, answer.read()


class Client(threading.Thread):
    """Asks one statement after another."""

    def __init__(self, port, first, until):
        super().__init__(daemon=True)
        self.port, self.next, self.until = port, first, until
        self.answered, self.refused, self.wrong = 0, {}, []

    def run(self):
        while time.monotonic() < self.until:
            statement = STATEMENTS[self.next % len(STATEMENTS)]
            self.next += 1
            try:
                self.ask(statement)
            except (OSError, http.client.HTTPException) as error:
                self.wrong.append(f"{statement}: {error!r}")
                time.sleep(0.5)

    def ask(self, statement):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        headers = {"content-type": "application/json", "accept": "application/x-ndjson"}
        link.request("POST", "/api/v1/sql", json.dumps({"sql": statement, "timeout_ms": 20_000}), headers)
        answer = link.getresponse()
        text = answer.read() if answer.status != 200 else self.last(answer)
        if answer.status == 200:
            problem = json.loads(text).get("error")
            self.answered += problem is None
        else:
            problem = json.loads(text)
        if problem is not None:
            kind = str(problem.get("type", problem))
            self.refused[kind] = self.refused.get(kind, 0) + 1
            if not problem.get("detail"):
                self.wrong.append(f"{statement}: {answer.status} {text[:300]!r} does not say what to do")
        link.close()

    @staticmethod
    def last(answer):
        """The last line of a stream, which says how it ended, without holding the stream."""
        last, rest = b"", b""
        while piece := answer.read(1 << 18):
            *lines, rest = (rest + piece).split(b"\n")
            last = lines[-1] if lines else last
        return rest or last


class Group:
    """A memory control group of this run, of the first or the second version."""

    def __init__(self, limit_bytes):
        name = f"cairn-memory-{os.getpid()}"
        second = "/sys/fs/cgroup"
        is_first = os.path.isdir("/sys/fs/cgroup/memory")
        self.path = os.path.join("/sys/fs/cgroup/memory" if is_first else second, name)
        limit, self.events = ("memory.limit_in_bytes", "memory.oom_control") if is_first else ("memory.max", "memory.events")
        os.mkdir(self.path)
        with open(os.path.join(self.path, limit), "w", encoding="ascii") as file:
            file.write(str(limit_bytes))

    def wrapper(self):
        """A command that joins the group and becomes what follows it."""
        return ["sh", "-c", f'echo $$ > {self.path}/cgroup.procs && exec "$@"', "sh"]

    def killed(self):
        with open(os.path.join(self.path, self.events), encoding="ascii") as file:
            counts = dict(line.split() for line in file)
        return int(counts.get("oom_kill", 0))

    def remove(self):
        os.rmdir(self.path)


class Confined(Server):
    """A server whose wrapper became the server itself."""

    def server_process_id(self):
        return self.process.pid


def fill(server):
    link = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=60)
    for _ in range(LARGE_VALUES // 10):
        body = request(large=10)
        while (status := post(link, body)[0]) in (429, 503):
            time.sleep(0.1)
        assert status == 200, status
    return LARGE_VALUES // 10 * 10


def press(server, seconds):
    """The load; its clients and senders after it."""
    until = time.monotonic() + seconds
    clients = [Client(server.api_port, number, until) for number in range(CLIENTS)]
    senders = [Sender(server.http_port, name) for name in "ab"[:SENDERS]]
    for thread in senders + clients:
        thread.start()
    for client in clients:
        client.join()
    for sender in senders:
        sender.end()
    return clients, senders


def judge(checks, clients, senders):
    """What clients and senders saw; how many records were acknowledged."""
    refused = {}
    for client in clients:
        for kind, count in client.refused.items():
            refused[kind] = refused.get(kind, 0) + count
    answered = sum(client.answered for client in clients)
    wrong = [each for client in clients for each in client.wrong]
    checks.hold(f"{answered} statements answered, refused with what to change: {refused}", answered > 0 and not wrong, wrong[:3])
    taken = sum(sender.acknowledged for sender in senders)
    wrong = [each for sender in senders for each in sender.wrong]
    checks.hold(f"{taken} records acknowledged, {sum(sender.told for sender in senders)} times told to come back", taken > 0 and not wrong, wrong[:3])
    return taken


def attack(options, folder, checks, group):
    server = Confined(options.cairn, os.path.join(folder, "data"), options.set, group.wrapper())
    server.start()
    try:
        large = fill(server)
        meter = Meter(server.process.pid)
        meter.start()
        steady = Steady(server, None)
        steady.phase("quiet")
        time.sleep(5)
        steady.phase("pressed")
        clients, senders = press(server, options.seconds)
        phases = steady.end()
        meter.end()
        taken = judge(checks, clients, senders)
        lives = server.process.poll() is None
        said = f"the process lives, at most {meter.peak_bytes // MIB} MiB resident"
        if not checks.hold(said, lives, f"{group.killed()} kills for memory"):
            return
        for phase, seen in phases.items():
            checks.expect(f"the steady client, {phase}: p50 {seen['p50']:.4f} s, p99 {seen['p99']:.4f} s, wrong", seen["examples"], [])
        steady_records = 10 * sum(seen["acknowledged"] for seen in phases.values())
        found = server.sql("SELECT count(*) AS n FROM logs")[0]["n"]
        checks.expect("every acknowledged record is there", found, large + taken + steady_records)
        checks.expect("a clean shutdown", server.stop(), 0)
    finally:
        server.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn", required=True)
    parser.add_argument("--limit", type=int, default=1024, help="MiB")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--set", action="append", default=[], help="a setting of the server")
    options = parser.parse_args()
    checks = Checks(is_loud=True)
    what = f"heavy statements beside ingest in {options.limit} MiB, values of 1 MiB included"
    try:
        group = Group(options.limit * MIB)
    except OSError as error:
        checks.skip(NUMBER, what, CLIENT, f"no control group of memory can be made: {error}")
        sys.exit(checks.close())
    folder = tempfile.mkdtemp(prefix="cairn-memory-")
    try:
        with checks.section(NUMBER, what, CLIENT):
            attack(options, folder, checks, group)
    finally:
        group.remove()
    code = checks.close()
    if code == 0:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"data and log are kept in {folder}")
    sys.exit(code)


main()
