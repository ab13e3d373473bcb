"""The order that every ranking metric counts in: distinct turns, by the rank of the first result that stands for them."""

from __future__ import annotations

from collections.abc import Sequence

from ..model import Found, Question


def ranked_turns(found: Sequence[Found]) -> list[str]:
    """The turns that the results stand for, each once, best first. A memory stands for its source turns in their order; a
    result that names no turns takes no place."""
    return list(dict.fromkeys(turn for one in found for turn in one.turns))


def wanted(question: Question) -> frozenset[str]:
    """The turns that a ranking is measured by; empty: the question takes no part. A question that has no answer has no turns
    that carry one, whatever its key names (in LoCoMo's adversarial questions: the turns that mislead)."""
    return frozenset(question.evidence) if question.answer is not None else frozenset()
