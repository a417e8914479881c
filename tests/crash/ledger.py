"""Compares what SQL answers with what was sent, record by record and column by column.

Every acknowledged record must be there once, every other one at most once, whole requests or nothing of them, and nothing that
was not sent; each row with every column as it was sent. The kinds of complaint are `lost`, `double`, `changed`, `torn`,
`invented`.
"""

from answers import ABSENT, Wrong, stored
from otlp_rows import TABLES
from records import HOUR, key

ALL_TABLES = [table for tables in TABLES.values() for table in tables]


class Findings:
    """Complaints, counted by kind; the first few of each kind with what they are about."""

    def __init__(self):
        self.counts, self.texts = {}, []

    def add(self, kind, text):
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self.counts[kind] <= 3:
            self.texts.append(f"{kind}: {text}")

    def lines(self):
        return self.texts + [f"{count} {kind}" for kind, count in self.counts.items()]


def compare(requests, found, findings):
    """`found` (rows by table) against `requests`, which are all that can be in `found`."""
    wanted, requests_of = {}, {}
    for request in requests:
        for table, of_table in request.rows().items():
            for row in of_table:
                name = (table, key(table, row))
                wanted[name] = row
                requests_of[name] = request
    seen = {}
    for table, of_table in found.items():
        for row in of_table:
            look_at(table, row, wanted, seen, findings)
    present = {}
    for name, request in requests_of.items():
        counts = present.setdefault(request, [0, 0])
        counts[name in seen] += 1
        if request.acknowledged and name not in seen:
            findings.add("lost", f"{name} was acknowledged in life {request.generation.number}")
    for request, (missing, there) in present.items():
        if missing and there and not request.acknowledged:
            text = f"{there} of {missing + there} rows of a request of client {request.client}"
            findings.add("torn", text)


def look_at(table, row, wanted, seen, findings):
    try:
        name = (table, key(table, row))
    except (KeyError, TypeError, ValueError):
        name = (table, None)
    if name not in wanted:
        findings.add("invented", f"{table}: {row}")
        return
    if name in seen:
        findings.add("double", f"{name}")
    seen[name] = True
    if row != wanted[name]:
        sent = wanted[name]
        cells = {column: (sent.get(column, ABSENT), row.get(column, ABSENT)) for column in sorted({*sent, *row})}
        texts = [f"{column} was {was!r}, is {now!r}" for column, (was, now) in cells.items() if was != now]
        findings.add("changed", f"{name}: {'; '.join(texts)}")


def check(server, writers, generations, findings):
    """Compares the records of these lives, which are next to each other. Returns the rows by table."""
    start, end = generations[0].start, generations[-1].start + 3 * HOUR
    where = f"timestamp >= to_timestamp_nanos({start}) AND timestamp < to_timestamp_nanos({end})"
    numbers = {generation.number for generation in generations}
    # Before the rows: what is acknowledged by now must be in them.
    requests = [request for writer in writers for request in writer.sent if request.generation.number in numbers]
    try:
        found = stored(server, ALL_TABLES, where)
    except Wrong as wrong:
        findings.add("wrong", f"{wrong}")
        return {}
    compare(requests, found, findings)
    return {table: len(of_table) for table, of_table in found.items()}


def check_all(server, writers, generations, findings):
    """Compares the records of all lives, some lives at a time, and that there are no rows beside these."""
    counts = dict.fromkeys(ALL_TABLES, 0)
    for at in range(0, len(generations), 10):
        for table, count in check(server, writers, generations[at : at + 10], findings).items():
            counts[table] += count
    for table, count in counts.items():
        total = server.sql(f"SELECT count(*) AS n FROM {table}")[0]["n"]
        if total != count:
            findings.add("invented", f"{total - count} rows of {table} lie outside of all lives")
    return counts
