"""Counted checks."""

CHECKS = {"passed": 0, "failed": 0}


def expect(what, found, wanted):
    """One counted check: two things are equal."""
    settle(what, found == wanted, f"found {found!r}, wanted {wanted!r}")


def settle(what, holds, detail):
    """One counted check."""
    CHECKS["passed" if holds else "failed"] += 1
    if not holds:
        print(f"WRONG {what}: {detail}")


def row(number, what, client, complaints):
    """One counted check that is a row of docs/conformance.md; it holds where there are no complaints."""
    CHECKS["failed" if complaints else "passed"] += 1
    outcome = "passed"
    if complaints:
        outcome = "failed | " + " ".join(str(complaints[0]).split())
    print(f"conformance: {number} | {what} | {client} | {outcome}", flush=True)
