"""What a fact is shown beside: live memories of its slot, near by vector, near by BM25. Without a threshold: a cut at a cosine of
0.68 already loses a quarter of the originals that updates are about.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ..model import Fact
from ..ports import Ledger
from ..times import to_micros
from ..view.partition import Partition
from .candidates import MAX_CANDIDATES
from .plan import Content, Plan

OF_SLOT = 8  # nearest memories of its slot: a slot with many values must not crowd out the others


class Neighbours:
    """The live rows beside the facts of a chunk, at one moment."""

    def __init__(self, ledger: Ledger, partition: Partition, plan: Plan, moment: datetime) -> None:
        self._ledger, self._partition, self._plan = ledger, partition, plan
        self._live = partition.live_rows(to_micros(moment))  # by passage
        self._allowed = self._live > 0

    def of(self, fact: Fact, content: Content) -> list[tuple[int, float]]:
        """(a row's number, its cosine): the nearest of the fact's slot, then the nearest by vector and by BM25."""
        found = self._partition.search(content.vector, content.terms, MAX_CANDIDATES, self._allowed)
        slot = by_cosine(self._partition, content, self._of_slot(fact))[:OF_SLOT]
        keys = dict.fromkeys(
            [*(key for key, _ in slot), *alternately(found.vector.keys.tolist(), found.text.keys.tolist())]
        )
        shown = [key for key in keys if not self._plan.has_retired(int(self._live[key]))][:MAX_CANDIDATES]
        near = zip(shown, cosines(self._partition, content, shown), strict=True)
        return [(int(self._live[key]), cosine) for key, cosine in near]

    def _of_slot(self, fact: Fact) -> list[int]:
        """The passages of live rows with the fact's slot."""
        keys = self._ledger.statements_of_slot(self._plan.space, fact.slot.key) if fact.slot else []
        return [key for key in keys if key < len(self._allowed) and self._allowed[key]]


def cosines(partition: Partition, content: Content, keys: list[int]) -> list[float]:
    """The cosine of a fact to passages, in their order."""
    if not keys:
        return []
    return [cosine or 0.0 for cosine, _ in partition.relevance(content.vector, {}, keys)]


def by_cosine(partition: Partition, content: Content, keys: list[int]) -> list[tuple[int, float]]:
    """(passage, cosine), nearest first."""
    near = zip(keys, cosines(partition, content, keys), strict=True)
    return sorted(near, key=lambda one: (-one[1], one[0]))


def alternately(*channels: Sequence[int]) -> list[int]:
    """The keys of ranked lists, the first of each, then the second of each …"""
    longest = max(map(len, channels))
    return [channel[i] for i in range(longest) for channel in channels if i < len(channel)]
