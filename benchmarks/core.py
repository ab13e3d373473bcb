"""Import and add beside their floors, taken in the same run: ratios, for machines are noisy. Search is in `scale.py`.

add    : one message, by rules; floor: the same embeddings + two durable SQLite commits
import : CPU seconds of `from recollect import Memory`, and of `import recollect` alone

python benchmarks/core.py [--rounds 30] [--json FILE]
"""

from __future__ import annotations

import argparse
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from report import Report, in_turns

from recollect import Memory
from recollect.adapters.minilm import MiniLM

THINGS = ["guitar", "boat", "garden", "violin", "camera", "bicycle", "telescope", "piano", "canoe", "kiln"]


def add(memory: Memory, minilm: MiniLM, folder: Path, rounds: int, report: Report) -> None:
    """One message with one fact: two texts to embed (the fact, the turn), two commits (the journal, the chunk)."""
    db = sqlite3.connect(folder / "floor.sqlite3", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE t (x)")

    def bare(n: int) -> None:
        db.execute("INSERT INTO t VALUES (?)", (n,))
        minilm.embed(
            [f"The user owns a {THINGS[n % 10]} number {n}.", f"The user: I own a {THINGS[n % 10]} number {n}."]
        )
        db.execute("INSERT INTO t VALUES (?)", (n,))

    def ours(n: int) -> None:
        memory.add(f"I own a {THINGS[n % 10]} number {n}.", user_id="v")

    ours(-1)  # loads
    report.ratio("add, one message", *in_turns([ours, bare], rounds), "embed + two commits")


def import_time(report: Report) -> None:
    """CPU seconds of importing the package, in a fresh interpreter."""
    for line in ("from recollect import Memory", "import recollect"):
        code = f"import time; t = time.process_time(); {line}; print(time.process_time() - t)"
        command = [sys.executable, "-c", code]
        runs = [float(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(5)]
        report.value(line, min(runs), "s", "0.25")


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    report, minilm = Report(), MiniLM()
    minilm.embed(["warm"])
    import_time(report)
    with (
        tempfile.TemporaryDirectory() as name,
        Memory(Path(name) / "store", llm="rules", embedder=minilm) as memory,
    ):
        add(memory, minilm, Path(name), options.rounds, report)
    report.write(options.json)


if __name__ == "__main__":
    main()
