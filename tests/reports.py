"""Runs with records made by chance, for reports: of the shipped conversations, with systems of chosen quality.

python tests/reports.py FOLDER      writes report.html and report.md of two such runs
"""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from recollect_evals import datasets, report
from recollect_evals.attribution import attribute
from recollect_evals.model import Conversation, DataSet, Question, Spent
from recollect_evals.records import Records
from recollect_evals.results import Result
from recollect_evals.run import Manifest, slug_of
from recollect_evals.scores import score

PHASES = ("search", "answer", "judge")


@dataclass(frozen=True)
class Made:
    """A system to be. `skill`: chance that an evidence turn is found early. `tokens`: of its contexts. `floor`: chance that an
    unrelated question is met by silence. `price`: US dollars of its ingestion."""

    name: str
    skill: float
    tokens: int = 900
    floor: float = 0.0
    price: float = 0.0
    settings: Mapping[str, Any] | None = None

    @property
    def memories(self) -> bool:
        return self.name.startswith(("recollect", "mem0"))


SYSTEMS = (
    Made("full context", 0.97, 9_000, settings={"max_tokens": None}),
    Made("last 20 turns", 0.25, settings={"last": 20}),
    Made("turns, BM25", 0.55),
    Made("turns, MiniLM", 0.5),
    Made("turns, BM25 + MiniLM", 0.62),
    Made("previous + turn, BM25 + MiniLM", 0.7),
    Made("mem0", 0.5, 700, price=1.9),
    Made("recollect, rules", 0.72, 800, 0.85),
    Made("recollect, gpt-5-mini", 0.85, 820, 0.9, 1.2, {"llm": "openai/gpt-5-mini", "include": ["memories", "turns"]}),
)


def made(
    name: str,
    data: DataSet,
    systems: Sequence[Made] = SYSTEMS,
    *,
    phases: Sequence[str] = PHASES,
    seed: int = 0,
) -> Result:
    """A run as it comes from scoring its records."""
    records = {slug_of(one.name): records_of(one, data, phases, random.Random(f"{seed} {one.name}")) for one in systems}
    return result(name, data, records, {slug_of(one.name): one for one in systems}, phases)


def result(
    name: str,
    data: DataSet,
    records: Mapping[str, Records],
    systems: Mapping[str, Made],
    phases: Sequence[str] = PHASES,
    **manifest: Any,
) -> Result:
    """The records of systems, scored."""
    models = {"reader": "answer", "judge": "judge"}
    told = {
        "source": data.name,
        "systems": {slug: {"name": one.name, "settings": one.settings or {}} for slug, one in systems.items()},
        "prompts": {phase: f"{phase}@1#0123abcd" for phase in models.values() if phase in phases},
        "selection": {"conversations": [], "limit": None},
        "started": "2026-03-01T10:00:00+00:00",
        **{role: "openai/gpt-5-mini" if phase in phases else None for role, phase in models.items()},
    }
    of = Manifest(data.name, data.checksum, **{**told, **manifest})
    return Result(
        name,
        of,
        {slug: score(data, one) for slug, one in records.items()},
        {slug: attribute(data, one) for slug, one in records.items()},
        Spent(10, 100, 10, 0.5, 3.0),
        data.problems,
    )


def records_of(one: Made, data: DataSet, phases: Sequence[str], chance: random.Random) -> Records:
    """What it did."""
    records = Records({}, {}, {}, {}, {}, {})
    for talk in data.conversations:
        _ingest(one, talk, records, chance)
        for question in talk.questions:
            _ask(one, talk, question, records, phases, chance)
        for n in range(20):
            found = 0 if chance.random() < one.floor else chance.randrange(1, 10)
            records.unrelated[talk.id, f"q{n}"] = {"found": found, "best": 0.3}
    return records


def _ingest(one: Made, talk: Conversation, records: Records, chance: random.Random) -> None:
    number = len(talk.turns) if one.memories else 0
    spent = {"calls": number // 8 if one.price else 0, "input_tokens": number * 90, "output_tokens": number * 30}
    spent |= {"usd": one.price / 20, "seconds": chance.uniform(0.1, 2.0)}
    rejected = {"no evidence": 2, "date unclear": 1} if one.memories else {}
    records.ingest[talk.id] = {"conversation": talk.id, "memories": number, "rejected": rejected, "spent": spent}
    for turn in talk.turns if one.memories else ():
        if chance.random() < 0.9:
            key = (talk.id, f"m{turn.id}")
            text = turn.text if chance.random() < 0.8 else "Something else was said."
            live = chance.random() < 0.93
            records.stored[key] = {
                "conversation": talk.id,
                "id": key[1],
                "text": text,
                "turns": [turn.id],
                "live": live,
            }


def _ask(
    one: Made, talk: Conversation, question: Question, records: Records, phases: Sequence[str], chance: random.Random
) -> None:
    turns = [turn.id for turn in talk.turns]
    others = chance.sample(turns, min(50, len(turns)))
    early = [turn for turn in question.evidence if chance.random() < one.skill]
    first = [turn for i, e in enumerate(early) for turn in (e, *others[3 * i : 3 * i + 3])]
    ranked = list(dict.fromkeys(first + others))[:50]
    kind = "memory" if one.memories else "turn"
    texts = {turn.id: turn.text for turn in talk.turns}
    found = [{"kind": kind, "id": t, "text": texts[t], "turns": [t], "score": 0.5} for t in ranked]
    packed = ranked[:20]
    context = {
        "text": "\n".join(texts[t] for t in packed),
        "tokens": int(one.tokens * chance.uniform(0.7, 1.1)),
        "turns": packed,
    }
    seconds = {"search_seconds": chance.uniform(0.002, 0.02), "context_seconds": chance.uniform(0.003, 0.03)}
    if "search" in phases:
        records.search[question.id] = {"question": question.id, "found": found, "context": context, **seconds}
    right = chance.random() < (0.1 + 0.8 * one.skill if set(question.evidence) <= set(packed) else 0.08)
    given = (
        (question.answer or "Not said.") if right else chance.choice(["Not said.", "In Rome, I think.", "7 May 2023"])
    )
    tokens = context["tokens"]
    spent = {"calls": 1, "input_tokens": tokens, "output_tokens": 12, "usd": tokens * 2.5e-7, "seconds": 1.2}
    said = {"question": question.id, "spent": spent, "model": "openai/gpt-5-mini"}
    if "answer" in phases:
        records.answers[question.id] = {**said, "answer": given, "prompt": "answer@1"}
    if "judge" in phases:
        abstains = given == "Not said."
        verdict = "abstained" if abstains else "right" if right else "wrong"
        judged = {"verdict": verdict, "reason": "As the key has it." if right else "Another answer."}
        records.judgements[question.id] = {**said, **judged, "system": "", "prompt": "judge@1"}


def doubted(data: DataSet) -> DataSet:
    """The same with an audit's doubts about some of the key."""
    chance = random.Random(1)
    talks = []
    for talk in data.conversations:
        doubts = [frozenset({d for d in ("answer", "evidence") if chance.random() < 0.05}) for _ in talk.questions]
        questions = tuple(replace(q, doubts=d) for q, d in zip(talk.questions, doubts, strict=True))
        talks.append(replace(talk, questions=questions))
    return replace(data, conversations=tuple(talks))


def main(folder: str) -> None:
    data = doubted(datasets.load("changes"))
    runs = [made("first", data), made("second", data, SYSTEMS[-2:], seed=1)]
    for name, write in (("report.html", report.html), ("report.md", report.markdown)):
        (Path(folder) / name).write_text(write(runs), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
