"""The `logs` benchmark: issue 5's questions about log records to Cairn, DuckDB and chDB, on the same Parquet files, in one run.

`logs.py --cairn BINARY --folder FOLDER [--records 1000000] [--rounds 9]`. The folder is filled with the generated records where
it does not exist. Cairn is asked over HTTP, by SQL, by LogQL and by its log API; the peers run in this process over the segment
files, with as many threads, and are asked the same in SQL. Rows are compared first, and a question with other rows is not
measured. Rounds are interleaved; medians count. Cold means that the page cache was dropped, Cairn restarted and DuckDB
reconnected before each question. Prints bytes a record and the share of the index, a row a question, geometric means and the
worst. `--growth FOLDER,FOLDER,…` asks Cairn alone, over folders of several sizes. Needs duckdb, chdb and pyarrow.
"""

import argparse
import json
import math
import os
import statistics
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass

import pyarrow.parquet as pq
from beside import Cairn, Chdb, Duck, drop_page_cache, live_files, load, rows

# Columns of whole records that all sides have under one name.
WHOLE = [
    "timestamp", "observed_timestamp", "service_name", "severity_number", "severity_text", "body", "trace_id", "span_id",
    "resource_attributes", "row_epoch", "row_sequence", "row_ordinal",
]  # fmt: skip
RECORD = ", ".join(WHOLE)
NEWEST = "ORDER BY timestamp DESC LIMIT 100"
FIVE_MINUTES_NS = 300_000_000_000


@dataclass
class Question:
    """One question in the words of each side; `ours` is SQL, or a path of the API with its parameters."""

    name: str
    ours: object
    duck: str
    chdb: str
    columns: list

    @classmethod
    def alike(cls, name, statement, columns, ours=None, duck=None, chdb=None):
        return cls(name, ours or statement, duck or statement, chdb or statement, columns)


# Attributes that few records have, one of which no file has a column of.
SELDOM = ["stock.left", "payment.decline_code", "exception.type", "error.type"]


def facts(cairn, data_dir):
    """Values that the data has: a service with errors, a trace, a word that stands in one record, a key that no file promotes."""
    sql = cairn.server.sql
    errors = "SELECT service_name AS s FROM logs WHERE severity_number >= 17"
    traces = "SELECT trace_id AS t FROM logs WHERE trace_id IS NOT NULL"
    lease = "SELECT body FROM logs WHERE body LIKE 'reserving stock%' ORDER BY timestamp LIMIT 1"
    span = sql("SELECT CAST(min(timestamp) AS BIGINT) AS low, CAST(max(timestamp) AS BIGINT) AS high FROM logs")[0]
    middle = (int(span["low"]) + int(span["high"])) // 2
    moment = urllib.parse.urlencode({"from": str(middle), "to": str(middle + 60_000_000_000), "limit": 1, "order": "asc"})
    found = call(cairn, f"/api/v1/logs/search?{moment}")
    row = dict(zip([column["name"] for column in found["columns"]], found["rows"][0]))
    promoted = {name for path in live_files(data_dir) for name in pq.ParquetFile(path).schema_arrow.names}
    return {
        "service": sql(f"{errors} GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1")[0]["s"],
        "trace": sql(f"{traces} GROUP BY 1 HAVING count(*) = 8 ORDER BY min(timestamp), 1 LIMIT 1")[0]["t"],
        "rare": sql(lease)[0]["body"].split("lease ")[1].split(" ")[0],
        "seldom": next(key for key in SELDOM if not any(name.startswith(f"a.{key}") for name in promoted)),
        "low": int(span["low"]), "high": int(span["high"]), "cursor": row["cursor"], "of": row["service_name"],
    }  # fmt: skip


def searches(known):
    """Questions whose answers are records or counts of them."""
    service, trace, rare = known["service"], known["trace"], known["rare"]
    records = f"SELECT {RECORD} FROM logs WHERE "
    count = "SELECT count(*) AS n FROM logs WHERE "
    some = f"{records} service_name = '{service}' AND severity_number >= 13 AND "
    alike = Question.alike
    like, anywhere = "body LIKE '%timeout%'", f"body ILIKE '%{rare}%'"
    with_literal, without = r"timeout after [0-9]+\.[0-9] ms", r"[A-Z]{3}-[0-9]{4}7"

    def regex(name, pattern):
        own = f"{count} regexp_like(body, '{pattern}')"
        duck, chdb = f"{count} regexp_matches(body, '{pattern}')", f"{count} match(body, '{pattern}')"
        return Question(name, own, duck, chdb.replace("\\", "\\\\"), ["n"])

    return [
        alike("rare word anywhere", records + anywhere, WHOLE, ours=f"{records} has_phrase(body, '{rare}')"),
        alike("frequent word, last 100", f"{records} {like} {NEWEST}", WHOLE, ours=f"{records} has_phrase(body, 'timeout') {NEWEST}"),
        alike("rare part of a word", f"{count} body LIKE '%{rare[2:10]}%'", ["n"]),
        alike("frequent part of a word", f"{count} body LIKE '%imeou%'", ["n"]),
        Question(
            "trace id", f"{records} trace_id = '{trace}'", f"{records} trace_id = from_hex('{trace}')",
            f"{records} trace_id = unhex('{trace}')", WHOLE,
        ),
        alike("service, severity and word", f"{some} {like} {NEWEST}", WHOLE, ours=f"{some} has_phrase(body, 'timeout') {NEWEST}"),
        alike("last 100 of a service", f"{records} service_name = '{service}' {NEWEST}", WHOLE),
        alike("last 100 of all", f"SELECT {RECORD} FROM logs {NEWEST}", WHOLE),
        regex("regex with a literal", with_literal),
        regex("regex without a literal", without),
        context(known),
    ]  # fmt: skip


def context(known):
    """The ten records before and after one, of its service, and itself."""
    time_ns, epoch, sequence, ordinal = known["cursor"].split(".")
    names, key = "timestamp, body, service_name", f"({time_ns}, {epoch}, {sequence}, {ordinal})"
    ordered = ["timestamp", "row_epoch", "row_sequence", "row_ordinal"]

    def both(ns):
        row = f"({', '.join([ns, *ordered[1:]])})"
        side = "SELECT * FROM (SELECT {} FROM logs WHERE service_name = '{}' AND {} {} {} ORDER BY {} LIMIT {})"
        order = lambda way: ", ".join(f"{name} {way}" for name in ordered)  # noqa: E731
        newer = side.format(names, known["of"], row, ">", key, order("ASC"), 10)
        older = side.format(names, known["of"], row, "<=", key, order("DESC"), 11)
        return f"{newer} UNION ALL {older}"

    ours = ("/api/v1/logs/context", {"cursor": known["cursor"], "same": "service", "limit": 10})
    return Question(
        "context of a record", ours, both("epoch_ns(timestamp)"), both("toUnixTimestamp64Nano(timestamp)"), ["timestamp", "body"]
    )


def sums(known):
    """Questions whose answers are numbers over many records."""
    minute = "SELECT date_trunc('minute', timestamp) AS minute, count(*) AS n FROM logs {} GROUP BY 1"
    top = "SELECT {0} AS k, count(*) AS n FROM logs WHERE {0} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10"
    p99 = "SELECT {0} AS k, {1} AS p FROM logs WHERE {0} IS NOT NULL AND {2} IS NOT NULL GROUP BY 1"

    def by_minute(name, where):
        own = minute.format(where)
        return Question(
            name, own, own.replace("timestamp)", "timestamp::TIMESTAMPTZ)"),
            own.replace("date_trunc('minute', timestamp)", "toDateTime64(toStartOfMinute(timestamp), 9, 'UTC')"), ["minute", "n"],
        )  # fmt: skip

    def top_ten(name, ours, duck, chdb):
        return Question(name, top.format(ours), top.format(duck), top.format(chdb), ["k", "n"])

    route, took = "attributes['http.route']", "attr_double(attributes, 'duration_ms')"
    seldom = known["seldom"]
    return [
        by_minute("count by minute", ""),
        by_minute("errors a minute", "WHERE severity_number >= 17"),
        top_ten("top 10 of a promoted attribute", "attributes['user.id']", '"a.user.id"', '"a.user.id"'),
        top_ten(
            "top 10 of an attribute that is not", f"attributes['{seldom}']", f"json_extract_string(attributes, '$.\"{seldom}\"')",
            f"nullIf(trim(BOTH '\"' FROM JSONExtractRaw(attributes, '{seldom}')), '')",
        ),
        Question(
            "p99 of one attribute by another", p99.format(route, f"approx_percentile_cont(0.99) WITHIN GROUP (ORDER BY {took})", took),
            p99.format('"a.http.route"', 'approx_quantile("a.duration_ms:double", 0.99)', '"a.duration_ms:double"'),
            p99.format('"a.http.route"', 'quantileTDigest(0.99)("a.duration_ms:double")', '"a.duration_ms:double"'), ["k", "p"],
        ),
        logql(known),
    ]  # fmt: skip


def logql(known):
    """Lines with a word by service, of each five minutes."""
    begin = known["low"] // FIVE_MINUTES_NS * FIVE_MINUTES_NS + FIVE_MINUTES_NS
    end = -(-known["high"] // FIVE_MINUTES_NS) * FIVE_MINUTES_NS
    query = 'sum by (service_name) (count_over_time({service_name=~".+"} |= "timeout" [5m]))'
    ours = ("/loki/api/v1/query_range", {"query": query, "start": begin, "end": end, "step": 300})
    sql = f"SELECT service_name, {{}} * 300 AS at, count(*) AS n FROM logs WHERE body LIKE '%timeout%' GROUP BY 1, 2"
    duck = sql.format(f"((epoch_ns(timestamp) + {FIVE_MINUTES_NS - 1}) // {FIVE_MINUTES_NS})")
    chdb = sql.format(f"intDiv(toUnixTimestamp64Nano(timestamp) + {FIVE_MINUTES_NS - 1}, {FIVE_MINUTES_NS})")
    return Question("LogQL: count of a word by service, 5 m", ours, duck, chdb, ["service_name", "at", "n"])


def call(cairn, target):
    """The answer to a question of the API, as JSON."""
    address = f"http://127.0.0.1:{cairn.server.api_port}{target}"
    with urllib.request.urlopen(urllib.request.Request(address, headers={"accept": "application/json"}), timeout=120) as answer:
        return json.load(answer)


def ask_cairn(cairn, ours):
    """Seconds and the answer."""
    if isinstance(ours, str):
        return cairn.ask(ours)
    path, parameters = ours
    started = time.perf_counter()
    answer = call(cairn, f"{path}?{urllib.parse.urlencode(parameters)}")
    return time.perf_counter() - started, answer


def own_rows(answer, question):
    """Rows of an answer of the API as those of the peers are."""
    if not isinstance(answer, dict):
        return rows(answer, question.columns)
    if "data" in answer:
        found = [(each["metric"]["service_name"], int(at), int(n)) for each in answer["data"]["result"] for at, n in each["values"]]
        return sorted(found, key=repr)
    names = [column["name"] for column in answer["columns"]]
    places = [names.index("cursor"), names.index("body")]
    found = [(int(row[places[0]].split(".")[0]), row[places[1]]) for row in answer["rows"]]
    return sorted(found, key=repr)


def near(left, right):
    """Whether rows are equal; percentiles are estimates of three methods, equal within a tenth."""
    left, right = ([tuple(text(cell) for cell in row) for row in each] for each in (left, right))
    if left == right:
        return True
    both = list(zip(left, right))
    is_estimate = len(left) == len(right) and all(len(row) == 2 and isinstance(row[1], float) for row in left)
    return is_estimate and all(one[0] == other[0] and math.isclose(one[1], float(other[1]), rel_tol=0.1) for one, other in both)


def text(cell):
    return cell.decode(errors="replace") if isinstance(cell, bytes) else cell


def check(cairn, peers, question):
    """How many rows the answer has; raises where another has other rows."""
    ours = own_rows(ask_cairn(cairn, question.ours)[1], question)
    for name, peer, statement in peers_of(peers, question):
        theirs = rows(peer.ask(statement)[1], question.columns)
        if not near(ours, theirs):
            different = [pair for pair in zip(ours, theirs) if pair[0] != pair[1]][:2]
            raise RuntimeError(f"{len(ours)} rows, {len(theirs)} of {name}, not the same: {str(different)[:600]}")
    return len(ours)


def peers_of(peers, question):
    words = {"DuckDB": question.duck, "chDB": question.chdb}
    return [(name, peer, words[name]) for name, peer in peers.items()]


def measure(cairn, peers, question, rounds, cold):
    """Medians in milliseconds: ours, then theirs."""
    times = [[] for _ in range(1 + len(peers))]
    for _ in range(rounds):
        if cold:
            cairn.restart()
            drop_page_cache()
        times[0].append(ask_cairn(cairn, question.ours)[0])
        for at, (_, peer, statement) in enumerate(peers_of(peers, question)):
            if cold:
                peer.connect()
                drop_page_cache()
            times[1 + at].append(peer.ask(statement)[0])
    return [statistics.median(of_one) * 1000 for of_one in times]


def sizes(data_dir, total):
    """What a record takes, and the index beside it."""
    files = live_files(data_dir)
    parquet = sum(map(os.path.getsize, files))
    index = sum(os.path.getsize(path.replace(".logs.parquet", ".idx")) for path in files)
    print(f"{parquet / total:.1f} bytes a record in Parquet, {index / total:.2f} in the index: {100 * index / parquet:.1f} %")


def table(cold, peers):
    cells = ["cold" if cold else "warm", "rows", "Cairn ms", *(f"{name} ms" for name in peers), *(f"Cairn / {name}" for name in peers)]
    print(f"\n| {' | '.join(cells)} |\n|{'---|' * len(cells)}", flush=True)


def compare(cairn, peers, options):
    """Checks and measures every question; returns the names of those that failed."""
    total = cairn.server.sql("SELECT count(*) AS n FROM logs")[0]["n"]
    print(f"{total:,} records, {options.threads} threads, median of {options.rounds} rounds")
    sizes(os.path.join(options.folder, "data"), total)
    known = facts(cairn, os.path.join(options.folder, "data"))
    asked, failed = [], []
    for question in [*searches(known), *sums(known)]:
        if (options.only or "") not in question.name:
            continue
        try:
            asked.append((question, check(cairn, peers, question)))
        except Exception as error:  # Whatever one side says about a statement, the others go on.
            print(f"FAILED: {question.name}: {str(error)[:900]}", flush=True)
            failed.append(question.name)
    for cold in [False] if options.warm else [False, True]:
        if cold and not drop_page_cache():
            print("cold: not measured, the page cache cannot be dropped without root")
            continue
        table(cold, peers)
        ratios = {name: [] for name in peers}
        for question, count in asked:
            ours, *theirs = measure(cairn, peers, question, max(3, options.rounds // 3) if cold else options.rounds, cold)
            found = [ours / ms for ms in theirs]
            for name, ratio in zip(peers, found):
                ratios[name].append(ratio)
            cells = [f"{ms:.1f}" for ms in (ours, *theirs)] + [f"{ratio:.2f}" for ratio in found]
            print(f"| {question.name} | {count} | {' | '.join(cells)} |", flush=True)
        for name, found in [each for each in ratios.items() if each[1]]:
            mean = math.exp(sum(map(math.log, found)) / len(found))
            print(f"\nbeside {name}: geometric mean {mean:.2f}, worst {max(found):.2f}")
    return failed


def grow(options):
    """Medians of Cairn alone over folders of several sizes."""
    columns, totals = [], []
    for folder in options.growth.split(","):
        data_dir = os.path.join(os.path.abspath(folder), "data")
        cairn = Cairn(options.cairn, data_dir, options.threads)
        try:
            totals.append(cairn.server.sql("SELECT count(*) AS n FROM logs")[0]["n"])
            known = facts(cairn, data_dir)
            questions = [*searches(known), *sums(known)]
            columns.append({each.name: measure(cairn, {}, each, options.rounds, False)[0] for each in questions})
        finally:
            cairn.server.stop()
    heads = [f"{total:,} records, ms" for total in totals]
    print(f"| question | {' | '.join(heads)} |\n|{'---|' * (1 + len(heads))}")
    for name in columns[0]:
        print(f"| {name} | {' | '.join(f'{column[name]:.1f}' for column in columns)} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn", required=True)
    parser.add_argument("--folder", help="a folder of `cairn-bench load`")
    parser.add_argument("--records", type=int, default=1_000_000, help="what to load")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", help="only questions with this text in their name")
    parser.add_argument("--warm", action="store_true", help="leave the cold rounds out")
    parser.add_argument("--without-chdb", action="store_true")
    parser.add_argument("--growth", help="folders of several sizes, with commas: Cairn alone")
    options = parser.parse_args()
    if options.growth:
        grow(options)
        return
    if not options.folder:
        parser.error("--folder is needed, or --growth")
    options.folder = os.path.abspath(options.folder)
    data_dir = os.path.join(options.folder, "data")
    if not os.path.exists(data_dir):
        load(options)
    cairn = Cairn(options.cairn, data_dir, options.threads)
    try:
        peers = {"DuckDB": Duck(data_dir, options.threads)}
        if not options.without_chdb:
            peers["chDB"] = Chdb(data_dir, options.threads)
        failed = compare(cairn, peers, options)
    finally:
        cairn.server.stop()
    raise SystemExit(1 if failed else 0)


main()
