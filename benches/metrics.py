"""The `metrics` benchmark: the same samples and the same PromQL to Cairn, Prometheus and VictoriaMetrics, in one run.

`metrics.py --cairn BINARY --folder FOLDER [--series 10000] [--hours 1] [--rounds 9]`. The requests of remote write are made
first (`node_data.py`) and kept in the folder. The servers (`peers.py`) are fed one after another, each from an empty folder
and alone; then all of them run, and every question is asked of each in turn, so that a ratio is of one minute. Answers are
compared before anything is measured: Cairn's with Prometheus' value by value; VictoriaMetrics computes `rate` otherwise (no
extrapolation), so that only the labels of its series are compared. `--growth 10000,100000,1000000` makes the table of how cost
grows instead, with Cairn alone and the same number of samples for each. Needs numpy and cramjam; Prometheus and
VictoriaMetrics come from Debian's sid.
"""

import argparse
import json
import math
import os
import shutil
import statistics
import sys

import node_data
from peers import Cairn, Prometheus, Victoria, ask, write

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "harness"))
import debian  # noqa: E402

MIB = 1024 * 1024

# Relative difference of two doubles that come of other orders of the same sums.
TOLERANCE = 1e-9


def questions(hours):
    """(name, path, parameters): issue 6, section 5."""
    end = (node_data.BEGIN_MS + node_data.scrapes(hours) * node_data.STEP_MS) / 1000
    begin = node_data.BEGIN_MS / 1000
    hour, step = max(begin, end - 3600), max(60, 60 * round(hours / 4))

    def over(start, query, step=60):
        return "query_range", {"query": query, "start": start, "end": end, "step": step}

    def now(query):
        return "query", {"query": query, "time": end}

    rate = "sum by (job) (rate(node_cpu_seconds_total[5m]))"
    quantile = "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))"
    some = 'node_cpu_seconds_total{instance=~".*7:9100", mode=~"user|system"}'
    asked = [
        ("one series, everything", *over(begin, 'node_load1{instance="host-00003:9100"}', step)),
        ("count by job, an hour", *over(hour, "count by (job) (node_cpu_seconds_total)")),
        ("rate by job, an hour", *over(hour, rate)),
        ("top 10 of rates, an hour", *over(hour, "topk(10, rate(node_network_receive_bytes_total[5m]))")),
        ("histogram quantile, an hour", *over(hour, quantile)),
        ("regex over all series, instant", *now('count({__name__=~"node_.*_total", instance=~"host-.*[05]:9100"})')),
        ("regex on two labels, an hour", *over(hour, f"sum by (mode) (rate({some}[5m]))")),
        ("every series by job, instant", *now('count by (job) ({__name__=~"node_.+"})')),
        ("rate by host, instant", *now("sum by (instance) (rate(node_cpu_seconds_total[5m]))")),
        ("values of a label", "label/instance/values", {"start": hour, "end": end}),
        ("values of a label, one metric", "label/instance/values", {"start": hour, "end": end, "match[]": "node_load1"}),
        ("names of metrics", "label/__name__/values", {"start": hour, "end": end}),
    ]
    if hours > 1:
        asked.insert(3, ("rate by job, everything", *over(begin, rate, step)))
    return asked


def plain(body):
    """An answer as comparable values: labels, and points by time."""
    answer = json.loads(body)
    if answer["status"] != "success":
        raise RuntimeError(body[:300].decode())
    data = answer["data"]
    if isinstance(data, list):
        return {each: [] for each in data}
    points = lambda each: each.get("values") or [each["value"]]  # noqa: E731
    return {tuple(sorted(each["metric"].items())): points(each) for each in data["result"]}


def same(left, right):
    """The complaint about two answers, if any."""
    if left.keys() != right.keys():
        return f"{len(left)} and {len(right)} series, {str(left.keys() ^ right.keys())[:200]}"
    for labels, points in left.items():
        others = right[labels]
        if [at for at, _ in points] != [at for at, _ in others]:
            return f"{labels}: {len(points)} and {len(others)} points"
        for (at, one), (_, other) in zip(points, others):
            one, other = float(one), float(other)
            if one != other and not math.isclose(one, other, rel_tol=TOLERANCE) and not (math.isnan(one) and math.isnan(other)):
                return f"{labels} at {at}: {one} and {other}"
    return None


class Asking:
    """All servers, each with a connection that is kept."""

    def __init__(self, peers):
        self.peers = peers
        self.connections = [peer.connect() for peer in peers]

    def once(self, asked):
        """Milliseconds and bodies of all of them."""
        times, bodies = [], []
        for peer, connection in zip(self.peers, self.connections):
            ms, status, body = ask(connection, peer.prefix, *asked[1:])
            if status != 200:
                raise RuntimeError(f"{peer.name}: {status} {body[:300].decode(errors='replace')}")
            times.append(ms)
            bodies.append(body)
        return times, bodies

    def check(self, asked):
        """How many series the answer has; raises where answers differ."""
        answers = dict(zip([peer.name for peer in self.peers], map(plain, self.once(asked)[1])))
        ours = answers.get("Cairn")
        if "Prometheus" in answers and (complaint := same(ours, answers["Prometheus"])):
            raise RuntimeError(f"not as Prometheus: {complaint}")
        if "VictoriaMetrics" in answers and not asked[2].get("query", "").startswith("topk"):
            if ours.keys() != answers["VictoriaMetrics"].keys():
                raise RuntimeError(f"VictoriaMetrics has other series: {len(ours)} and {len(answers['VictoriaMetrics'])}")
        return len(ours)

    def measure(self, asked, rounds):
        """Medians in milliseconds."""
        return [statistics.median(of_one) for of_one in zip(*(self.once(asked)[0] for _ in range(rounds)))]


def feed(peer, path, samples):
    """Sends everything; what it cost as a row."""
    peer.start()
    idle = peer.processor_seconds()
    seconds = write(peer, path, node_data.requests(path))
    sent = peer.processor_seconds() - idle
    held = peer.resident()[0]
    sizes = peer.settle()
    done, peak = peer.processor_seconds() - idle, peer.resident()[1]
    row = [
        peer.name, f"{samples / seconds:,.0f}", f"{sent / samples * 1e6:.2f}", f"{done / samples * 1e6:.2f}", f"{held:.0f}", f"{peak:.0f}",
        f"{sizes['flushed'] / samples:.2f}", f"{sizes['merged'] / samples:.2f}",
    ]  # fmt: skip
    print(f"| {' | '.join(row)} |", flush=True)


def head(*cells):
    print(f"\n| {' | '.join(cells)} |\n|{'---|' * len(cells)}", flush=True)


INGEST = [
    "ingest", "samples/s", "CPU s a million, acknowledged", "CPU s a million, all settled", "RSS MiB", "RSS MiB, peak",
    "bytes a sample, flushed", "bytes a sample, merged",
]  # fmt: skip


def compare(peers, options):
    """The tables of ingest and of questions; the names of those that failed."""
    samples = options.series * node_data.scrapes(options.hours)
    path = node_data.prepare(options.folder, options.series, options.hours)
    print(f"{options.series:,} series, {options.hours:g} h, {samples:,} samples, {os.path.getsize(path) / samples:.1f} bytes a sample sent")
    head(*INGEST)
    for peer in peers:
        if options.keep and os.path.exists(os.path.join(peer.folder, "data")):
            peer.start()
            continue
        shutil.rmtree(peer.folder, ignore_errors=True)
        os.makedirs(peer.folder)
        feed(peer, path, samples)
    asking, failed, ratios = Asking(peers), [], {peer.name: [] for peer in peers[1:]}
    others = [f"{peer.name} ms" for peer in peers[1:]]
    head("question", "series", "Cairn ms", *others, *(f"Cairn / {peer.name}" for peer in peers[1:]))
    for asked in questions(options.hours):
        if (options.only or "") not in asked[0]:
            continue
        try:
            count = asking.check(asked)
        except RuntimeError as error:
            print(f"FAILED: {asked[0]}: {error}")
            failed.append(asked[0])
            continue
        ours, *theirs = asking.measure(asked, options.rounds)
        for peer, ms in zip(peers[1:], theirs):
            ratios[peer.name].append(ours / ms)
        cells = [f"{ms:.1f}" for ms in (ours, *theirs)] + [f"{ours / ms:.2f}" for ms in theirs]
        print(f"| {asked[0]} | {count:,} | {' | '.join(cells)} |", flush=True)
    for name, found in ratios.items():
        mean = math.exp(sum(map(math.log, found)) / len(found))
        slower = sum(ratio > 1 for ratio in found)
        print(f"\nbeside {name}: geometric mean {mean:.2f}, worst {max(found):.2f}, slower in {slower} of {len(found)}")
    return failed


def alone(asking, asked, rounds):
    """The median in milliseconds; NaN where the question is refused, as of more series than the memory of a query holds."""
    try:
        return asking.measure(asked, rounds)[0]
    except RuntimeError as error:
        print(f"refused: {asked[0]}: {error}")
        return math.nan


def grow(options):
    """How cost grows with series at the same number of samples."""
    numbers = [int(text) for text in options.growth.split(",")]
    samples = int(options.series * node_data.scrapes(options.hours))
    columns = {}
    for series in numbers:
        hours = samples / series * node_data.STEP_MS / 3_600_000
        path = node_data.prepare(options.folder, series, hours)
        folder = os.path.join(options.folder, f"growth-{series}")
        shutil.rmtree(folder, ignore_errors=True)
        peer = Cairn(options.cairn, folder, options.set)
        head(f"{series:,} series, {hours:g} h", *INGEST[1:])
        try:
            feed(peer, path, samples)
            asking = Asking([peer])
            columns[series] = {asked[0]: alone(asking, asked, options.rounds) for asked in questions(hours)}
        finally:
            peer.stop()
    head("question", *(f"{series:,} series, ms" for series in numbers))
    for name in columns[numbers[0]]:
        print(f"| {name} | {' | '.join(f'{columns[series].get(name, math.nan):.1f}' for series in numbers)} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn", required=True)
    parser.add_argument("--folder", required=True, help="for requests and data; what peers have there is removed first")
    parser.add_argument("--parts", help="a folder for Debian's packages; in the folder if not given")
    parser.add_argument("--series", type=int, default=10_000, help="a multiple of 500")
    parser.add_argument("--hours", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", help="only questions with this text in their name")
    parser.add_argument("--keep", action="store_true", help="use what was fed before")
    parser.add_argument("--alone", action="store_true", help="without Prometheus and VictoriaMetrics")
    parser.add_argument("--growth", help="numbers of series, with commas; as many samples of each as series and hours say")
    parser.add_argument("--set", action="append", default=[], help="a setting of Cairn")
    options = parser.parse_args()
    options.folder = os.path.abspath(options.folder)
    if options.growth:
        grow(options)
        return
    peers = [Cairn(options.cairn, os.path.join(options.folder, "cairn"), options.set)]
    if not options.alone:
        debian.PACKAGES["victoria-metrics"] = "victoria-metrics"
        programs = debian.programs(options.parts or os.path.join(options.folder, "parts"), ["prometheus", "victoria-metrics"])
        peers.append(Prometheus(programs["prometheus"], os.path.join(options.folder, "prometheus")))
        peers.append(Victoria(programs["victoria-metrics"], os.path.join(options.folder, "victoria")))
    try:
        failed = compare(peers, options)
    finally:
        for peer in peers:
            peer.stop()
    sys.exit(1 if failed else 0)


main()
