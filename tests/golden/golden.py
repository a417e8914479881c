"""Data folders of released formats open: `golden.py --cairn BINARY`, and `--make NAME` writes one.

`folder-<version>.tar.xz` is a data folder as a killed server left it, with its bucket: the write-ahead log with frames that are in no
segment, staged files, segments of every signal with and without an index, merged ones and those that they replaced, dead letters.
`folder-<version>.json` says what each table held. A copy of each is opened, read, checked, rebuilt and read again.
Then each kind of file says that it is of a newer format, and has to be refused or passed over by its name.

A folder is made once for each released format, and never touched again.
"""

import argparse
import glob
import hashlib
import json
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("harness", "sdk"):
    sys.path.insert(0, os.path.join(HERE, "..", folder))
from checks import Checks  # noqa: E402
from everything import requests  # noqa: E402
from server import Server  # noqa: E402

CHECKS = Checks(is_loud=True)
TABLES = ["logs", "spans", "span_events", "span_links", "metrics", "exemplars", "dead_letters"]
FOR_EVER = [f"storage.retention.{signal}_days=0" for signal in ("logs", "metrics", "spans", "dead_letters")]
# More than this in the tree is too much.
MAX_BYTES = 300_000


def send(server, service, shift_seconds=0):
    """One request of every signal with every field; log records further ahead by `shift_seconds`."""
    for signal, request in requests(service).items():
        if signal == "logs" and shift_seconds:
            for record in request.resource_logs[0].scope_logs[0].log_records:
                record.time_unix_nano = time.time_ns() + shift_seconds * 1_000_000_000
        elif shift_seconds:
            continue
        call = urllib.request.Request(
            f"http://127.0.0.1:{server.http_port}/v1/{signal}",
            data=request.SerializeToString(),
            headers={"content-type": "application/x-protobuf"},
        )
        with urllib.request.urlopen(call, timeout=30) as answer:
            assert answer.status == 200


def told(server, known=None):
    """By table: the columns (those of `known`), how many rows, and a hash over all of them in an order of their own."""
    tables = {}
    for table in TABLES:
        columns = known[table]["columns"] if known else None
        what = ", ".join(f'"{column}"' for column in columns) if columns else "*"
        answer = json.loads(server.post_sql(f"SELECT {what} FROM {table}"))
        assert not answer["completeness"]["missing"], answer["completeness"]
        rows = sorted(json.dumps(row) for row in answer["rows"])
        digest = hashlib.sha256("\n".join(rows).encode()).hexdigest()
        columns = [column["name"] for column in answer["columns"]]
        tables[table] = {"columns": columns, "rows": len(rows), "sha256": digest}
    return tables


def flush(binary, server):
    url = f"http://127.0.0.1:{server.api_port}"
    subprocess.run([binary, "flush", "--url", url], check=True, capture_output=True, timeout=60)


def make(binary, name):
    """A folder of this build, beside this file."""
    folder = tempfile.mkdtemp(prefix="cairn-golden-")
    data_dir = os.path.join(folder, "data")
    settings = FOR_EVER + ["storage.wal_file_bytes=65536", "storage.compaction_segments=2"]
    server = Server(binary, data_dir, settings)
    server.start()
    for service in ("one", "two"):
        send(server, service)
        flush(binary, server)
    send(server, "ahead", 20 * 86_400)
    flush(binary, server)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not files(data_dir, "bucket", "hour=all") and merges(server) < 3:
        time.sleep(0.5)
    send(server, "in the log alone")
    tables = told(server)
    server.kill()
    # As an upload that a kill interrupted.
    some = files(data_dir, "bucket", ".logs.parquet")[0]
    staged = some.replace(f"{data_dir}/bucket", f"{data_dir}/staging")
    os.makedirs(os.path.dirname(staged), exist_ok=True)
    shutil.copy(some, staged)
    os.remove(server.log_path)
    archive = os.path.join(HERE, f"folder-{name}.tar.xz")
    with tarfile.open(archive, "w:xz", preset=9) as tar:
        tar.add(data_dir, arcname="data")
    with open(archive.replace(".tar.xz", ".json"), "w", encoding="utf-8") as file:
        json.dump(tables, file, indent=1)
        file.write("\n")
    shutil.rmtree(folder)
    print(f"{archive}: {os.path.getsize(archive)} bytes; rows: { {t: v['rows'] for t, v in tables.items()} }")


def merges(server):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.api_port}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    done = [line for line in lines if line.startswith("storage_compaction_merges_total{") and "committed" in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in done)


def files(data_dir, folder, part):
    found = glob.glob(os.path.join(data_dir, folder, "**"), recursive=True)
    return sorted(path for path in found if part in path and os.path.isfile(path))


class Folder:
    """A copy of a golden folder."""

    def __init__(self, binary, archive):
        self.binary = binary
        self.root = tempfile.mkdtemp(prefix="cairn-golden-")
        with tarfile.open(archive) as tar:
            tar.extractall(self.root, filter="data")
        self.data_dir = os.path.join(self.root, "data")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root)

    def server(self):
        return Server(self.binary, self.data_dir, FOR_EVER)

    def run(self, *command):
        arguments = [self.binary, *command, "--data-dir", self.data_dir]
        for setting in FOR_EVER:
            arguments += ["--set", setting]
        done = subprocess.run(arguments, capture_output=True, timeout=120, check=False)
        return done.returncode, (done.stdout + done.stderr).decode()

    def refused(self):
        """What a server says that does not start."""
        server = self.server()
        try:
            server.start()
        except RuntimeError:
            server.end()
            with open(server.log_path, encoding="utf-8") as log:
                return log.read()
        server.kill()
        return None


def opens(binary, archive):
    """A golden folder is read, whole, whatever is done with it."""
    name = os.path.basename(archive)
    with open(archive.replace(".tar.xz", ".json"), encoding="utf-8") as file:
        known = json.load(file)
    with Folder(binary, archive) as folder:
        kinds = {"log": ("wal", ".wal"), "staged": ("staging", ".parquet"), "index": ("bucket", ".idx")}
        for kind, where in kinds.items():
            CHECKS.hold(f"{name} has {kind} files", bool(files(folder.data_dir, *where)))
        merged = files(folder.data_dir, "bucket", ".parquet")
        CHECKS.hold(f"{name} has segments", len(merged) > 8, f"{merged}")
        server = folder.server()
        server.start()
        CHECKS.expect(f"{name} opens and says what it said", told(server, known), known)
        CHECKS.expect(f"{name}: a clean shutdown", server.stop(), 0)
        code, text = folder.run("verify")
        CHECKS.expect(f"{name}: verify: {text.splitlines()[0]}", (code, "WRONG" in text), (0, False))
        code, text = folder.run("catalog", "rebuild")
        CHECKS.expect(f"{name}: the catalog is made anew", (code, "WRONG" in text), (0, False))
        server = folder.server()
        server.start()
        CHECKS.expect(f"{name}: and says the same", told(server, known), known)
        CHECKS.expect(f"{name}: a clean shutdown", server.stop(), 0)
        for _ in range(2):
            code, text = folder.run("catalog", "migrate", "--dry-run")
            CHECKS.expect(f"{name}: nothing is left to migrate", (code, "nothing to do" in text), (0, True))
        code, text = folder.run("restore-drill", "--read-all")
        CHECKS.hold(f"{name}: a drill passes", code == 0, text)


def crc32c(data):
    """CRC-32C, bit by bit: the inputs are small."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def newer_catalog(folder):
    """The catalog says that it is of version 9."""
    def field(kind, value):
        return kind + struct.pack("<Q", len(value)) + value

    seal = crc32c(field(b"t", b"meta") + field(b"t", b"format_version") + field(b"i", struct.pack("<q", 9)))
    with sqlite3.connect(os.path.join(folder.data_dir, "catalog.sqlite")) as catalog:
        catalog.execute("UPDATE meta SET value = 9, crc = ? WHERE name = 'format_version'", (seal,))
    catalog.close()


def newer_marker(path):
    """A marker that says so, with a whole checksum."""
    with open(path, encoding="utf-8") as file:
        marker = json.load(file)
    marker["format_version"] = 9
    marker["crc"] = crc32c(f"9 {marker['owner']}".encode())
    with open(path, "w", encoding="utf-8") as file:
        json.dump(marker, file)


def patch(path, change):
    with open(path, "rb") as file:
        data = bytearray(file.read())
    data = change(data)
    with open(path, "wb") as file:
        file.write(data)


def newer_log(data):
    """A file of the log, its header sealed anew."""
    data[16:18] = struct.pack("<H", 9)
    (length,) = struct.unpack("<I", data[12:16])
    data[8:12] = struct.pack("<I", crc32c(data[12:length]))
    return data


def newer_segment(data):
    """A footer whose key says 9."""
    key = data.index(b"cairn.format_version") + len(b"cairn.format_version")
    data[data.index(b"1", key)] = ord("9")
    return data


def newer_index(data):
    data[8:12] = struct.pack("<I", 9)
    return data


def newer_backup(data):
    data[8:12] = struct.pack("<I", 9)
    data[-4:] = struct.pack("<I", crc32c(data[:-4]))
    return data


def refuses(binary, archive):
    """What a newer build wrote is named, with its version and what to do, and never touched."""
    def started(what, change, *words):
        with Folder(binary, archive) as folder:
            change(folder)
            text = folder.refused() or "it started"
            said = all(word in text for word in words)
            CHECKS.hold(f"a newer {what} is refused by name", said, text[-600:])

    newer = "use a newer build"
    started("catalog", newer_catalog, "catalog", "version 9", newer)
    started("marker", lambda f: newer_marker(f"{f.data_dir}/bucket/cairn.json"), "cairn.json", "format 9", newer)
    started("data folder", lambda f: newer_marker(f"{f.data_dir}/owner.json"), "owner.json", "format 9", newer)

    def verified(what, where, change, *words):
        with Folder(binary, archive) as folder:
            code, _ = folder.run("verify")
            CHECKS.expect(f"before the {what} is newer", code, 0)
            path = files(folder.data_dir, *where)[-1]
            patch(path, change)
            code, text = folder.run("verify")
            lines = [line for line in text.splitlines() if os.path.basename(path) in line]
            said = code != 0 and lines and all(word in lines[0] for word in words)
            CHECKS.hold(f"a newer {what} is named", said, text[-600:])

    verified("file of the log", ("wal", ".wal"), newer_log, "version 9", newer)
    with Folder(binary, archive) as folder:
        server = folder.server()
        server.start()
        CHECKS.expect("a clean shutdown", server.stop(), 0)
        backup = files(folder.data_dir, "bucket/catalog", ".backup")[-1]
        patch(backup, newer_backup)
        code, text = folder.run("restore-drill")
        named = os.path.basename(backup) in text and "version 9" in text and newer in text
        CHECKS.hold("a newer backup is passed over by name", code == 0 and named, text)
    # Statements name what they cannot read.
    for what, part, change in [("segment", ".logs.parquet", newer_segment), ("index", ".idx", newer_index)]:
        with Folder(binary, archive) as folder:
            for path in files(folder.data_dir, "bucket", part):
                patch(path, change)
            code, text = folder.run("catalog", "rebuild")
            said = [line for line in text.splitlines() if "version 9" in line and part.split(".")[-1] in line]
            CHECKS.hold(f"a newer {what} is named by a rebuild", code != 0 and said, text[-600:])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn", required=True)
    parser.add_argument("--make", metavar="NAME")
    options = parser.parse_args()
    if options.make:
        make(options.cairn, options.make)
        return
    archives = sorted(glob.glob(os.path.join(HERE, "folder-*.tar.xz")))
    CHECKS.hold("there are golden folders", bool(archives))
    for archive in archives:
        CHECKS.hold(f"{os.path.basename(archive)} is small", os.path.getsize(archive) < MAX_BYTES)
        opens(options.cairn, archive)
    refuses(options.cairn, archives[-1])
    sys.exit(CHECKS.close())


main()
