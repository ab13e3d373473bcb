"""What is counted, one small module each. Pure functions of records; shares are 0..1.

`retrieval()` and `ANSWERS` are the tables: a name, and a function of what one system did with one question (`Asked`) that gives
a number, or None where the question takes no part. What is reported is the mean over those that do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..model import Found, Packed, Question
from . import abstention, judge
from .bleu import bleu1
from .coverage import coverage
from .exact import exact_match
from .f1 import locomo_f1, squad_f1
from .hit import hit
from .mrr import reciprocal_rank
from .ndcg import ndcg
from .precision import precision
from .recall import recall
from .session_recall import session_recall

KS = (5, 10, 20, 50)


@dataclass(frozen=True, slots=True)
class Asked:
    """What one system did with one question; None for a phase that was not run, or failed. `session_of`: the session of each of
    the conversation's turns, where the question names sessions."""

    question: Question
    found: Sequence[Found] | None = None
    context: Packed | None = None
    answer: str | None = None
    judgement: Mapping[str, Any] | None = None
    session_of: Mapping[str, str] = field(default_factory=dict)


Metric = Callable[[Asked], float | None]


def retrieval(ks: Sequence[int] = KS) -> dict[str, Metric]:
    """Of results and context, for questions with evidence: recall@k, hit@k, ndcg@k and precision@k, mrr,
    precision (of all that is returned), coverage; for questions that name sessions: session_recall@k."""
    at = {"recall": recall, "hit": hit, "ndcg": ndcg, "precision": precision}
    ranking = {f"{name}@{k}": _of_found(metric, k) for name, metric in at.items() for k in ks}
    sessions = {f"session_recall@{k}": _of_sessions(k) for k in ks}
    return (
        ranking
        | sessions
        | {
            "mrr": _of_found(reciprocal_rank),
            "precision": _of_found(precision),
            "coverage": lambda one: None if one.context is None else coverage(one.question, one.context),
        }
    )


def _of_found(metric: Callable[..., float | None], *arguments: object) -> Metric:
    return lambda one: None if one.found is None else metric(one.question, one.found, *arguments)


def _of_sessions(k: int) -> Metric:
    return lambda one: None if one.found is None else session_recall(one.question, one.found, one.session_of, k)


def _of_answer(metric: Callable[[Question, str], float | None]) -> Metric:
    return lambda one: None if one.answer is None else metric(one.question, one.answer)


def _of_judgement(metric: Callable[[Question, Mapping[str, Any]], float | None]) -> Metric:
    return lambda one: None if one.judgement is None else metric(one.question, one.judgement)


def _by_phrases(metric: Callable[[Question, bool], float | None]) -> Metric:
    return _of_answer(lambda question, given: metric(question, abstention.says_unknown(given)))


def _by_judge(metric: Callable[[Question, bool], float | None]) -> Metric:
    return _of_judgement(lambda question, judgement: metric(question, abstention.judged_unknown(question, judgement)))


ANSWERS: dict[str, Metric] = {
    "accuracy": _of_judgement(judge.accuracy),
    "nuggets": _of_judgement(lambda _, judgement: judge.nuggets(judgement)),
    "locomo_f1": _of_answer(locomo_f1),
    "squad_f1": _of_answer(squad_f1),
    "bleu1": _of_answer(bleu1),
    "exact_match": _of_answer(exact_match),
    "abstention_recall": _by_judge(abstention.recall),
    "abstention_precision": _by_judge(abstention.precision),
    "abstention_wrong": _by_judge(abstention.wrong),
    "phrase_abstention_recall": _by_phrases(abstention.recall),
    "phrase_abstention_precision": _by_phrases(abstention.precision),
    "phrase_abstention_wrong": _by_phrases(abstention.wrong),
}
LOWER_IS_BETTER = frozenset({"abstention_wrong", "phrase_abstention_wrong"})
