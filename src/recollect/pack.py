"""Hits packed into a token budget, in time order, fenced as data for a prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeAlias

from .errors import InvalidInput
from .model import Role, SourceClass
from .results import Hit
from .safety.fence import closing, harmless, opening
from .tokens import estimate_tokens

Count: TypeAlias = Callable[[str], int]

# Hits among which a turn is packed beside the memories that tell it, for its speaker's own words. Further down it would take
# the place of something that is not told yet.
OWN_WORDS = 10

_TOLD_BY = {
    SourceClass.ASSISTANT: ", said by the assistant",
    SourceClass.CLAIM: ", the user claims",
    SourceClass.TOOL: ", from a tool",
    SourceClass.DOCUMENT: ", from a document",
}


def pack(
    hits: Sequence[Hit], max_tokens: int, fence: str, tokenizer: Count | None = None
) -> tuple[str, list[Hit], int]:
    """(text, hits in it, its tokens). The best hits that fit, then in the order of time; ("", [], 0) where none fits.

    Tokens are counted by `tokenizer`, else estimated. Raises InvalidInput where it fails.
    """
    count = estimate_tokens if tokenizer is None else counter(tokenizer)
    kept = chosen(hits, max_tokens, fence, count)
    while kept:
        told = sorted(
            kept, key=lambda hit: hit.event_from or hit.valid_from
        )  # of one time the best first: ids are random
        text = "\n".join([opening(fence), *(line(hit, fence) for hit in told), closing(fence)])
        if (tokens := count(text)) <= max_tokens:
            return text, told, tokens
        kept.pop()  # joined lines may have more tokens than they have one by one
    return "", [], 0


def chosen(hits: Sequence[Hit], max_tokens: int, fence: str, count: Count) -> list[Hit]:
    """The best hits that fit, best first, without turns that a memory among them tells, but for the `OWN_WORDS` best."""
    left = max_tokens - count(f"{opening(fence)}\n{closing(fence)}")
    kept: list[Hit] = []
    told: set[str] = set()
    for place, hit in enumerate(hits):
        if hit.kind == "turn" and place >= OWN_WORDS and hit.id in told:
            continue
        cost = count(line(hit, fence) + "\n")
        if cost <= left:
            kept.append(hit)
            left -= cost
            told.update(source.turn_id for source in hit.sources)
    return kept


def counter(tokenizer: Count) -> Count:
    """A caller's own, checked."""

    def count(text: str) -> int:
        try:
            tokens = tokenizer(text)
        except Exception as error:  # whatever a caller's code raises
            raise InvalidInput("tokenizer", f"failed with {type(error).__name__}") from error
        if isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 0:
            raise InvalidInput("tokenizer", "must return how many tokens a text has, a whole number")
        return tokens

    return count


def line(hit: Hit, fence: str) -> str:
    """One line with its dates, and whose word it is where that is not the user's, nor a person's who is named."""
    until = hit.until or hit.valid_to
    ended = f", until {day(until)}" if until else ""
    said = f"{hit.speaker}: " if hit.kind == "turn" and hit.speaker else ""
    return f"- [{day(hit.valid_from)}{ended}{told_by(hit)}] {harmless(said + hit.text, fence)}"


def told_by(hit: Hit) -> str:
    """Whose word it is; "" where it is the user's, or that of somebody with a name. What users say is theirs, but for claims."""
    if hit.kind == "turn":
        return _TOLD_BY[SourceClass.CLAIM] if hit.source is SourceClass.CLAIM else ""
    if hit.source is SourceClass.USER:
        return ""
    named = any(one.role is Role.ASSISTANT and one.speaker != "The assistant" for one in hit.sources)
    return "" if named and hit.source is SourceClass.ASSISTANT else _TOLD_BY[hit.source]


def day(time: datetime) -> str:
    """2026-11-24"""
    return time.date().isoformat()
