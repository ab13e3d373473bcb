"""Evidence coverage: what of the evidence stands in the context that a reader is given."""

from __future__ import annotations

from ..model import Packed, Question
from .order import wanted


def coverage(question: Question, context: Packed) -> float | None:
    """|evidence ∩ turns that the context's parts stand for| / |evidence|, 0..1; None without evidence. Whether a memory says
    what its turn says is not looked at here (attribution does)."""
    evidence = wanted(question)
    return len(evidence & set(context.turns)) / len(evidence) if evidence else None
