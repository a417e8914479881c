"""Which fields of OTLP were sent, and whether the comparison sees each of them.

Two questions that keep the test honest. Is there a field that nobody sent? And, for each field of a request that was sent and found
whole: does the comparison fail when that field alone is another?
"""

from google.protobuf.descriptor import FieldDescriptor
from otlp_rows import REQUESTS

# Indices into the string table of profiles; they have no meaning elsewhere.
NOT_SENT = {"key_strindex", "string_value_strindex"}


def is_many(field):
    """Whether a field is repeated."""
    return field.is_repeated if hasattr(field, "is_repeated") else field.label == FieldDescriptor.LABEL_REPEATED


def known(descriptor, found):
    """All fields below a message type: `Message.field`."""
    for field in descriptor.fields:
        name = f"{descriptor.name}.{field.name}"
        if field.name in NOT_SENT or name in found:
            continue
        found.add(name)
        if field.message_type:
            known(field.message_type, found)


def populated(message, found):
    """The fields of a message that have a value."""
    for field, value in message.ListFields():
        found.add(f"{message.DESCRIPTOR.name}.{field.name}")
        if field.message_type:
            for each in value if is_many(field) else [value]:
                populated(each, found)


def never_sent(requests):
    """Fields of OTLP that none of the requests (signal, bytes) has."""
    all_fields, found = set(), set()
    for signal, kind in REQUESTS.items():
        known(kind.DESCRIPTOR, all_fields)
    for signal, body in requests:
        populated(REQUESTS[signal].FromString(body), found)
    return sorted(all_fields - found)


def changes(request):
    """Copies of a request in which one field is another: (path, copy); for each path of fields once."""
    seen = set()
    for path, names in places(request, (), ()):
        if names in seen:
            continue
        seen.add(names)
        copy = type(request)()
        copy.CopyFrom(request)
        change(copy, path)
        yield ".".join(names), copy


def places(message, path, names):
    """Places of values in a message: fields and indices to follow, and the names of the fields alone."""
    for field, value in message.ListFields():
        values = list(enumerate(value)) if is_many(field) else [(None, value)]
        for at, each in values:
            place, name = (*path, (field.name, at)), (*names, field.name)
            if field.message_type and each.ListFields():
                yield from places(each, place, name)
            elif not field.message_type:
                yield place, name


def change(message, path):
    """Makes the value at `path` another one."""
    for name, at in path[:-1]:
        message = getattr(message, name) if at is None else getattr(message, name)[at]
    name, at = path[-1]
    value = getattr(message, name) if at is None else getattr(message, name)[at]
    value = other(value)
    if at is None:
        setattr(message, name, value)
    else:
        getattr(message, name)[at] = value


def other(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value ^ 1
    if isinstance(value, float):
        return 0.75 if value != 0.75 else 0.5
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    return value + "~"
