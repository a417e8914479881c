"""The ledger: `ledger.py --cairn BINARY --node DIR --rust-sender BINARY [--records N] [--seed S]`.

`received = stored + deduplicated + rejected + quarantined`, for each tenant, signal and reason, over N random records of all
signals. Clients of many kinds (`senders.py`, `sdks.py`) send good and bad records to several tenants with their keys, with faults:
retries, vanished clients, cut requests, requests refused as a whole, memory that is used up, kill -9. The harness keeps books of its
own (`truth.py`) and compares them with /metrics at the end of every life that is not killed, with the rows and dead letters that SQL
counts at the start and end of every life, and at the end with every record's number. Then the limits are raised and `cairn
dead-letters replay` makes rows of what was too large, too old or had too many attributes, once, also over a kill on the way.

Controls come first: books with one record more or less, or with another reason, must be found wrong.
"""

import argparse
import multiprocessing
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), os.path.join(HERE, "..", "sdk")]
import everything  # noqa: E402
import sdks  # noqa: E402
from answers import difference, stored  # noqa: E402
from checks import Checks  # noqa: E402
from made import LIMITS, MENDED, SIGNALS, Maker, Request  # noqa: E402
from otlp_rows import rows  # noqa: E402
from senders import LINKS, RETRIED_STATUS, Work, post, run_worker  # noqa: E402
from server import Server  # noqa: E402
from truth import Books, Life  # noqa: E402

TENANTS = ["amber", "basalt", "coral"]
MEMORY = 20 << 20
SETTINGS = [
    "ingest.max_request_bytes=4194304",
    f"storage.memory_bytes={MEMORY}",
    "storage.flush_bytes=4194304",
    "storage.flush_age_seconds=2",
    "storage.wal_file_bytes=4194304",
]

# The share of the records that each client sends.
SHARES = {"grpc": 0.34, "http": 0.34, "raw": 0.18, "json": 0.13, "curl": 0.01}


class Run:
    """One data folder over many lives."""

    def __init__(self, options):
        self.options, self.rng = options, random.Random(options.seed)
        self.folder = tempfile.mkdtemp(prefix="cairn-ledger-")
        self.keys, self.operator = self.make_keys()
        config = ["--config", os.path.join(self.folder, "cairn.toml")]
        data_dir = os.path.join(self.folder, "data")
        self.server = Server(options.cairn, data_dir, SETTINGS + LIMITS, arguments=config)
        self.books, self.checks = Books(), Checks()
        self.first = dict.fromkeys(LINKS, 0)
        self.unanswered = {client: [] for client in LINKS}
        self.answered = {client: [] for client in LINKS}
        self.faults, self.complaints = Counter(), {client: [] for client in LINKS}
        self.records = self.lives = self.kills = 0

    def make_keys(self):
        """A settings file with a key for each tenant and one for the operator."""
        keys, entries = {}, []
        for tenant, scopes in [*((tenant, "ingest,query,operate") for tenant in TENANTS), ("operator", "operate")]:
            command = [self.options.cairn, "key", "new", "--tenant", tenant, "--name", tenant, "--scopes", scopes]
            made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            keys[tenant] = made.split("\n", 1)[0]
            entries.append(made[made.index("[[tenancy.keys]]") :])
        with open(os.path.join(self.folder, "cairn.toml"), "w", encoding="utf-8") as config:
            config.write("\n".join(entries))
        return keys, keys.pop("operator")

    def metrics(self):
        """`storage_records_total` by tenant, table, outcome and reason, once it stands still."""
        last = None
        for _ in range(100):
            url = f"http://127.0.0.1:{self.server.api_port}/metrics"
            request = urllib.request.Request(url, headers={"authorization": f"Bearer {self.operator}"})
            with urllib.request.urlopen(request, timeout=30) as answer:
                lines = answer.read().decode().splitlines()
            found = Counter()
            for line in lines:
                if line.startswith("storage_records_total{"):
                    labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
                    key = tuple(labels[name] for name in ("tenant", "signal", "outcome", "reason"))
                    found[key] = int(line.rsplit(" ", 1)[1])
            if found == last:
                return found
            last = found
            time.sleep(0.4)
        raise RuntimeError("/metrics does not come to rest")

    def tables(self):
        """Rows by tenant, table and client; letters by tenant, table, outcome and reason, those replayed not."""
        rows, letters = Counter(), Counter()
        for tenant, key in self.keys.items():
            for table in SIGNALS.values():
                for row in self.server.sql(f"SELECT service_name AS c, count(*) AS n FROM {table} GROUP BY 1", key):
                    rows[tenant, table, row["c"]] = row["n"]
            statement = "SELECT signal AS s, outcome AS o, reason AS r, count(*) AS n FROM dead_letters GROUP BY 1, 2, 3"
            for row in self.server.sql(statement, key):
                letters[tenant, row["s"], row["o"], row["r"]] = row["n"]
        return rows, letters

    def check_tables(self):
        complaints = []
        unanswered = [request for requests in self.unanswered.values() for request in requests]
        self.books.check(*self.tables(), unanswered, complaints.append)
        return complaints

    def live(self, records, is_killed, also=()):
        """One life: the clients send about `records`; `also` are done meanwhile, and say what is theirs in the books."""
        self.server.start()
        self.lives += 1
        at_start = self.check_tables()
        context = multiprocessing.get_context("fork")
        stop, results = context.Event(), context.Queue()
        works = [self.work(client, int(records * share) + 1) for client, share in SHARES.items()]
        workers = [context.Process(target=run_worker, args=(work, stop, results)) for work in works]
        for worker in workers:
            worker.start()
        life = Life()
        if is_killed:
            time.sleep(0.4 + self.rng.random() * 2)
            self.server.kill()
            self.kills += 1
            stop.set()
        for done in [results.get(timeout=900) for _ in workers]:
            self.take(done, life)
        for worker in workers:
            worker.join()
        if is_killed:
            return at_start
        for one in also:
            one(life)
        complaints = []
        life.check(self.metrics(), complaints.append)
        return at_start + complaints + self.check_tables()

    def work(self, client, records):
        ports = (self.server.grpc_port, self.server.http_port)
        answered = self.rng.sample(self.answered[client], min(5, len(self.answered[client])))
        self.first[client] += 1_000_000
        most = 60 if client == "curl" else 200
        return Work(
            client, self.options.seed, records, most, self.first[client], ports, self.keys, self.unanswered[client], answered
        )

    def take(self, done, life):
        life.add(done.life)
        for request in done.acknowledged:
            self.books.acknowledge(request)
            self.records += request.offered
        self.unanswered[done.client] = done.unanswered
        # A retry comes within the retry window and not after: the last requests only.
        self.answered[done.client] = done.acknowledged[-20:]
        self.faults.update(done.faults)
        self.complaints[done.client] += done.complaints

    def use_up_memory(self, life):
        """Holds bodies half-sent until a request is refused for want of memory; it is taken when they are gone."""
        maker = Maker("http", sorted(self.keys), False, self.rng, 900_000_000)
        probe = maker.request(8_000)
        headers = {"content-type": "application/x-protobuf", "authorization": f"Bearer {self.keys[probe.tenant]}"}

        def send():
            return post(self.server.http_port, f"/v1/{probe.signal}", probe.body, headers)[0]

        statuses, held = [], []
        # A flush may make room between two looks: only one that finds none counts.
        for _ in range(20):
            held += self.hold_memory(self.keys[probe.tenant])
            statuses.append(send())
            if statuses[-1] in RETRIED_STATUS:
                break
        for link in held:
            link.close()
        deadline = time.monotonic() + 30
        while statuses[-1] != 200 and time.monotonic() < deadline:
            time.sleep(0.05)
            statuses.append(send())
        # The first that was taken is stored, each other one a retry.
        life.stored(probe)
        for _ in range(statuses.count(200) - 1):
            life.deduplicated(probe)
        self.books.acknowledge(probe)
        refusals = [status for status in statuses if status in RETRIED_STATUS]
        self.faults["later"] += len(refusals)
        wrong = [] if refusals and set(statuses) <= {200, *RETRIED_STATUS} and statuses[-1] == 200 else [f"{statuses}"]
        self.checks.row("3.2", "a request without memory for it is refused, not counted, and taken later", "http", wrong)

    def hold_memory(self, key):
        """Connections that have sent all of a request but its last byte, ever smaller ones: a large one that does not
        fit any more is refused and gives back what it has."""
        held, threads = [], []
        for size in [size for size in (4 << 20, 1 << 20, 256 << 10, 64 << 10, 16 << 10, 4 << 10) for _ in range(8)]:
            head = f"POST /v1/logs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
            head += f"content-type: application/x-protobuf\r\ncontent-length: {size}\r\n\r\n"
            held.append(socket.create_connection(("127.0.0.1", self.server.http_port), timeout=20))
            threads.append(threading.Thread(target=push, args=(held[-1], head.encode() + b"\x0a" * (size - 1))))
            threads[-1].start()
            time.sleep(0.01)
        for thread in threads:
            thread.join()
        return held

    def run_sdks(self, life):
        count = min(2_000, max(200, self.options.records // 200))
        attempts, problems = sdks.run(self.server, self.options, self.keys, count, self.folder)
        for client, requests in attempts.items():
            known = set()
            wrong = [problem for problem in problems if problem.startswith(f"{client} ")]
            for request in requests:
                if (request.signal, request.body) in known:
                    life.deduplicated(request)
                    self.faults["again"] += 1
                    continue
                known.add((request.signal, request.body))
                life.stored(request)
                self.books.acknowledge(request)
                self.records += request.offered
            signals = {request.signal for request in requests}
            if signals != set(SIGNALS):
                wrong.append(f"it sent {sorted(signals)} only")
            print(f"{client}: {len(requests)} requests, {len(requests) - len(known)} of them retries")
            self.complaints[client] = wrong

    def check_clients(self):
        """Each client's records are rows or dead letters, once, and its answers told the truth."""
        rows, _ = self.tables()
        wanted = self.books.rows
        for client, complaints in self.complaints.items():
            own = {key: count for key, count in (rows | wanted).items() if key[2] == client}
            wrong = [f"{key}: {rows[key]} found, {wanted[key]} sent" for key in own if rows[key] != wanted[key]]
            self.checks.row("3.2", "every record is a row or a dead letter, once", client, complaints + wrong)

    def check_numbers(self):
        """No record is there twice: the numbers of a client's records differ."""
        wrong = []
        clients = ", ".join(f"'{client}'" for client in LINKS)
        for tenant, key in self.keys.items():
            for table in SIGNALS.values():
                number = "value_int" if table == "metrics" else "attributes['n']"
                statement = f"SELECT service_name AS c, count(*) AS n, count(DISTINCT {number}) AS d FROM {table} "
                for row in self.server.sql(statement + f"WHERE service_name IN ({clients}) GROUP BY 1", key):
                    if row["n"] != row["d"]:
                        wrong.append(f"{tenant}/{table}/{row['c']}: {row['n']} rows, {row['d']} numbers")
        self.checks.row("3.2", "no record is there twice", "SQL", wrong)

    def check_letters(self):
        """Every reason of every tenant's signal, as SQL has it."""
        _, letters = self.tables()
        for reason in sorted({key[3] for key in self.books.letters}):
            keys = [key for key in {*letters, *self.books.letters} if key[3] == reason]
            wrong = [f"{key}: {letters[key]} found, {self.books.letters[key]} sent" for key in keys]
            wrong = [text for key, text in zip(keys, wrong) if letters[key] != self.books.letters[key]]
            self.checks.row("3.2", f"dead letters for {reason}", "SQL", wrong)

    def command(self, key):
        """The command that offers a tenant's dead letters again."""
        url = f"http://127.0.0.1:{self.server.api_port}"
        return [self.options.cairn, "dead-letters", "replay", "--key", key, "--url", url]

    def replay(self):
        """The limits are raised: what they refused becomes rows, once, and the rest stays and is told. The first time the
        server is killed on the way."""
        expect(self.server.stop() == 0, "a clean stop")
        self.server.settings = SETTINGS
        self.server.start()
        under_way = [
            subprocess.Popen(self.command(key), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for key in self.keys.values()
        ]
        time.sleep(self.rng.random() * 0.3)
        self.server.kill()
        self.kills += 1
        for process in under_way:
            process.wait(timeout=60)
        self.server.start()
        for attempt in ("replay after a kill in one", "second replay"):
            _, before = self.tables()
            marks = Counter({key: count for key, count in before.items() if key[2] == "replayed"})
            print(f"{sum(marks.values())} dead letters are rows before the {attempt}")
            wrong = []
            for tenant, key in self.keys.items():
                own = {name: count for name, count in self.books.letters.items() if name[0] == tenant}
                mended = sum(count for name, count in own.items() if name[3] in MENDED)
                done = sum(count for name, count in marks.items() if name[0] == tenant)
                rest = sum(own.values()) - mended
                wanted = f"{mended - done} of {mended - done + rest} dead letters are rows now"
                told = subprocess.run(self.command(key), capture_output=True, text=True, check=False)
                if told.stdout.split("\n", 1)[0] != wanted or told.returncode != (1 if rest else 0):
                    wrong.append(f"{tenant}: wanted {wanted!r}, told {told.stdout!r} {told.stderr!r}")
            wrong += self.check_replayed(marks)
            what = "mended dead letters become rows, once, and the rest is told"
            self.checks.row("3.2", what, f"cairn dead-letters ({attempt})", wrong)
            expect(self.server.stop() == 0, "a clean stop")
            self.server.start()

    def check_replayed(self, marks):
        """Rows, letters and marks add up, and so does what /metrics tells of a life with a replay alone, before which there
        were `marks`."""
        rows, letters = self.tables()
        told = self.metrics()
        wrong = []
        for tenant in self.keys:
            for table in SIGNALS.values():
                mended = {key[3]: n for key, n in self.books.letters.items() if key[:2] == (tenant, table) and key[3] in MENDED}
                sent = sum(count for key, count in self.books.rows.items() if key[:2] == (tenant, table))
                found = sum(count for key, count in rows.items() if key[:2] == (tenant, table))
                if found != sent + sum(mended.values()):
                    wrong.append(f"{tenant}/{table}: {found} rows, {sent} were stored and {mended} mended")
                in_life = {reason: n - marks[tenant, table, "replayed", reason] for reason, n in mended.items()}
                for reason, count in mended.items():
                    for what, have, want in [
                        ("marks", letters[tenant, table, "replayed", reason], count),
                        ("letters", letters[tenant, table, "rejected", reason], count),
                        ("told as replayed", told[tenant, table, "replayed", reason], in_life[reason]),
                    ]:
                        if have != want:
                            wrong.append(f"{tenant}/{table}/{reason}: {have} {what}, {want} wanted")
                stored, received = (told[tenant, table, outcome, ""] for outcome in ("stored", "received"))
                if not stored == received == sum(in_life.values()):
                    wrong.append(f"{tenant}/{table}: {received} received, {stored} stored, {in_life} replayed")
        return wrong


def check_fields(options, folder, checks):
    """Requests with every field of OTLP, whose records are all refused at first: replayed, they are what was sent."""
    server = Server(options.cairn, os.path.join(folder, "fields"), ["ingest.max_attributes=1"])
    server.start()
    wanted, wrong = {}, []
    try:
        for signal, message in everything.requests("every-field").items():
            body = message.SerializeToString()
            post(server.http_port, f"/v1/{signal}", body, {"content-type": "application/x-protobuf"})
            for table, of_table in rows(signal, body).items():
                wanted.setdefault(table, []).extend(of_table)
        wrong += [f"{table} has rows already" for table in wanted if server.sql(f"SELECT 1 AS n FROM {table} LIMIT 1")]
        expect(server.stop() == 0, "a clean stop")
        server.settings = []
        server.start()
        command = [options.cairn, "dead-letters", "replay", "--url", f"http://127.0.0.1:{server.api_port}"]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        if told.returncode != 0:
            wrong.append(f"{told.stdout} {told.stderr}")
        found = stored(server, list(wanted))
        for table, of_table in wanted.items():
            wrong += difference(of_table, found[table])
            print(f"{table}: {len(of_table)} rows with every field sent, {len(found[table])} found after the replay")
    finally:
        server.end()
    checks.row("3.2", "a replayed record has every field that was sent", "cairn dead-letters", wrong)


def push(link, data):
    """Sends as much as the server takes."""
    try:
        link.sendall(data)
    except OSError:
        pass


def expect(holds, what):
    if not holds:
        raise RuntimeError(f"{what} failed")


def controls(checks):
    """The comparison finds what it should: one record more, one less, another reason, a retry stored twice."""
    request = Request("amber", "logs", "http", False, b"", 5, Counter(too_old=2))
    life = Life()
    life.stored(request)
    life.deduplicated(request)
    name = ("amber", "logs")
    right = {(*name, *rest): n for rest, n in {
        ("received", ""): 14, ("stored", ""): 5, ("rejected", "too_old"): 2, ("deduplicated", ""): 7,
    }.items()}  # fmt: skip
    false = [
        {("stored", ""): 6},
        {("stored", ""): 4},
        {("received", ""): 15, ("stored", ""): 6},
        {("rejected", "too_old"): 1, ("rejected", "too_deep"): 1},
        {("stored", ""): 10, ("rejected", "too_old"): 4, ("deduplicated", ""): 0},
        {("deduplicated", ""): 6, ("quarantined", "undecodable"): 1},
    ]
    unseen = []
    for changes in [{}, *false]:
        told, found = Counter(right | {(*name, *rest): n for rest, n in changes.items()}), []
        life.check(told, found.append)
        if bool(found) != bool(changes):
            unseen.append(f"{changes}: {found}")
    books, found = Books(), []
    books.acknowledge(request)
    rows = Counter({(*name, "http"): 5})
    for letters in ({"too_old": 2}, {"too_old": 3}, {"too_old": 1, "too_deep": 1}):
        found = []
        books.check(rows, Counter({(*name, "rejected", reason): n for reason, n in letters.items()}), [], found.append)
        if bool(found) != (letters != {"too_old": 2}):
            unseen.append(f"{letters}: {found}")
    checks.row("3.2", "false books are found out", "the harness", unseen)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn", required=True)
    parser.add_argument("--node", required=True, help="the folder where node_modules was installed")
    parser.add_argument("--rust-sender", required=True)
    parser.add_argument("--records", type=int, default=150_000)
    parser.add_argument("--seed", default=str(random.randrange(1 << 32)))
    return parser.parse_args()


def main():
    options = arguments()
    print(f"seed {options.seed}")
    started = time.monotonic()
    run = Run(options)
    controls(run.checks)
    complaints = []
    try:
        lives = max(2, min(8, options.records // 25_000))
        for number in range(lives):
            complaints += run.live(0.6 * options.records / lives, True)
            also = [run.use_up_memory, run.run_sdks] if number == 0 else []
            complaints += run.live(0.6 * options.records / lives, False, also)
            expect(run.server.stop() == 0, "a clean stop")
            print(f"{run.records} records after {time.monotonic() - started:.0f} s, {dict(run.faults)}", flush=True)
        while run.records < options.records:
            complaints += run.live(options.records - run.records, False)
            expect(run.server.stop() == 0, "a clean stop")
        run.server.start()
        complaints += run.check_tables()
        missing = [name for name in ("again", "vanish", "cut", "refused", "later") if not run.faults[name]]
        complaints += [f"no fault of the kind {name}" for name in missing]
        what = "received = stored + deduplicated + rejected + quarantined, by tenant, signal and reason"
        run.checks.row("3.2", what, "all", complaints)
        run.checks.row("13", "counts reconcile", "all", complaints)
        run.check_clients()
        run.check_letters()
        run.check_numbers()
        run.replay()
    finally:
        run.server.end()
    check_fields(options, run.folder, run.checks)
    checks = run.checks
    print(f"{run.records} records, {run.lives} lives, {run.kills} kills, {dict(run.faults)}, {time.monotonic() - started:.0f} s")
    code = checks.close()
    if code == 0:
        shutil.rmtree(run.folder, ignore_errors=True)
    else:
        print(f"the data folder is kept: {run.folder}")
    sys.exit(code)


if __name__ == "__main__":
    main()
