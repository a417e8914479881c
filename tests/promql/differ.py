"""PromQL beside the real Prometheus: `differ.py --cairn BINARY --parts FOLDER [--queries N] [--seed S] [--only QUERY] [--keep]`.

Seeded series (`made.py`) go by remote write 1.0 and 2.0, in turn, to Debian's Prometheus and to Cairn; generated queries
(`grammar.py`) then have to be answered alike (`compare.py`), once from the buffer and once from segments. So have questions
about series, labels, metadata, exemplars and the text of queries. Each difference is printed with both answers.
`--itself` puts a second Prometheus in Cairn's place, which tells what in the comparison is chance.
"""

import argparse
import os
import re
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "harness")]
from about import about_series, about_texts  # noqa: E402
from checks import CHECKS  # noqa: E402
from compare import describe, differences, is_newer, of_annotations, subset  # noqa: E402
from debian import Unavailable, programs  # noqa: E402
from grammar import FUNCTIONS, Question, questions  # noqa: E402
from made import HOURS_MS, build, slices  # noqa: E402
from prometheus import Api, Prometheus  # noqa: E402
from remote_write import V1, V2, send  # noqa: E402
from server import Server  # noqa: E402

# Rows of docs/conformance.md.
NUMBER = "4.1"
CLIENT = "beside Prometheus"

# Late points of a restart of these tests are no reason to refuse any.
SETTINGS = "storage:\n  exemplars:\n    max_exemplars: 100000\n"

# What Cairn buffers it keeps until it is told to flush, and what Prometheus has behind flags is on.
SETTINGS_OF_OURS = [
    "storage.flush_age_seconds=86400",
    "storage.small_flush_age_seconds=86400",
    "query.promql_experimental_functions=true",
]

# What `limitk` chooses from.
LIMITED = re.compile(r"limitk[^(]*(?:\([^)]*\) *)?\(\d+, (.*)\)$")

# So often Prometheus is asked again where the answers differ.
RETRIES = 12

# Differences that are printed in full.
SHOWN = 60


class Ours:
    """Cairn, or a second Prometheus in its place."""

    def __init__(self, options, parts, folder):
        self.is_cairn = not options.itself
        if self.is_cairn:
            self.server = Server(options.cairn, os.path.join(folder, "data"), SETTINGS_OF_OURS)
            self.api = Api(f"http://127.0.0.1:{self.server.api_port}/prometheus/api/v1")
        else:
            self.server = Prometheus(parts["prometheus"], os.path.join(folder, "itself"), SETTINGS)
            self.api = self.server.api

    def flush(self):
        """Everything that is buffered becomes segments."""
        if self.is_cairn:
            address = f"http://127.0.0.1:{self.server.api_port}/api/v1/flush"
            with urllib.request.urlopen(urllib.request.Request(address, data=b""), timeout=120) as answer:
                answer.read()


def known_functions(api):
    """The functions that this Prometheus knows, of those that the grammar has."""
    refused = {name: api.ask("format_query", {"query": f"{name}()"}).get("error", "") for name in FUNCTIONS}
    unknown = {name for name, error in refused.items() if "unknown function" in error}
    print(f"functions that this Prometheus does not know, which are left out: {sorted(unknown)}")
    return set(FUNCTIONS) - unknown


def fill(ours, theirs, series):
    """Sends everything to both, the versions of remote write in turn."""
    count = 0
    for number, part in enumerate(slices(series)):
        for api in (*theirs, ours):
            send(api, part, (V1, V2)[number % 2])
        count += sum(len(each.points) for each in part)
    print(f"{len(series)} series, {count} points", flush=True)


class Run:
    """The queries over one place of the data."""

    def __init__(self, ours, theirs, where):
        self.ours, self.is_itself, self.where = ours.api, not ours.is_cairn, where
        self.theirs, self.witness = theirs
        self.shown, self.complaints, self.notes = 0, {}, []
        # What Prometheus' answers were, by their kind.
        self.outcomes = {"something": 0, "nothing": 0, "an error": 0}
        self.seconds, self.contradictions, self.newer = [0.0, 0.0], 0, 0

    def ask(self, question):
        """One query to both; the differences are kept by what the query is about."""
        parameters = question.parameters()
        began = time.monotonic()
        left = self.ours.ask(question.path, parameters)
        between = time.monotonic()
        right = self.theirs.ask(question.path, parameters)
        self.seconds[0] += between - began
        self.seconds[1] += time.monotonic() - between
        self.outcomes["an error" if right["status"] == "error" else "something" if right["data"]["result"] else "nothing"] += 1
        found = differences(question.query, left, right)
        if limited := LIMITED.match(question.query):
            whole = self.theirs.ask(question.path, parameters | {"query": limited[1]})
            found = found or subset(left["data"], whole["data"])
        if found and is_newer(left) and right["status"] == "success":
            self.newer += 1
            return left, right
        if found:
            found = self.again(question, left, found)
        self.complaints.setdefault(question.about, [])
        where = f"{question.query!r} {question.times}"
        if found:
            self.complaints[question.about].append(f"{where}: {found[0]}")
        elif not is_newer(left) and (notes := of_annotations(left, right)):
            self.notes.append(f"{where}: {'; '.join(notes)}")
        with CHECKS.lock:
            CHECKS.passed += not found
        for text in found[:3]:
            self.show("DIFFERS", f"{question.about}: {where}: {text}")
        if found:
            CHECKS.wrong.append(where)
        return left, right

    def again(self, question, left, found):
        """Prometheus 3.5 gives now one and now another answer about native histograms, whose buckets it shares from one query to
        the next, or panics ("index out of range"). So it is asked again, and a second one as a witness, with other things in
        between; a wrong answer of ours that is always the same would need theirs to be so, too."""
        if "latency" not in question.query and "mixed" not in question.query and "__name__" not in question.query:
            return found
        for number in range(RETRIES):
            asked = (self.witness, self.theirs)[number % 2]
            for query in ("latency_seconds", "latency_changing", "latency_signed[5m]")[: number % 4]:
                asked.ask("query", {"query": query, "time": question.times.get("time", question.times.get("end"))})
            right = asked.ask(question.path, question.parameters())
            if self.is_itself:
                left = self.ours.ask(question.path, question.parameters())
            if not differences(question.query, left, right):
                self.contradictions += 1
                self.show("PROMETHEUS CONTRADICTS ITSELF", f"{question.query!r} {question.times}: {found[0]}")
                return []
        return found

    def show(self, word, text):
        self.shown += 1
        if self.shown <= SHOWN:
            print(f"{word} ({self.where}) {text}"[:3_000], flush=True)

    def close(self):
        """The rows: one for everything that queries are about, one for the annotations."""
        for about, complaints in sorted(self.complaints.items()):
            CHECKS.say(NUMBER, f"generated queries: {about}, {self.where}", CLIENT, complaints)
        for note in self.notes[:SHOWN]:
            print(f"ANNOTATIONS ({self.where}) {note}"[:1_500], flush=True)
        print(f"{self.where}: Prometheus answered with {self.outcomes}")
        total = sum(len(each) for each in self.complaints.values())
        print(f"{self.where}: {total} queries differ, {len(self.notes)} more in their annotations alone")
        print(f"{self.where}: ours took {self.seconds[0]:.1f} s, Prometheus {self.seconds[1]:.1f} s")
        print(f"{self.where}: of {self.contradictions} queries Prometheus gave several answers, one of which is ours")
        print(f"{self.where}: {self.newer} answers are those of versions after 3.5")
        # Else this program compares less than it says.
        enough = self.outcomes["something"] > total / 2 and self.newer < max(total / 50, 2) and self.contradictions < max(total / 20, 2)
        CHECKS.hold(f"most answers say something and are compared, {self.where}", total < 50 or enough, f"{self.outcomes}")
        CHECKS.hold(f"warnings and infos, {self.where}", not self.notes, f"{len(self.notes)} differ")
        CHECKS.say(NUMBER, f"warnings and infos of generated queries, {self.where}", CLIENT, self.notes)


def check_itself(theirs, end_ms):
    """An answer that was changed in one place differs from what it was: else this program proves nothing."""
    changes = {
        "grid": [
            lambda data: data["result"].pop(),
            lambda data: data["result"][0]["metric"].pop("zone"),
            lambda data: data["result"][0]["value"].__setitem__(1, "17"),
            lambda data: data["result"][0]["value"].__setitem__(0, 1),
            lambda data: data.__setitem__("resultType", "matrix"),
        ],
        "latency_seconds": [
            lambda data: data["result"][0]["histogram"][1]["buckets"].pop(),
            lambda data: data["result"][0]["histogram"][1]["buckets"][0].__setitem__(3, "0.5"),
            lambda data: data["result"][0]["histogram"][1].__setitem__("count", "1"),
        ],
        "sort(grid)": [lambda data: data["result"].reverse()],
        "limitk(2, grid)": [lambda data: data["result"].pop()],
    }
    for query, own in changes.items():
        for number, change in enumerate(own):
            one, other = (theirs.ask("query", {"query": query, "time": end_ms / 1000}) for _ in range(2))
            change(other["data"])
            seen = bool(differences(query, other, one)) and not differences(query, one, one)
            CHECKS.hold(f"change {number} of the answer to {query} is noticed", seen)
    refused = theirs.ask("query", {"query": "sum("})
    for change in ({"errorType": "execution"}, {"code": 422}, {"status": "success"}):
        CHECKS.hold(f"a refusal with {change} is noticed", bool(differences("sum(", refused | {"data": {"resultType": "none"}} | change, refused)))


def only(query, run, end_ms):
    """One query by hand, at the end and over the two hours."""
    times = {"start": (end_ms - HOURS_MS) / 1000, "end": end_ms / 1000, "step": 300}
    for question in (Question("by hand", query, "query", {"time": end_ms / 1000}), Question("by hand", query, "query_range", times)):
        left, right = run.ask(question)
        print(f"{question.path}\n  ours:       {describe(left)} {left.get('warnings', '')} {left.get('infos', '')}")
        print(f"  Prometheus: {describe(right)} {right.get('warnings', '')} {right.get('infos', '')}")


def compare(options, ours, theirs, end_ms):
    """Everything, from the buffer and from segments."""
    known = known_functions(theirs[0])
    check_itself(theirs[0], end_ms)
    asked = questions(options.seed, options.queries, known, end_ms)
    for where in ("from the buffer", "from segments"):
        run = Run(ours, theirs, where)
        if options.only:
            only(options.only, run, end_ms)
        else:
            for question in asked:
                run.ask(question)
            about_series(run, end_ms)
        run.close()
        ours.flush()
    if not options.only:
        about_texts(ours.api, theirs[0], list(dict.fromkeys(question.query for question in asked)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cairn")
    parser.add_argument("--parts", required=True, help="where Debian's programs are kept")
    parser.add_argument("--itself", action="store_true", help="a second Prometheus in Cairn's place")
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--end", type=int, help="the last instant of the data in seconds, a whole minute; the present one if none")
    parser.add_argument("--only", help="this query and no other")
    parser.add_argument("--keep", action="store_true", help="both stay up until a key is pressed")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="cairn-promql-")
    try:
        parts = programs(options.parts, ["prometheus"])
    except Unavailable as error:
        CHECKS.row(NUMBER, "Debian's Prometheus can be had", "apt", [error])
        CHECKS.end(folder)
    end_ms = (options.end or int(time.time()) // 60 * 60) * 1000
    print(f"seed {options.seed}, end {end_ms // 1000}", flush=True)
    theirs = [Prometheus(parts["prometheus"], os.path.join(folder, name), SETTINGS) for name in ("prometheus", "witness")]
    apis, ours = [each.api for each in theirs], Ours(options, parts, folder)
    try:
        for each in (*theirs, ours.server):
            each.start()
        fill(ours.api, apis, build(options.seed, end_ms))
        compare(options, ours, apis, end_ms)
        if options.keep:
            input(f"Prometheus: {theirs[0].address}, ours: {ours.api.address}, data: {folder}; return ends both ")
    finally:
        for each in (*theirs, ours.server):
            each.end()
    CHECKS.end(folder)


main()
