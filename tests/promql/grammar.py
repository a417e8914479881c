"""Generated PromQL: first every function, operator and modifier in turn, then random expressions of all of them."""

import random
import re
from dataclasses import dataclass

COUNTERS = [
    "http_requests_total", 'http_requests_total{job="api"}', 'http_requests_total{code=~"4..|500"}', "bytes_sent_total",
    "aligned_total", "request_duration_seconds_count", 'request_duration_seconds_sum{job!="db"}', "wide_total",
    'http_requests_total{instance=~"web-.*", method!~"GET|POST"}',
]  # fmt: skip
GAUGES = [
    "memory_usage_bytes", "cpu_load", 'cpu_load{core!="1"}', "temperature_celsius", "grid", 'grid{row=~"[12]"}', "odd", "up",
    'odd{kind=~"mixed|whole|half"}', "short_lived", "seldom", "blinking", "once", "quota", 'named{text="日本語"}', "rpc_seconds",
    '{"http.server.duration"}', '{"größe", "service.name"="shop-eu"}', '{"queue depth", "k8s.pod/name"=~"p.*"}', "named",
    '{__name__=~"grid|quota"}', '{__name__="0count"}', 'named{text=~".*[\\"\\\\\\\\].*"}', 'grid{zone=""}', 'grid{none=""}',
]  # fmt: skip
CLASSIC = ["request_duration_seconds_bucket", 'request_duration_seconds_bucket{job="api"}', "broken_bucket"]
NATIVE = [
    "latency_seconds", 'latency_seconds{job="web"}', "latency_custom", "latency_signed", "latency_float", "latency_gauge",
    "latency_changing", "latency_ended",
]  # fmt: skip
MIXED = ["mixed_points", '{__name__=~"latency_seconds|grid"}']

# Values that are different from each other, so that the first of them are the same ones everywhere.
DISTINCT = ["memory_usage_bytes", "cpu_load", "temperature_celsius", "grid", "bytes_sent_total", "http_requests_total"]

MATH = [
    "abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn", "acos", "acosh", "asin", "asinh", "atan", "atanh",
    "cos", "cosh", "sin", "sinh", "tan", "tanh", "deg", "rad",
]  # fmt: skip
CALENDAR = ["day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year"]
OVER_TIME = [
    "avg_over_time", "min_over_time", "max_over_time", "sum_over_time", "count_over_time", "stddev_over_time", "stdvar_over_time",
    "last_over_time", "present_over_time", "absent_over_time", "mad_over_time", "first_over_time", "ts_of_max_over_time",
    "ts_of_min_over_time", "ts_of_last_over_time", "ts_of_first_over_time",
]  # fmt: skip
OF_COUNTERS = ["rate", "irate", "increase", "resets", "changes"]
OF_GAUGES = ["delta", "idelta", "deriv", "changes"]
OF_HISTOGRAMS = ["histogram_count", "histogram_sum", "histogram_avg", "histogram_stddev", "histogram_stdvar"]
FUNCTIONS = [
    *MATH, *CALENDAR, *OVER_TIME, *OF_COUNTERS, *OF_GAUGES, *OF_HISTOGRAMS, "double_exponential_smoothing", "sort_by_label",
    "sort_by_label_desc", "info",
]  # fmt: skip
AGGREGATIONS = ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"]
ARITHMETIC = ["+", "-", "*", "/", "%", "^", "atan2"]
COMPARISONS = ["==", "!=", ">", "<", ">=", "<="]
SETS = ["and", "or", "unless"]
DURATIONS = ["15s", "1m", "90s", "2m", "5m", "299999ms", "300001ms", "12m30s", "1h"]
LABELS = ["job", "instance", "code", "method", "core", "row", "zone", "kind", "le", "none"]

# What must be refused, by the text or on the way.
REFUSED = [
    "", "sum(", "up{", 'up{job="x"', "rate(up)", "up[5m]", "1 +", "up offset", "up @ banana", "foo(up)", "rate(up[5m", "{}",
    '{__name__=~".*"}', '{job=""}', "up[5m:]", "sum(up) by", "up and 1", "1 and 2", "1 == 2", "bool", "up + bool up", "-'text'",
    "sum by (job)(1)", "topk(up, 1)", "label_replace(up)", "label_replace(up, 'a', 'b', 'c', '(')", "abs(up[5m])", "up[0s]",
    "up{job=~'('}", "histogram_quantile(up, 0.5)", "up * on(job) group_left up", "up * on(job) cpu_load", "time(1)", "up[1d:0s]",
    "cpu_load / on(job) group_right(core) up", "http_requests_total * on(job) http_requests_total", 'up{"job"}',
    "cpu_load + on(job) group_left(job) group_right up", "label_join(up, '1', '-')", "count_values(up, 'x')", "'a' + 'b'",
    "label_join(cpu_load, 'core', '-', 'none')", "label_replace(cpu_load, 'core', '', 'core', '.*')", "up smoothly", "1 2", "up @ 1 @ 2",
    "sum without (core, )(cpu_load) +", "count_values('bad name\\xff', up)", "quantile('x', up)", "up offset 5m offset 5m", "*", "up[5m] + 1",
    "limit_ratio(2, up)", "limit_ratio(NaN, up)", "limitk(-1, up)", "topk(NaN, up)", "double_exponential_smoothing(cpu_load[5m], 2, 0.5)",
    "abs('x')", "round(up, 'x')", "up == bool", "label_replace(up, 'job', '$1', 'job', '(?P<x>.*)', 1)", "histogram_fraction(1, 2)",
]  # fmt: skip


# Where 3.5 does not do what it says: `timestamp` forgets an offset beside `@`.
OF_35 = re.compile(r"timestamp\([^()]* @ [^()]* offset")


@dataclass
class Question:
    """A query with what it asks about, and the times it is asked for, as the API takes them."""

    about: str
    query: str
    path: str
    times: dict

    def parameters(self):
        return {"query": self.query} | self.times


class Grammar:
    """Expressions of vectors, of doubles, and of points in a range."""

    def __init__(self, rng, known, end_ms):
        self.rng, self.known, self.end = rng, known, end_ms

    def pick(self, choice):
        return self.rng.choice(choice)

    # Selectors

    def modifiers(self):
        """`offset` and `@`, seldom."""
        rng, text = self.rng, ""
        if rng.random() < 0.15:
            text += f" @ {self.pick(['start()', 'end()', self.instant(), self.instant()])}"
        if rng.random() < 0.2:
            text += f" offset {self.pick(['1m', '5m', '-5m', '17s', '1h', '-300001ms'])}"
        return text

    def instant(self):
        """Seconds within the data, some at the edge of what was sampled, some outside."""
        rng = self.rng
        whole = self.end - rng.randint(0, 7_200) * 1_000
        minute = self.end - rng.randint(0, 120) * 60_000
        choice = (whole, minute, minute, minute + 1, minute - 1, minute + 300_000, self.end, self.end + 240_000, whole - rng.randint(0, 999))
        return f"{self.pick(choice) / 1000:.3f}"

    def samples(self, selectors):
        """Points of a range: of a selector or a subquery."""
        rng = self.rng
        if rng.random() < 0.2:
            inner = self.pick(selectors)
            if rng.random() < 0.5:
                inner = f"({inner})" if rng.random() < 0.5 else f"sum by (job) ({inner})"
            return f"{inner}[{self.pick(['5m', '10m', '1h'])}:{self.pick(['', '15s', '1m', '7m'])}]{self.modifiers()}"
        return f"{self.pick(selectors)}[{self.pick(DURATIONS)}]{self.modifiers()}"

    def selector(self, selectors):
        return self.pick(selectors) + self.modifiers()

    def number(self):
        choice = ["0", "1", "2", "-1", "0.5", "1e3", "NaN", "Inf", "-Inf", "3", "0x1F", "1e-3", "scalar(up{job='none'})", "pi()"]
        return self.pick(choice)

    def quantile(self):
        return self.pick(["0.5", "0.9", "0.99", "0", "1", "0.25", "-1", "2", "NaN", "scalar(quota{job='api'}) / 100"])

    # Each thing in turn

    def in_turn(self):
        """Expressions in which everything there is comes up, each with what it is about."""
        for name in self.of(MATH):
            yield "functions of numbers", f"{name}({self.selector(self.pick([GAUGES, COUNTERS]))})"
            yield "functions of numbers", f"{name}({self.pick(['odd', 'cpu_load', 'mixed_points', 'rate(aligned_total[5m])'])})"
        for name in self.of(CALENDAR):
            yield "functions of numbers", f"{name}({self.pick(['', 'odd', 'timestamp(grid)', 'vector(time() - 86400 * 17)'])})"
        yield from (("functions of numbers", text) for text in self.other_numbers())
        for name in self.of(OVER_TIME):
            for selectors in (GAUGES, COUNTERS, NATIVE, [*MIXED, "odd"]):
                yield "functions over time", f"{name}({self.samples(selectors)})"
        for name in self.of(OF_COUNTERS):
            for selectors in (COUNTERS, COUNTERS, CLASSIC, GAUGES, self.histograms_for(name), MIXED):
                yield "functions over time", f"{name}({self.samples(selectors)})"
        for name in self.of(OF_GAUGES):
            for selectors in (GAUGES, GAUGES, self.histograms_for(name), ["odd", "mixed_points"]):
                yield "functions over time", f"{name}({self.samples(selectors)})"
        yield from (("functions over time", text) for text in self.other_ranges())
        yield from (("histograms", text) for text in self.of_histograms())
        yield from (("labels and order", text) for text in self.of_labels())
        yield from (("aggregations", text) for text in self.aggregations())
        yield from (("operators and matching", text) for text in self.operators())
        yield from (("modifiers and edges", text) for text in self.edges())
        yield from (("modifiers and edges", text) for text in self.lengths())
        for query in REFUSED:
            yield "what is refused", query

    def of(self, names):
        """Those names that the Prometheus beside us knows."""
        return [name for name in names if name in self.known]

    def histograms_for(self, name):
        """Native histograms, or gauges where Prometheus' answer depends on which of equal histograms share a chunk."""
        return GAUGES if name == "changes" else NATIVE

    def other_numbers(self):
        for name, arguments in (("clamp", 2), ("clamp_min", 1), ("clamp_max", 1), ("round", 1)):
            for _ in range(2):
                more = ", ".join(self.number() for _ in range(arguments))
                yield f"{name}({self.selector(GAUGES)}, {more})"
        yield f"round({self.selector(GAUGES)})"
        yield f"clamp({self.selector(NATIVE)}, 0, 1)"
        for _ in range(3):
            yield f"timestamp({self.pick([self.selector(GAUGES), 'latency_seconds', 'abs(grid)', 'mixed_points'])})"
        yield from ("time()", "vector(time())", "scalar(grid)", "scalar(once)", "vector(scalar(blinking))", "pi() * 2", "'text'", "-1", "1 / 0")
        yield from ("absent(none)", 'absent(none{a="b", c=~"d", e!="f"})', "absent(up)", "absent(sum(none))", "absent(latency_seconds)")
        yield from ("2 ^ 3 ^ 2", "-2 ^ 2", "1 > bool 2", "7 % -3", "-7 % 3", "0 / 0", "1 atan2 2", "Inf - Inf", "0x1F + 1e3", "1_000 + 1")

    def other_ranges(self):
        for _ in range(4):
            yield f"quantile_over_time({self.quantile()}, {self.samples(GAUGES)})"
        yield f"quantile_over_time(0.5, {self.samples([*NATIVE, *MIXED])})"
        for seconds in ("3600", "-60", "0.5"):
            yield f"predict_linear({self.samples(GAUGES)}, {seconds})"
        if "double_exponential_smoothing" in self.known:
            for factors in ("0.5, 0.5", "0.1, 0.9", "0.99, 0.01"):
                yield f"double_exponential_smoothing({self.samples(GAUGES)}, {factors})"
        yield "sum_over_time(rate(http_requests_total[2m])[10m:1m])"
        yield "max_over_time(deriv(memory_usage_bytes[2m])[30m:90s] offset 10m)"
        yield "rate(sum by (job) (http_requests_total)[5m:15s])"
        yield "avg_over_time((cpu_load > 0.5)[10m:30s])"
        yield 'absent_over_time(none{a="b"}[5m])'
        yield "increase(aligned_total[1m])"
        yield "increase(aligned_total[2m])"
        yield "count_over_time(aligned_total[1m])"
        yield "count_over_time(blinking[2m])"

    def of_histograms(self):
        for name in self.of(OF_HISTOGRAMS):
            for selectors in (NATIVE, NATIVE, [*MIXED, "grid"]):
                yield f"{name}({self.selector(selectors)})"
            yield f"{name}(rate({self.pick(NATIVE)}[5m]))"
        for _ in range(10):
            yield f"histogram_quantile({self.quantile()}, {self.selector(NATIVE)})"
            yield f"histogram_quantile({self.quantile()}, rate({self.pick(NATIVE)}[{self.pick(DURATIONS)}]))"
        for _ in range(8):
            inner = self.pick([f"rate({self.pick(CLASSIC)}[5m])", self.selector(CLASSIC)])
            yield f"histogram_quantile({self.quantile()}, {self.pick([inner, f'sum by (le, job) ({inner})', f'sum by (job) ({inner})'])})"
        yield "histogram_quantile(0.9, {__name__=~'latency_seconds|request_duration_seconds_bucket'})"
        for low, high in (("0", "0.1"), ("-Inf", "0.5"), ("0.05", "+Inf"), ("-1", "1"), ("1", "0"), ("NaN", "1"), ("0.1", "0.5")):
            yield f"histogram_fraction({low}, {high}, {self.pick([self.selector(NATIVE), 'rate(latency_seconds[5m])'])})"
        for low in ("0.01", "0.02", "0.5"):
            yield f"histogram_fraction({low}, 1.5, rate(request_duration_seconds_bucket[5m]))"
        for aggregation in ("sum", "avg", "count", "group", "min", "stddev", "sum by (job)", "avg by (instance)"):
            yield f"{aggregation}({self.pick([*NATIVE, 'rate(latency_seconds[5m])', *MIXED])})"
        yield "sum(latency_changing)"
        yield "sum(rate(latency_changing[10m]))"
        yield "sum({__name__=~'latency_seconds|latency_custom'})"
        yield "avg(latency_changing{what!='kind'})"
        for operator in ("+", "-", "==", "!=", ">", "and", "/"):
            yield f"latency_seconds {operator} latency_seconds offset 5m"
        # By NaN would show which empty buckets the chunks of Prometheus happen to have.
        for text in ("* 2", "/ 4", "+ 1", "/ 0", "> 3", "* -1", "/ -0.5", "^ 2"):
            yield f"{self.pick(NATIVE)} {text}"
        yield "2 * latency_seconds"
        yield "1 / latency_seconds"
        yield "-latency_signed"
        yield "latency_custom + latency_seconds"
        yield "latency_changing{what='bounds'} + ignoring(what) latency_changing{what='bounds'} offset 1m"
        yield "count_values('value', latency_signed)"
        yield "histogram_quantile(0.5, sum by (job) (rate(latency_custom[5m])))"
        yield "sum_over_time(latency_gauge[10m]) / count_over_time(latency_gauge[10m])"
        yield "latency_float - latency_float offset 10m"
        yield "max_over_time(histogram_count(latency_signed)[20m:2m])"
        yield "latency_seconds * on (job, instance) group_left (version) build_info"

    def of_labels(self):
        for selector in ("up", "grid", "named", "latency_seconds", '{"http.server.duration"}'):
            yield f'label_replace({selector}, "new", "$1-x", "{self.pick(LABELS)}", "(.*)")'
            yield f'label_join({selector}, "new", "{self.pick(["-", "", "ü"])}", "job", "zone", "none", "instance")'
        yield 'label_replace(named, "text", "$2/${name}", "text", "(?P<name>.)(.*)")'
        yield 'label_replace(up, "job", "", "job", "api")'
        yield 'label_replace(up, "__name__", "renamed", "", "")'
        yield 'label_replace(grid, "zone.name", "$0", "zone", "z.")'
        yield 'label_replace(grid, "x", "$5", "zone", "(z)(.)")'
        yield 'label_join(grid, "__name__", "_", "row", "column")'
        yield 'label_replace(label_replace(up, "instance", "", "", ""), "job", "", "", "") or up'
        for name in ("sort", "sort_desc"):
            for selector in ("grid", "odd", "up", "latency_seconds", "mixed_points"):
                yield f"{name}({selector})"
        for name in self.of(["sort_by_label", "sort_by_label_desc"]):
            yield f'{name}({self.pick(["named", "grid", "http_requests_total"])}, "number", "zone", "code")'
            yield f'{name}(http_requests_total, "instance", "method")'
        if "info" in self.known:
            yield from ("info(up)", 'info(up, {region="eu"})', 'info(rate(http_requests_total[5m]), {host_name=~".+"})')
            yield 'info(cpu_load, {__name__="build_info"})'
            yield 'info(cpu_load, {__name__=~".+_info", version=~".+"})'
            for text in ("info(up offset 4m)", "info(up offset -2m)", "info(up offset 1h)", "info(rate(http_requests_total[5m] offset 3m))"):
                yield text
            yield f"info(up @ {self.instant()})"
            yield 'info(target_info, {region="eu"})'
            yield "info(target_info)"
            yield 'sum by (region) (info(rate(bytes_sent_total[5m]), {region=~".+"}))'

    def aggregations(self):
        for name in AGGREGATIONS:
            for _ in range(3):
                yield f"{name}{self.grouping()} ({self.selector(self.pick([GAUGES, COUNTERS]))})"
            yield f"{name}(odd)"
        for _ in range(6):
            yield f"quantile{self.grouping()} ({self.quantile()}, {self.selector(GAUGES)})"
        for name in ("topk", "bottomk"):
            for _ in range(5):
                count = self.pick(["0", "1", "2", "3", "100", "-1", "1.9"])
                yield f"{name}{self.grouping()} ({count}, {self.pick(DISTINCT)})"
        yield from ("topk(3, odd)", "bottomk(3, odd)", "topk(2, latency_seconds)", "topk(1, mixed_points)")
        for _ in range(4):
            yield f'count_values{self.grouping()} ("value", {self.pick(["up", "odd", "round(grid)", "latency_gauge", "build_info", "mixed_points"])})'
        for ratio in ("0.5", "-0.5", "1", "0", "0.1", "-1", "0.25", "-0.75", "1.5"):
            yield f"limit_ratio({ratio}, {self.pick(['grid', 'http_requests_total', 'latency_seconds', 'named', 'wide_total'])})"
            yield f"limit_ratio{self.grouping()} ({ratio}, {{__name__=~'.+[a-m].+'}})"
        for count in ("1", "3", "0", "1000"):
            yield f"limitk{self.grouping()} ({count}, {self.pick(['grid', 'http_requests_total', 'latency_seconds'])})"
        yield "sum(sum by (job) (rate(http_requests_total[5m]))) / sum(rate(http_requests_total[5m]))"

    def grouping(self):
        labels = ", ".join(self.rng.sample(LABELS, self.rng.randint(0, 3)))
        return self.pick(["", f" by ({labels})", f" without ({labels})"])

    def operators(self):
        for operator in ARITHMETIC + COMPARISONS:
            for selector in (GAUGES, COUNTERS):
                yield f"{self.selector(selector)} {operator} {self.number()}"
            yield f"{self.number()} {operator} {self.selector(GAUGES)}"
            yield f"{self.number()} {operator}{' bool' if operator in COMPARISONS else ''} {self.number()}"
            yield f"cpu_load {operator} ignoring (core) group_left {self.pick(['memory_usage_bytes', 'up'])}"
            yield f"grid {operator} grid offset 1m"
            yield f"odd {operator} on (kind) (odd offset 30s)"
        for operator in COMPARISONS:
            yield f"{self.selector(GAUGES)} {operator} bool {self.number()}"
            yield f"grid {operator} bool grid offset 3m"
        for operator in SETS:
            for _ in range(3):
                yield f"{self.selector(GAUGES)} {operator} {self.selector(GAUGES)}"
            yield f"cpu_load {operator} on (job) (up == {self.pick('01')})"
            yield f"cpu_load {operator} ignoring (core) memory_usage_bytes"
            yield f"latency_seconds {operator} on (job, instance) up"
        yield from (
            "http_requests_total / on (job, instance) group_left (version, branch) build_info",
            "build_info * on (job, instance) group_right (version) cpu_load",
            "rate(http_requests_total[5m]) / ignoring (code) group_left sum without (code) (rate(http_requests_total[5m]))",
            "sum by (job) (rate(http_requests_total{code='500'}[5m])) / sum by (job) (rate(http_requests_total[5m])) > 0.3",
            "quota - on (job) sum by (job) (cpu_load)", "-cpu_load", "+up", "-(1 - up)", "up == up", "up unless up", "up or quota",
            "cpu_load * on () group_left vector(2)", "memory_usage_bytes / 1024 / 1024 % 7", "up + on (job, instance) up * 2 ^ 2",
        )  # fmt: skip

    def edges(self):
        for selector in ("grid", "aligned_total", "seldom", "blinking", "once", "short_lived", "cpu_load", "latency_ended"):
            yield f"{selector} @ {self.instant()}"
            yield f"count_over_time({selector}[{self.pick(DURATIONS)}] @ {self.instant()})"
            yield f"{selector} offset {self.pick(['1m', '-1m', '5m', '1ms', '-1ms', '299999ms', '300001ms'])}"
            yield f"last_over_time({selector}[{self.pick(['1m', '5m', '299s'])}])"
        yield from (
            "grid @ start()", "grid @ end()", "sum(rate(http_requests_total[5m] @ end()))", "grid offset 1m @ start()",
            "max_over_time(grid[10m:1m] @ end())", "topk(2, grid @ end()) or grid", "up[5m:1m] @ 0", "sum_over_time(up[5m:7s])",
            "rate(http_requests_total[5m] offset -1h)", "min_over_time(cpu_load[1h:10m] offset 30m)", "grid @ 0", "grid @ -1.5",
            "count_over_time(up[2h])", "count({__name__=~'.+'})", "count by (__name__) ({__name__=~'.+'})", "count by (job) ({job!=''})",
            "{__name__=~'latency_.*'}", "sum by (__name__) ({__name__=~'grid|quota|up'})", "({__name__=~'grid|quota'}) + 1",
            "count({__name__=~'.+'} offset 1h)", "last_over_time({__name__=~'grid|quota'}[5m])", "rate({__name__=~'wide_total|aligned_total'}[5m])",
            "up{job=~'api|'}", "up{none!='x'}", "{job='api', __name__=~'cpu.*'}", "grid{row='1', row!='2'}", "named{text!~'[a-z].*'}",
            "grid[5m]", "latency_seconds[2m]", "grid[5m:1m]", "mixed_points[3m]", "up[5m] @ end()", "short_lived[1h]", "odd[1m]",
            'cpu_load{job=~"a.*|d?b"}', 'named{text=~"(?i)EMOJI.+"}', 'named{text=~".+\\n.+"}', 'http_requests_total{code!~"[45].."}', 'up{job=~".*i|w.b"}',
            'grid{zone=~"z[0-3]", column!~"1|2"}', '{__name__=~"(grid|up)", zone!=""}', 'named{number=~"\\d+"}', 'up{instance=~"api-0:9090|"}',
            "aligned_total offset -60s", "rate(aligned_total[2m] offset -2m)", "sum_over_time(grid[3m:1m] offset -1m)", "grid @ end() offset -1m",
            "increase(aligned_total[61s])", "increase(aligned_total[120001ms])", "delta(grid[59s])", "count_over_time(grid[60s] @ end())",
            "last_over_time(blinking[29s])", "present_over_time(short_lived[20s])", "changes(blinking[2m])", "resets(http_requests_total[1h])",
            "bool + 1", "on", "sum(ignoring)", "1_000 + 0x_1F", "012 + 1_0.5", "1__0", "group_left or vector(1)", 'up{"job"="api"}', '{"up", "job"="api"}',
            'up{__name__="up"}', '{"up", __name__="up"}', 'up{__name__=~"u."}', "sum by (\"job\") (up)",
            "# a comment\nup", "up # another", "sum by (job,) (up)", "Sum(up)", "up OFFSET 1m", "(((up)))", "up{}", 'up{job="api",}',
        )  # fmt: skip

    def lengths(self):
        """Expressions of durations."""
        yield from (
            "rate(http_requests_total[5m + 1m])", "grid offset (2 * 1m)", "count_over_time(grid[2m * 3])", "grid offset -(1m + 30s)", "grid[10m / 2:1m]",
            "max_over_time(grid[10m:30s * 2])", "sum_over_time(cpu_load[(1m + 1m) * 2] offset 1m + 1m)", "grid offset 2m - 1m", "rate(aligned_total[2 ^ 2 * 1m])",
            "count_over_time(grid[7m % 4m])", "count_over_time(grid[1m - 2m])", "count_over_time(up[300])", "up offset 60.5",
        )  # fmt: skip

    # Random ones

    def vector(self, depth):
        """An expression of a vector."""
        rng = self.rng
        if depth <= 0 or rng.random() < 0.1:
            return self.selector(self.pick([GAUGES, COUNTERS, GAUGES, NATIVE]))
        return self.pick([self.function, self.function, self.over_time, self.over_time, self.aggregation, self.aggregation, self.pair])(depth)

    def function(self, depth):
        inner = self.vector(depth - 1)
        choice = [f"{self.pick(self.of(MATH))}({inner})", f"clamp_max({inner}, {self.number()})", f"round({inner}, 0.25)"]
        choice += [f'label_replace({inner}, "job", "$1", "instance", "(.+)-.*")', f"-({inner})", f"sgn({inner})", f"absent({inner})"]
        choice += [f"histogram_quantile({self.quantile()}, rate({self.pick([*NATIVE, *CLASSIC])}[5m]))"]
        # Without the digits that a variance of instants would lose.
        choice += [f"timestamp({inner}) % 1000"]
        choice += [f"vector({self.number()})", f"{self.pick(self.of(OF_HISTOGRAMS))}({self.pick(NATIVE)})"]
        return self.pick(choice)

    def over_time(self, depth):
        name = self.pick(self.of([*OVER_TIME, *OF_COUNTERS, *OF_GAUGES]))
        if self.rng.random() < 0.3:
            return f"{name}(({self.vector(depth - 2)})[{self.pick(['5m', '10m', '20m'])}:{self.pick(['30s', '1m', '2m'])}])"
        return f"{name}({self.samples(self.pick([COUNTERS, GAUGES, self.histograms_for(name), CLASSIC]))})"

    def aggregation(self, depth):
        return f"{self.pick(AGGREGATIONS)}{self.grouping()} ({self.vector(depth - 1)})"

    def pair(self, depth):
        operator = self.pick([*ARITHMETIC, *COMPARISONS, *SETS])
        left, right = self.vector(depth - 1), self.vector(depth - 1)
        if operator in SETS:
            return f"({left}) {operator} ({right})"
        if self.rng.random() < 0.4:
            return f"({left}) {operator} {self.number()}"
        flag = " bool" if operator in COMPARISONS and self.rng.random() < 0.4 else ""
        label = self.pick(["job", "instance", "zone"])
        matching = self.pick(["", f" on ({label})", f" ignoring ({label})"])
        if matching.startswith(" on"):
            return f"sum by ({label}) ({left}) {operator}{flag}{matching} sum by ({label}) ({right})"
        return f"({left}) {operator}{flag}{matching} ({right})"

    def question(self, about, query):
        """The query at an instant or over steps."""
        rng = self.rng
        is_points = query.rstrip().endswith("]") or (":" not in query and "] " in query and "(" not in query)
        if about == "labels and order" or is_points or rng.random() < 0.5:
            return Question(about, query, "query", {"time": self.instant()})
        step = self.pick([1_000, 15_000, 17_500, 60_000, 60_000, 123_456, 600_000])
        count = rng.randint(0, 40)
        start = self.end - rng.randint(0, 7_000) * 1_000 - self.pick([0, 0, 1, 999])
        start -= start % 60_000 if rng.random() < 0.5 else 0
        times = {"start": f"{start / 1000:.3f}", "end": f"{(start + count * step) / 1000:.3f}", "step": f"{step / 1000:g}"}
        return Question(about, query, "query_range", times)


def questions(seed, count, known, end_ms):
    """`count` questions, most of them of the things in turn, the rest random."""
    rng = random.Random(f"queries {seed}")
    grammar = Grammar(rng, known, end_ms)
    turn = list(dict.fromkeys(grammar.in_turn()))
    if len(turn) > count * 4 // 5:
        turn = sorted(rng.sample(turn, count * 4 // 5), key=turn.index)
    found = [grammar.question(about, query) for about, query in turn]
    while len(found) < count:
        found.append(grammar.question("random expressions", grammar.vector(rng.randint(2, 4))))
    return [each for each in found if not OF_35.search(each.query)]
