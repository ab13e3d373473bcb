"""Hits packed into a token budget, in time order, fenced as data for a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from .fence import closing, harmless, opening
from .model import Role, SourceClass
from .rank import estimate_tokens
from .results import Hit

_TOLD_BY = {
    SourceClass.ASSISTANT: ", said by the assistant",
    SourceClass.CLAIM: ", the user claims",
    SourceClass.TOOL: ", from a tool",
    SourceClass.DOCUMENT: ", from a document",
}


def pack(hits: Sequence[Hit], max_tokens: int, fence: str) -> tuple[str, list[Hit]]:
    """(text, hits in it). The best hits that fit, then in the order of time; "" where none fits or there is none."""
    first, last = opening(fence), closing(fence)
    left = max_tokens - estimate_tokens(f"{first}\n{last}\n")
    kept: list[Hit] = []
    for hit in hits:
        cost = estimate_tokens(line(hit, fence) + "\n") + 1
        if cost <= left:
            kept.append(hit)
            left -= cost
    if not kept:
        return "", []
    kept.sort(key=lambda hit: (hit.event_from or hit.valid_from, hit.id))
    return "\n".join([first, *(line(hit, fence) for hit in kept), last]), kept


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
