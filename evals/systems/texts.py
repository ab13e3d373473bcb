"""Turns as a reader is given them, and parts packed into a budget of tokens: for all systems that have no way of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .. import tokens
from ..model import Packed, Turn


def line(turn: Turn) -> str:
    """A turn with its day and speaker: "[2023-05-08] Caroline: I went to …"."""
    day = f"[{turn.said_at.date().isoformat()}] " if turn.said_at else ""
    return f"{day}{turn.speaker}: {turn.text}"


@dataclass(frozen=True, slots=True)
class Part:
    """What may go into a context. `place`: where it stands in time. `cost`: its tokens with the line break after it."""

    text: str
    turns: tuple[str, ...]
    place: float | str
    cost: int

    @classmethod
    def of(cls, text: str, turns: Sequence[str], place: float | str) -> Part:
        """A part, its tokens counted."""
        return cls(text, tuple(turns), place, tokens.count(f"{text}\n"))


def packed(parts: Iterable[Part], max_tokens: int) -> Packed:
    """The best parts that fit, in the order of time. `parts`: best first."""
    kept: list[Part] = []
    left = max_tokens
    for part in parts:
        if part.cost <= left:
            kept.append(part)
            left -= part.cost
    while (whole := joined(kept)).tokens > max_tokens:  # what was counted one by one may be a token more as a whole
        kept.pop()
    return whole


def joined(parts: Iterable[Part]) -> Packed:
    """All parts, in the order of time."""
    ordered = sorted(parts, key=lambda part: part.place)
    text = "\n".join(part.text for part in ordered)
    return Packed(text, tokens.count(text), distinct(turn for part in ordered for turn in part.turns))


def distinct(names: Iterable[str]) -> tuple[str, ...]:
    """Once each, in the order of first sight."""
    return tuple(dict.fromkeys(names))
