"""Reciprocal rank; its mean over questions is the MRR."""

from __future__ import annotations

from collections.abc import Sequence

from ..model import Found, Question
from .order import ranked_turns, wanted


def reciprocal_rank(question: Question, found: Sequence[Found]) -> float | None:
    """1 / rank of the first evidence turn among all distinct turns returned, 0 where none is there; None without evidence
    (Voorhees, "The TREC-8 Question Answering Track Report", 1999)."""
    evidence = wanted(question)
    if not evidence:
        return None
    return next((1 / rank for rank, turn in enumerate(ranked_turns(found), start=1) if turn in evidence), 0.0)
