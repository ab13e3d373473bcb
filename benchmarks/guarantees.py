"""What it costs that nothing is lost: `add` beside floors taken in the same run, by the number of memories that a user has.
By the clock, for the disk is waited for.

stored whole  : add(infer=False); floor: the same embeddings + two durable SQLite commits
new fact      : add against an endpoint without latency, two calls, ADD; floor: that + two bare litellm calls
update        : the same, UPDATE, of one memory again and again: its evidence grows by a turn each time

python benchmarks/guarantees.py [--memories 0 10000 100000] [--rounds 40] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from concurrency import MODEL, endpoint
from report import Report

from recollect import AsyncMemory, Memory
from recollect.adapters import litellm_setup
from recollect.adapters.minilm import MiniLM
from recollect.adapters.shapes import shape
from recollect.writing.replies import ExtractReply, ReconcileReply

if TYPE_CHECKING:
    from recollect.ports import Vectors

BATCH = 1_000


class Stored:
    """In MiniLM's place while a store is filled: random unit vectors, for embedding 100,000 texts takes minutes."""

    id, dim = MiniLM.id, MiniLM.dim

    def __init__(self) -> None:
        self._random = np.random.default_rng(0)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Shape (len(texts), dim), float32."""
        vectors = self._random.standard_normal((len(texts), self.dim), dtype=np.float32)
        unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


def fill(folder: Path, user: str, count: int) -> None:
    """Give a user `count` memories."""
    with Memory(folder, embedder=Stored()) as memory:
        for start in range(0, count, BATCH):
            texts = [f"Person {n} owns the house number {n} in street {n % 997}" for n in range(start, start + BATCH)]
            memory.add([{"role": "user", "content": text} for text in texts], user_id=user, infer=False)


class Floor:
    """What any implementation must do: embed the texts, commit twice, call the model twice."""

    def __init__(self, folder: Path, minilm: MiniLM, url: str) -> None:
        self._minilm, self._url = minilm, url
        self._db = sqlite3.connect(folder / "floor.sqlite3", isolation_level=None)
        for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "CREATE TABLE t (x)"):
            self._db.execute(statement)

    async def stored_whole(self, n: int) -> None:
        """One message that is a memory: a turn's text and a memory's."""
        self._db.execute("INSERT INTO t VALUES (?)", (n,))
        self._minilm.embed([f"I have a boat called Argo {n}", f"The user: I have a boat called Argo {n}"])
        self._db.execute("INSERT INTO t VALUES (?)", (n,))

    async def with_a_model(self, n: int) -> None:
        """The same, and two calls with prompts as long as ours, for replies in the same shapes."""
        litellm: Any = litellm_setup.load()
        asked = (
            (ExtractReply, f"New messages:\n[1] The user: I have a boat called Argo {n}"),
            (ReconcileReply, f"New facts:\n[2] Argo {n}"),
        )
        for reply, question in asked:
            messages = [{"role": "system", "content": "x" * 5_000}, {"role": "user", "content": question}]
            request = shape(reply, "json_schema").request(messages)
            await litellm.acompletion(
                model=MODEL, api_base=self._url, api_key="none", **request, **litellm_setup.ONE_LAYER
            )
        await self.stored_whole(n)


async def times_ms(works: Sequence[Callable[[int], Awaitable[object]]], rounds: int) -> list[list[float]]:
    """Milliseconds of single calls; taken in turns, so that all meet the same other load."""
    taken: list[list[float]] = [[] for _ in works]
    for n in range(rounds):
        for work, times in zip(works, taken, strict=True):
            start = time.perf_counter()
            await work(n)
            times.append((time.perf_counter() - start) * 1000)
    return taken


async def run(folder: Path, url: str, sizes: Sequence[int], rounds: int, report: Report) -> None:
    """A row for each number of memories and each way to add."""
    minilm = MiniLM()
    minilm.embed(["warm"])
    floor = Floor(folder, minilm, url)
    await floor.with_a_model(0)
    for size in sizes:
        store = folder / f"store {size}"
        fill(store, "u", size)
        async with AsyncMemory(store, llm=MODEL, api_base=url, api_key="none") as memory:

            async def whole(n: int, memory: AsyncMemory = memory) -> None:
                await memory.add(f"I have a boat called Argo {n}", user_id="u", infer=False)

            async def new_fact(n: int, memory: AsyncMemory = memory) -> None:
                await memory.add(f"I also have a boat called Argo {1_000 + n}", user_id="u")

            async def update(n: int, memory: AsyncMemory = memory) -> None:
                await memory.add(f"I have a boat called Argo {2_000 + n}", user_id="u")

            commits, calls = "embed + two commits", "embed + two commits + two calls"
            for name, ours, least, of in (
                ("stored whole", whole, floor.stored_whole, commits),
                ("new fact", new_fact, floor.with_a_model, calls),
                ("update", update, floor.with_a_model, calls),
            ):
                await ours(-1)  # loads the user's partition
                taken, bare = await times_ms([ours, least], rounds)
                report.ratio(f"add, {name}, {size:,} memories", taken, bare, of)


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memories", type=int, nargs="+", default=[0, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    report = Report()
    with endpoint() as pipe, tempfile.TemporaryDirectory() as name:
        asyncio.run(run(Path(name), pipe.recv(), options.memories, options.rounds, report))
    report.write(options.json)


if __name__ == "__main__":
    main()
