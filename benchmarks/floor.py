"""The floor under the score, on LoCoMo's development conversations: what unrelated queries still find, what related ones lose.

Memories are a recorded extraction of the conversations, reconciled by the rules; questions are searched in their own conversation
(related: is a turn of their evidence among the sources of the first ten?), in another one, and beside them stand ordinary
requests that none of the conversations has to do with. `--fit` fits the score's constants (bias, cosine, coverage) to hits that
carry evidence against the hits of unrelated queries, by logistic regression.

RECOLLECT_DATA=folder python benchmarks/floor.py [--store folder] [--fit] [--words] [--embedder minilm|scaled]
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recollect import Memory
from recollect.adapters.minilm import MiniLM
from recollect.calibration import FLOOR, calibrated
from recollect.records import Space
from recollect.retrieve import Fused, Query, order
from recollect_evals.datasets import load
from recollect_evals.model import Conversation
from recollect_evals.systems.recorded import RecollectRecorded

UNRELATED = """How do I undo the last commit in git?
What is the boiling point of nitrogen?
Write a regular expression that matches an IPv4 address.
Who won the football world cup in 1974?
Translate "good morning" into Portuguese.
How many moons does Jupiter have?
What does a TypeError mean in Python?
Explain the difference between TCP and UDP.
What is the capital of Mongolia?
How do I convert a PDF file to text?
Give me the formula for the area of a circle.
When did the Roman Empire fall?
How do I sort a list of dictionaries by a key?
What is the exchange rate of the euro to the yen?
Summarise the plot of Hamlet in two sentences.
How do I set up a reverse proxy with nginx?
What is the chemical symbol of tungsten?
How long does it take light to reach the earth from the sun?
Which database index suits a range query?
What is the tallest mountain in Africa?
How do I change a flat tyre on a van?
What is the tax rate on capital gains in Norway?
Name three prime numbers above a thousand.
How do I reset the password of my router?
What is the difference between a virus and a bacterium?
Draft an e-mail that asks the landlord to repair the heating.
How do I compute a moving average in a spreadsheet?
What is the population of Indonesia?
Why is my Docker container out of memory?
How do I remove rust from cast iron?
What does the abbreviation HTTP stand for?
How many grams are in an ounce?
Show me how to write a for loop in Rust.
What is the speed of sound in water?
Who painted the ceiling of the Sistine Chapel?
How do I enable two-factor authentication?
What is the half-life of carbon-14?
How do I merge two branches without a conflict?
Which metals are magnetic?
What time is it in Tokyo?""".splitlines()


FLOORS = (0.0, 0.01, FLOOR, 0.05, 0.1, 0.2, 0.3, 0.5)


@dataclass(frozen=True)
class Question:
    """A question, where it is searched, and the turns that carry its answer (none: unrelated)."""

    text: str
    user_id: str
    evidence: frozenset[str] = frozenset()


def questions(talks: Sequence[Conversation], per_pair: int = 15) -> Iterator[Question]:
    """Related ones (categories 1–4), then those asked in a conversation not theirs, then ordinary requests."""
    chance = random.Random(0)
    for talk in talks:
        for one in talk.questions:
            if one.evidence:
                yield Question(one.text, talk.id, frozenset(one.evidence))
    for talk in talks:
        for other in talks:
            if other is not talk:
                for one in chance.sample(other.questions, per_pair):
                    yield Question(one.text, talk.id)
        for text in UNRELATED:
            yield Question(text, talk.id)


@dataclass(frozen=True)
class Seen:
    """A hit in the order of fusion: what its score is made of, and whether it carries evidence."""

    cosine: float
    coverage: float
    score: float
    carries: bool


class Bench:
    """Asks with the floor off, and looks at what the score would have done."""

    def __init__(self, memory: Memory, words: bool) -> None:
        self._words = words
        self._core = memory._memory
        self._store = self._core._store
        self._names: dict[tuple[Space, int], str] = {}

    def backgrounds(self) -> Iterator[tuple[float, int]]:
        """Of each user."""
        for space, _ in self._store.ledger.spaces():
            yield self._store.partitions.get(space).background()

    def ask(self, question: Question, kinds: frozenset[str], limit: int = 10) -> list[Seen]:
        """The first `limit` hits."""
        from recollect.model import Scope
        from recollect.times import now

        store, retriever = self._store, self._core._retriever
        space = store.ledger.space(question.user_id)
        assert space is not None
        query = Query(question.text, Scope(question.user_id), now(), limit=limit, min_score=0.0, include=kinds)
        partition, moment = store.partitions.get(space), retriever.moment(space, query)
        served = retriever.served(space, partition, query, moment)
        vector = None if self._words else np.asarray(store.embedder.embed([question.text]))[0]
        terms = store.tokenizer(question.text)
        first = order(partition, query, moment, terms, vector, served)[:limit]
        near = partition.relevance(vector, terms, [one.key for one in first])
        scale = retriever.scale(partition)
        return [
            Seen(
                cosine or 0.0,
                coverage,
                calibrated(scale(cosine), coverage),
                self._carries(space, one, served, question),
            )
            for one, (cosine, coverage) in zip(first, near, strict=True)
        ]

    def _carries(self, space: Space, one: Fused, served: Any, question: Question) -> bool:
        key = one.key
        if served.turns[key]:
            return self._name(space, int(served.turns[key])) in question.evidence
        sources = self._store.ledger.sources(space, [key])
        return any(self._name(space, source.turn) in question.evidence for source in sources)

    def _name(self, space: Space, turn: int) -> str:
        if not self._names or (space, turn) not in self._names:
            counts: dict[str, int] = {}
            for number, one in sorted(self._store.ledger.turns(space, range(1, 2_000)).items()):
                session = str(one.scope.session_id)
                counts[session] = counts.get(session, 0) + 1
                self._names[space, number] = f"D{session.removeprefix('session_')}:{counts[session]}"
        return self._names[space, turn]


def fit(features: np.ndarray, related: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Logistic regression by Newton's method: (bias, cosine, coverage)."""
    x = np.column_stack([np.ones(len(features)), features])
    beta = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ beta))
        gradient = x.T @ (weight * (related - p))
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x
        beta += np.linalg.solve(hessian, gradient)
    return beta


def report(asked: Sequence[tuple[Question, list[Seen]]], floors: Sequence[float]) -> None:
    """What each floor does."""
    related = [seen for question, seen in asked if question.evidence]
    ordinary = [seen for question, seen in asked if question.text in UNRELATED]
    foreign = [seen for question, seen in asked if not question.evidence and question.text not in UNRELATED]

    def hit(seen: list[Seen], floor: float) -> bool:
        return any(one.carries and one.score >= floor for one in seen)

    def silent(seen: list[Seen], floor: float) -> bool:
        return all(one.score < floor for one in seen)

    print(f"{'floor':>6} {'evidence hit@10':>16} {'silent: ordinary':>17} {'of others':>10} {'related':>8}")
    for floor in floors:
        shares = [np.mean([hit(seen, floor) for seen in related])]
        shares += [np.mean([silent(seen, floor) for seen in kind]) for kind in (ordinary, foreign, related)]
        print(f"{floor:>6.3f} {shares[0]:>16.3f} {shares[1]:>17.3f} {shares[2]:>10.3f} {shares[3]:>8.3f}")
    print(f"queries: {len(related)} related, {len(ordinary)} ordinary unrelated, {len(foreign)} of other conversations")


class Scaled(MiniLM):
    """MiniLM with a constant direction mixed in: unrelated texts are near each other, as with many other embedders."""

    id = "scaled-minilm"

    def embed(self, texts: Sequence[str]) -> Any:
        """Unit vectors whose cosines are MiniLM's, squeezed towards 1."""
        vectors = np.asarray(super().embed(texts))
        mixed = np.column_stack([vectors[:, :-1], np.full(len(vectors), 1.5, dtype=np.float32)])
        return mixed / np.linalg.norm(mixed, axis=1, keepdims=True)


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", help="keep the filled store here")
    parser.add_argument("--embedder", choices=["minilm", "scaled"], default="minilm")
    parser.add_argument("--fit", action="store_true", help="fit the constants too")
    parser.add_argument("--words", action="store_true", help="as while the embedder is down: by words alone")
    options = parser.parse_args()
    data = os.environ.get("RECOLLECT_DATA")
    if data is None:
        print("floor: skipped, RECOLLECT_DATA names no folder")
        return
    folder = Path(data) / "locomo"
    talks = load(folder / "dev.json").conversations
    with tempfile.TemporaryDirectory() as name:
        embedder = Scaled() if options.embedder == "scaled" else MiniLM()
        system = RecollectRecorded(Path(options.store or name), recorded=folder / "recorded", embedder=embedder)
        with system.memory as memory:
            for talk in talks:
                system.ingest(talk)
            bench = Bench(memory, options.words)
            print("background:", *(f"{mean:.3f} ({pairs} pairs)" for mean, pairs in bench.backgrounds()))
            for kinds in (frozenset({"memories"}), frozenset({"memories", "turns"})):
                print(" and ".join(sorted(kinds)))
                asked = [(one, bench.ask(one, kinds)) for one in questions(talks)]
                if options.fit:
                    show_fit(asked)
                report(asked, FLOORS)


def show_fit(asked: Sequence[tuple[Question, list[Seen]]]) -> None:
    """Constants that tell hits with evidence from the hits of unrelated queries, both sides weighing the same."""
    good = [one for _, seen in asked for one in seen if one.carries]
    bad = [one for question, seen in asked if not question.evidence for one in seen]
    features = np.array([(one.cosine, one.coverage) for one in (*good, *bad)])
    related = np.array([1.0] * len(good) + [0.0] * len(bad))
    weight = np.array([0.5 / len(good)] * len(good) + [0.5 / len(bad)] * len(bad)) * len(related)
    if not features[:, 0].any():
        bias, coverage = fit(features[:, 1:], related, weight)
        print(f"fit: bias {bias:.2f}, coverage {coverage:.2f} on {len(good)} and {len(bad)} hits")
        return
    bias, cosine, coverage = fit(features, related, weight)
    print(f"fit: bias {bias:.2f}, cosine {cosine:.2f}, coverage {coverage:.2f} on {len(good)} and {len(bad)} hits")


if __name__ == "__main__":
    main()
