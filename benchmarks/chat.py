"""What a memory adds to a chat: the openai client with one beside the bare client, against an endpoint, in turn.

added: milliseconds of a whole call over the bare one, recall before it and the durable write after it (wanted: at most 15 at the
median); and what of that is not recall, which is timed by itself. first token: seconds until a stream's first word, over those of
the bare client plus one recall (wanted: at most 1.2). On a machine that does other things too the fastest tenth says more.

python benchmarks/chat.py [--memories 1000] [--turns 60] [--rounds 5] [--latency 0.02]
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from openai import OpenAI
from report import Report

from recollect import Memory
from recollect.chat import remembering
from recollect.testing import ModelEndpoint, Reply, Request

ANSWER = "That is a good question, and the answer to it is not a short one."
QUESTIONS = (
    "Which boat did I buy in the spring?",
    "What do I usually have for breakfast?",
    "Where did we go on holiday with the children?",
    "Who was it that I met at the conference?",
)


def serve(latency: float, connection: Connection) -> None:
    """An endpoint in a process of its own, until the other side has had enough."""

    def answer(_: Request) -> Reply:
        return Reply(ANSWER, delay=latency)

    with ModelEndpoint(answer) as endpoint:
        connection.send(endpoint.url)
        connection.recv()


@contextmanager
def endpoint(latency: float) -> Iterator[str]:
    """Its address."""
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=[latency, theirs])
    process.start()
    yield mine.recv()
    mine.send("enough")
    process.join()


def fill(memory: Memory, memories: int) -> None:
    """One user's memories, each of one message."""
    told = [
        f"On day {n} I had a talk with person {n % 97} about topic {n % 89} in place {n % 83}." for n in range(memories)
    ]
    memory.add([{"role": "user", "content": text} for text in told], user_id="u", infer=False)


def turn(client: Any, n: int, history: list[dict[str, str]]) -> float:
    """Seconds for one whole call."""
    history.append({"role": "user", "content": f"{QUESTIONS[n % len(QUESTIONS)]} ({n})"})
    start = time.perf_counter()
    client.chat.completions.create(model="any", messages=history[-9:])
    took = time.perf_counter() - start
    history.append({"role": "assistant", "content": ANSWER})
    return took


def first_word(client: Any, n: int, history: list[dict[str, str]]) -> float:
    """Seconds until a stream's first word."""
    history.append({"role": "user", "content": f"{QUESTIONS[n % len(QUESTIONS)]} ({n})"})
    start = time.perf_counter()
    stream = client.chat.completions.create(model="any", messages=history[-9:], stream=True)
    took = next(time.perf_counter() - start for chunk in stream if chunk.choices[0].delta.content)
    list(stream)
    history.append({"role": "assistant", "content": ANSWER})
    return took


def recall(memory: Memory, n: int) -> float:
    """Seconds for what is recalled before a turn."""
    start = time.perf_counter()
    memory.context(f"{QUESTIONS[n % len(QUESTIONS)]} ({n})", user_id="u")
    return time.perf_counter() - start


def main() -> None:
    """Measure, and print both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memories", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    report = Report()
    with (
        tempfile.TemporaryDirectory() as folder,
        endpoint(options.latency) as url,
        Memory(folder, llm="rules") as memory,
    ):
        fill(memory, options.memories)
        with OpenAI(base_url=url, api_key="none") as bare:
            taken = measured(options, memory, bare)
    for name, at in (("median", statistics.median), ("fastest tenth", tenth)):
        plain, ours, first, our_first, recalled = (at(kind) * 1e3 for kind in taken)
        report.value(f"added to a call, {name}", ours - plain, "ms", "<= 15", bare_ms=round(plain, 1))
        report.value(f"of it beside recall, {name}", ours - plain - recalled, "ms", recall_ms=round(recalled, 1))
        whole = our_first / (first + recalled)
        report.value(f"first token, {name}", whole, "times bare + recall", "<= 1.2", bare_ms=round(first, 1))
    report.write(options.json)


def tenth(seconds: list[float]) -> float:
    """What the fastest tenth stays below."""
    return statistics.quantiles(seconds, n=10)[0]


def measured(options: argparse.Namespace, memory: Memory, bare: OpenAI) -> list[list[float]]:
    """Seconds of each kind of call, which take turns: bare, ours, both until the first word, recall alone."""
    taken: list[list[float]] = [[], [], [], [], []]
    for n in range(options.rounds):
        client = remembering(bare, memory, user_id="u", session_id=f"round {n}", recall_seconds=None)
        histories: list[list[dict[str, str]]] = [[], [], [], []]
        for place in range(options.turns):
            taken[0].append(turn(bare, place, histories[0]))
            taken[1].append(turn(client, place, histories[1]))
            taken[2].append(first_word(bare, place, histories[2]))
            taken[3].append(first_word(client, place, histories[3]))
            taken[4].append(recall(memory, place))
        client.recollect.close()
    return taken


if __name__ == "__main__":
    main()
