"""Extract kept turns anew: which of the memories that came of them give way to what is told now.

Until every turn is extracted nothing changes. Then the first commit takes back what the old extraction left, all chunks are
reconciled with what remains, and undoing the batch brings the old memories back. What a caller stored whole,
corrected or deleted is left as it is, with the turns behind it.
"""

from __future__ import annotations

from ..ports import Ledger
from ..records import Batch, Space
from ..view.partition import Partition
from .plan import Plan, Why


def forget_told(plan: Plan, ledger: Ledger, partition: Partition, batch: Batch) -> None:
    """Plan to retire every memory that rests only on turns which the batch tells again."""
    versions = ledger.versions(plan.space, told_by(ledger, partition, plan.space, batch))
    plan.know(versions, ledger.sources(plan.space, {row.statement.number for row in versions}))
    for memory_id in dict.fromkeys(row.memory_id for row in versions):
        plan.retire_all(plan.versions(memory_id), Why("told anew"), free_echoes=True)


def told_by(ledger: Ledger, partition: Partition, space: Space, batch: Batch) -> list[str]:
    """Ids of the believed memories all of whose sources are in the batch's turns, oldest first."""
    turns = {number for chunk in batch.chunks for number in range(chunk.first_turn, chunk.last_turn + 1)}
    believed = ledger.rows(space, partition.believed_rows()).values()
    sources = ledger.sources(space, {row.statement.number for row in believed})
    elsewhere = {one.statement for one in sources if one.turn not in turns and not one.echo}
    kept = {row.memory_id for row in believed if row.statement.number in elsewhere}
    return list(dict.fromkeys(row.memory_id for row in believed if row.memory_id not in kept))
