"""Conversations that come turn by turn: journalled at once into an open chunk, and learnt in the background when it is closed.

A user's chunks are learnt one after the other, oldest first; what cannot be learnt holds up what was said after it, is tried
again later, and after five attempts left for a request.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

from ..build import Store
from ..embedding import is_local
from ..errors import Closed, RecollectError
from ..records import Batch, BatchStatus, Kept, NewTurns, Space
from ..safety.redact import Redactor
from ..tasks import cancel, whole
from ..times import now
from ..trace import Listener, Unlearnt, emit
from .write import Writer

log = logging.getLogger("recollect")

OPENING_S = 5.0  # for what is loaded once: two seconds for 10,000 memories on one busy core, and the embedder
RETRY = None  # in place of a session, all of which have names: the timer of the next try
RETRY_S = (30, 120, 600, 1800)  # after a failure; five attempts are spread over three quarters of an hour


class Talking:
    """The open chunks of a store, and the learning of those that are closed. Belongs to one event loop."""

    def __init__(
        self,
        store: Store,
        writer: Writer,
        redactor: Redactor,
        instructions: str | None,
        finish: Callable[[Batch], Awaitable[None]],
        listener: Listener | None,
    ) -> None:
        self._store, self._writer, self._redactor, self._listener = store, writer, redactor, listener
        self._instructions, self._finish = instructions, finish
        self._learning: dict[Space, asyncio.Task[None]] = {}
        self._again: set[Space] = set()
        self._failures: dict[Space, int] = {}
        self._timers: dict[tuple[Space, str | None], asyncio.TimerHandle] = {}
        self._put_off: dict[tuple[Space, str | None], datetime] = {}  # until when, from any thread
        self._locks: WeakValueDictionary[Space, asyncio.Lock] = WeakValueDictionary()
        self._warm: set[str | None] = set()
        self._stopped = False

    # --- hearing -------------------------------------------------------------------------------------------------------

    def hear(self, new: NewTurns) -> Kept:
        """Journal messages, their secrets redacted. Blocking, from any thread; the loop is to be told what came of it, see
        `put_off` and `go_on`. Raises StorageError."""
        safe, redacted = self._redactor.messages(new.messages)
        return self._store.talks.hear(replace(new, messages=safe, redacted=redacted, instructions=self._instructions))

    def put_off(self, session_id: str, kept: Kept) -> bool:
        """From any thread: let the session's chunk close later, where there is a timer for it. False where the loop is to
        `go_on`: it is not woken for each turn, for it would take Python's lock from the caller, who has a reply to read."""
        if kept.closed or kept.closes_at is None:
            return False
        key = (kept.space, session_id)
        self._put_off[key] = kept.closes_at  # before the look: who takes a timer away looks here afterwards
        return key in self._timers

    def go_on(self, session_id: str, kept: Kept) -> None:
        """In the loop: have what was closed learnt in the background, and what is open closed when its time has come."""
        self._close_later(kept.space, session_id, kept.closes_at)
        if kept.closed:
            self.wake(kept.space)

    def _close_later(self, space: Space, session_id: str | None, at: datetime | None) -> None:
        """Close the session's chunk when nothing has come for so long."""
        self._at((space, session_id), None)
        later = self._put_off.pop((space, session_id), None)
        if times := [one for one in (at, later) if one is not None]:
            at = max(times)
            self._at((space, session_id), at, functools.partial(self._idle, space, session_id, at))

    def _idle(self, space: Space, session_id: str | None, at: datetime) -> None:
        """Its time is over; or not yet, where that was put off, or the clock was set back meanwhile."""
        at = self._put_off.pop((space, session_id), at)
        if at > now():
            self._close_later(space, session_id, at)
        else:
            self.wake(space)

    def _at(self, key: tuple[Space, str | None], at: datetime | None, action: Callable[[], None] | None = None) -> None:
        """Do something then, in place of what was to be done before; None is never."""
        if (earlier := self._timers.pop(key, None)) is not None:
            earlier.cancel()
        if at is None or action is None or self._stopped:
            return

        def due() -> None:
            del self._timers[key]
            action()

        delay = max(0.0, (at - now()).total_seconds()) + 0.01
        self._timers[key] = asyncio.get_running_loop().call_later(delay, due)

    # --- learning ------------------------------------------------------------------------------------------------------

    def wake(self, space: Space) -> None:
        """Have what is closed, or idle for long enough, learnt in the background; after a failure, when it is time to try again:
        each try counts."""
        if self._stopped or (space, RETRY) in self._timers:
            return
        if space in self._learning:
            self._again.add(space)
        else:
            self._learning[space] = asyncio.get_running_loop().create_task(self._background(space))

    async def _background(self, space: Space) -> None:
        try:
            while True:
                self._again.discard(space)
                failed = await self.learn(space)
                if failed or space not in self._again:  # a failure's next try is for later, whoever woke it meanwhile
                    break
            if failed:
                self._retry(space)
        except RecollectError as error:
            if not isinstance(error, Closed):
                emit(self._listener, Unlearnt(None, type(error).__name__))
                self._retry(space)
        finally:
            self._learning.pop(space, None)

    def _retry(self, space: Space) -> None:
        times = self._failures[space] = self._failures.get(space, 0) + 1
        pause = RETRY_S[min(times, len(RETRY_S)) - 1]
        self._at((space, RETRY), now() + timedelta(seconds=pause), functools.partial(self.wake, space))

    async def learn(self, space: Space, *, include_failed: bool = False) -> bool:
        """Learn what is closed of a user's conversations, oldest first; whether something failed, which ends it. Raises
        StorageError where it cannot be seen what there is."""
        async with self._locks.setdefault(space, asyncio.Lock()):
            await self._store.in_thread(functools.partial(self._store.talks.close, space, idle_at=now()))
            statuses: tuple[BatchStatus, ...] = ("pending", "failed") if include_failed else ("pending",)
            for batch in await self.unfinished(space, *statuses):
                if not await self._learnt(batch):
                    return True
            self._failures.pop(space, None)
            self._at((space, RETRY), None)
            return False

    async def _learnt(self, batch: Batch) -> bool:
        """Whether it is done, or over."""
        try:
            if not self._store.embedder_recorded:
                await self._store.in_thread(self._store.record_embedder)
            await self._finish(batch)
        except Closed:
            raise
        except RecollectError as error:
            emit(self._listener, Unlearnt(batch.id, type(error).__name__))
            left: Batch = await self._store.in_thread(self._store.journal.batch, batch.id)
            return left.status == "done"  # erased meanwhile, or another process was faster
        return True

    async def unfinished(self, space: Space, *statuses: BatchStatus) -> list[Batch]:
        """A user's batches of conversations, of these statuses, oldest first."""
        unfinished = functools.partial(self._store.journal.unfinished, *statuses, space=space)
        return [batch for batch in await self._store.in_thread(unfinished) if batch.talk]

    async def close(self, space: Space, session_id: str) -> None:
        """Close the session's open chunk."""
        self._put_off.pop((space, session_id), None)
        self._close_later(space, session_id, None)
        await whole(self._store.in_thread(self._store.talks.close, space, session_id))

    # --- the rest ------------------------------------------------------------------------------------------------------

    async def space(self, user_id: str | None) -> Space | None:
        """A user's key, where there is one."""
        found: Space | None = await self._store.in_thread(self._store.ledger.space, user_id)
        return found

    async def secret(self) -> bytes:
        """The store's own key."""
        found: bytes = await self._store.in_thread(self._store.ledger.secret)
        return found

    async def warm(self, user_id: str | None) -> None:
        """Have loaded what is loaded once: an embedder of this machine, and the user's memories. Nobody waits for it for longer
        than `OPENING_S`; what is wrong with it, a search will say."""
        if user_id in self._warm:
            return
        self._warm.add(user_id)
        loading = asyncio.ensure_future(self._loaded(user_id))
        await asyncio.wait({loading}, timeout=OPENING_S)

    def is_warm(self, user_id: str | None) -> bool:
        """Whether that was done."""
        return user_id in self._warm

    async def _loaded(self, user_id: str | None) -> None:
        embedder = self._store.embedder
        try:
            space = await self.space(user_id)
            if space is not None:
                await self._store.in_thread(self._store.partitions.get, space)
                if is_local(embedder):
                    await self._writer.batcher.embed(embedder, ["hello"])
        except RecollectError as error:
            log.debug("not loaded before a turn: %s", type(error).__name__)
            self._warm.discard(user_id)

    async def stop(self) -> None:
        """End what runs in the background; what is not learnt stays pending."""
        self._stopped = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        await cancel(list(self._learning.values()))
