"""Where the long forms of the fault tests tell what they tried: a JSON line each, in the file `$RECOLLECT_CHAOS_REPORT`."""

from __future__ import annotations

import json
import os
from pathlib import Path


def record(fault: str, tries: int, violations: int) -> None:
    """How often a fault was provoked, and how often a promise did not hold."""
    if report := os.environ.get("RECOLLECT_CHAOS_REPORT"):
        with Path(report).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"fault": fault, "tries": tries, "violations": violations}) + "\n")
