"""Pure scoring: how channels are fused into an order, and how a hit's score is calibrated."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

# Weight of each channel in the fused order. Sums of per-query normalised scores beat reciprocal ranks in a first try.
# "support": what a turn was found by, given to the memories that it supports.
WEIGHTS: Mapping[str, float] = {
    "memory-vector": 1.0,
    "memory-bm25": 0.8,
    "turn-vector": 1.0,
    "turn-bm25": 0.8,
    "support-vector": 0.4,
    "support-bm25": 0.3,
}

# score = logistic(BIAS + COSINE · cosine + COVERAGE · coverage): a first form; the constants are explained in docs/decisions.md.
BIAS, COSINE, COVERAGE = -4.2, 9.0, 2.2
FLOOR = 0.15  # below it a hit is taken for unrelated
# Every further source that tells the same is worth this much, up to three of them.
EVIDENCE_BOOST = 0.02


class Place(NamedTuple):
    """Where a channel put a key: rank from 1, score normalised within the query, 0..1."""

    channel: str
    rank: int
    score: float


def best_of(*channels: Sequence[tuple[int, float]]) -> float:
    """The best score over channels of one kind: memories and turns are normalised by the same one, so that the best of
    memories that all have little to do with the query is not taken for as good as the best of the turns."""
    return max((score for found in channels for _, score in found), default=0.0)


def places(channel: str, found: Sequence[tuple[int, float]], best: float) -> dict[int, Place]:
    """key → place in one channel; scores divided by `best`, so that channels can be added. Negative ones count as 0."""
    whole = best if best > 0 else math.inf
    return {key: Place(channel, rank, max(score, 0.0) / whole) for rank, (key, score) in enumerate(found, start=1)}


def fuse(channels: Sequence[Mapping[int, Place]]) -> dict[int, tuple[float, tuple[Place, ...]]]:
    """key → (weighted sum, places) over all channels."""
    fused: dict[int, tuple[float, tuple[Place, ...]]] = {}
    for channel in channels:
        for key, place in channel.items():
            total, seen = fused.get(key, (0.0, ()))
            fused[key] = (total + WEIGHTS[place.channel] * place.score, (*seen, place))
    return fused


def calibrated(cosine: float, coverage: float) -> float:
    """How sure it is that a text has to do with the query, 0..1: comparable between queries."""
    return 1 / (1 + math.exp(-(BIAS + COSINE * cosine + COVERAGE * coverage)))


def estimate_tokens(text: str) -> int:
    """Tokens of a text, rather too many than too few: a token has about four letters of English, one of CJK."""
    wide = sum(ord(character) > 0x2E80 for character in text)
    return math.ceil((len(text) - wide) / 3.2) + wide
