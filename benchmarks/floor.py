"""The gate and the score, on LoCoMo's development conversations and on our own set `changes`: what unrelated queries still find,
what related ones lose.

Related questions have evidence in their own conversation. Unrelated are `others`: questions of other conversations, drawn as the
eval harness does; `renamed`: the same, their speakers' names replaced by those of the conversation asked, so that names tell
nothing; `ordinary`: requests that none of the conversations has to do with. `--fit` fits the constants of calibration.py by
logistic regression, related and unrelated weighing the same, as each store does; each conversation is judged by a fit without it.
`--plot` draws how often a score, or the gate, is right.

RECOLLECT_DATA=folder python benchmarks/floor.py [--store folder] [--fit] [--plot file.svg] [--others] [--words] [--embedder name]
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from recollect.adapters.minilm import MiniLM
from recollect.model import Scope
from recollect.records import Space
from recollect.retrieval.calibration import (
    FEWEST,
    FLOOR,
    GATE,
    LOOKS,
    MOST,
    RETOLD,
    VOUCHED,
    Nearest,
    answerable,
    calibrated,
)
from recollect.retrieval.ordering import order
from recollect.retrieval.query import Query
from recollect.retrieval.retrieve import VOUCHING, nearest, relevance
from recollect.testing import HashEmbedder
from recollect.times import now
from recollect_evals.datasets import load
from recollect_evals.metrics.order import wanted
from recollect_evals.model import Conversation, DataSet
from recollect_evals.phases.selection import select, unrelated_to
from recollect_evals.report import svg
from recollect_evals.systems.recollect import Recollect
from recollect_evals.systems.registry import Options, make

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

GATES = (0.1, 0.2, 0.3, 0.4, GATE, 0.6, 0.7, 0.8, 0.9)
OTHERS = 100  # questions of other conversations, asked in each
DEPTH = 60  # hits that are looked at
UNRELATED_KINDS = ("others", "renamed", "ordinary")


@dataclass(frozen=True)
class Seen:
    """A hit in the order of fusion: what its score is made of, whether another channel vouches for it, and the turns that it
    stands for."""

    cosine: float | None
    coverage: float
    vouched: bool
    turns: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """A question, where it was asked, and what was found with gate and floor off. `evidence` is empty for unrelated ones."""

    store: str
    talk: str
    kind: str
    near: Nearest
    hits: tuple[Seen, ...]
    evidence: frozenset[str]

    def recall(self, gate: float) -> float:
        """Of the evidence among the first 10 distinct turns."""
        if answerable(self.near) < gate:
            return 0.0
        kept = (hit for hit in self.hits if gate == 0 or hit.vouched or calibrated(hit.cosine, hit.coverage) >= FLOOR)
        first = list(dict.fromkeys(turn for hit in kept for turn in hit.turns))[:10]
        return len(self.evidence.intersection(first)) / len(self.evidence)

    def carries(self, hit: Seen) -> bool:
        """Whether a hit stands for a turn of the evidence."""
        return not self.evidence.isdisjoint(hit.turns)


def speakers(talk: Conversation) -> list[str]:
    """Who has a name."""
    return [
        name
        for name in dict.fromkeys(turn.speaker for turn in talk.turns)
        if name.casefold() not in {"user", "assistant"}
    ]


def renamed(text: str, of: Conversation, to: Conversation) -> str:
    """A question with its conversation's speakers called by the names of another's."""
    ours = speakers(to) or ["the user"]
    for place, name in enumerate(speakers(of)):
        other = ours[place % len(ours)]
        for old, new in {name: other, name.split()[0]: other.split()[0]}.items():
            text = re.sub(rf"\b{re.escape(old)}\b", new, text)
    return text


def questions(data: DataSet) -> Iterator[tuple[Conversation, str, str, frozenset[str]]]:
    """(where it is asked, kind, text, evidence)"""
    selection = select(data)
    home = {question.id: talk for talk in data.conversations for question in talk.questions}
    for outline in selection.all:
        talk = selection.read(outline)
        yield from ((talk, "related", one.text, found) for one in talk.questions if (found := wanted(one)))
        for one in unrelated_to(outline, selection, OTHERS, 0):
            yield talk, "others", one.text, frozenset()
            yield talk, "renamed", renamed(one.text, home[one.id], talk), frozenset()
        yield from ((talk, "ordinary", text, frozenset()) for text in UNRELATED)


def ask(name: str, system: Recollect, data: DataSet, words: bool) -> Iterator[Asked]:
    """Each question, with gate and floor off."""
    core = system.memory._memory
    store, retriever = core._store, core._retriever
    for talk in data.conversations:
        system.ingest(talk)
    asked = list(questions(data))
    vectors = [None] * len(asked) if words else np.asarray(store.embedder.embed([text for _, _, text, _ in asked]))
    for (talk, kind, text, evidence), vector in zip(asked, vectors, strict=True):
        ended = system._talk(talk.id).ended
        space = store.ledger.space(talk.id)
        assert space is not None
        at = now() if ended is None else ended + timedelta(minutes=1)
        include = frozenset({"memories", "turns"})
        query = Query(text, Scope(talk.id), at, limit=DEPTH, min_score=0.0, include=include)
        sought = retriever.sought(query, vector, store.embedder)
        assert sought is not None
        fused = order(sought)
        near, keys = relevance(sought, fused.keys[:DEPTH]), fused.keys[:DEPTH].tolist()
        told = told_by(system, space, talk.id, keys, sought.served)
        vouched = fused.fusion.reached(VOUCHING, VOUCHED)
        hits = tuple(
            Seen(sought.scale(cosine), coverage, bool(vouched[key]), told[key])
            for key, (cosine, coverage) in zip(keys, near, strict=True)
        )
        yield Asked(name, talk.id, kind, nearest(sought, near), hits, evidence)


def told_by(system: Recollect, space: Space, talk: str, keys: Sequence[int], served: Any) -> dict[int, tuple[str, ...]]:
    """Passage → the conversation's names of the turns that it stands for."""
    ledger = system.memory._memory._store.ledger
    numbers: dict[int, list[int]] = {key: [int(served.turns[key])] if served.turns[key] else [] for key in keys}
    for source in ledger.sources(space, [key for key in keys if served.rows[key]]):
        numbers[source.statement].append(source.turn)
    turns = ledger.turns(space, {one for told in numbers.values() for one in told})
    names = system._talk(talk).turns
    return {key: tuple(names[turns[one].id] for one in told) for key, told in numbers.items()}


# --- fitting -----------------------------------------------------------------------------------------------------------


def fit(features: np.ndarray, related: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Logistic regression by Newton's method: bias, then one for each feature."""
    x = np.column_stack([np.ones(len(features)), features])
    beta = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ beta))
        gradient = x.T @ (weight * (related - p)) - 1e-6 * beta
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + 1e-6 * np.eye(len(beta))
        beta += np.linalg.solve(hessian, gradient)
    return beta


def balanced(stores: np.ndarray, related: np.ndarray) -> np.ndarray:
    """Weights by which each store counts the same, and in it related and unrelated."""
    weight = np.zeros(len(related))
    for store in set(stores):
        for side in (0.0, 1.0):
            mine = (stores == store) & (related == side)
            weight[mine] = 500 / max(mine.sum(), 1)
    return weight


def of_query(one: Asked) -> list[float]:
    """What the gate is made of."""
    near = one.near
    if near.cosine is None:
        return [near.coverage, near.strange]
    texts = near.turns + RETOLD * near.memories
    return [near.cosine, near.coverage, near.company, near.strange, float(np.log(min(max(texts, FEWEST), MOST)))]


def of_hit(hit: Seen) -> list[float]:
    """What a score is made of."""
    return [hit.coverage] if hit.cosine is None else [hit.cosine, hit.coverage]


@dataclass(frozen=True)
class Sample:
    """What is fitted: features, whether related, and where from."""

    features: np.ndarray
    related: np.ndarray
    stores: np.ndarray
    talks: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[tuple[list[float], bool, Asked]]) -> Sample:
        """From (features, whether related, question)."""
        return cls(
            np.array([features for features, _, _ in rows]),
            np.array([float(related) for _, related, _ in rows]),
            np.array([one.store for _, _, one in rows]),
            np.array([one.talk for _, _, one in rows]),
        )

    def fitted(self, mine: np.ndarray) -> np.ndarray:
        """By these rows alone."""
        weight = balanced(self.stores[mine], self.related[mine])
        return fit(self.features[mine], self.related[mine], weight)

    def held_out(self, groups: np.ndarray) -> np.ndarray:
        """The probability of each row, by a fit without its group."""
        found = np.zeros(len(self.related))
        for group in set(groups):
            mine = groups == group
            beta = self.fitted(~mine)
            found[mine] = 1 / (1 + np.exp(-(beta[0] + self.features[mine] @ beta[1:])))
        return found


def queries_of(asked: Sequence[Asked]) -> Sample:
    """Related queries, and unrelated ones whose names tell what they may."""
    return Sample.of([(of_query(one), one.kind == "related", one) for one in asked if one.kind != "renamed"])


def hits_of(asked: Sequence[Asked]) -> Sample:
    """Hits that carry evidence, and those of unrelated queries."""
    rows = [
        (of_hit(hit), one.kind == "related", one)
        for one in asked
        if one.kind != "renamed"
        for hit in one.hits[:LOOKS]
        if one.kind != "related" or one.carries(hit)
    ]
    return Sample.of(rows)


def show_fit(asked: Sequence[Asked]) -> None:
    """The constants, and what the gate would do on conversations and stores that it was not fitted to."""
    for name, sample in (("gate", queries_of(asked)), ("score", hits_of(asked))):
        print(f"fit of the {name}:", np.round(sample.fitted(np.ones(len(sample.related), bool)), 2))
    sample = queries_of(asked)
    judged = [one for one in asked if one.kind != "renamed"]
    for what, groups in (("conversation", sample.talks), ("store", sample.stores)):
        found = sample.held_out(groups)
        for store in dict.fromkeys(sample.stores):
            told = [(one, p) for one, p in zip(judged, found, strict=True) if one.store == store]
            silent = np.mean([p < GATE for one, p in told if one.kind == "others"])
            kept = np.mean([p >= GATE for one, p in told if one.kind == "related"])
            print(f"  fitted without the {what}: {store}: silent on others {silent:.1%}, related asked on {kept:.1%}")


# --- what it does ------------------------------------------------------------------------------------------------------


def report(asked: Sequence[Asked]) -> None:
    """What each threshold of the gate does, a table a store."""
    for store in dict.fromkeys(one.store for one in asked):
        mine = [one for one in asked if one.store == store]
        related = [one for one in mine if one.kind == "related"]
        print(f"{store}: {len(related)} related; R@10 without gate and floor {recall(related, 0):.1f}")
        print(f"{'gate':>6} {'R@10':>6} {'related silent':>15} " + " ".join(f"{kind:>9}" for kind in UNRELATED_KINDS))
        for gate in GATES:
            silent = [share_silent(mine, kind, gate) for kind in ("related", *UNRELATED_KINDS)]
            mark = " <- in use" if gate == GATE else ""
            print(
                f"{gate:>6.2f} {recall(related, gate):>6.1f} {silent[0]:>15.1f} "
                + " ".join(f"{one:>9.1f}" for one in silent[1:])
                + mark
            )


def recall(related: Sequence[Asked], gate: float) -> float:
    """R@10 in %."""
    return 100 * float(np.mean([one.recall(gate) for one in related]))


def share_silent(asked: Sequence[Asked], kind: str, gate: float) -> float:
    """In %."""
    return 100 * float(np.mean([answerable(one.near) < gate for one in asked if one.kind == kind]))


def reliability(probability: np.ndarray, related: np.ndarray, weight: np.ndarray) -> list[tuple[float, float]]:
    """(mean probability, share that is related) of ten bins of equal width; without those that hold next to nothing."""
    place = np.minimum((probability * 10).astype(int), 9)
    points = []
    for number in range(10):
        mine = place == number
        if mine.sum() >= 10:
            total = weight[mine].sum()
            points.append(((weight * probability)[mine].sum() / total, (weight * related)[mine].sum() / total))
    return points


STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#444}.axis{font-weight:600}.grid{stroke:#ddd}"
    ".s0{fill:#1f77b4;stroke:#1f77b4}.s1{fill:#d95f02;stroke:#d95f02}.s2{fill:#1b9e77;stroke:#1b9e77}"
    "text.s0,text.s1,text.s2{stroke:none}polyline{fill:none!important;stroke-width:2}"
)
Line = tuple[str, list[tuple[float, float]]]


def panel(left: float, name: str, x_name: str, y_name: str, lines: Sequence[Line], low: float = 0) -> str:
    """Lines in a square whose axes reach from `low` to 1."""
    size, top = 300.0, 40.0

    def at(x: float, y: float) -> tuple[float, float]:
        return left + size * (max(x, low) - low) / (1 - low), top + size - size * (max(y, low) - low) / (1 - low)

    parts = [svg.text(left, top - 14, name, "axis"), svg.text(left + size / 2, top + size + 36, x_name, "", "middle")]
    for step in np.linspace(low, 1, 6):
        x, y = at(step, step)
        parts.append(svg.tag("path", d=f"M{left} {y:.1f}H{left + size}M{x:.1f} {top}V{top + size}", cls="grid"))
        parts.append(svg.text(left - 6, y + 4, f"{step:.2g}", "", "end"))
        parts.append(svg.text(x, top + size + 16, f"{step:.2g}", "", "middle"))
    parts.append(svg.text(left + 6, top + 14, y_name))
    for place, (label, points) in enumerate(lines):
        way = " ".join("{:.1f},{:.1f}".format(*at(x, y)) for x, y in points)
        parts.append(svg.tag("polyline", points=way, cls=f"s{place}"))
        parts += [svg.mark(place, *at(x, y), f"{label}: {x:.3f}, {y:.3f}") for x, y in points]
        parts.append(svg.text(left + size - 8, top + size - 12 - 16 * place, label, f"s{place}", "end"))
    return "".join(parts)


def plot(asked: Sequence[Asked]) -> str:
    """Left: how often what was said to be so sure was related, by fits without the conversation. Right: what the gate costs."""
    lines = []
    for name, sample in (("gate, of queries", queries_of(asked)), ("score, of hits", hits_of(asked))):
        weight = balanced(sample.stores, sample.related)
        lines.append((name, reliability(sample.held_out(sample.talks), sample.related, weight)))
    costs = []
    for store in dict.fromkeys(one.store for one in asked):
        mine = [one for one in asked if one.store == store]
        related = [one for one in mine if one.kind == "related"]
        full = recall(related, 0)
        costs.append(
            (store, [(share_silent(mine, "others", gate) / 100, recall(related, gate) / full) for gate in GATES])
        )
    parts = [svg.tag("style", STYLE)]
    parts.append(panel(50, "Calibration", "said", "related in fact (both sides weigh the same)", lines))
    parts.append(
        panel(430, "The gate", "silent on questions of other conversations", "share of R@10 kept", costs, low=0.75)
    )
    drawn = svg.picture(760, 400, "Calibration of score and gate", parts)
    return drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)


class Scaled(MiniLM):
    """MiniLM with a constant direction mixed in: unrelated texts are near each other, as with many other embedders."""

    id = "scaled-minilm"

    def embed(self, texts: Sequence[str]) -> Any:
        """Unit vectors whose cosines are MiniLM's, squeezed towards 1."""
        vectors = np.asarray(super().embed(texts))
        mixed = np.column_stack([vectors[:, :-1], np.full(len(vectors), 1.5, dtype=np.float32)])
        return mixed / np.linalg.norm(mixed, axis=1, keepdims=True)


def embedder_of(name: str) -> Any:
    """By name: "minilm", "scaled", "hash", or "module:Class" of an object as `Memory` takes it."""
    known = {"minilm": MiniLM, "scaled": Scaled, "hash": HashEmbedder}
    if name in known:
        return known[name]()
    module, _, kind = name.partition(":")
    return getattr(importlib.import_module(module), kind)()


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, help="keep the filled stores here")
    parser.add_argument("--embedder", default="minilm", help="minilm, scaled, hash, or module:Class")
    parser.add_argument("--fit", action="store_true", help="fit the constants too")
    parser.add_argument("--plot", type=Path, help="draw the calibration into this file")
    parser.add_argument(
        "--others", action="store_true", help="look at HaluMem and BEAM, that nothing was fitted to, instead"
    )
    parser.add_argument("--words", action="store_true", help="as while the embedder is down: by words alone")
    options = parser.parse_args()
    data = os.environ.get("RECOLLECT_DATA")
    if data is None:
        print("floor: skipped, RECOLLECT_DATA names no folder")
        return
    locomo = Path(data) / "locomo"
    made = Options(embedder=embedder_of(options.embedder), recorded=locomo / "recorded")
    asked: list[Asked] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.store or Path(temporary)
        stores = [
            ("LoCoMo, recorded", "recollect-recorded", str(locomo / "dev.json")),
            ("LoCoMo, rules", "recollect-rules", str(locomo / "dev.json")),
            ("changes, rules", "recollect-rules", "changes"),
        ]
        if options.others:
            stores = [
                ("HaluMem, rules", "recollect-rules", str(Path(data) / "halumem")),
                ("BEAM, rules", "recollect-rules", str(Path(data) / "beam" / "100K")),
            ]
        for name, system, source in stores:
            one = make(system, folder=folder / name.replace(", ", "-"), options=made)
            assert isinstance(one, Recollect)
            try:
                asked += ask(name, one, load(source), options.words)
            finally:
                one.close()
    report(asked)
    if options.fit:
        show_fit(asked)
    if options.plot:
        options.plot.write_text(plot(asked), encoding="utf-8")


if __name__ == "__main__":
    main()
