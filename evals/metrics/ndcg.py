"""Normalised discounted cumulative gain at k, with a turn either evidence or not."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..model import Found, Question
from .order import ranked_turns, wanted


def ndcg(question: Question, found: Sequence[Found], k: int) -> float | None:
    """DCG / ideal DCG over the first k distinct turns, 0..1; None without evidence.

    DCG = Σ 1 / log₂(rank + 1) over the evidence turns among them, ranks from 1; the ideal one has min(k, |evidence|) of them
    in front. Järvelin & Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (2002), binary gain, discount from the
    second rank on. Not monotonic in k: a larger k has a larger ideal."""
    evidence = wanted(question)
    if not evidence:
        return None
    gained = sum(discount(i) for i, turn in enumerate(ranked_turns(found)[:k], start=1) if turn in evidence)
    return gained / sum(discount(i) for i in range(1, min(k, len(evidence)) + 1))


def discount(rank: int) -> float:
    """What evidence at a rank (from 1) is worth."""
    return 1 / math.log2(rank + 1)
