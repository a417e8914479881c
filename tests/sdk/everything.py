"""Requests in which every field of OTLP has a value of its own, as no SDK sends them.

The values are the awkward ones: NaNs with bits of their own, negative zero, integers beyond 2^53, buckets on both sides, text with
what JSON must escape, maps within lists within maps, bytes, empty values.
"""

import struct
import time

from otlp_rows import REQUESTS

NAN = struct.unpack(">d", bytes.fromhex("7ff8000000000000"))[0]
BIG = 9_223_372_036_854_775_807
EXACT = 9_007_199_254_740_993
AWKWARD = 'quote " backslash \\ tab \t null \u0000 line\u2028 emoji \U0001f6d2 ü'


def attributes(entries, tag):
    """One entry of each type, and nests of them."""
    entries.add(key=f"{tag}.text").value.string_value = AWKWARD + tag
    entries.add(key=f"{tag}.int").value.int_value = EXACT
    entries.add(key=f"{tag}.lowest").value.int_value = -BIG - 1
    entries.add(key=f"{tag}.double").value.double_value = 1e-7
    entries.add(key=f"{tag}.whole").value.double_value = 3.0
    entries.add(key=f"{tag}.zero").value.double_value = -0.0
    entries.add(key=f"{tag}.nan").value.double_value = NAN
    entries.add(key=f"{tag}.infinite").value.double_value = float("-inf")
    entries.add(key=f"{tag}.flag").value.bool_value = True
    entries.add(key=f"{tag}.bytes").value.bytes_value = b"\x00\xff" + tag.encode()
    entries.add(key=f"{tag}.unset")
    entries.add(key=f"{tag}.none").value.SetInParent()
    nest(entries.add(key=f"{tag}.nest").value, tag)


def nest(value, tag):
    """A map in a list in a map; its keys look like tags of the stored form."""
    inner = value.kvlist_value.values.add(key="$bytes").value.array_value.values
    inner.add().string_value = tag
    inner.add().double_value = 0.1
    inner.add().kvlist_value.values.add(key="$double").value.string_value = "NaN"
    inner.add().bool_value = False
    inner.add()


def shared(group, scopes, service, tag):
    """Resource and scope; returns the scope's group."""
    group.schema_url = f"https://example.com/resource/{tag}"
    group.resource.attributes.add(key="service.name").value.string_value = service
    attributes(group.resource.attributes, f"r.{tag}")
    group.resource.dropped_attributes_count = 3
    entity = group.resource.entity_refs.add(type="service", schema_url=f"https://example.com/entity/{tag}")
    entity.id_keys.extend(["service.name", f"r.{tag}.text"])
    entity.description_keys.append(f"r.{tag}.int")
    group.resource.entity_refs.add(type=AWKWARD)
    scope = getattr(group, scopes).add()
    scope.schema_url = f"https://example.com/scope/{tag}"
    scope.scope.name, scope.scope.version = f"scope {tag}", "1.0.0-rc.1"
    attributes(scope.scope.attributes, f"s.{tag}")
    scope.scope.dropped_attributes_count = 4
    return scope


def bodies():
    """A body of each type, and none."""
    def fill(value, field, content):
        setattr(value, field, content)

    plain = [("string_value", AWKWARD), ("string_value", ""), ("int_value", EXACT), ("double_value", 2.5)]
    plain += [("double_value", NAN), ("bool_value", False), ("bytes_value", b"\x00\xfe")]
    fills = [lambda value, each=each: fill(value, *each) for each in plain]
    fills.append(lambda value: nest(value, "body"))
    fills.append(lambda value: value.array_value.values.add().kvlist_value.values.add(key="$x").SetInParent())
    fills.append(lambda value: None)
    return fills


def logs(service):
    request = REQUESTS["logs"]()
    group = request.resource_logs.add()
    records = shared(group, "scope_logs", service, "logs").log_records
    now = time.time_ns()
    for at, fill in enumerate(bodies()):
        record = records.add()
        record.time_unix_nano = 0 if at == 1 else now + at
        record.observed_time_unix_nano = now + 1_000 + at
        record.severity_number = 1 + at
        record.severity_text = f"level {at}"
        fill(record.body)
        attributes(record.attributes, "l")
        record.dropped_attributes_count = 5 + at
        record.flags = 0x0000_0301 + at
        record.trace_id, record.span_id = bytes([at + 1] * 16), bytes([at + 2] * 8)
        record.event_name = f"event.{at}"
    return request


def spans(service):
    request = REQUESTS["traces"]()
    group = request.resource_spans.add()
    of_scope = shared(group, "scope_spans", service, "spans").spans
    now = time.time_ns()
    for kind in range(6):
        span = of_scope.add()
        span.trace_id, span.span_id = bytes([16 + kind] * 16), bytes([32 + kind] * 8)
        span.parent_span_id = bytes([48 + kind] * 8)
        span.trace_state = f"vendor=v{kind},other=o"
        span.flags = 0x0000_0300 + kind
        span.name, span.kind = f"span {kind}", kind
        span.start_time_unix_nano = 0 if kind == 5 else now + kind
        span.end_time_unix_nano = now + 5_000_000_003 * (kind + 1)
        attributes(span.attributes, "sp")
        span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count = 6, 7 + kind, 8
        span.status.code, span.status.message = kind % 3, f"status {AWKWARD} {kind}"
        for at in range(kind % 3):
            event = span.events.add(name=f"event {at}", time_unix_nano=now + 77 * at, dropped_attributes_count=9 + at)
            attributes(event.attributes, "e")
            link = span.links.add(trace_id=bytes([64 + at] * 16), span_id=bytes([80 + at] * 8), trace_state=f"link=l{at}")
            link.dropped_attributes_count, link.flags = 10 + at, 0x0000_0200 + at
            attributes(link.attributes, "k")
    return request


def point(points, at, now):
    """What points of all kinds share; returns the point."""
    each = points.add()
    each.time_unix_nano = now + at
    each.start_time_unix_nano = now - 60_000_000_007
    each.flags = at % 2
    attributes(each.attributes, f"p{at}")
    return each


def exemplar(each, at, now):
    found = each.exemplars.add()
    found.time_unix_nano = now - 11 * at - 1
    if at % 2:
        found.as_int = -EXACT - at
    else:
        found.as_double = NAN
    found.trace_id, found.span_id = bytes([96 + at] * 16), bytes([112 + at] * 8)
    attributes(found.filtered_attributes, "x")


def metric(metrics, name):
    found = metrics.add(name=name, description=f"about {name} {AWKWARD}", unit="{thing}/s")
    attributes(found.metadata, "m")
    return found


def metrics(service):
    request = REQUESTS["metrics"]()
    group = request.resource_metrics.add()
    of_scope = shared(group, "scope_metrics", service, "metrics").metrics
    now = time.time_ns()
    numbers(of_scope, now)
    histograms(of_scope, now)
    data = metric(of_scope, "every.summary").summary
    for at in range(2):
        each = point(data.data_points, at, now)
        each.count, each.sum = BIG + at, -0.5 * at
        for quantile in (0.0, 0.5, 1.0):
            each.quantile_values.add(quantile=quantile, value=quantile * 7 - at)
    return request


def numbers(of_scope, now):
    values = [("as_int", BIG), ("as_int", -EXACT), ("as_double", NAN), ("as_double", -0.0), ("as_double", float("inf")), (None, None)]
    for kind in ("gauge", "sum"):
        data = getattr(metric(of_scope, f"every.{kind}"), kind)
        if kind == "sum":
            data.aggregation_temporality, data.is_monotonic = 2, True
        for at, (field, value) in enumerate(values):
            each = point(data.data_points, at, now)
            if field:
                setattr(each, field, value)
            exemplar(each, at, now)
    falling = metric(of_scope, "every.delta").sum
    falling.aggregation_temporality = 1
    point(falling.data_points, 0, now).as_double = 0.1


def histograms(of_scope, now):
    data = metric(of_scope, "every.histogram").histogram
    data.aggregation_temporality = 1
    for at in range(3):
        each = point(data.data_points, at, now)
        each.count = 2**64 - 1 - at
        exemplar(each, at, now)
        if at < 2:
            each.sum, each.min, each.max = (NAN, -0.0, float("inf")) if at else (12.5, -1.5, 1e300)
            each.explicit_bounds.extend([-1.0, 0.0, 2.5, 1e308])
            each.bucket_counts.extend([1, 0, 2**63, 7, 2**64 - 1])
    data = metric(of_scope, "every.exponential").exponential_histogram
    data.aggregation_temporality = 2
    for at in range(3):
        each = point(data.data_points, at, now)
        each.count, each.zero_count, each.scale = 2**63 + at, 5 + at, at * 10 - 10
        each.zero_threshold = 1e-9 * at
        exemplar(each, at, now)
        if at < 2:
            each.sum, each.min, each.max = 903.5, 0.5 + at, 900.0
            each.positive.offset, each.negative.offset = -(2**31), 2**31 - 1 - at
            each.positive.bucket_counts.extend([0, 3, 2**64 - 1])
            each.negative.bucket_counts.extend([at, 4])


def requests(service):
    """One request a signal."""
    return {"logs": logs(service), "traces": spans(service), "metrics": metrics(service)}
