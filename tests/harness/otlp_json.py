"""OTLP/JSON to and from the official protobuf classes, by protobuf's own JSON mapping.

OTLP differs from it in two things: ids are hexadecimal and not base64, and enums are numbers. No attribute can be taken for an id,
since attributes are lists of `key` and `value`.
"""

import base64
import json

from google.protobuf import json_format
from otlp_rows import REQUESTS

IDS = ["traceId", "spanId", "parentSpanId"]


def to_protobuf(signal, body):
    """The bytes of a request whose OTLP/JSON text is `body`."""
    tree = with_ids(json.loads(body), lambda text: base64.b64encode(bytes.fromhex(text)).decode())
    return json_format.ParseDict(tree, REQUESTS[signal](), ignore_unknown_fields=True).SerializeToString()


def from_protobuf(request):
    """The OTLP/JSON text of a request."""
    tree = json_format.MessageToDict(request, use_integers_for_enums=True)
    return json.dumps(with_ids(tree, lambda text: base64.b64decode(text).hex())).encode()


def with_ids(tree, convert):
    """A copy of a tree whose ids are converted."""
    if isinstance(tree, list):
        return [with_ids(each, convert) for each in tree]
    if isinstance(tree, dict):
        return {
            name: convert(value) if name in IDS and value else with_ids(value, convert) for name, value in tree.items()
        }
    return tree
