"""Search and add beside their floors, taken in the same run: ratios, for machines are noisy.

search : embed the query + bare FAISS on the same vectors
add    : the same embeddings + two durable SQLite commits
import : CPU seconds of `import recollect`

python benchmarks/core.py [--memories 1000] [--rounds 30]
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import faiss
import numpy as np

from recollect import Memory
from recollect.adapters.minilm import MiniLM

THINGS = ["guitar", "boat", "garden", "violin", "camera", "bicycle", "telescope", "piano", "canoe", "kiln"]


def medians_ms(works: Sequence[Callable[[int], object]], rounds: int) -> list[float]:
    """Medians of single calls, in milliseconds; taken in turns, so that all meet the same other load."""
    taken: list[list[float]] = [[] for _ in works]
    for n in range(rounds):
        for work, times in zip(works, taken, strict=True):
            start = time.perf_counter()
            work(n)
            times.append((time.perf_counter() - start) * 1000)
    return [statistics.median(times) for times in taken]


def row(name: str, ours: float, floor: float) -> None:
    """One line of the table."""
    print(f"{name:<28} {ours:8.2f} ms   floor {floor:8.2f} ms   ratio {ours / floor:5.2f}")


def search(memory: Memory, minilm: MiniLM, count: int, rounds: int) -> None:
    """Search among `count` memories."""
    texts = [f"Person {n} owns a {THINGS[n % len(THINGS)]} number {n}" for n in range(count)]
    for start in range(0, count, 500):
        batch = [{"role": "user", "content": text} for text in texts[start : start + 500]]
        memory.add(batch, user_id="u", infer=False)
    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(minilm.dim)
    index.add(minilm.embed(texts))
    queries = [f"who owns {THINGS[n % len(THINGS)]} {n}?" for n in range(rounds)]
    memory.search("warm", user_id="u")

    def ours(n: int) -> None:
        memory.search(queries[n], user_id="u")

    def bare(n: int) -> None:
        index.search(np.ascontiguousarray(minilm.embed([queries[n]])), 10)

    row(f"search, {count} memories", *medians_ms([ours, bare], rounds))


def add(memory: Memory, minilm: MiniLM, folder: Path, rounds: int) -> None:
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

    row("add, one message", *medians_ms([ours, bare], rounds))


def import_time() -> None:
    """CPU seconds of importing the package, in a fresh interpreter."""
    code = "import time; t = time.process_time(); import recollect; print(time.process_time() - t)"
    runs = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout) for _ in range(5)
    ]
    print(f"import recollect             {min(runs):.3f} s CPU (limit 0.25)")


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memories", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    minilm = MiniLM()
    minilm.embed(["warm"])
    with tempfile.TemporaryDirectory() as name, Memory(Path(name) / "store", llm="rules") as memory:
        import_time()
        search(memory, minilm, options.memories, options.rounds)
        add(memory, minilm, Path(name), options.rounds)


if __name__ == "__main__":
    main()
