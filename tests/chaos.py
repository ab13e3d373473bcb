"""The long forms of tests that try something over and over, and a table of what they found.

`make chaos`, or `python tests/chaos.py`: faults and violations. `make security`, or `python tests/chaos.py --security`: threats
and failures. Tests record what they tried; a violation also fails its test. Arguments are handed to pytest, in place of the
suite's own.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recollect.errors import RecollectError

LONG = os.environ.get("RECOLLECT_CHAOS") == "1"
REPORT = "RECOLLECT_CHAOS_REPORT"
SEED = "RECOLLECT_SEED"
KILLS = "300"
SECURITY = "--security"


@dataclass(frozen=True)
class Suite:
    """What is run, at how many at once, and how the columns of its table are called."""

    tests: tuple[str, ...]
    at_once: int
    columns: tuple[str, str, str]


# Four at once on two cores: most of the crash tests wait for the disk, or for the moment of a kill.
FAULTS = Suite(
    (
        "tests/crash",
        "tests/property",
        "tests/contract/test_concurrency.py",
        "tests/contract/test_cancellation.py",
    ),
    4,
    ("fault", "tries", "violations"),
)
THREATS = Suite(("tests/security",), 2, ("threat", "tries", "failures"))


def record(fault: str, tries: int, violations: int, seed: int | None = None) -> None:
    """Count tries of a fault, and how many broke a promise, for the table; nothing where none is asked for."""
    if file := os.environ.get(REPORT):
        line = json.dumps({"fault": fault, "tries": tries, "violations": violations, "seed": seed})
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


# --- the table ---------------------------------------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    """Run the long forms and print what they tried; 0 where every test passed and no promise was broken."""
    suite, arguments = (THREATS, arguments[1:]) if arguments[:1] == [SECURITY] else (FAULTS, arguments)
    own = ["-n", str(suite.at_once), "--dist", "worksteal", "--timeout", "1200", *suite.tests]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.jsonl"
        report.touch()
        seed = os.environ.get(SEED, str(random.randrange(10**6)))
        print(f"{SEED}={seed} repeats the choices of hypothesis.", flush=True)
        environment = {"RECOLLECT_KILLS": KILLS, **os.environ, "RECOLLECT_CHAOS": "1", SEED: seed, REPORT: str(report)}
        command = [sys.executable, "-m", "pytest", "-q", "-c", "pyproject.toml", *(arguments or own)]
        tests = subprocess.run(command, env=environment, check=False, cwd=Path(__file__).parents[1]).returncode
        records = [json.loads(line) for line in report.read_text("utf-8").splitlines()]
    print(table(records, suite.columns))
    if seeds := sorted({one["seed"] for one in records} - {None}):
        print(f"\nSeeds of hypothesis: {seeds[0]} to {seeds[-1]}.")
    broken = sum(one["violations"] for one in records)
    if tests:
        print(f"\nTests failed: pytest ended with {tests}; see above.")
    elif not records:
        print("\nNothing was tried.")
    allowed = suite is THREATS  # a filter lets some through: how many is for its test to say
    return 1 if tests or (broken and not allowed) or not records else 0


def table(records: list[dict[str, Any]], columns: tuple[str, str, str]) -> str:
    """A line per fault or threat, and their sum."""
    tried, broken = Counter[str](), Counter[str]()
    for one in records:
        tried[one["fault"]] += one["tries"]
        broken[one["fault"]] += one["violations"]
    rows = [columns]
    rows += [(fault, f"{tried[fault]:,}", f"{broken[fault]:,}") for fault in sorted(tried)]
    rows.append(("all", f"{tried.total():,}", f"{broken.total():,}"))
    width = max(len(fault) for fault, _, _ in rows)
    return "\n".join(f"{fault:<{width}}  {tries:>9}  {violations:>10}" for fault, tries, violations in rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
