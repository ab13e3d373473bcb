"""Hit at k: is anything of the evidence there?"""

from __future__ import annotations

from collections.abc import Sequence

from ..model import Found, Question
from .order import ranked_turns, wanted


def hit(question: Question, found: Sequence[Found], k: int) -> float | None:
    """1 where the first k distinct turns have at least one of the evidence, else 0; None without evidence.
    Also called success@k."""
    evidence = wanted(question)
    return float(not evidence.isdisjoint(ranked_turns(found)[:k])) if evidence else None
