"""BLEU-1 of an answer against the key."""

from __future__ import annotations

import math
import re
from collections import Counter

from ..model import Question

_TOKEN = re.compile(r"\w+(?:['’]\w+)?|[^\w\s]")


def bleu1(question: Question, given: str) -> float | None:
    """Brevity penalty × clipped unigram precision, 0..1; None where the key is that it was never said.

    Precision: Σ min(count given, count in the key) / words given. Penalty: 1 where the answer is at least as long as the key,
    else exp(1 − words of the key / words given). Papineni et al., "BLEU" (2002), with n = 1 and one reference. LoCoMo's own
    script has no BLEU; those who report BLEU-1 on it (A-MEM, mem0) use NLTK's on lower-cased words, whose smoothing does
    nothing at n = 1. A token is a word or one punctuation mark, lower-cased; NLTK's tokeniser takes "don't" for two, here it
    is one."""
    if question.answer is None:
        return None
    words, key = tokens(given), tokens(question.answer)
    same = (Counter(words) & Counter(key)).total()
    if not same:
        return 0.0
    penalty = 1.0 if len(words) >= len(key) else math.exp(1 - len(key) / len(words))
    return penalty * same / len(words)


def tokens(text: str) -> list[str]:
    """Words and punctuation marks, lower-cased."""
    return _TOKEN.findall(text.lower())
