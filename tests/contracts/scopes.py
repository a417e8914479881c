"""Who may: each operation with every scope of a key, without a key, and with one that nobody made. In which formats: all that
the document names.
"""

import json
import urllib.error
import urllib.request

from checks import CHECKS

CLIENT = "keys of one scope"
PROBLEM = "application/problem+json"

# What operations take that want a body; the deletion is of what is not there.
NOBODY = {"signal": "logs", "predicate": {"conditions": [{"field": {"column": "body"}, "values": ["of nobody"]}]}}
BODIES = {"/api/v1/sql": (b"SELECT 1", "text/plain"), "/api/v1/deletions": (json.dumps(NOBODY).encode(), "application/json")}


def ask(port, method, path, key, accept="*/*"):
    """Status, headers and body of one request."""
    body, media_type = BODIES.get(path, (b"", None))
    headers = {"accept": accept} | ({"authorization": f"Bearer {key}"} if key else {})
    headers |= {"content-type": media_type} if media_type and method == "post" else {}
    data = body if method == "post" else None
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=data, headers=headers, method=method.upper())
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def asks_for_more(operation):
    """Whether a parameter has to be there, which is not in these requests."""
    return any(parameter.get("required") for parameter in operation.get("parameters", []))


def success(operation):
    """The status of an operation that went well."""
    return next(int(status) for status in operation["responses"] if status.startswith("2"))


def complaints(answer, wanted, operation):
    """What is wrong with an answer that should have the status `wanted`."""
    status, headers, body = answer
    if wanted < 300 and asks_for_more(operation) and status == 400:
        return []
    if status != wanted:
        return [f"{status}, not {wanted}"]
    if status < 300:
        return []
    said = operation["responses"].get(str(status))
    if said is None:
        return [f"{status} is not in the document"]
    found = [f"the header {name} is missing" for name in said.get("headers", {}) if name not in headers]
    if headers.get("content-type") != PROBLEM or json.loads(body)["status"] != status:
        found.append(f"{status} is no problem document")
    return found


def check_scopes(port, document, keys):
    """`keys`: a key with each scope alone."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            scopes = operation.get("x-cairn-scopes")
            well = success(operation)
            callers = {scope: (key, well if scopes is None or scope in scopes else 403) for scope, key in keys.items()}
            unknown = well if scopes is None else 401
            callers |= {"nobody": (None, unknown), "a stranger": ("cairn_of_nobody", unknown)}
            found = []
            for caller, (key, wanted) in callers.items():
                wrong = complaints(ask(port, method, path, key), wanted, operation)
                found += [f"{caller}: {complaint}" for complaint in wrong]
            CHECKS.row("3.7", f"{method.upper()} {path} is for the scopes that the document names", CLIENT, found)


def check_formats(port, document, key):
    """Each media type of an answer, asked for."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if asks_for_more(operation):
                continue
            said = operation["responses"][str(success(operation))]
            found = []
            for media_type in said["content"]:
                status, headers, _ = ask(port, method, path, key, media_type)
                if (status, headers.get("content-type")) != (success(operation), media_type):
                    found.append(f"{media_type} is answered with {status} and {headers.get('content-type')}")
                found += [f"{media_type} comes without the header {name}" for name in said.get("headers", {}) if name not in headers]
            CHECKS.row("3.7", f"{method.upper()} {path} answers in the media types that the document names", "own check", found)
