"""The `query` benchmark: the same questions to Cairn and to DuckDB, on the same Parquet files, in one run.

`query.py --cairn BINARY --data-dir FOLDER [--rounds 7]` over a folder that `load` filled (see docs/benchmarks.md).
Cairn is asked over HTTP and answers in Arrow; DuckDB runs in this process on a view over the segment files, with as
many threads. Rounds are interleaved; the median of each counts. Cold means that the page cache was dropped and
Cairn restarted (DuckDB: a new connection) before each question. Prints one row a question with the ratio
Cairn / DuckDB, then the geometric mean and the worst.
"""

import argparse
import glob
import io
import math
import os
import statistics
import sys
import time

import duckdb
import pyarrow as pa

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "harness"))
from server import Server  # noqa: E402


def questions(facts):
    """(name, statement for Cairn, statement for DuckDB)."""
    service, trace, word, key = facts["service"], facts["trace_id"], facts["word"], facts["key"]
    errors = f"service_name = '{service}' AND severity_number >= 17"
    minute = "service_name, date_trunc('minute', timestamp) AS minute, count(*) AS n"
    return [
        ("count by service and minute", f"SELECT {minute} FROM logs GROUP BY 1, 2", None),
        ("last 100 errors of a service", f"SELECT * FROM logs WHERE {errors} ORDER BY timestamp DESC LIMIT 100", None),
        ("last 100 of all", "SELECT * FROM logs ORDER BY timestamp DESC LIMIT 100", None),
        (
            "one trace id",
            f"SELECT * FROM logs WHERE trace_id = '{trace}'",
            f"SELECT * FROM logs WHERE trace_id = from_hex('{trace}')",
        ),
        (
            "top 10 by an attribute",
            f"SELECT attributes['{key}'] AS k, count(*) AS n FROM logs GROUP BY 1 ORDER BY 2 DESC LIMIT 10",
            f"SELECT \"a.{key}\" AS k, count(*) AS n FROM logs GROUP BY 1 ORDER BY 2 DESC LIMIT 10",
        ),
        ("a word in the body", f"SELECT count(*) AS n FROM logs WHERE body LIKE '%{word}%'", None),
    ]


class Duck:
    """DuckDB over the segment files."""

    def __init__(self, data_dir, threads):
        files = glob.glob(os.path.join(data_dir, "bucket", "**", "*.logs.parquet"), recursive=True)
        self.files, self.threads = files, threads
        self.connect()

    def connect(self):
        self.connection = duckdb.connect(config={"threads": self.threads})
        self.connection.execute(
            f"CREATE VIEW logs AS SELECT * FROM read_parquet({self.files!r}, union_by_name=true, hive_partitioning=false)"
        )

    def ask(self, statement):
        started = time.perf_counter()
        table = self.connection.sql(statement).to_arrow_table()
        return time.perf_counter() - started, table.num_rows


class Cairn:
    """Cairn over HTTP, answers as Arrow."""

    def __init__(self, binary, data_dir):
        self.server = Server(binary, data_dir)
        self.server.start()

    def restart(self):
        self.server.stop()
        self.server.start()

    def ask(self, statement):
        started = time.perf_counter()
        raw = self.server.post_sql(statement, "application/vnd.apache.arrow.stream")
        rows = pa.ipc.open_stream(io.BytesIO(raw)).read_all().num_rows
        return time.perf_counter() - started, rows


def drop_page_cache():
    """Needs root; says so when it cannot."""
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w") as caches:
            caches.write("3")
        return True
    except OSError:
        return False


def facts(cairn):
    """A service, a trace id, a word and an attribute key that the data has."""
    server = cairn.server
    service = server.sql("SELECT service_name AS s FROM logs WHERE severity_number >= 17 GROUP BY 1 ORDER BY count(*) DESC LIMIT 1")[0]["s"]
    trace = server.sql("SELECT trace_id AS t FROM logs WHERE trace_id IS NOT NULL ORDER BY timestamp LIMIT 1")[0]["t"]
    return {"service": service, "trace_id": trace, "word": "timeout", "key": "http.route"}


def measure(cairn, duck, asked, rounds, cold):
    """Medians in milliseconds and the row counts of one question on both sides."""
    name, ours, theirs = asked
    times = {"cairn": [], "duckdb": []}
    rows = {}
    for _ in range(rounds):
        if cold:
            cairn.restart()
            duck.connect()
            drop_page_cache()
        seconds, rows["cairn"] = cairn.ask(ours)
        times["cairn"].append(seconds * 1000)
        if cold:
            drop_page_cache()
        seconds, rows["duckdb"] = duck.ask(theirs or ours)
        times["duckdb"].append(seconds * 1000)
    if rows["cairn"] != rows["duckdb"]:
        raise RuntimeError(f"{name}: {rows}")
    return statistics.median(times["cairn"]), statistics.median(times["duckdb"]), rows["cairn"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn", required=True)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    cairn = Cairn(options.cairn, options.data_dir)
    duck = Duck(options.data_dir, options.threads)
    total = cairn.server.sql("SELECT count(*) AS n FROM logs")[0]["n"]
    print(f"{total} records in {len(duck.files)} files, {options.threads} threads, median of {options.rounds} rounds")
    known = facts(cairn)
    for cold in (False, True):
        if cold and not drop_page_cache():
            print("cold: not measured, the page cache cannot be dropped without root")
            continue
        print(f"\n| {'cold' if cold else 'warm'} | rows | Cairn ms | DuckDB ms | ratio |\n|---|---|---|---|---|")
        ratios = []
        for asked in questions(known):
            rounds = max(3, options.rounds // 2) if cold else options.rounds
            ours, theirs, rows = measure(cairn, duck, asked, rounds, cold)
            ratios.append(ours / theirs)
            print(f"| {asked[0]} | {rows} | {ours:.1f} | {theirs:.1f} | {ratios[-1]:.2f} |")
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        print(f"\ngeometric mean {mean:.2f}, worst {max(ratios):.2f}")
    cairn.server.stop()


main()
