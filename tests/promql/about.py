"""Questions about series and about the text of queries, asked of both."""

from checks import CHECKS
from compare import key, short

NUMBER = "4.2"
CLIENT = "beside Prometheus"

SELECTORS = [
    ["up"], ["grid", 'quota{job="api"}'], ['{job=~"api|web", __name__=~"cpu.*|up"}'], ["named"], ['{"http.server.duration"}'],
    ["latency_seconds"], ["short_lived"], ["none"], ['{__name__=~".+"}'], ['{"größe", "service.name"=~"shop-.*"}'], ["request_duration_seconds_bucket"],
]  # fmt: skip
LABELS = ["__name__", "job", "le", "text", "zone", "none", "service.name", "U__service_2e_name", "U__k8s_2e_pod_2f_name", "quantile"]
WRONG = [
    ("series", []), ("series", [("match[]", "{}")]), ("series", [("match[]", "up[5m]")]), ("series", [("match[]", "sum(up)")]),
    ("labels", [("match[]", "up{")]), ("labels", [("start", "x")]), ("label/a%20b/values", []),
    ("query", []), ("query", [("query", "up"), ("time", "now")]), ("query", [("query", "up"), ("timeout", "x")]),
    ("query_range", [("query", "up"), ("start", "1"), ("end", "0"), ("step", "1")]),
    ("query_range", [("query", "up"), ("start", "0"), ("end", "1"), ("step", "0")]),
    ("query_range", [("query", "up"), ("start", "0"), ("end", "1"), ("step", "-1")]),
    ("query_range", [("query", "up"), ("start", "0"), ("end", "12000"), ("step", "1")]),
    ("query_range", [("query", "up"), ("start", "0"), ("end", "1")]), ("query_range", [("query", "up[5m]"), ("start", "0"), ("end", "1"), ("step", "1")]),
    ("query_exemplars", [("query", "up{")]), ("query_exemplars", [("query", "up"), ("start", "2"), ("end", "1")]), ("metadata", [("limit", "x")]),
]  # fmt: skip

LIMITED = [
    ("query", [("query", "grid"), ("limit", "3")]), ("query", [("query", "grid"), ("limit", "0")]), ("query", [("query", "grid"), ("limit", "12")]),
    ("query_range", [("query", "grid"), ("limit", "2"), ("step", "600")]), ("series", [("match[]", "grid"), ("limit", "2")]),
    ("labels", [("limit", "4")]), ("label/job/values", [("limit", "1")]), ("label/job/values", [("limit", "9")]), ("labels", [("limit", "-1")]),
    ("query", [("query", "seldom"), ("lookback_delta", "1m")]), ("query", [("query", "seldom"), ("lookback_delta", "1h")]),
]  # fmt: skip


def refined(answer, sort):
    """What of an answer is compared."""
    if answer["status"] != "success":
        return "error", answer["code"], answer["errorType"]
    data = answer["data"]
    return "success", sorted(data, key=repr) if sort and isinstance(data, list) else data


def alike(run, path, parameters, sort=False):
    """The complaint about one question, if any."""
    left, right = (refined(api.ask(path, parameters), sort) for api in (run.ours, run.theirs))
    if left == right:
        return []
    return [f"{path} {parameters}: ours {short(left)}, Prometheus {short(right)}"]


def about_series(run, end_ms):
    """Series, labels, values, exemplars, and what is refused."""
    times = [("start", (end_ms - 7_200_000) / 1000), ("end", end_ms / 1000)]
    found = {name: [] for name in ("series", "labels", "values of labels", "exemplars", "refusals", "counts of series", "limits")}
    for selectors in SELECTORS:
        matches = [("match[]", each) for each in selectors]
        found["series"] += alike(run, "series", matches + times, sort=True)
        found["labels"] += alike(run, "labels", matches + times)
        for label in LABELS[:4]:
            found["values of labels"] += alike(run, f"label/{label}/values", matches + times)
        found["exemplars"] += exemplars(run, [("query", selectors[0])] + times)
    found["labels"] += alike(run, "labels", times)
    found["values of labels"] += [text for label in LABELS for text in alike(run, f"label/{label}/values", times)]
    for query in ("http_requests_total", "rate(http_requests_total{job='api'}[5m]) / on (job) latency_seconds", "1"):
        found["exemplars"] += exemplars(run, [("query", query)] + times)
    for path, parameters in WRONG:
        found["refusals"] += alike(run, path, parameters)
    found["counts of series"] += counts(run)
    for path, parameters in LIMITED:
        found["limits"] += limited(run, path, parameters + times)
    for about, complaints in found.items():
        CHECKS.row(NUMBER, f"{about}, {run.where}", CLIENT, complaints)


def limited(run, path, parameters):
    """The complaint about an answer with a limit: which ones it leaves out is open, how many and what it says is not."""

    def plain(api):
        answer = api.ask(path, parameters)
        data = answer.get("data") or []
        return answer["status"], len(data.get("result", data) if isinstance(data, dict) else data), answer.get("warnings")

    left, right = plain(run.ours), plain(run.theirs)
    return [] if left == right else [f"{path} {parameters}: ours {left}, Prometheus {right}"]


def exemplars(run, parameters):
    """The complaint about exemplars, in whichever order."""

    def plain(api):
        answer = api.ask("query_exemplars", parameters)
        if answer["status"] != "success":
            # Prometheus has no content to tell where a query selects nothing.
            return [] if answer["code"] == 204 else answer["errorType"]
        pairs = [(each["seriesLabels"], one) for each in answer["data"] for one in each["exemplars"]]
        return sorted(repr((key(of), key(one["labels"]), float(one["value"]), one["timestamp"])) for of, one in pairs)

    left, right = plain(run.ours), plain(run.theirs)
    return [] if left == right else [f"{parameters}: ours {short(left)}, Prometheus {short(right)}"]


def counts(run):
    """`status/tsdb` says how many series there are."""
    left, right = (api.ask("status/tsdb").get("data", {}).get("headStats", {}).get("numSeries") for api in (run.ours, run.theirs))
    return [] if left == right else [f"ours {left}, Prometheus {right}"]


def about_texts(ours, theirs, queries):
    """`format_query` and `parse_query` of every query that was asked."""
    formats, trees = [], []
    for query in queries:
        left, right = (refined(api.ask("format_query", {"query": query}), False) for api in (ours, theirs))
        if left != right:
            formats.append(f"{query!r}: ours {short(left)}, Prometheus {short(right)}")
        left, right = (refined(api.ask("parse_query", {"query": query}), False) for api in (ours, theirs))
        if left[0] != right[0] or (wrong := less(right[1], left[1])):
            trees.append(f"{query!r}: {wrong if left[0] == right[0] else f'ours {short(left)}, Prometheus {short(right)}'}")
    for about, complaints in (("format_query", formats), ("parse_query", trees)):
        print(f"{about}: {len(complaints)} of {len(queries)} differ")
        CHECKS.row("4.2", f"{about} of generated queries", CLIENT, complaints)


def less(wanted, found, path=""):
    """Where `found` lacks something of `wanted`, or has another value; members that only it has are of newer versions."""
    if wanted == 0 and isinstance(found, str) and path.rsplit(".", 1)[-1] in ("range", "step", "offset"):
        # 3.5 leaves expressions of durations out of its trees.
        return ""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return next((text for name in wanted if (text := less(wanted[name], found.get(name), f"{path}.{name}"))), "")
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return next((text for at, pair in enumerate(zip(wanted, found)) if (text := less(*pair, f"{path}[{at}]"))), "")
    return "" if wanted == found else f"{path}: ours {short(found)}, Prometheus {short(wanted)}"
