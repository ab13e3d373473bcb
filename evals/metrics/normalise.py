"""How texts are made comparable: after SQuAD, and after LoCoMo."""

from __future__ import annotations

import re
import string

from ..stems import stem

_PUNCTUATION = str.maketrans("", "", string.punctuation)  # ASCII only, as in both sources
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_ARTICLES_AND = re.compile(r"\b(?:a|an|the|and)\b")


def squad_tokens(text: str) -> list[str]:
    """Lower case, ASCII punctuation removed ("self-care" → "selfcare"), then "a", "an", "the", split at white space. After the
    evaluation script of SQuAD 1.1 (Rajpurkar et al. 2016), `normalize_answer`."""
    return _ARTICLES.sub(" ", _plain(text)).split()


def locomo_tokens(text: str) -> list[str]:
    """As SQuAD's, and "and" removed too, each word stemmed by Porter. After the LoCoMo repository (Maharana et al. 2024),
    `task_eval/evaluation.py`: `normalize_answer` and the stems in `f1_score`.

    LoCoMo stems with NLTK's variant of Porter, here it is Snowball's "porter", the algorithm as published, but for words of
    up to two letters, which both leave alone. Where they part ("trying" and "tries" meet in NLTK's only) the F1 of single
    answers differs rarely: in 1 of LoCoMo's 829 development questions with their first evidence turn as the answer, 0.1492 in
    the mean with both."""
    return [_stem(word) for word in _ARTICLES_AND.sub(" ", _plain(text)).split()]


def _plain(text: str) -> str:
    return text.lower().translate(_PUNCTUATION)


def _stem(word: str) -> str:
    return word if len(word) <= 2 else stem(word, "porter")
