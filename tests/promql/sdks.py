"""Metrics of an OpenTelemetry SDK, read back by PromQL: what `rate`, `increase` and quantiles must be is worked out here.

The Python SDK sends counters, histograms of explicit and of exponential buckets, and exemplars, by cumulative and by delta
temporality, over OTLP/HTTP; its process restarts once. The exporter keeps what it sent, and the expected numbers come from
that, by the rules that Prometheus documents for extrapolation and interpolation, in the plainest way.
"""

import math
import random
import time

from checks import CHECKS
from compare import same_number, short
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from prometheus import Api

NUMBER = "4.4"
BOUNDS = (0.1, 0.5, 1.0, 5.0)
ROUNDS, LIVES = 4, 2
TEMPORALITIES = {"cumulative": AggregationTemporality.CUMULATIVE, "delta": AggregationTemporality.DELTA}

# Ranges that PromQL is asked for, in seconds: one that holds some of the points, one that holds all.
RANGES = (4, 60)
QUANTILES = (0.13, 0.47, 0.61, 0.93)


class Exporter(OTLPMetricExporter):
    """Keeps what it sends: points by metric and attributes."""

    kept = None

    def export(self, metrics_data, *arguments, **named):
        for resource in metrics_data.resource_metrics:
            for metric in [metric for scope in resource.scope_metrics for metric in scope.metrics]:
                for point in metric.data.data_points:
                    key = metric.name, tuple(sorted(point.attributes.items()))
                    self.kept.setdefault(key, []).append(point)
        return super().export(metrics_data, *arguments, **named)


class Sender:
    """The SDK with one temporality."""

    def __init__(self, server, key, name):
        self.server, self.key, self.name, self.kept = server, key, name, {}
        self.rng = random.Random(name)
        self.start()

    def start(self):
        """A new life of the process: everything counts from zero."""
        temporality = TEMPORALITIES[self.name]
        exporter = Exporter(
            endpoint=f"http://127.0.0.1:{self.server.http_port}/v1/metrics",
            headers={"authorization": f"Bearer {self.key}"},
            preferred_temporality={Counter: temporality, Histogram: temporality},
        )
        exporter.kept = self.kept
        views = [
            View(instrument_name="app.latency", aggregation=ExplicitBucketHistogramAggregation(BOUNDS)),
            View(instrument_name="app.size", aggregation=ExponentialBucketHistogramAggregation()),
        ]
        resource = Resource({"service.name": f"sdk-{self.name}", "service.instance.id": "one"})
        reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
        self.provider = MeterProvider([reader], resource=resource, views=views, shutdown_on_exit=False)
        meter = self.provider.get_meter("tests")
        self.orders = meter.create_counter("app.orders", unit="{order}", description="Orders that were placed.")
        self.carts = meter.create_up_down_counter("app.carts")
        self.latency = meter.create_histogram("app.latency", unit="s")
        self.size = meter.create_histogram("app.size", unit="By")

    def work(self):
        """Some measurements, within spans, and an export."""
        rng = self.rng
        for region in ("eu", "us"):
            span = SpanContext(rng.getrandbits(128), rng.getrandbits(64), False, TraceFlags(TraceFlags.SAMPLED))
            context = trace.set_span_in_context(NonRecordingSpan(span))
            attributes = {"region": region}
            self.orders.add(rng.randint(1, 9), attributes, context=context)
            self.carts.add(rng.randint(-3, 5), attributes, context=context)
            for _ in range(rng.randint(3, 12)):
                self.latency.record(rng.expovariate(1.5), attributes, context=context)
                self.size.record(rng.choice([0.0, rng.lognormvariate(3, 2)]), attributes, context=context)
        self.provider.force_flush()


def when(point):
    """When a point is, as PromQL sees it: whole milliseconds."""
    return point.time_unix_nano // 1_000_000


def inside(points, at, length):
    """The points of a range of so many seconds until `at`, in milliseconds; it is open at its left."""
    return [point for point in points if at - length * 1000 < when(point) <= at]


def grown(values, at, length):
    """What a counter grew by: `(milliseconds, value)` by time, with extrapolation to the ends of the range; and the factor of it."""
    if len(values) < 2:
        return None, None
    growth = values[-1][1] - values[0][1]
    growth += sum(before[1] for before, after in zip(values, values[1:]) if after[1] < before[1])
    sampled = values[-1][0] - values[0][0]
    average = sampled / (len(values) - 1)
    to_start, to_end = values[0][0] - (at - length * 1000), at - values[-1][0]
    to_start = average / 2 if to_start >= average * 1.1 else to_start
    if growth > 0:
        to_start = min(to_start, sampled * values[0][1] / growth)
    to_end = average / 2 if to_end >= average * 1.1 else to_end
    factor = (sampled + to_start + to_end) / sampled
    return growth * factor, factor


def increase(name, points, at, length, value):
    """`increase` of a number that points have."""
    values = [(when(point), value(point)) for point in inside(points, at, length)]
    if name == "delta":
        return sum(each[1] for each in values) if values else None
    return grown(values, at, length)[0]


def classic_quantile(quantile, buckets):
    """By linear interpolation; `buckets` are upper bounds and what is at or below each."""
    rank = quantile * buckets[-1][1]
    at = next(number for number, bucket in enumerate(buckets) if bucket[1] >= rank)
    if at == len(buckets) - 1:
        return buckets[-2][0]
    low, below = buckets[at - 1] if at else (0.0, 0.0)
    return low + (buckets[at][0] - low) * (rank - below) / (buckets[at][1] - below)


def sparse(point, scale):
    """Counts by bucket at a coarser scale: bucket `i` of scale `s` ends at 2^((i + 1) / 2^s)."""
    found = {}
    for index, count in enumerate(point.positive.bucket_counts, point.positive.offset):
        found[index >> (point.scale - scale)] = found.get(index >> (point.scale - scale), 0) + count
    return found


def exponential(name, points, at, length):
    """`increase` of exponential histograms: the scale, the counts by bucket, those of zeros, the sum."""
    found = inside(points, at, length)
    if not found or (name == "cumulative" and len(found) < 2):
        return None
    scale = min([8, *(point.scale for point in found)])
    if name == "delta":
        signs = [(1.0, point) for point in found]
    else:
        # What was there before each restart counts, too.
        ends = [before for before, after in zip(found, found[1:]) if after.count < before.count]
        _, factor = grown([(when(point), point.count) for point in found], at, length)
        signs = [(factor, found[-1]), (-factor, found[0]), *((factor, point) for point in ends)]
    counts, zeros, total = {}, 0.0, 0.0
    for sign, point in signs:
        for index, count in sparse(point, scale).items():
            counts[index] = counts.get(index, 0.0) + sign * count
        zeros, total = zeros + sign * point.zero_count, total + sign * point.sum
    return scale, counts, zeros, total


def exponential_quantile(quantile, scale, counts, zeros):
    """By interpolation along the exponent, as a bucket is; zeros are the first bucket and have no width."""
    rank = quantile * (sum(counts.values()) + zeros)
    if rank <= zeros:
        return 0.0
    below = zeros
    for index in sorted(counts):
        if below + counts[index] >= rank:
            return 2 ** ((index + (rank - below) / counts[index]) / 2**scale)
        below += counts[index]
    return math.nan


class Reader:
    """Queries over what one sender sent."""

    def __init__(self, api, sender, at):
        self.api, self.sender, self.at = api, sender, at
        self.complaints = {}

    def selector(self, metric, region):
        return f'{metric}{{job="sdk-{self.sender.name}", region="{region}"}}'

    def expect(self, about, query, wanted):
        """The one number that a query must give; `None` for no answer."""
        wrong = self.complaints.setdefault(about, [])
        answer = self.api.ask("query", {"query": query, "time": f"{self.at / 1000:.3f}"})
        if answer["status"] != "success":
            wrong.append(f"{query}: {answer['errorType']}: {answer['error']}")
            return
        found = [each["value"][1] for each in answer["data"]["result"] if "value" in each]
        texts = [] if wanted is None else [repr(wanted)]
        if len(found) != len(texts) or not all(same_number(a, b) for a, b in zip(found, texts)):
            wrong.append(f"{query} at {self.at}: {short(answer['data']['result'], 300)} and not {texts}")

    def numbers(self, region):
        """Counters and gauges."""
        points = self.sender.kept["app.orders", (("region", region),)]
        selector = self.selector("app_orders_total", region)
        for length in RANGES:
            wanted = increase(self.sender.name, points, self.at, length, lambda point: point.value)
            self.expect("increase of counters", f"increase({selector}[{length}s])", wanted)
            self.expect("rate of counters", f"rate({selector}[{length}s])", None if wanted is None else wanted / length)
        carts = self.sender.kept["app.carts", (("region", region),)]
        self.expect("values of up-down counters", self.selector("app_carts", region), float(carts[-1].value))

    def explicit(self, region):
        """Histograms whose buckets are series."""
        points = self.sender.kept["app.latency", (("region", region),)]
        name = self.sender.name
        for length in RANGES:
            buckets = []
            for number, bound in enumerate((*BOUNDS, math.inf)):
                value = lambda point, number=number: sum(point.bucket_counts[: number + 1])  # noqa: E731
                buckets.append((bound, increase(name, points, self.at, length, value)))
            selector = f"{self.selector('app_latency_seconds_bucket', region)}[{length}s]"
            if None in [count for _, count in buckets]:
                continue
            for (bound, count), label in zip(buckets, ("0.1", "0.5", "1", "5", "+Inf")):
                text = selector.replace("}", f', le="{label}"}}')
                self.expect("increase of explicit buckets", f"increase({text})", count)
            for quantile in QUANTILES:
                wanted = classic_quantile(quantile, buckets)
                self.expect("quantiles of explicit buckets", f"histogram_quantile({quantile}, rate({selector}))", wanted)
            wanted = increase(name, points, self.at, length, lambda point: point.sum)
            self.expect("sums of histograms", f"increase({self.selector('app_latency_seconds_sum', region)}[{length}s])", wanted)

    def exponential(self, region):
        """Histograms that are one series."""
        points = self.sender.kept["app.size", (("region", region),)]
        for length in RANGES:
            found = exponential(self.sender.name, points, self.at, length)
            if found is None:
                continue
            scale, counts, zeros, total = found
            selector = f"{self.selector('app_size_bytes', region)}[{length}s]"
            self.expect("counts of exponential buckets", f"histogram_count(increase({selector}))", sum(counts.values()) + zeros)
            self.expect("sums of exponential buckets", f"histogram_sum(rate({selector}))", total / length)
            for quantile in QUANTILES:
                wanted = exponential_quantile(quantile, scale, counts, zeros)
                self.expect("quantiles of exponential buckets", f"histogram_quantile({quantile}, rate({selector}))", wanted)

    def exemplars(self, metric, sent):
        """Each exemplar with its trace, once."""
        wrong = self.complaints.setdefault("exemplars", [])
        points = [point for (name, _), points in self.sender.kept.items() if name == sent for point in points]
        wanted = {(f"{one.trace_id:032x}", f"{one.span_id:016x}", float(one.value)) for point in points for one in point.exemplars}
        query = f'{metric}{{job="sdk-{self.sender.name}"}}'
        answer = self.api.ask("query_exemplars", {"query": query, "start": self.at / 1000 - 600, "end": self.at / 1000 + 60})
        rows = [one for each in answer.get("data", []) for one in each["exemplars"]]
        found = {(one["labels"].get("trace_id"), one["labels"].get("span_id"), float(one["value"])) for one in rows}
        if not wanted:
            wrong.append(f"the SDK sent no exemplars of {sent}")
        if found != wanted:
            wrong.append(f"{query}: lacks {short(sorted(wanted - found))}, has {short(sorted(found - wanted))}")

    def everything(self, where):
        for region in ("eu", "us"):
            self.numbers(region)
            self.explicit(region)
            self.exponential(region)
        self.exemplars("app_orders_total", "app.orders")
        self.exemplars("app_latency_seconds_bucket", "app.latency")
        self.exemplars("app_size_bytes", "app.size")
        for about, wrong in self.complaints.items():
            CHECKS.row(NUMBER, f"{about}, {where}", f"OpenTelemetry SDK, {self.sender.name}", wrong)


def check_sdks(server, key, flush):
    """Sends, and reads back from the buffer and from segments."""
    senders = [Sender(server, key, name) for name in TEMPORALITIES]
    for life in range(LIVES):
        for number in range(ROUNDS):
            for sender in senders:
                sender.work()
            if number + 1 < ROUNDS:
                time.sleep(1)
        for sender in senders:
            sender.provider.shutdown()
            if life + 1 < LIVES:
                sender.start()
    at = math.ceil(time.time() * 1000)
    api = Api(f"http://127.0.0.1:{server.api_port}/prometheus/api/v1", key)
    for where in ("from the buffer", "from segments"):
        for sender in senders:
            Reader(api, sender, at).everything(where)
        flush()
