"""Checks and whether they held, each a line that a program can read."""


class Verdicts:
    """Counts checks of one point; prints `conformance: POINT | CHECK | CLIENT OR MEANS | passed`, or `failed` or `not checked`."""

    def __init__(self, point):
        self.point = point
        self.passed = self.failed = 0

    def add(self, check, means, complaints):
        """One check; it failed where there are complaints."""
        for complaint in complaints[:6]:
            print(f"WRONG: {check}: {complaint}")
        self.failed += bool(complaints)
        self.passed += not complaints
        self.line(check, means, "failed" if complaints else "passed")

    def skip(self, check, means, reason):
        """One check that this machine cannot make, loudly: it is neither passed nor failed."""
        print(f"NOT CHECKED: {check}: {reason}")
        self.line(check, means, "not checked")

    def line(self, check, means, outcome):
        print(f"conformance: {self.point} | {check} | {means} | {outcome}", flush=True)
