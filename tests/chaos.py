"""The long forms of the fault tests, and a table of what they found: `make chaos`.

Tests record what they tried; a violation also fails its test.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from recollect.errors import RecollectError

LONG = os.environ.get("RECOLLECT_CHAOS") == "1"
REPORT = "RECOLLECT_CHAOS_REPORT"


def record(fault: str, tries: int, violations: int) -> None:
    """Count tries of a fault, and how many broke a promise, for the table; nothing where none is asked for."""
    if file := os.environ.get(REPORT):
        line = json.dumps({"fault": fault, "tries": tries, "violations": violations})
        with Path(file).open("a", encoding="utf-8") as report:
            report.write(line + "\n")


@dataclass
class Tries:
    """How often a fault was tried, and what went wrong."""

    count: int = 0
    violations: list[str] = field(default_factory=list)

    @contextmanager
    def one(self, what: str) -> Iterator[None]:
        """One try. A promise that is broken in it is kept, so that the others are tried too."""
        self.count += 1
        try:
            yield
        except (AssertionError, RecollectError) as error:
            self.violations.append(f"{what}: {error!r:.300}")


@contextmanager
def tries(fault: str) -> Iterator[Tries]:
    """Tries of a fault: recorded at the end, and an AssertionError where any was a violation."""
    tried = Tries()
    try:
        yield tried
    finally:
        record(fault, tried.count, len(tried.violations))
    assert not tried.violations, "\n".join(tried.violations)
