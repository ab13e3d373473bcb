"""Rows, turns and changes of the ledger as the results that callers see. One user at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..model import Row, SourceClass, Turn
from ..ports import Ledger
from ..records import ChangeRecord, Hiding, Quoted, Space
from ..results import Change, MemoryItem, Quarantined, Source


class Views:
    """Builds results for one user, with few reads whatever their number."""

    def __init__(self, ledger: Ledger, space: Space) -> None:
        self._ledger, self._space = ledger, space

    def items(self, rows: Sequence[Row]) -> list[MemoryItem]:
        """One item per row, in their order."""
        ledger, space = self._ledger, self._space
        user_id = ledger.user_id(space)
        created = ledger.created_at(space, [row.memory_id for row in rows])
        recorded = ledger.recorded_at(space, [row.recorded for row in rows])
        turns = self._turns_of(rows)
        return [
            MemoryItem(
                id=row.memory_id,
                text=row.statement.text,
                kind=row.statement.kind,
                metadata=dict(row.metadata),
                created_at=created[row.memory_id],
                updated_at=recorded[row.recorded],
                valid_from=row.valid_from,
                valid_to=row.valid_to,
                event_from=row.statement.event.start if row.statement.event else None,
                event_to=row.statement.event.end if row.statement.event else None,
                event_precision=row.statement.event.precision if row.statement.event else None,
                expires_at=row.expires_at,
                subject=row.statement.slot.subject if row.statement.slot else None,
                attribute=row.statement.slot.attribute if row.statement.slot else None,
                value=row.statement.value,
                source=row.statement.source,
                agent_ids=distinct(turn.scope.agent_id for turn in turns.get(row.statement.number, ())),
                session_ids=distinct(turn.scope.session_id for turn in turns.get(row.statement.number, ())),
                user_id=user_id,
                quarantined=row.quarantined,
            )
            for row in rows
        ]

    def _turns_of(self, rows: Sequence[Row]) -> dict[int, list[Turn]]:
        every = self._ledger.sources(self._space, [row.statement.number for row in rows])
        sources = [source for source in every if not source.echo]
        turns = self._ledger.turns(self._space, [source.turn for source in sources])
        found: dict[int, list[Turn]] = {}
        for source in sources:
            found.setdefault(source.statement, []).append(turns[source.turn])
        return found

    def evidence(self, statements: Sequence[int], at: int | None = None) -> dict[int, tuple[Source, ...]]:
        """statement → the quotes that tell it, in the order of the turns."""
        known = self.sources(statements, at).items()
        return {statement: tuple(one for one in every if not one.echo) for statement, every in known}

    def sources(self, statements: Sequence[int], at: int | None = None) -> dict[int, tuple[Source, ...]]:
        """statement → its quotes, echoes too, in the order of the turns."""
        found: dict[int, list[Source]] = {}
        for one in self._ledger.quoted(self._space, statements, at):
            found.setdefault(one.statement, []).append(source_of(one))
        return {statement: tuple(known) for statement, known in found.items()}

    def quarantine(self, rows: Sequence[Row], hidden: Sequence[Hiding]) -> list[Quarantined]:
        """What waits for a review, in the order in which it was put aside. A turn that a waiting memory cites is not listed
        beside it."""
        ledger, space = self._ledger, self._space
        why = {one.number: one for one in ledger.changes_at(space, [one.origin for one in hidden])}
        first = {row.number: self._put_aside(row) for row in rows}
        sources = self.evidence([row.statement.number for row in rows])
        cited = {source.turn_id for found in sources.values() for source in found}
        turns = ledger.turns(space, [one.turn for one in hidden])
        waiting = [
            (first[row.number], waiting_memory(row, first[row.number], sources.get(row.statement.number, ())))
            for row in rows
        ]
        waiting += [
            (why[one.origin], waiting_turn(turns[one.turn], why[one.origin]))
            for one in hidden
            if turns[one.turn].id not in cited
        ]
        return [item for _, item in sorted(waiting, key=lambda pair: pair[0].number)]

    def _put_aside(self, row: Row) -> ChangeRecord:
        """The change that put a row aside: the first of its memory."""
        return self._ledger.changes(self._space, memory_id=row.memory_id)[0]

    def changes(self, records: Sequence[ChangeRecord]) -> list[Change]:
        """One change per record, in their order."""
        rows = self._ledger.rows(self._space, [record.row for record in records if record.row is not None])
        shown = list(rows.values())
        items = dict(zip([row.number for row in shown], self.items(shown), strict=True))
        return [
            Change(
                id=record.id,
                number=record.number,
                op=record.op,
                memory=items.get(record.row) if record.row is not None else None,
                previous_text=record.previous_text,
                also_ended=record.also_ended,
                reason=record.reason,
                flag=record.flag,
                recorded_at=record.recorded_at,  # type: ignore[arg-type]  # set by the ledger
                batch_id=record.batch_id,
                undoes=record.undoes,
            )
            for record in records
        ]


def waiting_memory(row: Row, why: ChangeRecord, sources: tuple[Source, ...]) -> Quarantined:
    """A memory that was put aside."""
    return Quarantined(
        kind="memory",
        id=row.memory_id,
        text=row.statement.text,
        reason=why.reason,
        source=row.statement.source,
        speaker=sources[0].speaker if sources else "",
        said_at=row.valid_from,
        quarantined_at=why.recorded_at,  # type: ignore[arg-type]  # set by the ledger
        change_id=why.id,
        sources=sources,
    )


def waiting_turn(turn: Turn, why: ChangeRecord) -> Quarantined:
    """A turn that was taken out of search."""
    return Quarantined(
        kind="turn",
        id=turn.id,
        text=turn.content,
        reason=why.reason,
        source=SourceClass.of(turn.role),
        speaker=turn.speaker,
        said_at=turn.said_at,
        quarantined_at=why.recorded_at,  # type: ignore[arg-type]  # set by the ledger
        change_id=why.id,
        sources=(turn_source(turn),),
    )


def source_of(one: Quoted) -> Source:
    """A quote with its turn."""
    return Source(
        turn_id=one.turn_id,
        role=one.role,
        speaker=one.speaker,
        said_at=one.said_at,
        quote=one.quote,
        session_id=one.session_id,
        agent_id=one.agent_id,
        echo=one.echo,
    )


def turn_source(turn: Turn) -> Source:
    """A turn as the source of itself."""
    return Source(
        turn_id=turn.id,
        role=turn.role,
        speaker=turn.speaker,
        said_at=turn.said_at,
        quote="",
        session_id=turn.scope.session_id,
        agent_id=turn.scope.agent_id,
    )


def distinct(values: Iterable[str | None]) -> tuple[str, ...]:
    """Those that are not None, once each, in order."""
    return tuple(dict.fromkeys(value for value in values if value is not None))
