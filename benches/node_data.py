"""Samples as node_exporter and a service with latency histograms give them, as requests of remote write made beforehand.

Seeded: the same samples on every machine. A host has 500 series (`host_series`), all scraped at the same instant, every 15 s,
each host at its own offset. Requests have up to four hosts of one scrape (2,000 samples, what Prometheus sends at a time), in
snappy. They are kept in a file, shard after shard, because making them takes longer than sending them; a shard holds its
hosts' scrapes in order, for one connection. Field numbers are those of prometheus/prometheus `prompb`.
"""

import itertools
import os
import struct

import cramjam
import numpy as np

# 2026-01-01T00:00:00Z, and the interval of scrapes, in milliseconds.
BEGIN_MS = 1_767_225_600_000
STEP_MS = 15_000
HOST_SERIES = 500
HOSTS_A_REQUEST = 4
SHARDS = 4

# The ways in which values go on.
CONSTANT, COUNTER, HUNDREDTHS, PAGES, LOAD, SECONDS, CLOCK = range(7)


def labelled(name, kind, scale, **labels):
    """(name, labels, kind, scale) for each combination of values; a label may be a list."""
    lists = [value if isinstance(value, list) else [value] for value in labels.values()]
    for values in itertools.product(*lists):
        yield name, dict(zip(labels, values)), kind, scale


def numbered(prefix, count):
    return [f"{prefix}{number}" for number in range(count)]


def counters(prefix, count, scale, **labels):
    """Counters of one family of names: each grows at its own pace, a third hardly ever."""
    for number in range(count):
        pace = 0 if number % 3 == 2 else scale * (number + 1)
        yield from labelled(f"{prefix}_{number}_total", COUNTER, pace, **labels)


def host_series():
    """The series of one host: (name, labels, kind, scale)."""
    found = []
    modes = {"idle": 1_300, "user": 90, "system": 40, "iowait": 6, "irq": 0, "nice": 0, "softirq": 3, "steal": 0}
    for mode, pace in modes.items():
        found += labelled("node_cpu_seconds_total", HUNDREDTHS, pace, cpu=numbered("", 14), mode=mode)
    found += counters("node_softnet", 3, 400, cpu=numbered("", 14))
    found += counters("node_disk_ops", 8, 70, device=numbered("nvme", 4))
    found += labelled("node_disk_io_time_seconds_total", HUNDREDTHS, 30, device=numbered("nvme", 4))
    found += labelled("node_disk_read_time_seconds_total", HUNDREDTHS, 12, device=numbered("nvme", 4))
    found += labelled("node_disk_read_bytes_total", COUNTER, 500_000, device=numbered("nvme", 4))
    found += labelled("node_disk_written_bytes_total", COUNTER, 2_000_000, device=numbered("nvme", 4))
    found += labelled("node_network_receive_bytes_total", COUNTER, 3_000_000, device=numbered("eth", 4))
    found += labelled("node_network_transmit_bytes_total", COUNTER, 1_000_000, device=numbered("eth", 4))
    found += counters("node_network_packets", 14, 300, device=numbered("eth", 4))
    mounts = ["/", "/boot", "/var", "/var/log", "/data", "/run"]
    for name, kind, scale in [("size_bytes", CONSTANT, 5e11), ("free_bytes", PAGES, 40), ("avail_bytes", PAGES, 40)]:
        found += labelled(f"node_filesystem_{name}", kind, scale, mountpoint=mounts, fstype="ext4", device="nvme0")
    for name, kind, scale in [("files", CONSTANT, 3e7), ("files_free", PAGES, 1)]:
        found += labelled(f"node_filesystem_{name}", kind, scale, mountpoint=mounts, fstype="ext4", device="nvme0")
    for number in range(48):
        kind, scale = [(PAGES, 1 << number % 12), (PAGES, 3), (CONSTANT, 1e9)][number % 3]
        found += labelled(f"node_memory_{number}_bytes", kind, scale)
    found += [(f"node_load{minutes}", {}, LOAD, 1 / minutes) for minutes in (1, 5, 15)]
    found += counters("node_netstat", 34, 150)
    found += counters("node_vmstat", 9, 2_000)
    for name, kind, scale in [("boot_time_seconds", CONSTANT, 1.7e9), ("time_seconds", CLOCK, 0), ("procs_running", COUNTER, 0)]:
        found += labelled(f"node_{name}", kind, scale)
    for name in ("context_switches", "forks", "intr"):
        found += labelled(f"node_{name}_total", COUNTER, 90_000)
    collectors = numbered("collector", 14)
    found += labelled("node_scrape_collector_duration_seconds", SECONDS, 0.004, collector=collectors)
    found += labelled("node_scrape_collector_success", CONSTANT, 1, collector=collectors)
    found += histogram_series()
    found += labelled("up", CONSTANT, 1)
    found += counters("process_ops", HOST_SERIES - len(found), 20)
    assert len(found) == HOST_SERIES, len(found)
    return found


def histogram_series():
    """Latencies of requests, a classic histogram for each route; cumulative over `le` as scrapes have them."""
    bounds = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "+Inf"]
    paces = [300, 420, 500, 560, 590, 610, 618, 622, 624, 625, 626]
    for route in ["/", "/cart", "/orders", "/login", "/search"]:
        for bound, pace in zip(bounds, paces):
            yield "http_request_duration_seconds_bucket", {"route": route, "le": bound}, COUNTER, pace
        yield "http_request_duration_seconds_count", {"route": route}, COUNTER, 626
        yield "http_request_duration_seconds_sum", {"route": route}, SECONDS, -20.0


class Values:
    """The values of all hosts' series, scrape after scrape: an array of hosts by series."""

    def __init__(self, hosts, seed):
        kinds = host_series()
        self.random = np.random.default_rng(seed)
        self.kinds = np.array([kind for _, _, kind, _ in kinds])
        self.scales = np.array([scale for _, _, _, scale in kinds], dtype=float)
        # Hosts are busy to different degrees, and each series of a host has had its past.
        self.busy = self.random.lognormal(0, 0.5, (hosts, 1))
        self.past = np.floor(self.random.random((hosts, len(kinds))) * 100_000 * np.maximum(np.abs(self.scales), 1))
        self.past[:, self.kinds == CONSTANT] = self.scales[self.kinds == CONSTANT]
        self.of = {kind: np.flatnonzero(self.kinds == kind) for kind in range(7)}
        self.past[:, self.of[PAGES]] = np.floor(self.random.random((hosts, len(self.of[PAGES]))) * 4e6)
        self.past[:, self.of[LOAD]] = 1.0
        self.histograms = self.chains(kinds)

    def chains(self, kinds):
        """Positions of buckets by `le`, the count behind them: a bucket has at least what the one below has."""
        buckets = [at for at, kind in enumerate(kinds) if kind[0].endswith("_bucket")]
        counts = [at for at, kind in enumerate(kinds) if kind[0] == "http_request_duration_seconds_count"]
        by_route = np.array(buckets).reshape(len(counts), -1)
        self.past[:, buckets] = 0
        return by_route, np.array(counts)

    def scrape(self, at_ms):
        """Values at the next scrape; `at_ms` by host."""
        random, past, of = self.random, self.past, self.of
        for kind in (COUNTER, HUNDREDTHS):
            past[:, of[kind]] += random.poisson(self.scales[of[kind]] * self.busy)
        self.observe()
        shape = (len(past), len(of[PAGES]))
        moves = np.round(random.normal(0, 1, shape) * self.scales[of[PAGES]]) * (random.random(shape) < 0.6)
        past[:, of[PAGES]] = np.abs(past[:, of[PAGES]] + moves)
        target = random.gamma(2.0, self.busy, (len(past), len(of[LOAD])))
        past[:, of[LOAD]] += (target - past[:, of[LOAD]]) * self.scales[of[LOAD]] * 0.3
        values = past.copy()
        values[:, of[HUNDREDTHS]] = past[:, of[HUNDREDTHS]] / 100
        values[:, of[PAGES]] = past[:, of[PAGES]] * 4096
        values[:, of[LOAD]] = np.round(past[:, of[LOAD]], 2)
        values[:, of[CLOCK]] = np.round((at_ms / 1000)[:, None] + random.random((len(past), 1)) / 100, 7)
        values[:, of[SECONDS]] = self.seconds()
        return values

    def observe(self):
        """Requests that were answered since the last scrape, into every bucket from theirs on."""
        by_route, counts = self.histograms
        grown = self.scales[by_route] * self.busy[:, :, None]
        steps = self.random.poisson(np.diff(grown, axis=2, prepend=0))
        # What the counters did to these is taken back.
        self.last = getattr(self, "last", np.zeros(steps.shape)) + np.cumsum(steps, axis=2)
        self.past[:, by_route.ravel()] = self.last.reshape(len(self.past), -1)
        self.past[:, counts] = self.last[:, :, -1]

    def seconds(self):
        """Durations with all their digits; those of negative scale add up."""
        at, random = self.of[SECONDS], self.random
        drawn = np.round(np.abs(self.scales[at]) * random.lognormal(0, 0.4, (len(self.past), len(at))), 9)
        sums = self.scales[at] < 0
        self.past[:, at[sums]] += drawn[:, sums]
        drawn[:, sums] = self.past[:, at[sums]]
        return drawn


def field(number, body):
    """A field with a length, whose number is below 16."""
    return bytes([number << 3 | 2]) + varint(len(body)) + body


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def label_set(host, name, labels):
    own = {"__name__": name, "instance": f"host-{host:05}:9100", "job": f"shop-{host % 10}", **labels}
    return own


class Template:
    """A request of some hosts, and where in it the values and times of its samples lie."""

    def __init__(self, hosts):
        body, values, times = bytearray(), [], []
        for host in hosts:
            for name, labels, _, _ in host_series():
                pairs = sorted(label_set(host, name, labels).items())
                series = b"".join(field(1, field(1, key.encode()) + field(2, value.encode())) for key, value in pairs)
                # A sample has 16 bytes: a double and a time of six bytes, for times from 2004 to 2109.
                series += bytes([0x12, 16, 0x09]) + bytes(8) + bytes([0x10]) + bytes(6)
                body += field(1, series)
                values.append(len(body) - 15)
                times.append(len(body) - 6)
        self.body = np.frombuffer(bytes(body), dtype=np.uint8).copy()
        self.values = np.array(values)[:, None] + np.arange(8)
        self.times = np.array(times)[:, None] + np.arange(6)

    def request(self, values, at_ms):
        """The request with values by sample and times by sample."""
        self.body[self.values] = values.astype("<f8").reshape(-1, 1).view(np.uint8).reshape(-1, 8)
        digits = (at_ms[:, None] >> np.arange(0, 42, 7)) & 0x7F
        digits[:, :5] |= 0x80
        self.body[self.times] = digits
        return bytes(cramjam.snappy.compress_raw(self.body.tobytes()))


def prepare(folder, series, hours, seed=1):
    """The file of requests for so many series and hours; made where it is not there yet."""
    path = os.path.join(folder, f"requests-{series}-{hours:g}h-{seed}.bin")
    if os.path.exists(path):
        return path
    os.makedirs(folder, exist_ok=True)
    hosts = series // HOST_SERIES
    groups = [range(at, min(hosts, at + HOSTS_A_REQUEST)) for at in range(0, hosts, HOSTS_A_REQUEST)]
    templates = [Template(group) for group in groups]
    values, offsets = Values(hosts, seed), host_offsets(hosts, seed)
    with open(f"{path}.part", "wb") as file:
        for scrape in range(scrapes(hours)):
            at_ms = BEGIN_MS + offsets + scrape * STEP_MS
            found = values.scrape(at_ms)
            for number, (group, template) in enumerate(zip(groups, templates)):
                rows = list(group)
                body = template.request(found[rows].ravel(), np.repeat(at_ms[rows], HOST_SERIES))
                file.write(struct.pack("<BI", number % SHARDS, len(body)) + body)
    os.rename(f"{path}.part", path)
    return path


def host_offsets(hosts, seed):
    """When within the interval each host is scraped, ms."""
    return np.random.default_rng(seed + 1).integers(0, STEP_MS, hosts)


def scrapes(hours):
    return int(hours * 3_600_000 / STEP_MS)


def requests(path):
    """Shards with their requests, in order."""
    shards = [[] for _ in range(SHARDS)]
    with open(path, "rb") as file:
        while head := file.read(5):
            shard, length = struct.unpack("<BI", head)
            shards[shard].append((file.tell(), length))
            file.seek(length, os.SEEK_CUR)
    return shards
