"""An SBOM keeps to the schema of its format: `sbom.py FILE`."""

import json
import os
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))
from checks import CHECKS  # noqa: E402


def complaints(text):
    """The first thing that is wrong with the document."""
    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    return [] if found is None else [str(found.data)]


with open(sys.argv[1], encoding="utf-8") as file:
    document = file.read()
CHECKS.row("3.7", "the SBOM keeps to its schema", "cyclonedx-python-lib", complaints(document))
broken = json.loads(document)
broken["components"] = [broken["components"][0] | {"type": "book"}]
CHECKS.hold("a kind of component that the schema has not is found", bool(complaints(json.dumps(broken))))
sys.exit(CHECKS.close())
