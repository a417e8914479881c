"""Requests made from the OpenAPI document: what the server answers is what the document says."""

import json
import os
import subprocess
import sys

from checks import CHECKS

HERE = os.path.dirname(os.path.abspath(__file__))
CONFIG = os.path.join(HERE, "schemathesis.toml")
CLIENT = "schemathesis"

# Not among the checks: that what fits the schema is taken. Most texts are no SQL, and a statement that is may be too costly.
EXCLUDED = "positive_data_acceptance"

# Requests of random content for each operation, beside those that cover its schemas one by one.
EXAMPLES = 400

# A run takes twenty seconds; one that does not end is cut.
SECONDS = 240


def run(url, document, key, folder):
    """The report of one seeded run against the server at `url`, and what it printed."""
    path, schema = (os.path.join(folder, name) for name in ("report.json", "openapi.json"))
    # As a file: where it comes from a server, the operation that hands it out is not tested.
    with open(schema, "w", encoding="utf-8") as file:
        json.dump(document, file)
    command = [os.path.join(os.path.dirname(sys.executable), "schemathesis"), "--config-file", CONFIG, "run", schema, "--url", url]
    command += ["--header", f"Authorization: Bearer {key}", "--exclude-checks", EXCLUDED, "--continue-on-failure"]
    command += ["--seed", "1", "--max-examples", str(EXAMPLES), "--generation-database", "none", "--workers", "1"]
    command += ["--request-timeout", "20", "--report", "json", "--report-json-path", path, "--no-color", "--warnings", "off"]
    # From a folder of its own: it leaves a cache where it runs.
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    with open(path, encoding="utf-8") as file:
        return json.load(file), done.stdout + done.stderr


def check_answers(url, key, document, folder):
    """A row for each operation."""
    report, printed = run(url, document, key, folder)
    if report["exit_code"] != 0:
        print(printed)
    print(f"schemathesis: {report['test_cases']} in {report['running_time']} s")
    labels = [f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item]
    for label in labels:
        # A method that the document has not is no operation of it: the path has to do.
        path = label.split(" ")[1]
        wrong = [failure for failure in report["failures"] if any(path == name.split(" ")[1] for name in failure["operations"])]
        complaints = [f"{failure['title']}, {failure['count']} times" for failure in wrong]
        CHECKS.row("3.7", f"{label} answers as the OpenAPI document says", CLIENT, complaints)
    tested, generated = report["operations"]["tested"], report["test_cases"]["generated"]
    CHECKS.expect("every operation of the document was tested", tested, len(labels))
    CHECKS.hold(f"{generated} requests were made", generated > 20 * len(labels))
    CHECKS.expect("the run went to its end without errors", (report["complete"], report["errors"]), (True, []))
    CHECKS.expect("nothing else was found", report["exit_code"], 1 if report["failures"] else 0)
    rates = report["valid_rates"].get("POST /api/v1/sql", {}).values()
    accepted = sum(rate["accepted"] for rate in rates)
    CHECKS.hold(f"{accepted} statements had an answer", accepted > 20, f"{report['valid_rates']}")
