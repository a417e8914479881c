"""The README's snippets, taken out of it and run: what they send is there when asked as the README says."""

import os
import re
import subprocess
import sys

from checks import CHECKS

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")


def snippets():
    """The README's "Five minutes with an SDK": its code by language, and the statement that asks for the result."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as readme:
        section = readme.read().split("## Five minutes with an SDK")[1].split("\n## ")[0]
    code = dict(re.findall(r"```(\w+)\n(.*?)```", section, re.S))
    return code, re.search(r'cairn query "([^"]*)"', section).group(1)


def at_port(code, usual, port):
    """A snippet as it stands but for the port, which the README has once."""
    CHECKS.expect(f"a snippet names {usual}", code.count(f"127.0.0.1:{usual}"), 1)
    return code.replace(f"127.0.0.1:{usual}", f"127.0.0.1:{port}")


def run_snippets(server, relays, options, folder):
    """Runs the README's snippets one after the other; each must add one row to what its statement returns.

    `relays` stand before the ports of `server`.
    """
    code, statement = snippets()
    CHECKS.expect("languages of the README", sorted(code), ["js", "python", "rust", "sh"])
    python = at_port(code["python"], 4317, relays.grpc.port)
    node = os.path.join(options.node, "readme.mjs")
    with open(node, "w", encoding="utf-8") as file:
        file.write(at_port(code["js"], 4318, relays.http.port))
    with open(os.path.join(ROOT, "benches/src/bin/readme_sender.rs"), encoding="utf-8") as source:
        header, compiled = source.read().split("\n\n", 1)
    CHECKS.expect("the Rust snippet is what was compiled", (header[:3], compiled), ("//!", code["rust"]))
    environment = dict(os.environ)
    environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = relays.urls[1]
    commands = {
        "python": ([sys.executable, "-c", python], None),
        "js": (["node", node], None),
        "rust": ([options.readme_sender], environment),
        "sh": (["sh", "-c", at_port(code["sh"], 4318, relays.http.port)], None),
    }
    for number, (language, (command, environment)) in enumerate(commands.items()):
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=120, check=False)
        CHECKS.expect(f"{language} snippet's exit ({done.stderr.decode()[-500:]})", done.returncode, 0)
        found = [[row["name"], list(row.values())[2]] for row in server.sql(statement)]
        CHECKS.expect(f"rows after the {language} snippet", found, [["first", "3"]] * (number + 1))
