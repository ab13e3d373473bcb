"""What the benchmarks print and write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCRIPT = '''"""Something beside its floor.

python benchmarks/{name}.py [--json FILE]
"""
import sys
from pathlib import Path
from report import Report
report = Report()
report.ratio("work", {ours}, [2.0, 4.0, 8.0], "floor", "1.5")
report.skipped("rival", "not installed")
report.write(Path(sys.argv[1]))
'''


def run(folder: Path, name: str, ours: list[float]) -> str:
    """A benchmark that took these times; what it printed."""
    script = folder / f"{name}.py"
    script.write_text(SCRIPT.format(name=name, ours=ours), encoding="utf-8")
    command = [sys.executable, str(script), str(folder / "all.json")]
    path = {**os.environ, "PYTHONPATH": str(BENCHMARKS)}
    return subprocess.run(command, env=path, capture_output=True, text=True, check=True).stdout


def test_a_benchmark_says_what_it_is_and_replaces_its_own_rows_only(tmp_path):
    run(tmp_path, "first", [2.0, 4.0, 8.0])
    run(tmp_path, "second", [2.0, 4.0, 8.0])
    told = run(tmp_path, "first", [4.0, 4.0, 8.0])
    assert told.startswith("--- first\nSomething beside its floor.\n") and "python benchmarks" not in told
    assert "ratio 1.00" in told and "wanted 1.5" in told and "rival" in told
    rows = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))["rows"]
    assert [(row["of"], row["name"]) for row in rows] == [
        (of, name) for of in ("second", "first") for name in ("work", "rival")
    ]
    assert [row["ms"] for row in rows if row["name"] == "work"] == [4.0, 4.0]
    work = rows[2]
    assert (work["ratio"], work["p95_ms"], work["p95_ratio"], work["floor_ms"]) == (1.0, 8.0, 2.0, 4.0)
