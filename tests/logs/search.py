"""The language of the log search against an oracle of its own, exports against each other, saved searches over restarts.

The oracle reads the records one by one with what the documentation says of words; the server asks its index. Records lie in
segments and in the buffer.
"""

import argparse
import io
import json
import os
import random
import re
import sqlite3
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import pyarrow.parquet

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))

from checks import CHECKS  # noqa: E402
from server import Server  # noqa: E402

CLIENT = "own check"
NUMBER = "5.3"
BASE = 1_790_000_000 * 10**9
WORDS = "order placed failed timeout payment Zürich cart_item 10.0.0.7 retry-after disk full user alice BOB €uro".split()
SEARCHES = 250


def attribute(key, value):
    kind = {str: "stringValue", int: "intValue", float: "doubleValue"}[type(value)]
    return {"key": key, "value": {kind: str(value) if kind == "intValue" else value}}


def records(seed, count):
    dice = random.Random(seed)
    for number in range(count):
        words = [dice.choice(WORDS) for _ in range(dice.randint(1, 6))]
        body = dice.choice([" ", " ", ": ", "=", "_", "/"]).join(words) + f" nr{number}"
        yield {
            "time": BASE + number * 10**6,
            "body": body,
            "service": dice.choice(["shop", "till", "web-shop"]),
            "severity": dice.choice([0, 5, 9, 13, 17]),
            "attributes": {
                "user": dice.choice(["alice smith", "bob", "carol"]),
                "status": dice.choice([200, 404, 500]),
                **({"rare": f"r{number}"} if number % 997 == 0 else {}),
            },
            "host": dice.choice(["h1", "h2"]),
            # Zeros are no id.
            "trace": f"{number + 1:032x}" if number % 3 == 0 else None,
        }


def send(server, rows):
    by = {}
    for row in rows:
        by.setdefault((row["service"], row["host"]), []).append(row)
    groups = []
    for (service, host), group in by.items():
        made = []
        for row in group:
            record = {
                "timeUnixNano": str(row["time"]),
                "severityNumber": row["severity"],
                "body": {"stringValue": row["body"]},
                "attributes": [attribute(*pair) for pair in row["attributes"].items()],
            }
            made.append(record | ({"traceId": row["trace"]} if row["trace"] else {}))
        resource = {"attributes": [attribute("service.name", service), attribute("host.name", host)]}
        groups.append({"resource": resource, "scopeLogs": [{"logRecords": made}]})
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.http_port}/v1/logs",
        data=json.dumps({"resourceLogs": groups}).encode(),
        headers={"content-type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=120).close()


def call(server, path, method="GET", body=None, accept=None):
    """Status, headers and body."""
    headers = {"accept": accept} if accept else {}
    if body is not None:
        headers["content-type"] = "application/json"
    request = urllib.request.Request(f"http://127.0.0.1:{server.api_port}{path}", data=body, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def around(**more):
    return urllib.parse.urlencode({"from": str(BASE - 1), "to": str(BASE + 10**12), **more})


def words_of(text):
    return [word.casefold() for word in re.findall(r"\w+", text)]


def has_phrase(text, phrase, last_is_open=False):
    """Whether the words of `phrase` stand in `text`, one behind the other."""
    wanted = words_of(phrase)
    is_open = last_is_open and bool(re.search(r"\w$", phrase))
    have = words_of(text)
    for start in range(len(have) - len(wanted) + 1):
        part = have[start : start + len(wanted)]
        if part[:-1] == wanted[:-1] and (part[-1].startswith(wanted[-1]) if is_open else part[-1] == wanted[-1]):
            return True
    return False


def leaf(dice):
    """A search, and what it holds of."""
    word = dice.choice(WORDS + ["swordfish", "nr7", "nr12345"])
    phrase = f"{dice.choice(WORDS)} {dice.choice(WORDS)}"
    part = dice.choice(WORDS)[1:4]
    cut = dice.choice(WORDS)[:3].rstrip(".-€")
    cut = cut if re.search(r"\w", cut) else "or"
    user = dice.choice(["alice", "bob", "smith", "nobody"])
    status = dice.choice([200, 404, 499])
    host = dice.choice(["h1", "h3"])
    service = dice.choice(["shop", "web-shop", "none"])
    number = dice.randrange(30_000)
    trace = f"{number:032x}"
    return dice.choice(
        [
            (word, lambda r: has_phrase(r["body"], word)),
            (word.upper(), lambda r: has_phrase(r["body"], word)),
            (f'"{phrase}"', lambda r: has_phrase(r["body"], phrase)),
            (f"{cut}*", lambda r: has_phrase(r["body"], cut, True)),
            (f'"{phrase}"*', lambda r: has_phrase(r["body"], phrase, True)),
            (f'*"{part}"*', lambda r: part.lower() in r["body"].lower()),
            (f"user:{user}", lambda r: has_phrase(r["attributes"]["user"], user)),
            (f"user={user}", lambda r: r["attributes"]["user"] == user),
            (f"attributes.user!={user}", lambda r: r["attributes"]["user"] != user),
            (f"status>{status}", lambda r: r["attributes"]["status"] > status),
            (f"status={status}", lambda r: r["attributes"]["status"] == status),
            ("rare:*", lambda r: "rare" in r["attributes"]),
            (f"resource.host.name={host}", lambda r: r["host"] == host),
            (f"service={service}", lambda r: r["service"] == service),
            (f"service:{service}", lambda r: has_phrase(r["service"], service)),
            ("level>=warn", lambda r: r["severity"] >= 13),
            ("severity:info", lambda r: 9 <= r["severity"] <= 12),
            ("level:unset", lambda r: r["severity"] == 0),
            (trace, lambda r: r["trace"] == trace),
            (f"trace_id:{trace}", lambda r: r["trace"] == trace),
            ("trace_id:*", lambda r: r["trace"] is not None),
            ("*", lambda r: True),
        ]
    )


def tree(dice, depth):
    kind = dice.choice(["leaf", "leaf", "all", "any", "not"]) if depth else "leaf"
    if kind == "leaf":
        return leaf(dice)
    one, holds_one = tree(dice, depth - 1)
    if kind == "not":
        return f"-({one})", lambda r: not holds_one(r)
    other, holds_other = tree(dice, depth - 1)
    if kind == "all":
        return f"({one} {other})", lambda r: holds_one(r) and holds_other(r)
    return f"({one} OR {other})", lambda r: holds_one(r) or holds_other(r)


def check_language(server, rows, seed):
    dice = random.Random(seed)
    wrong = []
    for _ in range(SEARCHES):
        text, holds = tree(dice, 3)
        status, _, body = call(server, f"/api/v1/logs/export?{around(q=text)}")
        found = [json.loads(line)["body"] for line in body.decode().splitlines()] if status == 200 else None
        wanted = [row["body"] for row in reversed(rows) if holds(row)]
        if found != wanted:
            told = body.decode()[:200] if found is None else f"{len(found)} records, not {len(wanted)}"
            wrong.append(f"{text}: {told}")
    CHECKS.row(NUMBER, f"{SEARCHES} searches of words, phrases, parts and fields", CLIENT, wrong)


def check_sisters(server, rows):
    text = '"order placed" OR user:smith'
    holds = lambda r: has_phrase(r["body"], "order placed") or "smith" in r["attributes"]["user"]  # noqa: E731
    wanted = [row for row in rows if holds(row)]
    answer = lambda what, **more: json.loads(call(server, f"/api/v1/logs/{what}?{around(q=text, **more)}")[2])  # noqa: E731
    wrong = []
    counts = sum(row[2] for row in answer("histogram")["rows"])
    wrong += [] if counts == len(wanted) else [f"histogram counts {counts}, not {len(wanted)}"]
    newest = [row[3] for row in answer("search", limit=5)["rows"]]
    wrong += [] if newest == [row["body"] for row in reversed(wanted)][:5] else [f"search finds {newest}"]
    for what in ("fields", "patterns"):
        looked = answer(what, limit=1000)["rows"]
        wrong += [] if looked == min(1000, len(wanted)) else [f"{what} looked at {looked}"]
    CHECKS.row(NUMBER, "search, histogram, fields and patterns understand the same", CLIENT, wrong)


def bytes_of(server, text):
    """Bytes and segments that a count reads, when footers are known."""
    for _ in range(2):
        _, headers, _ = call(server, f"/api/v1/logs/histogram?{around(q=text)}")
    read = json.loads(headers["cairn-completeness"])
    return read["bytes_read"], read["segments"]["read"]


def check_reading(server):
    word, _ = bytes_of(server, "nr12345")
    part, _ = bytes_of(server, "*nr12345*")
    trace, _ = bytes_of(server, f"{12_346:032x}")
    CHECKS.row(NUMBER, "a word and an id that are typed read less than a part of a text", CLIENT,
               [] if max(word, trace) * 2 < part else [f"{word} and {trace} bytes, and {part} for a part"])  # fmt: skip


def check_refusals(server):
    wrong = []
    for text, column in [('a "b', 3), ("(a", 1), ("a OR", 3), ("trace_id:1", 1), ("x *y", 3), ("k>z", 1), ("-", 1)]:
        status, _, body = call(server, f"/api/v1/logs/search?{around(q=text)}")
        position = json.loads(body).get("position")
        if (status, position) != (400, {"line": 1, "column": column}):
            wrong.append(f"{text}: {status} {body.decode()[:200]}")
    CHECKS.row(NUMBER, "what cannot be understood is refused with its place", CLIENT, wrong)


def check_exports(server, rows):
    wrong = []
    path = f"/api/v1/logs/export?{around()}"
    lines = [json.loads(line) for line in call(server, path)[2].decode().splitlines()]
    status, headers, body = call(server, path, accept="application/vnd.apache.parquet")
    table = pyarrow.parquet.read_table(io.BytesIO(body)).to_pylist() if status == 200 else []
    wrong += [] if len(lines) == len(rows) else [f"NDJSON has {len(lines)} records of {len(rows)}"]
    wrong += [] if headers["content-type"] == "application/vnd.apache.parquet" else [f"Parquet comes as {headers['content-type']}"]
    for name in ("body", "severity", "service_name", "trace_id", "cursor", "event_name"):
        if [row[name] for row in table] != [line[name] for line in lines]:
            wrong.append(f"the column {name} differs in Parquet")
    csv = call(server, path, accept="text/csv")[2].decode().splitlines()
    wrong += [] if len(csv) == len(rows) + 1 else [f"CSV has {len(csv)} lines"]
    few = call(server, f"{path}&limit=7&q=swordfish", accept="application/vnd.apache.parquet")[2]
    none = pyarrow.parquet.read_table(io.BytesIO(few))
    wrong += [] if none.num_rows == 0 and "body" in none.column_names else ["an empty file lacks its columns"]
    wrong += [] if call(server, path, accept="image/png")[0] == 406 else ["image/png is not refused"]
    CHECKS.row(NUMBER, "exports in NDJSON, CSV and Parquet hold the same", CLIENT, wrong)


def put(server, name, search):
    return call(server, f"/api/v1/logs/searches/{name}", "PUT", json.dumps(search).encode())


def listed(server):
    searches = json.loads(call(server, "/api/v1/logs/searches")[2])["searches"]
    return {search["name"]: search.get("q") for search in searches}


def check_saved(server):
    wrong = []
    status, _, body = put(server, "errors", {"q": "level>=error", "from": "-15m", "description": "what hurts"})
    saved = json.loads(body)
    if status != 200 or (saved["name"], saved["q"], saved["saved_by"]) != ("errors", "level>=error", "anonymous"):
        wrong.append(f"PUT answers {status} {saved}")
    put(server, "errors", {"q": "level>=fatal"})
    put(server, "other", {"filter": "service_name = 'shop'"})
    wrong += [] if listed(server) == {"errors": "level>=fatal", "other": None} else [f"the list is {listed(server)}"]
    for name, search in [
        ("a b", {}), ("x", {"q": '"open'}), ("x", {"filter": "true) OR (true"}), ("x", {"from": "soon"}), ("x", {"z": 1}),
        ("x", []),
    ]:  # fmt: skip
        status, _, body = put(server, urllib.parse.quote(name), search)
        wrong += [] if status == 400 else [f"{name} {search} is answered with {status} {body.decode()[:100]}"]
    status, _, _ = put(server, "large", {"description": "x" * 20_000})
    wrong += [] if status == 413 else [f"a large search is answered with {status}"]
    status, _, _ = call(server, "/api/v1/logs/searches/other", "DELETE")
    wrong += [] if status == 204 else [f"DELETE answers {status}"]
    for method in ("GET", "DELETE"):
        status, _, _ = call(server, "/api/v1/logs/searches/other", method)
        wrong += [] if status == 404 else [f"{method} of what is gone answers {status}"]
    for number in range(199):
        put(server, f"s{number}", {})
    status, _, body = put(server, "one-too-many", {})
    wrong += [] if status == 422 else [f"number 201 is answered with {status} {body.decode()[:100]}"]
    CHECKS.row(NUMBER, "searches are saved, listed and deleted, within limits", CLIENT, wrong)
    return listed(server)


def check_survival(server, wanted):
    """A restart, a start without the catalog."""
    wrong = []
    CHECKS.expect("it stops well", server.stop(), 0)
    path = os.path.join(server.data_dir, "catalog.sqlite")
    catalog = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    told = catalog.execute("SELECT kind, body FROM events WHERE kind LIKE 'cairn.search.%' ORDER BY number").fetchall()
    catalog.close()
    first = [(kind, json.loads(body)) for kind, body in told[:1]]
    if first != [("cairn.search.saved.v1", {"search": "errors", "by": "anonymous"})]:
        wrong.append(f"the first event is {first}")
    wrong += [] if ("cairn.search.deleted.v1" in dict(told)) else ["the deletion has no event"]
    server.start()
    wrong += [] if listed(server) == wanted else ["a restart changed them"]
    CHECKS.expect("it stops well again", server.stop(), 0)
    for name in os.listdir(server.data_dir):
        if name.startswith("catalog."):
            os.remove(os.path.join(server.data_dir, name))
    server.start()
    wrong += [] if listed(server) == wanted else ["a start without the catalog changed them"]
    status, _, body = call(server, "/api/v1/storage/reconcile", "POST")
    wrong += [] if json.loads(body)["foreign_objects"] == 0 else [f"they are strangers in the bucket: {body.decode()}"]
    CHECKS.row(NUMBER, "saved searches survive a restart and a lost catalog, each change has an event", CLIENT, wrong)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cairn", required=True)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    folder = tempfile.mkdtemp(prefix="cairn-logs-")
    server = Server(arguments.cairn, os.path.join(folder, "data"))
    rows = list(records(arguments.seed, 30_000))
    try:
        server.start()
        for start in range(0, len(rows), 5_000):
            send(server, rows[start : start + 5_000])
            if start == 20_000:
                call(server, "/api/v1/flush", "POST")
        check_language(server, rows, arguments.seed)
        check_sisters(server, rows)
        check_refusals(server)
        check_exports(server, rows)
        call(server, "/api/v1/flush", "POST")
        check_reading(server)
        check_survival(server, check_saved(server))
        CHECKS.expect("it stops well at the end", server.stop(), 0)
    finally:
        server.end()
    CHECKS.end(folder)


if __name__ == "__main__":
    main()
