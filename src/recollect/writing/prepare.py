"""A chunk made ready: its facts as contents, its turns as what they are found by. All of it is the same however often a commit
must be tried.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ..model import Evidence, Fact, Kind, SourceClass, Turn, Usage
from ..ports import Embedder, Tokenizer
from ..records import Batch, ChunkDone, JournalledChunk, TurnPassage
from ..safety.quarantine import Reader
from ..safety.trust import Trust, told_by
from .plan import Content, Plan


@dataclass(frozen=True, slots=True)
class ChunkWork:
    """A chunk with its facts prepared. `turn_keys`: terms and vector of each turn. `embedder`: who made its vectors.
    `doubts`: of each fact why it is quarantined, None where it is believed; `hidden`: the turns that must not be served, and
    why."""

    batch: Batch
    chunk: JournalledChunk
    facts: tuple[Fact, ...]
    contents: tuple[Content, ...]
    turn_keys: tuple[tuple[dict[str, int], Any], ...]
    embedder: Embedder
    doubts: tuple[str | None, ...]
    hidden: Mapping[int, str]

    @property
    def believed(self) -> ChunkWork:
        """The same without the facts that are quarantined: they take part in nothing."""
        if not any(self.doubts):
            return self
        kept = [i for i, doubt in enumerate(self.doubts) if doubt is None]
        facts, contents = tuple(self.facts[i] for i in kept), tuple(self.contents[i] for i in kept)
        return replace(self, facts=facts, contents=contents, doubts=(None,) * len(kept))

    @property
    def doubted(self) -> list[tuple[Fact, Content, str]]:
        """The facts that are quarantined, each with its content and why."""
        told = zip(self.facts, self.contents, self.doubts, strict=True)
        return [(fact, content, doubt) for fact, content, doubt in told if doubt is not None]

    def turn_passages(self, plan: Plan) -> list[TurnPassage]:
        """The chunk's turns, searchable from this commit on; those that are told again are so already."""
        if self.batch.retells:
            return []
        return [
            TurnPassage(turn.number, plan.next_passage(), terms, vector)
            for turn, (terms, vector) in zip(self.chunk.turns, self.turn_keys, strict=True)
        ]

    def done(self, owner: str, usage: Usage) -> ChunkDone:
        """The mark that this chunk, and with the last one its batch, is finished."""
        return ChunkDone(self.batch.id, self.chunk.record.n, owner, usage, self.chunk.erased_at)


def whole_messages(turns: Sequence[Turn]) -> list[Fact]:
    """`infer=False`: each message a fact as it stands, quoted whole."""
    return [
        Fact(turn.content, Kind.KNOWLEDGE, (Evidence(turn.id, turn.content),), source=told_by(turn)) for turn in turns
    ]


def doubts_of(facts: Sequence[Fact], chunk: JournalledChunk, trust: Trust, reader: Reader) -> tuple[str | None, ...]:
    """Of each fact why it is quarantined; None where it is believed."""
    turns = (*chunk.context, *chunk.turns)
    return tuple(
        "not a source to be believed in this"
        if not trust.of(fact.source, fact.kind)
        else reader.judge_fact(fact, turns)
        for fact in facts
    )


def hidden_of(chunk: JournalledChunk, reader: Reader) -> dict[int, str]:
    """The turns of a chunk that must not be served, and why."""
    found = ((turn.number, reader.suspicions(turn.content, SourceClass.of(turn.role))) for turn in chunk.turns)
    return {number: spans[0][2] for number, spans in found if spans}


def turn_texts(chunk: JournalledChunk) -> list[str]:
    """What turns are found by: each one's text after the turn before it, which often holds the words that it answers."""
    texts = []
    previous = chunk.context[-1] if chunk.context else None
    for turn in chunk.turns:
        before = f"{previous.speaker}: {previous.content}\n" if previous else ""
        texts.append(f"{before}{turn.speaker}: {turn.content}")
        previous = turn
    return texts


def turn_terms(chunk: JournalledChunk, tokenizer: Tokenizer) -> list[dict[str, int]]:
    """The term counts of the same: each turn's own, and those of the turn before it, told apart by language one by one."""
    said = [*chunk.context[-1:], *chunk.turns]
    own = [tokenizer(f"{turn.speaker}: {turn.content}") for turn in said]
    first = len(said) - len(chunk.turns)
    return [together(own[i], own[i - 1] if i else {}) for i in range(first, len(said))]


def together(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Two texts' term counts as one's."""
    counts = dict(one)
    for term, count in other.items():
        counts[term] = counts.get(term, 0) + count
    return counts


def content_of(fact: Fact, chunk: JournalledChunk, terms: dict[str, int], vector: Any) -> Content:
    """A fact as a row's content, its evidence by turns' numbers."""
    numbers = {turn.id: turn.number for turn in (*chunk.context, *chunk.turns)}
    return Content(
        text=fact.text.strip(),
        kind=fact.kind,
        source=fact.source,
        terms=terms,
        vector=vector,
        quotes=tuple((numbers[evidence.turn_id], evidence.quote) for evidence in fact.evidence),
        slot=fact.slot,
        value=fact.value,
        event=fact.event,
        entities=fact.entities,
        relations=fact.relations,
        metadata=chunk.metadata,
        expires_at=chunk.expires_at,
    )


def stated_at(fact: Fact, chunk: JournalledChunk) -> datetime:
    """Where a fact holds from: its stated start, else the time of the first turn of the chunk that tells it."""
    if fact.valid_from is not None:
        return fact.valid_from
    cited = {evidence.turn_id for evidence in fact.evidence}
    return next((turn.said_at for turn in chunk.turns if turn.id in cited), chunk.turns[0].said_at)
