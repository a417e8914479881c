"""SQL's answers, and rows of segment files, in the plain form of `otlp_rows.py`."""

import base64
import io
import json

import pyarrow as pa
from otlp_rows import double, frozen, series_identity

# Columns that hold a map as canonical JSON (`docs/formats/attributes.md`).
MAPS = ["attributes", "resource_attributes", "scope_attributes", "metadata"]

# Chosen by the server; see `take_row_ids`.
OF_SERVER = ["row_epoch", "row_sequence", "series_id"]


# Stands for a column that a row does not have, which is not NULL.
ABSENT = "no such column"


class Wrong(Exception):
    """An answer that does not hang together."""


def parsed(source):
    """JSON with what `json` alone would lose: the order of members and how numbers are written."""
    return json.loads(source, object_pairs_hook=Members, parse_float=Number, parse_int=Number)


def tree_of_map(source):
    """The map of an attribute column as a tree whose leaves say their type; its keys stand as they were sent."""
    return {name: leaves(value) for name, value in in_order(parsed(source))}


def tree_of_body(source):
    """A body that is no text."""
    return leaves(parsed(source))


def in_order(members):
    """Members whose keys are sorted and unique, as canonical JSON has them."""
    names = [name.encode() for name, _ in members]
    if any(left >= right for left, right in zip(names, names[1:])):
        raise Wrong(f"keys are not sorted or not unique: {names}")
    return members


class Members(list):
    """The members of an object in their order."""


class Number(str):
    """A number as it stands in the text: a double has a `.` or an `e`."""


def leaves(value):
    if isinstance(value, Number):
        return double(float(value)) if set(value) & set(".e") else f"i:{int(value)}"
    if isinstance(value, str):
        return "s:" + value
    if isinstance(value, bool):
        return f"b:{value}"
    if isinstance(value, Members):
        return tagged(value)
    if isinstance(value, list):
        return [leaves(each) for each in value]
    return None


def tagged(members):
    """An object inside a value: bytes, a double without a number of its own, or a map."""
    if [name for name, _ in members] == ["$bytes"]:
        return "x:" + base64.b64decode(members[0][1], validate=True).hex()
    if [name for name, _ in members] == ["$double"]:
        return special_double(members[0][1])
    return {(name[1:] if name.startswith("$") else name): leaves(each) for name, each in in_order(members)}


def special_double(name):
    if name.startswith("0x"):
        return "d:" + name[2:]
    return {
        "NaN": "d:7ff8000000000000",
        "Infinity": double(float("inf")),
        "-Infinity": double(float("-inf")),
    }[name]


def columns_of(table):
    """An Arrow table as lists of plain values by column name; maps and bodies are still text."""
    columns = {}
    for name in table.column_names:
        column, kind = table.column(name), table.schema.field(name).type
        if pa.types.is_timestamp(kind):
            column = column.cast(pa.timestamp("ns", kind.tz)).cast(pa.int64())
        values = column.to_pylist()
        if pa.types.is_floating(kind):
            values = [double(value) for value in values]
        elif pa.types.is_list(kind) and pa.types.is_floating(kind.value_type):
            values = [None if value is None else [double(each) for each in value] for value in values]
        elif values and name.endswith("_id") and any(isinstance(value, bytes) for value in values):
            values = [None if value is None else value.hex() for value in values]
        columns[name] = values
    return columns


def plain_rows(table):
    """The rows of an Arrow table as dicts, maps and bodies as trees."""
    columns = columns_of(table)
    trees = {}

    def remembered(source):
        if source not in trees:
            trees[source] = tree_of_map(source)
        # A copy: whoever gets it may add to it.
        return dict(trees[source])

    for name in MAPS:
        if name in columns:
            columns[name] = [remembered(value) for value in columns[name]]
    if "resource_entity_refs" in columns:
        lists = columns["resource_entity_refs"]
        columns["resource_entity_refs"] = [None if value is None else json.loads(value) for value in lists]
    if "body" in columns:
        columns["body"] = [
            body if body is None else f"s:{body}" if kind == "string" else tree_of_body(body)
            for body, kind in zip(columns["body"], columns["body_type"])
        ]
    return [dict(zip(columns, row)) for row in zip(*columns.values())]


def ask(server, statement):
    """The plain rows of a statement, by way of the Arrow stream, which keeps every bit."""
    raw = server.post_sql(statement, "application/vnd.apache.arrow.stream")
    return plain_rows(pa.ipc.open_stream(io.BytesIO(raw)).read_all())


def take_row_ids(table, rows):
    """Takes the columns out that the server chooses; row ids must be unique within their table."""
    seen = set()
    for row in rows:
        if "row_epoch" in row:
            position = [row[key] for key in ("event_ordinal", "link_ordinal") if key in row]
            key = (row["row_epoch"], row["row_sequence"], row["row_ordinal"], *position)
            if key in seen:
                raise Wrong(f"{table}: two rows have the id {key}")
            seen.add(key)
        for column in OF_SERVER:
            row.pop(column, None)
    return rows


def series_of(metrics):
    """The identities of series by `series_id`, each id one series and each series one id."""
    by_id, by_identity = {}, {}
    for row in metrics:
        number, identity = row["series_id"], series_identity(row)
        if by_id.setdefault(number, identity) != identity:
            raise Wrong(f"series {number} is two: {by_id[number]} and {identity}")
        if by_identity.setdefault(identity, number) != number:
            raise Wrong(f"a series has two ids: {identity}")
    return by_id


def stored(server, tables, where="TRUE"):
    """The plain rows of `tables`, of which `metrics` comes before `exemplars`: these get the series they are of."""
    found = {table: ask(server, f"SELECT * FROM {table} WHERE {where}") for table in tables}
    if "exemplars" in found:
        series = series_of(found["metrics"])
        for row in found["exemplars"]:
            row["series"] = series.get(row["series_id"], "a series without points")
    return {table: take_row_ids(table, rows) for table, rows in found.items()}


def difference(expected, found, limit=5):
    """What is missing from `found` and what is too much, as texts; empty where the rows are the same ones."""
    left, right = {}, {}
    for counts, rows in ((left, expected), (right, found)):
        for row in rows:
            key = frozen(row)
            counts[key] = counts.get(key, 0) + 1
    missing = [key for key, count in left.items() if right.get(key, 0) < count]
    extra = [key for key, count in right.items() if left.get(key, 0) < count]
    texts = [f"{len(missing)} rows are missing, {len(extra)} are not what was sent"] if missing or extra else []
    for key in missing[:limit]:
        texts.append(describe(key, extra))
    texts += [f"not sent: {key}" for key in extra[:limit] if not missing]
    return texts


def describe(key, others):
    """A missing row beside the found row that is most like it."""
    cells = dict(key[1:])
    if not others:
        return f"missing: {cells}"
    nearest = max((dict(other[1:]) for other in others), key=lambda other: sum(other.get(k) == v for k, v in cells.items()))
    names = sorted(set(cells) | set(nearest))
    differing = [name for name in names if cells.get(name, ABSENT) != nearest.get(name, ABSENT)]
    return "; ".join(f"{name}: sent {cells.get(name, ABSENT)!r}, found {nearest.get(name, ABSENT)!r}" for name in differing)
