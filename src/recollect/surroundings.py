"""What passages gain from where they stand: the turns beside them, and what else of their session was found."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import NamedTuple

from .channels import Channel

COMPANY = 6  # of a session's best passages tell how much it has to do with the query: docs/retrieval.md


class Spot(NamedTuple):
    """Where a passage stands: its session, and the number of its turn (of its first source)."""

    session: Hashable
    turn: int


def beside(scores: Mapping[int, float], spots: Mapping[int, Spot], untold: Collection[int], step: int) -> Channel:
    """What turns were found by (0..1, by passage), given to their `untold` neighbours in the same session: with step 1 a turn
    gets that of the turn after it, with −1 that of the turn before. An answer often shares no word with what is asked."""
    at = {spots[key]: key for key in scores if key in spots}
    pairs = ((key, at.get(Spot(spot.session, spot.turn + step))) for spot, key in at.items() if key in untold)
    found = {key: scores[other] for key, other in pairs if other is not None and scores[other] > 0}
    return _channel(
        "turn-after" if step > 0 else "turn-before", sorted(found.items(), key=lambda one: (-one[1], one[0]))
    )


def together(orders: Sequence[tuple[int, float]], spots: Mapping[int, Spot]) -> Channel:
    """Passages (key, weight; best first) by how much their session has to do with the query: the sum of its `COMPANY` best
    against that of the best session, 0..1."""
    sums: dict[Hashable, float] = {}
    counts: dict[Hashable, int] = {}
    known = [(key, spots[key].session, weight) for key, weight in orders if key in spots]
    for _, session, weight in known:
        if counts.setdefault(session, 0) < COMPANY:
            counts[session] += 1
            sums[session] = sums.get(session, 0.0) + weight
    best = max(sums.values(), default=0.0)
    if best <= 0:
        return _channel("session", [])
    shares = {session: total / best for session, total in sums.items()}
    return _channel("session", sorted(((key, shares[session]) for key, session, _ in known), key=lambda one: -one[1]))


def _channel(name: str, found: Sequence[tuple[int, float]]) -> Channel:
    return Channel.of(name, [key for key, _ in found], [score for _, score in found])
