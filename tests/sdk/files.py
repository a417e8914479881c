"""DuckDB's reading of the segment files, without Cairn, against SQL's answers: every table, every column, every row.

Both sides are brought into the plain form of `answers.py` and hashed over all fields. What a file has more than SQL shows
(where the points of a series lie) is checked against the rows.
"""

import glob
import hashlib
import os

import duckdb
import pyarrow as pa
from answers import ask, difference, plain_rows
from checks import CHECKS
from otlp_rows import double, frozen

SUFFIXES = {":int": pa.int64(), ":double": pa.float64(), ":bool": pa.bool_()}

# Columns of `series` that say where its points lie.
OF_LAYOUT = ["min_timestamp", "max_timestamp", "row_start", "row_count"]


def content_hash(rows):
    """SHA-256 over the sorted rows."""
    lines = sorted(repr(frozen(row)) for row in rows)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def paths(data_dir, table):
    return sorted(glob.glob(os.path.join(data_dir, "bucket", "**", f"*.{table}.parquet"), recursive=True))


def read(path):
    """The rows of one file as DuckDB reads it: times put together, promoted columns back in their map."""
    # In the order of the file, which the layout of series speaks of.
    relation = duckdb.sql(f"SELECT * FROM read_parquet('{path}', hive_partitioning = false)")
    table = relation.to_arrow_table()
    rows = plain_rows(table)
    promoted = {name: key_of(name, table.schema.field(name).type) for name in table.column_names if name.startswith("a.")}
    for row in rows:
        for name, (key, leaf) in promoted.items():
            value = row.pop(name)
            if value is not None:
                if key in row["attributes"]:
                    raise AssertionError(f"{path}: {key} is promoted and in the overflow of one row")
                row["attributes"][key] = leaf(value)
        if "time_ms" in row:
            row["timestamp"] = row.pop("time_ms") * 1_000_000 + row.pop("time_rest_ns")
    return rows


def key_of(column, kind):
    """The key of a promoted column, and what makes its values leaves."""
    for suffix, of_suffix in SUFFIXES.items():
        if column.endswith(suffix) and kind == of_suffix:
            # Doubles are in the plain form already.
            leaf = {":int": lambda value: f"i:{value}", ":double": lambda value: value, ":bool": lambda value: f"b:{value}"}
            return column[2 : -len(suffix)], leaf[suffix]
    return column[2:], lambda value: f"s:{value}"


def of_table(data_dir, table):
    return [row for path in paths(data_dir, table) for row in read(path)]


def metrics(data_dir):
    """The rows of the view `metrics`: points with the labels of their series, segment by segment."""
    rows = []
    for path in paths(data_dir, "series"):
        series = {row["series_id"]: row for row in read(path)}
        points = {"samples": [], "histograms": []}
        for table in points:
            beside = path.replace(".series.", f".{table}.")
            if os.path.exists(beside):
                points[table] = read(beside)
        check_layout(path, series, points)
        for point in points["samples"] + points["histograms"]:
            labels = series[point["series_id"]]
            row = {key: value for key, value in labels.items() if key not in OF_LAYOUT} | point
            if row.get("value") is None and row.get("value_int") is not None:
                # The view shows integers as numbers too.
                row["value"] = double(float(row["value_int"]))
            rows.append(row)
    columns = {name for row in rows for name in row}
    return [dict.fromkeys(columns) | row for row in rows]


def check_layout(path, series, points):
    """Each series says truly where its points lie and from when to when they are."""
    wrong = []
    for number, row in series.items():
        table = "samples" if row["type"] in ("gauge", "sum") else "histograms"
        start, count = row["row_start"], row["row_count"]
        own = [at for at, point in enumerate(points[table]) if point["series_id"] == number]
        times = [points[table][at]["timestamp"] for at in own]
        is_true = own == list(range(start, start + count)) if count else not own
        if times:
            is_true = is_true and (min(times), max(times)) == (row["min_timestamp"], row["max_timestamp"])
        if not is_true:
            wrong.append(f"{row['metric']}: rows {own}, said {start} and {count}")
    CHECKS.hold(f"layout of series in {os.path.basename(path)}", not wrong, wrong[:3])


def check_files(server):
    """Every table of SQL against the files. Nothing may be buffered."""
    for table in ("logs", "spans", "span_events", "span_links", "metrics", "exemplars", "dead_letters"):
        by_sql = ask(server, f"SELECT * FROM {table}")
        by_file = metrics(server.data_dir) if table == "metrics" else of_table(server.data_dir, table)
        CHECKS.hold(f"{table} has rows", by_sql, "nothing to compare")
        CHECKS.expect(f"{table} columns", columns(by_file), columns(by_sql))
        same = content_hash(by_file) == content_hash(by_sql)
        CHECKS.hold(f"{table} content", same, "\n  ".join(difference(by_sql, by_file)))


def columns(rows):
    return sorted({name for row in rows for name in row})
