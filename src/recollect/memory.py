"""AsyncMemory, the façade: checks arguments, finds the user's space, calls the write and read paths."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from . import check
from .budget import metered
from .errors import Closed, Forked, InvalidInput, NotFound, RecollectError, WrongLoop, of_batch
from .failpoints import reach
from .filters import parse_filter
from .ids import IdKind, check_beginning, check_id
from .model import Scope, Turn, Usage
from .owners import new_owner
from .pace import pace
from .records import Batch, BatchStatus, ChangeRecord, Commit, JournalledChunk, NewBatch, Space
from .results import (
    AddResult,
    AddUsage,
    AuditEntry,
    Backup,
    Change,
    Context,
    Deleted,
    Estimate,
    ForeignReport,
    Hit,
    ImportReport,
    MemoryItem,
    PendingBatch,
    Quarantined,
    Rebuilt,
    Receipt,
    Redaction,
    Reembedded,
    RejectedFact,
    Resumed,
    RetentionReceipt,
    Source,
    Stats,
    Timeline,
    User,
    VerifyReport,
)
from .retrieval.wording import of_the_user
from .tasks import whole
from .times import now as present
from .trace import Checked, Committed, Extracted, Imported, Journalled, Listener, emit
from .upkeep.erase import Wanted
from .upkeep.erasing import Retention, erased, finished, retained

# What reads and writes is imported when a memory is opened, and below where a verb needs it: `import recollect` stays light.
if TYPE_CHECKING:
    from networkx import MultiDiGraph

    from .build import Store
    from .retrieval.query import Query
    from .view.views import Views
    from .writing.estimate import Asked, Estimator

T = TypeVar("T")

CHUNK = 8  # turns that are extracted, reconciled and committed together; a rest of one or two joins the last chunk
LARGEST = CHUNK + 2


class _Operator:
    """The default of `user_id=` in verbs by id: whoever left it out is the operator, not a user."""

    def __repr__(self) -> str:
        return "OPERATOR"


OPERATOR: Final = _Operator()
UserId = str | None
MaybeUser = str | None | _Operator


@dataclass(frozen=True, slots=True)
class Begun:
    """Messages that are safe on disk. `replayed`: they were so before; `leased`: for this process to go on with them."""

    batch: Batch
    replayed: bool
    leased: bool


class AsyncMemory:
    """Long-term memory for language models: one folder on disk, any number of users, each behind a wall.

    Belongs to the event loop that first uses it. Every verb may raise `Closed`, `WrongLoop`, `InvalidInput` (nothing was
    written) and `StorageError`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        llm: object = None,
        api_base: str | None = None,
        api_key: str | None = None,
        timeout: float | None = None,
        mode: str | None = None,
        embedder: object = None,
        embedder_api_base: str | None = None,
        embedder_api_key: str | None = None,
        reranker: object = None,
        reranker_api_base: str | None = None,
        reranker_api_key: str | None = None,
        instructions: str | None = None,
        budget: object = None,
        redact: bool = True,
        actor: str | None = None,
        trust: object = None,
        on_event: Listener | None = None,
    ) -> None:
        """Open or make the store in `path` (default: `$RECOLLECT_HOME`, else the user's data folder).

        `llm`: a model's litellm name ("openai/gpt-5-mini"), or "rules", which is offline and in English; None is
        `$RECOLLECT_LLM`, else "rules". Or an object with `complete`, or with `extract` and `reconcile` (see `ports`). `api_base`,
        `api_key`: of a server of your own, which never gets a key from the environment. `timeout`: seconds for one request.
        `mode`: how to ask for JSON, "json_schema", "tools" or "md_json" (default: by what the model is known to support).

        `embedder`: None is the store's own, else MiniLM; a litellm name ("openai/text-embedding-3-small"), with
        `embedder_api_base` and `embedder_api_key`; or an object with `id`, `dim` and `embed(texts)`. `reranker`: None, or what
        puts the best 30 hits of a search in order: a cross-encoder ("cross-encoder/ms-marco-MiniLM-L6-v2", or a folder of one); a
        litellm name ("cohere/rerank-v3.5"), with `reranker_api_base` and `reranker_api_key`; or an object with `id` and
        `rerank(query, texts)`. Where it is down, hits come in their usual order. `instructions`: what to
        remember and what to leave out. `budget`: limits such as `{"add": {"calls": 20}, "day": {"cost_usd": 1.0}}`, per
        add, day and run, on calls, tokens and cost_usd; over one an add raises BudgetExceeded and stays pending.
        `redact`: keep secrets of known formats out (keys, tokens, passwords in URLs, card numbers, IBANs): what is said, its
        metadata, `instructions` and queries have marks such as [REDACTED:jwt] in their place before anything is stored, sent or
        logged. Ids that the caller gives stay as they are. `actor`: who acts through this memory, a name of the caller's that is
        recorded with every change; see `audit`.
        `trust`: how far sources are believed, from 0 (quarantined) to 3 (as the user): `{"tool": 3}`, or by kind of fact
        `{"document": {"knowledge": 2}}`; user 3, assistant 2, claim, tool and document 1, and how the user wants to be treated
        3, 1, 1, 0, 0. A claim is what stands in a user's message and is not for a user to say: a rule for everybody, a rank, an
        authority.
        `on_event` is called with the events of `trace`.

        Raises StoreCorrupt, SchemaTooNew, EmbeddingModelMismatch, StorageReadOnly, ModelConfigError.
        """
        from .build import Settings, open_store
        from .embedding import Batcher
        from .retrieval.retrieve import Retriever
        from .retrieval.searching import Searches
        from .safety.redact import Redactor
        from .safety.trust import Trust
        from .upkeep.backfill import Backfill
        from .upkeep.reembed import Reembedder
        from .writing.curate import Curator
        from .writing.echoes import Echoes
        from .writing.talking import Talking
        from .writing.write import Writer

        self._redactor = Redactor(check.flag("redact", redact))
        given = None if instructions is None else check.text("instructions", instructions, check.MAX_INSTRUCTIONS)
        self._instructions = self._redactor.maybe(given)
        believed = Trust.given(trust)
        settings = Settings(
            path=path,
            llm=llm,
            api_base=api_base,
            api_key=api_key,
            timeout=timeout,
            mode=mode,
            embedder=embedder,
            embedder_api_base=embedder_api_base,
            embedder_api_key=embedder_api_key,
            reranker=reranker,
            reranker_api_base=reranker_api_base,
            reranker_api_key=reranker_api_key,
            budget=budget,
            actor=check.maybe_identifier("actor", actor),
            trust=believed,
        )
        self._store: Store = open_store(settings)
        self._listener = on_event
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._process = os.getpid()
        store = self._store
        self._retriever = Retriever(store.ledger, store.partitions)
        self._writer = Writer(
            journal=store.journal,
            ledger=store.ledger,
            partitions=store.partitions,
            in_use=store.in_use,
            batcher=Batcher(store.in_thread),
            tokenizer=store.tokenizer,
            extractor=store.language.extractor,
            reconciler=store.language.reconciler,
            redactor=self._redactor,
            in_thread=store.in_thread,
            echoes=Echoes(store.ledger, store.in_thread),
            owner=new_owner(),
            committed=self._on_committed,
            extracted=self._on_extracted,
            trust=believed,
        )
        self._searches = Searches(store, self._writer.batcher, self._retriever, on_event)
        self._curator = Curator(store, self._writer)
        self._backfill = Backfill(self._writer)
        self._reembedder = Reembedder(store, self._writer, self._backfill, on_event)
        self._talks = Talking(store, self._writer, self._redactor, self._instructions, self._finish, on_event)

    # --- writing -------------------------------------------------------------------------------------------------------

    async def add(
        self,
        messages: str | Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        user_id: UserId,
        agent_id: str | None = None,
        session_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        timestamp: datetime | str | float | None = None,
        infer: bool = True,
        expires_at: datetime | str | float | None = None,
        idempotency_key: str | None = None,
        wait: bool = True,
        allow_erased: bool = False,
    ) -> AddResult:
        """Remember messages. They are journalled first, then extracted, reconciled and committed chunk by chunk.

        `timestamp` is the time of messages that have none. `infer=False` keeps each message whole, as a memory. What comes of
        them is served until `expires_at`; `retention` then destroys it, with the messages.
        `wait=False` returns with `.status == "pending"` once the messages are safe on disk. Raises ModelError or
        EmbedderError with `.batch_id` where the batch had to stay pending; `resume()` finishes it. What was erased before, and is
        dated before that, is left out and counted (`.erased`), unless `allow_erased`. Raises Erased where it is erased meanwhile.
        """
        check.flag("wait", wait)
        begun = await self._begun(
            messages,
            user_id=user_id,
            agent_id=agent_id,
            session_id=session_id,
            metadata=metadata,
            timestamp=timestamp,
            infer=infer,
            expires_at=expires_at,
            idempotency_key=idempotency_key,
            leased=wait,
            allow_erased=allow_erased,
        )
        if wait:
            await self._concluded(begun)
        return await self._look(self._result, begun.batch.id)

    async def _begun(
        self,
        messages: str | Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        user_id: UserId,
        agent_id: str | None = None,
        session_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        timestamp: datetime | str | float | None = None,
        infer: bool = True,
        expires_at: datetime | str | float | None = None,
        idempotency_key: str | None = None,
        leased: bool = True,
        allow_erased: bool = False,
    ) -> Begun:
        """Check messages and put them on disk, `leased` for `_concluded` to go on with them at once."""
        scope = scope_of(user_id, agent_id, session_id)
        time = check.spoken("timestamp", timestamp)
        checked = check.messages(messages, time)
        extra = check.metadata("metadata", metadata)
        expiry = check.maybe_time("expires_at", expires_at)
        key = check.maybe_identifier("idempotency_key", idempotency_key)
        for name, value in {"infer": infer, "allow_erased": allow_erased}.items():
            check.flag(name, value)
        self._check_loop()
        if sum(len(message.content) for message in checked) <= self._redactor.AT_ONCE:
            checked, extra, redacted = self._redactor.call(checked, extra)
        else:
            checked, extra, redacted = await self._run(self._redactor.call, checked, extra)
        new = NewBatch(
            scope=scope,
            messages=checked,
            sizes=tuple(chunk_sizes(len(checked))),
            received_at=present(),
            infer=infer,
            metadata=extra,
            expires_at=expiry,
            instructions=self._instructions,
            idempotency_key=key,
            digest=check.digest(scope, checked, infer, json.dumps(extra, sort_keys=True), expiry),
            redacted=redacted,
            allow_erased=allow_erased,
        )
        return await self._journalled(new, leased=leased)

    async def _journalled(self, new: NewBatch, *, leased: bool) -> Begun:
        """Put a batch on disk."""
        if not self._store.embedder_recorded:
            await self._run(self._store.record_embedder)
        batch, replayed, leased = await self._writer.open(new, leased=leased)
        reach("add.journalled")
        if not replayed:
            turns, chunks = len(new.messages), len(batch.chunks)
            emit(self._listener, Journalled(batch.id, new.scope.user_id, turns, chunks))
        return Begun(batch, replayed, leased)

    async def _added(self, new: NewBatch, *, wait: bool) -> tuple[Batch, bool]:
        """Put a batch on disk and bring it to its end; the batch as it was journalled, and whether it is an earlier one."""
        begun = await self._journalled(new, leased=wait)
        if wait:
            await self._concluded(begun)
        return begun.batch, begun.replayed

    async def _concluded(self, begun: Begun, after: asyncio.Event | None = None) -> None:
        """Bring what was begun to its end. `after`: nothing is committed before that is set."""
        if begun.batch.status != "done":
            with of_batch(begun.batch.id):
                if not begun.leased:
                    await self._backfill.some(begun.batch.space)
                await self._finish(begun.batch, leased=begun.leased, after=after)

    async def _finish(
        self,
        batch: Batch,
        patience: timedelta | None = None,
        *,
        leased: bool = False,
        after: asyncio.Event | None = None,
    ) -> None:
        """Bring a batch to its end, within the budget."""
        with metered(self._store.purse.meter()):
            await self._writer.finish(batch, patience, leased=leased, after=after)

    async def retell(self, *, user_id: UserId, wait: bool = True) -> AddResult:
        """Extract a user's kept turns anew, with the model that is open now, and replace what came of them before.

        Nothing changes until all turns are extracted; where deciding fails after that, the rest is told by `resume()`. `undo`
        of the result's `.batch_id` brings the old memories back. What was stored whole, corrected or deleted by a caller is
        left as it is, with the turns behind it. Raises as `add`.
        """
        scope = scope_of(user_id, None, None)
        space = await self._run(self._store.ledger.ensure_space, scope.user_id)
        opening = self._store.journal.open_retelling
        batch, again = await whole(self._run(opening, space, cut, self._instructions, present()))
        reach("retell.journalled")
        if not again:
            emit(self._listener, Journalled(batch.id, user_id, batch.turns, len(batch.chunks)))
        if wait and batch.status != "done":
            await self._finish(batch)
        return await self._look(self._result, batch.id)

    async def estimate(
        self,
        messages: str | Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        timestamp: datetime | str | float | None = None,
    ) -> Estimate:
        """What adding messages would cost, before anything is sent: nothing with rules. How near it comes: docs/models.md."""
        from .writing.estimate import as_turns

        checked = check.messages(messages, check.spoken("timestamp", timestamp))
        return await self._estimated(as_turns(checked), chunk_sizes(len(checked)))

    async def estimate_retelling(self, *, user_id: UserId) -> Estimate:
        """What `retell` would cost, before anything is sent: nothing with rules. How near it comes: docs/models.md."""
        space = await self._find(scope_of(user_id, None, None))
        chunks = [] if space is None else await self._run(self._retellable, space)
        return await self._estimated([turn for chunk in chunks for turn in chunk], [len(chunk) for chunk in chunks])

    def _retellable(self, space: Space) -> list[list[Turn]]:
        """The turns of each chunk that would be told anew."""
        ledger = self._store.ledger
        with ledger.snapshot():
            spans = [
                range(first, last + 1) for run in self._store.journal.retellable(space) for first, last in cut(*run)
            ]
            turns = ledger.turns(space, [number for span in spans for number in span])
            return [[turns[number] for number in span] for span in spans]

    async def _estimated(self, turns: Sequence[Turn], sizes: Sequence[int]) -> Estimate:
        from .writing.estimate import in_chunks

        waiting = list(in_chunks(turns, sizes, self._instructions, None))
        asked = await self._run(self._estimator.counted, waiting)
        return await self._expected(len(turns), len(sizes), asked)

    async def _expected(self, turns: int, chunks: int, asked: Sequence[Asked]) -> Estimate:
        """What remembering chunks would cost, by what is counted of them."""
        found, rates = await self._run(self._estimator.expected, asked)
        return Estimate(
            turns=turns,
            chunks=chunks,
            usage=add_usage(found.usual),
            least=add_usage(found.least),
            most=add_usage(found.most),
            learned_from=rates.chunks,
        )

    @property
    def _estimator(self) -> Estimator:
        from .writing.estimate import Estimator

        return Estimator(self._store.language.model, self._store.journal, self._instructions)

    @property
    def spent(self) -> AddUsage:
        """What models were paid since this memory was opened: of every call that was answered, in vain or not."""
        return add_usage(self._store.purse.used)

    def _result(self, batch_id: str) -> AddResult:
        journal = self._store.journal
        batch = journal.batch(batch_id)
        usage = sum((Usage(*paid) for paid in journal.usage(batch_id)), Usage())
        records = self._store.ledger.changes(batch.space, batch_id=batch_id)
        return AddResult(
            batch_id=batch_id,
            status="done" if batch.status == "done" else "pending",
            changes=tuple(self._views(batch.space).changes(records)),
            rejected=tuple(RejectedFact(text=text, reason=reason) for text, reason in journal.rejected(batch_id)),
            redacted=tuple(Redaction(kind=kind, message=message) for kind, message in batch.redacted),
            usage=add_usage(usage),
            turn_ids=tuple(journal.turn_ids(batch_id)),
            erased=batch.erased,
        )

    async def _on_committed(self, batch: Batch, chunk: JournalledChunk, commit: Commit) -> None:
        if (counting := pace()) is not None:
            counting.committed(batch.id, len(chunk.turns), Counter(change.op.value for change in commit.changes))
        if self._listener is None:
            return
        numbers = [change.number for change in commit.changes]

        def shown() -> list[Change]:
            return self._views(batch.space).changes(self._store.ledger.changes_at(batch.space, numbers))

        changes = tuple(await self._store.steady(partial(self._store.in_thread, shown)))
        emit(self._listener, Committed(batch.id, chunk.record.n, len(batch.chunks), len(chunk.turns), changes))

    def _on_extracted(self, batch: Batch, chunk: int, facts: int, rejected: int) -> None:
        if rejected and (counting := pace()) is not None:
            counting.rejected(rejected)
        emit(self._listener, Extracted(batch.id, chunk, facts, rejected))

    async def update(
        self,
        memory_id: str,
        text: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        user_id: MaybeUser = OPERATOR,
    ) -> MemoryItem:
        """Correct a memory's text, or add to its metadata (new keys win). The old version stays in the history.

        Raises NotFound, InvalidInput.
        """
        if text is None and metadata is None:
            raise InvalidInput("text", "give a text, metadata or both")
        checked = None if text is None else self._redactor.text(check.text("text", text, check.MAX_CORRECTION))
        extra = None if metadata is None else self._redactor.metadata(check.metadata("metadata", metadata))[0]
        space = await self._space_of("mem", "memory_id", memory_id, user_id)
        row = await self._alone(self._curator.update(space, memory_id, checked, extra))

        def corrected() -> MemoryItem:
            found = self._store.ledger.rows(space, [row.number])
            if row.number not in found:  # it was erased meanwhile
                raise NotFound("memory", memory_id)
            return self._views(space).items([found[row.number]])[0]

        return await self._look(corrected)

    async def delete(self, memory_id: str, *, user_id: MaybeUser = OPERATOR) -> None:
        """Take a memory back. It stays in the history, and `undo` brings it back. Raises NotFound."""
        space = await self._space_of("mem", "memory_id", memory_id, user_id)
        await self._alone(self._curator.delete(space, memory_id))

    async def delete_all(
        self,
        *,
        user_id: UserId,
        agent_id: str | None = None,
        session_id: str | None = None,
        metadata_filter: Mapping[str, Any] | None = None,
    ) -> Deleted:
        """Take back all of a user's memories, or those that fit, and take the turns that fit out of search; how many
        memories they were. `undo` of the result's `.batch_id` brings back both; a single change of it one memory, and the
        last one the turns."""
        scope = scope_of(user_id, agent_id, session_id)
        condition = parse_filter(metadata_filter)
        space = await self._find(scope)
        if space is None:
            return Deleted(0)
        return await self._alone(self._curator.delete_all(space, scope, condition))

    async def erase(
        self,
        memory_id: str | None = None,
        *,
        user_id: MaybeUser = OPERATOR,
        session_id: str | None = None,
        before: datetime | str | float | None = None,
    ) -> Receipt:
        """Destroy a memory, or what a user said in a session, before a time, or ever, and all that came of it. There is no undo.

        What is left is what would be there had it never been said: a version told elsewhere too stays, unless that was undone;
        one that was ended by what goes holds again. A memory goes with the turns that only it quotes; in others its quotes are
        blanked. Adds under way raise Erased where nothing of theirs is left, else they go on with what is. Messages dated
        before the erasure that are handed in again are left out, unless `allow_erased=True`. Backups are yours to deal with.

        A session or a time needs `user_id`; None, said explicitly, is the shared space. A scoped memory is told its own user once
        more to erase all of it; without any argument that is InvalidInput. Raises NotFound, InvalidInput.
        """
        wanted, whose = await self._wanted(memory_id, user_id, session_id, before)
        return await self._alone(erased(self._store, wanted, whose))

    async def _wanted(
        self, memory_id: str | None, user_id: MaybeUser, session_id: str | None, before: datetime | str | float | None
    ) -> tuple[Wanted, Space | None]:
        """What is to be erased, and whose."""
        session = check.maybe_identifier("session_id", session_id)
        time = check.maybe_time("before", before)
        if memory_id is not None:
            for argument, value in {"session_id": session, "before": time}.items():
                if value is not None:
                    raise InvalidInput(argument, "goes with a user, not with a memory")
            return Wanted(memory_id=memory_id), await self._space_of("mem", "memory_id", memory_id, user_id)
        if isinstance(user_id, _Operator):
            raise InvalidInput("user_id", "say whose, or give a memory_id; None is the shared space")
        self._check_loop()
        return Wanted(session_id=session, before=time), await self._find(scope_of(user_id, None, None))

    async def undo(self, change_or_batch_id: str, *, user_id: MaybeUser = OPERATOR) -> list[Change]:
        """Take back a change, or all of a batch from its last to its first; the changes that did it.

        A memory goes with its last telling, where an erasure left no other.
        Raises NotFound, UndoConflict where later changes build on it.
        """
        is_batch = isinstance(change_or_batch_id, str) and change_or_batch_id.startswith("batch_")
        kind: IdKind = "batch" if is_batch else "chg"
        space = await self._space_of(kind, "change_or_batch_id", change_or_batch_id, user_id)
        records = await self._alone(self._curator.undo(space, change_or_batch_id))
        return await self._look(self._views(space).changes, records)

    async def quarantine(self, *, user_id: UserId) -> list[Quarantined]:
        """What waits for a review, oldest first: memories that were put aside and messages that were taken out of search, for
        they give orders to later readers and do not come from the user, or show a pattern of an attack. `approve` brings one
        in, `drop` takes it away; until then it is not served, compared with or counted."""
        space = await self._find(scope_of(user_id, None, None))
        if space is None:
            return []
        ledger, views = self._store.ledger, self._views(space)

        def waiting() -> list[Quarantined]:
            with ledger.snapshot():
                return views.quarantine(*ledger.quarantined(space))

        return await self._run(waiting)

    async def approve(self, memory_id: str, *, user_id: MaybeUser = OPERATOR) -> Change:
        """Bring in a memory that waits for a review, with the messages that were hidden with it; or, by its id, such a
        message. `undo` of the change puts it back. Raises NotFound, InvalidInput where a live memory says the same."""
        return await self._reviewed(memory_id, user_id, approved=True)

    async def drop(self, memory_id: str, *, user_id: MaybeUser = OPERATOR) -> Change:
        """Take away a memory, or a message, that waits for a review. It stays in the history, and `undo` of the change puts
        it back. Raises NotFound."""
        return await self._reviewed(memory_id, user_id, approved=False)

    async def _reviewed(self, memory_id: str, user_id: MaybeUser, *, approved: bool) -> Change:
        check_id("memory_id", memory_id, "mem", "turn")
        space = await self._space_of(
            "turn" if memory_id.startswith("turn_") else "mem", "memory_id", memory_id, user_id
        )
        record = await self._alone(self._curator.review(space, memory_id, approved=approved))
        return (await self._look(self._views(space).changes, [record]))[0]

    async def merge_entities(self, one: str, other: str, *, user_id: UserId) -> Change:
        """Say that two of a user's entities are one, each by a name that memories have for it, however it is spaced or written.
        `undo` of the change makes them two again. It ends what `separate_entities` said of the two.

        What follows from names and facts needs no saying (docs/graph.md). Raises NotFound, and InvalidInput where it was said
        already, or one that was merged with them was told apart.
        """
        return await self._identified(one, other, user_id, same=True)

    async def separate_entities(self, one: str, other: str, *, user_id: UserId) -> Change:
        """Say that two of a user's entities are not one, whatever their names and facts say. It ends what `merge_entities` said
        of the two; `undo` of the change takes it back. Raises as `merge_entities`."""
        return await self._identified(one, other, user_id, same=False)

    async def _identified(self, one: str, other: str, user_id: UserId, *, same: bool) -> Change:
        names = [check.text(argument, name, check.MAX_NAME) for argument, name in {"one": one, "other": other}.items()]
        space = await self._find(scope_of(user_id, None, None))
        if space is None:
            raise NotFound("entity", names[0])
        record = await self._alone(self._curator.identify(space, *names, same=same))
        return (await self._look(self._views(space).changes, [record]))[0]

    async def entity_graph(
        self,
        *,
        user_id: UserId,
        as_of: datetime | str | float | None = None,
        known_at: datetime | str | float | None = None,
    ) -> MultiDiGraph:
        """Who and what a user's memories name, and how they relate, as a `networkx.MultiDiGraph` of its own. Entities that are
        one (docs/graph.md) are one node. `as_of`: of what held then. `known_at`: of what was believed then.

        Nodes: an entity by its name, with `type="entity"`, `kind`, `names` (all it has) and `memories` (how many name it); a
        memory by its id, with `type="memory"`, `text`, `kind`, `valid_from`, `event_from`, `event_to`. Edges: between entities,
        with `type="relation"`, `label` and `memory` (the id of the one that tells it); from a memory to an entity, with
        `type="names"`.
        """
        from .build import as_networkx
        from .view.graph import View

        def drawn(space: Space | None) -> MultiDiGraph:
            rows = [] if space is None else self._curator.served(self._retriever, space, query)
            return as_networkx(self._curator.view(space, rows) if space is not None and rows else View(), rows)

        query = self._all_of(user_id, None, None, None, as_of, known_at)
        return await self._look(drawn, await self._find(query.scope))

    async def pending(self) -> list[PendingBatch]:
        """Batches that were accepted and are not finished, oldest first; of conversations too, which may be open still."""
        batches = await self._run(self._store.journal.unfinished, "open", "pending", "failed")
        return [
            PendingBatch(
                batch_id=batch.id,
                user_id=batch.scope.user_id,
                status="pending" if batch.status == "done" else batch.status,
                created_at=batch.created_at,
                chunks=len(batch.chunks),
                chunks_done=batch.chunks_done,
                attempts=batch.attempts,
                error=batch.error,
            )
            for batch in batches
        ]

    async def resume(self, *, include_failed: bool = False) -> Resumed:
        """Finish what is pending, once, and make up for vectors that wait for the embedder. What fails again is named, and
        stays pending. Open chunks of conversations whose time has come are closed first. An erasure that is not complete is
        completed, where nobody holds it up."""
        check.flag("include_failed", include_failed)
        await self._run(partial(self._store.talks.close, idle_at=present()))
        return await self._resumed(include_failed, timedelta(0))

    async def _resumed(self, include_failed: bool, patience: timedelta | None) -> Resumed:
        done, failed = [], {}
        self._check_loop()
        wanted: tuple[BatchStatus, ...] = ("pending", "failed") if include_failed else ("pending",)
        await self._run(finished, self._store)
        await self._backfill.all()
        for batch in await self._run(self._store.journal.unfinished, *wanted):
            try:
                await self._finish(batch, patience)
                done.append(batch.id)
            except RecollectError as error:
                failed[batch.id] = type(error).__name__
        return Resumed(finished=tuple(done), failed=failed)

    async def flush(self) -> Resumed:
        """Finish everything that `add(wait=False)` left, open chunks of conversations too, and wait for what other processes are
        working on; otherwise as `resume`."""
        await self._run(self._store.talks.close)
        return await self._resumed(include_failed=False, patience=None)

    # --- reading -------------------------------------------------------------------------------------------------------

    async def search(
        self,
        query: str,
        *,
        user_id: UserId,
        agent_id: str | None = None,
        session_id: str | None = None,
        metadata_filter: Mapping[str, Any] | None = None,
        limit: int = 10,
        as_of: datetime | str | float | None = None,
        known_at: datetime | str | float | None = None,
        since: datetime | str | float | None = None,
        until: datetime | str | float | None = None,
        now: datetime | str | float | None = None,
        min_score: float | None = None,
        include: Sequence[str] = ("memories",),
        graph: bool = True,
        explain: bool = False,
    ) -> list[Hit]:
        """Memories, and turns where `include` says so, that have to do with the query; best first, none where none has.

        `as_of`: what held then. `known_at`: what was believed then. `since`, `until`: what happened (or was said) between.
        `now`: when it is asked, on the asker's own clock; a time in the query ("last week", "in May", "before she moved") is
        counted from it, and prefers what happened then.
        `graph`: behind the ten best also memories that entities relate to them or to the query, see `Hit.related_through`.
        """
        asked = self._asked(
            query,
            user_id,
            agent_id,
            session_id,
            metadata_filter,
            limit,
            as_of,
            known_at,
            since,
            until,
            now,
            min_score,
            include,
            graph,
            explain,
        )
        return await self._found(asked)

    def _asked(
        self,
        query: str,
        user_id: UserId,
        agent_id: str | None,
        session_id: str | None,
        metadata_filter: Mapping[str, Any] | None,
        limit: int,
        as_of: datetime | str | float | None,
        known_at: datetime | str | float | None,
        since: datetime | str | float | None,
        until: datetime | str | float | None,
        now: datetime | str | float | None,
        min_score: float | None,
        include: Sequence[str],
        graph: bool,
        explain: bool = False,
    ) -> Query:
        """A search's arguments, checked."""
        from .retrieval.query import Query

        return Query(
            text=of_the_user(self._redactor.text(check.text("query", query, check.MAX_QUERY))),
            scope=scope_of(user_id, agent_id, session_id),
            now=check.spoken("now", now) or present(),
            condition=parse_filter(metadata_filter),
            limit=check.whole("limit", limit),
            as_of=check.maybe_time("as_of", as_of),
            known_at=check.maybe_time("known_at", known_at),
            since=check.maybe_time("since", since),
            until=check.maybe_time("until", until),
            min_score=check.share("min_score", min_score),
            include=check.include(include),
            graph=check.flag("graph", graph),
            explain=check.flag("explain", explain),
        )

    async def _found(self, asked: Query) -> list[Hit]:
        self._check_loop()
        return await self._searches.hits(asked)

    async def context(
        self,
        query: str,
        *,
        user_id: UserId,
        max_tokens: int = 1000,
        agent_id: str | None = None,
        session_id: str | None = None,
        metadata_filter: Mapping[str, Any] | None = None,
        limit: int = 60,
        as_of: datetime | str | float | None = None,
        known_at: datetime | str | float | None = None,
        since: datetime | str | float | None = None,
        until: datetime | str | float | None = None,
        now: datetime | str | float | None = None,
        min_score: float | None = None,
        include: Sequence[str] = ("memories", "turns"),
        graph: bool = True,
        tokenizer: Callable[[str], int] | None = None,
    ) -> Context:
        """What is worth telling a model about the query, in time order, in at most `max_tokens`: as `tokenizer` counts them in a
        text; estimated where there is none. A turn that a memory tells takes no place of its own, unless it is among the best.
        Where there is anything on the query, what comes next in rank fills what is left of the budget; else nothing is told.

        The block is fenced as data by a delimiter that nobody else can guess, the same for a user each time; a line in it cannot
        close it, and says where it is from where that is not the user. Added in a message, none of it is learnt again.
        """
        budget = check.whole("max_tokens", max_tokens, 1, check.MAX_CONTEXT)
        if tokenizer is not None and not callable(tokenizer):
            raise InvalidInput("tokenizer", "must be a function from a text to its number of tokens")
        asked = self._asked(
            query,
            user_id,
            agent_id,
            session_id,
            metadata_filter,
            limit,
            as_of,
            known_at,
            since,
            until,
            now,
            min_score,
            include,
            graph,
        )
        self._check_loop()
        return await self._searches.made(replace(asked, fill=True), self._packing(asked, budget, tokenizer))

    def _packing(
        self,
        asked: Query,
        budget: int,
        tokenizer: Callable[[str], int] | None,
        wanted: Callable[[Hit], bool] = lambda _: True,
    ) -> Callable[[list[Hit]], Context]:
        """What makes a context of what is found, as far as it is wanted."""
        from .retrieval.pack import pack
        from .safety.fence import fence_name

        def packed(hits: list[Hit]) -> Context:
            fence = fence_name(self._store.ledger.secret(), asked.scope.user_id)
            text, kept, tokens = pack([hit for hit in hits if wanted(hit)], budget, fence, tokenizer)
            return Context(text=text, hits=tuple(kept), tokens=tokens)

        return packed

    async def timeline(
        self,
        *,
        user_id: UserId,
        entity: str | None = None,
        slot: str | None = None,
        as_of: datetime | str | float | None = None,
        known_at: datetime | str | float | None = None,
    ) -> Timeline:
        """What is known of an entity ("Anna"), of a slot ("employer"), or of both, in the order of time: events and states, those
        that ended too. For "how many times" (`.count`), "when first" (`.first`), "what before" (`.before(time)`).

        An entity is the subject of a slot, or is mentioned. Events come by when they happened, else by when they were told. Two
        tellings are one event where both hold, tell the same time (where neither does: were said on one day), and have the same
        value in the same slot, or share 0.6 of their longer words with no other names and numbers. `as_of`: as it was then;
        `known_at`: as it was believed then. Raises InvalidInput where neither an entity nor a slot is named.
        """
        if entity is None and slot is None:
            raise InvalidInput("entity", "name an entity, a slot or both")
        from .retrieval.query import Query

        who, what = check.maybe_identifier("entity", entity), check.maybe_identifier("slot", slot)
        query = Query(
            text="",
            scope=scope_of(user_id, None, None),
            now=present(),
            as_of=check.maybe_time("as_of", as_of),
            known_at=check.maybe_time("known_at", known_at),
        )
        space = await self._find(query.scope)
        if space is None:
            return Timeline(entity=who, slot=what)
        moment = await self._run(self._retriever.moment, space, query)
        return Timeline(
            entity=who, slot=what, entries=await self._look(self._curator.timeline, space, moment, who, what)
        )

    async def get(self, memory_id: str, *, user_id: MaybeUser = OPERATOR) -> MemoryItem:
        """A memory as it is believed now: its live version, else its last. Raises NotFound, also where it was deleted."""
        space = await self._space_of("mem", "memory_id", memory_id, user_id)
        views = self._views(space)
        return (await self._look(lambda: views.items([self._curator.current(space, memory_id)])))[0]

    async def get_all(
        self,
        *,
        user_id: UserId,
        agent_id: str | None = None,
        session_id: str | None = None,
        metadata_filter: Mapping[str, Any] | None = None,
        as_of: datetime | str | float | None = None,
        known_at: datetime | str | float | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> list[MemoryItem]:
        """A user's memories in the order in which they were recorded; `after` (an id) goes on from there."""
        query = self._all_of(user_id, agent_id, session_id, metadata_filter, as_of, known_at)
        if after is not None:
            check_id("after", after, "mem")
        most = None if limit is None else check.whole("limit", limit)

        def listed(space: Space | None) -> list[MemoryItem]:
            rows = [] if space is None else self._curator.served(self._retriever, space, query)
            if after is not None:
                places = [i for i, row in enumerate(rows) if row.memory_id == after]
                if not places:
                    raise NotFound("memory", after)
                rows = rows[places[0] + 1 :]
            return [] if space is None else self._views(space).items(rows[:most])

        return await self._look(listed, await self._find(query.scope))

    async def count(
        self,
        *,
        user_id: UserId,
        agent_id: str | None = None,
        session_id: str | None = None,
        metadata_filter: Mapping[str, Any] | None = None,
        as_of: datetime | str | float | None = None,
        known_at: datetime | str | float | None = None,
    ) -> int:
        """How many memories `get_all` would return."""
        query = self._all_of(user_id, agent_id, session_id, metadata_filter, as_of, known_at)
        space = await self._find(query.scope)
        return 0 if space is None else len(await self._look(self._curator.served, self._retriever, space, query))

    def _all_of(
        self, user_id: UserId, agent_id: Any, session_id: Any, metadata_filter: Any, as_of: Any, known_at: Any
    ) -> Query:
        """A query for all that fits, its arguments checked."""
        from .retrieval.query import Query

        return Query(
            text="",
            scope=scope_of(user_id, agent_id, session_id),
            now=present(),
            condition=parse_filter(metadata_filter),
            as_of=check.maybe_time("as_of", as_of),
            known_at=check.maybe_time("known_at", known_at),
        )

    async def history(self, memory_id: str, *, user_id: MaybeUser = OPERATOR) -> list[Change]:
        """Every change that a memory went through, in order. Raises NotFound."""
        space = await self._space_of("mem", "memory_id", memory_id, user_id)
        views = self._views(space)
        found = await self._look(lambda: views.changes(self._curator.history(space, memory_id)))
        if not found:  # it was erased meanwhile
            raise NotFound("memory", memory_id)
        return found

    async def sources(self, memory_id: str, *, user_id: MaybeUser = OPERATOR) -> list[Source]:
        """The quotes behind a memory's current version, in the order of the turns. Raises NotFound."""
        space = await self._space_of("mem", "memory_id", memory_id, user_id)
        views = self._views(space)

        def quoted() -> list[Source]:
            statement = self._curator.current(space, memory_id).statement.number
            return list(views.sources([statement]).get(statement, ()))

        found = await self._look(quoted)
        return found or await self._look(quoted)  # that version was erased meanwhile

    async def changes(
        self,
        *,
        user_id: UserId,
        after: int = 0,
        since: datetime | str | float | None = None,
        limit: int = 1000,
    ) -> list[Change]:
        """A user's changes in order, from the first behind the number `after`, at most `limit`. The last one's number, as the
        next `after`, goes on from there: so another process follows a store (`users` tells who has something new).

        `since`: none that was recorded before. A number that is missing went to no change, or to one that was erased.
        """
        number = check.whole("after", after, 0, 2**62)
        start = check.maybe_time("since", since)
        most = check.whole("limit", limit)
        space = await self._find(scope_of(user_id, None, None))
        if space is None:
            return []
        if start is not None:
            number = max(
                number, await self._run(self._store.ledger.number_at, space, start - timedelta(microseconds=1))
            )
        records = await self._run(self._store.ledger.changes_after, space, number, most)
        return await self._look(self._views(space).changes, records)

    async def users(self) -> list[User]:
        """Everybody of whom the store has something, in the order in which they came."""
        found = await self._run(self._store.ledger.users)
        return [User(user_id=one.user_id, number=one.number, changed_at=one.changed_at) for one in found]

    async def find_id(self, beginning: str, *, user_id: MaybeUser = OPERATOR) -> str:
        """The whole id of a memory, a change, a turn or a batch that begins so: "mem_", "chg_", "turn_" or "batch_" and four
        hex digits at least. Raises NotFound, and InvalidInput where several do."""
        kind = check_beginning("beginning", beginning)
        space = None
        if not isinstance(user_id, _Operator):
            space = await self._find(scope_of(user_id, None, None))
        nobody = space is None and not isinstance(user_id, _Operator)
        found = [] if nobody else await self._run(self._store.ledger.beginning, kind, beginning, space, 2)
        if not found:
            raise NotFound(_THINGS[kind], beginning)
        if len(found) > 1:
            raise InvalidInput("beginning", f"several ids begin with {beginning}: give more of it")
        return found[0]

    async def stats(self, *, user_id: MaybeUser = OPERATOR) -> Stats:
        """How much a user's memory holds, or, left out, the whole store, of which alone the size on disk is told."""
        space, size = None, None
        if isinstance(user_id, _Operator):
            size = await self._run(self._store.ledger.bytes_on_disk)
        else:
            space = await self._find(scope_of(user_id, None, None))
            if space is None:
                return Stats(**dict.fromkeys(_COUNTS, 0), bytes_on_disk=None, embedder=None, schema_version=0)
        counts = await self._run(self._store.ledger.counts, space)
        recorded = await self._run(self._store.ledger.setting, "embedder")
        return Stats(**counts, bytes_on_disk=size, embedder=json.loads(recorded)["id"] if recorded else None)

    async def export(
        self,
        *,
        user_id: UserId,
        path: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
        format: str = "json",  # noqa: A002 -- the field's own word
        vectors: bool = True,
    ) -> dict[str, Any]:
        """Everything that is held on a user, as one JSON document of one moment: what was said, every version of every memory
        with both of its times, quotes, history, what is pending or was rejected, entities, relations, vectors and digests.

        `user_id`, `exported_at` and `counts` (of records, by section) come first, then each section, a list of records. With
        `path` the document is written to that file, in bounded memory, readable for its owner alone, and what comes first is
        returned; `on_event` is told of `Exported`. Raises TargetExists unless `overwrite`, InvalidInput, StorageFull.

        `format="jsonl"` is for another store: the file, which needs a `path`, is one that `import_file` reads, without digests of
        this store (docs/interchange.md). `vectors=False` leaves the vectors out, which take most of it and can be made anew.
        """
        from .exchange.export import export, export_lines

        scope = scope_of(user_id, None, None)
        if format not in ("json", "jsonl"):
            raise InvalidInput("format", 'must be "json" or "jsonl"')
        if format == "json":
            if not check.flag("vectors", vectors):
                raise InvalidInput("vectors", 'are left out of format="jsonl" only')
            return await self._alone(export(self._store, scope.user_id, path, overwrite, self._listener))
        if path is None:
            raise InvalidInput("path", 'format="jsonl" is written to a file: name it')
        options: dict[str, Any] = {"vectors": vectors, "overwrite": overwrite, "listener": self._listener}
        return await self._alone(export_lines(self._store, scope.user_id, path, everyone=False, **options))

    async def export_all(
        self, path: str | os.PathLike[str], *, overwrite: bool = False, vectors: bool = True
    ) -> dict[str, Any]:
        """Everything of all users, of one moment, as an interchange file that `import_file` reads (docs/interchange.md); how much
        is in it. Written in bounded memory, and readable for its owner alone; `on_event` is told of `Exported`.

        `vectors=False` leaves the vectors out, which take most of the file and can be made anew. Raises TargetExists unless
        `overwrite`, InvalidInput, StorageFull.
        """
        from .exchange.export import export_lines

        options: dict[str, Any] = {"vectors": vectors, "overwrite": overwrite, "listener": self._listener}
        return await self._alone(export_lines(self._store, None, path, everyone=True, **options))

    async def import_file(
        self,
        path: str | os.PathLike[str],
        *,
        user_id: MaybeUser = OPERATOR,
        dry_run: bool = False,
        skip_existing: bool = False,
        allow_erased: bool = False,
    ) -> ImportReport:
        """Take in an interchange file, with the history, the times, the quotes and the reviews of what is in it.

        The file is read through before anything is written. Then it goes user by user, each in one transaction: stopped or
        killed, whole users are there or nothing of them, and the same call goes on with the rest. `user_id`: the name under
        which a file of one user is taken in, None is the shared space; left out, each user's own. `dry_run`: what would come;
        nothing does. `on_event` is told of `Imported`.

        A user whose everything is here already is passed over, so a second time adds nothing. Histories are not mixed: where
        there is something else of a user, TargetExists is raised before anything is written; with `skip_existing` such users are
        left out. Ids are kept where they are free, else each gets another one, the same every time; with a `user_id` all do.
        What was erased here before is left out, with what came of it, unless `allow_erased`. Secrets are left out as by `add`.
        Vectors of the store's own embedder are taken over, others are made anew.

        Raises ImportInvalid, which names the line, InvalidInput, TargetExists, StorageFull.
        """
        from .build import path_of
        from .exchange.importing import ANYONE, Wish, planned, taken

        whose = ANYONE if isinstance(user_id, _Operator) else scope_of(user_id, None, None).user_id
        for name, value in {"dry_run": dry_run, "skip_existing": skip_existing, "allow_erased": allow_erased}.items():
            check.flag(name, value)
        wish = Wish(path_of("path", path, "file"), whose, skip_existing, allow_erased, self._redactor)
        self._check_loop()
        users = await planned(self._store, wish, self._listener)
        if dry_run:
            return ImportReport(users=tuple(users), dry_run=True)
        if not self._store.embedder_recorded:
            await self._run(self._store.record_embedder)
        users = await taken(self._store, wish, users, self._listener)
        waiting = sum(one.waiting for one in users)
        embedded = await self._embedded(waiting) if waiting else 0
        return ImportReport(users=tuple(users), embedded=embedded, waiting=max(0, waiting - embedded))

    async def import_mem0(
        self,
        python: str | os.PathLike[str],
        config: str | os.PathLike[str],
        *,
        user_id: MaybeUser = OPERATOR,
        dry_run: bool = False,
        allow_erased: bool = False,
    ) -> ForeignReport:
        """Take in what a mem0 store has. mem0's own library reads it, in a process of the Python `python`, which has mem0;
        `config` is the file, JSON, of what mem0 was configured with. Neither its model nor its embedder is used, and no key
        goes there.

        Each memory comes in as it stands, as with `infer=False`, for its own user, agent and run (as session), with its time,
        its metadata and where it is from (`source`, `mem0_id`, `mem0_created_at`, `mem0_updated_at`). Its history becomes
        versions, each valid from its time. A second import adds what came to mem0 since, and nothing twice; what changed there
        since is told (`.left_out`). `user_id`: whose the memories of an agent or run alone become, which are left out otherwise;
        those of a user stay that user's. `dry_run`: what would come; nothing does. `on_event` is told of `Imported`.

        Raises InvalidInput, MissingExtra where that Python or its mem0 is not there, ImportInvalid where it fails to read.
        """
        from .exchange.foreign import Foreigners

        whose = user_id if isinstance(user_id, _Operator) else scope_of(user_id, None, None).user_id
        for name, value in {"dry_run": dry_run, "allow_erased": allow_erased}.items():
            check.flag(name, value)
        work = Foreigners(
            self._store,
            self._redactor,
            self._added,
            to=None if isinstance(whose, _Operator) else whose,
            orphans_stay=isinstance(whose, _Operator),
            dry_run=dry_run,
            allow_erased=allow_erased,
            listener=self._listener,
        )
        return await self._alone(work.run(python, config))

    async def _embedded(self, waiting: int) -> int:
        """Make the vectors of what was imported; how many could be made."""

        def told(done: int) -> None:
            emit(self._listener, Imported("embedding", min(done, waiting), waiting))

        return min(waiting, await self._backfill.all(told))

    async def audit(self, *, user_id: UserId) -> list[AuditEntry]:
        """Who changed what of a user's memories, and when, in order: ids and names, no content."""
        space = await self._find(scope_of(user_id, None, None))
        records = [] if space is None else await self._run(self._store.ledger.changes, space)
        return [audited(one) for one in records]

    # --- the store -----------------------------------------------------------------------------------------------------

    async def retention(
        self,
        older_than: timedelta | datetime | str | None = None,
        *,
        user_id: MaybeUser = OPERATOR,
        expired: bool = True,
        dry_run: bool = False,
    ) -> RetentionReceipt:
        """Destroy what is kept no longer, of all users or of one: what was said longer ago than that, as `erase` by date does,
        and what has expired. Meant to be run every day. There is no undo.

        `older_than`: a timedelta, or "365d", "52w", "12m", "1y" (days, weeks, months and years of the calendar), or a date; None
        is nothing but what has expired. `user_id`: whose, None is the shared space; left out, everybody's.

        With `expired`, every version of a memory goes whose `expires_at` is past, and the whole memory where no other one is
        believed. So do messages that were added with an `expires_at` that is past, whatever came of them; of one that another
        memory rests on, what that one quotes stays and the rest is blanked. What an expired version ended does not hold again.

        It goes user by user, in a transaction each; of a user of whom nothing is left no name is kept. The files are rewritten
        once, at the end. `on_event` is told of `Purged`. Stopped, killed or failed, what went is gone, the same call goes on from
        there, and `resume()` or the next opening cleans the files. Messages as old that are handed in again are left out.
        `dry_run`: what would go; nothing does. Raises InvalidInput, StorageFull.
        """
        at = present()
        before = None if older_than is None else check.cutoff("older_than", older_than, at)
        policy = Retention(at, before, check.flag("expired", expired), check.flag("dry_run", dry_run))
        if not policy.wanted:
            raise InvalidInput("older_than", "say how old, or expired=True")
        self._check_loop()
        spaces = None
        if not isinstance(user_id, _Operator):
            found = await self._find(scope_of(user_id, None, None))
            spaces = [] if found is None else [found]
        return await self._alone(retained(self._store, policy, spaces, self._listener))

    async def verify(self) -> VerifyReport:
        """Check that everything in the store fits together; see `.problems`. Changes nothing, and tells `on_event` how far it
        is (`trace.Checked`). Damage is reported, not raised."""
        from .upkeep.verify import verify_store

        return await self._run(verify_store, self._store, self._on_checked)

    async def rebuild(self) -> Rebuilt:
        """Forget the views in memory, to be made anew from the ledger, and mend in the ledger what follows from the rest of
        it: term counts, keys, counters, indexes, vectors that are no good. History is never touched."""
        from .upkeep.verify import mend_store

        rebuilt = await self._run(mend_store, self._store, self._on_checked)
        reach("rebuild.cleared")
        await self._backfill.all()
        return rebuilt

    def _on_checked(self, users: int, of: int) -> None:
        emit(self._listener, Checked(users, of))

    async def reembed(
        self, embedder: object = None, *, embedder_api_base: str | None = None, embedder_api_key: str | None = None
    ) -> Reembedded:
        """Change the store's embedder: every text is embedded by the new one, then all vectors are exchanged at once.

        `embedder`: as when opening; None goes on with the one that an earlier call was changing to. Until the exchange everything
        goes on with the old vectors, adds too; from it on this memory uses the new embedder, and others that have the store open
        raise EmbeddingModelMismatch until they open it anew. Stopped or killed, the same call goes on where it was; naming
        another embedder discards what was done, the store's own one calls the change off. `on_event` is told of `Reembedding`.

        Raises InvalidInput, EmbedderError, StoreBusy where another process is changing to another embedder.
        """
        from .build import Settings

        self._check_loop()
        named = Settings(embedder=embedder, embedder_api_base=embedder_api_base, embedder_api_key=embedder_api_key)
        return await self._reembedder.run(named)

    async def backup(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Backup:
        """Copy the whole store into one file, as it is at the beginning, while others go on reading and writing.

        The copy is checked and forced to the disk before it gets its name; a failed or killed backup leaves an older file as it
        was. What is pending in the store is pending in the copy. `recollect restore` makes a store of it again. Raises
        TargetExists unless `overwrite`, InvalidInput, StorageFull, StorageReadOnly, StoreCorrupt where the store is damaged.
        """
        from .upkeep.backup import back_up

        return await self._alone(back_up(self._store, path, overwrite, self._listener))

    def scoped(self, *, user_id: UserId) -> Any:
        """Every verb bound to one user; other users' ids do not exist for it. To `erase` everything it takes `user_id` again."""
        from .scoped import AsyncScopedMemory

        scope_of(user_id, None, None)
        return AsyncScopedMemory(self, user_id)

    async def close(self) -> None:
        """Let go of everything; a second time does nothing, and so does a forked child. What is pending stays pending."""
        if not self._closed and not self._is_forked:
            self._closed = True
            await self._talks.stop()
            if self._store.language.model is not None:
                await self._store.language.model.aclose()
            await asyncio.get_running_loop().run_in_executor(None, self._store.close, self._writer.owner)

    async def __aenter__(self) -> AsyncMemory:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- helpers -------------------------------------------------------------------------------------------------------

    def _views(self, space: Space) -> Views:
        from .view.views import Views

        return Views(self._store.ledger, space)

    async def _run(self, function: Callable[..., T], *arguments: Any) -> T:
        self._check_loop()
        answer: T = await self._store.in_thread(function, *arguments)
        return answer

    async def _look(self, function: Callable[..., T], *arguments: Any) -> T:
        """As `_run`, for what only reads; see `Store.steady`."""
        self._check_loop()
        return await self._store.steady(partial(self._store.in_thread, function, *arguments))

    @property
    def _is_forked(self) -> bool:
        """Whether another process opened it: this one is that one's child."""
        return os.getpid() != self._process

    def _check_process(self) -> None:
        """Raises Forked."""
        if self._is_forked:
            raise Forked(
                "this memory was opened before the process was forked: open a new one here, on the same folder"
            )

    def _check_loop(self) -> None:
        self._check_process()
        if self._closed:
            raise Closed("this memory is closed")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        if self._loop is not loop:
            raise WrongLoop("this AsyncMemory belongs to another event loop; make one per loop, or use Memory")

    async def _alone(self, work: Awaitable[T]) -> T:
        self._check_loop()
        return await work

    async def _find(self, scope: Scope) -> Space | None:
        found: Space | None = await self._run(self._store.ledger.space, scope.user_id)
        return found

    async def _space_of(self, kind: IdKind, argument: str, identifier: str, user_id: MaybeUser) -> Space:
        """Whose an id is; for anybody but its owner and the operator it does not exist."""
        check_id(argument, identifier, kind)
        ledger = self._store.ledger
        if isinstance(user_id, _Operator):
            return cast("Space", await self._run(ledger.owner, kind, identifier))
        owner = scope_of(user_id, None, None).user_id
        return cast("Space", await self._run(ledger.owned, kind, identifier, owner))


_THINGS: dict[IdKind, str] = {"mem": "memory", "chg": "change", "turn": "turn", "batch": "batch"}
_COUNTS = ("users", "turns", "memories", "rows", "changes", "pending", "entities", "quarantined")


def scope_of(user_id: object, agent_id: object, session_id: object) -> Scope:
    """A checked scope."""
    return Scope(
        check.maybe_identifier("user_id", user_id),
        check.maybe_identifier("agent_id", agent_id),
        check.maybe_identifier("session_id", session_id),
    )


def add_usage(usage: Usage) -> AddUsage:
    """Usage as callers see it."""
    return AddUsage(
        llm_calls=usage.llm_calls,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        tokens=usage.tokens,
        cost_usd=usage.cost_usd,
    )


def audited(change: ChangeRecord) -> AuditEntry:
    """A change without its content."""
    return AuditEntry(
        number=change.number,
        change_id=change.id,
        recorded_at=change.recorded_at or present(),
        actor=change.actor,
        op=change.op,
        memory_id=change.memory_id,
        batch_id=change.batch_id,
        model=change.model,
        prompt_id=change.prompt_id,
        undoes=change.undoes,
    )


def cut(first: int, last: int) -> list[tuple[int, int]]:
    """A run of turns as the spans (first, last) of its chunks."""
    spans = []
    for size in chunk_sizes(last - first + 1):
        spans.append((first, first + size - 1))
        first += size
    return spans


def chunk_sizes(turns: int) -> list[int]:
    """Chunks of 8 turns; a rest of one or two makes the last one 9 or 10."""
    sizes = [CHUNK] * (turns // CHUNK)
    rest = turns % CHUNK
    if rest and sizes and rest <= LARGEST - CHUNK:
        sizes[-1] += rest
    elif rest:
        sizes.append(rest)
    return sizes
