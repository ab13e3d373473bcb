"""What callers do to memories by hand: correct, delete, undo; and what is asked of single memories."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ..build import Store
from ..embedding import key_of
from ..errors import InvalidInput, NotFound, RevisionConflict, UndoConflict
from ..failpoints import reach
from ..filters import Condition
from ..ids import new_id
from ..model import Op, Row, Scope, Slot, SourceClass
from ..ports import Embedder, Ledger
from ..records import ERASED, QUARANTINED, ChangeRecord, Hiding, Identity, NewTurn, Space
from ..results import Deleted, TimelineEntry
from ..retrieval.query import Query
from ..retrieval.retrieve import Retriever
from ..tasks import whole
from ..times import from_micros, now, to_micros
from ..view.graph import View
from ..view.intervals import Moment
from ..view.resolve import by_word
from ..view.timeline import entries
from .plan import Content, Plan, Why
from .write import Overtaken, Writer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class About:
    """Which rows are about an entity: `subjects`, as slots have them, and `statements` that mention it."""

    subjects: frozenset[str]
    statements: frozenset[int]

    @classmethod
    def named(cls, ledger: Ledger, space: Space, name: str) -> About:
        """The entity of this name; case and spacing do not matter."""
        return cls(frozenset({Slot(name, "").key[0]}), frozenset(ledger.statements_of_entity(space, name)))

    def holds(self, statement: int, slot: str) -> bool:
        """Whether a statement is about it."""
        return statement in self.statements or slot.partition("\x1f")[0] in self.subjects


class Curator:
    """Every verb plans on one state of the ledger and commits with compare-and-set, as the write path does."""

    def __init__(self, store: Store, writer: Writer) -> None:
        self._store, self._writer = store, writer

    async def _retried(self, space: Space, attempt: Callable[[], Awaitable[T]]) -> T:
        """Run an attempt in the user's queue, again where another process committed first."""
        async with self._writer.queue(space):
            overtaken = Overtaken()
            while True:
                try:
                    return await whole(attempt())
                except RevisionConflict as error:
                    await overtaken.by(error)

    # --- reading -------------------------------------------------------------------------------------------------------

    def current(self, space: Space, memory_id: str) -> Row:
        """The memory's live version, else the last that is believed. Raises NotFound where none is, or a review is awaited."""
        versions = [row for row in self._store.ledger.versions(space, [memory_id]) if not row.quarantined]
        if not versions:
            raise NotFound("memory", memory_id)
        moment = now()
        live = [row for row in versions if row.is_live(moment)]
        return live[-1] if live else max(versions, key=lambda row: (row.valid_from, row.number))

    def served(self, retriever: Retriever, space: Space, query: Query) -> list[Row]:
        """Rows that are served at the query's moment, in the order of their memories."""
        partition = self._store.partitions.get(space)
        served = retriever.served(partition, query, retriever.moment(space, query))
        rows = self._store.ledger.rows(space, served.rows[served.row_mask].tolist()).values()
        first = self._store.ledger.first_rows(space, (row.memory_id for row in rows))
        return sorted(rows, key=lambda row: (first[row.memory_id], row.number))

    def timeline(self, space: Space, moment: Moment, entity: str | None, slot: str | None) -> tuple[TimelineEntry, ...]:
        """What is believed at a moment, live or ended, of an entity (as the subject of a slot, or mentioned), a slot's attribute,
        or both, in the order of time."""
        ledger, partition = self._store.ledger, self._store.partitions.get(space)
        about = None if entity is None else About.named(ledger, space, entity)
        attribute = None if slot is None else Slot("", slot).key[1]
        chosen = [
            row
            for row, statement, slot in partition.told(moment)
            if (about is None or about.holds(statement, slot))
            and (attribute is None or slot.partition("\x1f")[2] == attribute)
        ]
        return entries(ledger.rows(space, chosen).values(), from_micros(moment.as_of))

    def view(self, space: Space, rows: Sequence[Row]) -> View:
        """The entities and relations of rows."""
        partition = self._store.partitions.get(space)
        return partition.view([row.statement.number for row in rows], to_micros(now()))

    def history(self, space: Space, memory_id: str) -> list[ChangeRecord]:
        """Changes of a memory, those included in which it was a further target."""
        ledger = self._store.ledger
        rows = ledger.versions(space, [memory_id], retired=True)
        touched = {number for row in rows for number in (row.recorded, row.retired) if number is not None}
        own = ledger.changes(space, memory_id=memory_id)
        others = ledger.changes_at(space, touched - {one.number for one in own})
        return sorted([*own, *others], key=lambda one: one.number)

    # --- writing -------------------------------------------------------------------------------------------------------

    async def delete(self, space: Space, memory_id: str) -> None:
        """Retire every believed version of a memory. Raises NotFound."""

        async def attempt() -> None:
            await self._store.in_thread(self._delete, space, memory_id)

        await self._retried(space, attempt)

    def _delete(self, space: Space, memory_id: str) -> None:
        ledger = self._store.ledger
        plan = Plan(space, ledger.state(space))
        versions = ledger.versions(space, [memory_id])
        if not versions:
            raise NotFound("memory", memory_id)
        plan.know(versions)
        plan.retire_all(plan.versions(memory_id), Why("deleted by the caller"))
        ledger.commit(plan.commit())

    async def delete_all(self, space: Space, scope: Scope, condition: Condition | None) -> Deleted:
        """Retire the user's memories that have a believed row in scope and filter, and take the turns that fit out of
        search: one batch, a change per memory and a last one for the turns."""

        async def attempt() -> Deleted:
            deleted: Deleted = await self._store.in_thread(self._delete_all, space, scope, condition)
            return deleted

        async def done(_: Embedder) -> Deleted:
            return await self._retried(space, attempt)

        return await self._store.in_use.apply(done, self._store.in_thread)

    def _delete_all(self, space: Space, scope: Scope, condition: Condition | None) -> Deleted:
        ledger, batch_id = self._store.ledger, new_id("batch")
        with ledger.snapshot():
            plan = Plan(space, ledger.state(space), batch_id)
            partition = self._store.partitions.get(space)
            chosen = set(ledger.allowed_rows(space, scope, condition))
            known = ledger.rows(space, sorted(chosen.intersection(partition.believed_rows()))).values()
            believed = [row for row in known if row.retired is None]
            memories = dict.fromkeys(row.memory_id for row in believed)
            plan.know(ledger.versions(space, memories))
            for memory_id in memories:
                plan.retire_all(plan.versions(memory_id), Why("deleted by the caller"))
            fitting = set(ledger.allowed_turns(space, scope, condition))
            turns = partition.shown_turns(sorted(fitting))
            waiting = [one for one in ledger.quarantined(space)[1] if one.turn in fitting]
            if turns or waiting:
                why = Why(f"deleted by the caller: {len(turns) + len(waiting)} turns taken out of search")
                plan.hide(turns, why, waiting)
        if plan.changes:
            ledger.commit(plan.commit())
        served = {row.memory_id for row in believed if not row.quarantined}
        return Deleted(len(served), batch_id if plan.changes else None)

    async def update(self, space: Space, memory_id: str, text: str | None, metadata: Mapping[str, Any] | None) -> Row:
        """Correct a memory; the new version. Raises NotFound, InvalidInput where another live memory says the same."""

        async def correct(embedder: Embedder) -> Row:
            vector = None if text is None else (await self._writer.batcher.embed(embedder, [text]))[0]
            reach("update.embedded")

            async def attempt() -> Row:
                arguments = (space, memory_id, text, metadata, vector, embedder)
                row: Row = await self._store.in_thread(self._update, *arguments)
                return row

            return await self._retried(space, attempt)

        return await self._store.in_use.apply(correct, self._store.in_thread)

    def _update(
        self,
        space: Space,
        memory_id: str,
        text: str | None,
        metadata: Mapping[str, Any] | None,
        vector: Any,
        embedder: Embedder,
    ) -> Row:
        ledger = self._store.ledger
        turns: tuple[NewTurn, ...] = ()
        with ledger.snapshot():
            plan = Plan(space, ledger.state(space))
            target = self.current(space, memory_id)
            plan.know(ledger.versions(space, [memory_id]))
            merged = {**target.metadata, **(metadata or {})}
            why = Why("corrected by the caller")
            if text is None:
                row = plan.restate(target, why, metadata=merged, expires_at=target.expires_at, op=Op.UPDATE)
            else:
                turns = (self._own_turn(space, text, plan, vector),)
                content = self._correction(space, target, text, turns[0], merged)
                self._refuse_twin(space, memory_id, content)
                row = plan.revise(target, content, why, keep_sources=False)
        ledger.commit(plan.commit(new_turns=turns, embedder=key_of(embedder) if turns else None))
        return row

    def _correction(self, space: Space, target: Row, text: str, turn: NewTurn, metadata: Mapping[str, Any]) -> Content:
        """What a memory says once it is corrected; all but the text as it was."""
        entities = self._store.ledger.entities(space, [target.statement.number])
        return Content(
            text=text.strip(),
            kind=target.statement.kind,
            source=SourceClass.USER,
            terms=self._store.tokenizer(text),
            vector=turn.vector,
            quotes=((turn.number, text),),
            slot=target.statement.slot,
            event=target.statement.event,
            entities=entities.get(target.statement.number, ()),
            metadata=metadata,
            expires_at=target.expires_at,
        )

    def _own_turn(self, space: Space, text: str, plan: Plan, vector: Any) -> NewTurn:
        ledger = self._store.ledger
        return NewTurn(
            number=ledger.next_turn(space),
            id=new_id("turn"),
            scope=Scope(ledger.user_id(space)),
            content=text,
            said_at=now(),
            passage=plan.next_passage(),
            terms=self._store.tokenizer(text),
            vector=vector,
        )

    def _refuse_twin(self, space: Space, memory_id: str, content: Content) -> None:
        moment = now()
        for row in self._store.ledger.rows_by_text(space, [" ".join(content.text.casefold().split()).rstrip(".")]):
            if row.memory_id != memory_id and row.is_live(moment) and content.same_as(row):
                raise InvalidInput("text", f"memory {row.memory_id} says the same already")

    # --- reviews of what is quarantined --------------------------------------------------------------------------------

    async def review(self, space: Space, identifier: str, *, approved: bool) -> ChangeRecord:
        """Bring in, or take away, a memory or turn that waits for a review. Raises NotFound where it does not wait,
        InvalidInput where a live memory says the same."""

        async def attempt() -> ChangeRecord:
            change: ChangeRecord = await self._store.in_thread(self._review, space, identifier, approved)
            return change

        return await self._retried(space, attempt)

    def _review(self, space: Space, identifier: str, approved: bool) -> ChangeRecord:
        ledger = self._store.ledger
        with ledger.snapshot():
            plan = Plan(space, ledger.state(space))
            rows, hidden = self._waiting(space, identifier)
            plan.know(ledger.versions(space, {row.memory_id for row in rows}))
            if approved:
                for row in rows:
                    self._refuse_same(space, row)
                plan.approve(rows, hidden, Why("approved by the caller"))
            else:
                plan.drop(rows, hidden, Why("dropped by the caller"))
        recorded_at = ledger.commit(plan.commit())
        return replace(plan.changes[-1], recorded_at=recorded_at)

    def _waiting(self, space: Space, identifier: str) -> tuple[list[Row], list[Hiding]]:
        """The rows of that id that wait, and the turns hidden with them that no other waiting memory cites."""
        ledger = self._store.ledger
        rows, hidden = ledger.quarantined(space)
        if identifier.startswith("turn_"):
            number = ledger.turn_number(identifier)
            found = [one for one in hidden if one.turn == number]
            if not found:
                raise NotFound("quarantined turn", identifier)
            return [], found
        own = [row for row in rows if row.memory_id == identifier]
        if not own:
            raise NotFound("quarantined memory", identifier)
        others = {row.statement.number for row in rows if row.memory_id != identifier}
        cited = {source.turn for source in ledger.sources(space, {row.statement.number for row in own})}
        kept = {source.turn for source in ledger.sources(space, others)}
        return own, [one for one in hidden if one.turn in cited - kept]

    def _refuse_same(self, space: Space, row: Row) -> None:
        moment, said = now(), row.statement
        for other in self._store.ledger.rows_by_text(space, [said.text_key]):
            if other.is_live(moment) and other.statement.event == said.event:
                raise InvalidInput("memory_id", f"memory {other.memory_id} says the same already: drop this one")

    # --- who is who ----------------------------------------------------------------------------------------------------

    async def identify(self, space: Space, one: str, other: str, *, same: bool) -> ChangeRecord:
        """Two entities, by a name of theirs, are one or are not. Raises NotFound, InvalidInput where that was said already, or
        contradicts what was said of others."""

        async def attempt() -> ChangeRecord:
            change: ChangeRecord = await self._store.in_thread(self._identify, space, one, other, same)
            return change

        return await self._retried(space, attempt)

    def _identify(self, space: Space, one: str, other: str, same: bool) -> ChangeRecord:
        ledger = self._store.ledger
        plan = Plan(space, ledger.state(space))
        pair = {self._entity(space, one), self._entity(space, other)}
        if len(pair) == 1:
            raise InvalidInput("other", "is the same name as the other one")
        first, second = sorted(pair)
        said = ledger.identities(space)
        ended = [word for word in said if (word.one, word.other) == (first, second)]
        if any(word.same == same for word in ended):
            raise InvalidInput("other", "was merged with it already" if same else "was told apart from it already")
        self._refuse_contradiction(first, second, [word for word in said if word not in ended], same)
        plan.identify(
            first, second, ended, Why("merged by the caller" if same else "told apart by the caller"), same=same
        )
        recorded_at = ledger.commit(plan.commit())
        return replace(plan.changes[-1], recorded_at=recorded_at)

    def _entity(self, space: Space, name: str) -> int:
        number = self._store.ledger.entity_number(space, name)
        if number is None:
            raise NotFound("entity", name)
        return number

    def _refuse_contradiction(self, one: int, other: int, said: list[Identity], same: bool) -> None:
        """What was said of others must leave room for it."""
        groups = by_word({one, other, *(end for word in said for end in (word.one, word.other))}, said)
        if same and not groups.may_join(one, other):
            raise InvalidInput(
                "other", "one of those merged with it was told apart from the other one: undo that first"
            )
        if not same and groups.head(one) == groups.head(other):
            raise InvalidInput("other", "both were merged with a third one: undo one of these merges first")

    # --- undo ----------------------------------------------------------------------------------------------------------

    async def undo(self, space: Space, identifier: str) -> list[ChangeRecord]:
        """Undo a change, or a batch's changes from the last to the first. Raises NotFound, UndoConflict."""

        async def attempt() -> list[ChangeRecord]:
            done: list[ChangeRecord] = await self._store.in_thread(self._undo, space, identifier)
            return done

        return await self._retried(space, attempt)

    def _undo(self, space: Space, identifier: str) -> list[ChangeRecord]:
        ledger = self._store.ledger
        with ledger.snapshot():
            state = ledger.state(space)
            if identifier.startswith("batch_"):
                targets = list(reversed(ledger.changes(space, batch_id=identifier)))
                undone = ledger.undone([one.id for one in targets])
                # What an add took out of search for a review stays so: undoing its memories must not show them as turns.
                targets = [
                    one for one in targets if one.id not in undone and (one.memory_id or one.flag != QUARANTINED)
                ]
                targets = [one for one in targets if not self._left_nothing(space, one)]
            else:
                targets = [ledger.change(identifier)]
                if ledger.undone([identifier]):
                    raise UndoConflict(f"{identifier} is undone already")
            plan = Plan(space, state)
            for change in targets:
                self._plan_undo(plan, space, change)
        if not targets:
            return []
        recorded_at = ledger.commit(plan.commit())
        return [replace(one, recorded_at=recorded_at) for one in plan.changes]

    def _left_nothing(self, space: Space, change: ChangeRecord) -> bool:
        """Whether a change is of what was erased, whole."""
        ledger = self._store.ledger
        touched = (ledger.rows_touched, ledger.sources_touched, ledger.hidings_touched, ledger.identities_touched)
        return change.flag == ERASED and not any(part for read in touched for part in read(space, change.number))

    def _plan_undo(self, plan: Plan, space: Space, change: ChangeRecord) -> None:
        ledger = self._store.ledger
        if change.flag == ERASED:
            raise UndoConflict(f"what {change.id} did was erased, or a part of it")
        rows = ledger.rows_touched(space, change.number)
        sources = ledger.sources_touched(space, change.number)
        memories = {row.memory_id for touched in rows for row in touched}
        memories |= {change.memory_id} if change.memory_id is not None else set()
        twins = ledger.rows_by_text(space, {row.statement.text_key for row in rows[1]})
        fresh = [row for row in (*ledger.versions(space, memories), *twins) if not plan.has_retired(row.number)]
        back = {row.statement.number for row in rows[1]}
        known = ledger.sources(space, back | {source.statement for touched in sources for source in touched})
        plan.know(fresh, [source for source in known if not plan.has_retired_source(source.number)])
        brought, ended = ledger.hidings_touched(space, change.number)
        origins = {one.origin for one in brought}
        evidence = ledger.sources(space, back, change.number - 1)
        said, unsaid = ledger.identities_touched(space, change.number)
        standing = ledger.identities(space, {one.origin for one in said})
        hidings, identities = (ledger.hidings(space, origins), ended), (standing, unsaid)
        brought_by = ledger.changes_at(space, {source.added for source in known})
        retractions = {one.number for one in brought_by if one.op is Op.DELETE}
        plan.undo(change, rows, sources, evidence, hidings, identities, retractions, now())
