"""Real clients of Prometheus' interfaces: `clients.py --cairn BINARY --parts FOLDER [--short] [--itself]`.

Debian's Prometheus scrapes node_exporter and itself and remote-writes everything to two tenants of Cairn, to one by version
1.0 and to the other by 2.0; vmagent scrapes too, and sends to a third tenant and to that Prometheus. Cairn is killed in the
middle of it, several times. Afterwards every sample that Prometheus has must be in Cairn, once, and `promtool` must get from
Cairn what it gets from Prometheus. Then SDKs of OpenTelemetry send metrics that PromQL has to make the right numbers of
(`sdks.py`). `--itself` puts a Prometheus for each tenant in Cairn's place.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "harness"), os.path.join(HERE, "..", "hostile")]
from beside import keyed_server  # noqa: E402
from checks import CHECKS  # noqa: E402
from compare import differences, same_histogram, same_number, short  # noqa: E402
from debian import Unavailable, programs  # noqa: E402
from prometheus import Api, Prometheus, wait_ready  # noqa: E402
from sdks import check_sdks  # noqa: E402
from server import free_ports  # noqa: E402

NUMBER = "4.3"

# How each tenant's samples come.
TENANTS = {"one": "remote write 1.0, Prometheus", "two": "remote write 2.0, Prometheus", "agent": "remote write 1.0, vmagent"}

# Kills of Cairn while senders work; the short form has one.
KILLS = 3
EVERYTHING = '{__name__=~".+"}'

# Of what the tenant of vmagent has.
OF_AGENT = '{job="vm-node"}'


class Ours:
    """Cairn with a tenant for each sender, or a Prometheus for each."""

    def __init__(self, options, parts, folder):
        self.is_cairn = not options.itself
        if self.is_cairn:
            self.server, self.keys = keyed_server(options.cairn, folder, [*TENANTS, "sdks"])
            address = f"http://127.0.0.1:{self.server.api_port}/prometheus"
            self.addresses = dict.fromkeys(TENANTS, address)
            self.servers = [self.server]
        else:
            made = {tenant: Prometheus(parts["prometheus"], os.path.join(folder, tenant), "global: {}\n") for tenant in TENANTS}
            self.addresses = {tenant: each.address for tenant, each in made.items()}
            self.keys = dict.fromkeys(TENANTS, "nobody-looks")
            self.servers = list(made.values())
        self.apis = {tenant: Api(f"{self.addresses[tenant]}/api/v1", self.keys[tenant]) for tenant in TENANTS}

    def start(self):
        for each in self.servers:
            each.start()

    def end(self):
        """kill -9 of what runs."""
        for each in self.servers:
            each.end()

    def flush(self):
        if self.is_cairn:
            address = f"http://127.0.0.1:{self.server.api_port}/api/v1/flush"
            for key in self.keys.values():
                request = urllib.request.Request(address, data=b"", headers={"authorization": f"Bearer {key}"})
                with urllib.request.urlopen(request, timeout=120) as answer:
                    answer.read()


def settings(ours, prometheus, exporter_port):
    """What Prometheus scrapes, and where it sends it."""
    sections = [
        "global: {scrape_interval: 1s, scrape_timeout: 1s}",
        "scrape_configs:",
        "- job_name: prometheus",
        "  always_scrape_classic_histograms: true",
        f"  static_configs: [{{targets: ['127.0.0.1:{prometheus.port}']}}]",
        "- job_name: node",
        f"  static_configs: [{{targets: ['127.0.0.1:{exporter_port}'], labels: {{zone: eu}}}}]",
        "remote_write:",
    ]
    for tenant, message in (("one", "prometheus.WriteRequest"), ("two", "io.prometheus.write.v2.Request")):
        sections += [
            f"- url: {ours.addresses[tenant]}/api/v1/write",
            f"  name: {tenant}",
            f"  protobuf_message: {message}",
            "  send_exemplars: true",
            "  send_native_histograms: true",
            f"  authorization: {{credentials: {ours.keys[tenant]}}}",
            "  metadata_config: {send_interval: 2s}",
            "  queue_config: {batch_send_deadline: 500ms, max_backoff: 500ms}",
        ]
    return "\n".join(sections) + "\n"


class Process:
    """A program beside."""

    def __init__(self, folder, name, command):
        self.log = open(os.path.join(folder, f"{name}.log"), "ab")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)

    def end(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


def start_agent(parts, folder, ours, prometheus, exporter_port):
    """vmagent, which sends to the tenant and to Prometheus."""
    path = os.path.join(folder, "vmagent.yml")
    with open(path, "w", encoding="utf-8") as file:
        file.write("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n- job_name: vm-node\n")
        file.write(f"  static_configs: [{{targets: ['127.0.0.1:{exporter_port}']}}]\n")
    port = free_ports(1)[0]
    command = [
        parts["vmagent"], f"-promscrape.config={path}", f"-httpListenAddr=127.0.0.1:{port}", "-remoteWrite.queues=1",
        f"-remoteWrite.tmpDataPath={folder}/vmagent", "-remoteWrite.flushInterval=500ms", "-remoteWrite.forcePromProto=true",
        f"-remoteWrite.url={ours.addresses['agent']}/api/v1/write", f"-remoteWrite.bearerToken={ours.keys['agent']}",
        f"-remoteWrite.url={prometheus.address}/api/v1/write", "-remoteWrite.bearerToken=nobody-looks",
        "-remoteWrite.retryMinInterval=200ms", "-remoteWrite.retryMaxTime=1s",
    ]  # fmt: skip
    return Process(folder, "vmagent", command)


def samples(api, selector, at):
    """All points of a selector in the ten minutes before an instant, by labels; none where the answer is an error."""
    answer = api.ask("query", {"query": f"{selector}[10m]", "time": at})
    if answer["status"] != "success":
        return {}, f"{answer['errorType']}: {answer['error']}"
    found = {}
    for each in answer["data"]["result"]:
        points = [(point[0], point[1], same_number) for point in each.get("values") or []]
        points += [(point[0], point[1], same_histogram) for point in each.get("histograms") or []]
        found[tuple(sorted(each["metric"].items()))] = points
    return found, None


def lacking(ours, theirs, selector, at):
    """What tells the samples of the two apart."""
    left, trouble = samples(ours, selector, at)
    right, trouble_there = samples(theirs, selector, at)
    if trouble or trouble_there:
        return [f"{trouble or trouble_there}"]
    found = []
    for labels in sorted(set(left) | set(right)):
        one, other = left.get(labels, []), right.get(labels, [])
        same = len(one) == len(other) and all(a[0] == b[0] and b[2](a[1], b[1]) for a, b in zip(one, other))
        if not same:
            times = sorted({point[0] for point in one} ^ {point[0] for point in other})
            found.append(f"{dict(labels)}: {len(one)} points and not {len(other)}; of one of them alone: {short(times, 200)}")
    if not right:
        found.append("Prometheus has no samples")
    return found


def kill_and_restart(ours, kills):
    """kill -9 in the middle of the senders' work."""
    for _ in range(kills):
        time.sleep(3)
        ours.end()
        time.sleep(1)
        ours.start()


def check_samples(ours, prometheus, at, where):
    """Every sample of Prometheus is there, once; senders get time to deliver what they still have."""
    for tenant, client in TENANTS.items():
        selector = OF_AGENT if tenant == "agent" else EVERYTHING
        deadline = time.monotonic() + 60
        while (complaints := lacking(ours.apis[tenant], prometheus.api, selector, at)) and time.monotonic() < deadline:
            time.sleep(2)
        count = sum(map(len, samples(prometheus.api, selector, at)[0].values()))
        print(f"{client}: {count} points, {len(complaints)} series differ, {where}")
        CHECKS.row(NUMBER, f"after kills no sample is missing, {where}", client, complaints)


def check_rows(ours):
    """By SQL: no point is there twice."""
    if not ours.is_cairn:
        return
    for tenant, client in TENANTS.items():
        statement = "SELECT count(*) AS n, count(DISTINCT concat(series_id, ' ', CAST(timestamp AS BIGINT))) AS d FROM metrics"
        row = ours.server.sql(statement, key=ours.keys[tenant])[0]
        complaints = [] if int(row["n"]) == int(row["d"]) > 0 else [f"{row['n']} rows, of which {row['d']} are different"]
        CHECKS.row(NUMBER, "after kills no sample is doubled, by SQL", client, complaints)


def check_retries(prometheus):
    """The kills were in the way of senders, which gave nothing up."""
    for tenant in ("one", "two"):
        found = {}
        for name in ("retried", "failed", "dropped"):
            query = f'sum(prometheus_remote_storage_samples_{name}_total{{remote_name="{tenant}"}})'
            result = prometheus.api.ask("query", {"query": query})["data"]["result"]
            found[name] = sum(float(each["value"][1]) for each in result)
        print(f"{TENANTS[tenant]}: {found}")
        complaints = [] if found["failed"] == found["dropped"] == 0 else [f"{found}"]
        complaints += [] if found["retried"] else ["nothing had to be sent again, so no kill was in the way"]
        CHECKS.row(NUMBER, "the sender tries again and gives nothing up", TENANTS[tenant], complaints)


def promtool(parts, folder, address, key, *arguments):
    """The lines of an answer to promtool, sorted."""
    path = os.path.join(folder, f"http-{key[:8]}.yml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"authorization: {{credentials: {key}}}\n")
    kind, *rest = arguments
    command = [parts["promtool"], "query", kind, f"--http.config.file={path}", address, *rest]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    return sorted((done.stdout + done.stderr).decode().splitlines()), done.returncode


def questions(at):
    """What promtool is asked, by its commands."""
    start, end = f"--start={at - 20}", f"--end={at}"
    instants = [
        "up", 'sum by (job) (rate(prometheus_http_requests_total[15s]))', "node_load1 * 100", "count({__name__=~'.+'})",
        "histogram_count(rate(prometheus_http_request_duration_seconds[15s]))", "absent(nothing)", "1 + 1", "'text'",
        "topk(2, node_memory_MemTotal_bytes)",
        "histogram_quantile(0.9, sum by (le) (rate(prometheus_http_request_duration_seconds_bucket[15s])))", "sum(", "rate(up)",
    ]  # fmt: skip
    for query in instants:
        yield ("instant", f"--time={at}", query)
    for query in ("sum by (job) (up)", "rate(prometheus_tsdb_head_samples_appended_total[10s])", "node_load1 offset 3s", "scalar(up{job='node'})"):
        yield ("range", start, end, "--step=5s", query)
    for selector in ("up", 'prometheus_http_requests_total{code="200"}', '{job="node",__name__=~"node_cpu.*"}', "nothing"):
        yield ("series", start, end, f"--match={selector}")
    # Prometheus tells values of labels whatever their times, so these are of labels that get no new ones.
    for label in ("job", "__name__", "nothing", "mode"):
        yield ("labels", start, end, label)


def flipped(arguments):
    """`labels` and `series` as promtool wants them: the server before the name of the label."""
    kind, *rest = arguments
    options = [each for each in rest if each.startswith("--")]
    return (kind, *options), [each for each in rest if not each.startswith("--")]


def check_promtool(parts, folder, ours, prometheus, at):
    """promtool gets the same from both."""
    for tenant in ("one", "two"):
        complaints = {}
        for arguments in questions(at):
            (kind, *options), rest = flipped(arguments)
            answers = []
            for address, key in ((ours.addresses[tenant], ours.keys[tenant]), (prometheus.address, "nobody-looks")):
                answers.append(promtool(parts, folder, address, key, kind, *options, *rest))
            wrong = [] if answers[0] == answers[1] else [f"{arguments}: {said(answers)}"]
            complaints[kind] = complaints.get(kind, []) + wrong
        for kind, wrong in complaints.items():
            CHECKS.row(NUMBER, f"promtool query {kind} over what came by {TENANTS[tenant]}", "promtool", wrong)


def said(answers):
    """Two outputs of promtool in short: only what differs."""
    (ours, code), (theirs, code_there) = answers
    left, right = [line for line in ours if line not in theirs], [line for line in theirs if line not in ours]
    return f"ours ({code}) {short(left, 300)}, Prometheus ({code_there}) {short(right, 300)}"


def check_forms(ours, prometheus, at):
    """What Grafana's data source sends: forms by POST, a health check, what it asks a server about itself."""
    times = [("start", at - 60), ("end", at)]
    asked = [
        ("query", [("query", "1+1"), ("time", at)]), ("query_range", [("query", "sum by (job) (up)"), ("step", "15"), *times]),
        ("query_range", [("query", 'rate(prometheus_http_requests_total{code=~"2.."}[15s])'), ("step", "1"), *times]),
        ("labels", [("match[]", "up"), *times]), ("series", [("match[]", "up"), ("match[]", "node_load1"), *times]),
        ("query_exemplars", [("query", "up"), *times]),
        ("format_query", [("query", "sum(up)by(job)")]),
    ]  # fmt: skip
    wrong = []
    for path, parameters in asked:
        answers = [api.ask(path, parameters, "POST") for api in (ours.apis["one"], prometheus.api)]
        if path.startswith("query") and path != "query_exemplars":
            wrong += [f"{path} {parameters}: {text}" for text in differences(parameters[0][1], *answers)]
        elif len({tuple(sorted(map(repr, each.get("data", "none")))) for each in answers}) > 1:
            wrong.append(f"{path} {parameters}: ours {short(answers[0])}, Prometheus {short(answers[1])}")
    for path, member in (("status/buildinfo", "version"), ("rules", "groups"), ("alerts", "alerts")):
        answer = ours.apis["one"].ask(path)
        wrong += [] if member in answer.get("data", {}) else [f"{path}: {short(answer)}"]
    CHECKS.row(NUMBER, "requests as Grafana's data source sends them", "forms by POST", wrong)


def check_push(parts, folder, ours, prometheus):
    """`promtool push metrics` is a sender, too."""
    path = os.path.join(folder, "pushed.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write("# HELP pushed_total Things.\n# TYPE pushed_total counter\npushed_total{a=\"b\"} 7\npushed_total{a=\"c\"} 1.5\n")
    codes = []
    for address, key in ((ours.addresses["one"], ours.keys["one"]), (prometheus.address, "nobody-looks")):
        command = [parts["promtool"], "push", "metrics", "--label=job=push", f"--header=Authorization=Bearer {key}"]
        command += [f"{address}/api/v1/write", path]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        codes.append(done.returncode)
        print(done.stderr.decode()[:500], end="")
    answers = [api.ask("query", {"query": "pushed_total"}) for api in (ours.apis["one"], prometheus.api)]
    for answer in answers:
        for each in answer.get("data", {}).get("result", []):
            each["value"][0] = 0
    wrong = [f"promtool ended with {codes}"] if any(codes) else differences("pushed_total", *answers)
    CHECKS.row(NUMBER, "promtool push metrics", "promtool", wrong)


def check_metadata(ours, prometheus):
    """Type, help and unit of metrics, as far as Prometheus knows them of its targets."""
    names = set(prometheus.api.ask("label/__name__/values")["data"])
    theirs = prometheus.api.ask("metadata")["data"]
    for tenant in ("one", "two"):
        found = ours.apis[tenant].ask("metadata").get("data", {})
        wrong = []
        for name in sorted(names & set(theirs)):
            if not any(each in theirs[name] for each in found.get(name, [])):
                wrong.append(f"{name}: {short(found.get(name))} and not {short(theirs[name])}")
        print(f"metadata by {TENANTS[tenant]}: {len(wrong)} of {len(names & set(theirs))} differ")
        CHECKS.row(NUMBER, "metadata of metrics", TENANTS[tenant], wrong)


def send_and_compare(parts, folder, ours, prometheus, kills):
    time.sleep(4)
    kill_and_restart(ours, kills)
    time.sleep(3)
    at = round(time.time() - 1, 3)
    check_samples(ours, prometheus, at, "from the buffer")
    check_promtool(parts, folder, ours, prometheus, int(at))
    check_forms(ours, prometheus, int(at))
    ours.flush()
    check_samples(ours, prometheus, at, "from segments")
    check_rows(ours)
    check_retries(prometheus)
    if ours.is_cairn:
        # Prometheus tells the metadata of its own targets alone.
        check_metadata(ours, prometheus)
    check_push(parts, folder, ours, prometheus)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn")
    parser.add_argument("--parts", required=True, help="where Debian's programs are kept")
    parser.add_argument("--itself", action="store_true", help="a Prometheus for each tenant in Cairn's place")
    parser.add_argument("--short", action="store_true", help="one kill")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="cairn-promql-clients-")
    try:
        parts = programs(options.parts, ["prometheus", "promtool", "prometheus-node-exporter", "vmagent"])
    except Unavailable as error:
        CHECKS.row(NUMBER, "Debian's programs can be had", "apt", [error])
        CHECKS.end(folder)
    ours = Ours(options, parts, folder)
    prometheus = Prometheus(parts["prometheus"], os.path.join(folder, "prometheus"))
    exporter_port = free_ports(1)[0]
    prometheus.configure(settings(ours, prometheus, exporter_port))
    running = []
    try:
        ours.start()
        running.append(Process(folder, "exporter", [parts["prometheus-node-exporter"], f"--web.listen-address=127.0.0.1:{exporter_port}"]))
        wait_ready(f"http://127.0.0.1:{exporter_port}/", running[0].process, running[0].log.name, 30)
        prometheus.start()
        running.append(start_agent(parts, folder, ours, prometheus, exporter_port))
        send_and_compare(parts, folder, ours, prometheus, 1 if options.short else KILLS)
        prometheus.end()
        if ours.is_cairn:
            check_sdks(ours.server, ours.keys["sdks"], ours.flush)
    finally:
        for each in running:
            each.end()
        prometheus.end()
        ours.end()
    CHECKS.end(folder)


main()
