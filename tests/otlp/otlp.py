"""The OTLP checklist against the real binary: `otlp.py --cairn BINARY`.

`cairn otlp-check` asks what can be asked over the wire. What it cannot: what is stored bit by bit (`stored.py`), what bare
HTTP/2 frames show, and a restart under clients that retry as OTLP tells them to (`restart.py`). Each check is a line
`conformance: NUMBER | CHECK | CLIENT | passed`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))
sys.path.insert(0, os.path.join(HERE, "..", "sdk"))
from checks import CHECKS  # noqa: E402
from frames import check_frames  # noqa: E402
from restart import check_restart  # noqa: E402
from server import Server  # noqa: E402
from stored import check_stored  # noqa: E402


def check_wire(options, server):
    """Everything that `cairn otlp-check` asks."""
    command = [options.cairn, "otlp-check", f"http://127.0.0.1:{server.http_port}", "--format", "json"]
    command += ["--grpc", f"http://127.0.0.1:{server.grpc_port}"]
    done = subprocess.run(command, capture_output=True, timeout=300, check=False)
    for found in json.loads(done.stdout):
        detail = found["detail"] or ""
        CHECKS.row(found["number"], found["check"], f"otlp-check, {found['client']}", [detail] * (not found["passed"]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn", required=True)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="cairn-otlp-")
    server = Server(options.cairn, os.path.join(folder, "data"))
    server.start()
    try:
        check_wire(options, server)
        check_stored(server)
        check_restart(server)
        check_frames(server)
    finally:
        server.end()
    CHECKS.end(folder)


main()
