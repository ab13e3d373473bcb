"""Search at scale, on the synthetic stores of `stores.py`: half of what a user has are memories, half are turns.

search      : among 1,000 and 10,000 memories of a user (100,000 with --whole); floor: embed the query + bare FAISS
              (IndexFlatIP) over all of the user's vectors, and, beside it, over those of the memories alone
many users  : among 1,000 users of 1,000 memories each (100 users without --whole), against one such user alone in a store
first search: the first one of a user after opening that store; models and libraries are loaded
reopen      : opening a store and the first search in it; floor: reading the user's vectors and terms by SQL
together    : four threads that search while a fifth adds, against the same work one after the other
memory      : what a process takes with a user's partition, over what it takes with the embedder alone
mem0        : (--mem0 PYTHON, of an environment that has it) its search over the same vectors in FAISS and in local Qdrant,
              with no embedding on either side

python benchmarks/scale.py [--memories 1000 10000] [--users 100] [--rounds 100] [--whole] [--mem0 PYTHON] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import faiss
import numpy as np
from report import Report, in_turns
from stores import Noisy, fill, multiply, questions, told

from recollect import Memory
from recollect.adapters.database import FILE_NAME
from recollect.adapters.minilm import MiniLM

if TYPE_CHECKING:
    from recollect.ports import Vectors

USER = "user 1"
PER_USER = 1_000
SEARCHERS, ADDS = 4, 10
RIVAL = Path(__file__).parent / "rival_mem0.py"


class Bare:
    """The floor of a search: the user's vectors in FAISS, and nothing else."""

    def __init__(self, vectors: Vectors) -> None:
        faiss.omp_set_num_threads(1)
        self._index = faiss.IndexFlatIP(vectors.shape[1])
        self._index.add(np.ascontiguousarray(vectors))

    def search(self, vector: Vectors) -> object:
        """The ten nearest."""
        return self._index.search(np.ascontiguousarray(vector), 10)


class Looked:
    """An embedder that knows its answers: what is measured is everything else."""

    id, dim = MiniLM.id, MiniLM.dim

    def __init__(self, texts: Sequence[str], vectors: Vectors) -> None:
        self._known = dict(zip(texts, vectors, strict=True))

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Shape (len(texts), dim)."""
        return np.stack([self._known[text] for text in texts])


class Scale:
    """All benchmarks, over stores in one folder."""

    def __init__(self, folder: Path, report: Report, rounds: int) -> None:
        self._folder, self._report, self._rounds = folder, report, rounds
        self._minilm = MiniLM()
        self._noisy = Noisy(self._minilm)
        self._asked = questions(rounds)

    def store(self, count: int) -> Path:
        """The store of one user with `count` memories."""
        folder = self._folder / f"one user, {count}"
        if not folder.exists():
            start = time.process_time()
            fill(folder, USER, count, self._minilm, self._noisy)
            print(f"({count:,} memories made in {time.process_time() - start:.0f} s)", flush=True)
        return folder

    def many(self, users: int) -> Path:
        """The store of many users with `PER_USER` memories each."""
        folder = self._folder / f"{users} users"
        if not folder.exists():
            start = time.perf_counter()
            fill(folder, USER, PER_USER, self._minilm, self._noisy)
            multiply(folder, users)
            print(f"({users * PER_USER:,} memories made in {time.perf_counter() - start:.0f} s)", flush=True)
        return folder

    def vectors(self, folder: Path, kind: str = "") -> Vectors:
        """A store's first user's, as the ledger has them."""
        with closing(sqlite3.connect(folder / FILE_NAME)) as db:
            query = f"SELECT vector FROM passages WHERE space = 1 {kind} ORDER BY number"
            found = np.frombuffer(b"".join(row[0] for row in db.execute(query)), dtype=np.float32)
        return found.reshape(-1, self._minilm.dim)

    # --- what is measured ----------------------------------------------------------------------------------------------

    def search(self, count: int) -> None:
        """One user with `count` memories."""
        folder = self.store(count)
        everything, memories = Bare(self.vectors(folder)), Bare(self.vectors(folder, "AND kind = 'statement'"))
        with Memory(folder, llm="rules", embedder=self._minilm) as memory:
            found = [len(memory.search(text, user_id=USER)) for text in self._asked]
            ours, floor, least = in_turns(
                [
                    lambda n: memory.search(self._asked[n], user_id=USER),
                    lambda n: everything.search(self._minilm.embed([self._asked[n]])),
                    lambda n: memories.search(self._minilm.embed([self._asked[n]])),
                ],
                self._rounds,
            )
        of, hits = "embed + FAISS", statistics.mean(found)
        wanted = "1.5, p95 2.5" if count <= 10_000 else ""
        self._report.ratio(f"search, {count:,} memories and turns", ours, floor, of, wanted, hits=hits)
        self._report.ratio(f"… FAISS over the {count:,} memories alone", ours, least, of)

    def many_users(self, users: int) -> None:
        """Among many, against alone."""
        million, alone = self.many(users), self.store(PER_USER)
        with (
            Memory(million, llm="rules", embedder=self._minilm) as among,
            Memory(alone, llm="rules", embedder=self._minilm) as lone,
        ):
            for text in self._asked[:5]:
                among.search(text, user_id="user 7"), lone.search(text, user_id=USER)
            ours, floor = in_turns(
                [
                    lambda n: among.search(self._asked[n], user_id="user 7"),
                    lambda n: lone.search(self._asked[n], user_id=USER),
                ],
                self._rounds,
            )
        name = f"search among {users * PER_USER:,} memories of {users:,} users"
        self._report.ratio(name, ours, floor, "alone", "1.3")

    def first_search(self, users: int, rounds: int = 20) -> None:
        """Of one user after the other, each after opening the store anew."""
        folder, clocks = self.many(users), []
        times = []
        for n in range(rounds):
            with Memory(folder, llm="rules", embedder=self._minilm) as memory:
                start, wall = time.process_time(), time.perf_counter()
                memory.search(self._asked[n % self._rounds], user_id=f"user {2 + n * 7 % (users - 1)}")
                times.append((time.process_time() - start) * 1000)
                clocks.append((time.perf_counter() - wall) * 1000)
        name = f"first search after opening {users * PER_USER:,}"
        clock = f"{statistics.median(clocks):.0f} (at best {min(clocks):.0f})"
        self._report.value(name, statistics.median(times), "ms", "100 ms", most=f"{max(times):.0f}", by_the_clock=clock)

    def reopen(self, count: int, rounds: int = 5) -> None:
        """Opening, and the first search, against reading."""
        folder = self.store(count)

        def ours(n: int) -> None:
            with Memory(folder, llm="rules", embedder=self._minilm) as memory:
                memory.search(self._asked[n], user_id=USER)

        def reading(_: int) -> None:
            with closing(sqlite3.connect(folder / FILE_NAME)) as db:
                rows = db.execute("SELECT vector, terms FROM passages WHERE space = 1").fetchall()
                sum(len(vector) + len(terms) for vector, terms in rows)

        taken, floor = in_turns([ours, reading], rounds)
        self._report.ratio(f"reopen and search, {count:,} memories", taken, floor, "reading")

    def together(self, count: int) -> None:
        """Searches and adds at once, against one after the other."""
        with Memory(self.store(count), llm="rules", embedder=self._minilm) as memory:
            memory.search(self._asked[0], user_id=USER)
            waits: list[float] = []

            def search(n: int) -> None:
                start = time.perf_counter()
                memory.search(self._asked[n % self._rounds], user_id=USER)
                waits.append((time.perf_counter() - start) * 1000)

            def add(n: int) -> None:
                memory.add(f"I have a boat called Argo {n}.", user_id=USER)

            def adds(first: int) -> None:
                for n in range(ADDS):
                    add(first + n)

            def sequence(first: int) -> None:
                adds(first)
                for n in range(self._rounds):
                    search(n)

            def at_once(first: int) -> None:
                with ThreadPoolExecutor(SEARCHERS + 1) as pool:
                    adding = pool.submit(adds, first)
                    list(pool.map(search, range(self._rounds)))
                    adding.result()

            start = time.process_time()
            sequence(1_000)
            alone, quiet = (time.process_time() - start) * 1000, waits[:]
            waits.clear()
            start = time.process_time()
            at_once(2_000)
            crowd = (time.process_time() - start) * 1000
        work = f"{self._rounds} searches by {SEARCHERS} threads beside {ADDS} adds, {count:,} memories"
        clock = f"{statistics.median(waits):.0f} (one by one {statistics.median(quiet):.0f})"
        self._report.ratio(work, [crowd], [alone], "one by one", a_search_by_the_clock_ms=clock)

    def memory(self, count: int) -> None:
        """Resident memory, in a process of its own."""
        command = [sys.executable, __file__, "--resident", str(self.store(count))]
        told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        counted = f"{told['counted']:.0f} MB"
        name = f"memory of a partition, {count:,} memories"
        self._report.value(name, told["after"] - told["before"], "MB", counted_by_the_budget=counted)

    def mem0(self, python: Path, count: int) -> None:
        """The rival's search, of the same vectors and texts."""
        folder = self.store(count)
        vectors = self._minilm.embed(self._asked)
        np.savez(
            self._folder / "rival.npz",
            memories=self.vectors(folder, "AND kind = 'statement'"),
            asked=vectors,
            questions=np.array(self._asked),
            texts=np.array([one.text for one in told(count)]),
        )
        with Memory(folder, llm="rules", embedder=Looked(self._asked, vectors)) as memory:
            memory.search(self._asked[0], user_id=USER)
            (ours,) = in_turns([lambda n: memory.search(self._asked[n], user_id=USER)], self._rounds)
            for store in ("faiss", "qdrant"):
                name = f"mem0 on {store}, {count:,} memories, no embedding"
                with tempfile.TemporaryDirectory(dir=self._folder) as own:
                    command = [str(python), str(RIVAL), store, str(self._folder / "rival.npz"), own]
                    environment = {"PATH": os.environ["PATH"], "HOME": own}
                    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
                if done.returncode:
                    self._report.skipped(name, (done.stderr.strip().splitlines() or ["it failed"])[-1][:200])
                    continue
                answer = json.loads(done.stdout.splitlines()[-1])
                hits = answer["found"] / (len(answer["ms"]) + 1)
                self._report.ratio(name, answer["ms"], ours, "recollect", version=answer["version"], hits=f"{hits:.1f}")


def resident(folder: Path) -> None:
    """Print what this process takes, in MB, before and after a user's partition is loaded; and what the budget counts."""
    minilm = MiniLM()
    with Memory(folder, llm="rules", embedder=minilm) as memory:
        memory.search("Who is there?", user_id="nobody")
        minilm.embed(["Who is there?"])
        before = _resident()
        memory.search("Who is there?", user_id=USER)
        counted = sum(one.bytes for one in memory._memory._store.partitions.loaded())
        print(json.dumps({"before": before, "after": _resident(), "counted": counted / 2**20}))


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memories", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--whole", action="store_true", help="100,000 memories of a user, and 1,000 users, too")
    parser.add_argument("--mem0", type=Path, metavar="PYTHON", default=os.environ.get("RECOLLECT_MEM0_PYTHON"))
    parser.add_argument("--folder", type=Path, help="where stores are kept for the next run (else they are made anew)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--resident", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.resident:
        resident(options.resident)
        return
    sizes = sorted({*options.memories, *([100_000] if options.whole else [])})
    users = 1_000 if options.whole else options.users
    report = Report()
    with tempfile.TemporaryDirectory() as name:
        scale = Scale(options.folder or Path(name), report, options.rounds)
        for count in sizes:
            scale.search(count)
        scale.many_users(users)
        scale.first_search(users)
        for count in sizes:
            scale.reopen(count)
            scale.memory(count)
        scale.together(sizes[0])
        for count in sizes[:2]:
            if options.mem0 is None or not options.mem0.exists():
                report.skipped(f"mem0, {count:,} memories", "no --mem0 PYTHON (see docs/evals-systems.md)")
            else:
                scale.mem0(options.mem0, count)
    report.write(options.json)


if __name__ == "__main__":
    main()
