"""What the benchmarks of queries share: Cairn over HTTP, DuckDB and chDB over the same segment files, answers as rows."""

import glob
import io
import json
import os
import subprocess
import sys
import tempfile
import time

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "harness"))
from server import Server  # noqa: E402

# What is compared of whole records: the columns that both sides have under one name. Attributes are not, because the
# files keep them in typed columns and an overflow, and SQL over the files shows both.
WHOLE = [
    "timestamp",
    "observed_timestamp",
    "service_name",
    "severity_number",
    "severity_text",
    "body",
    "trace_id",
    "span_id",
    "resource_attributes",
    "row_epoch",
    "row_sequence",
    "row_ordinal",
]


def values(column):
    """A column as comparable values: instants as nanoseconds, bytes as hexadecimal."""
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64()).to_pylist()
    plain = column.to_pylist()
    return [value.hex() if isinstance(value, bytes) else value for value in plain]


def rows(table, names):
    """The rows of an answer, in an order of their own."""
    return sorted(zip(*(values(table.column(name)) for name in names)), key=repr)


def live_files(data_dir):
    """The segment files that stand for all rows: what a merge replaced lies beside its output for ten minutes."""
    found, replaced = {}, set()
    for path in glob.glob(os.path.join(data_dir, "bucket", "**", "*.logs.parquet"), recursive=True):
        metadata = pq.ParquetFile(path).metadata.metadata
        segment = json.loads(metadata[b"cairn.segment"])["segment"]
        found[segment["id"]] = path
        replaced.update(segment["replaces"])
    return sorted(path for name, path in found.items() if name not in replaced)


class Duck:
    """DuckDB over the segment files."""

    def __init__(self, data_dir, threads):
        self.files = live_files(data_dir)
        self.threads = threads
        self.connection = None
        self.connect()

    def connect(self):
        if self.connection:
            self.connection.close()
        self.connection = duckdb.connect(config={"threads": self.threads})
        self.connection.execute("SET TimeZone = 'UTC'")
        options = "union_by_name=true, hive_partitioning=false"
        self.connection.execute(
            f"CREATE VIEW logs AS SELECT * FROM read_parquet({self.files!r}, {options})"
        )

    def ask(self, statement):
        started = time.perf_counter()
        table = self.connection.sql(statement).to_arrow_table()
        return time.perf_counter() - started, table


class Chdb:
    """ClickHouse in this process, over the segment files."""

    def __init__(self, data_dir, threads):
        import chdb  # Only where it is asked for: it takes 100 MB.

        self.chdb, self.threads = chdb, threads
        self.folder = tempfile.TemporaryDirectory(prefix="cairn-chdb-")
        for number, path in enumerate(live_files(data_dir)):
            os.symlink(path, os.path.join(self.folder.name, f"{number}.parquet"))
        self.source = f"file('{self.folder.name}/*.parquet', Parquet)"

    def connect(self):
        """It keeps nothing between statements."""

    def ask(self, statement):
        settings = (
            f" SETTINGS max_threads = {self.threads}, schema_inference_mode = 'union', session_timezone = 'UTC', "
            "input_format_parquet_case_insensitive_column_matching = 0, output_format_arrow_compression_method = 'none'"
        )
        started = time.perf_counter()
        raw = self.chdb.query(statement.replace("FROM logs", f"FROM {self.source} AS logs") + settings, "ArrowStream").bytes()
        table = pa.ipc.open_stream(io.BytesIO(raw)).read_all()
        return time.perf_counter() - started, table


class Cairn:
    """Cairn over HTTP, answers as Arrow."""

    def __init__(self, binary, data_dir, threads):
        # Merges would take files away from below the peers.
        settings = [f"query.partitions={threads}", "storage.compaction_target_bytes=0"]
        self.server = Server(binary, data_dir, settings=settings)
        self.server.start()

    def restart(self):
        self.server.stop()
        self.server.start()

    def ask(self, statement):
        started = time.perf_counter()
        raw = self.server.post_sql(statement, "application/vnd.apache.arrow.stream")
        table = pa.ipc.open_stream(io.BytesIO(raw)).read_all()
        return time.perf_counter() - started, table


def drop_page_cache():
    """Needs root; False when it cannot."""
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as caches:
            caches.write("3")
        return True
    except OSError:
        return False


def load(options):
    """Fills the folder with the generated records."""
    bench = os.path.join(os.path.dirname(os.path.abspath(options.cairn)), "cairn-bench")
    command = [bench, "load", "--cairn", options.cairn, "--folder", options.folder]
    subprocess.run([*command, "--records", str(options.records)], check=True)
