"""What passages gain from where they stand: the turns after them, and what else of their session was found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..records import PassageRecord, SourceSpan
from ..view.intervals import Columns
from .channels import Channel

if TYPE_CHECKING:
    from ..view.intervals import Integers, Mask
    from .channels import Floats

COMPANY = 6  # of a session's best passages tell how much it has to do with the query: docs/retrieval.md


class Spots(NamedTuple):
    """Where passages stand, in their order: the numbers of their sessions and turns (of their first sources); a session is 0
    where it is not known."""

    sessions: Integers
    turns: Integers


class Surroundings:
    """Where one user's passages stand."""

    def __init__(self) -> None:
        self._turn_of = Columns("turn")  # by passage
        self._session_of = Columns("session")  # by turn
        self._sessions: dict[str, int] = {}

    def put_passages(self, passages: Iterable[PassageRecord]) -> None:
        """Texts that became searchable."""
        said = [(one.number, one.turn, one.session) for one in passages if one.turn]
        self._turn_of.put([number for number, _, _ in said], [(turn,) for _, turn, _ in said])
        known = [(turn, session) for _, turn, session in said if session]
        numbers = [(self._sessions.setdefault(session, len(self._sessions) + 1),) for _, session in known]
        self._session_of.put([turn for turn, _ in known], numbers)

    def put_sources(self, sources: Sequence[SourceSpan]) -> None:
        """Quotes: a memory stands where its first one does."""
        import numpy as np

        known = self._turn_of.at("turn", np.array([one.statement for one in sources], dtype=np.int64)).tolist()
        first: dict[int, int] = {}
        for one, turn in zip(sources, known, strict=True):
            first.setdefault(one.statement, turn or one.turn)
        self._turn_of.put([*first], [(turn,) for turn in first.values()])

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return self._turn_of.nbytes + self._session_of.nbytes

    def spots(self, passages: Integers) -> Spots:
        """Where passages stand."""
        turns = self._turn_of.at("turn", passages)
        return Spots(self._session_of.at("session", turns), turns)


def beside(keys: Integers, scores: Floats, spots: Spots, untold: Mask) -> Channel:
    """What turns (`keys`) were found by, 0..1, given to the `untold` turn before them in the same session: a reply often tells
    what was meant. What comes before a turn is in its own key already."""
    stand = [*zip(spots.sessions.tolist(), spots.turns.tolist(), strict=True)]
    at, found = {spot: place for place, spot in enumerate(stand) if spot[0]}, {}
    for place in untold.nonzero()[0].tolist():
        session, turn = stand[place]
        reply = at.get((session, turn + 1))
        if reply is not None and scores[reply] > 0:
            found[int(keys[place])] = float(scores[reply])
    return _channel("turn-after", sorted(found.items(), key=lambda one: (-one[1], one[0])))


def together(keys: Integers, weights: Floats, spots: Spots) -> Channel:
    """Passages (best first) by how much their session has to do with the query: the sum of its `COMPANY` best against that of the
    best session, 0..1. Where no session has so many, all of it counts for less: of two short ones the one with a passage more
    has no more to do with the query."""
    sums: dict[int, float] = {}
    counts: dict[int, int] = {}
    known = [one for one in zip(keys.tolist(), spots.sessions.tolist(), weights.tolist(), strict=True) if one[1]]
    for _, session, weight in known:
        if counts.setdefault(session, 0) < COMPANY:
            counts[session] += 1
            sums[session] = sums.get(session, 0.0) + weight
    best = max(sums.values(), default=0.0)
    if best <= 0:
        return _channel("session", [])
    full = min(max(counts.values()) / COMPANY, 1.0)
    shares = {session: full * total / best for session, total in sums.items()}
    return _channel("session", sorted(((key, shares[session]) for key, session, _ in known), key=lambda one: -one[1]))


def _channel(name: str, found: Sequence[tuple[int, float]]) -> Channel:
    return Channel.of(name, [key for key, _ in found], [score for _, score in found])
