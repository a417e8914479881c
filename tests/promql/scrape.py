"""Cairn as the scraper: `scrape.py --cairn BINARY --parts FOLDER`.

Cairn scrapes Debian's node_exporter, Prometheus and itself, by a file in the form of Prometheus' settings; the same Prometheus
scrapes the same targets. What PromQL and `/targets` say must be what Prometheus says: series and their labels, relabeling, native
histograms, `up`, markers where a target fails or goes away; settings that turn bad change nothing; a kill loses nothing.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "harness")]
from checks import CHECKS  # noqa: E402
from compare import short  # noqa: E402
from debian import Unavailable, programs  # noqa: E402
from prometheus import Api, Prometheus, wait_ready  # noqa: E402
from server import Server, free_ports  # noqa: E402

NUMBER = "4.3"
CLIENT = "node_exporter, Prometheus"

# Of what a scrape tells, that which is the same whoever scrapes.
REPORTS = ["up", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling"]


def settings(targets, ports, native):
    """The settings of both scrapers; `native` where native histograms are asked for by a field."""
    lines = [
        "global: {scrape_interval: 1s, scrape_timeout: 1s}",
        "scrape_configs:",
        "- job_name: node",
        f"  file_sd_configs: [{{files: ['{targets}'], refresh_interval: 1s}}]",
        "  params: {'collect[]': [cpu, loadavg, meminfo]}",
        "  relabel_configs:",
        "  - {source_labels: [__meta_filepath], regex: '.*/(.+)[.]json', target_label: from}",
        "  - {source_labels: [__address__], regex: 'unwanted.*', action: drop}",
        "  metric_relabel_configs:",
        "  - {source_labels: [__name__], regex: 'go_.*', action: drop}",
        "  - {source_labels: [mode], regex: 'i.*', target_label: idle_or_so, replacement: 'yes'}",
        "- job_name: prometheus",
        "  always_scrape_classic_histograms: true",
        *(["  scrape_native_histograms: true"] if native else []),
        f"  static_configs: [{{targets: ['127.0.0.1:{ports['prometheus']}'], labels: {{code: own}}}}]",
        "- job_name: cairn",
        f"  static_configs: [{{targets: ['127.0.0.1:{ports['cairn']}']}}]",
    ]
    return "\n".join(lines) + "\n"


def write(path, text):
    """A file in one step."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)


def groups(addresses):
    return json.dumps([{"targets": addresses, "labels": {"zone": "eu"}}])


def vector(api, query, at=None):
    """The elements of an instant query, by labels; a text where the answer is an error."""
    answer = api.ask("query", {"query": query} | ({"time": at} if at else {}))
    if answer["status"] != "success":
        return f"{answer['errorType']}: {answer['error']}"
    result = answer["data"]["result"]
    return {tuple(sorted(each["metric"].items())): each for each in result}


def value(api, query):
    """The number of the one element of a query, if there is one."""
    found = vector(api, query)
    if isinstance(found, str) or len(found) != 1:
        return None
    return float(next(iter(found.values()))["value"][1])


def until(what, holds, seconds=40):
    """Waits for what scrapes bring about, and checks that it came."""
    deadline = time.monotonic() + seconds
    found = None
    while time.monotonic() < deadline:
        found = holds()
        if found is True:
            break
        time.sleep(0.25)
    CHECKS.row(NUMBER, what, CLIENT, [] if found is True else [f"after {seconds} s: {short(found)}"])


def check_up(ours):
    """All three targets are up, and PromQL makes rates of what they say."""
    until("scrape: up is 1 for every target", lambda: value(ours, "count(up == 1)") == 3 or vector(ours, "up"))
    rates = {
        "node_exporter": 'sum(rate(node_cpu_seconds_total{zone="eu"}[10s]))',
        "Cairn itself": 'sum(rate(ingest_scrapes_total{outcome="ok"}[10s]))',
        "Prometheus": 'sum(rate(prometheus_tsdb_head_samples_appended_total[10s]))',
    }
    for of, query in rates.items():
        until(f"scrape: a rate of {of}", lambda query=query: (value(ours, query) or 0) > 0 or vector(ours, query))
    query = 'histogram_count(prometheus_http_request_duration_seconds{handler="/api/v1/query"}) > 0'
    until("scrape: native histograms", lambda: bool(vector(ours, query)) or vector(ours, query))


def check_series(ours, theirs):
    """The same series with the same labels. Series come and go, so that a few seconds are tried."""

    def differing():
        at = round(time.time() - 2, 3)
        found = []
        for selector in ('{job="node"}', '{job="prometheus"}', *REPORTS):
            left, right = vector(ours, selector, at), vector(theirs, selector, at)
            if isinstance(left, str) or isinstance(right, str):
                return f"{left} {right}"
            for labels in set(left) ^ set(right):
                found.append((selector, "ours" if labels in left else "Prometheus'", labels))
        return found or True

    until("scrape: the series and labels of Prometheus", differing)


def check_targets(ours, theirs):
    """`/targets` and `/scrape_pools`."""

    def shown(api):
        data = api.ask("targets", {"scrapePool": "node"}).get("data", {})
        members = ("labels", "discoveredLabels", "scrapePool", "scrapeUrl", "health", "lastError", "scrapeInterval", "scrapeTimeout")
        active = [{name: each.get(name) for name in members} for each in data.get("activeTargets", [])]
        dropped = [(each.get("discoveredLabels"), each.get("scrapePool")) for each in data.get("droppedTargets", [])]
        return active, dropped, data.get("droppedTargetCounts", {}).get("node")

    def same(left, right):
        return left == right or {"ours": left, "Prometheus": right}

    until("scrape: /targets as Prometheus shows them", lambda: same(shown(ours), shown(theirs)))
    pools = [api.ask("scrape_pools").get("data") for api in (ours, theirs)]
    CHECKS.row(NUMBER, "scrape: /scrape_pools", CLIENT, [] if pools[0] == pools[1] else [f"{pools}"])
    asked = {"match_target": '{job="node"}', "metric": "node_load1"}
    said = [api.ask("targets/metadata", asked).get("data") for api in (ours, theirs)]
    CHECKS.row(NUMBER, "scrape: /targets/metadata", CLIENT, [] if said[0] and said[0] == said[1] else [f"{said}"])


def check_kill(server, ours):
    """kill -9 in the middle: afterwards the scrapes go on."""
    before = value(ours, "count_over_time(up{job='node'}[5m])")
    server.kill()
    server.start()
    until("scrape: it goes on after a kill", lambda: (value(ours, "count_over_time(up{job='node'}[5m])") or 0) > (before or 0))


def check_ends(ours, exporter, targets, path, good):
    """Markers where a target fails and where it goes away; bad settings."""
    write(path, "scrape_configs: [{job_name: x, kubernetes_sd_configs: []}]\n")
    query = "ingest_scrape_config_ok == 0"
    until("scrape: bad settings are told, and change nothing", lambda: value(ours, query) == 0 or vector(ours, query))
    write(path, good)
    exporter.kill()
    exporter.wait()
    until("scrape: up is 0 for a target that fails", lambda: value(ours, "up{job='node'}") == 0)
    until("scrape: its series have ended", lambda: value(ours, "absent(node_load1)") == 1, 5)
    write(targets, groups([]))
    until("scrape: a target that is gone has no up", lambda: value(ours, "absent(up{job='node'})") == 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn", required=True)
    parser.add_argument("--parts", required=True, help="where Debian's programs are kept")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="cairn-scrape-")
    try:
        parts = programs(options.parts, ["prometheus", "prometheus-node-exporter"])
    except Unavailable as error:
        CHECKS.row(NUMBER, "Debian's programs can be had", "apt", [error])
        CHECKS.end(folder)
    exporter_port = free_ports(1)[0]
    targets, path = os.path.join(folder, "nodes.json"), os.path.join(folder, "scrape.yml")
    write(targets, groups([f"127.0.0.1:{exporter_port}", "unwanted:1"]))
    server = Server(options.cairn, os.path.join(folder, "data"), [f"scrape.config_file={path}"])
    prometheus = Prometheus(parts["prometheus"], os.path.join(folder, "prometheus"))
    ports = {"prometheus": prometheus.port, "cairn": server.api_port}
    good = settings(targets, ports, native=True)
    write(path, good)
    prometheus.configure(settings(targets, ports, native=False))
    ours = Api(f"http://127.0.0.1:{server.api_port}/prometheus/api/v1")
    command = [parts["prometheus-node-exporter"], f"--web.listen-address=127.0.0.1:{exporter_port}"]
    with open(os.path.join(folder, "exporter.log"), "ab") as log:
        exporter = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_ready(f"http://127.0.0.1:{exporter_port}/", exporter, log.name, 30)
        prometheus.start()
        server.start()
        check_up(ours)
        check_series(ours, prometheus.api)
        check_targets(ours, prometheus.api)
        check_kill(server, ours)
        check_ends(ours, exporter, targets, path, good)
    finally:
        if exporter.poll() is None:
            exporter.kill()
            exporter.wait()
        prometheus.end()
        server.end()
    CHECKS.end(folder)


main()
