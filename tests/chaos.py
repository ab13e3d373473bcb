"""What was tried and what was violated, for the table of `make chaos`."""

from __future__ import annotations

import json
import os
from pathlib import Path


def record(fault: str, tries: int, violations: int) -> None:
    """Append a line to the file named by $RECOLLECT_CHAOS_REPORT, where that is set."""
    if report := os.environ.get("RECOLLECT_CHAOS_REPORT"):
        with Path(report).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"fault": fault, "tries": tries, "violations": violations}) + "\n")
