"""What the channels of a search found, and what they add up to: columns of numbers, added for all passages at once.

A channel's scores are normalised within the query (`Span`), so that channels can be added by their weights (`rank.WEIGHTS`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from .rank import TAIL, USUAL, WEIGHTS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..view.intervals import Integers, Mask

    Floats = NDArray[np.float64]

Path: TypeAlias = tuple[str, ...]
"""The steps of the graph that led to a passage."""


class Place(NamedTuple):
    """Where a channel put a passage: rank from 1, score normalised within the query, 0..1."""

    channel: str
    rank: int
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """Passages, each once; how well each fits, 0..1, and its rank from 1. `paths`: by passage."""

    name: str
    keys: Integers
    scores: Floats
    ranks: Integers
    paths: Mapping[int, Path]

    @classmethod
    def of(
        cls,
        name: str,
        keys: Sequence[int] | Integers,
        scores: Sequence[float] | Floats,
        ranks: Sequence[int] | Integers | None = None,
        paths: Mapping[int, Path] | None = None,
    ) -> Channel:
        """Where no ranks are given the passages come best first."""
        import numpy as np

        return cls(
            name,
            np.asarray(keys, dtype=np.int64),
            np.asarray(scores, dtype=np.float64),
            np.arange(1, len(keys) + 1) if ranks is None else np.asarray(ranks, dtype=np.int64),
            paths or {},
        )

    def __len__(self) -> int:
        return len(self.keys)


class Span(NamedTuple):
    """Where the raw scores of one query lie: what is usual, and the best."""

    usual: float
    best: float

    @classmethod
    def of(cls, *scores: Floats) -> Span:
        """Of channels (best first) of one kind together: memories and turns are normalised alike, so that the best of memories
        that all have little to do with the query is not taken for as good as the best of the turns. Usual is the score at the
        place `USUAL`; 0 where fewer are found, for then nothing tells what is usual."""
        import numpy as np

        together = np.sort(np.concatenate([one[:USUAL] for one in scores]))
        if not len(together):
            return cls(0.0, 0.0)
        usual = float(together[-USUAL]) if len(together) >= USUAL else 0.0
        return cls(max(usual, 0.0), max(float(together[-1]), 0.0))

    def __call__(self, scores: Floats) -> Floats:
        """Scores within the query, 0..1, so that channels can be added: 0 for 0 or less, 1 for the best, `TAIL` or less for
        what is no better than usual."""
        import numpy as np

        if not self.best:
            return np.zeros(len(scores))
        shares = np.maximum(scores, 0.0) / self.best
        if self.best > self.usual:
            beyond = np.maximum(scores - self.usual, 0.0) / (self.best - self.usual)
            shares = TAIL * shares + (1 - TAIL) * beyond
        return shares


class Fusion:
    """What channels add up to, by passage."""

    def __init__(self, size: int) -> None:
        """`size`: one more than the last passage's number."""
        import numpy as np

        self.channels: list[Channel] = []
        self.paths: dict[int, Path] = {}  # of those that the graph led to
        self.sums: Floats = np.zeros(size)
        self._found: Mask = np.zeros(size, dtype=bool)

    def add(self, channel: Channel) -> None:
        """What a channel found, by its weight."""
        if len(channel):
            self.channels.append(channel)
            self._found[channel.keys] = True
            self.paths.update(channel.paths)
            self.sums[channel.keys] += WEIGHTS[channel.name] * channel.scores

    @property
    def keys(self) -> Integers:
        """All passages that any channel found, ascending."""
        return self._found.nonzero()[0]

    def best_first(self, keys: Integers | None = None) -> Integers:
        """All passages, or some that ascend, in their order, ties by smaller number."""
        some = self.keys if keys is None else keys
        return some[(-self.sums[some]).argsort(kind="stable")]

    def reached(self, names: frozenset[str], least: float) -> Mask:
        """By passage: whether one of these channels gave it at least so much."""
        import numpy as np

        reached: Mask = np.zeros(len(self.sums), dtype=bool)
        for channel in self.channels:
            if channel.name in names:
                reached[channel.keys[channel.scores >= least]] = True
        return reached

    def places(self, key: int) -> tuple[Place, ...]:
        """Where the channels put a passage."""
        at = [(one, (one.keys == key).nonzero()[0]) for one in self.channels]
        return tuple(
            Place(one.name, int(one.ranks[here[0]]), float(one.scores[here[0]])) for one, here in at if len(here)
        )
