"""Two answers of Prometheus' HTTP API as one: doubles within a tolerance, order where the query says so."""

import collections
import json
import math
import re

# Sums of doubles may be taken in another order.
RELATIVE, ABSOLUTE = 1e-9, 1e-12

# Where an annotation stands in the query, at its end.
POSITION = re.compile(r" \(\d+:\d+(-\d+:\d+)?\)$")

# What newer versions than 3.5 say without the words `for metric name ""`.
NAMELESS = ' for metric name ""'

# Which of several metrics is named goes by the order in which they are read.
OF_ONE = re.compile(r'(vector contains a mix of .*) for metric name ".*"')

# Newer versions than 3.5 put histograms of different custom bounds together, and say so; 3.5 leaves them out.
RECONCILED = "mismatched custom buckets were reconciled"

# Newer versions than 3.5 refuse this also where a comparison leaves one of the many (`operators.test` of August 2026).
MANY = "many-to-one matching must be explicit"

# The most annotations of a kind that Prometheus' API tells.
MOST_ANNOTATIONS = 10


def same_number(left, right):
    """Two numbers as the API writes them."""
    if left == right:
        return True
    left, right = float(left), float(right)
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    return math.isclose(left, right, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def same_histogram(left, right):
    """Two native histograms as the API writes them."""
    if not (same_number(left["count"], right["count"]) and same_number(left["sum"], right["sum"])):
        return False
    ours, theirs = left.get("buckets") or [], right.get("buckets") or []
    return len(ours) == len(theirs) and all(
        one[0] == other[0] and all(same_number(a, b) for a, b in zip(one[1:], other[1:])) for one, other in zip(ours, theirs)
    )


def same_points(left, right, same):
    """Two lists of points `[seconds, value]`."""
    return len(left) == len(right) and all(one[0] == other[0] and same(one[1], other[1]) for one, other in zip(left, right))


def same_series(left, right):
    """Two elements of a vector or a matrix, whose labels are equal."""
    kinds = (("value", same_number), ("histogram", same_histogram))
    for name, same in kinds:
        if (name in left) != (name in right) or (name in left and not same_points([left[name]], [right[name]], same)):
            return False
    for name, same in (("values", same_number), ("histograms", same_histogram)):
        if not same_points(left.get(name) or [], right.get(name) or [], same):
            return False
    return True


def key(labels):
    return tuple(sorted(labels.items()))


def short(value, limit=600):
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    return text if len(text) <= limit else f"{text[: limit - 20]}… ({len(text)} characters)"


def differences(query, ours, theirs):
    """What tells two answers apart, as texts; nothing where they are one."""
    if ours["status"] != theirs["status"]:
        return [f"ours: {describe(ours)}; Prometheus: {describe(theirs)}"]
    if ours["status"] == "error":
        if (ours["errorType"], ours["code"]) == (theirs["errorType"], theirs["code"]):
            return []
        return [f"ours: {describe(ours)}; Prometheus: {describe(theirs)}"]
    ours, theirs = ours["data"], theirs["data"]
    if ours["resultType"] != theirs["resultType"]:
        return [f"ours is a {ours['resultType']}, Prometheus' a {theirs['resultType']}"]
    if ours["resultType"] == "string":
        return [] if ours["result"] == theirs["result"] else [f"ours: {ours['result']}; Prometheus: {theirs['result']}"]
    if ours["resultType"] == "scalar":
        same = same_points([ours["result"]], [theirs["result"]], same_number)
        return [] if same else [f"ours: {ours['result']}; Prometheus: {theirs['result']}"]
    return of_lists(query, ours, theirs)


def of_lists(query, ours, theirs):
    """What tells two vectors or matrices apart."""
    if re.match(r"\s*limitk", query):
        # Which ones they are is left to whoever answers; that they are some of the argument's `subset` holds.
        counts = by_time(ours["result"]), by_time(theirs["result"])
        return [] if counts[0] == counts[1] else [f"ours has {short(counts[0])} elements by time, Prometheus {short(counts[1])}"]
    left = {key(each["metric"]): each for each in ours["result"]}
    right = {key(each["metric"]): each for each in theirs["result"]}
    found = []
    if len(left) != len(ours["result"]):
        found.append("ours has one set of labels twice")
    missing = [right[each] for each in right if each not in left]
    extra = [left[each] for each in left if each not in right]
    if missing:
        found.append(f"ours lacks {len(missing)} of {len(right)}: {short(missing[0])}")
    if extra:
        found.append(f"ours has {len(extra)} of {len(left)} that Prometheus has not: {short(extra[0])}")
    wrong = [each for each in left if each in right and not same_series(left[each], right[each])]
    if wrong:
        one, other = left[wrong[0]], right[wrong[0]]
        found.append(f"{len(wrong)} of {len(right)} differ: {short(first_difference(one, other), 1_200)}")
    if not found and ours["resultType"] == "vector":
        found += of_order(query, ours["result"], theirs["result"])
    return found


def points(each):
    """All points of an element of a vector or a matrix."""
    return [each[name] for name in ("value", "histogram") if name in each] + [*each.get("values", []), *each.get("histograms", [])]


def by_time(result):
    """How many elements there are at each time."""
    return collections.Counter(point[0] for each in result for point in points(each))


def subset(ours, theirs):
    """What of our answer is not in theirs."""
    whole = {key(each["metric"]): {point[0] for point in points(each)} for each in theirs["result"]}
    extra = [each for each in ours["result"] if not {point[0] for point in points(each)} <= whole.get(key(each["metric"]), set())]
    return [f"{short(extra[0])} is not in what is limited"] if extra else []


def first_difference(left, right):
    """The first point that two series of the same labels do not share."""
    for name in ("values", "histograms"):
        ours = {point[0]: point[1] for point in left.get(name) or []}
        theirs = {point[0]: point[1] for point in right.get(name) or []}
        same = same_number if name == "values" else same_histogram
        for time in sorted(set(ours) | set(theirs)):
            if time not in ours or time not in theirs or not same(ours[time], theirs[time]):
                return f"{short(left['metric'], 200)} at {time}: ours {short(ours.get(time), 400)}, Prometheus {short(theirs.get(time), 400)}"
    of = [{name: each[name] for name in ("value", "histogram") if name in each} for each in (left, right)]
    return f"{short(left['metric'], 200)}: ours {short(of[0], 400)}, Prometheus {short(of[1], 400)}"


def of_order(query, ours, theirs):
    """What tells the order of two vectors apart, where the query has one."""
    if re.match(r"\s*sort_by_label", query):
        labels = [[each["metric"] for each in one] for one in (ours, theirs)]
        return [] if labels[0] == labels[1] else [f"order by label: ours {short(labels[0])}, Prometheus {short(labels[1])}"]
    if re.match(r"\s*(sort|sort_desc|topk|bottomk)\b", query) and not re.match(r"\s*\w+ *(by|without)", query):
        values = [[each["value"][1] for each in one if "value" in each] for one in (ours, theirs)]
        if len(values[0]) != len(values[1]) or not all(same_number(a, b) for a, b in zip(*values)):
            return [f"order: ours {short(values[0])}, Prometheus {short(values[1])}"]
    return []


def describe(answer):
    """An answer in short."""
    if answer["status"] == "error":
        return f"{answer['errorType']}: {answer['error'][:300]}"
    return short(answer["data"], 400)


def annotations(answer):
    """Warnings and infos without their positions, by kind."""

    def refined(text):
        return OF_ONE.sub(r"\1", POSITION.sub("", text).replace(NAMELESS, ""))

    return {kind: {refined(text) for text in answer.get(kind) or []} for kind in ("warnings", "infos")}


def is_newer(ours):
    """Whether an answer is what newer versions than 3.5 say."""
    if ours["status"] == "error":
        return MANY in ours["error"]
    return any(RECONCILED in text for text in ours.get("infos") or [])


def of_annotations(ours, theirs):
    """What tells the annotations of two answers apart; the API tells ten of a kind, so of more only that they are many."""
    found = []
    left, right = annotations(ours), annotations(theirs)
    for kind in left:
        many = [len(one[kind]) >= MOST_ANNOTATIONS for one in (left, right)]
        if left[kind] != right[kind] and not all(many):
            found.append(f"{kind}: ours {sorted(left[kind] - right[kind])}, Prometheus {sorted(right[kind] - left[kind])}")
    return found
