"""What is watched beside an attack: a server with keys, its memory and processor time, and a client that behaves well."""

import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))
from server import Server  # noqa: E402

MIB = 1 << 20


def new_key(binary, tenant, scopes="ingest,query,operate"):
    """A key, and its entry for the settings."""
    command = [binary, "key", "new", "--tenant", tenant, "--name", f"{tenant} {scopes}", "--scopes", scopes]
    text = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    return text.splitlines()[0], text[text.index("[[tenancy.keys]]") :]


def keyed_server(binary, folder, tenants, settings=()):
    """A server, not started, with a key for each tenant; the keys by tenant."""
    made = {tenant: new_key(binary, tenant) for tenant in tenants}
    path = os.path.join(folder, "cairn.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(entry for _, entry in made.values()))
    server = Server(binary, os.path.join(folder, "data"), settings, arguments=["--config", path])
    return server, {tenant: key for tenant, (key, _) in made.items()}


class Meter(threading.Thread):
    """Samples the resident memory of a process."""

    PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
    TICKS = os.sysconf("SC_CLK_TCK")

    def __init__(self, process_id):
        super().__init__(daemon=True)
        self.process_id = process_id
        self.peak_bytes = 0
        self.ended = threading.Event()
        self.samples = []

    def run(self):
        while not self.ended.wait(0.02):
            try:
                now = self.resident_bytes()
            except OSError:
                return
            self.peak_bytes = max(self.peak_bytes, now)
            self.samples.append((time.monotonic(), now))

    def resident_bytes(self):
        with open(f"/proc/{self.process_id}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * Meter.PAGE_BYTES

    def processor_seconds(self):
        with open(f"/proc/{self.process_id}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / Meter.TICKS

    def peak_since(self, moment):
        """The largest memory seen since `moment` (monotonic)."""
        late = []
        for at, size in reversed(self.samples):
            if at < moment:
                break
            late.append(size)
        return max(late, default=self.resident_bytes())

    def end(self):
        self.ended.set()
        self.join()


class Steady:
    """The client beside: `steady.py` in a process of its own, so that it is not slowed by the attacker."""

    def __init__(self, server, key):
        command = [sys.executable, os.path.join(HERE, "steady.py"), str(server.http_port), key or ""]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def phase(self, name):
        """Counts by `name` from here on."""
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()

    def end(self):
        """By phase: requests acknowledged, what went wrong, and the times."""
        output, _ = self.process.communicate("", timeout=60)
        return json.loads(output)


def metrics(server, key=None):
    """Every sample of `/metrics`, by its name with labels."""
    request = urllib.request.Request(f"http://127.0.0.1:{server.api_port}/metrics")
    if key:
        request.add_header("authorization", f"Bearer {key}")
    with urllib.request.urlopen(request, timeout=20) as answer:
        text = answer.read().decode()
    found = {}
    for line in text.splitlines():
        if not line.startswith("#") and line.strip():
            name, _, value = line.rpartition(" ")
            found[name] = float(value)
    return found


def total(samples, name, **labels):
    """The sum of the samples of `name` with these labels."""
    wanted = {f'{label}="{value}"' for label, value in labels.items()}
    sums = 0
    for sample, value in samples.items():
        bare, _, rest = sample.partition("{")
        if bare == name and wanted <= set(re.findall(r'\w+="[^"]*"', rest)):
            sums += value
    return sums


def is_ready(server):
    """Whether the process lives and says that it is ready."""
    if server.process.poll() is not None:
        return False
    try:
        url = f"http://127.0.0.1:{server.api_port}/readyz"
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status == 200
    except OSError:
        return False
