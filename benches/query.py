"""The `query` benchmark: the same questions to Cairn and to DuckDB, on the same Parquet files, in one run.

`query.py --cairn BINARY --folder FOLDER [--rounds 9]` over a folder that `cairn-bench load` filled; it is filled now
if it does not exist. Cairn is asked over HTTP and answers in Arrow; DuckDB runs in this process on a view over the
segment files, with as many threads. Before anything is measured both must give the same rows, value by value. Rounds
are interleaved; the median counts. Cold means that the page cache was dropped and Cairn restarted (DuckDB: a new
connection) before each question. Prints a row a question with the ratio Cairn / DuckDB, then the geometric mean and
the worst. Needs duckdb and pyarrow (pinned in tests/sdk/python/requirements.txt).
"""

import argparse
import math
import os
import statistics
import sys

from beside import WHOLE, Cairn, Duck, drop_page_cache, load, rows

def questions(facts):
    """(name, statement for Cairn, statement for DuckDB, columns to compare)."""
    service, trace, word, key = facts["service"], facts["trace_id"], facts["word"], facts["key"]
    errors = f"service_name = '{service}' AND severity_number >= 17"
    minute = "service_name, date_trunc('minute', timestamp) AS minute, count(*) AS n"
    by_minute = f"SELECT {minute} FROM logs GROUP BY 1, 2"
    errors = f"SELECT * FROM logs WHERE {errors} ORDER BY timestamp DESC LIMIT 100"
    last = "SELECT * FROM logs ORDER BY timestamp DESC LIMIT 100"
    top = "SELECT {} AS k, count(*) AS n FROM logs GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10"
    found = f"SELECT count(*) AS n FROM logs WHERE body LIKE '%{word}%'"
    return [
        (
            "count by service and minute",
            by_minute,
            # DuckDB cuts microseconds, not nanoseconds.
            by_minute.replace("timestamp)", "timestamp::TIMESTAMPTZ)"),
            ["service_name", "minute", "n"],
        ),
        ("last 100 errors of a service", errors, errors, WHOLE),
        ("last 100 of all", last, last, WHOLE),
        (
            "one trace id",
            f"SELECT * FROM logs WHERE trace_id = '{trace}'",
            f"SELECT * FROM logs WHERE trace_id = from_hex('{trace}')",
            WHOLE,
        ),
        (
            "top 10 by an attribute",
            top.format(f"attributes['{key}']"),
            top.format(f'"a.{key}"'),
            ["k", "n"],
        ),
        ("a word in the body", found, found, ["n"]),
    ]


def facts(cairn):
    """A service with errors, a trace of several records, a word and an attribute key that the data has."""
    sql = cairn.server.sql
    errors = "SELECT service_name AS s FROM logs WHERE severity_number >= 17"
    service = sql(f"{errors} GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1")[0]["s"]
    traces = "SELECT trace_id AS t FROM logs WHERE trace_id IS NOT NULL"
    trace = sql(f"{traces} GROUP BY 1 HAVING count(*) = 8 ORDER BY min(timestamp), 1 LIMIT 1")
    return {"service": service, "trace_id": trace[0]["t"], "word": "timeout", "key": "http.route"}


def check(cairn, duck, asked):
    """Both sides must give the same rows; returns how many."""
    _, ours, theirs, names = asked
    mine, peers = rows(cairn.ask(ours)[1], names), rows(duck.ask(theirs)[1], names)
    if mine != peers:
        different = [pair for pair in zip(mine, peers) if pair[0] != pair[1]][:3]
        raise RuntimeError(f"{len(mine)} and {len(peers)} rows, not the same: {str(different)[:400]}")
    return len(mine)


def measure(cairn, duck, asked, rounds, cold):
    """Medians in milliseconds of one question on both sides."""
    _, ours, theirs, _ = asked
    times = {"cairn": [], "duckdb": []}
    for _ in range(rounds):
        if cold:
            cairn.restart()
            duck.connect()
            drop_page_cache()
        times["cairn"].append(cairn.ask(ours)[0] * 1000)
        if cold:
            drop_page_cache()
        times["duckdb"].append(duck.ask(theirs)[0] * 1000)
    return statistics.median(times["cairn"]), statistics.median(times["duckdb"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn", required=True)
    parser.add_argument("--folder", required=True, help="a folder of `cairn-bench load`")
    parser.add_argument("--records", type=int, default=10_000_000, help="what to load")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", help="only questions with this text in their name")
    options = parser.parse_args()
    data_dir = os.path.join(options.folder, "data")
    if not os.path.exists(data_dir):
        load(options)
    cairn = Cairn(options.cairn, data_dir, options.threads)
    try:
        failed = compare(cairn, Duck(data_dir, options.threads), options)
    finally:
        cairn.server.stop()
    sys.exit(1 if failed else 0)


def compare(cairn, duck, options):
    """Checks and measures every question; returns the names of those that one side could not answer as the other."""
    total = cairn.server.sql("SELECT count(*) AS n FROM logs")[0]["n"]
    rounds = options.rounds
    print(f"{total} records in {len(duck.files)} files, {options.threads} threads, median of {rounds} rounds")
    asked, failed = [], []
    for each in questions(facts(cairn)):
        if (options.only or "") not in each[0]:
            continue
        try:
            asked.append((each, check(cairn, duck, each)))
        except RuntimeError as error:
            print(f"FAILED: {each[0]}: {error}")
            failed.append(each[0])
    for cold in (False, True):
        if cold and not drop_page_cache():
            print("cold: not measured, the page cache cannot be dropped without root")
            continue
        print(f"\n| {'cold' if cold else 'warm'} | rows | Cairn ms | DuckDB ms | ratio |\n|---|---|---|---|---|")
        ratios = []
        for each, count in asked:
            ours, theirs = measure(cairn, duck, each, max(3, rounds // 2) if cold else rounds, cold)
            ratios.append(ours / theirs)
            print(f"| {each[0]} | {count} | {ours:.1f} | {theirs:.1f} | {ratios[-1]:.2f} |", flush=True)
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        print(f"\ngeometric mean {mean:.2f}, worst {max(ratios):.2f}")
    return failed


main()
