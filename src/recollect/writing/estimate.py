"""What remembering a conversation would cost: counted from the very prompts that would be sent, before any is.

Input tokens of extraction are those of its prompts and its schema. What is not known beforehand is assumed from measurements: how
many facts there will be, and how long they are told, from 21 chunks that a capable model read (evals/readings); how many memories
stand beside them as a user's memories grow, from 2,770 facts of five conversations of LoCoMo. Talks hold half as many facts as
others of their length, and nobody knows before they are read: `least` and `most` are of such talks. docs/models.md says how near
that comes.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..model import Message, Scope, Turn, Usage
from ..ports import ChatModel, Chunk, Priced
from ..times import now
from ..tokens import estimate_tokens
from .candidates import MAX_CANDIDATES
from .extract import ModelExtractor
from .reconcile import MAX_CHARACTERS, ModelReconciler
from .replies import ExtractReply, ReconcileReply

if TYPE_CHECKING:
    from pydantic import BaseModel

FACTS_PER_TURN = 0.67  # of four conversations together
FEW, MANY = 0.45, 0.95  # of one of them: somewhat less than the poorest had (0.50), and more than the richest (0.93)
FACT_TOKENS = 175  # of a fact in a reply, with its fields: 165 to 182
FACT_LINE_TOKENS = 45  # of a fact in the question of the reconciler, without the numbers of what it is beside
NUMBER_TOKENS = 1.7  # of each of these
MEMORY_LINE_TOKENS = 49
DECISION_TOKENS = 48  # 44 to 69
APART = 0.9  # of a chunk's facts many have the same memories near: n facts draw from what is known as n ** 0.9 would
LINE_CHARACTERS = 3.55  # of a token in the question of the reconciler
SPREAD = (
    (0.5, 0.25),
    (1.0, 0.5),
    (1.5, 0.25),
)  # chunks have more facts and fewer: times the mean, and the share of such
LONG_KNOWN = 1_000  # memories of whom nobody says how many there are


@dataclass(frozen=True, slots=True)
class Expected:
    """What models would be paid: as is usual, and where the talk holds few facts, or many."""

    usual: Usage = Usage()
    least: Usage = Usage()
    most: Usage = Usage()

    def __add__(self, other: Expected) -> Expected:
        return Expected(self.usual + other.usual, self.least + other.least, self.most + other.most)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A chunk: its turns, and the calls and tokens of asking for its facts."""

    turns: int
    calls: int
    tokens: int


def estimate(
    model: ChatModel, turns: Sequence[Turn], sizes: Sequence[int], instructions: str | None, told: int | None = None
) -> Expected:
    """The usage of extracting turns in chunks of `sizes`. `told`: how many turns the user's memories come from by now; None is
    many. `cost_usd` is None where the model's price is not known."""
    asked, first = [], 0
    for size in sizes:
        chunk = Chunk(tuple(turns[first : first + size]), tuple(turns[max(0, first - 4) : first]), instructions)
        asked.append(_asked(model, chunk))
        first += size
    return Expected(*(_usage(model, asked, told, density) for density in (FACTS_PER_TURN, FEW, MANY)))


def _asked(model: ChatModel, chunk: Chunk) -> _Asked:
    prompts = ModelExtractor(model).questions(chunk)
    tokens = sum(estimate_tokens(message["content"]) for prompt in prompts for message in prompt)
    return _Asked(len(chunk.turns), len(prompts), tokens + len(prompts) * shape_tokens(ExtractReply))


def _usage(model: ChatModel, asked: Sequence[_Asked], told: int | None, density: float) -> Usage:
    """The usage where each turn holds so many facts."""
    empty = sum(estimate_tokens(message["content"]) for message in ModelReconciler(model).question(()))
    frame = empty + shape_tokens(ReconcileReply)
    calls = read = written = 0.0
    known = float(LONG_KNOWN) if told is None else density * told
    for chunk in asked:
        facts = density * chunk.turns
        deciding = [(share, *_deciding(frame, times * facts, known)) for times, share in SPREAD]
        calls += chunk.calls + sum(share * some for share, some, _ in deciding)
        read += chunk.tokens + sum(share * tokens for share, _, tokens in deciding)
        written += facts * (FACT_TOKENS + DECISION_TOKENS)
        known += facts
    total = Usage(round(calls), round(read), round(written))
    return replace(total, cost_usd=model.price(total) if isinstance(model, Priced) else None)


def _deciding(frame: int, facts: float, known: float) -> tuple[int, float]:
    """The calls and the tokens read to decide on facts of one chunk beside what is known: two and more where that is too long
    for one."""
    numbers = facts * NUMBER_TOKENS * min(MAX_CANDIDATES, known + facts / 2)
    lines = facts * FACT_LINE_TOKENS + numbers + beside(facts, known) * MEMORY_LINE_TOKENS
    if facts < 2 or lines * LINE_CHARACTERS <= MAX_CHARACTERS:
        return 1, frame + lines
    calls, tokens = _deciding(frame, facts / 2, known)
    return 2 * calls, 2 * tokens


def beside(facts: float, known: float) -> float:
    """How many different memories stand beside so many facts of a chunk: each has its nearest `MAX_CANDIDATES`, and shares some
    with the others, the fewer the more are known."""
    if known <= 0:
        return 0.0
    return -known * math.expm1(-min(MAX_CANDIDATES, known) * facts**APART / known)


def as_turns(messages: Sequence[Message]) -> list[Turn]:
    """The turns that messages would become."""
    return [
        Turn("", i, Scope(None), "", one.role, one.content, one.name, one.timestamp or now(), True)
        for i, one in enumerate(messages)
    ]


@functools.lru_cache(maxsize=2)
def shape_tokens(reply: type[BaseModel]) -> int:
    """What the schema of a reply takes, which goes with every question, beside it or (some more) in its text."""
    return estimate_tokens(json.dumps(reply.model_json_schema()))
