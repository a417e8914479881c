"""The harness's own books: what was sent in each life, and what the server must say of it.

`Life` holds what is certain and what is not: a request that was sent before without an answer may have been stored then. `check`
compares with /metrics exactly where it is certain and with bounds that still have to add up where it is not.
"""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Life:
    """What was acknowledged while the server lived."""

    # (tenant, table, outcome, reason) -> records.
    sure: Counter = field(default_factory=Counter)
    # (tenant, table) -> records of attempts whose answer nobody waited for: received and deduplicated, or neither.
    vanished: Counter = field(default_factory=Counter)
    # Requests that an earlier life may have stored: deduplicated now, or new.
    unsure: list = field(default_factory=list)

    def add(self, other):
        self.sure.update(other.sure)
        self.vanished.update(other.vanished)
        self.unsure += other.unsure

    def stored(self, request):
        """A request that was taken for the first time."""
        self.count(request, "received", request.offered)
        self.count(request, "stored", request.stored)
        for reason, count in request.letters.items():
            self.count(request, "rejected", count, reason)

    def deduplicated(self, request):
        self.count(request, "received", request.offered)
        self.count(request, "deduplicated", request.offered)

    def count(self, request, outcome, count, reason=""):
        self.sure[request.tenant, request.table, outcome, reason] += count

    def check(self, metrics, complain):
        """`metrics` has the same keys as `sure`."""
        pairs = {key[:2] for key in [*self.sure, *metrics]} | {(each.tenant, each.table) for each in self.unsure}
        for pair in sorted(pairs):
            told = Counter({key[2:]: count for key, count in metrics.items() if key[:2] == pair and count})
            sure = Counter({key[2:]: count for key, count in self.sure.items() if key[:2] == pair and count})
            unsure = [each for each in self.unsure if (each.tenant, each.table) == pair]
            for text in differences(told, sure, unsure, self.vanished[pair]):
                complain(f"{'/'.join(pair)}: {text}")


def differences(told, sure, unsure, vanished):
    """What is wrong with what /metrics tells of one tenant's signal."""
    parts = sum(count for (outcome, _), count in told.items() if outcome not in ("received", "replayed"))
    if told["received", ""] != parts:
        yield f"received {told['received', '']} is not the sum {parts} of the outcomes"
    room = Counter()
    for request in unsure:
        room["stored", ""] += request.stored
        room.update({("rejected", reason): count for reason, count in request.letters.items()})
    fresh = 0
    for key in sorted({*told, *sure, *room}):
        if key[0] in ("received", "deduplicated"):
            continue
        more = told[key] - sure[key]
        fresh += more
        if not 0 <= more <= room[key]:
            yield f"{key}: {told[key]} told, {sure[key]} sure, {room[key]} possible beside them"
    offered = sum(request.offered for request in unsure)
    extra = told["received", ""] - sure["received", ""] - offered
    if not 0 <= extra <= vanished:
        yield f"received {told['received', '']}, sure {sure['received', '']} and {offered}, vanished {vanished}"
    wanted = sure["deduplicated", ""] + offered - fresh + extra
    if told["deduplicated", ""] != wanted:
        yield f"deduplicated {told['deduplicated', '']}, wanted {wanted}"


class Books:
    """What must be in the tables: every request that was ever acknowledged, once."""

    def __init__(self):
        # (tenant, table, client) -> rows; (tenant, table, outcome, reason) -> letters.
        self.rows, self.letters = Counter(), Counter()

    def acknowledge(self, request):
        self.rows[request.tenant, request.table, request.client] += request.stored
        for reason, count in request.letters.items():
            self.letters[request.tenant, request.table, "rejected", reason] += count

    def check(self, rows, letters, unanswered, complain):
        """`rows` and `letters` as SQL counts them; those of `unanswered` may be there."""
        possible = Books()
        for request in unanswered:
            possible.acknowledge(request)
        for found, sure, more in ((rows, self.rows, possible.rows), (letters, self.letters, possible.letters)):
            for key in sorted({*found, *sure}):
                if not 0 <= found[key] - sure[key] <= more[key]:
                    complain(f"{key}: {found[key]} found, {sure[key]} acknowledged, {more[key]} possible beside them")
