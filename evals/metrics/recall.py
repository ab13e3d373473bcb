"""Evidence recall at k."""

from __future__ import annotations

from collections.abc import Sequence

from ..model import Found, Question
from .order import ranked_turns, wanted


def recall(question: Question, found: Sequence[Found], k: int) -> float | None:
    """|evidence ∩ first k distinct turns| / |evidence|, 0..1; None without evidence. k ≥ 1 counts turns, not results: a
    memory of three turns takes three places (Manning et al., Introduction to Information Retrieval, 2008, §8.4)."""
    evidence = wanted(question)
    return len(evidence & set(ranked_turns(found)[:k])) / len(evidence) if evidence else None
