"""Memory: a window onto AsyncMemory through one daemon loop thread. Typed one-line methods, nothing else; a search
goes to a worker thread itself where it can, for the loop would only pass it on."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread  # noqa: F401 -- see `_close_all`
import math
import os
import threading
import weakref
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent import futures
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .errors import Closed, RecollectError
from .memory import OPERATOR, AsyncMemory, MaybeUser, UserId
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
    Reembedded,
    Resumed,
    RetentionReceipt,
    Source,
    Stats,
    Timeline,
    User,
    VerifyReport,
)
from .scoped import ScopedMemory
from .trace import Listener

if TYPE_CHECKING:
    from networkx import MultiDiGraph

    from .retrieval.query import Query

T = TypeVar("T")

_LISTENING = 0.1  # seconds: the system may hand Ctrl-C to another thread, which does not wake the one that waits


class Memory:
    """Long-term memory for language models: one folder on disk, any number of users, each behind a wall.

    The verbs and their errors are those of `AsyncMemory`. May be used from many threads, and inside a running loop.
    A script that never calls `close()` ends normally with everything kept.
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
        """As `AsyncMemory`."""
        self._memory = AsyncMemory(
            path,
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
            instructions=instructions,
            budget=budget,
            redact=redact,
            actor=actor,
            trust=trust,
            on_event=on_event,
        )
        self._lock = threading.RLock()
        self._own: tuple[asyncio.AbstractEventLoop, threading.Thread] | None = None
        self._closed = False
        self._running: set[asyncio.Task[Any]] = set()
        _open.add(self)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a verb on our loop and wait for it. Ctrl-C cancels the verb; what is committed stays."""
        answer = self._heard(self._begun(work))
        if isinstance(answer, _Exit):
            raise answer.error
        return answer

    def _check_open(self) -> None:
        """Raises Forked, Closed."""
        self._memory._check_process()
        if self._closed:
            raise Closed("this memory is closed")

    def _heard(self, work: futures.Future[T], within: float | None = None) -> T:
        """What comes of it. Ctrl-C cancels it. Raises TimeoutError after so many seconds."""
        left = math.inf if within is None else within
        try:
            over = _held_until(work)
            while left > 0 and not over.acquire(timeout=min(left, _LISTENING)):
                left -= _LISTENING
            return work.result(timeout=0)
        except BaseException:
            work.cancel()
            raise

    def _begun(self, work: Coroutine[Any, Any, T]) -> futures.Future[T | _Exit]:
        """Run a verb on our loop. Raises Forked, Closed."""
        try:
            self._memory._check_process()  # before the lock, which a thread of the parent's may have had at the fork
            with self._lock:  # where another thread closes, that comes first, or waits for what was begun before it
                self._check_open()
                return asyncio.run_coroutine_threadsafe(self._outliving(work), self._started()[0])
        except RecollectError:
            work.close()
            raise

    def _in_loop(self, function: Callable[..., object], *arguments: object) -> None:
        """Have it called on our loop, without waiting."""
        loop, _ = self._started()
        with suppress(RuntimeError):  # it was closed meanwhile
            loop.call_soon_threadsafe(function, *arguments)

    async def _outliving(self, work: Coroutine[Any, Any, T]) -> T | _Exit:
        """The work's answer. A listener of the caller's may raise SystemExit in the middle of it."""
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._running.add(task)
        try:
            return await work
        except (SystemExit, KeyboardInterrupt) as error:
            return _Exit(error)
        finally:
            self._running.discard(task)

    async def _drained(self) -> None:
        """Close when the verbs that other threads wait for have ended."""
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._memory.close()

    def _started(self) -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
        with self._lock:
            if self._own is None:
                loop = asyncio.new_event_loop()
                thread = threading.Thread(target=_run, args=[loop], name="recollect-loop", daemon=True)
                thread.start()
                self._own = (loop, thread)
            return self._own

    def add(
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
        """Remember messages. They are journalled first, then extracted, reconciled and committed chunk by chunk."""
        return self._wait(
            self._memory.add(
                messages,
                user_id=user_id,
                agent_id=agent_id,
                session_id=session_id,
                metadata=metadata,
                timestamp=timestamp,
                infer=infer,
                expires_at=expires_at,
                idempotency_key=idempotency_key,
                wait=wait,
                allow_erased=allow_erased,
            )
        )

    def retell(self, *, user_id: UserId, wait: bool = True) -> AddResult:
        """Extract a user's kept turns anew, with the model that is open now, and replace what came of them before."""
        return self._wait(self._memory.retell(user_id=user_id, wait=wait))

    def estimate(
        self,
        messages: str | Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        timestamp: datetime | str | float | None = None,
    ) -> Estimate:
        """What adding messages would cost, before anything is sent: nothing with rules. How near it comes: docs/models.md."""
        return self._wait(self._memory.estimate(messages, timestamp=timestamp))

    def estimate_retelling(self, *, user_id: UserId) -> Estimate:
        """What `retell` would cost, before anything is sent: nothing with rules. How near it comes: docs/models.md."""
        return self._wait(self._memory.estimate_retelling(user_id=user_id))

    @property
    def spent(self) -> AddUsage:
        """What models were paid since this memory was opened: of every call that was answered, in vain or not."""
        return self._memory.spent

    def update(
        self,
        memory_id: str,
        text: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        user_id: MaybeUser = OPERATOR,
    ) -> MemoryItem:
        """Correct a memory's text, or add to its metadata (new keys win). The old version stays in the history."""
        return self._wait(self._memory.update(memory_id, text, metadata, user_id=user_id))

    def delete(self, memory_id: str, *, user_id: MaybeUser = OPERATOR) -> None:
        """Take a memory back. It stays in the history, and `undo` brings it back. Raises NotFound."""
        return self._wait(self._memory.delete(memory_id, user_id=user_id))

    def delete_all(
        self,
        *,
        user_id: UserId,
        agent_id: str | None = None,
        session_id: str | None = None,
        metadata_filter: Mapping[str, Any] | None = None,
    ) -> Deleted:
        """Take back all of a user's memories, or those that fit, and take the turns that fit out of search; how many
        memories they were. `undo` of the result's `.batch_id` brings back both."""
        return self._wait(
            self._memory.delete_all(
                user_id=user_id, agent_id=agent_id, session_id=session_id, metadata_filter=metadata_filter
            )
        )

    def erase(
        self,
        memory_id: str | None = None,
        *,
        user_id: MaybeUser = OPERATOR,
        session_id: str | None = None,
        before: datetime | str | float | None = None,
    ) -> Receipt:
        """Destroy a memory, or what a user said in a session, before a time, or ever, and all that came of it."""
        return self._wait(self._memory.erase(memory_id, user_id=user_id, session_id=session_id, before=before))

    def undo(self, change_or_batch_id: str, *, user_id: MaybeUser = OPERATOR) -> list[Change]:
        """Take back a change, or all of a batch from its last to its first; the changes that did it."""
        return self._wait(self._memory.undo(change_or_batch_id, user_id=user_id))

    def quarantine(self, *, user_id: UserId) -> list[Quarantined]:
        """What waits for a review, oldest first: memories that were put aside and messages that were taken out of search."""
        return self._wait(self._memory.quarantine(user_id=user_id))

    def approve(self, memory_id: str, *, user_id: MaybeUser = OPERATOR) -> Change:
        """Bring in a memory that waits for a review, with the messages that were hidden with it; or such a message."""
        return self._wait(self._memory.approve(memory_id, user_id=user_id))

    def merge_entities(self, one: str, other: str, *, user_id: UserId) -> Change:
        """Say that two of a user's entities are one, each by a name that memories have for it."""
        return self._wait(self._memory.merge_entities(one, other, user_id=user_id))

    def separate_entities(self, one: str, other: str, *, user_id: UserId) -> Change:
        """Say that two of a user's entities are not one, whatever their names and facts say."""
        return self._wait(self._memory.separate_entities(one, other, user_id=user_id))

    def entity_graph(
        self,
        *,
        user_id: UserId,
        as_of: datetime | str | float | None = None,
        known_at: datetime | str | float | None = None,
    ) -> MultiDiGraph:
        """Who and what a user's memories name, and how they relate, as a `networkx.MultiDiGraph` of its own."""
        return self._wait(self._memory.entity_graph(user_id=user_id, as_of=as_of, known_at=known_at))

    def drop(self, memory_id: str, *, user_id: MaybeUser = OPERATOR) -> Change:
        """Take away a memory, or a message, that waits for a review."""
        return self._wait(self._memory.drop(memory_id, user_id=user_id))

    def timeline(
        self,
        *,
        user_id: UserId,
        entity: str | None = None,
        slot: str | None = None,
        as_of: datetime | str | float | None = None,
        known_at: datetime | str | float | None = None,
    ) -> Timeline:
        """What is known of an entity ("Anna"), of a slot ("employer"), or of both, in the order of time."""
        return self._wait(
            self._memory.timeline(user_id=user_id, entity=entity, slot=slot, as_of=as_of, known_at=known_at)
        )

    def pending(self) -> list[PendingBatch]:
        """Batches that were accepted and are not finished, oldest first; of conversations too, which may be open still."""
        return self._wait(self._memory.pending())

    def resume(self, *, include_failed: bool = False) -> Resumed:
        """Finish what is pending, once, and make up for vectors that wait for the embedder."""
        return self._wait(self._memory.resume(include_failed=include_failed))

    def flush(self) -> Resumed:
        """Finish everything that `add(wait=False)` left."""
        return self._wait(self._memory.flush())

    def search(
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
        """Memories, and turns where `include` says so, that have to do with the query; best first, none where none has."""
        asked = self._memory._asked(
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
        sought = self._sought(asked)
        hits = None if sought is None else self._heard(sought)
        return self._wait(self._memory._found(asked)) if hits is None else hits

    def _sought(self, asked: Query) -> futures.Future[list[Hit] | None] | None:
        """A search that needs no loop, under way: our loop's thread would only pass it on."""
        self._check_open()
        return self._memory._searches.begin(asked, list)

    def context(
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
        """What is worth telling a model about the query, in time order, in at most `max_tokens`, as `tokenizer` counts them."""
        return self._wait(
            self._memory.context(
                query,
                user_id=user_id,
                max_tokens=max_tokens,
                agent_id=agent_id,
                session_id=session_id,
                metadata_filter=metadata_filter,
                limit=limit,
                as_of=as_of,
                known_at=known_at,
                since=since,
                until=until,
                now=now,
                min_score=min_score,
                include=include,
                graph=graph,
                tokenizer=tokenizer,
            )
        )

    def get(self, memory_id: str, *, user_id: MaybeUser = OPERATOR) -> MemoryItem:
        """A memory as it is believed now: its live version, else its last. Raises NotFound, also where it was deleted."""
        return self._wait(self._memory.get(memory_id, user_id=user_id))

    def get_all(
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
        return self._wait(
            self._memory.get_all(
                user_id=user_id,
                agent_id=agent_id,
                session_id=session_id,
                metadata_filter=metadata_filter,
                as_of=as_of,
                known_at=known_at,
                limit=limit,
                after=after,
            )
        )

    def count(
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
        return self._wait(
            self._memory.count(
                user_id=user_id,
                agent_id=agent_id,
                session_id=session_id,
                metadata_filter=metadata_filter,
                as_of=as_of,
                known_at=known_at,
            )
        )

    def history(self, memory_id: str, *, user_id: MaybeUser = OPERATOR) -> list[Change]:
        """Every change that a memory went through, in order. Raises NotFound."""
        return self._wait(self._memory.history(memory_id, user_id=user_id))

    def sources(self, memory_id: str, *, user_id: MaybeUser = OPERATOR) -> list[Source]:
        """The quotes behind a memory's current version, in the order of the turns. Raises NotFound."""
        return self._wait(self._memory.sources(memory_id, user_id=user_id))

    def changes(
        self,
        *,
        user_id: UserId,
        after: int = 0,
        since: datetime | str | float | None = None,
        limit: int = 1000,
    ) -> list[Change]:
        """A user's changes in order, from the first behind the number `after`."""
        return self._wait(self._memory.changes(user_id=user_id, after=after, since=since, limit=limit))

    def users(self) -> list[User]:
        """Everybody of whom the store has something."""
        return self._wait(self._memory.users())

    def find_id(self, beginning: str, *, user_id: MaybeUser = OPERATOR) -> str:
        """The whole id of a memory, a change, a turn or a batch that begins so. Raises NotFound, InvalidInput."""
        return self._wait(self._memory.find_id(beginning, user_id=user_id))

    def stats(self, *, user_id: MaybeUser = OPERATOR) -> Stats:
        """How much a user's memory holds, or, left out, the whole store."""
        return self._wait(self._memory.stats(user_id=user_id))

    def retention(
        self,
        older_than: timedelta | datetime | str | None = None,
        *,
        user_id: MaybeUser = OPERATOR,
        expired: bool = True,
        dry_run: bool = False,
    ) -> RetentionReceipt:
        """Destroy what is kept no longer, of all users or of one: what was said longer ago than that, and what has expired."""
        return self._wait(self._memory.retention(older_than, user_id=user_id, expired=expired, dry_run=dry_run))

    def verify(self) -> VerifyReport:
        """Check that everything in the store fits together; see `.problems`. Changes nothing, and tells `on_event` how far it
        is (`trace.Checked`). Damage is reported, not raised."""
        return self._wait(self._memory.verify())

    def rebuild(self) -> Rebuilt:
        """Forget the views in memory, to be made anew from the ledger, and mend in the ledger what follows from the rest of
        it: term counts, keys, counters, indexes, vectors that are no good. History is never touched."""
        return self._wait(self._memory.rebuild())

    def reembed(
        self, embedder: object = None, *, embedder_api_base: str | None = None, embedder_api_key: str | None = None
    ) -> Reembedded:
        """Change the store's embedder: every text is embedded by the new one, then all vectors are exchanged at once."""
        return self._wait(
            self._memory.reembed(embedder, embedder_api_base=embedder_api_base, embedder_api_key=embedder_api_key)
        )

    def backup(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Backup:
        """Copy the whole store into one file, as it is at the beginning, while others go on reading and writing."""
        return self._wait(self._memory.backup(path, overwrite=overwrite))

    def export(
        self,
        *,
        user_id: UserId,
        path: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
        format: str = "json",  # noqa: A002 -- the field's own word
        vectors: bool = True,
    ) -> dict[str, Any]:
        """Everything that is held on a user, as one JSON document of one moment; with `path`, written to that file, with
        `format="jsonl"` as one that `import_file` reads."""
        return self._wait(
            self._memory.export(user_id=user_id, path=path, overwrite=overwrite, format=format, vectors=vectors)
        )

    def export_all(
        self, path: str | os.PathLike[str], *, overwrite: bool = False, vectors: bool = True
    ) -> dict[str, Any]:
        """Everything of all users, of one moment, as an interchange file that `import_file` reads; how much is in it."""
        return self._wait(self._memory.export_all(path, overwrite=overwrite, vectors=vectors))

    def import_file(
        self,
        path: str | os.PathLike[str],
        *,
        user_id: MaybeUser = OPERATOR,
        dry_run: bool = False,
        skip_existing: bool = False,
        allow_erased: bool = False,
    ) -> ImportReport:
        """Take in an interchange file, with the history, the times, the quotes and the reviews of what is in it."""
        return self._wait(
            self._memory.import_file(
                path, user_id=user_id, dry_run=dry_run, skip_existing=skip_existing, allow_erased=allow_erased
            )
        )

    def import_mem0(
        self,
        python: str | os.PathLike[str],
        config: str | os.PathLike[str],
        *,
        user_id: MaybeUser = OPERATOR,
        dry_run: bool = False,
        allow_erased: bool = False,
    ) -> ForeignReport:
        """Take in what a mem0 store has: mem0's own library reads it, in a process of the Python `python`."""
        return self._wait(
            self._memory.import_mem0(python, config, user_id=user_id, dry_run=dry_run, allow_erased=allow_erased)
        )

    def audit(self, *, user_id: UserId) -> list[AuditEntry]:
        """Who changed what of a user's memories, and when, in order: ids and names, no content."""
        return self._wait(self._memory.audit(user_id=user_id))

    def scoped(self, *, user_id: UserId) -> ScopedMemory:
        """Every verb bound to one user; other users' ids do not exist for it."""
        self._memory.scoped(user_id=user_id)
        return ScopedMemory(self, user_id)

    def close(self) -> None:
        """Let go of everything, when what other threads wait for has ended; a second time does nothing, and so does a forked
        child."""
        if self._memory._is_forked:
            return
        with self._lock:
            if self._closed:
                return
            self._closed = True
        loop, thread = self._started()
        asyncio.run_coroutine_threadsafe(self._drained(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()

    def __enter__(self) -> Memory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class _Exit:
    """What must end the caller, and would otherwise end our loop, with the caller waiting forever."""

    error: BaseException


def _held_until(work: futures.Future[Any]) -> threading.Lock:
    """A lock that is held until the work is over. Ctrl-C in the middle of `futures.wait`, which is Python, would leave the work's
    own lock held: whoever ends the work, our loop or a worker, would wait for it forever. Nothing comes in between in a lock; to
    add a callback takes the work's own once, and is open to Ctrl-C for one instruction of Python's."""
    over = threading.Lock()
    over.acquire()
    work.add_done_callback(lambda _: over.release())
    return over


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
        loop.run_until_complete(_end_others())
    finally:
        loop.close()


async def _end_others() -> None:
    """End what is left on the loop, as `asyncio.run` does: litellm keeps a task of its own on every loop that calls it."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


_open: weakref.WeakSet[Memory] = weakref.WeakSet()


def _close_all() -> None:
    """At exit: finish what runs, then let go, so that a script that forgets `close()` ends normally."""
    for memory in list(_open):
        memory.close()


# Not plain atexit: by then the worker threads that a commit needs are gone. And after the registration of
# concurrent.futures.thread, imported above for that, since the last to register is the first to be called.
threading._register_atexit(_close_all)  # type: ignore[attr-defined]
