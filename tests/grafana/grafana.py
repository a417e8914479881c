"""What Grafana's data sources *Loki* and *Prometheus* ask, and whether each answer has the shape that they read.

`loki.json` and `prometheus.json` hold the requests, written down from the public source of Grafana (repository
grafana/grafana, the files that each entry names) in our own words: method, path, parameters and headers are theirs.
"""

import argparse
import asyncio
import gzip
import json
import os
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import websockets

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))

from checks import CHECKS  # noqa: E402
from server import Server  # noqa: E402

CLIENT = "requests of Grafana's data sources"
LINES = ["order 1 placed user=alice", "order 2 failed user=bob", '{"msg":"order 3","user":"carol"}', "cart emptied"]


def attribute(key, value):
    return {"key": key, "value": {"stringValue": value}}


def send(server, signal, body):
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.http_port}/v1/{signal}",
        data=json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=30).close()


def logs_of(now, lines):
    records = [
        {
            "timeUnixNano": str(now - number * 10**9),
            "severityNumber": 9 + 4 * (number % 3),
            "body": {"stringValue": line},
            "attributes": [attribute("http.route", f"/r/{number}")],
        }
        for number, line in enumerate(lines)
    ]
    resource = {"attributes": [attribute("service.name", "shop"), attribute("k8s.namespace.name", "prod")]}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]}


def metrics_of(now):
    points = [
        {
            "startTimeUnixNano": str(now - 300 * 10**9),
            "timeUnixNano": str(now - second * 10**9),
            "asInt": str(1000 - second),
            "exemplars": [
                {"timeUnixNano": str(now - second * 10**9), "asDouble": 1.5, "traceId": "ab" * 16, "spanId": "cd" * 8}
            ],
        }
        for second in range(290, -1, -10)
    ]
    metric = {
        "name": "orders",
        "description": "Orders that were placed.",
        "sum": {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": points},
    }
    resource = {"attributes": [attribute("service.name", "shop"), attribute("service.instance.id", "1")]}
    return {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}]}


def filled(value, times):
    """A parameter with the times put in."""
    for name in sorted(times, key=len, reverse=True):
        value = value.replace(f"${name}", times[name])
    return value


def ask(server, entry, times):
    """Status and body."""
    encode = lambda pairs: urllib.parse.urlencode({name: filled(value, times) for name, value in pairs.items()})  # noqa: E731
    url = f"http://127.0.0.1:{server.api_port}{entry['path']}?{encode(entry.get('query', {}))}"
    headers = dict(entry.get("headers", {}))
    data = None
    if "form" in entry:
        data = encode(entry["form"]).encode()
        headers["content-type"] = "application/x-www-form-urlencoded"
    request = urllib.request.Request(url, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status, coding, body = answer.status, answer.headers.get("content-encoding"), answer.read()
    except urllib.error.HTTPError as error:
        status, coding, body = error.code, error.headers.get("content-encoding"), error.read()
    return status, (gzip.decompress(body) if coding == "gzip" else body).decode()


KINDS = {
    "text": lambda found: isinstance(found, str),
    "number": lambda found: isinstance(found, (int, float)) and not isinstance(found, bool),
    "integer": lambda found: isinstance(found, int) and not isinstance(found, bool),
    "null": lambda found: found is None,
    "list": lambda found: isinstance(found, list),
}


def complaints(shape, found, where="answer"):
    """What `found` lacks of `shape`: a name of a kind, `=text`, a list of one shape with at least one element, members by
    name (`?` may be missing, `*` are all), `{"tuple": […]}`, `{"or": […]}`.
    """
    if isinstance(shape, str):
        good = found == shape[1:] if shape.startswith("=") else KINDS[shape](found)
        return [] if good else [f"{where} is {json.dumps(found)[:200]}, not {shape}"]
    if isinstance(shape, list):
        if not isinstance(found, list) or not found:
            return [f"{where} is {json.dumps(found)[:200]}, not a list of something"]
        return [c for number, each in enumerate(found) for c in complaints(shape[0], each, f"{where}[{number}]")]
    if "or" in shape:
        tried = [complaints(each, found, where) for each in shape["or"]]
        return min(tried, key=len)
    if "tuple" in shape:
        if not isinstance(found, list) or len(found) != len(shape["tuple"]):
            return [f"{where} is {json.dumps(found)[:200]}, not {len(shape['tuple'])} values"]
        pairs = zip(shape["tuple"], found)
        return [c for number, pair in enumerate(pairs) for c in complaints(*pair, f"{where}[{number}]")]
    if not isinstance(found, dict):
        return [f"{where} is {json.dumps(found)[:200]}, not an object"]
    wrong = []
    for name, inner in shape.items():
        plain = name.removesuffix("?")
        if name == "*":
            wrong += [c for key, value in found.items() for c in complaints(inner, value, f"{where}.{key}")]
        elif plain in found:
            wrong += complaints(inner, found[plain], f"{where}.{plain}")
        elif not name.endswith("?"):
            wrong.append(f"{where} has no {plain}: {json.dumps(found)[:200]}")
    return wrong


def check(server, entry, times):
    status, text = ask(server, entry, times)
    wanted = entry.get("status", 200)
    wrong = [] if status == wanted else [f"{status}, not {wanted}: {text[:300]}"]
    if not wrong and "text" in entry and entry["text"] not in text:
        wrong.append(f"no {entry['text']!r} in {text[:300]}")
    if not wrong and "shape" in entry:
        wrong += complaints(entry["shape"], json.loads(text))
    CHECKS.row("5.2", f"{entry['path']}: {entry['about']}", CLIENT, wrong)


async def followed(server):
    """Explore's live mode: lines over a WebSocket, which arrive after it was opened."""
    query = urllib.parse.urlencode({"query": '{service_name="shop"} |= `live`'})
    url = f"ws://127.0.0.1:{server.api_port}/loki/api/v1/tail?{query}"
    async with websockets.connect(url, additional_headers={"X-Loki-Response-Encoding-Flags": "categorize-labels"}) as socket:
        await asyncio.to_thread(send, server, "logs", logs_of(time.time_ns(), ["live 1", "not this"]))
        message = json.loads(await asyncio.wait_for(socket.recv(), 30))
    shape = {"streams": [{"stream": {"*": "text"}, "values": [{"tuple": ["text", "=live 1", {}]}]}]}
    return complaints(shape, message)


def times_around(now):
    seconds = now / 1e9
    return {
        "START": str(now - 3600 * 10**9),
        "END": str(now + 10**9),
        "START_S": f"{seconds - 280:.3f}",
        "END_S": f"{seconds:.3f}",
        "START_W": str(int(seconds) - 3600),
        "END_W": str(int(seconds) + 60),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cairn", required=True)
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="cairn-grafana-")
    server = Server(arguments.cairn, os.path.join(folder, "data"))
    try:
        server.start()
        now = time.time_ns()
        send(server, "logs", logs_of(now, LINES))
        send(server, "metrics", metrics_of(now))
        for name in ("loki.json", "prometheus.json"):
            with open(os.path.join(HERE, name), encoding="utf-8") as file:
                for entry in json.load(file):
                    check(server, entry, times_around(now))
        CHECKS.row("5.2", "/loki/api/v1/tail: lines that arrive", CLIENT, asyncio.run(followed(server)))
        CHECKS.hold("a shape that does not hold is found", bool(complaints({"a": ["text"]}, {"a": [1]})))
        CHECKS.expect("it stops well", server.stop(), 0)
    finally:
        server.end()
    CHECKS.end(folder)


if __name__ == "__main__":
    main()
