"""Real SDKs against the real binary: `acceptance.py --cairn BINARY --node DIR --rust-sender BINARY --readme-sender BINARY`.

The Python SDK (gRPC and HTTP), the Node SDK, the Rust SDK and rotel (a forwarder that the Python SDK sends
to) send all three signals; SQL must return every field that they say they sent, before and after a restart that
flushes everything. The snippets of the README are taken out of it and run too. Then DuckDB reads the segment files without Cairn, and a hash over all fields of all rows
must equal that of SQL's answer.
"""

import argparse
import glob
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import duckdb
import pyarrow as pa
import rotel

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
sys.path.insert(0, os.path.join(HERE, "..", "harness"))
from server import Server, free_ports  # noqa: E402

CHECKS = {"passed": 0, "failed": 0}


def expect(what, found, wanted):
    """One counted check."""
    if found == wanted:
        CHECKS["passed"] += 1
    else:
        CHECKS["failed"] += 1
        print(f"WRONG {what}: found {found!r}, wanted {wanted!r}")


def send(*command):
    """Runs a sender and returns what it says it sent."""
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stderr.decode()[-3000:]}")
    return json.loads(done.stdout.decode().strip().splitlines()[-1])


def send_through_rotel(server, folder):
    """Python SDK over gRPC to rotel, which forwards over OTLP/HTTP."""
    grpc_port, http_port = free_ports(2)
    agent = os.path.join(os.path.dirname(rotel.__file__), "rotel-agent")
    environment = dict(os.environ)
    environment |= {
        "ROTEL_OTLP_GRPC_ENDPOINT": f"127.0.0.1:{grpc_port}",
        "ROTEL_OTLP_HTTP_ENDPOINT": f"127.0.0.1:{http_port}",
        "ROTEL_OTLP_EXPORTER_ENDPOINT": f"http://127.0.0.1:{server.http_port}",
        "ROTEL_OTLP_EXPORTER_PROTOCOL": "http",
        "ROTEL_PID_FILE": os.path.join(folder, "rotel.pid"),
    }
    with open(os.path.join(folder, "rotel.log"), "wb") as log:
        process = subprocess.Popen([agent, "start"], env=environment, stdout=log, stderr=log)
        try:
            time.sleep(1)
            sender = os.path.join(HERE, "python", "send.py")
            return send(sys.executable, sender, "grpc", f"http://127.0.0.1:{grpc_port}", "via-rotel")
        finally:
            time.sleep(2)
            process.terminate()
            process.wait(timeout=10)


def snippets():
    """The README's "Five minutes with an SDK": its code by language, and the statement that asks for the result."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as readme:
        section = readme.read().split("## Five minutes with an SDK")[1].split("\n## ")[0]
    code = dict(re.findall(r"```(\w+)\n(.*?)```", section, re.S))
    return code, re.search(r'cairn query "([^"]*)"', section).group(1)


def at_port(code, usual, port):
    """A snippet as it stands but for the port, which the README has once."""
    expect(f"a snippet names {usual}", code.count(f"127.0.0.1:{usual}"), 1)
    return code.replace(f"127.0.0.1:{usual}", f"127.0.0.1:{port}")


def run_snippets(server, options, folder):
    """Runs the README's snippets one after the other; each must add one row to what its statement returns."""
    code, statement = snippets()
    expect("languages of the README", sorted(code), ["js", "python", "rust"])
    python = at_port(code["python"], 4317, server.grpc_port)
    node = os.path.join(options.node, "readme.mjs")
    with open(node, "w", encoding="utf-8") as file:
        file.write(at_port(code["js"], 4318, server.http_port))
    with open(os.path.join(ROOT, "benches/src/bin/readme_sender.rs"), encoding="utf-8") as source:
        header, compiled = source.read().split("\n\n", 1)
    expect("the Rust snippet is what was compiled", (header[:3], compiled), ("//!", code["rust"]))
    environment = dict(os.environ)
    environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{server.http_port}"
    commands = {
        "python": ([sys.executable, "-c", python], None),
        "js": (["node", node], None),
        "rust": ([options.readme_sender], environment),
    }
    for number, (language, (command, environment)) in enumerate(commands.items()):
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=120, check=False)
        expect(f"{language} snippet's exit ({done.stderr.decode()[-500:]})", done.returncode, 0)
        found = [[row["name"], list(row.values())[2]] for row in server.sql(statement)]
        expect(f"rows after the {language} snippet", found, [["first", "3"]] * (number + 1))


def check_logs(server, sent):
    where = f"service_name = '{sent['service']}'"
    rows = server.sql(
        "SELECT *, attributes['index'] AS i, attributes['int'] AS n, resource['host.cpus'] AS cpus"
        f" FROM logs WHERE {where} ORDER BY CAST(attributes['index'] AS BIGINT)"
    )
    expect(f"{sent['service']} logs", len(rows), len(sent["logs"]))
    for row, wanted in zip(rows, sent["logs"]):
        name = f"{sent['service']} log {wanted['index']}"
        expect(f"{name} body_type", row["body_type"], wanted["body_type"])
        expect(f"{name} cpus", row["cpus"], "4")
        for column in ("severity_number", "severity_text", "event_name"):
            if column in wanted:
                expect(f"{name} {column}", row[column], wanted[column])
        if "int" in wanted:
            expect(f"{name} int", row["n"], str(wanted["int"]))
        expect(f"{name} trace", row["trace_id"], sent["spans"][0]["trace_id"])


def check_spans(server, sent):
    for wanted in sent["spans"]:
        name = f"{sent['service']} span {wanted['name']}"
        ids = f"trace_id = '{wanted['trace_id']}' AND span_id = '{wanted['span_id']}'"
        rows = server.sql(f"SELECT *, CAST(timestamp AS BIGINT) AS t, CAST(end_timestamp AS BIGINT) AS e FROM spans WHERE {ids}")
        expect(name, len(rows), 1)
        if not rows:
            continue
        expect(f"{name} name", rows[0]["name"], wanted["name"])
        if "start" in wanted:
            expect(f"{name} start", rows[0]["t"], wanted["start"])
            expect(f"{name} end", rows[0]["e"], wanted["end"])
            events = server.sql(f"SELECT count(*) AS n FROM span_events WHERE {ids}")
            expect(f"{name} events", events[0]["n"], wanted["events"])
            links = server.sql(f"SELECT count(*) AS n FROM span_links WHERE {ids}")
            expect(f"{name} links", links[0]["n"], wanted["links"])
    child = server.sql(
        f"SELECT status_code, status_message FROM spans WHERE name = 'child' AND service_name = '{sent['service']}'"
    )
    expect(f"{sent['service']} status", child, [{"status_code": 2, "status_message": "card declined"}])


def check_metrics(server, sent):
    for metric, wanted in sent["metrics"].items():
        name = f"{sent['service']} metric {metric}"
        rows = server.sql(
            f"SELECT * FROM metrics WHERE metric = '{metric}' AND service_name = '{sent['service']}'"
        )
        expect(name, len(rows), 1)
        if not rows:
            continue
        if isinstance(wanted, str):
            wanted = {"type": wanted}
        for column, value in wanted.items():
            expect(f"{name} {column}", rows[0][column], value)


def check_sent(server, everything):
    for sent in everything:
        check_logs(server, sent)
        check_spans(server, sent)
        check_metrics(server, sent)


def plain(value):
    """A value as comparable text: bytes as hex, doubles by their bits."""
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, dict):
        return sorted((key, plain(each)) for key, each in value.items())
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value


def table_rows(table):
    """Arrow rows as dicts, instants as integers of nanoseconds."""
    columns = {}
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64())
        columns[name] = column.to_pylist()
    return [dict(zip(columns, row)) for row in zip(*columns.values())]


def from_sql(server, statement):
    """Rows of a statement through the Arrow stream."""
    raw = server.post_sql(statement, "application/vnd.apache.arrow.stream")
    return table_rows(pa.ipc.open_stream(io.BytesIO(raw)).read_all())


def from_files(data_dir, table, statement="SELECT * FROM {files}"):
    """Rows of a table as DuckDB reads the segment files; promoted columns are put back into their map."""
    pattern = os.path.join(data_dir, "bucket", "**", f"*.{table}.parquet")
    files = f"read_parquet({glob.glob(pattern, recursive=True)!r}, union_by_name=true, hive_partitioning=false)"
    result = duckdb.sql(statement.format(files=files))
    rows = table_rows(result.to_arrow_table() if hasattr(result, "to_arrow_table") else result.arrow())
    for row in rows:
        attributes = json.loads(row["attributes"])
        for column in [name for name in row if name.startswith("a.")]:
            value = row.pop(column)
            if value is not None:
                attributes[column[2:].rsplit(":", 1)[0] if column.endswith((":int", ":double", ":bool")) else column[2:]] = value
        row["attributes"] = attributes
    return rows


def content_hash(rows, columns):
    """SHA-256 over the sorted rows."""
    lines = sorted(json.dumps([plain(row[column]) for column in columns]) for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def check_files(server):
    """DuckDB's reading of the files against SQL's answers, field by field."""
    for table in ("logs", "spans", "span_events", "span_links"):
        by_sql = from_sql(server, f"SELECT * FROM {table}")
        for row in by_sql:
            row["attributes"] = json.loads(row["attributes"])
            for column, value in row.items():
                if column.endswith("_id") and isinstance(value, str):
                    row[column] = bytes.fromhex(value)
        by_file = from_files(server.data_dir, table)
        expect(f"{table} rows", len(by_file), len(by_sql))
        columns = sorted(by_sql[0])
        expect(f"{table} columns", sorted(by_file[0]), columns)
        if sorted(by_file[0]) == columns:
            expect(f"{table} content", content_hash(by_file, columns), content_hash(by_sql, columns))
    by_sql = from_sql(server, "SELECT metric, timestamp, value, value_int, attributes FROM metrics WHERE type IN ('gauge', 'sum')")
    for row in by_sql:
        row["attributes"] = json.loads(row["attributes"])
    by_file = []
    pattern = os.path.join(server.data_dir, "bucket", "**", "*.samples.parquet")
    for samples in glob.glob(pattern, recursive=True):
        series = samples.replace(".samples.", ".series.")
        by_file += from_pair(samples, series)
    columns = ["metric", "timestamp", "value", "value_int", "attributes"]
    expect("samples rows", len(by_file), len(by_sql))
    expect("samples content", content_hash(by_file, columns), content_hash(by_sql, columns))


def from_pair(samples, series):
    """Samples of one segment with the labels of its series."""
    statement = (
        "SELECT s.metric, s.time_ms * 1000000 + s.time_rest_ns AS timestamp, s.value, s.value_int,"
        f" l.* EXCLUDE (metric) FROM read_parquet('{samples}') s JOIN read_parquet('{series}') l USING (series_id)"
    )
    rows = table_rows(duckdb.sql(statement).to_arrow_table())
    for row in rows:
        attributes = json.loads(row["attributes"])
        for column in [name for name in row if name.startswith("a.")]:
            value = row[column]
            key = column[2:].rsplit(":", 1)[0] if column.endswith((":int", ":double", ":bool")) else column[2:]
            if value is not None:
                attributes[key] = value
        row["attributes"] = attributes
        if row["value"] is None and row["value_int"] is not None:
            # The view shows integers as numbers too.
            row["value"] = float(row["value_int"])
    return rows


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn", required=True)
    parser.add_argument("--node", required=True, help="the folder where node_modules was installed")
    parser.add_argument("--rust-sender", required=True)
    parser.add_argument("--readme-sender", required=True, help="the compiled Rust snippet of the README")
    return parser.parse_args()


def main():
    options = arguments()
    folder = tempfile.mkdtemp(prefix="cairn-sdk-")
    server = Server(options.cairn, os.path.join(folder, "data"))
    server.start()
    grpc = f"http://127.0.0.1:{server.grpc_port}"
    http = f"http://127.0.0.1:{server.http_port}"
    python = os.path.join(HERE, "python", "send.py")
    everything = [
        send(sys.executable, python, "grpc", grpc, "python-grpc"),
        send(sys.executable, python, "http", http, "python-http"),
        send("node", os.path.join(options.node, "send.mjs"), grpc, http, "node"),
        send(options.rust_sender, grpc, http, "rust"),
        send_through_rotel(server, folder),
    ]
    check_sent(server, everything)
    run_snippets(server, options, folder)
    expect("clean shutdown", server.stop(), 0)
    server.start()
    check_sent(server, everything)
    check_files(server)
    expect("second shutdown", server.stop(), 0)
    if CHECKS["failed"] == 0:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{CHECKS['passed']} passed, {CHECKS['failed']} failed")
    sys.exit(1 if CHECKS["failed"] else 0)


main()
