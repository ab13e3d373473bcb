"""What a fact is shown beside: live memories of its slot, near by vector, near by BM25. Without a threshold: a cut at a cosine of
0.68 already loses a quarter of the originals that updates are about.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from .candidates import MAX_CANDIDATES
from .model import Fact, Row
from .partition import Partition
from .plan import Content, Plan
from .ports import Ledger
from .times import to_micros

OF_SLOT = 8  # nearest memories of its slot: a slot with many values must not crowd out the others


class Neighbours:
    """The live rows beside the facts of a chunk, at one moment and revision."""

    def __init__(self, ledger: Ledger, partition: Partition, plan: Plan, moment: datetime) -> None:
        self._ledger, self._partition, self._plan, self._moment = ledger, partition, plan, moment
        self._live = partition.live_rows(to_micros(moment))
        self._allowed = self._live > 0

    def of(self, fact: Fact, content: Content) -> list[tuple[Row, float]]:
        """(row, cosine): the nearest of the fact's slot, then the nearest by vector and by BM25. No threshold."""
        partition, space = self._partition, self._plan.space
        found = partition.search(content.vector, content.terms, MAX_CANDIDATES, self._allowed)
        of_slot = self._ledger.rows_by_slot(space, fact.slot.key) if fact.slot else []
        rows = {row.statement.number: row for row in of_slot if row.is_live(self._moment)}
        slot = by_cosine(partition, content, list(rows))[:OF_SLOT]
        keys = list(dict.fromkeys([*(key for key, _ in slot), *alternately(found.vector, found.text)]))
        near = self._ledger.rows(space, [int(self._live[key]) for key in keys if key not in rows])
        rows |= {row.statement.number: row for row in near.values()}
        shown = [key for key in keys if key in rows and not self._plan.has_retired(rows[key].number)][:MAX_CANDIDATES]
        return [(rows[key], cosine) for key, cosine in zip(shown, cosines(partition, content, shown), strict=True)]


def cosines(partition: Partition, content: Content, keys: list[int]) -> list[float]:
    """The cosine of a fact to passages, in their order."""
    return [cosine or 0.0 for cosine, _ in partition.relevance(content.vector, {}, keys)]


def by_cosine(partition: Partition, content: Content, keys: list[int]) -> list[tuple[int, float]]:
    """(passage, cosine), nearest first."""
    near = zip(keys, cosines(partition, content, keys), strict=True)
    return sorted(near, key=lambda one: (-one[1], one[0]))


def alternately(*channels: Sequence[tuple[int, float]]) -> list[int]:
    """The keys of ranked lists, the first of each, then the second of each …"""
    longest = max(map(len, channels))
    return [channel[i][0] for i in range(longest) for channel in channels if i < len(channel)]
