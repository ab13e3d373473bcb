"""What a memory adds to a chat: the openai client with one beside the bare client, against an endpoint, in turn.

First a conversation of 200 turns from its beginning on: what users say in `changes`, our own conversations. Then the memory of a
user who has told all of them (about 1,400 turns and what the rules find in them): each turn asks one of their questions, and the
block is as full as a context gets.

added: milliseconds of a whole call over the bare one, recall before it and the durable write after it (wanted: at most 15 at the
median); and what of that is not recall, which is timed by itself. first token: seconds until a stream's first word, over those of
the bare client plus one recall (wanted: at most 1.2). Turns wait until the ones before are learnt, for people type more slowly
than that; `--hurry`: they do not. On a machine that does other things too the fastest tenth says more.

python benchmarks/chat.py [--turns 60] [--rounds 3] [--latency 0.02] [--hurry]
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from openai import OpenAI
from report import Report

from recollect import Memory
from recollect.chat import ChatMemory, remembering
from recollect.testing import ModelEndpoint, Reply, Request
from recollect_evals.datasets import load
from recollect_evals.systems.recollect import messages

WINDOW = 8  # messages of history that are handed in


def serve(latency: float, connection: Connection) -> None:
    """An endpoint in a process of its own, until the other side has had enough. What it says is what assistants said in our
    conversations, one after the other: the same answer each time would be a crowd of its own."""
    turns = [turn for talk in load("changes").conversations for turn in talk.turns if turn.role == "assistant"]
    answers = itertools.cycle([turn.text for turn in turns])

    def answer(_: Request) -> Reply:
        return Reply(next(answers), delay=latency)

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


def fill(memory: Memory) -> list[str]:
    """One user's memory, and questions about it."""
    asked: list[str] = []
    for talk in load("changes").conversations:
        asked += [question.text for question in talk.questions]
        for session in talk.sessions:
            memory.add(messages(session), user_id="u", session_id=session.id, timestamp=session.turns[0].said_at)
    random.Random(1).shuffle(asked)
    return asked


class Talk:
    """A conversation of questions with one client."""

    def __init__(self, client: Any) -> None:
        self._client, self._history = client, [{"role": "system", "content": "Be brief."}]

    def turn(self, question: str) -> float:
        """Seconds for one whole call."""
        start = time.perf_counter()
        reply = self._client.chat.completions.create(model="any", messages=self._asked(question))
        took = time.perf_counter() - start
        self._history.append({"role": "assistant", "content": reply.choices[0].message.content})
        return took

    def first_word(self, question: str) -> float:
        """Seconds until a stream's first word."""
        start = time.perf_counter()
        stream = self._client.chat.completions.create(model="any", messages=self._asked(question), stream=True)
        words = (chunk.choices[0].delta.content for chunk in stream if chunk.choices[0].delta.content)
        first = next(words)
        took = time.perf_counter() - start
        self._history.append({"role": "assistant", "content": first + "".join(words)})
        return took

    def _asked(self, question: str) -> list[dict[str, str]]:
        self._history.append({"role": "user", "content": question})
        return [self._history[0], *self._history[1:][-WINDOW:]]


def recall(memory: Memory, question: str) -> float:
    """Seconds for what is recalled before a turn."""
    start = time.perf_counter()
    memory.context(question, user_id="u")
    return time.perf_counter() - start


def main() -> None:
    """Measure, and print both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--hurry", action="store_true", help="do not wait until a turn is learnt")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    report = Report()
    with (
        tempfile.TemporaryDirectory() as folder,
        endpoint(options.latency) as url,
        Memory(folder, llm="rules") as memory,
    ):
        with OpenAI(base_url=url, api_key="none") as bare:
            from_the_first(options, memory, bare, report)
            taken = measured(options, memory, bare, fill(memory))
        stats = memory.stats(user_id="u")
        print(f"{stats.memories} memories, {stats.turns} turns")
    for name, at in (("median", statistics.median), ("fastest tenth", tenth)):
        plain, ours, first, our_first, recalled = (at(kind) * 1e3 for kind in taken)
        report.value(f"added to a call, {name}", ours - plain, "ms", "<= 15", bare_ms=round(plain, 1))
        report.value(f"of it beside recall, {name}", ours - plain - recalled, "ms", recall_ms=round(recalled, 1))
        whole = our_first / (first + recalled)
        report.value(f"first token, {name}", whole, "times bare + recall", "<= 1.2", bare_ms=round(first, 1))
    report.write(options.json)


def from_the_first(options: argparse.Namespace, memory: Memory, bare: OpenAI, report: Report) -> None:
    """A conversation whose user nobody knows at its beginning."""
    said = [turn.text for talk in load("changes").conversations for turn in talk.turns if turn.role == "user"]
    client = remembering(bare, memory, user_id="new", session_id="new", recall_seconds=None)
    talks, taken = [Talk(bare), Talk(client)], [list[float](), list[float]()]
    for text in said[:200]:
        for kind, talk in zip(taken, talks, strict=True):
            settled(options, client.recollect)
            kind.append(talk.turn(text))
    client.recollect.flush()
    for name, at in (("median", statistics.median), ("fastest tenth", tenth)):
        plain, ours = (at(kind) * 1e3 for kind in taken)
        report.value(f"added to a call, of 200 turns, {name}", ours - plain, "ms", "<= 15", bare_ms=round(plain, 1))


def settled(options: argparse.Namespace, chat: ChatMemory) -> None:
    """Wait until nothing is being learnt, where that is wanted."""
    while not options.hurry and any(one.status == "pending" for one in chat.pending()):
        time.sleep(0.01)


def tenth(seconds: list[float]) -> float:
    """What the fastest tenth stays below."""
    return statistics.quantiles(seconds, n=10)[0]


def measured(options: argparse.Namespace, memory: Memory, bare: OpenAI, questions: list[str]) -> list[list[float]]:
    """Seconds of each kind of call, which take turns: bare, ours, both until the first word, recall alone."""
    taken: list[list[float]] = [[], [], [], [], []]
    for n in range(options.rounds):
        client = remembering(bare, memory, user_id="u", session_id=f"round {n}", recall_seconds=None)
        talks = [Talk(bare), Talk(client), Talk(bare), Talk(client)]
        calls = [talks[0].turn, talks[1].turn, talks[2].first_word, talks[3].first_word, partial(recall, memory)]
        for place in range(options.turns):
            question = questions[(n * options.turns + place) % len(questions)]
            for kind, call in zip(taken, calls, strict=True):
                settled(options, client.recollect)
                kind.append(call(question))
        client.recollect.close()
    return taken


if __name__ == "__main__":
    main()
