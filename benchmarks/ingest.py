"""Ingestion beside its floor: what the model's latency alone would take.

floor   : (chunks of the longest conversation + 1) × the latency of a call: its chunks are decided one after the other, the first
          one's extraction comes before. Where `--concurrency` is less than the conversations need, calls ÷ concurrency × latency
overhead: processor time of everything but the embedder, per chunk, the endpoint in a process of its own
memory  : the most that the process held

python benchmarks/ingest.py [--latency 1] [--concurrency 24] [--chunks N] [--json FILE]

Five conversations of LoCoMo below $RECOLLECT_DATA; `--chunks`: of each at most so many (for a quick look).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from report import Report

from recollect import Memory
from recollect.adapters.minilm import MiniLM
from recollect.formats import Conversation, Session, read
from recollect.ingest import ingest
from recollect.memory import chunk_sizes
from recollect.testing import ModelEndpoint

SPOKEN = re.compile(r"^\[(\d+)\] ([^:\n]+): (.+)$", re.M)
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
    with ModelEndpoint(replies, latency=latency) as endpoint:
        pipe.send(endpoint.url)
        pipe.recv()
        pipe.send((endpoint.calls, endpoint.most_at_once))


class Timed:
    """An embedder whose processor time is told apart."""

    def __init__(self, embedder: MiniLM) -> None:
        self._embedder = embedder
        self.id, self.dim, self.seconds = embedder.id, embedder.dim, 0.0

    def embed(self, texts: Any) -> Any:
        """As the embedder; other threads are at work too, so the time is this thread's (it embeds with one)."""
        began = time.thread_time()
        try:
            return self._embedder.embed(texts)
        finally:
            self.seconds += time.thread_time() - began


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


def measured(options: argparse.Namespace, report: Report) -> None:
    """One run."""
    chosen = list(talks(options.chunks))[:5]
    chunks = {one.id: sum(len(chunk_sizes(len(s.messages))) for s in one.sessions) for one in chosen}
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    endpoint = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, options.latency))
    endpoint.start()
    url, embedder = ours.recv(), Timed(MiniLM())
    embedder.embed(["warm"])
    with (
        tempfile.TemporaryDirectory() as folder,
        Memory(Path(folder) / "store", llm="openai/any", api_base=url, api_key="none", embedder=embedder) as memory,
    ):
        memory.add("I have a dog.", user_id="warm")
        embedder.seconds, wall, cpu = 0.0, time.monotonic(), time.process_time()
        done = ingest(memory, chosen, concurrency=options.concurrency)
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    ours.send("end")
    calls, most = ours.recv()
    endpoint.join()
    if not done.complete or done.chunks != sum(chunks.values()):
        raise SystemExit(f"not all of it is in: {done}")
    path = (max(chunks.values()) + 1) * options.latency
    bound = calls / options.concurrency * options.latency
    settings = {
        "latency_s": options.latency,
        "concurrency": options.concurrency,
        "chunks": chunks,
        "most_at_once": most,
    }
    print(json.dumps(settings))
    report.value(
        "ingestion / critical path", wall / max(path, bound), "", "1.3", seconds=wall, floor_s=max(path, bound)
    )
    each = 1000 * (cpu - embedder.seconds) / done.chunks
    report.value("overhead per chunk, but the embedder", each, "ms", "25", embedder_s=embedder.seconds, cpu_s=cpu)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, default=1.0)
    parser.add_argument("--concurrency", type=int, default=24)
    parser.add_argument("--chunks", type=int)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    report = Report()
    if not os.environ.get("RECOLLECT_DATA"):
        report.skipped("ingestion", "$RECOLLECT_DATA is not set")
    else:
        measured(options, report)
    report.write(options.json)


if __name__ == "__main__":
    main()
