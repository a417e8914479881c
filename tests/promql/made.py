"""Seeded data: several hundred series over two hours, of every kind that a scrape or a rule may bring about."""

import math
import random

from remote_write import CUSTOM, Exemplar, Histogram, Series

HOURS_MS = 2 * 3_600_000

JOBS = {"api": 4, "web": 3, "db": 2}
METHODS = ("GET", "POST", "DELETE")
CODES = ("200", "404", "500")
BOUNDS = (0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 10.0)
# Observations of a native histogram's first point. Prometheus after 3.5 extrapolates histograms to no time before they were
# empty, as it always did with floats, and so does Cairn (`native_histograms.test` of August 2026); with this many no range gets there.
FIRST = 150
CUSTOM_BOUNDS = (0.01, 0.1, 0.5, 1.0, 5.0)


class Clock:
    """Instants of scrapes."""

    def __init__(self, rng, end_ms):
        self.rng, self.end = rng, end_ms
        self.start = end_ms - HOURS_MS

    def regular(self, every=15_000, offset=0, first=0.0, last=1.0):
        """Every so often, from a part of the two hours to another."""
        low, high = self.start + int(HOURS_MS * first), self.start + int(HOURS_MS * last)
        begin = low - low % every + offset
        return [ms for ms in range(begin, high + 1, every) if low <= ms <= high]

    def irregular(self, least, most):
        found, at = [], self.start
        while (at := at + self.rng.randint(least, most)) <= self.end:
            found.append(at)
        return found

    def with_gaps(self, times, count=3):
        """Without some stretches of one to twelve minutes."""
        holes = [(at, at + self.rng.randint(60_000, 720_000)) for at in self.rng.sample(times, count)]
        return [ms for ms in times if not any(low <= ms < high for low, high in holes)]


def targets():
    return [(job, f"{job}-{number}:9090") for job, count in JOBS.items() for number in range(count)]


def counter(rng, times, most=30.0, resets=0, whole=True):
    """A value that grows, and falls to nearly nothing `resets` times."""
    falls = set(rng.sample(times, resets)) if resets else set()
    value, points = float(rng.randint(0, 1000)), []
    rate = rng.uniform(0.2, most)
    for ms in times:
        step = rng.expovariate(1 / rate)
        value = 0.0 if ms in falls else value
        value += float(round(step)) if whole else step
        points.append((ms, value))
    return points


def walk(rng, times, start, step):
    value, points = start, []
    for ms in times:
        value += rng.gauss(0, step)
        points.append((ms, value))
    return points


def build(seed, end_ms):
    """All series."""
    rng = random.Random(seed)
    clock = Clock(rng, end_ms)
    parts = (counters, gauges, odd_gauges, classic, native, lifetimes, texts, information)
    return [series for part in parts for series in part(rng, clock)]


def counters(rng, clock):
    for job, instance in targets():
        offset = rng.randint(0, 14_999)
        for method in METHODS:
            for code in CODES:
                times = clock.regular(offset=offset)
                times = clock.with_gaps(times) if rng.random() < 0.3 else times
                labels = {"__name__": "http_requests_total", "job": job, "instance": instance, "method": method, "code": code}
                points = counter(rng, times, resets=rng.choice((0, 0, 1, 4)))
                trace = f"{rng.getrandbits(128):032x}"
                exemplars = [Exemplar({"trace_id": trace, "user": "ü"}, float(number), times[number * 50]) for number in (1, 3)]
                yield Series(labels, "counter", points, exemplars, "Requests that were answered.")
        labels = {"__name__": "bytes_sent_total", "job": job, "instance": instance}
        points = counter(rng, clock.irregular(5_000, 40_000), most=9_000, resets=2, whole=False)
        yield Series(labels, "counter", points, [], "Bytes of answers.", "bytes")
    for number in range(4):
        points = counter(rng, clock.regular(every=60_000), most=3)
        yield Series({"__name__": "aligned_total", "number": str(number)}, "counter", points, [], "Points at whole minutes.")


def gauges(rng, clock):
    for job, instance in targets():
        labels = {"job": job, "instance": instance}
        offset = rng.randint(0, 14_999)
        times = clock.regular(offset=offset)
        points = walk(rng, times, rng.uniform(1e8, 2e9), 1e6)
        yield Series(labels | {"__name__": "memory_usage_bytes"}, "gauge", points, [], "Memory in use.", "bytes")
        points = [(ms, float(rng.random() > 0.02)) for ms in times]
        yield Series(labels | {"__name__": "up"}, "gauge", points)
        for core in range(3):
            points = walk(rng, clock.with_gaps(times, 1), rng.uniform(0, 1), 0.05)
            yield Series(labels | {"__name__": "cpu_load", "core": str(core)}, "gauge", points, [], "Load of a core.")
    for room in ("cellar", "attic", "hall"):
        times = clock.irregular(1_000, 90_000)
        yield Series({"__name__": "temperature_celsius", "room": room}, "gauge", walk(rng, times, -3.0, 0.7), [], "", "celsius")
    for number in range(12):
        points = walk(rng, clock.regular(every=60_000), float(number), 0.3)
        labels = {"__name__": "grid", "row": str(number // 4), "column": str(number % 4), "zone": f"z{number}"}
        yield Series(labels, "gauge", points, [], "Points at whole minutes.")


def odd_gauges(rng, clock):
    values = {
        "nan": [math.nan], "inf": [math.inf], "-inf": [-math.inf], "zero": [0.0, -0.0], "tiny": [5e-324, 1e-300, 0.0],
        "huge": [1.7e308, -1.7e308, 1e300], "mixed": [math.nan, 1.0, math.inf, -2.5, -math.inf, 0.0],
        "whole": [-3.0, -1.0, 2.0, 7.0], "half": [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], "constant": [42.0],
        "exact": [9007199254740993.0, 0.1, 1 / 3], "seconds": [float(clock.end // 1000), 1.7e9, 0.0, -86_400.0],
    }  # fmt: skip
    for kind, choice in values.items():
        times = clock.regular(every=30_000, offset=rng.randint(0, 29_999))
        points = [(ms, rng.choice(choice)) for ms in times]
        yield Series({"__name__": "odd", "kind": kind}, "gauge", points, [], "Values at the edges of doubles.")


def observations(rng, count):
    return [rng.lognormvariate(-2.0, 1.6) for _ in range(count)]


def classic(rng, clock):
    """Histograms of many series, some of them broken."""
    for job, instance in targets():
        labels = {"job": job, "instance": instance}
        times = clock.regular(offset=rng.randint(0, 14_999))
        reset = rng.choice(times)
        below, total, count = [0.0] * len(BOUNDS), 0.0, 0.0
        columns, sums, counts = [[] for _ in BOUNDS], [], []
        for ms in times:
            if ms == reset:
                below, total, count = [0.0] * len(BOUNDS), 0.0, 0.0
            for value in observations(rng, rng.randint(0, 12)):
                below = [before + (value <= bound) for before, bound in zip(below, BOUNDS)]
                total, count = total + value, count + 1
            for column, value in zip(columns, below):
                column.append((ms, value))
            sums.append((ms, total))
            counts.append((ms, count))
        about = {"help": "Time of a request.", "unit": "seconds", "family": "request_duration_seconds"}
        name = "request_duration_seconds"
        for bound, column in zip(BOUNDS, columns):
            yield Series(labels | {"__name__": f"{name}_bucket", "le": f"{bound:g}"}, "histogram", column, **about)
        yield Series(labels | {"__name__": f"{name}_bucket", "le": "+Inf"}, "histogram", list(counts), **about)
        yield Series(labels | {"__name__": f"{name}_sum"}, "histogram", sums, **about)
        yield Series(labels | {"__name__": f"{name}_count"}, "histogram", counts, **about)
    for kind, bounds in {"falling": "1 2 3 +Inf", "endless": "1 2 3", "unread": "1 two +Inf", "one": "+Inf"}.items():
        for at, bound in enumerate(bounds.split()):
            times = clock.regular(every=60_000)
            height = 3 if kind == "falling" and at == 1 else 1 + at / 2
            points = [(ms, height * number) for number, ms in enumerate(times)]
            yield Series({"__name__": "broken_bucket", "kind": kind, "le": bound}, "histogram", points, family="broken")
    for quantile in ("0.5", "0.9", "0.99"):
        points = walk(rng, clock.regular(), float(quantile), 0.01)
        yield Series({"__name__": "rpc_seconds", "quantile": quantile}, "summary", points, [], "", "seconds")


def grown(rng, before, count, negative=0.0):
    """A histogram with more observations than `before`."""
    now = before.copy()
    width = 2.0**-now.schema
    for value in observations(rng, count):
        is_negative = rng.random() < negative
        now.count += 1
        now.sum += -value if is_negative else value
        if now.bounds:
            index = sum(value > bound for bound in now.bounds)
        elif value <= now.zero_threshold:
            now.zero_count += 1
            continue
        else:
            index = math.ceil(math.log2(value) / width)
        buckets = now.negative if is_negative else now.positive
        buckets[index] = buckets.get(index, 0) + 1
    return now


def histograms(rng, times, empty, negative=0.0, resets=0):
    """Points of a counting histogram."""
    falls = set(rng.sample(times, resets)) | {times[0]} if resets else {times[0]}
    now, points = empty, []
    for ms in times:
        now = grown(rng, empty, FIRST, negative) if ms in falls else grown(rng, now, rng.randint(0, 8), negative)
        points.append((ms, now))
    return points


def native(rng, clock):
    about = {"help": "Time of a request, in buckets that grow.", "unit": "seconds"}
    for job, instance in targets():
        labels = {"job": job, "instance": instance}
        times = clock.regular(every=30_000, offset=rng.randint(0, 29_999))
        points = histograms(rng, times, Histogram(schema=3, zero_threshold=0.001), resets=rng.choice((0, 1, 3)))
        exemplars = [Exemplar({"trace_id": f"{rng.getrandbits(128):032x}"}, 0.2, times[20])]
        yield Series(labels | {"__name__": "latency_seconds"}, "histogram", points, exemplars, **about)
        points = histograms(rng, times, Histogram(schema=CUSTOM, bounds=CUSTOM_BOUNDS), resets=rng.choice((0, 2)))
        yield Series(labels | {"__name__": "latency_custom"}, "histogram", points, [], **about)
    for number, schema in enumerate((-2, 0, 5)):
        times = clock.regular(every=60_000)
        empty = Histogram(schema=schema, zero_threshold=0.01 * number)
        points = histograms(rng, times, empty, negative=0.4, resets=1)
        yield Series({"__name__": "latency_signed", "schema": str(schema)}, "histogram", points, [], **about)
        points = [(ms, as_float(rng, histogram)) for ms, histogram in histograms(rng, times, empty, negative=0.2)]
        yield Series({"__name__": "latency_float", "schema": str(schema)}, "histogram", points, [], **about)
        gauge = [(ms, grown(rng, Histogram(schema=schema, hint=3), 20)) for ms in times]
        yield Series({"__name__": "latency_gauge", "schema": str(schema)}, "gaugehistogram", gauge, [], **about)
    yield from changing(rng, clock)


def as_float(rng, histogram):
    """The same shape in counts that are no whole numbers."""
    # Exact, so that differences are.
    factor = 0.375
    scaled = {name: getattr(histogram, name) * factor for name in ("sum", "count", "zero_count")}
    made = histogram.copy(is_float=True, **scaled)
    made.positive = {index: count * factor for index, count in histogram.positive.items()}
    made.negative = {index: count * factor for index, count in histogram.negative.items()}
    return made


def changing(rng, clock):
    """Histograms whose form changes on the way, and series of both kinds."""
    times = clock.regular(every=60_000)
    half = len(times) // 2
    first = histograms(rng, times[:half], Histogram(schema=4))
    second = histograms(rng, times[half:], Histogram(schema=1, zero_threshold=0.05))
    yield Series({"__name__": "latency_changing", "what": "schema"}, "histogram", first + second)
    first = histograms(rng, times[:half], Histogram(schema=CUSTOM, bounds=CUSTOM_BOUNDS))
    second = histograms(rng, times[half:], Histogram(schema=CUSTOM, bounds=(0.1, 1.0, 3.0)))
    yield Series({"__name__": "latency_changing", "what": "bounds"}, "histogram", first + second)
    second = histograms(rng, times[half:], Histogram(schema=2))
    yield Series({"__name__": "latency_changing", "what": "kind"}, "histogram", first + second)
    floats = counter(rng, times[:half])
    yield Series({"__name__": "mixed_points", "what": "both"}, "unknown", floats + second)
    yield Series({"__name__": "mixed_points", "what": "float"}, "unknown", counter(rng, times))
    yield Series({"__name__": "mixed_points", "what": "histogram"}, "unknown", histograms(rng, times, Histogram(schema=2)))
    ended = histograms(rng, times[:half], Histogram(schema=2)) + [(times[half], Histogram(is_stale=True))]
    yield Series({"__name__": "latency_ended"}, "histogram", ended)


def lifetimes(rng, clock):
    """Series that begin late, end, come back, or are seldom there."""
    for number in range(10):
        first = rng.uniform(0, 0.6)
        last = rng.uniform(first + 0.1, 1.0)
        times = clock.regular(offset=rng.randint(0, 14_999), first=first, last=last)
        points = walk(rng, times, float(number), 1.0)
        if number % 2 and times[-1] + 15_000 <= clock.end:
            points.append((times[-1] + 15_000, None))
        if number % 3 == 0:
            points += [(ms, 7.0 + number) for ms in clock.regular(every=20_000, first=min(last + 0.05, 1.0))]
        yield Series({"__name__": "short_lived", "pod": f"p{number}"}, "gauge", points, [], "Comes and goes.")
    for every in (240_000, 299_999, 300_000, 360_000, 1_200_000):
        points = walk(rng, clock.regular(every=every), 10.0, 2.0)
        yield Series({"__name__": "seldom", "every": str(every)}, "gauge", points, [], "Often not there.")
    times = clock.regular(every=30_000)
    blinking = [(ms, None if number % 4 == 3 else float(number)) for number, ms in enumerate(times)]
    yield Series({"__name__": "blinking"}, "gauge", blinking, [], "Every fourth point is a stale marker.")
    yield Series({"__name__": "once"}, "gauge", [(times[len(times) // 2], 3.0)], [], "One point.")


def texts(rng, clock):
    """Names and values in every alphabet, and many of them."""
    values = [
        "naïve", "日本語", "tab\tand\nline", 'quo"te', "back\\slash", "emoji 🙂", "a b", "x" * 200, "1.5", "{}", "a.b", "ß|(.*)",
    ]  # fmt: skip
    for number, value in enumerate(values):
        points = walk(rng, clock.regular(every=60_000), float(number), 0.5)
        yield Series({"__name__": "named", "text": value, "number": str(number)}, "gauge", points)
    names = ("http.server.duration", "größe", "queue depth", "0count")
    for name in names:
        for zone in ("eu", "us"):
            labels = {"__name__": name, "service.name": f"shop-{zone}", "zone": zone, "k8s.pod/name": f"p.{zone}"}
            yield Series(labels, "gauge", walk(rng, clock.regular(), 5.0, 1.0), [], "A name that needs quotes.")
    for number in range(6):
        labels = {f"label_{key:02}": f"value {key} of {number % 3}" for key in range(30)}
        points = counter(rng, clock.regular(every=60_000))
        yield Series(labels | {"__name__": "wide_total", "number": str(number)}, "counter", points)


def information(rng, clock):
    for number, (job, instance) in enumerate(targets()):
        labels = {"job": job, "instance": instance}
        times = clock.regular(offset=rng.randint(0, 14_999))
        ones = [(ms, 1.0) for ms in times]
        about = labels | {"__name__": "build_info", "version": f"1.{number}.0", "branch": "main"}
        yield Series(about, "info", ones, [], "What runs.")
        about = labels | {"__name__": "target_info", "host_name": f"h{number}", "region": ("eu", "us")[number % 2]}
        yield Series(about, "info", list(ones), [], "Where it runs.")
    for job in JOBS:
        yield Series({"__name__": "quota", "job": job}, "gauge", walk(rng, clock.regular(every=60_000), 50.0, 2.0))


def slices(series, every_ms=600_000):
    """The series cut by time, oldest first, as senders would bring them; exemplars go with the points of their time."""
    last = max(point[0] for each in series for point in each.points)
    first = min(point[0] for each in series for point in each.points)
    for begin in range(first, last + 1, every_ms):
        found = []
        for each in series:
            points = [point for point in each.points if begin <= point[0] < begin + every_ms]
            exemplars = [one for one in each.exemplars if begin <= one.ms < begin + every_ms]
            if points:
                found.append(Series(each.labels, each.kind, points, exemplars, each.help, each.unit, each.family))
        yield found
