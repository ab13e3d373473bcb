"""Token F1 between an answer and the key: LoCoMo's and SQuAD's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from ..model import Question
from .normalise import locomo_tokens, squad_tokens

# LoCoMo's categories 1 and 3, as `datasets.locomo` names them.
LISTS, FIRST_ALTERNATIVE = "multi-hop", "open-domain"


def squad_f1(question: Question, given: str) -> float | None:
    """2PR / (P + R) over the multiset of words both have, 0..1, normalised as SQuAD does; None where the key is that it was
    never said. Nothing in common, or a side without words: 0."""
    return None if question.answer is None else overlap(squad_tokens(given), squad_tokens(question.answer))


def locomo_f1(question: Question, given: str) -> float | None:
    """The same over LoCoMo's words (stemmed), and by its rules per category: for "multi-hop" both are split at commas, and it
    is the mean over the key's parts of their best F1 with any part given; for "open-domain" the key ends at its first
    semicolon. After `eval_question_answering` of its `task_eval/evaluation.py`. None where the key is that it was never said:
    LoCoMo scores those by phrases, which `abstention` does. 0..1.

    For other data sets than LoCoMo, whose categories have other names, it is F1 over stemmed words.
    """
    if question.answer is None:
        return None
    if question.category == LISTS:
        parts = [locomo_tokens(part) for part in given.split(",")]
        return fmean(max(overlap(part, locomo_tokens(one)) for part in parts) for one in question.answer.split(","))
    key = question.answer.split(";")[0] if question.category == FIRST_ALTERNATIVE else question.answer
    return overlap(locomo_tokens(given), locomo_tokens(key))


def overlap(given: Sequence[str], right: Sequence[str]) -> float:
    """F1 of two multisets of words, 0..1."""
    same = (Counter(given) & Counter(right)).total()
    return 2 * same / (len(given) + len(right)) if same else 0.0  # = 2PR / (P + R) with P = same/given, R = same/right
