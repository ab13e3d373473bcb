"""What a memory adds to a chat: the openai client with one beside the bare client, against an endpoint, in turn.

added: milliseconds of a whole call over the bare one, recall before it and the durable write after it (wanted: at most 15 at the
median). first token: seconds until a stream's first word, over those of the bare client plus one recall (wanted: at most 1.2).

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
from typing import Any

from openai import OpenAI

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
    """Print both for each round, and their medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memories", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latency", type=float, default=0.02)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        endpoint(options.latency) as url,
        Memory(folder, llm="rules") as memory,
    ):
        fill(memory, options.memories)
        with OpenAI(base_url=url, api_key="none") as bare:
            added, ratios = measured(options, memory, bare)
    print(f"added at the median: {statistics.median(added) * 1e3:.1f} ms (wanted: at most 15)")
    print(f"first token: {statistics.median(ratios):.2f} of the bare client plus recall (wanted: at most 1.2)")


def measured(options: argparse.Namespace, memory: Memory, bare: OpenAI) -> tuple[list[float], list[float]]:
    """Seconds added, and ratios of the first token, of each round; all kinds of calls take turns within it."""
    added: list[float] = []
    ratios: list[float] = []
    for n in range(options.rounds):
        client = remembering(bare, memory, user_id="u", session_id=f"round {n}")
        histories: list[list[dict[str, str]]] = [[], [], [], []]
        taken: list[list[float]] = [[], [], [], [], []]
        for place in range(options.turns):
            taken[0].append(turn(bare, place, histories[0]))
            taken[1].append(turn(client, place, histories[1]))
            taken[2].append(first_word(bare, place, histories[2]))
            taken[3].append(first_word(client, place, histories[3]))
            taken[4].append(recall(memory, place))
        client.recollect.close()
        plain, ours, first, our_first, recalled = map(statistics.median, taken)
        added.append(ours - plain)
        ratios.append(our_first / (first + recalled))
        print(
            f"bare {plain * 1e3:.1f} ms, with memory {ours * 1e3:.1f} ms; first token {first * 1e3:.1f} ms,"
            f" {our_first * 1e3:.1f} ms; recall {recalled * 1e3:.1f} ms"
        )
    return added, ratios


if __name__ == "__main__":
    main()
