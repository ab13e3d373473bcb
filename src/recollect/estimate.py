"""What remembering a conversation would cost: counted from the very prompts that would be sent, before any is.

Input tokens of extraction are those of its prompts and its schema. What is not known beforehand (how many facts there will
be, and how many memories stand beside them) is taken from measurements on dialogues, rounded up; see docs/models.md.
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

FACTS_PER_TURN = 1.2
FACT_TOKENS = 230  # of a fact in a reply, with its fields
FACT_LINE_TOKENS = 60  # of a fact in the question of the reconciler
MEMORIES_PER_FACT = 6  # beside a fact, and not yet beside another of its chunk
MEMORY_LINE_TOKENS = 50
DECISION_TOKENS = 70


def estimate(model: ChatModel, turns: Sequence[Turn], sizes: Sequence[int], instructions: str | None) -> Usage:
    """The usage of extracting turns in chunks of `sizes`. `cost_usd` is None where the model's price is not known."""
    total, first = Usage(), 0
    for size in sizes:
        chunk = Chunk(tuple(turns[first : first + size]), tuple(turns[max(0, first - 4) : first]), instructions)
        total += _of_chunk(model, chunk)
        first += size
    cost = model.price(total) if isinstance(model, Priced) else None
    return Usage(total.llm_calls, total.input_tokens, total.output_tokens, cost)


def as_turns(messages: Sequence[Message]) -> list[Turn]:
    """The turns that messages would become."""
    return [
        Turn("", i, Scope(None), "", one.role, one.content, one.name, one.timestamp or now(), True)
        for i, one in enumerate(messages)
    ]


def _of_chunk(model: ChatModel, chunk: Chunk) -> Usage:
    prompts = ModelExtractor(model).questions(chunk)
    read = sum(estimate_tokens(message["content"]) for prompt in prompts for message in prompt)
    read += len(prompts) * shape_tokens(ExtractReply) + shape_tokens(ReconcileReply)
    facts = FACTS_PER_TURN * len(chunk.turns)
    asked = ModelReconciler(model).question(())
    compared = sum(estimate_tokens(message["content"]) for message in asked) + facts * (
        FACT_LINE_TOKENS + MEMORIES_PER_FACT * MEMORY_LINE_TOKENS
    )
    written = facts * (FACT_TOKENS + DECISION_TOKENS)
    return Usage(len(prompts) + 1, read + int(compared), int(written))


@functools.lru_cache(maxsize=2)
def shape_tokens(reply: type[BaseModel]) -> int:
    """What the schema of a reply takes, which goes with every question, in its text or beside it."""
    return estimate_tokens(json.dumps(reply.model_json_schema(), indent=2))
