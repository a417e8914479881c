"""What the senders say they sent, in SQL: the application's own word, beside that of the bytes on the wire."""

from checks import CHECKS


def check_logs(server, sent):
    where = f"service_name = '{sent['service']}'"
    rows = server.sql(
        "SELECT *, attributes['index'] AS i, attributes['int'] AS n, resource['host.cpus'] AS cpus"
        f" FROM logs WHERE {where} ORDER BY CAST(attributes['index'] AS BIGINT)"
    )
    CHECKS.expect(f"{sent['service']} logs", len(rows), len(sent["logs"]))
    for row, wanted in zip(rows, sent["logs"]):
        name = f"{sent['service']} log {wanted['index']}"
        CHECKS.expect(f"{name} body_type", row["body_type"], wanted["body_type"])
        CHECKS.expect(f"{name} cpus", row["cpus"], "4")
        for column in ("severity_number", "severity_text", "event_name"):
            if column in wanted:
                CHECKS.expect(f"{name} {column}", row[column], wanted[column])
        if "int" in wanted:
            CHECKS.expect(f"{name} int", row["n"], str(wanted["int"]))
        CHECKS.expect(f"{name} trace", row["trace_id"], sent["spans"][0]["trace_id"])


def check_spans(server, sent):
    for wanted in sent["spans"]:
        name = f"{sent['service']} span {wanted['name']}"
        ids = f"trace_id = '{wanted['trace_id']}' AND span_id = '{wanted['span_id']}'"
        rows = server.sql(f"SELECT *, CAST(timestamp AS BIGINT) AS t, CAST(end_timestamp AS BIGINT) AS e FROM spans WHERE {ids}")
        CHECKS.expect(name, len(rows), 1)
        if not rows:
            continue
        CHECKS.expect(f"{name} name", rows[0]["name"], wanted["name"])
        if "start" in wanted:
            CHECKS.expect(f"{name} start", rows[0]["t"], wanted["start"])
            CHECKS.expect(f"{name} end", rows[0]["e"], wanted["end"])
            events = server.sql(f"SELECT count(*) AS n FROM span_events WHERE {ids}")
            CHECKS.expect(f"{name} events", events[0]["n"], wanted["events"])
            links = server.sql(f"SELECT count(*) AS n FROM span_links WHERE {ids}")
            CHECKS.expect(f"{name} links", links[0]["n"], wanted["links"])
    child = server.sql(
        f"SELECT status_code, status_message FROM spans WHERE name = 'child' AND service_name = '{sent['service']}'"
    )
    CHECKS.expect(f"{sent['service']} status", child, [{"status_code": 2, "status_message": "card declined"}])


def check_metrics(server, sent):
    for metric, wanted in sent["metrics"].items():
        name = f"{sent['service']} metric {metric}"
        rows = server.sql(
            f"SELECT * FROM metrics WHERE metric = '{metric}' AND service_name = '{sent['service']}'"
        )
        CHECKS.expect(name, len(rows), 1)
        if not rows:
            continue
        if isinstance(wanted, str):
            wanted = {"type": wanted}
        for column, value in wanted.items():
            CHECKS.expect(f"{name} {column}", rows[0][column], value)


def check_said(server, everything):
    """Everything that the senders printed."""
    for sent in everything:
        check_logs(server, sent)
        check_spans(server, sent)
        check_metrics(server, sent)
