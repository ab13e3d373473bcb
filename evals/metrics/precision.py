"""Precision of what is returned."""

from __future__ import annotations

from collections.abc import Sequence

from ..model import Found, Question
from .order import wanted


def precision(question: Question, found: Sequence[Found], k: int | None = None) -> float | None:
    """Results that stand for at least one evidence turn / results returned, 0..1; counts results, of the first `k` or all,
    and not turns. None without evidence, and where nothing was returned: then there is nothing that could be right or wrong,
    and recall tells of it. With one evidence turn and ten results it cannot pass 0.1 unless several memories tell of that
    turn."""
    evidence = wanted(question)
    returned = found[:k]
    if not evidence or not returned:
        return None
    return sum(not evidence.isdisjoint(one.turns) for one in returned) / len(returned)
