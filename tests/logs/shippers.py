"""Shippers that nobody here wrote send logs; every record is counted back and its fields compared, by SQL and by LogQL.

rsyslog (Debian) over UDP and TCP in both formats and framings and by its module for Elasticsearch, the official Elasticsearch
client with its bulk helpers, Loki clients of PyPI (JSON) and npm (protobuf in snappy), and curl with lines of JSON.
"""

import argparse
import gzip
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))

import logging_loki  # noqa: E402
import rsyslog  # noqa: E402
from checks import CHECKS  # noqa: E402
from debian import Unavailable, unpacked  # noqa: E402
from elasticsearch import Elasticsearch, helpers  # noqa: E402
from server import Server, free_ports  # noqa: E402

RECORDS = 200
NUMBER = "5.1"


def bodies(name):
    plain = [f"{name} message {number} of {RECORDS}" for number in range(RECORDS - len(rsyslog.HARD))]
    return plain + rsyslog.HARD


def rows(server, service):
    """All records of a service."""
    return server.sql(
        "SELECT timestamp, service_name, severity_number, severity_text, body, attributes, "
        f"resource_attributes['host.name'] AS host FROM logs WHERE service_name = '{service}'"
    )


def awaited(server, service, count):
    """The records of a service once there are as many, or after half a minute."""
    deadline = time.monotonic() + 30
    while True:
        found = rows(server, service)
        if len(found) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def counted_by_logql(server, selector, since="1h"):
    """How many lines a selector has, as LogQL counts them."""
    query = urllib.parse.urlencode({"query": f"sum(count_over_time({selector}[{since}]))"})
    with urllib.request.urlopen(f"http://127.0.0.1:{server.api_port}/loki/api/v1/query?{query}", timeout=30) as answer:
        result = json.load(answer)["data"]["result"]
    return int(result[0]["value"][1]) if result else 0


def differences(found, wanted):
    """Bodies that are missing, too many, or other ones."""
    left = sorted(row["body"] for row in found)
    right = sorted(wanted)
    wrong = [] if len(left) == len(right) else [f"{len(left)} records, not {len(right)}"]
    wrong += [f"missing: {body[:80]!r}" for body in sorted(set(right) - set(left))[:3]]
    return wrong + [f"unknown: {body[:80]!r}" for body in sorted(set(left) - set(right))[:3]]


def unlike(found, **wanted):
    """Fields that are not as they were sent."""
    wrong = []
    for name, value in wanted.items():
        others = {json.dumps(row[name]) for row in found if row[name] != value}
        if others:
            wrong.append(f"{name} is {sorted(others)[:3]}, not {value!r}")
    return wrong


def attributes_unlike(found, **wanted):
    wrong = []
    for name, value in wanted.items():
        key = name.replace("__", ".")
        others = {json.dumps(json.loads(row["attributes"]).get(key)) for row in found} - {json.dumps(value)}
        if others:
            wrong.append(f"attributes[{key!r}] is {sorted(others)[:3]}, not {value!r}")
    return wrong


def near(found, seconds=120):
    """Times that are not of now: zones and years are read right."""
    now = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() - seconds))
    off = [row["timestamp"] for row in found if not row["timestamp"] >= now]
    return [f"the time {off[0]} is long ago"] if off else []


def check_rsyslog(server, folder, parts, syslog_port):
    try:
        root = unpacked(os.path.join(parts, "shippers"), rsyslog.PACKAGES)
    except Unavailable as error:
        CHECKS.skip(NUMBER, "messages of rsyslog", "rsyslog", error)
        return
    (port,) = free_ports(1)
    shipper = rsyslog.Rsyslog(root, folder, port, (syslog_port, server.http_port))
    try:
        shipper.start()
        for name in [*rsyslog.WAYS, rsyslog.ELASTIC]:
            rsyslog.send(port, name, bodies(name), severity=4)
        for name, how in rsyslog.WAYS.items():
            found = awaited(server, name, RECORDS)
            # What stands behind the tag of RFC 3164 begins with a blank, which this template does not take away.
            blank = " " * ("Protocol23" in how)
            wrong = differences(found, [blank + body for body in bodies(name)]) + near(found)
            wrong += unlike(found, severity_number=13, severity_text="warning", host="box")
            wrong += attributes_unlike(found, syslog__facility=16, syslog__procid="77")
            by_logql = counted_by_logql(server, f'{{service_name="{name}"}}')
            wrong += [] if by_logql == RECORDS else [f"LogQL counts {by_logql}"]
            CHECKS.row(NUMBER, f"{RECORDS} messages: {how}", "rsyslog", wrong)
        found = awaited(server, rsyslog.ELASTIC, RECORDS)
        wrong = differences(found, bodies(rsyslog.ELASTIC)) + near(found)
        wrong += unlike(found, severity_number=13, severity_text="warning")
        wrong += attributes_unlike(found, elasticsearch__index="syslog")
        CHECKS.row(NUMBER, f"{RECORDS} messages: omelasticsearch, bulk mode", "rsyslog", wrong)
    finally:
        shipper.stop()


def check_elasticsearch(server):
    client = Elasticsearch(f"http://127.0.0.1:{server.http_port}/elasticsearch", basic_auth=("any", "key"), http_compress=True)
    client_name = "elasticsearch for Python"
    now = time.time()
    at = lambda number: time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now - number)) + f".{number % 1000:03}Z"  # noqa: E731

    def documents(service):
        for number, body in enumerate(bodies(service)):
            yield {
                "_op_type": "create",
                "_index": "orders",
                "_id": f"{service}-{number}",
                "@timestamp": at(number),
                "message": body,
                "log": {"level": "error"},
                "service": {"name": service},
                "http": {"status": 500, "took": 1.5, "ok": False},
            }

    for service, ship in (("bulk", helpers.bulk), ("parallel_bulk", parallel), ("streaming_bulk", streamed)):
        stored, errors = ship(client, documents(service))
        found = awaited(server, service, RECORDS)
        wrong = [] if (stored, errors) == (RECORDS, []) else [f"the client counts {stored} and {str(errors)[:200]}"]
        wrong += differences(found, bodies(service)) + unlike(found, severity_number=17, severity_text="error")
        wrong += attributes_unlike(
            found, http__status=500, http__took=1.5, http__ok=False, elasticsearch__index="orders"
        )
        times = sorted(row["timestamp"][:23] + "Z" for row in found)
        if times != sorted(at(number) for number in range(RECORDS)):
            wrong.append(f"other times: {times[:2]}")
        CHECKS.row(NUMBER, f"{RECORDS} documents by {service}", client_name, wrong)
    told = client.info()
    CHECKS.hold("the client takes the server for Elasticsearch", told["version"]["number"].startswith("8."), told)


def parallel(client, documents):
    done = list(helpers.parallel_bulk(client, documents, thread_count=3, chunk_size=50))
    return sum(1 for good, _ in done if good), [item for good, item in done if not good]


def streamed(client, documents):
    done = list(helpers.streaming_bulk(client, documents, chunk_size=33))
    return sum(1 for good, _ in done if good), [item for good, item in done if not good]


def check_loki(server):
    handler = logging_loki.LokiHandler(
        url=f"http://127.0.0.1:{server.http_port}/loki/api/v1/push",
        tags={"service_name": "pushed", "application": "till"},
        version="1",
    )
    failed = []
    handler.handleError = failed.append
    logger = logging.getLogger("shippers")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    # Each is a request of its own.
    wanted = bodies("pushed")[-40:]
    for body in wanted:
        logger.warning(body, extra={"tags": {"shelf": "7"}})
    found = awaited(server, "pushed", len(wanted))
    wrong = [f"the client failed: {failed[0]}"] if failed else []
    wrong += differences(found, wanted) + near(found) + unlike(found, severity_number=13, severity_text="warning")
    by_logql = counted_by_logql(server, '{service_name="pushed", application="till", shelf="7", level="warn"}')
    wrong += [] if by_logql == len(wanted) else [f"LogQL counts {by_logql}"]
    CHECKS.row(NUMBER, f"{len(wanted)} lines, each a push", "python-logging-loki", wrong)


def check_winston(server, folder, node):
    path = os.path.join(folder, "bodies.ndjson")
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(body) + "\n" for body in bodies("winston"))
    command = ["node", "send.mjs", f"http://127.0.0.1:{server.http_port}", path]
    done = subprocess.run(command, cwd=node, capture_output=True, timeout=60, check=False)
    found = awaited(server, "winston", RECORDS)
    said = json.loads(done.stdout or b"{}")
    wrong = [] if said == {"sent": RECORDS, "failed": []} else [f"the client says {said} {done.stderr.decode()[:300]}"]
    wrong += differences(found, bodies("winston")) + near(found)
    for level, number in (("error", 17), ("info", 9)):
        part = [row for row in found if row["severity_text"] == level]
        wanted = len(range(0, RECORDS, 3)) if level == "error" else RECORDS - len(range(0, RECORDS, 3))
        wrong += unlike(part, severity_number=number)
        wrong += [] if len(part) == wanted else [f"{len(part)} records of {level}, not {wanted}"]
        by_logql = counted_by_logql(server, f'{{service_name="winston", shelf="7", level="{level}"}}')
        wrong += [] if by_logql == wanted else [f"LogQL counts {by_logql} of {level}"]
    CHECKS.row(NUMBER, f"{RECORDS} lines, protobuf in a snappy block", "winston-loki", wrong)


def check_curl(server, folder):
    lines = [
        json.dumps({"time": int(time.time() * 1000) - number, "msg": body, "level": "debug", "n": number})
        for number, body in enumerate(bodies("curled"))
    ]
    path = os.path.join(folder, "lines.ndjson.gz")
    with gzip.open(path, "wb") as file:
        file.write("\n".join(lines).encode())
    command = ["curl", "-sS", f"http://127.0.0.1:{server.api_port}/api/v1/logs/json?service=curled"]
    command += ["-H", "content-type: application/x-ndjson", "-H", "content-encoding: gzip", "--data-binary", f"@{path}"]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    answer = json.loads(done.stdout or b"{}")
    found = awaited(server, "curled", RECORDS)
    wrong = [] if answer.get("stored") == RECORDS else [f"the answer is {answer} {done.stderr.decode()}"]
    wrong += differences(found, bodies("curled")) + near(found) + unlike(found, severity_number=5)
    numbers = sorted(json.loads(row["attributes"])["n"] for row in found)
    wrong += [] if numbers == list(range(RECORDS)) else ["the attribute n is not as it was sent"]
    CHECKS.row(NUMBER, f"{RECORDS} lines of JSON, packed with gzip", "curl", wrong)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cairn", required=True)
    parser.add_argument("--parts", required=True, help="the folder that keeps Debian's programs")
    parser.add_argument("--node", required=True, help="the folder with send.mjs and its packages")
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="cairn-shippers-")
    (syslog_port,) = free_ports(1)
    settings = [f"syslog.listen_udp=\"127.0.0.1:{syslog_port}\"", f"syslog.listen_tcp=\"127.0.0.1:{syslog_port}\""]
    server = Server(arguments.cairn, os.path.join(folder, "data"), settings=settings)
    try:
        server.start()
        check_rsyslog(server, folder, arguments.parts, syslog_port)
        check_elasticsearch(server)
        check_loki(server)
        check_winston(server, folder, arguments.node)
        check_curl(server, folder)
        CHECKS.expect("it stops well", server.stop(), 0)
    finally:
        server.end()
    CHECKS.end(folder)


if __name__ == "__main__":
    main()
