"""A client that behaves well: `steady.py HTTP_PORT KEY` sends ten log records every 20 ms over one connection.

Lines on standard input name the phase that is counted from then on; at its end the counts go to standard output as JSON.
"""

import http.client
import json
import os
import select
import sys
import time

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

PACE_SECONDS = 0.02
RECORDS = 10


def body(number):
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    label = group.resource.attributes.add()
    label.key, label.value.string_value = "service.name", "steady"
    records = group.scope_logs.add().log_records
    for position in range(RECORDS):
        record = records.add()
        record.time_unix_nano = time.time_ns()
        record.severity_number = 9
        record.body.string_value = f"steady record {number} {position}"
    return request.SerializeToString()


class Phase:
    def __init__(self):
        self.seconds, self.wrong = [], []

    def summary(self):
        ordered = sorted(self.seconds)
        at = lambda part: ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else None
        return {
            "acknowledged": len(ordered),
            "wrong": len(self.wrong),
            "examples": self.wrong[:5],
            "p50": at(0.5),
            "p99": at(0.99),
            "max": at(1),
        }


def send(link, key, number):
    headers = {"content-type": "application/x-protobuf"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    link.request("POST", "/v1/logs", body(number), headers)
    answer = link.getresponse()
    text = answer.read()
    return None if (answer.status, text) == (200, b"") else f"{answer.status} {text[:200]!r}"


class Commands:
    """Lines of standard input as they come; unbuffered, so that none hides behind another."""

    def __init__(self):
        self.pending = b""

    def take(self):
        """The names that came, and whether more may come."""
        while select.select([0], [], [], 0)[0]:
            chunk = os.read(0, 4096)
            if not chunk:
                return [], False
            self.pending += chunk
        *lines, self.pending = self.pending.split(b"\n")
        return [line.decode() for line in lines], True


def main():
    port, key = int(sys.argv[1]), sys.argv[2]
    phases, phase, number = {}, Phase(), 0
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    commands = Commands()
    while True:
        names, is_open = commands.take()
        if not is_open:
            break
        for name in names:
            phase = phases.setdefault(name, Phase())
        started = time.monotonic()
        try:
            wrong = send(link, key, number)
        except (OSError, http.client.HTTPException) as error:
            link.close()
            wrong = repr(error)
        number += 1
        took = time.monotonic() - started
        if wrong:
            phase.wrong.append(wrong)
        else:
            phase.seconds.append(took)
        time.sleep(max(0, PACE_SECONDS - took))
    print(json.dumps({name: phase.summary() for name, phase in phases.items()}))


main()
