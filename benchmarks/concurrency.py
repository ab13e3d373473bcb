"""Users side by side: adds of many users at once against a model that takes its time, beside the critical path.

One short message each, with a memory beside it: two calls, one after the other. The critical path is twice the model's latency,
whatever the number of users.

python benchmarks/concurrency.py [--users 32] [--latency 0.5] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recollect import AsyncMemory
from recollect.testing import ModelEndpoint, Reply, Request

_LINE = re.compile(r"^\[(\d+)\] (.*)$", re.MULTILINE)


@dataclass
class Model:
    """Answers after `latency` seconds."""

    latency: float = 0.0

    def __call__(self, request: Request) -> Reply:
        return Reply(answer(request), delay=self.latency)


def answer(request: Request) -> dict[str, Any]:
    """A model's part: one fact of each message; a fact beside a memory revises it."""
    question = request.body["messages"][1]["content"]
    lines = [(int(number), line) for number, line in _LINE.findall(question)]
    last, line = lines[-1]
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
        "text": said.replace("I have", "The user has"),
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


async def run(folder: Path, users: int, latency: float, rounds: int) -> None:
    """Seed every user, then add side by side."""
    model = Model()
    with ModelEndpoint(model) as endpoint:
        async with AsyncMemory(folder, llm="openai/any", api_base=endpoint.url, api_key="none") as memory:
            await once(memory, users, 0)  # seeds, and warms
            await once(memory, users, 1)
            model.latency = latency
            for n in range(rounds):
                calls, cpu = endpoint.calls, time.process_time()
                took = await once(memory, users, n + 2)
                cpu = time.process_time() - cpu
                print(
                    f"{users} adds at once: {took:.2f} s   critical path {2 * latency:.2f} s   ratio {took / (2 * latency):.2f}"
                    f"   calls {endpoint.calls - calls}   CPU {cpu:.2f} s   load {os.getloadavg()[0]:.1f}"
                )


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=32)
    parser.add_argument("--latency", type=float, default=0.5)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(run(Path(name), options.users, options.latency, options.rounds))


if __name__ == "__main__":
    main()
