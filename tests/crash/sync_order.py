"""The order of system calls behind an OK, under strace: `sync_order.py --cairn BINARY`.

One client sends requests one after the other, first over HTTP and then over gRPC, so at each OK nothing else is under way.

* Before an OK leaves a socket, every byte written to the write-ahead log must be covered by an fdatasync that came after it, and
  every new or renamed file and every new folder on the way to it by an fsync of its directory.
* Before the catalog is synced, the same holds for the files and folders of the bucket.
* Before a file of the log is removed, the catalog must be synced.

The check looks at the calls that were made. To see that it fails when one of them is left out, it judges the same trace again and again,
each time without one of the syncs (`control`).
"""

import argparse
import http.client
import os
import re
import shutil
import sys
import tempfile
import time

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
from server import Server  # noqa: E402

CALLS = (
    "openat,write,pwrite64,writev,pwritev,fdatasync,fsync,rename,renameat,renameat2,sendto,sendmsg,linkat,link"
    ",mkdir,mkdirat,unlink,unlinkat"
)
EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"

LINE = re.compile(r"^(\d+)\s+(.*)$")
UNFINISHED = re.compile(r"^(.*) <unfinished \.\.\.>$")
RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$")
CALL = re.compile(r"^(\w+)\((.*)\)\s+= (-?\d+|0x[0-9a-f]+)(.*)$", re.S)
DESCRIPTOR = re.compile(r"^\d+<([^>]*)>")
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')

# Frames of HTTP/2 that carry an answer.
DATA, HEADERS = 0, 1


def calls(path):
    """Completed calls in the order of their completion: (name, arguments, result text, started line, completed line)."""
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


def unescaped(text):
    """The bytes that strace shows as C text."""
    return text.encode("latin-1", "replace").decode("unicode_escape").encode("latin-1", "replace")


def is_grpc_answer(arguments):
    """Whether the bytes begin with frames of which one carries an answer: headers or data on a client's stream."""
    raw = b"".join(unescaped(text) for text in TEXT.findall(arguments))
    at = 0
    while at + 9 <= len(raw):
        length, kind, flags = int.from_bytes(raw[at : at + 3], "big"), raw[at + 3], raw[at + 4]
        stream = int.from_bytes(raw[at + 5 : at + 9], "big")
        if kind > 9 or flags & ~0x2D or stream >> 31:
            return False
        if kind in (DATA, HEADERS) and stream % 2 == 1:
            return True
        at += 9 + length
    return False


class Ledger:
    """What is written and not yet synced."""

    def __init__(self, data_dir):
        self.data_dir = data_dir
        self.wal = os.path.join(data_dir, "wal")
        self.files, self.entries = {}, {}
        self.complaints = []
        self.seen = dict.fromkeys(LEAST, 0)

    def under(self, path, folder):
        return path.startswith(os.path.join(self.data_dir, folder) + "/")

    def dirty(self, folder):
        """Unsynced files and entries below `folder`, and unsynced entries of the folders on the way to it."""
        root = os.path.join(self.data_dir, folder)
        found = [path for path in self.files if self.under(path, folder)]
        on_the_way = [path for path in self.entries if path == root or root.startswith(path + "/")]
        return found + [f"entry {path}" for path in self.entries if self.under(path, folder)] + on_the_way

    def dirty_catalog(self):
        """Files of the catalog that hold what was not synced. The shared-memory file needs no sync: it is made anew."""
        return [path for path in self.files if is_catalog(path) and not path.endswith("-shm")]

    def entry(self, path):
        if not path.startswith(self.data_dir) or is_witness(path):
            return
        self.entries[path] = True
        self.seen["wal_entry"] += self.under(path, "wal")
        self.seen["bucket_entry"] += self.under(path, "bucket")

    def opened(self, arguments, result):
        if "O_CREAT" in arguments:
            match = re.search(r"<([^>]*)>", result)
            if match:
                self.entry(match.group(1))

    def made(self, arguments, result):
        self.seen["folder"] += 1
        self.entry(os.path.normpath(TEXT.findall(arguments)[0]))

    def renamed(self, arguments):
        old, new = TEXT.findall(arguments)[:2]
        if old in self.files:
            self.files[new] = self.files.pop(old)
        self.entries.pop(old, None)
        self.entry(new)

    def removed(self, arguments, number):
        path = TEXT.findall(arguments)[0]
        self.files.pop(path, None)
        self.entries.pop(path, None)
        if self.under(path, "wal"):
            self.seen["wal_removal"] += 1
            for what in self.dirty_catalog() + self.dirty("bucket"):
                self.complaints.append(f"line {number}: {path} removed before {what} was synced")

    def written(self, path, number):
        if path.startswith(self.data_dir) and not is_witness(path):
            self.files[path] = number
            self.seen["wal_write"] += self.under(path, "wal")

    def synced(self, path, started):
        if self.files.get(path, started + 1) < started:
            del self.files[path]
        for entry in [each for each in self.entries if os.path.dirname(each) == path]:
            del self.entries[entry]
        self.seen["wal_sync"] += self.under(path, "wal")
        if is_catalog(path):
            self.seen["catalog_sync"] += 1
            for what in self.dirty("bucket"):
                self.complaints.append(f"line {started}: catalog synced before {what}")

    def answered(self, protocol, number):
        self.seen[f"{protocol}_ok"] += 1
        for what in self.dirty("wal"):
            self.complaints.append(f"line {number}: {protocol} OK left before {what} was synced")


def is_catalog(path):
    return os.path.basename(path).startswith("catalog.")


def is_witness(path):
    """Files that may be older than what they tell of: no OK and no commit waits for them."""
    return path.endswith((".witness", "catalog.commits"))


# What must be in a trace at least, or the check is blind.
LEAST = {
    "http_ok": 120,
    "grpc_ok": 120,
    "wal_write": 200,
    "wal_sync": 200,
    "wal_entry": 2,
    "wal_removal": 1,
    "bucket_entry": 2,
    "folder": 5,
    "catalog_sync": 2,
}


def judge(made, data_dir):
    """Walks the calls and returns the ledger with its complaints."""
    ledger = Ledger(data_dir)
    for name, arguments, result, started, number in made:
        match = DESCRIPTOR.match(arguments)
        path = match.group(1) if match else ""
        is_socket = "socket:" in path or "TCP" in path
        if name == "openat":
            ledger.opened(arguments, result)
        elif name.startswith("mkdir"):
            ledger.made(arguments, result)
        elif name.startswith("rename"):
            ledger.renamed(arguments)
        elif name.startswith("unlink"):
            ledger.removed(arguments, number)
        elif name.startswith("link"):
            ledger.entry(TEXT.findall(arguments)[1])
        elif name in ("fdatasync", "fsync"):
            ledger.synced(path, started)
        elif is_socket and "HTTP/1.1 200" in arguments:
            ledger.answered("http", number)
        elif is_socket and is_grpc_answer(arguments):
            ledger.answered("grpc", number)
        elif name in ("write", "pwrite64", "writev", "pwritev"):
            ledger.written(path, number)
    return ledger


def kind_of_sync(call, data_dir):
    """Which kind of sync a call is, for the control; None for other calls."""
    name, arguments = call[0], call[1]
    match = DESCRIPTOR.match(arguments)
    if name not in ("fdatasync", "fsync") or not match:
        return None
    path = match.group(1)
    inside = os.path.relpath(path, data_dir)
    if is_catalog(path):
        return "catalog"
    if path == os.path.dirname(data_dir):
        return "folder of the data folder"
    if inside.startswith(".."):
        return "folders above"
    top = "data folder" if inside == "." else inside.split("/")[0]
    return f"{top}: {'file' if re.search(r'[.](wal|parquet|idx)$', path) else 'folder'}"


# The kinds of sync each of which must be missed when it is gone, and which part of them at least: a folder is synced more
# often than it has to be, since nothing is remembered of it over a start. Folders above and those of the staging folder are
# not here: the first were there before, the second are cleared at a start.
CONTROLS = {
    "wal: file": 0.95,
    "wal: folder": 0.01,
    "staging: file": 0.5,
    "bucket: folder": 0.3,
    "data folder: folder": 0.01,
    "folder of the data folder": 0.01,
    "catalog": 0.01,
}


def control(made, data_dir):
    """Judges the trace without each of the syncs in turn; complaints where that is not found out."""
    found, total = {}, {}
    for at, call in enumerate(made):
        kind = kind_of_sync(call, data_dir)
        if kind is None:
            continue
        total[kind] = total.get(kind, 0) + 1
        without = judge(made[:at] + made[at + 1 :], data_dir)
        found[kind] = found.get(kind, 0) + bool(without.complaints)
    for kind, count in sorted(total.items()):
        print(f"control, {kind}: {found[kind]} of {count} left out are found")
    return [
        f"only {found.get(kind, 0)} of {total.get(kind, 0)} syncs left out are found: {kind}"
        for kind, part in CONTROLS.items()
        if not total.get(kind) or found[kind] < part * total[kind]
    ]


def request(number):
    """About 30 KiB."""
    built = ExportLogsServiceRequest()
    records = built.resource_logs.add().scope_logs.add().log_records
    for index in range(100):
        record = records.add()
        record.time_unix_nano = time.time_ns()
        record.body.string_value = f"request {number} record {index} " + "x" * 250
    return built.SerializeToString()


def send_http(server, count):
    """`count` requests, one after the other."""
    link = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=60)
    for number in range(count):
        link.request("POST", "/v1/logs", request(number), {"content-type": "application/x-protobuf"})
        answer = link.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"request {number}: {answer.status}")
    link.close()


def send_grpc(server, count):
    """`count` calls, one after the other."""
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        call = channel.unary_unary(EXPORT)
        for number in range(count):
            answer = call(request(number), timeout=60)
            if answer != b"":
                raise RuntimeError(f"call {number}: {answer!r}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn", required=True)
    options = parser.parse_args()
    folder = os.path.realpath(tempfile.mkdtemp(prefix="cairn-sync-"))
    trace = os.path.join(folder, "trace.txt")
    wrapper = ["strace", "-f", "-y", "-s", "256", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", trace]
    settings = ["storage.wal_file_bytes=1048576", "storage.flush_age_seconds=1", "storage.small_segment_bytes=1"]
    server = Server(options.cairn, os.path.join(folder, "data"), settings, wrapper)
    server.start()
    for send in (send_http, send_grpc):
        for _ in range(3):
            send(server, 40)
            time.sleep(1.5)
    server.stop()
    made = list(calls(trace))
    ledger = judge(made, server.data_dir)
    complaints = ledger.complaints
    for what, least in LEAST.items():
        if ledger.seen[what] < least:
            complaints.append(f"only {ledger.seen[what]} of at least {least} {what} were seen: the check is blind")
    print(", ".join(f"{count} {what}" for what, count in ledger.seen.items()))
    # On a trace with complaints of its own nothing can be seen.
    blind = control(made, server.data_dir) if not complaints else []
    for complaint in (complaints + blind)[:20]:
        print(f"WRONG: {complaint}")
    passed = (not complaints) + (not blind and not complaints)
    print(f"{passed} passed, {2 - passed} failed")
    if passed == 2:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(2 - passed)


main()
