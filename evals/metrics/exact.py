"""Exact match."""

from __future__ import annotations

from ..model import Question
from .normalise import squad_tokens


def exact_match(question: Question, given: str) -> float | None:
    """1 where answer and key are the same words in the same order after SQuAD's normalisation, else 0; None where the key is
    that it was never said. (LoCoMo's own exact match compares sets of words; SQuAD's is the stricter.)"""
    return None if question.answer is None else float(squad_tokens(given) == squad_tokens(question.answer))
