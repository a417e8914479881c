"""SQL of tenants that want out: `sql.py --cairn BINARY [--fuzz N] [--seed S] [--deadline MS] [--only CATEGORY]`.

Two tenants with rows of their own ask everything that `corpus.py` knows, then random statements (`grammar.py`). Whatever they ask:
the server stays the same process and healthy; every answer comes within its deadline and holds nothing of the other tenant, of
files or of this machine; an escape is refused; memory stays within its bound; and a third client's records are
acknowledged all the time.
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
import urllib.request

import pyarrow
import pyarrow.parquet

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "harness"), os.path.join(HERE, "..", "crash")]
from asking import Asker, Attack, ask  # noqa: E402
from beside import MIB, Meter, Steady, is_ready, keyed_server, metrics, total  # noqa: E402
from case import Case, World  # noqa: E402
from checks import Checks  # noqa: E402
from corpus import statements  # noqa: E402
from grammar import Grammar  # noqa: E402
from otlp_rows import REQUESTS  # noqa: E402
from records import attribute, build, generations  # noqa: E402

TENANTS = ("vermilion", "turquoise")

# query.memory_bytes, storage.memory_bytes and storage.compaction_memory_bytes by default, and what code, catalog, caches,
# stacks, answers on their way and an allocator that gives back late may take; and what an aggregate with an order copies of
# the values that it holds, a few times over and without yielding, after the last look at it.
MEMORY_BYTES = (512 + 384 + 192 + 1_536) * MIB

# Who asks, in docs/conformance.md.
CLIENT = "two tenants, POST /api/v1/sql"

# Time beside the deadline: this machine may be busy with other things, the client is slow.
GRACE_SECONDS = 4

# Statements whose threads must have ended this long after the last answer.
ENDING_SECONDS = 15


def post(port, path, body, key, content_type):
    headers = {"content-type": content_type, "authorization": f"Bearer {key}"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def telemetry(signal, first, count, canary):
    """A request whose every record carries the canary; for logs also one that is refused."""
    generation = generations(2)[1]
    message = REQUESTS[signal]()
    message.ParseFromString(build(signal, 1, first, count, generation, random.Random(first)))
    group = getattr(message, {"logs": "resource_logs", "metrics": "resource_metrics", "traces": "resource_spans"}[signal])[0]
    attribute(group.resource.attributes, "canary", canary)
    if signal == "logs":
        for record in group.scope_logs[0].log_records:
            record.body.string_value += f" {canary}"
        refused = group.scope_logs[0].log_records.add()
        refused.time_unix_nano = 2**63
        refused.body.string_value = canary
    return message.SerializeToString()


def fill(server, keys, canaries):
    """Rows of both tenants, some in segments and some in buffers."""
    for tenant, canary in canaries.items():
        key = keys[tenant]
        for round_ in range(2):
            for signal, count in (("logs", 1_500), ("traces", 300), ("metrics", 300)):
                body = telemetry(signal, round_ * 10_000, count, canary)
                post(server.http_port, f"/v1/{signal}", body, key, "application/x-protobuf")
            if round_ == 0:
                post(server.api_port, "/api/v1/flush", b"", key, "application/json")


def secrets(folder, word):
    """Files beside the data folder that must never be read."""
    paths = {name: os.path.join(folder, name) for name in ("secret.txt", "secret.csv", "secret.parquet")}
    for name in ("secret.txt", "secret.csv"):
        with open(paths[name], "w", encoding="ascii") as file:
            file.write(f"line\n{word}\n")
    pyarrow.parquet.write_table(pyarrow.table({"line": [word]}), paths["secret.parquet"])
    return paths


def segments(data_dir, tenant):
    """The Parquet files of a tenant."""
    found = []
    for at, _, names in os.walk(os.path.join(data_dir, "bucket")):
        found += [os.path.join(at, name) for name in names if name.endswith(".parquet") and f"tenant={tenant}" in at]
    return sorted(found)


class Run:
    """One server, two askers, and what is watched."""

    def __init__(self, options, folder, checks):
        self.options, self.checks = options, checks
        self.server, self.keys = keyed_server(options.cairn, folder, [*TENANTS, "steady"])

    def start(self, folder):
        """Starts the server and fills it."""
        self.server.start()
        self.canaries = {tenant: f"canary-{tenant}-{random.getrandbits(64):x}" for tenant in TENANTS}
        secret = f"secret-{random.getrandbits(64):x}"
        paths = secrets(folder, secret)
        fill(self.server, self.keys, self.canaries)
        self.meter = Meter(self.server.process.pid)
        self.meter.start()
        self.started = time.monotonic()
        self.askers = [self.asker(index, secret, paths) for index in range(2)]
        self.attack = Attack(self.askers, self.options.deadline, GRACE_SECONDS, self.meter)
        other = TENANTS[1]
        self.world = World(
            data_dir=self.server.data_dir,
            secret=paths["secret.txt"],
            secret_csv=paths["secret.csv"],
            secret_parquet=paths["secret.parquet"],
            segment=segments(self.server.data_dir, other)[0],
            other=other,
            http_port=self.server.http_port,
        )

    def asker(self, index, secret, paths):
        """A tenant, and what it must not read; of paths, because a statement may name them, only what is unnamed."""
        tenant, other = TENANTS[index], TENANTS[1 - index]
        forbidden = [self.canaries[other].encode(), secret.encode(), self.keys[other].encode()]
        return Asker(tenant, self.keys[tenant], self.server.api_port, forbidden)

    def controls(self):
        """What the checks look for is found where it is."""
        own = Case("control", "name", "SELECT body FROM logs LIMIT 5")
        for asker in self.askers:
            answer = ask(asker, own, 20_000, 60)
            self.checks.hold(f"control: {asker.name} reads its rows", self.canaries[asker.name].encode() in answer.head)
            blind = Asker(asker.name, asker.key, asker.port, [self.canaries[asker.name].encode()])
            self.checks.hold("control: a canary in an answer is found", bool(ask(blind, own, 20_000, 60).leaks))
        told = Case("control", "name", "SELECT concat('/', 'etc/passwd', ' root:', 'x:0:0')")
        found = ask(self.askers[0], told, 20_000, 60).leaks
        self.checks.expect("control: a path and an account in an answer are found", sorted(found), ["/etc/passwd", "root:x:0:0"])
        self.checks.hold("control: rows lie in segments", os.path.getsize(self.world.segment) > 0)

    def ended(self):
        """Waits until no statement holds a thread any more; how many still do."""
        deadline = time.monotonic() + ENDING_SECONDS
        while True:
            samples = metrics(self.server, self.keys[TENANTS[0]])
            left = total(samples, "query_running_statements") + total(samples, "query_ending_lanes")
            if left == 0 or time.monotonic() > deadline:
                return left
            time.sleep(0.25)

    def report(self, name, cases):
        """The checks of one round."""
        attack = self.attack
        asked = sum(tally.asked for tally in attack.tallies.values())
        for category, tally in sorted(attack.tallies.items()):
            numbers = f"{tally.asked} asked, {tally.answered} answered, {tally.refused} refused, {tally.timed_out} timed out"
            wrong = [complaint for case, complaint in attack.findings if case.category.split(":")[0] == category]
            with self.checks.section("3.4", f"{name}: {category}", CLIENT):
                self.checks.hold(f"{name}: {category}: {numbers}, slowest {tally.slowest:.1f} s", not wrong, f"{wrong[:5]}")
        with self.checks.section("3.4", f"{name}: all answered, the same process, no thread left behind, memory within its bound", CLIENT):
            self.checks.expect(f"{name}: every statement has its answer", asked, cases)
            self.checks.hold(f"{name}: the same process, and ready", is_ready(self.server))
            self.checks.expect(f"{name}: threads of statements that still run", self.ended(), 0)
            peak = self.meter.peak_since(self.started)
            said = f"{name}: resident memory at most {peak // MIB} MiB of {MEMORY_BYTES // MIB}"
            self.checks.hold(said, peak <= MEMORY_BYTES, "see the statements below")
        for peak, seconds, status, case in sorted(attack.costs, key=lambda cost: -cost[0])[:5]:
            print(f"   {peak // MIB} MiB, {seconds:.1f} s, {status}: {case.sql[:150]!r}")
        attack.tallies, attack.costs, attack.findings = {}, [], []
        self.started = time.monotonic()

    def beside(self, phases):
        """The checks of the client that sent all the time."""
        for phase, seen in phases.items():
            numbers = f"{seen['acknowledged']} requests acknowledged, p50 {seen['p50']:.3f} s, p99 {seen['p99']:.3f} s, max {seen['max']:.2f} s"
            self.checks.expect(f"beside, {phase}: {numbers}", seen["wrong"], 0)
        acknowledged = sum(seen["acknowledged"] for seen in phases.values())
        rows = ask(Asker("steady", self.keys["steady"], self.server.api_port, []), Case("", "", "SELECT count(*) FROM logs"), 60_000, 90)
        found = int(json.loads(rows.head)["rows"][0][0])
        self.checks.expect("beside: every acknowledged record is there", found, acknowledged * 10)
        quiet, corpus = phases["quiet"]["p99"], phases["corpus"]["p99"]
        print(f"p99 of the client beside: {quiet:.4f} s quiet, {corpus:.4f} s under attack, ratio {corpus / quiet:.1f}")


def rounds(run, options):
    """The corpus, then the fuzzer."""
    steady = Steady(run.server, run.keys["steady"])
    try:
        steady.phase("quiet")
        time.sleep(options.quiet)
        steady.phase("corpus")
        cases = list(statements(run.world))
        if options.only:
            cases = [case for case in cases if options.only in case.category]
        else:
            run.checks.hold(f"the corpus has {len(cases)} different cases", len(cases) >= 500)
        # The order of the file would put all that is slow together.
        random.Random(1).shuffle(cases)
        run.attack.run(cases, options.threads)
        run.report("corpus", len(cases))
        if options.fuzz:
            steady.phase("fuzz")
            run.attack.milliseconds = min(options.deadline, 1_000)
            grammar = Grammar(options.seed, run.askers[0], cases)
            run.attack.run((grammar.case() for _ in range(options.fuzz)), options.threads)
            run.report(f"fuzzer, seed {options.seed}", options.fuzz)
    finally:
        phases = steady.end()
    with run.checks.section("3.4", "records sent beside it are acknowledged each time, and all are there", "http.client of Python"):
        run.beside(phases)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn", required=True)
    parser.add_argument("--fuzz", type=int, default=2_000, help="random statements")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--deadline", type=int, default=5_000, help="timeout_ms of the statements")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--quiet", type=int, default=5, help="seconds of the client beside without an attack")
    parser.add_argument("--only", help="cases whose category holds this")
    options = parser.parse_args()
    checks = Checks(is_loud=True)
    folder = tempfile.mkdtemp(prefix="cairn-sql-")
    run = Run(options, folder, checks)
    try:
        run.start(folder)
        run.controls()
        rounds(run, options)
        run.meter.end()
        checks.expect("a clean shutdown", run.server.stop(), 0)
    finally:
        run.server.end()
    code = checks.close()
    if code == 0:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(code)


main()
