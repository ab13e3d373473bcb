"""What decisions do to a memory's versions: pure code that plans the effects of a commit.

Numbers (of rows, passages, sources, changes) are handed out here, against one revision of the user; the ledger refuses
the whole plan where that revision has moved. Rows are never altered: what ends is retired and comes back closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from ..errors import UndoConflict
from ..ids import new_id
from ..model import Entity, EventTime, Kind, Metadata, Op, Relation, Row, Slot, SourceClass, Statement, text_key
from ..records import (
    ChangeRecord,
    ChunkDone,
    Commit,
    EmbedderKey,
    Hiding,
    Identity,
    NewStatement,
    NewTurn,
    Retirement,
    SourceRecord,
    Space,
    TurnPassage,
    UserState,
)

if TYPE_CHECKING:
    from ..ports import Vectors


@dataclass(frozen=True, slots=True)
class Content:
    """What a new version says, ready to be searched. `quotes` are (turn number, quote)."""

    text: str
    kind: Kind
    source: SourceClass
    terms: Mapping[str, int]
    vector: Vectors | None
    quotes: tuple[tuple[int, str], ...] = ()
    slot: Slot | None = None
    value: str | None = None
    event: EventTime | None = None
    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()
    metadata: Metadata = field(default_factory=dict)
    expires_at: datetime | None = None

    def same_as(self, row: Row) -> bool:
        """The same text about the same time: what may live only once."""
        return text_key(self.text) == row.statement.text_key and self.event == row.statement.event


@dataclass(frozen=True, slots=True)
class Why:
    """What is recorded with a change beside its effects."""

    reason: str = ""
    flag: str | None = None
    actor: str | None = None
    model: str | None = None
    prompt_id: str | None = None
    undoes: str | None = None


def overlap(one: Row, other: Row) -> bool:
    """Whether both hold at some time."""
    begun = one.valid_to is None or other.valid_from < one.valid_to
    return begun and (other.valid_to is None or one.valid_from < other.valid_to)


class Plan:
    """Effects under construction, on a working copy of the believed rows that they touch."""

    def __init__(self, space: Space, state: UserState, batch_id: str | None = None, chunk: int | None = None) -> None:
        self.space, self.state = space, state
        self._batch_id, self._chunk = batch_id, chunk
        self._number = state.revision
        self._last_row, self._last_passage, self._last_source = state.last_row, state.last_passage, state.last_source
        self._believed: dict[int, Row] = {}
        self._text_keys: dict[int, str] = {}  # by statement, of those that were compared
        self._sources: dict[int, dict[int, SourceRecord]] = {}  # statement → by number
        self._new_rows: dict[int, Row] = {}
        self._new_sources: dict[int, SourceRecord] = {}
        self._quoted: set[tuple[int, int, str]] = set()  # (statement, turn, quote) of every source
        self._retired_rows: list[Retirement] = []
        self._retired_numbers: set[int] = set()
        self._retired_sources: dict[int, Retirement] = {}  # by number
        self._hidings: list[Hiding] = []
        self._retired_hidings: list[Hiding] = []
        self._identities: list[Identity] = []
        self._retired_identities: list[Identity] = []
        self._statements: list[NewStatement] = []
        self.changes: list[ChangeRecord] = []

    def know(self, rows: Iterable[Row], sources: Iterable[SourceRecord] = ()) -> None:
        """Tell of rows (whole memories) and sources that are believed at the plan's revision."""
        for row in rows:
            if not self.has_retired(row.number):
                self._believed.setdefault(row.number, row)
        for source in sources:
            self._keep_source(source)

    def has_retired(self, row: int) -> bool:
        """Whether the plan retires a row that the ledger still believes."""
        return row in self._retired_numbers

    def has_retired_source(self, source: int) -> bool:
        """The same of a source."""
        return source in self._retired_sources

    def versions(self, memory_id: str) -> list[Row]:
        """The believed versions of a memory as the plan leaves them so far, by `valid_from`."""
        found = [row for row in self._believed.values() if row.memory_id == memory_id]
        return sorted(found, key=lambda row: (row.valid_from, row.number))

    def live(self, memory_id: str, now: datetime) -> Row | None:
        """The memory's live version, if it has one."""
        return next((row for row in self.versions(memory_id) if row.is_live(now)), None)

    def find_live(self, content: Content, now: datetime) -> Row | None:
        """A live row that the plan knows with the same text and event interval."""
        return next((row for row in self._same(content) if row.is_live(now)), None)

    def find_quarantined(self, content: Content) -> Row | None:
        """A quarantined row that the plan knows with the same text and event interval."""
        return next((row for row in self._same(content) if row.quarantined), None)

    def _same(self, content: Content) -> Iterator[Row]:
        """As `Content.same_as` says; each of many rows is told by its text once, however many facts are held against it."""
        key = text_key(content.text)
        for row in self._believed.values():
            number = row.statement.number
            if number not in self._text_keys:
                self._text_keys[number] = row.statement.text_key
            if self._text_keys[number] == key and row.statement.event == content.event:
                yield row

    # --- decisions -----------------------------------------------------------------------------------------------------

    def add(
        self,
        content: Content,
        valid_from: datetime,
        why: Why,
        valid_to: datetime | None = None,
        *,
        quarantined: bool = False,
    ) -> Row:
        """A new memory."""
        number = self._next_number()
        row = self._insert(content, new_id("mem"), valid_from, valid_to, number, quarantined=quarantined)
        self._record(number, Op.ADD, row, why)
        return row

    def revise(
        self,
        target: Row,
        content: Content,
        why: Why,
        *,
        others: Sequence[Row] = (),
        keep_sources: bool = True,
        since: datetime | None = None,
    ) -> Row:
        """The same thing told better: the row is retired, and with it `others`, whose content it takes over. The new one keeps
        its times, but for a start that is told anew (`since`). A refinement keeps their sources, a correction does not."""
        number = self._next_number()
        alone = len(self.versions(target.memory_id)) == 1 and target.valid_to is None
        start = since if since is not None and alone else target.valid_from
        for row in (target, *others):
            self._retire(row, number)
        row = self._insert(content, target.memory_id, start, target.valid_to, number)
        if keep_sources:
            for source in [one for old in (target, *others) for one in self._sources_of(old)]:
                self._add_source(row.statement.number, source.turn, source.quote, number, echo=source.echo)
                if source.echo:  # it says the memory again, not an earlier wording of it, which may be wrong by then
                    self._retire_source(source, number)
        ended = [other.statement.text for other in others]
        self._record(number, Op.UPDATE, row, why, previous=target, also_ended=ended)
        return row

    def restate(self, target: Row, why: Why, *, metadata: Metadata, expires_at: datetime | None, op: Op) -> Row:
        """The same statement with other metadata or another expiry."""
        number = self._next_number()
        row = self._copy(target, number, metadata=metadata, expires_at=expires_at)
        self._record(number, op, row, why, previous=target)
        return row

    def supersede(self, target: Row, others: Sequence[Row], content: Content, stated_at: datetime, why: Why) -> Row:
        """The world changed at `stated_at`. What held then is closed; what came later stays, and ends the new version."""
        number = self._next_number()
        later = [row for row in self.versions(target.memory_id) if row.valid_from > stated_at]
        for row in self._covering(target.memory_id, stated_at):
            self._close(row, stated_at, number)
        new = self._insert(content, target.memory_id, stated_at, later[0].valid_from if later else None, number)
        ended = [text for other in others for text in self._end(other.memory_id, stated_at, number)]
        self._record(number, Op.UPDATE, new, why, previous=target, also_ended=ended)
        return new

    def delete(
        self, targets: Sequence[Row], stated_at: datetime, quotes: Iterable[tuple[int, str]], why: Why
    ) -> Row | None:
        """The targets are no longer so since `stated_at`. None, and nothing planned, where no version held then."""
        if not any(self._covering(target.memory_id, stated_at) for target in targets):
            return None
        number = self._next_number()
        ended = [text for target in targets for text in self._end(target.memory_id, stated_at, number)]
        last = next((row for row in self._new_rows.values() if row.recorded == number), targets[0])
        for turn, quote in quotes:
            self._add_source(last.statement.number, turn, quote, number)
        self._record(number, Op.DELETE, last, why, previous=targets[0], also_ended=ended[1:])
        return last

    def keep(
        self, target: Row | None, quotes: Iterable[tuple[int, str]], expires_at: datetime | None, why: Why
    ) -> None:
        """Nothing new: the target gains the evidence, and the later expiry (none wins)."""
        number = self._next_number()
        row = target
        if target is not None:
            for turn, quote in quotes:
                self._add_source(target.statement.number, turn, quote, number)
            if target.expires_at is not None and (expires_at is None or expires_at > target.expires_at):
                row = self._copy(target, number, metadata=target.metadata, expires_at=expires_at)
        self._record(number, Op.NONE, row, why)

    def echo(self, target: Row, quotes: Iterable[tuple[int, str]], why: Why) -> None:
        """Turns that only say again what the target says: what befalls it befalls them. Nothing is planned where all of them are
        its sources already."""
        cited = {source.turn for source in self._sources_of(target)}
        new = [(turn, quote) for turn, quote in quotes if turn not in cited]
        if not new:
            return
        number = self._next_number()
        for turn, quote in new:
            self._add_source(target.statement.number, turn, quote, number, echo=True)
        self._record(number, Op.NONE, target, why)

    def new_rows(self, now: datetime) -> list[Row]:
        """Live rows that the plan inserts with a statement of their own."""
        stated = {one.statement.number for one in self._statements}
        return [row for row in self._believed.values() if row.statement.number in stated and row.is_live(now)]

    def retire_all(self, rows: Sequence[Row], why: Why, *, free_echoes: bool = False) -> None:
        """Take back believed rows of one memory, and insert nothing: the verb `delete`. `free_echoes`: what only said it again
        does so no more."""
        number = self._next_number()
        for row in rows:
            self._retire(row, number)
            for source in [one for one in self._sources_of(row) if one.echo and free_echoes]:
                self._retire_source(source, number)
        self._record(number, Op.DELETE, rows[-1], why, previous=rows[-1])

    def hide(self, turns: Iterable[int], why: Why, hidden: Sequence[Hiding] = ()) -> None:
        """Take turns out of search, by a change of its own, of no memory. `hidden`: those that were so for a review."""
        number = self._next_number()
        self._hidings += [Hiding(turn, number, origin=number) for turn in turns]
        self._rehide(hidden, number)
        self._record(number, Op.DELETE, None, why)

    def identify(self, one: int, other: int, ended: Sequence[Identity], why: Why, *, same: bool) -> None:
        """Two entities are the same, or are not, by a change of its own, of no memory. `ended`: what was said of them before."""
        number = self._next_number()
        self._identities.append(Identity(min(one, other), max(one, other), same, number, origin=number))
        self._retired_identities += [replace(said, retired=number) for said in ended]
        self._record(number, Op.UPDATE, None, why)

    # --- reviews of what is quarantined --------------------------------------------------------------------------------

    def approve(self, rows: Sequence[Row], shown: Sequence[Hiding], why: Why) -> None:
        """Bring in what was put aside, and show the turns that were hidden with it."""
        number = self._next_number()
        copies = [self._copy(row, number, quarantined=False) for row in rows]
        self._retired_hidings += [replace(one, retired=number) for one in shown]
        self._record(number, Op.ADD, copies[-1] if copies else None, why)

    def drop(self, rows: Sequence[Row], hidden: Sequence[Hiding], why: Why) -> None:
        """Take away what was put aside. The turns that were hidden with it are hidden by this change from now on."""
        number = self._next_number()
        for row in rows:
            self._retire(row, number)
        self._rehide(hidden, number)
        self._record(number, Op.DELETE, rows[-1] if rows else None, why, previous=rows[-1] if rows else None)

    def _rehide(self, hidden: Sequence[Hiding], number: int) -> None:
        self._retired_hidings += [replace(one, retired=number) for one in hidden]
        self._hidings += [Hiding(one.turn, number, origin=number) for one in hidden]

    # --- undo ----------------------------------------------------------------------------------------------------------

    def undo(
        self,
        change: ChangeRecord,
        rows: tuple[Sequence[Row], Sequence[Row]],
        sources: tuple[Sequence[SourceRecord], Sequence[SourceRecord]],
        evidence: Sequence[SourceRecord],
        hidings: tuple[Sequence[Hiding], Sequence[Hiding]],
        identities: tuple[Sequence[Identity], Sequence[Identity]],
        retractions: Set[int],
        now: datetime,
    ) -> None:
        """Take back what a change inserted, bring back what it retired. Raises UndoConflict where later changes build on it.

        `evidence`: the sources of the rows that it retired, as they were before. `hidings`, `identities`: what stands of those
        that it brought, and those that it ended. `retractions`: changes whose sources tell that something is no longer so.
        """
        number = self._next_number()
        inserted, retired = rows
        for row in inserted:
            self._retire(self._standing(row), number)
        back = [self._restore(row, number, now) for row in retired]
        added, dropped = sources
        for source in added:
            if source.number in self._sources.get(source.statement, {}):
                self._retire_source(source, number)
        for source in dropped:
            self._add_source(source.statement, source.turn, source.quote, number, echo=source.echo)
        # Another undo may have taken the evidence of what comes back: it comes back with it.
        bare = {row.statement.number for row in back if not self._is_told(row, retractions)}
        for source in evidence:
            if source.statement in bare:
                self._add_source(source.statement, source.turn, source.quote, number, echo=source.echo)
        # What else told it was erased: then it goes with the last telling.
        lost = {source.statement for source in added}
        believed = [row for row in self._believed.values() if row.statement.number in lost]
        untold = [row for row in believed if not self._is_told(row, retractions)]
        for row in untold:
            self._retire(row, number)
        self._retired_hidings += [replace(one, retired=number) for one in hidings[0]]
        # Undos of undos may have brought a turn's hiding back twice; what ended both hides it once again.
        ended = {(one.turn, one.origin): one for one in hidings[1]}
        self._hidings += [replace(one, added=number, retired=None) for one in ended.values()]
        self._retired_identities += [replace(one, retired=number) for one in identities[0]]
        said = {(one.one, one.other, one.origin): one for one in identities[1]}
        self._identities += [replace(one, added=number, retired=None) for one in said.values()]
        op = Op.DELETE if untold else {Op.ADD: Op.DELETE, Op.DELETE: Op.ADD}.get(change.op, change.op)
        taken = [*untold, *inserted]
        shown = back[-1] if back else (taken[-1] if taken else None)
        previous = inserted[-1] if inserted and back else None
        why = Why(reason="undo", undoes=change.id)
        self._record(number, op, shown, why, previous=previous, memory_id=change.memory_id)

    def _is_told(self, row: Row, retractions: Set[int]) -> bool:
        """Whether a source says that it is so."""
        return any(not source.echo and source.added not in retractions for source in self._sources_of(row))

    def _standing(self, row: Row) -> Row:
        for believed in self._believed.values():
            if believed.identity == row.identity:
                return believed
        raise UndoConflict(f"a later change builds on memory {row.memory_id}: undo that one first")

    def _restore(self, row: Row, number: int, now: datetime) -> Row:
        for other in self._believed.values():
            same = other.statement.text_key == row.statement.text_key and other.statement.event == row.statement.event
            if (
                same
                and other.metadata == row.metadata
                and other.is_live(now)
                and row.valid_to is None
                and not row.quarantined
            ):
                raise UndoConflict(f"memory {other.memory_id} says the same by now: delete it first")
            if other.memory_id == row.memory_id and overlap(other, row):
                raise UndoConflict(f"memory {row.memory_id} says something else by now: undo that first")
        self._last_row += 1
        restored = replace(row, number=self._last_row, recorded=number, retired=None, restores=row.identity)
        self._put(restored)
        return restored

    # --- effects -------------------------------------------------------------------------------------------------------

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _covering(self, memory_id: str, moment: datetime) -> list[Row]:
        return [
            row
            for row in self.versions(memory_id)
            if row.valid_from <= moment and (row.valid_to is None or row.valid_to > moment)
        ]

    def _end(self, memory_id: str, moment: datetime, number: int) -> list[str]:
        covering = self._covering(memory_id, moment)
        for row in covering:
            self._close(row, moment, number)
        return [row.statement.text for row in covering]

    def _close(self, row: Row, moment: datetime, number: int) -> None:
        if row.valid_from < moment:
            self._copy(row, number, valid_to=moment)
        else:
            self._retire(row, number)

    def _copy(self, row: Row, number: int, **changed: object) -> Row:
        self._retire(row, number)
        self._last_row += 1
        copy = replace(row, number=self._last_row, recorded=number, retired=None, restores=None, **changed)  # type: ignore[arg-type]
        self._put(copy)
        return copy

    def _insert(
        self,
        content: Content,
        memory_id: str,
        valid_from: datetime,
        valid_to: datetime | None,
        number: int,
        *,
        quarantined: bool = False,
    ) -> Row:
        self._last_row += 1
        row = Row(
            number=self._last_row,
            memory_id=memory_id,
            statement=self._state(content),
            valid_from=valid_from,
            valid_to=valid_to,
            recorded=number,
            metadata=content.metadata,
            expires_at=content.expires_at,
            quarantined=quarantined,
        )
        self._put(row)
        for turn, quote in content.quotes:
            self._add_source(row.statement.number, turn, quote, number)
        return row

    def _state(self, content: Content) -> Statement:
        one = Statement(
            number=self.next_passage(),
            text=content.text,
            kind=content.kind,
            slot=content.slot,
            value=content.value,
            event=content.event,
            source=content.source,
        )
        self._statements.append(NewStatement(one, content.terms, content.vector, content.entities, content.relations))
        return one

    def next_passage(self) -> int:
        """Hand out a passage's number."""
        self._last_passage += 1
        return self._last_passage

    def _put(self, row: Row) -> None:
        self._new_rows[row.number] = row
        self._believed[row.number] = row

    def _retire(self, row: Row, number: int) -> None:
        del self._believed[row.number]
        if row.number in self._new_rows:
            self._new_rows[row.number] = replace(row, retired=number)
        else:
            self._retired_rows.append(Retirement(row.number, number))
            self._retired_numbers.add(row.number)

    def _add_source(self, statement: int, turn: int, quote: str, number: int, *, echo: bool = False) -> None:
        if (statement, turn, quote) in self._quoted:
            return
        self._last_source += 1
        source = SourceRecord(self._last_source, statement, turn, quote, number, echo=echo)
        self._keep_source(source)
        self._new_sources[source.number] = source

    def _keep_source(self, source: SourceRecord) -> None:
        self._sources.setdefault(source.statement, {})[source.number] = source
        self._quoted.add((source.statement, source.turn, source.quote))

    def _sources_of(self, row: Row) -> Iterable[SourceRecord]:
        return self._sources.get(row.statement.number, {}).values()

    def _retire_source(self, source: SourceRecord, number: int) -> None:
        del self._sources[source.statement][source.number]
        self._quoted.discard((source.statement, source.turn, source.quote))
        if source.number in self._new_sources:
            self._new_sources[source.number] = replace(source, retired=number)
        else:
            self._retired_sources[source.number] = Retirement(source.number, number)

    def _record(
        self,
        number: int,
        op: Op,
        row: Row | None,
        why: Why,
        *,
        previous: Row | None = None,
        also_ended: Iterable[str] = (),
        memory_id: str | None = None,
    ) -> None:
        self.changes.append(
            ChangeRecord(
                id=new_id("chg"),
                number=number,
                op=op,
                memory_id=memory_id or (row.memory_id if row else None),
                row=row.number if row else None,
                previous_text=previous.statement.text if previous else None,
                also_ended=tuple(also_ended),
                reason=why.reason,
                flag=why.flag,
                batch_id=self._batch_id,
                chunk=self._chunk,
                actor=why.actor,
                model=why.model,
                prompt_id=why.prompt_id,
                undoes=why.undoes,
            )
        )

    def commit(
        self,
        turns: Sequence[TurnPassage] = (),
        new_turns: Sequence[NewTurn] = (),
        done: ChunkDone | None = None,
        embedder: EmbedderKey | None = None,
    ) -> Commit:
        """All effects. A commit consumes a number also where it changed nothing, so that partitions see its turns."""
        return Commit(
            space=self.space,
            at=self.state,
            revision=max(self._number, self.state.revision + 1),
            statements=tuple(self._statements),
            rows=tuple(self._new_rows.values()),
            retired_rows=tuple(self._retired_rows),
            sources=tuple(self._new_sources.values()),
            retired_sources=tuple(self._retired_sources.values()),
            hidings=tuple(self._hidings),
            retired_hidings=tuple(self._retired_hidings),
            identities=tuple(self._identities),
            retired_identities=tuple(self._retired_identities),
            changes=tuple(self.changes),
            turns=tuple(turns),
            new_turns=tuple(new_turns),
            done=done,
            embedder=embedder,
        )
