"""Does everything in the store fit together? Every invariant of the design that can be checked from what is on disk."""

from __future__ import annotations

from collections.abc import Iterator

from .build import Store
from .evidence import holds
from .model import Evidence, Row
from .records import Space
from .results import Problem, VerifyReport
from .times import now


def verify_store(store: Store) -> VerifyReport:
    """Check every user. Problems name the invariant and the place, never content."""
    problems: list[Problem] = []
    if faults := store.ledger.damage():
        problems.append(Problem(what="damaged pages or indexes", where=f"the ledger's file, {faults} faults"))
    checked = {"users": 0, "rows": 0, "partitions": 0}
    for space, _ in store.ledger.spaces():
        checked["users"] += 1
        checked["rows"] += len(store.partitions.get(space).believed())
        problems += rows_of(store, space)
        checked["partitions"] += 1
        problems += partition_of(store, space)
    return VerifyReport(checked=checked, problems=tuple(problems))


def rows_of(store: Store, space: Space) -> Iterator[Problem]:
    """Every believed row has a change, and sources whose quotes stand in their turns; live rows are unique."""
    ledger = store.ledger
    spans = store.partitions.get(space).believed()
    rows = ledger.rows(space, [span.number for span in spans])
    recorded = ledger.recorded_at(space, [row.recorded for row in rows.values()])
    sources = ledger.sources(space, [row.statement.number for row in rows.values()])
    turns = ledger.turns(space, [source.turn for source in sources])
    supported = set()
    for source in sources:
        turn = turns.get(source.turn)
        if turn is None or not holds(Evidence(turn.id, source.quote), turn):
            yield Problem(what="a quote that does not stand in its turn", where=f"space {space} source {source.number}")
        supported.add(source.statement)
    seen: dict[tuple[object, ...], list[Row]] = {}
    moment = now()
    for number, row in rows.items():
        where = f"space {space} row {number}"
        if row.recorded not in recorded:
            yield Problem(what="a row without a change", where=where)
        if row.statement.number not in supported:
            yield Problem(what="a row without a source", where=where)
        if row.is_live(moment):
            key = (row.statement.text_key, row.statement.event, str(sorted(row.metadata.items(), key=str)))
            if any(overlap(row, other) for other in seen.get(key, ())):
                yield Problem(what="two live rows that say the same", where=where)
            seen.setdefault(key, []).append(row)


def overlap(one: Row, other: Row) -> bool:
    """Whether there is a time at which both hold. Messages dated ahead of our clock leave versions that are yet to end."""
    starts, ends = max(one.valid_from, other.valid_from), [row.valid_to for row in (one, other) if row.valid_to]
    return all(starts < end for end in ends)


def partition_of(store: Store, space: Space) -> Iterator[Problem]:
    """The view in memory equals its rebuild from the ledger, and every passage that has a vector is in it."""
    partition = store.partitions.get(space)
    before = partition.snapshot()
    partition.rebuild()
    after = partition.snapshot()
    if before[0] == after[0] and before != after:
        yield Problem(what="a partition that differs from its rebuild", where=f"space {space}")
