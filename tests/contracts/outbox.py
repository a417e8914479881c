"""The events of a real catalog, read with protobuf's own parser and the messages of `proto/cairn/v1`."""

import json
import os
import sqlite3
import tempfile

import grpc_tools
from checks import CHECKS
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from grpc_tools import protoc

CLIENT = "protoc and protobuf for Python"
PROTO = "proto"
FILE = "cairn/v1/events.proto"


def pool():
    """The messages as protoc reads them."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "events.binpb")
        well_known = os.path.join(os.path.dirname(grpc_tools.__file__), "_proto")
        arguments = ["protoc", f"-I{PROTO}", f"-I{well_known}", "--include_imports", f"--descriptor_set_out={path}", FILE]
        if protoc.main(arguments) != 0:
            raise RuntimeError(f"protoc does not compile {FILE}: see above")
        with open(path, "rb") as file:
            files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
    made = descriptor_pool.DescriptorPool()
    for file in files.file:
        made.Add(file)
    return made


def message_name(kind):
    """`cairn.segment.committed.v1` is `cairn.v1.SegmentCommitted`."""
    product, *words, version = kind.split(".")
    return f"{product}.{version}.{''.join(word.capitalize() for part in words for word in part.split('_'))}"


def complaints(kind, body, messages):
    """What is wrong with the body of one event."""
    try:
        message = message_factory.GetMessageClass(messages.FindMessageTypeByName(message_name(kind)))()
    except KeyError:
        return [f"{kind} has no message"]
    try:
        json_format.Parse(body, message)
    except json_format.ParseError as error:
        return [f"{kind}: {error}: {body}"]
    names = {field.json_name for field in message.DESCRIPTOR.fields}
    members = json.loads(body)
    if set(members) != names:
        return [f"{kind} has {sorted(members)}, not {sorted(names)}"]
    wrong = [name for name, value in members.items() if getattr(message, name_of(message, name)) != value]
    return [f"{kind}: {name} is read otherwise" for name in wrong]


def name_of(message, json_name):
    """A field's name in the file."""
    return next(field.name for field in message.DESCRIPTOR.fields if field.json_name == json_name)


def check_outbox(data_dir):
    """The server must have stopped."""
    catalog = sqlite3.connect(f"file:{os.path.join(data_dir, 'catalog.sqlite')}?mode=ro", uri=True)
    events = catalog.execute("SELECT kind, body FROM events").fetchall()
    catalog.close()
    messages = pool()
    found = [complaint for kind, body in events for complaint in complaints(kind, body, messages)]
    CHECKS.hold(f"the outbox has events of the run: {len(events)}", len(events) >= 2)
    CHECKS.row("3.7", "events of the outbox are their protobuf messages", CLIENT, found)
    stranger = complaints(events[0][0], '{"color": "red"}', messages) if events else []
    CHECKS.hold("a member that the message has not is found", bool(stranger))
