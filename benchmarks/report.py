"""What the benchmarks share: work measured in turns, and rows that become a table and JSON.

Times are of the processor, of all threads of the process, for what else a machine does goes into the clock; where a disk or a
model is waited for, the benchmark says that it goes by the clock. Each work of a round follows the other at once, each goes
first every other time, and a ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import __main__

Work = Callable[[int], object]


def in_turns(works: Sequence[Work], rounds: int, clock: Callable[[], float] = time.process_time) -> list[list[float]]:
    """Milliseconds of single calls, of each work."""
    taken: list[list[float]] = [[0.0] * rounds for _ in works]
    for n in range(rounds):
        for place in sorted(range(len(works)), reverse=bool(n % 2)):
            start = clock()
            works[place](n)
            taken[place][n] = (clock() - start) * 1000
    return taken


def p95(times: Sequence[float]) -> float:
    """The value that 95 % do not exceed."""
    return sorted(times)[max(0, -(-len(times) * 95 // 100) - 1)]


class Report:
    """Rows, printed as they come, below what the benchmark that is run says of itself."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._of = Path(getattr(__main__, "__file__", "")).stem
        about, _, _ = (__main__.__doc__ or "").partition("\npython benchmarks/")
        print(f"--- {self._of}\n{about.strip()}\n", flush=True)

    def ratio(
        self, name: str, ours: Sequence[float], floor: Sequence[float], of: str, wanted: str = "", **more: object
    ) -> None:
        """Times beside those of a floor (`of`), taken in the same rounds. The 95th percentile is held against its median."""
        middle = statistics.median(floor)
        row = {
            "ms": statistics.median(ours),
            "p95_ms": p95(ours),
            "floor_ms": middle,
            "floor": of,
            "ratio": statistics.median([one / other for one, other in zip(ours, floor, strict=True)]),
            "p95_ratio": p95(ours) / middle,
        }
        told = f"{row['ms']:9.2f} ms (p95 {row['p95_ms']:.2f})   {of} {middle:.2f} ms"
        self._row(name, f"{told}   ratio {row['ratio']:.2f}, p95 {row['p95_ratio']:.2f}", wanted, row, more)

    def value(self, name: str, value: float, unit: str, wanted: str = "", **more: object) -> None:
        """A figure that stands for itself."""
        self._row(name, f"{value:9.2f} {unit}", wanted, {"value": value, "unit": unit}, more)

    def skipped(self, name: str, why: str) -> None:
        """What was not measured."""
        self._row(name, f"not measured: {why}", "", {"skipped": why}, {})

    def _row(self, name: str, told: str, wanted: str, row: dict[str, Any], more: dict[str, object]) -> None:
        self.rows.append({"of": self._of, "name": name, **row, **({"wanted": wanted} if wanted else {}), **more})
        beside = "".join(f"   {key} {value}" for key, value in more.items())
        print(f"{name:<58}{told}{f'   (wanted {wanted})' if wanted else ''}{beside}", flush=True)

    def write(self, file: Path | None) -> None:
        """As JSON, beside what the file has of other benchmarks."""
        print(flush=True)
        if file is None:
            return
        earlier = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.exists() else []
        whole = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "recollect": version("recollect"),
            "python": platform.python_version(),
            "machine": platform.machine(),
            "processors": os.cpu_count(),
            "load": os.getloadavg()[0],
            "rows": [row for row in earlier if row.get("of") != self._of] + self.rows,
        }
        file.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
