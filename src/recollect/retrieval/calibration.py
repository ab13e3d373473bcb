"""How sure it is: of a passage, that it has to do with a query; of a query, that the store has anything to do with it.

Both are logistic functions of cosine and term coverage, 0..1, comparable between queries. benchmarks/floor.py fits them and draws
docs/calibration.svg; docs/retrieval.md tells what they reach.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

# The score of a passage: logistic(BIAS + COSINE · cosine + COVERAGE · coverage), fitted to hits that carry evidence against hits
# of unrelated queries, both weighing the same.
BIAS, COSINE, COVERAGE = -6.1, 12.7, 6.3
# The same without a cosine, where the embedder is down: set so that the floor lies at a coverage of 0.06.
WORDS_BIAS, WORDS_COVERAGE = -3.9, 7.3
# A hit of a lower score is not returned: its words have nothing to do with the query, whatever else the store has,
FLOOR = 0.03
VOUCHED = 0.5  # … unless a channel that does not go by its own words gives it this share of that channel's best

# Whether a store has anything on a query: logistic(bias + cosine · best cosine + coverage · best coverage + company · what the
# `CLOSEST` have of both + size · ln texts, and strange where none of its names is known), over its first `LOOKS` hits; fitted to
# related against unrelated queries.
LOOKS = 10
GATE_BIAS, GATE_COSINE, GATE_COVERAGE, GATE_COMPANY, GATE_STRANGE, GATE_SIZE = 2.75, 10.92, 3.31, 17.99, -6.42, -3.27
CLOSEST = 3  # hits, by cosine + `OF_COVERAGE` · coverage, whose mean counts beside the best: a stray one is alone
OF_COVERAGE = 0.25
# What each further one takes off their mean where nothing is related, measured on LoCoMo's five conversations.
FURTHER = 0.0115
GATE_WORDS_BIAS, GATE_WORDS_COVERAGE = -1.65, 9.5  # the same without a cosine, a little more open than the fit (-2.1)
GATE = 0.35  # below it a search returns nothing
# Below it a context has nothing: its reader sees what does not belong there, but not what is missing. With MiniLM only.
GATE_TO_FILL = 0.1
RETOLD = 0.2  # of a text is what a memory counts as beside the turns: it says again what one of them said
FEWEST, MOST = 50, 600  # texts: the sizes of the smallest and of most stores that the gate was fitted to
# Below, down to `YOUNG` texts, what is unrelated comes less near by 0.04 in cosine each time that they are e times fewer.
YOUNG, GATE_YOUNG = 5, -1.1

CALIBRATED = frozenset({"all-MiniLM-L6-v2"})  # embedders (ids) whose cosines the constants are fitted to
BACKGROUND = 0.32  # mean cosine of MiniLM between any two texts of one user, measured on the same data
PRIOR_PAIRS = 50  # of texts, that an unknown embedder's background is mixed with


def logistic(x: float) -> float:
    """1 / (1 + e^−x), without overflow."""
    return 0.5 * (1 + math.tanh(x / 2))


def calibrated(cosine: float | None, coverage: float) -> float:
    """How sure it is that a passage has to do with the query, 0..1. `cosine` on MiniLM's scale, None where there is no vector:
    then words alone must tell."""
    if cosine is None:
        return logistic(WORDS_BIAS + WORDS_COVERAGE * coverage)
    return logistic(BIAS + COSINE * cosine + COVERAGE * coverage)


class Nearest(NamedTuple):
    """How near a query comes to a store. `cosine` (None without vectors) and `coverage`: the best of its first `LOOKS` hits, each
    for itself; `company`: both of the closest together, see `company`. `strange`: it names somebody or something, and the store
    has none of the names. `turns`, `memories`: among how many it was searched."""

    cosine: float | None
    coverage: float
    company: float
    strange: bool
    turns: int
    memories: int


def answerable(near: Nearest) -> float:
    """How sure it is that the store has anything to do with the query, 0..1; `GATE` is where that is taken to be so. Certain
    where one passage has all words of the query."""
    if near.coverage >= 1:
        return 1.0
    strange = GATE_STRANGE * near.strange
    if near.cosine is None:
        return logistic(GATE_WORDS_BIAS + GATE_WORDS_COVERAGE * near.coverage + strange)
    told = GATE_BIAS + GATE_COSINE * near.cosine + GATE_COVERAGE * near.coverage + GATE_COMPANY * near.company
    return logistic(told + strange + demanded(near.turns + RETOLD * near.memories))


def company(hits: Iterable[tuple[float, float]], texts: float) -> float:
    """What the closest hits (cosine, coverage) have of both on average. Fewer than `CLOSEST` of them, less what each further one
    takes off, where there are few texts, most of which have little to do with any query."""
    most = max(1, min(CLOSEST, int(texts / YOUNG)))
    best = sorted((cosine + OF_COVERAGE * coverage for cosine, coverage in hits), reverse=True)[:most]
    return sum(best) / len(best) - FURTHER * (CLOSEST - len(best)) if best else 0.0


def demanded(texts: float) -> float:
    """What the size of a store adds: the more texts, the nearer comes the nearest of what is unrelated."""
    full = math.log(min(max(texts, FEWEST), MOST))
    return GATE_SIZE * full + GATE_YOUNG * math.log(min(max(texts, YOUNG), FEWEST) / FEWEST)


class Scale(NamedTuple):
    """An embedder's cosines on MiniLM's scale: `shift + factor · cosine`."""

    shift: float = 0.0
    factor: float = 1.0

    def __call__(self, cosine: float | None) -> float | None:
        """The cosine that MiniLM would have given, None for None."""
        return None if cosine is None else self.shift + self.factor * cosine

    @classmethod
    def of_background(cls, mean: float, pairs: int) -> Scale:
        """For an embedder without a calibration: what is usual between the texts of its own store is put where that is with
        MiniLM, and equal texts stay at 1. Few pairs tell little of what is usual, so `PRIOR_PAIRS` of MiniLM's are mixed in."""
        share = pairs / (pairs + PRIOR_PAIRS)
        usual = min(share * mean + (1 - share) * BACKGROUND, 0.99)
        factor = (1 - BACKGROUND) / (1 - usual)
        return cls(1 - factor, factor)
