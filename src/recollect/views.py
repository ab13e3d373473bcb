"""Rows, turns and changes of the ledger as the results that callers see. One user at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .model import Row, Turn
from .ports import Ledger
from .records import ChangeRecord, SourceRecord, Space
from .results import Change, MemoryItem, Source


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
            )
            for row in rows
        ]

    def _turns_of(self, rows: Sequence[Row]) -> dict[int, list[Turn]]:
        sources = self._ledger.sources(self._space, [row.statement.number for row in rows])
        turns = self._ledger.turns(self._space, [source.turn for source in sources])
        found: dict[int, list[Turn]] = {}
        for source in sources:
            found.setdefault(source.statement, []).append(turns[source.turn])
        return found

    def sources(self, statements: Sequence[int], at: int | None = None) -> dict[int, tuple[Source, ...]]:
        """statement → its quotes, in the order of the turns."""
        records = self._ledger.sources(self._space, statements, at)
        turns = self._ledger.turns(self._space, [record.turn for record in records])
        found: dict[int, list[Source]] = {}
        for record in records:
            found.setdefault(record.statement, []).append(source_of(record, turns[record.turn]))
        return {statement: tuple(known) for statement, known in found.items()}

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


def source_of(record: SourceRecord, turn: Turn) -> Source:
    """A quote with its turn."""
    return turn_source(turn, record.quote)


def turn_source(turn: Turn, quote: str = "") -> Source:
    """A turn as the source of itself, or of a quote."""
    return Source(
        turn_id=turn.id,
        role=turn.role,
        speaker=turn.speaker,
        said_at=turn.said_at,
        quote=quote,
        session_id=turn.scope.session_id,
        agent_id=turn.scope.agent_id,
    )


def distinct(values: Iterable[str | None]) -> tuple[str, ...]:
    """Those that are not None, once each, in order."""
    return tuple(dict.fromkeys(value for value in values if value is not None))
