"""What remembering a conversation would cost: counted from the very prompts that would be sent, before any is.

Input tokens of extraction are those of its prompts and its schema. What is not known beforehand, how many facts there will be,
how long they are told, how many memories stand beside them, is taken from what the same model was paid for in this store, as soon
as that are enough chunks (`learned`). Until then it is assumed: facts and their length from 21 chunks that a capable model read
(evals/readings); how many memories stand beside them as a user's memories grow, from 2,770 facts of five conversations of LoCoMo.
Some talks hold half as many facts as others of their length, and one reader finds twice as many as another: `least` and `most`
tell a range. docs/models.md says how near that comes.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import Erased
from ..model import Message, Role, Scope, Turn, Usage
from ..ports import ChatModel, Chunk, Journal, Priced
from ..records import PaidChunk, Space
from ..times import now
from ..tokens import estimate_tokens
from .candidates import MAX_CANDIDATES
from .extract import ModelExtractor
from .reconcile import MAX_CHARACTERS, ModelReconciler
from .replies import ExtractReply, ReconcileReply

if TYPE_CHECKING:
    from pydantic import BaseModel

FACTS_PER_TURN = 0.67  # of four conversations together
FEW, MANY = (
    0.45,
    1.4,
)  # of nine talks of two readers: somewhat less than the poorest had (0.50), and more than the richest (1.29)
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
ENOUGH = 20  # chunks that were paid for: what they cost tells more of the next ones than any measurement elsewhere
LATEST = 200  # of them that are looked at
SHORTEST = 0.1  # lines, of what is assumed: where a model tells fewer tokens than the questions have without them
OTHERS = (0.8, 1.4)  # facts of a talk, beside what others of the same reader let expect: of five 0.85 to 1.35


@dataclass(frozen=True, slots=True)
class Expected:
    """What models would be paid: as is usual, and where the talk holds few facts, or many."""

    usual: Usage = Usage()
    least: Usage = Usage()
    most: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A chunk that is to be remembered. `told`: how many turns of the user come before it; None is many. `facts`: how many were
    extracted of it already."""

    chunk: Chunk
    told: int | None = None
    facts: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of a chunk beforehand: its turns, tokens that people said in them, turns before it (None: many), facts where
    it is extracted; and the calls and tokens of asking for its facts."""

    turns: int
    said: int
    told: int | None
    facts: int | None
    calls: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Rates:
    """What a model makes of what it is asked. `per_token`: facts, of a token that people say; None: they go by turns.
    All else is so many times what is counted: `extracting`, `deciding` calls; `extract_read`, `decide_read` tokens that such a
    call reads; `lines`, of facts and memories, as long as is assumed; `price`, as it is listed. `chunks`: from how many this was
    learned; 0: it is assumed."""

    per_turn: float = FACTS_PER_TURN
    per_token: float | None = None
    fact_tokens: float = FACT_TOKENS
    decision_tokens: float = DECISION_TOKENS
    extracting: float = 1.0
    deciding: float = 1.0
    extract_read: float = 1.0
    decide_read: float = 1.0
    lines: float = 1.0
    characters: float = LINE_CHARACTERS
    price: float = 1.0
    chunks: int = 0

    def facts(self, asked: Asked) -> float:
        """How many the chunk holds."""
        if asked.facts is not None:
            return asked.facts
        return self.per_turn * asked.turns if self.per_token is None else self.per_token * asked.said

    def known(self, asked: Asked) -> float:
        """How many memories the user has before the chunk."""
        return LONG_KNOWN if asked.told is None else self.per_turn * asked.told

    def times(self, factor: float) -> Rates:
        """Where there are so many times as many facts."""
        per_token = None if self.per_token is None else factor * self.per_token
        return replace(self, per_turn=factor * self.per_turn, per_token=per_token)


ASSUMED = Rates()


class Estimator:
    """What it would cost to remember something in a store, with its model, None: by rules. Blocking."""

    def __init__(self, model: ChatModel | None, journal: Journal, instructions: str | None) -> None:
        self._model, self._journal, self._instructions = model, journal, instructions

    def counted(self, waiting: Iterable[Waiting]) -> list[Asked]:
        """What is known of chunks beforehand; nothing is of interest where rules read them."""
        return [] if self._model is None else [asked(self._model, one) for one in waiting]

    def new(self, messages: Sequence[Message], sizes: Sequence[int], told: int) -> list[Waiting]:
        """The chunks that messages would become; `told`: how many turns of the user come before."""
        return list(in_chunks(as_turns(messages), sizes, self._instructions, told))

    def begun(self, space: Space, idempotency_key: str) -> tuple[int, list[Waiting]] | None:
        """How many messages of an `add` of that key are in, or were erased since, and its chunks that are still to be done; None
        where it was not made yet."""
        if (batch := self._journal.earlier(space, idempotency_key)) is None:
            return None
        waiting = []
        for record in batch.chunks:
            if record.state != "committed":
                with suppress(Erased):  # by somebody, meanwhile
                    one = self._journal.chunk(batch.id, record.n)
                    chunk = Chunk(one.turns, one.context, batch.instructions)
                    facts = None if one.facts is None else len(one.facts)
                    waiting.append(Waiting(chunk, record.first_turn - 1, facts))
        return batch.turns + batch.erased, waiting

    def expected(self, chunks: Sequence[Asked]) -> tuple[Expected, Rates]:
        """The usage of remembering chunks, and by which rates: those of what the model was paid for here, if that is enough."""
        if (model := self._model) is None:
            return Expected(), ASSUMED
        prompt = ModelExtractor(model).prompt_id
        paid = self._journal.paid(model.name, prompt, self._instructions, LATEST)
        rates = learned(model, paid, self._instructions)
        return usage_of(model, chunks, rates), rates


def usage_of(model: ChatModel, chunks: Sequence[Asked], rates: Rates = ASSUMED) -> Expected:
    """The usage of remembering chunks. `cost_usd` is None where the model's price is not known."""
    few, many = OTHERS if rates.chunks else (FEW / FACTS_PER_TURN, MANY / FACTS_PER_TURN)
    return Expected(*(_usage(model, chunks, rates.times(factor)) for factor in (1.0, few, many)))


def learned(model: ChatModel, paid: Sequence[PaidChunk], instructions: str | None) -> Rates:
    """What chunks cost, beside what is counted and assumed for the same. Of too few nothing is learned, nor of a model that does
    not tell what it used."""
    extracting = sum((one.extracting for one in paid), Usage())
    deciding = sum((one.deciding for one in paid), Usage())
    if len(paid) < ENOUGH or not extracting.llm_calls or not extracting.input_tokens:
        return ASSUMED
    chunks = [
        asked(model, Waiting(Chunk(one.turns, one.context, instructions), one.record.first_turn - 1))
        for one in (each.chunk for each in paid)
    ]
    facts = max(1, sum(one.facts for one in paid))
    said, calls = sum(one.said for one in chunks), float(sum(one.calls for one in chunks))
    more = extracting.llm_calls / calls
    read = extracting.input_tokens / more / sum(one.tokens for one in chunks)
    rates = Rates(
        per_turn=facts / sum(one.turns for one in chunks),
        per_token=facts / said if said else None,
        fact_tokens=extracting.output_tokens / facts,
        decision_tokens=deciding.output_tokens / facts,
        extracting=more,
        extract_read=read,
        decide_read=read,
        price=_price(model, extracting + deciding),
        chunks=len(paid),
    )
    rates = _with_lines(model, paid, chunks, rates)
    calls, lines = _to_decide(chunks, rates)
    counted = deciding.llm_calls * _frame(model) + lines
    return replace(rates, deciding=deciding.llm_calls / calls, decide_read=deciding.input_tokens / counted)


def _with_lines(model: ChatModel, paid: Sequence[PaidChunk], chunks: Sequence[Asked], rates: Rates) -> Rates:
    """How long lines are: in characters as the memories are told, in tokens by the chunks that were decided in one call."""
    facts = sum(one.facts for one in paid)
    if facts:
        rates = replace(rates, characters=sum(one.characters for one in paid) / facts / MEMORY_LINE_TOKENS)
    frame, read, lines = _frame(model), 0.0, 0.0
    for one, asked_before in zip(paid, chunks, strict=True):
        if one.deciding.llm_calls == 1:
            read += one.deciding.input_tokens / rates.decide_read - frame
            lines += sum(_lines(one.facts, rates.known(asked_before)))
    return replace(rates, lines=max(SHORTEST, read / lines)) if lines else rates


def _price(model: ChatModel, paid: Usage) -> float:
    """What was paid, beside the list price of the same: less where a provider keeps what it has read before."""
    listed = model.price(paid) if isinstance(model, Priced) else None
    return paid.cost_usd / listed if listed and paid.cost_usd is not None else 1.0


def in_chunks(
    turns: Sequence[Turn], sizes: Sequence[int], instructions: str | None, told: int | None
) -> Iterator[Waiting]:
    """Turns in chunks of `sizes`; `told`: how many of the user come before all of them."""
    first = 0
    for size in sizes:
        chunk = Chunk(tuple(turns[first : first + size]), tuple(turns[max(0, first - 4) : first]), instructions)
        yield Waiting(chunk, None if told is None else told + first)
        first += size


def asked(model: ChatModel, one: Waiting) -> Asked:
    """What is known of a chunk beforehand."""
    turns = one.chunk.turns
    people = (turn.content for turn in turns if turn.role is Role.USER or turn.name)
    said = sum(map(estimate_tokens, people))
    if one.facts is not None:
        return Asked(len(turns), said, one.told, one.facts, 0, 0)
    prompts = ModelExtractor(model).questions(one.chunk)
    tokens = sum(estimate_tokens(message["content"]) for prompt in prompts for message in prompt)
    tokens += len(prompts) * shape_tokens(ExtractReply)
    return Asked(len(turns), said, one.told, None, len(prompts), tokens)


def _usage(model: ChatModel, chunks: Sequence[Asked], rates: Rates) -> Usage:
    deciding, lines = _to_decide(chunks, rates)
    deciding *= rates.deciding
    calls = deciding + rates.extracting * sum(one.calls for one in chunks)
    read = rates.extract_read * rates.extracting * sum(one.tokens for one in chunks)
    read += rates.decide_read * (_frame(model) * deciding + lines)
    told = sum(rates.facts(one) for one in chunks if one.facts is None)
    decided = sum(rates.facts(one) for one in chunks)
    written = told * rates.fact_tokens + decided * rates.decision_tokens
    total = Usage(round(calls), round(read), round(written))
    price = model.price(total) if isinstance(model, Priced) else None
    return replace(total, cost_usd=None if price is None else rates.price * price)


def _frame(model: ChatModel) -> int:
    """The tokens of a question to decide, without its lines."""
    empty = sum(estimate_tokens(message["content"]) for message in ModelReconciler(model).question(()))
    return empty + shape_tokens(ReconcileReply)


def _to_decide(chunks: Sequence[Asked], rates: Rates) -> tuple[float, float]:
    """The calls to decide on all facts, and the tokens of the lines that they read, as they are counted."""
    calls = read = 0.0
    for one in chunks:
        if one.facts == 0:
            continue
        for times, share in SPREAD:
            some, tokens = _deciding(times * rates.facts(one), rates.known(one), rates)
            calls += share * some
            read += share * tokens
    return calls, read


def _deciding(facts: float, known: float, rates: Rates) -> tuple[int, float]:
    """The calls to decide on facts of one chunk, and the tokens of their lines: two and more where that is too long for one."""
    lines, numbers = _lines(facts, known)
    if facts < 2 or lines * rates.characters + numbers * LINE_CHARACTERS <= MAX_CHARACTERS:
        return 1, rates.lines * (lines + numbers)
    calls, tokens = _deciding(facts / 2, known, rates)
    return 2 * calls, 2 * tokens


def _lines(facts: float, known: float) -> tuple[float, float]:
    """The tokens of the lines of facts and of the memories beside them, and of the numbers that tell which is beside which."""
    numbers = facts * NUMBER_TOKENS * min(MAX_CANDIDATES, known + facts / 2)
    return facts * FACT_LINE_TOKENS + beside(facts, known) * MEMORY_LINE_TOKENS, numbers


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
