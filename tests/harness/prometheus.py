"""Prometheus as a process of its own, and its HTTP API, whoever serves it."""

import http.client
import json
import os
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from server import free_ports

# Everything that its language and its storage can do.
FEATURES = "native-histograms,exemplar-storage,promql-experimental-functions,promql-duration-expr,metadata-wal-records"


class Api:
    """Prometheus' HTTP API below an address `http://HOST:PORT/PREFIX/api/v1`."""

    def __init__(self, address, key=None):
        self.address, self.key = address, key
        parts = urllib.parse.urlsplit(address)
        self.place, self.prefix = parts.netloc, parts.path
        self.connection = None

    def ask(self, path, parameters=(), method="GET", timeout=120):
        """The answer to a question, also to one that is refused: a dict as Prometheus' clients read it. POST sends a form."""
        pairs = parameters.items() if isinstance(parameters, dict) else parameters
        encoded, target = urllib.parse.urlencode(list(pairs)), f"{self.prefix}/{path}"
        if method == "GET":
            status, body = self.exchange((method, f"{target}?{encoded}", None), timeout)
        else:
            status, body = self.exchange((method, target, encoded), timeout)
        try:
            answer = json.loads(body)
        except ValueError:
            answer = {"status": "error", "errorType": f"status {status}", "error": body[:300].decode(errors="replace")}
        # What was refused is compared with the code that it was refused with.
        return answer | {"code": status}

    def exchange(self, request, timeout):
        """One request over a connection that is kept; once more where it was closed in between."""
        method, target, form = request
        headers = {"authorization": f"Bearer {self.key}"} if self.key else {}
        headers |= {"content-type": "application/x-www-form-urlencoded"} if form is not None else {}
        for is_last in (False, True):
            try:
                self.connection = self.connection or http.client.HTTPConnection(self.place, timeout=timeout)
                self.connection.request(method, target, form, headers)
                answer = self.connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.connection = None
                if is_last:
                    return 0, f"no answer: {error!r}".encode()

    def write(self, body, protocol, version):
        """Sends a body of remote write; raises unless it is taken. The headers of the answer."""
        headers = {
            "content-type": f"application/x-protobuf;proto={protocol}",
            "content-encoding": "snappy",
            "user-agent": "cairn-tests",
            "x-prometheus-remote-write-version": version,
        }
        if self.key:
            headers["authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(f"{self.address}/write", data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return dict(answer.getheaders())
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            raise RuntimeError(f"remote write to {self.address}: {error.code} {text[:500]}") from error


class Prometheus:
    """One life of Prometheus over a folder of its own."""

    def __init__(self, program, folder, settings="", arguments=()):
        os.makedirs(folder, exist_ok=True)
        self.program, self.folder, self.arguments = program, folder, list(arguments)
        self.port = free_ports(1)[0]
        self.address = f"http://127.0.0.1:{self.port}"
        self.api = Api(f"{self.address}/api/v1")
        self.settings = os.path.join(folder, "prometheus.yml")
        self.configure(settings)
        self.process, self.log = None, None

    def configure(self, settings):
        """Other settings, for the next start."""
        with open(self.settings, "w", encoding="utf-8") as file:
            file.write(settings)

    def start(self, seconds=60):
        """Starts the process and waits until it is ready."""
        command = [
            self.program, f"--config.file={self.settings}", f"--storage.tsdb.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}", "--web.enable-remote-write-receiver",
            "--web.remote-write-receiver.accepted-protobuf-messages=prometheus.WriteRequest",
            "--web.remote-write-receiver.accepted-protobuf-messages=io.prometheus.write.v2.Request",
            f"--enable-feature={FEATURES}", "--log.level=warn", *self.arguments,
        ]  # fmt: skip
        self.log = open(os.path.join(self.folder, "prometheus.log"), "ab")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        wait_ready(f"{self.address}/-/ready", self.process, self.log.name, seconds)

    def end(self):
        """Kills what is left."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
            self.log.close()


def wait_ready(address, process, log, seconds):
    """Waits until `address` says 200."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"it ended with {process.returncode}; see {log}")
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"{address} was not ready within {seconds} s; see {log}")
