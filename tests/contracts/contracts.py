"""Contracts against the real binary: `contracts.py --cairn BINARY`.

The OpenAPI document that the server hands out is the committed one; every operation answers requests made from it as it says
(`fuzz.py`), those who may and in the media types it names (`scopes.py`); the events that the run leaves in the outbox are the messages of `proto/cairn/v1`
(`outbox.py`). Run in the repository's root. Each row is a line `conformance: NUMBER | CHECK | CLIENT | passed`.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "harness"), os.path.join(HERE, "..", "hostile")]
from beside import new_key  # noqa: E402
from checks import CHECKS  # noqa: E402
from fuzz import check_answers  # noqa: E402
from outbox import check_outbox  # noqa: E402
from scopes import check_formats, check_scopes  # noqa: E402
from server import Server  # noqa: E402

TENANT = "contracts"
DOCUMENT = "/api/v1/openapi.json"
SCOPES = ["ingest", "query", "operate", "admin"]

# Statements that wait for their deadline are many here.
SETTINGS = ["query.timeout_seconds=1", "query.max_timeout_seconds=1"]


def keyed(binary, folder):
    """A server, not started; a key with all scopes, and one with each."""
    every = new_key(binary, TENANT, ",".join(SCOPES))
    single = {scope: new_key(binary, TENANT, scope) for scope in SCOPES}
    path = os.path.join(folder, "cairn.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(entry for _, entry in [every, *single.values()]))
    server = Server(binary, os.path.join(folder, "data"), SETTINGS, arguments=["--config", path])
    return server, every[0], {scope: key for scope, (key, _) in single.items()}


def post(port, path, body, key):
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def fill(server, key):
    """Logs of which one is a dead letter, in a segment, and some in the buffer."""
    now = time.time_ns()
    records = [
        {"timeUnixNano": str(now + at), "body": {"stringValue": f"record {at}"}, "attributes": [{"key": "k", "value": {"intValue": str(at)}}]}
        for at in range(40)
    ]
    refused = {"timeUnixNano": str(2**63), "body": {"stringValue": "of the year 2262"}}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": TENANT}}]}
    for logs in [[*records, refused], records[:5]]:
        body = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": logs}]}]}
        post(server.http_port, "/v1/logs", json.dumps(body).encode(), key)
        if logs[-1] is refused:
            post(server.api_port, "/api/v1/flush", b"", key)


def check_document(url, key):
    """The document that is handed out, which is the committed one."""
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read()
    with open("docs/api/openapi.json", "rb") as file:
        same = file.read() == text
    CHECKS.row("3.7", "the OpenAPI document that is served is the committed one", "own check", [] if same else ["they differ"])
    return json.loads(text)


def ours(document):
    """The document without the interfaces of Prometheus and Loki, which have tests of their own, and without the answer that
    does not end."""
    others = ("/prometheus/", "/loki/")
    paths = document["paths"].items()
    own = {path: item for path, item in paths if not path.startswith(others) and path != "/api/v1/logs/tail"}
    return document | {"paths": own}


def run(server, key, keys, folder):
    server.start()
    try:
        fill(server, key)
        url = f"http://127.0.0.1:{server.api_port}"
        document = ours(check_document(url + DOCUMENT, key))
        check_scopes(server.api_port, document, keys)
        check_formats(server.api_port, document, key)
        check_answers(url, key, document, folder)
        CHECKS.expect("the server stops cleanly", server.stop(), 0)
    finally:
        server.end()
    check_outbox(server.data_dir)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn", required=True)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="cairn-contracts-")
    run(*keyed(os.path.abspath(options.cairn), folder), folder)
    CHECKS.end(folder)


main()
