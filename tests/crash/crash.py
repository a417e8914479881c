"""kill -9 against the real binary: `crash.py --cairn BINARY --kills N [--seed S] [--power]`.

Writers send records numbered (client, sequence) over gRPC and HTTP while the server is killed at random
instants, every fifth time while a flush is under way; after every fifth kill it is also stopped in good order, and then
writers must get nothing but errors that OTLP clients retry. After each restart all requests without an answer are sent again
byte for byte, and some of the answered ones too. By SQL, every acknowledged record must be there, and none
twice; at the end, when everything was acknowledged, the sequences of each client are whole.
"""

import argparse
import http.client
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
from power import PowerCutDisk  # noqa: E402
from server import Server  # noqa: E402

EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


def build(client, first, count):
    """One request with `count` records of `client`, numbered from `first`."""
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    label = group.resource.attributes.add()
    label.key, label.value.string_value = "service.name", f"writer-{client}"
    records = group.scope_logs.add().log_records
    for sequence in range(first, first + count):
        record = records.add()
        record.time_unix_nano = time.time_ns() - random.randrange(0, 7_200_000_000_000)
        record.body.string_value = f"record {sequence} of client {client}"
        for key, value in (("client", client), ("sequence", sequence)):
            attribute = record.attributes.add()
            attribute.key, attribute.value.int_value = key, value
    return request.SerializeToString()


# What OTLP clients send again (OTLP 1.11, "Failures").
RETRYABLE = {
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
    429,
    502,
    503,
    504,
}


class Refused(Exception):
    """An answer over HTTP that is no success."""

    def __init__(self, status, text):
        super().__init__(f"{status} {text!r}")
        self.status = status


def is_retried(error):
    """Whether an OTLP client sends the request again after `error`."""
    if isinstance(error, grpc.RpcError):
        return error.code() in RETRYABLE
    return error.status in RETRYABLE if isinstance(error, Refused) else True


class Writer:
    """Sends requests of one client and remembers which were acknowledged."""

    def __init__(self, client, server, rng):
        self.client, self.server, self.rng = client, server, rng
        self.next, self.unanswered, self.answered = 0, [], []
        self.acknowledged = 0
        self.ended_with = None

    def send_grpc(self, channel, body):
        call = channel.unary_unary(EXPORT)
        answer = call(body, timeout=10)
        if answer != b"":
            raise RuntimeError(f"partial success: {answer!r}")

    def send_http(self, connection, body):
        connection.request("POST", "/v1/logs", body, {"content-type": "application/x-protobuf"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise Refused(answer.status, text)
        if text != b"":
            raise RuntimeError(f"partial success: {text!r}")

    def sender(self):
        """A function that sends one body, and the thing to close afterwards."""
        if self.client % 2 == 0:
            channel = grpc.insecure_channel(f"127.0.0.1:{self.server.grpc_port}")
            return lambda body: self.send_grpc(channel, body), channel
        link = http.client.HTTPConnection("127.0.0.1", self.server.http_port, timeout=10)
        return lambda body: self.send_http(link, body), link

    def resend(self):
        """Sends all unanswered requests again, and a tenth of the recent answered ones."""
        send, closing = self.sender()
        for first, count, body in list(self.unanswered):
            send(body)
            self.unanswered.remove((first, count, body))
            self.acknowledge(first, count, body)
        for _, _, body in self.answered[-20:]:
            if self.rng.random() < 0.5:
                send(body)
        closing.close()

    def acknowledge(self, first, count, body):
        self.acknowledged += count
        self.answered = self.answered[-200:] + [(first, count, body)]

    def run(self, stop):
        """Sends new requests until `stop` is set or the server is gone."""
        send, closing = self.sender()
        self.ended_with = None
        while not stop.is_set():
            count = self.rng.randrange(1, 60)
            entry = (self.next, count, build(self.client, self.next, count))
            self.next += count
            self.unanswered.append(entry)
            try:
                send(entry[2])
            except (grpc.RpcError, OSError, http.client.HTTPException, Refused) as error:
                self.ended_with = error
                break
            self.unanswered.remove(entry)
            self.acknowledge(*entry)
        closing.close()


def staged(data_dir):
    """Whether a flush has files in the staging folder now."""
    try:
        return any(os.scandir(os.path.join(data_dir, "staging")))
    except FileNotFoundError:
        return False


def check(server, writers, final):
    """Compares what SQL says with what was acknowledged; returns a list of complaints."""
    rows = server.sql(
        "SELECT attributes['client'] AS client, count(*) AS n,"
        " count(DISTINCT attributes['sequence']) AS d FROM logs GROUP BY 1"
    )
    found = {int(row["client"]): row for row in rows}
    complaints = []
    for writer in writers:
        row = found.get(writer.client, {"n": 0, "d": 0})
        if row["n"] != row["d"]:
            complaints.append(f"client {writer.client}: {row['n'] - row['d']} rows are doubles")
        if row["d"] < writer.acknowledged:
            lost = writer.acknowledged - row["d"]
            complaints.append(f"client {writer.client}: at least {lost} acknowledged records are gone")
        if final and row["d"] != writer.next:
            complaints.append(f"client {writer.client}: {row['d']} of {writer.next} records are there")
    return complaints


def restart(server, writers, rng):
    """One life that ends in good order while writers send; returns a list of complaints."""
    stop = threading.Event()
    threads = [threading.Thread(target=writer.run, args=(stop,)) for writer in writers]
    for thread in threads:
        thread.start()
    time.sleep(rng.random() * 0.7)
    code = server.stop()
    stop.set()
    for thread in threads:
        thread.join()
    complaints = [f"a shutdown under load ended with {code}"] if code != 0 else []
    for writer in writers:
        if writer.ended_with is not None and not is_retried(writer.ended_with):
            complaints.append(f"client {writer.client}: no client retries {writer.ended_with!r}")
    return complaints


def cycle(server, writers, rng, in_flush, disk):
    """One life of the server, ended by a kill or a power cut."""
    stop = threading.Event()
    threads = [threading.Thread(target=writer.run, args=(stop,)) for writer in writers]
    for thread in threads:
        thread.start()
    time.sleep(rng.random() * 0.7)
    hit = False
    deadline = time.monotonic() + 3
    while in_flush and not hit and time.monotonic() < deadline:
        hit = staged(server.data_dir)
    if in_flush:
        time.sleep(rng.random() * 0.03)
    if disk:
        disk.cut()
    server.kill()
    stop.set()
    for thread in threads:
        thread.join()
    if disk:
        disk.restore()
    return hit


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn", required=True)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--power", action="store_true", help="cut the power of a loop-mounted ext4")
    return parser.parse_args()


def lives(options, server, disk):
    """All lives of the server, and what was wrong in them."""
    rng = random.Random(options.seed)
    writers = [Writer(client, server, random.Random(options.seed + client)) for client in range(4)]
    complaints, in_flush_hits = [], 0
    for kill in range(options.kills):
        server.start()
        complaints += check(server, writers, final=False)
        for writer in writers:
            writer.resend()
        in_flush_hits += cycle(server, writers, rng, kill % 5 == 0, disk)
        if kill % 5 == 4:
            server.start()
            for writer in writers:
                writer.resend()
            complaints += restart(server, writers, rng)
        if complaints:
            return complaints
    server.start()
    for writer in writers:
        writer.resend()
    complaints += check(server, writers, final=True)
    code = server.stop()
    if code != 0:
        complaints.append(f"the clean shutdown ended with {code}")
    server.start()
    complaints += check(server, writers, final=True)
    server.stop()
    verify = subprocess.run([options.cairn, "verify", "--data-dir", server.data_dir], capture_output=True)
    if verify.returncode != 0:
        complaints.append(f"cairn verify: {verify.stdout.decode()[-2000:]}")
    total = sum(writer.acknowledged for writer in writers)
    how = "power cuts" if disk else "kills"
    print(f"{options.kills} {how}, {in_flush_hits} of them inside a flush, {total} records acknowledged")
    return complaints


def main():
    options = arguments()
    folder = tempfile.mkdtemp(prefix="cairn-crash-")
    disk = None
    if options.power:
        try:
            disk = PowerCutDisk(folder)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"NOT RUN: no power was cut, since this machine cannot mount a loop device: {error}")
            print("0 passed, 0 failed")
            shutil.rmtree(folder, ignore_errors=True)
            return
    data_dir = os.path.join(disk.mount_point if disk else folder, "data")
    settings = ["storage.flush_age_seconds=1", "storage.small_segment_bytes=1"]
    settings += ["storage.flush_bytes=262144", "storage.wal_file_bytes=1048576"]
    server = Server(options.cairn, data_dir, settings)
    try:
        complaints = lives(options, server, disk)
    finally:
        server.end()
        if disk:
            disk.close()
    for complaint in complaints:
        print(f"WRONG: {complaint}")
    print(f"{int(not complaints)} passed, {int(bool(complaints))} failed")
    if complaints:
        print(f"what is left of it: {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if complaints else 0)


main()
