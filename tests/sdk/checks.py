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
