"""What is shipped beside the binary, as far as it can be checked without a container engine: `packaging.py`.

Linters that know the formats (hadolint, the schema of compose files, systemd-analyze), and what they cannot know: that the
pieces fit together. Nothing is built or started. Run in the repository's root.
"""

import os
import re
import subprocess
import sys
import tempfile
import tomllib

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))
from checks import CHECKS  # noqa: E402

COMPOSE, COLLECTOR = "docker-compose.yml", "packaging/collector/config.yaml"
UNIT = "packaging/systemd/cairn.service"


def text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def lint(what, client, command):
    """A program that ends with 0 and says nothing of our file."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    said = (done.stdout + done.stderr).strip()
    CHECKS.row("3.7", what, client, [said or f"it ended with {done.returncode}"] if done.returncode else [])


def check_dockerfile(ports):
    lines = re.sub(r"\\\n\s*", "", text("Dockerfile")).splitlines()
    words = [line.split() for line in lines if line and not line.startswith("#")]
    last = max(number for number, line in enumerate(words) if line[0] == "FROM")
    final = words[last:]
    made = set(re.findall(r"/image\S*", " ".join(lines)))
    wrong = [f"no {line[-2]}" for line in final if line[0] == "COPY" and line[-2] not in made]
    CHECKS.row("3.7", "the image copies what its build makes", "own check", wrong)
    users = [line[1] for line in final if line[0] == "USER"]
    wrong = [] if users and users[-1].split(":")[0] not in ("0", "root") else [f"USER {users}"]
    CHECKS.row("3.7", "the image runs without root", "own check", wrong)
    exposed = [int(port) for line in final if line[0] == "EXPOSE" for port in line[1:]]
    CHECKS.row("3.7", "the image exposes the default ports", "own check", [] if exposed == ports else [f"{exposed}, {ports}"])


def check_compose(ports):
    services = yaml.safe_load(text(COMPOSE))["services"]
    wrong = []
    for name, service in services.items():
        if not service.get("read_only") or service.get("cap_drop") != ["ALL"] or service.get("privileged"):
            wrong.append(f"{name} is not confined")
        wrong += [f"{name} publishes {port}" for port in service.get("ports", []) if not port.startswith("127.0.0.1:")]
        for volume in service.get("volumes", []):
            if volume.startswith("./") and not os.path.isfile(volume.split(":")[0]):
                wrong.append(f"{name} mounts {volume}, which is not there")
        wrong += [f"{name} waits for {other}" for other in service.get("depends_on", {}) if other not in services]
    CHECKS.row("3.7", "services are read-only, without capabilities, on loopback, and their files are there", "own check", wrong)
    published = sorted(int(port.rsplit(":", 1)[1]) for each in services.values() for port in each.get("ports", []))
    CHECKS.row("3.7", "services publish the default ports", "own check", [] if published == ports else [f"{published}, {ports}"])


def check_collector(ports):
    config = yaml.safe_load(text(COLLECTOR))
    wrong = []
    for name, pipeline in config["service"]["pipelines"].items():
        for kind in ("receivers", "processors", "exporters"):
            wrong += [f"{name} has no {kind} {each}" for each in pipeline[kind] if each not in config[kind]]
    if config["exporters"]["otlp"]["endpoint"] != f"cairn:{ports[0]}":
        wrong.append("it does not send to Cairn")
    CHECKS.row("3.7", "the collector's pipelines are made of what is configured, and send to Cairn", "own check", wrong)


def check_unit():
    """systemd's own check of the unit. The program that it starts need not be installed here."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "cairn.service")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text(UNIT).replace("ExecStart=/usr/bin/cairn ", f"ExecStart={sys.executable} "))
        lint("the unit", "systemd-analyze verify", ["systemd-analyze", "verify", "--recursive-errors=no", path])


def main():
    example = re.sub(r"^# ([a-z_]+ = )", r"\1", text("config.example.toml"), flags=re.MULTILINE)
    listen = tomllib.loads(example)["listen"]
    ports = [int(listen[name].rsplit(":", 1)[1]) for name in ("grpc", "http", "api")]
    tools = os.path.dirname(sys.executable)
    lint("the Dockerfile", "hadolint", [os.path.join(tools, "hadolint"), "Dockerfile"])
    schema = ["--builtin-schema", "vendor.compose-spec", COMPOSE]
    lint("the compose file", "its JSON schema", [os.path.join(tools, "check-jsonschema"), *schema])
    check_dockerfile(ports)
    check_compose(ports)
    check_collector(ports)
    check_unit()
    sys.exit(CHECKS.close())


main()
