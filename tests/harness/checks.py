"""Counted checks, and the rows of docs/conformance.md among them."""

import contextlib
import shutil
import sys
import threading


class Checks:
    """Checks with their words. A row is a check with a number, printed as `conformance: NUMBER | CHECK | CLIENT | OUTCOME`."""

    def __init__(self, is_loud=False):
        # Whether checks that held are printed, too.
        self.is_loud = is_loud
        self.passed, self.wrong = 0, []
        self.lock = threading.Lock()

    def expect(self, what, found, wanted):
        """Two things are equal; `True` where they are."""
        return self.hold(what, found == wanted, f"found {found!r}, wanted {wanted!r}")

    def hold(self, what, holds, detail=""):
        """Something is so; `True` where it is."""
        with self.lock:
            if holds:
                self.passed += 1
            else:
                self.wrong.append(what)
                print(f"WRONG {what}: {detail}"[:2_000], flush=True)
            if holds and self.is_loud:
                print(f"ok: {what}", flush=True)
        return holds

    def row(self, number, what, client, complaints):
        """A row that is one check; it holds where there are no complaints."""
        for complaint in complaints[1:10]:
            print(f"WRONG {what}, {client}: {complaint}"[:2_000], flush=True)
        self.hold(f"{what}, {client}", not complaints, *complaints[:1])
        self.say(number, what, client, complaints)

    @contextlib.contextmanager
    def section(self, number, what, client):
        """A row that holds where all checks within do; they are counted, it is not."""
        before = len(self.wrong)
        yield
        self.say(number, what, client, self.wrong[before:])

    def skip(self, number, what, client, reason):
        """A row that this machine cannot check, loudly: it neither held nor failed."""
        print(f"NOT CHECKED: {what}: {reason}")
        print(f"conformance: {number} | {what} | {client} | not checked", flush=True)

    def say(self, number, what, client, complaints):
        outcome = "failed | " + " ".join(str(complaints[0]).split()) if complaints else "passed"
        print(f"conformance: {number} | {what} | {client} | {outcome}", flush=True)

    def close(self):
        """The last line; the exit code."""
        print(f"{self.passed} passed, {len(self.wrong)} failed")
        return 1 if self.wrong else 0

    def end(self, folder):
        """The last line, and the end of the program; the data folder is kept where something was wrong."""
        code = self.close()
        if code == 0:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"the data folder is kept: {folder}", file=sys.stderr)
        sys.exit(code)


# Those of a program that is spread over several files.
CHECKS = Checks()
