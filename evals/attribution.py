"""At which stage an answer was lost: from evidence ids and from what is stored, found and packed. No model is asked.

A turn's content reaches the reader through the memories that cite it, or as the turn itself. It got as far as the furthest of
these, and was lost at the stage after. The stages, in their order:

not extracted          no memory cites the turn
extracted wrongly      memories cite it, but all of them together lack what the answer takes from it
superseded or deleted  the live ones among them lack it, those that are no longer live have it
not retrieved          live memories have it, none of them is among the results
over the budget        it is among the results, not in the context
misread                all evidence stands in the context, and the answer is wrong

A system that tells of no stored memory, because it keeps turns or does not say, loses nothing before "not retrieved".
Further: "made up" (an answer to what was never said), "unknown" (the question names no evidence, or the system no turns), and
"failed" (an error is recorded).

**What the answer takes from a turn** (`terms.taken`): its numbers, months, days of the week and names that stand in the turn
or are its speaker's, and its other content words that do, stemmed, but for those that the question has already. Memories have
it where they name all of the former, and half of all together. A date that was worked out stands in no turn; therefore, where
the only evidence turn of a question is answered by one exact day, memories that name days, but neither this one nor the day
of the turn, are extracted wrongly too. An answer of which nothing stands in the turn ("Likely yes") asks nothing of the
memories.

**Where it errs.** Of LoCoMo's 1,202 development evidence turns (829 questions), with the facts that a large model extracted,
it takes 23 for extracted wrongly. Read one by one: 17 have indeed lost what is asked for, a striking word mostly ("surreal",
"Jo"), the others are paraphrases ("letter", "note") or words by the way. A paraphrase of more than half of the words counts
as extracted wrongly, and so does a fact of the same turn on another matter, where the right one cites a neighbouring turn
only. A memory with the words and a wrong sense passes. Said again in another turn, the answer may stand in the context while
its evidence does not: that counts as lost. A question is as good as its key; `Case.question.doubts` tells which are
doubted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from .metrics import Asked
from .metrics.judge import accuracy
from .metrics.order import wanted
from .model import Conversation, DataSet, Found, Question, Stored, Turn
from .records import Record, Records, stored_of
from .terms import Terms, days, exact_day, taken, words_of

Stage = Literal[
    "failed",
    "not extracted",
    "extracted wrongly",
    "superseded or deleted",
    "not retrieved",
    "over the budget",
    "in the context",
    "misread",
    "made up",
    "unknown",
]
LOST: tuple[Stage, ...] = (
    "not extracted",
    "extracted wrongly",
    "superseded or deleted",
    "not retrieved",
    "over the budget",
)
STAGES: tuple[Stage, ...] = ("failed", *LOST, "misread", "made up", "unknown")  # of a case, in the order of tables
RUN = 12  # words of a turn that must stand in the context in one run for the turn to stand there


@dataclass(frozen=True, slots=True)
class Citing:
    """A memory that cites an evidence turn. `missing`: what it lacks of what the answer takes from the turn."""

    id: str
    text: str
    live: bool
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """An evidence turn, and how far it got. `rank`: of the first result, from 1, that brings it; None where none does.
    `missing`: what all citing memories together lack."""

    turn: Turn
    stage: Stage
    memories: tuple[Citing, ...]
    rank: int | None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A question that was lost. `given`: the answer, None where none was given; `verdict` and `reason` the judge's, None
    without one; `error`: of a record that failed."""

    conversation: str
    question: Question
    stage: Stage
    evidence: tuple[Evidence, ...] = ()
    given: str | None = None
    verdict: str | None = None
    reason: str | None = None
    error: str | None = None


def attribute(data: DataSet, records: Records) -> list[Case]:
    """The questions judged wrong; of those not judged, the ones whose evidence is not wholly in the context (where no context
    was made: among the results); and the ones that failed."""
    stored: dict[str, list[Stored]] = defaultdict(list)
    for record in records.stored.values():
        stored[record["conversation"]].append(stored_of(record))
    asked = {one.question.id: one for _, one in records.asked(data)}
    names_turns = records.names_turns
    cases = []
    for conversation in data.conversations:
        found_in = _Conversation(conversation, stored[conversation.id], bool(records.stored), names_turns)
        failed = _error(records.ingest.get(conversation.id))
        for question in conversation.questions:
            error = failed or _error(records.search.get(question.id)) or _error(records.answers.get(question.id))
            if error is not None:
                cases.append(Case(conversation.id, question, "failed", error=error))
            elif question.id in asked and (case := found_in.case(asked[question.id])) is not None:
                cases.append(case)
    return cases


def table(cases: Iterable[Case]) -> dict[str, dict[Stage, int]]:
    """category → stage → how many cases; those without any are left out."""
    counts: dict[str, Counter[Stage]] = defaultdict(Counter)
    for case in cases:
        counts[case.question.category][case.stage] += 1
    return {category: {stage: n[stage] for stage in STAGES if n[stage]} for category, n in sorted(counts.items())}


class _Conversation:
    """One conversation with what the system stored of it."""

    def __init__(
        self, conversation: Conversation, stored: Sequence[Stored], has_memories: bool, names_turns: bool
    ) -> None:
        self.id = conversation.id
        self.turns = {turn.id: turn for turn in conversation.turns}
        self.has_memories, self.names_turns = has_memories, names_turns
        self.citing: dict[str, list[Stored]] = defaultdict(list)
        for memory in stored:
            for turn in dict.fromkeys(memory.turns):
                self.citing[turn].append(memory)

    def case(self, asked: Asked) -> Case | None:
        """The case of a question, None where it is not lost."""
        judged = asked.judgement
        if judged is not None and accuracy(asked.question, judged):
            return None
        evidence = tuple(self._evidence(turn, asked) for turn in self._named(asked.question))
        stage = self._stage(asked, evidence)
        if stage is None:
            return None
        verdict, reason = (None, None) if judged is None else (judged["verdict"], judged.get("reason"))
        return Case(self.id, asked.question, stage, evidence, asked.answer, verdict, reason)

    def _stage(self, asked: Asked, evidence: Sequence[Evidence]) -> Stage | None:
        judged = asked.judgement is not None
        if asked.question.answer is None:
            return "made up" if judged else None
        if not evidence or not self.names_turns:
            return "unknown" if judged else None
        lost = min((LOST.index(one.stage) for one in evidence if one.stage in LOST), default=None)
        if lost is not None:
            return LOST[lost]
        return "misread" if judged else None

    def _named(self, question: Question) -> list[Turn]:
        return [
            self.turns[name] for name in dict.fromkeys(question.evidence) if name in self.turns and wanted(question)
        ]

    def _evidence(self, turn: Turn, asked: Asked) -> Evidence:
        answer = asked.question.answer or ""
        asks = taken(asked.question.text, answer, f"{turn.speaker}: {turn.text}")
        citing = self.citing[turn.id]
        alone = len(set(asked.question.evidence)) == 1
        missing = _missing(asks, citing) or (_misdated(answer, turn, citing) if alone else ())
        stage = self._reached(turn, asks, missing, asked)
        memories = tuple(Citing(one.id, one.text, one.live, asks.missing([one.text])) for one in citing)
        return Evidence(turn, stage, memories, _rank(turn, asks, asked.found or ()), missing)

    def _reached(self, turn: Turn, asks: Terms, missing: Sequence[str], asked: Asked) -> Stage:
        """How far the turn's content got by its memories, or as the turn itself where that got further."""
        lost = self._lost_in_store(turn, asks, missing)
        found = asked.found or ()
        if asked.context is None:
            there = any(one.kind == "turn" and turn.id in one.turns for one in found)
            there = there or (lost is None and _rank(turn, asks, found) is not None)
        else:
            there = turn.id in asked.context.turns and (lost is None or _stands(turn.text, asked.context.text))
        if there:
            return "in the context"
        if lost is None:
            return "not retrieved" if _rank(turn, asks, found) is None else "over the budget"
        return "over the budget" if any(one.kind == "turn" and turn.id in one.turns for one in found) else lost

    def _lost_in_store(self, turn: Turn, asks: Terms, missing: Sequence[str]) -> Stage | None:
        citing = self.citing[turn.id]
        live = [one for one in citing if one.live]
        if not self.has_memories:
            return None
        if not citing:
            return "not extracted"
        if missing:
            return "extracted wrongly"
        return "superseded or deleted" if not live or _missing(asks, live) else None


def _missing(asks: Terms, memories: Sequence[Stored]) -> tuple[str, ...]:
    return asks.missing(one.text for one in memories) if memories else ()


def _misdated(answer: str, turn: Turn, memories: Sequence[Stored]) -> tuple[str, ...]:
    """The day that an answer names, where the memories of its only evidence turn name others; else empty."""
    asked = exact_day(answer)
    told = frozenset[date]().union(*(days(one.text) for one in memories))
    said = set() if turn.said_at is None else {turn.said_at.date()}
    if asked is None or asked in told | days(turn.text) or not told - said:
        return ()
    return (asked.isoformat(),)


def _rank(turn: Turn, asks: Terms, found: Sequence[Found]) -> int | None:
    """The first result that is the turn, or a memory of it that says anything of what the answer takes from it."""
    ranks = (
        rank
        for rank, one in enumerate(found, start=1)
        if turn.id in one.turns and (one.kind == "turn" or asks.in_part(one.text))
    )
    return next(ranks, None)


def _stands(text: str, context: str) -> bool:
    """Whether a text's beginning stands in a context, word by word, however it is set there."""
    beginning = " ".join(words_of(text)[:RUN])
    return f" {beginning} " in f" {' '.join(words_of(context))} "


def _error(record: Record | None) -> str | None:
    """What a record says that went wrong; None where there is none, or nothing did."""
    if record is None or "error" not in record:
        return None
    error = record["error"]
    return f"{error['type']}: {error['message']}" if isinstance(error, Mapping) else str(error)
