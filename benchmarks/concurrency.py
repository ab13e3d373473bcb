"""Users side by side: adds of many users at once against a model that takes its time, beside their floor. By the clock.

One short message each, with a memory beside it: two calls, one after the other. Floor: the same number of bare litellm calls
with the same embeddings. Latency alone is twice the model's, whatever the number of users.

python benchmarks/concurrency.py [--users 32] [--latency 0.5] [--rounds 5] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from report import Report

from recollect import AsyncMemory
from recollect.adapters import litellm_setup
from recollect.adapters.minilm import MiniLM
from recollect.testing import ModelEndpoint, Reply, Request

MODEL = "openai/gpt-4o-mini"  # a name whose abilities and price are known; the endpoint is ours
_LINE = re.compile(r"^\[(\d+)\] (.*)$", re.MULTILINE)


@dataclass
class Model:
    """Answers after `latency` seconds."""

    latency: float = 0.0

    def __call__(self, request: Request) -> Reply:
        return Reply(answer(request), delay=self.latency)


def answer(request: Request) -> dict[str, Any]:
    """A model's part: one fact of each message; a fact beside a memory revises it, unless it says "also"."""
    question = request.body["messages"][1]["content"]
    lines = [(int(number), line) for number, line in _LINE.findall(question)]
    last, line = lines[-1]
    if "New facts:" in question and " also " in line:
        return {"decisions": [{"fact": last, "op": "ADD", "targets": [], "mode": None, "text": None, "reason": "new"}]}
    if "New facts:" in question:
        told = {
            "op": "UPDATE",
            "targets": [lines[0][0]],
            "mode": "revise",
            "text": None,
            "reason": "the same, told better",
        }
        return {"decisions": [{"fact": last, **told}]}
    said = line.split(": ", 1)[1]
    fact = {
        "text": said.replace("I have", "The user has").replace("I also have", "The user also has"),
        "kind": "profile",
        "subject": "the user",
        "attribute": "boat",
    }
    return {"facts": [{**fact, "evidence": [{"message": last, "quote": said}]}]}


async def once(memory: AsyncMemory, users: int, n: int) -> float:
    """Seconds for one message of every user, all at once."""
    start = time.perf_counter()
    await asyncio.gather(
        *(memory.add(f"I have a boat called Argo {n}", user_id=f"user {user}") for user in range(users))
    )
    return time.perf_counter() - start


async def bare(users: int, url: str, minilm: MiniLM) -> float:
    """The floor, in seconds: for every user two bare litellm calls, one after the other, and the same embeddings."""
    litellm = litellm_setup.load()

    async def one() -> None:
        for question in (
            "New messages:\n[1] The user: I have a boat called Argo 1",
            "New facts:\n[2] a boat · beside 1",
        ):
            messages = [{"role": "system", "content": "x" * 5_000}, {"role": "user", "content": question}]
            await litellm.acompletion(
                model=MODEL, api_base=url, api_key="none", messages=messages, **litellm_setup.ONE_LAYER
            )
        await asyncio.to_thread(minilm.embed, ["The user has a boat.", "The user: I have a boat."])

    start = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(users)))
    return time.perf_counter() - start


def serve(pipe: Connection) -> None:
    """The endpoint, in a process of its own as any model is: sends its address, then its count of calls for each latency."""
    model = Model()
    with ModelEndpoint(model) as endpoint:
        pipe.send(endpoint.url)
        while (latency := pipe.recv()) is not None:
            model.latency = latency
            pipe.send(endpoint.calls)


@contextmanager
def endpoint() -> Iterator[Connection]:
    """The endpoint's process, for as long as the block lasts; our end of its pipe."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours
    finally:
        ours.send(None)
        process.join()


async def run(folder: Path, pipe: Connection, users: int, latency: float, rounds: int, report: Report) -> None:
    """Seed every user, then add side by side, ours and the floor in turn."""
    url, minilm = pipe.recv(), MiniLM()
    minilm.embed(["warm"])
    ours, floor, calls = [], [], 0
    async with AsyncMemory(folder, llm=MODEL, api_base=url, api_key="none") as memory:
        await once(memory, users, 0)  # seeds, and warms
        await once(memory, users, 1)
        await bare(users, url, minilm)
        for n in range(rounds):
            before = ask(pipe, latency)
            ours.append(await once(memory, users, n + 2) * 1000)
            calls += ask(pipe, latency) - before
            floor.append(await bare(users, url, minilm) * 1000)
    name, of = f"{users} users' adds at once, calls of {latency:g} s", "bare calls + embed"
    report.ratio(name, ours, floor, of, calls_per_add=f"{calls / rounds / users:g}", latency_alone_s=f"{2 * latency:g}")


def ask(pipe: Connection, latency: float) -> int:
    """Set the endpoint's latency; its calls so far."""
    pipe.send(latency)
    return int(pipe.recv())


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=32)
    parser.add_argument("--latency", type=float, default=0.5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    report = Report()
    with endpoint() as pipe, tempfile.TemporaryDirectory() as name:
        asyncio.run(run(Path(name), pipe, options.users, options.latency, options.rounds, report))
    report.write(options.json)


if __name__ == "__main__":
    main()
