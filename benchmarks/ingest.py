"""Ingestion beside its floor: what the model's latency alone would take.

floor   : (chunks of the longest conversation + 1) × the latency of a call: its chunks are decided one after the other, the first
          one's extraction comes before. Where `--concurrency` is less than they need: calls ÷ concurrency × latency
overhead: processor time per chunk, the endpoint in a process of its own, without what the embedder takes (one that costs next to
          nothing); what as many bare calls by litellm cost, in the same run, is the model's. On one core, and on all: threads
          that run side by side wait for Python's lock, and spend time on it. The median of several rounds

python benchmarks/ingest.py [--latency 1] [--concurrency 24] [--chunks N] [--turns 100000 [--users 1]] [--json FILE]

Five conversations of LoCoMo below $RECOLLECT_DATA; `--chunks`: of each at most so many (for a quick look). `--turns`: instead of
all that a file of so many messages, made for it, of one user's one session, or of as many as `--users` says, with a model that
answers at once: how much memory it takes, and how long a chunk takes at the beginning and at the end, by the clock and by the
processor.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import re
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from itertools import accumulate, count, product
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel
from report import Report

from recollect import Memory
from recollect.adapters import litellm_setup
from recollect.adapters.minilm import MiniLM
from recollect.adapters.shapes import shape
from recollect.formats import Conversation, Session, read
from recollect.ingest import Progress, ingest
from recollect.memory import chunk_sizes
from recollect.testing import HashEmbedder, ModelEndpoint
from recollect.writing.replies import ExtractReply, ReconcileReply

SPOKEN = re.compile(r"^\[(\d+)\] ([^:\n]+): (.+)$", re.M)
ROUNDS = 5  # of what is measured by the processor
FACTS_PER_CHUNK = 5  # about as many as a capable model finds (evals/readings)


def replies(request: Any) -> dict[str, Any]:
    """A model that takes the longest messages for facts, and finds that every one is new."""
    told = request.body["messages"][-1]["content"]
    if "New messages:" not in told:
        numbers = re.findall(r"^\[(\d+)\]", told.split("New facts:")[-1], re.M)
        return {"decisions": [{"fact": int(n), "op": "ADD"} for n in numbers]}
    spoken = SPOKEN.findall(told.split("New messages:")[-1])
    longest = sorted(spoken, key=lambda one: -len(one[2]))[:FACTS_PER_CHUNK]
    return {
        "facts": [
            {
                "text": f"{name} said: {text}"[:300],
                "kind": "event",
                "entities": [{"name": name, "kind": "person"}],
                "evidence": [{"message": int(n), "quote": text}],
            }
            for n, name, text in sorted(longest, key=lambda one: int(one[0]))
        ]
    }


def serve(pipe: Connection, latency: float) -> None:
    """The endpoint, until it is told to end; then how many calls it answered."""
    with ModelEndpoint(replies, latency=latency) as server:
        pipe.send(server.url)
        pipe.recv()
        pipe.send((server.calls, server.most_at_once))


@contextmanager
def endpoint(latency: float) -> Iterator[tuple[str, Callable[[], tuple[int, int]]]]:
    """Its address, and what ends it and tells of it."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=serve, args=(theirs, latency))
    process.start()

    def ended() -> tuple[int, int]:
        ours.send("end")
        told: tuple[int, int] = ours.recv()
        return told

    yield ours.recv(), ended
    process.join()


def talks(limit: int | None) -> Iterator[Conversation]:
    """Five conversations, each of at most so many chunks."""
    file = Path(os.environ["RECOLLECT_DATA"]) / "locomo" / "dev.json"
    for talk in (one for one in read(file) if isinstance(one, Conversation)):
        left, sessions = count() if limit is None else iter(range(limit)), []
        for session in talk.sessions:
            sizes = chunk_sizes(len(session.messages))
            kept = sum(size for size, _ in zip(sizes, left, strict=False))
            if kept:
                sessions.append(Session(session.id, session.messages[:kept]))
        yield Conversation(talk.id, tuple(sessions))


def wall(options: argparse.Namespace, report: Report) -> None:
    """Five conversations with the default embedder, by the clock."""
    chosen = list(talks(options.chunks))[:5]
    chunks = {one.id: sum(len(chunk_sizes(len(s.messages))) for s in one.sessions) for one in chosen}
    embedder = MiniLM()
    embedder.embed(["warm"])
    with (
        endpoint(options.latency) as (url, ended),
        tempfile.TemporaryDirectory() as folder,
        Memory(Path(folder) / "store", llm="openai/any", api_base=url, api_key="none", embedder=embedder) as memory,
    ):
        memory.add("I have a dog.", user_id="warm")
        began = time.monotonic()
        done = ingest(memory, chosen, concurrency=options.concurrency)
        seconds = time.monotonic() - began
        calls, most = ended()
    if not done.complete or done.chunks != sum(chunks.values()):
        raise SystemExit(f"not all of it is in: {done}")
    floor = max((max(chunks.values()) + 1) * options.latency, calls / options.concurrency * options.latency)
    told = {"latency_s": options.latency, "concurrency": options.concurrency, "chunks": chunks, "most_at_once": most}
    print(json.dumps(told))
    report.value("ingestion / critical path", seconds / floor, "", "1.3", seconds=seconds, floor_s=floor, **told)


class Timed(HashEmbedder):
    """Costs next to nothing, and tells how much that is."""

    seconds = 0.0

    def embed(self, texts: Sequence[str]) -> Any:
        began = time.thread_time()
        vectors = super().embed(texts)
        self.seconds += time.thread_time() - began
        return vectors


def overhead(report: Report) -> None:
    """On one core, as it is wanted; and on all, where threads that wait for each other cost more."""
    for name, cores, wanted in (("on one core", on_one_core, "25"), ("on all cores", nullcontext, "")):
        rounds = [one_round(cores) for _ in range(ROUNDS)]
        each, bare, calls = (statistics.median(values) for values in zip(*rounds, strict=True))
        over = statistics.median(with_calls - calls * bare for with_calls, bare, calls in rounds)
        whole = f"overhead per chunk {name}, but the embedder and {calls:.1f} bare calls"
        report.value(whole, over, "ms", wanted, with_calls_ms=each, bare_call_ms=bare)


def one_round(cores: Callable[[], AbstractContextManager[None]]) -> tuple[float, float, float]:
    """Milliseconds of this process's processor time for a chunk, without that of the embedder; those of a bare call; calls."""
    embedder = Timed(384)
    chosen = list(talks(12))[:5]
    warm, *measured = [Conversation(f"{one.id}-{n}", one.sessions) for n in range(2) for one in chosen]
    with (
        endpoint(0.05) as (url, ended),
        tempfile.TemporaryDirectory() as folder,
        cores(),
        Memory(Path(folder), llm="openai/any", api_base=url, api_key="none", embedder=embedder) as memory,
    ):
        ingest(memory, [warm], concurrency=24)  # loads, and fills caches
        began, embedding = time.process_time(), embedder.seconds
        done = ingest(memory, measured, concurrency=24)
        each = 1000 * (time.process_time() - began - embedder.seconds + embedding) / done.chunks
        bare = asyncio.run(bare_calls(url, 100))
        ended()
    return each, bare, done.usage.llm_calls / done.chunks


@contextmanager
def on_one_core() -> Iterator[None]:
    """This process's threads on one of its cores; on all of them where the system does not let one choose."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    put_on({min(cores)})
    try:
        yield
    finally:
        put_on(cores)


def put_on(cores: set[int]) -> None:
    """Those that there are; others begin where their maker is."""
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


async def bare_calls(url: str, times: int) -> float:
    """Milliseconds of the processor for a call of about the same length, for a reply in the same shape, by litellm alone: whoever
    wants JSON must send a schema."""
    said = "\n".join(f"[{n}] Ann: {'I saw some birds by the river today. ' * 4}" for n in range(1, 9))
    messages = [{"role": "system", "content": "x" * 5_000}, {"role": "user", "content": f"New messages:\n{said}"}]
    litellm = await litellm_setup.load_async()

    async def once(reply: type[BaseModel]) -> None:
        request = shape(reply, "json_schema").request(messages)
        with litellm_setup.our_call():
            await litellm.acompletion(
                model="openai/any", api_base=url, api_key="none", **request, **litellm_setup.ONE_LAYER
            )

    await once(ExtractReply)
    began = time.process_time()
    for _ in range(times // 10):
        await asyncio.gather(*(once(reply) for reply in 5 * (ExtractReply, ReconcileReply)))
    taken = time.process_time() - began
    await litellm_setup.close_clients()
    return 1000 * taken / times


SYLLABLES = ("ba", "du", "ke", "lo", "mi", "na", "po", "ru", "sa", "ti", "vo", "we", "xa", "yu", "zo", "che")
WORDS = ["".join(word) for word in product(SYLLABLES, repeat=3)]  # 4,096
MEASURED = 50  # chunks over which a time is taken


class Even(HashEmbedder):
    """Its vectors turned, so that none of their numbers is large, as in a model's; cosines stay what they are."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self._turn = np.linalg.qr(np.random.default_rng(7).standard_normal((dim, dim)))[0].astype(np.float32)

    def embed(self, texts: Sequence[str]) -> Any:
        return np.stack([vector @ self._turn for vector in super().embed(texts)])


def long_file(path: Path, turns: int, users: int) -> None:
    """Sessions of two people, a message a line, each with a sentence of its own, of words as rare as words are (Zipf)."""
    chance, said_at = random.Random(7), datetime(2024, 1, 1, tzinfo=UTC)
    rarity = list(accumulate(1 / rank for rank in range(1, len(WORDS) + 1)))
    with path.open("w", encoding="utf-8") as file:
        for n in range(turns):
            words = " ".join(chance.choices(WORDS, cum_weights=rarity, k=14))
            line = {"role": "user", "name": ("Ann", "Ben")[n // users % 2], "content": f"On day {n} I saw {words}."}
            line["conversation"] = f"user {n % users}"
            line["timestamp"] = (said_at + timedelta(minutes=5 * n)).isoformat()
            file.write(json.dumps(line) + "\n")


def megabytes() -> float:
    """The most memory that this process had so far."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 2**20 if sys.platform == "darwin" else most / 2**10


def long(options: argparse.Namespace, report: Report) -> None:
    """A file of `--turns` messages of `--users` users."""
    seen: list[tuple[int, int, float, float, float]] = []  # turns, chunks, seconds, of the processor, megabytes

    def look(progress: Progress) -> None:
        seen.append((progress.turns, progress.chunks, progress.seconds, time.process_time(), megabytes()))

    with endpoint(0.0) as (url, ended), tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "long.jsonl"
        long_file(file, options.turns, options.users)
        told: dict[str, Any] = {"llm": "openai/any", "api_base": url, "api_key": "none"}
        with Memory(Path(folder) / "store", embedder=Even(384), **told) as memory:
            memory.add("I have a dog.", user_id="warm")
            before = megabytes()
            done = ingest(memory, read(file), concurrency=options.concurrency, on_progress=look)
            ended()
    if not done.complete or done.turns != options.turns:
        raise SystemExit(f"not all of it is in: {done}")
    for share in (0.1, 0.5, 1.0):
        turns, *_, most = next(one for one in seen if one[0] >= share * options.turns)
        report.value(f"memory at {turns:,} turns, beyond {before:.0f} MB before", most - before, "MB")
    for name, ends in (("at the beginning", seen[: MEASURED + 1]), ("at the end", seen[-MEASURED - 1 :])):
        chunks = ends[-1][1] - ends[0][1]
        clock, used = (1000 * (ends[-1][at] - ends[0][at]) / chunks for at in (2, 3))
        report.value(f"a chunk {name}, with its calls", used, "ms", by_the_clock_ms=clock, turns=ends[-1][0])


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, default=1.0)
    parser.add_argument("--concurrency", type=int, default=24)
    parser.add_argument("--chunks", type=int)
    parser.add_argument("--turns", type=int)
    parser.add_argument("--users", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    report = Report()
    if options.turns:
        long(options, report)
    elif not os.environ.get("RECOLLECT_DATA"):
        report.skipped("ingestion", "$RECOLLECT_DATA is not set")
    else:
        overhead(report)
        wall(options, report)
    report.write(options.json)


if __name__ == "__main__":
    main()
