"""What remembering a conversation would cost: counted from the very prompts that would be sent, before any is.

Input tokens of extraction are those of its prompts and its schema. What is not known beforehand (how many facts there will
be, and how many memories stand beside them) is taken from 21 chunks that a capable model read (evals/readings); docs/models.md
says how near that comes.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .extract import ModelExtractor
from .model import Message, Scope, Turn, Usage
from .ports import ChatModel, Chunk, Priced
from .reconcile import ModelReconciler
from .replies import ExtractReply, ReconcileReply
from .times import now
from .tokens import estimate_tokens

if TYPE_CHECKING:
    from pydantic import BaseModel

FACTS_PER_TURN = 0.67  # 0.5 to 0.93 in four conversations
FACT_TOKENS = 175  # of a fact in a reply, with its fields: 165 to 182
FACT_LINE_TOKENS = 60  # of a fact in the question of the reconciler
MEMORIES_PER_FACT = 6  # beside a fact, and not yet beside another of its chunk, where so many are known
MEMORY_LINE_TOKENS = 50
DECISION_TOKENS = 48  # 44 to 69


def estimate(
    model: ChatModel, turns: Sequence[Turn], sizes: Sequence[int], instructions: str | None, told: int | None = None
) -> Usage:
    """The usage of extracting turns in chunks of `sizes`. `told`: how many turns the user's memories come from by now; None is
    many. `cost_usd` is None where the model's price is not known."""
    total, first = Usage(), 0
    for size in sizes:
        chunk = Chunk(tuple(turns[first : first + size]), tuple(turns[max(0, first - 4) : first]), instructions)
        total += _of_chunk(model, chunk, None if told is None else FACTS_PER_TURN * (told + first))
        first += size
    cost = model.price(total) if isinstance(model, Priced) else None
    return Usage(total.llm_calls, total.input_tokens, total.output_tokens, cost)


def as_turns(messages: Sequence[Message]) -> list[Turn]:
    """The turns that messages would become."""
    return [
        Turn("", i, Scope(None), "", one.role, one.content, one.name, one.timestamp or now(), True)
        for i, one in enumerate(messages)
    ]


def _of_chunk(model: ChatModel, chunk: Chunk, known: float | None) -> Usage:
    prompts = ModelExtractor(model).questions(chunk)
    read = sum(estimate_tokens(message["content"]) for prompt in prompts for message in prompt)
    read += len(prompts) * shape_tokens(ExtractReply) + shape_tokens(ReconcileReply)
    facts = FACTS_PER_TURN * len(chunk.turns)
    asked = ModelReconciler(model).question(())
    beside = MEMORIES_PER_FACT * facts if known is None else min(MEMORIES_PER_FACT * facts, known)
    compared = sum(estimate_tokens(message["content"]) for message in asked)
    compared += int(facts * FACT_LINE_TOKENS + beside * MEMORY_LINE_TOKENS)
    written = facts * (FACT_TOKENS + DECISION_TOKENS)
    return Usage(len(prompts) + 1, read + compared, int(written))


@functools.lru_cache(maxsize=2)
def shape_tokens(reply: type[BaseModel]) -> int:
    """What the schema of a reply takes, which goes with every question, beside it or (some more) in its text."""
    return estimate_tokens(json.dumps(reply.model_json_schema()))
