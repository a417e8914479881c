"""The order of system calls behind an OK, under strace: `sync_order.py --cairn BINARY`.

One client sends requests one after the other, so at each OK nothing else is under way. Before an OK leaves the socket,
every byte written to the write-ahead log must be covered by an fdatasync that came after it, and every new or
renamed file below `wal/` by an fsync of its directory. Before the catalog is synced, the same holds for the
files of the bucket. The check looks at the calls that were made, so it fails when one is left out.
"""

import argparse
import http.client
import os
import re
import shutil
import sys
import tempfile
import time

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
from server import Server  # noqa: E402

CALLS = "openat,write,pwrite64,writev,pwritev,fdatasync,fsync,rename,renameat,renameat2,sendto,sendmsg,linkat,link"
LINE = re.compile(r"^(\d+)\s+(.*)$")
UNFINISHED = re.compile(r"^(.*) <unfinished \.\.\.>$")
RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$")
CALL = re.compile(r"^(\w+)\((.*)\)\s+= (-?\d+|0x[0-9a-f]+)(.*)$", re.S)
DESCRIPTOR = re.compile(r"^\d+<([^>]*)>")


def calls(path):
    """Completed calls in the order of their completion: (name, arguments, result text, started line number)."""
    pending = {}
    with open(path, errors="replace") as trace:
        for number, line in enumerate(trace):
            match = LINE.match(line.rstrip("\n"))
            if not match:
                continue
            process, text = match.groups()
            unfinished = UNFINISHED.match(text)
            if unfinished:
                pending[process] = (unfinished.group(1), number)
                continue
            resumed = RESUMED.match(text)
            started = number
            if resumed and process in pending:
                head, started = pending.pop(process)
                text = head + resumed.group(2)
            call = CALL.match(text)
            if call and not call.group(3).startswith("-"):
                yield call.group(1), call.group(2), call.group(3) + call.group(4), started, number


class Ledger:
    """What is written and not yet synced."""

    def __init__(self, data_dir):
        self.data_dir = data_dir
        self.files, self.entries = {}, {}
        self.complaints = []
        self.seen = {"ok": 0, "wal_write": 0, "wal_sync": 0, "wal_entry": 0, "bucket_entry": 0, "catalog_sync": 0}

    def under(self, path, folder):
        return path.startswith(os.path.join(self.data_dir, folder) + "/")

    def dirty(self, folder):
        """Unsynced files and entries below `folder`."""
        found = [path for path in self.files if self.under(path, folder)]
        return found + [f"entry {path}" for path in self.entries if self.under(path, folder)]

    def entry(self, path):
        self.entries[path] = True
        self.seen["wal_entry"] += self.under(path, "wal")
        self.seen["bucket_entry"] += self.under(path, "bucket")

    def opened(self, arguments, result):
        if "O_CREAT" in arguments:
            match = re.search(r"<([^>]*)>", result)
            if match:
                self.entry(match.group(1))

    def renamed(self, arguments):
        old, new = re.findall(r'"((?:[^"\\]|\\.)*)"', arguments)[:2]
        if old in self.files:
            self.files[new] = self.files.pop(old)
        self.entries.pop(old, None)
        self.entry(new)

    def written(self, path, arguments, number):
        if path.startswith(self.data_dir):
            self.files[path] = number
            self.seen["wal_write"] += self.under(path, "wal")

    def synced(self, path, started):
        if self.files.get(path, started + 1) < started:
            del self.files[path]
        for entry in [each for each in self.entries if os.path.dirname(each) == path]:
            del self.entries[entry]
        self.seen["wal_sync"] += self.under(path, "wal")
        if "catalog" in os.path.basename(path):
            self.seen["catalog_sync"] += 1
            for what in self.dirty("bucket"):
                self.complaints.append(f"line {started}: catalog synced before {what}")

    def answered(self, number):
        self.seen["ok"] += 1
        for what in self.dirty("wal"):
            self.complaints.append(f"line {number}: OK left before {what} was synced")


def judge(trace, data_dir):
    """Walks the calls and returns the ledger with its complaints."""
    ledger = Ledger(data_dir)
    for name, arguments, result, started, number in calls(trace):
        match = DESCRIPTOR.match(arguments)
        path = match.group(1) if match else ""
        if name == "openat":
            ledger.opened(arguments, result)
        elif name.startswith("rename"):
            ledger.renamed(arguments)
        elif name.startswith("link"):
            ledger.entry(re.findall(r'"((?:[^"\\]|\\.)*)"', arguments)[1])
        elif name in ("fdatasync", "fsync"):
            ledger.synced(path, started)
        elif "HTTP/1.1 200" in arguments and ("socket:" in path or "TCP" in path):
            ledger.answered(number)
        elif name in ("write", "pwrite64", "writev", "pwritev"):
            ledger.written(path, arguments, number)
    return ledger


def send_requests(server, count):
    """`count` requests of about 30 KiB, one after the other."""
    link = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=60)
    for number in range(count):
        request = ExportLogsServiceRequest()
        records = request.resource_logs.add().scope_logs.add().log_records
        for index in range(100):
            record = records.add()
            record.time_unix_nano = time.time_ns()
            record.body.string_value = f"request {number} record {index} " + "x" * 250
        link.request("POST", "/v1/logs", request.SerializeToString(), {"content-type": "application/x-protobuf"})
        answer = link.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"request {number}: {answer.status}")
    link.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn", required=True)
    options = parser.parse_args()
    folder = os.path.realpath(tempfile.mkdtemp(prefix="cairn-sync-"))
    trace = os.path.join(folder, "trace.txt")
    wrapper = ["strace", "-f", "-y", "-s", "64", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", trace]
    settings = ["storage.wal_file_bytes=1048576", "storage.flush_age_seconds=1", "storage.small_segment_bytes=1"]
    server = Server(options.cairn, os.path.join(folder, "data"), settings, wrapper)
    server.start()
    for _ in range(3):
        send_requests(server, 40)
        time.sleep(1.5)
    server.stop()
    ledger = judge(trace, server.data_dir)
    complaints = ledger.complaints
    for what, least in {"ok": 120, "wal_write": 100, "wal_sync": 100, "wal_entry": 2, "bucket_entry": 1, "catalog_sync": 1}.items():
        if ledger.seen[what] < least:
            complaints.append(f"only {ledger.seen[what]} of at least {least} {what} were seen: the check is blind")
    print(", ".join(f"{count} {what}" for what, count in ledger.seen.items()))
    for complaint in complaints[:20]:
        print(f"WRONG: {complaint}")
    print(f"{int(not complaints)} passed, {int(bool(complaints))} failed")
    if not complaints:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if complaints else 0)


main()
