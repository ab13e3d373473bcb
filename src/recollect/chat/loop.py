"""AsyncChatMemory: one conversation's memory, before and after each turn."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, NamedTuple, TypeAlias
from uuid import uuid4

from .. import check
from ..errors import Closed, InvalidInput, NotFound, RecollectError, StorageError
from ..memory import LARGEST, AsyncMemory, UserId
from ..model import Message, Role, Scope
from ..records import NewTurns
from ..results import Context, Hit, PendingTurns, Shown
from ..retrieval.query import Query
from ..safety.fence import fence_name
from ..tasks import whole
from ..times import now as present
from ..tokens import estimate_tokens
from ..trace import Heard, Recalled, Unheard, Unlearnt, emit
from .messages import Exchange, checked, field, kept, known, last_user, text_of, with_block, without_blocks
from .outbox import Begun, Journalled, Outbox

Messages = Sequence[Any]
"""Messages of OpenAI's chat protocol, as mappings or as a client's objects."""
Time = datetime | str | float | None
Wait: TypeAlias = "Callable[[Future[Context | None], float | None], Context | None]"
"""How what a worker thread does is waited for, so many seconds. Raises TimeoutError."""

# Hits that are packed: the 60 of `context` take a millisecond more, and cover 94.1 % of LoCoMo instead of 94.0.
CANDIDATES = 50
REMEMBERS = 1000  # turns of which it can be asked what was shown
FIRST_WORDS_S = 0.1  # of a stream, during which nothing else is done
TIMED_OUT = "TimedOut"
NO_FENCE = "\x00"  # stands in no text that is kept


class Asking(NamedTuple):
    """A turn that begins: its messages, where the user's last one stands (None: nowhere), when it is asked; and what, once our
    own blocks are taken out."""

    messages: list[Any]
    place: int | None
    now: datetime | None
    query: str = ""


class AsyncChatMemory:
    """A conversation with a memory. The same verbs as `ChatMemory`, awaited; belongs to the event loop of its `AsyncMemory`.

    messages = await chat.before(messages)
    reply = await model(messages)
    await chat.after(messages, reply)
    """

    def __init__(
        self,
        memory: AsyncMemory,
        *,
        user_id: UserId,
        agent_id: str | None = None,
        session_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        max_tokens: int = 1000,
        recall_seconds: float | None = 0.150,
        close_turns: int = 8,
        close_tokens: int = 4000,
        close_idle: float | None = 120.0,
        tokenizer: Callable[[str], int] | None = None,
    ) -> None:
        """`user_id`: whose memory; the model never chooses it. `agent_id`: narrows what is recalled, and is noted with what is
        learnt. `session_id`: the conversation's name, noted with what is learnt; recall reaches over all of the user's. Give one
        that lasts as long as the conversation where each request of a server makes a `ChatMemory` of its own; None makes one up.

        `max_tokens`: at most so many for what is recalled, as `tokenizer` counts them. `recall_seconds`: so long a turn waits for
        it (None: as long as it takes). What is loaded once is not counted, and waited for at most 5 seconds: the embedder, and at
        a user's first turn in a process the user's memories.

        Messages are learnt in chunks. One is closed, and learnt in the background, at `close_turns` messages (1 to 10) and a
        reply, at about `close_tokens` tokens, `close_idle` seconds after its last message (None: never), or when the user begins
        another conversation.

        Raises InvalidInput.
        """
        self._memory = memory
        self.user_id = check.maybe_identifier("user_id", user_id)
        self._agent_id = check.maybe_identifier("agent_id", agent_id)
        self.session_id = check.maybe_identifier("session_id", session_id) or f"chat_{uuid4().hex}"
        self._metadata = check.metadata("metadata", metadata)
        self._max_tokens = check.whole("max_tokens", max_tokens, 1, check.MAX_CONTEXT)
        self._patience = None if recall_seconds is None else check.positive("recall_seconds", recall_seconds)
        self._close_turns = check.whole("close_turns", close_turns, 1, LARGEST)
        self._close_tokens = check.whole("close_tokens", close_tokens)
        self._idle = None if close_idle is None else timedelta(seconds=check.positive("close_idle", close_idle))
        if tokenizer is not None and not callable(tokenizer):
            raise InvalidInput("tokenizer", "must be a function from a text to its number of tokens")
        self._tokenizer = tokenizer
        self._shown: dict[int, Shown] = {}
        self._turn = 0
        self._counting = threading.Lock()
        self._asked: tuple[int, str] | None = None  # where the last turn's question stands, and what it says
        self._fence: str | None = None
        self._late: asyncio.Task[Context] | None = None
        self._under_way: set[asyncio.Task[Any]] = set()
        self._outbox = Outbox(self._new_turns, memory._talks.hear)
        self._woken = self._closed = False

    async def before(self, messages: Messages, *, now: Time = None) -> list[dict[str, Any]]:
        """The messages to hand to the model: a copy, with what is remembered on the user's last message in front of that
        message's own text, fenced as data. Nothing of `messages` is changed.

        There and nowhere else, so that prompt caches stay warm: the system prompt and the history are the same from turn to turn,
        byte by byte, but for the message before, which had its block then: all up to there is a cached prefix. In the system
        prompt a block that changes each turn would undo the cache of the whole conversation; a message of its own in the middle
        breaks servers that want user and assistant in turn. Within a turn, while a model calls tools, the block stays as it was.
        Older blocks in the history are taken out: they may tell what is no longer so.

        Never raises for a memory that fails or is slow: see `Shown.error` and `trace.Recalled`. `now`: when it is asked, default
        the present. Raises InvalidInput, Closed, WrongLoop, Forked.
        """
        return await self._before(self._asking(messages, now))

    async def _before(self, asking: Asking) -> list[dict[str, Any]]:
        self._memory._check_loop()
        if asking.place is None:
            return asking.messages
        try:
            told = without(asking, await self._fenced())
        except RecollectError as error:
            self._went_on(type(error).__name__)
            return asking.messages
        return self._with(told, self._shown[self._turn] if self._goes_on(told) else await self._recalled(told))

    def _with(self, asking: Asking, shown: Shown) -> list[dict[str, Any]]:
        """The messages with what is shown."""
        messages, place = asking.messages, asking.place
        if place is not None:
            self._asked = (place, asking.query)
            if shown.text:
                messages[place] = with_block(messages[place], shown.text)
        return messages

    @staticmethod
    def _asking(messages: Messages, now: Time) -> Asking:
        told = checked(messages)
        return Asking(told, last_user(told), check.spoken("now", now))

    def _goes_on(self, asking: Asking) -> bool:
        """Whether it is the turn before, whose model calls tools."""
        place = asking.place
        return place is not None and place + 1 < len(asking.messages) and self._asked == (place, asking.query)

    def _before_at_once(self, asking: Asking, wait: Wait) -> list[dict[str, Any]] | None:
        """The same from any thread without the loop, which would only pass it on to a worker thread; `wait` is how that is waited
        for. None where it needs the loop. Blocking."""
        if asking.place is None or self._fence is None or not self._memory._talks.is_warm(self.user_id):
            return None
        told, began = without(asking, self._fence), time.perf_counter()
        recall = None
        if told.query and not self._goes_on(told):
            recall = self._memory._searches.begin(*self._recall_of(told))
        if recall is None:
            return None
        error, context = "", None
        try:
            context = wait(recall, self._patience)
        except TimeoutError:
            error = TIMED_OUT
        except RecollectError as problem:
            error = type(problem).__name__
        if context is None and not error:
            return None
        return self._with(told, self._went_on(error, told.query, time.perf_counter() - began, context))

    def _went_on(self, error: str, query: str = "", seconds: float = 0.0, context: Context | None = None) -> Shown:
        """Note what is shown at the next turn. From any thread."""
        told = context is not None and bool(context.hits)
        with self._counting:
            turn = self._turn + 1
            shown = self._shown[turn] = Shown(
                turn=turn,
                query=query,
                text=context.text if context is not None and told else "",
                hits=context.hits if context is not None else (),
                tokens=context.tokens if context is not None and told else 0,
                seconds=seconds,
                error=error or None,
            )
            self._turn = turn  # last: other threads look up what is shown at it
            self._shown.pop(turn - REMEMBERS, None)
        of = (self.user_id, self.session_id, turn, len(shown.hits), shown.tokens, seconds, shown.error)
        emit(self._memory._listener, Recalled(*of))
        return shown

    async def _recalled(self, asking: Asking) -> Shown:
        """What is remembered on the query, if that comes in time."""
        if not asking.query:
            return self._went_on("")
        await self._memory._talks.warm(self.user_id)
        began = time.perf_counter()
        error, context = "", None
        try:
            context = await self._in_time(asking)
            error = "" if context is not None else TIMED_OUT
        except RecollectError as problem:
            error = type(problem).__name__
        return self._went_on(error, asking.query, time.perf_counter() - began, context)

    async def _in_time(self, asking: Asking) -> Context | None:
        """The context; None where it takes too long. A late one goes on until the next turn, for it reads what that needs."""
        if self._late is not None:
            self._late.cancel()
        task = asyncio.create_task(self._memory._searches.made(*self._recall_of(asking)))
        try:
            await asyncio.wait({task}, timeout=self._patience)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if task.done():
            return task.result()
        self._late = task
        task.add_done_callback(_seen)
        return None

    def _recall_of(self, asking: Asking) -> tuple[Query, Callable[[list[Hit]], Context]]:
        """What is asked, as `context` would ask it, and what makes a context of what is found."""
        query = self._query(asking)
        wanted = functools.partial(_wanted, self._texts(asking.messages))
        return query, self._memory._packing(query, self._max_tokens, self._tokenizer, wanted)

    def _query(self, asking: Asking) -> Query:
        memory = self._memory
        asked = memory._asked(
            asking.query,
            user_id=self.user_id,
            agent_id=self._agent_id,
            session_id=None,
            metadata_filter=None,
            limit=CANDIDATES,
            as_of=None,
            known_at=None,
            since=None,
            until=None,
            now=asking.now,
            min_score=None,
            include=("memories", "turns"),
            graph=True,
        )
        return replace(asked, fill=True)

    @staticmethod
    def _texts(messages: Sequence[object]) -> frozenset[str]:
        """What the model reads anyway."""
        return frozenset(unicodedata.normalize("NFC", text_of(field(message, "content"))) for message in messages)

    async def _fenced(self) -> str:
        """The user's delimiter; what was left of this user's conversations is gone on with once."""
        if self._fence is None:
            self._fence = fence_name(await self._memory._talks.secret(), self.user_id)
        if not self._woken:
            self._woken = True
            space = await self._memory._talks.space(self.user_id)
            if space is not None:
                self._memory._talks.wake(space)
        return self._fence

    async def after(self, messages: Messages, reply: object = None, *, now: Time = None) -> None:
        """Learn a turn: the user's messages behind the last answer, and the reply: a string, a message (with role and content),
        or a whole completion. Hand in `messages` as they went to `before`, or as they came from it.

        When it returns they are safe on disk, in the conversation's open chunk; learning goes on in the background, a user's
        chunks one after the other. Where the store refuses them (`trace.Unheard`) they wait in
        this process, see `pending`. What the history repeats is not taken twice, nor a message that is asked again for another
        reply. Left out are our own block, system prompts, tool calls and their results, and what is no text: of a picture there
        stands "[image]". Never raises for a memory that fails; raises as `before`.
        """
        told, at = checked(messages), check.spoken("now", now)
        self._memory._check_loop()
        fence = await self._fence_or_none()
        self._outbox.take(fence, told, reply, at)
        await self._saved()

    async def _fence_or_none(self) -> str:
        """The user's delimiter; where the store's key cannot be read, one that nothing has: our own block cannot be told then."""
        try:
            return await self._fenced()
        except RecollectError as error:
            self._outbox.error = type(error).__name__
            return NO_FENCE

    def _after_at_once(self, messages: Messages, reply: object, now: Time) -> Future[Journalled] | None:
        """The same begun from any thread, without the loop, which is told afterwards (`_go_on`). None where it needs the loop."""
        told, at = checked(messages), check.spoken("now", now)
        if self._fence is None:
            return None
        self._outbox.take(self._fence, told, reply, at)
        return self._memory._store.submit(self._outbox.journalled)

    def _asks(self, messages: Messages) -> Begun:
        """A turn whose reply is on its way; see `Outbox.begin`, and `_soon`. From any thread."""
        return self._outbox.begin(checked(messages))

    def _over(self, begun: Begun, reply: object) -> None:
        """The reply is there, and is learnt with what comes next. From any thread."""
        self._outbox.end(begun, reply)

    def _begin(self, messages: Messages) -> Begun:
        """In the loop: learn what is asked, while the reply is on its way."""
        task = asyncio.get_running_loop().create_task(self._soon())
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return self._asks(messages)

    async def _soon(self) -> None:
        """Not before the reply's first words should be there, for they go first."""
        await asyncio.sleep(FIRST_WORDS_S)
        if self._outbox.has_begun:
            with suppress(Closed):  # it was not waited for
                self._memory._check_loop()
                await self._saved()

    def _new_turns(self, said: Exchange, at: datetime | None, asked: bool) -> NewTurns:
        """What is to be journalled of a turn. `asked`: what the user says in it is known."""
        return NewTurns(
            scope=Scope(self.user_id, self._agent_id, self.session_id),
            messages=tuple(
                Message(Role(one.role), unicodedata.normalize("NFC", one.content), one.name, at) for one in said.said
            ),
            received_at=present(),
            known=functools.partial(self._known, said.answered, asked),
            full=self._full,
            most=LARGEST,
            idle=self._idle,
            metadata=self._metadata,
        )

    def _known(self, answered: str | None, asked: bool, messages: Sequence[Message], tail: Sequence[Message]) -> int:
        """How many of the messages the session has already; secrets are redacted in all of them."""
        least = sum(one.role is Role.USER for one in messages) if asked else 0
        return max(least, known(messages, answered and self._as_kept(answered), tail))

    def _as_kept(self, text: str) -> str:
        return self._memory._redactor.text(unicodedata.normalize("NFC", text))

    def _full(self, turns: Sequence[Message]) -> bool:
        """Whether a chunk is to be closed: only behind a reply, for question and answer belong together."""
        if not turns or turns[-1].role is not Role.ASSISTANT:
            return False
        return (
            len(turns) >= self._close_turns or sum(estimate_tokens(one.content) for one in turns) >= self._close_tokens
        )

    async def _saved(self) -> None:
        """Journal what waits."""
        if self._outbox.has_begun:
            self._outbox.take_begun(await self._fence_or_none())
        journalled: Journalled = await whole(self._memory._store.in_thread(self._outbox.journalled))
        self._tell(journalled)
        self._go_on(journalled)

    def _tell(self, journalled: Journalled) -> None:
        """Tell the listener."""
        for one in journalled.heard:
            emit(self._memory._listener, Heard(self.user_id, self.session_id, one.new, one.closed))
        if journalled.error is not None:
            refused = Unheard(self.user_id, self.session_id, journalled.waiting, journalled.error)
            emit(self._memory._listener, refused)

    def _put_off(self, journalled: Journalled) -> bool:
        """From any thread: whether the loop has nothing to do that it would not do anyway."""
        return all(self._memory._talks.put_off(self.session_id, one) for one in journalled.heard)

    def _go_on(self, journalled: Journalled) -> None:
        """In the loop: have it learnt when its time has come."""
        for one in journalled.heard:
            self._memory._talks.go_on(self.session_id, one)

    def shown(self, turn: int = -1) -> Shown:
        """What the model was shown at a turn, from 1; -1 is the last one. Of the last 1,000 turns since this object was made.
        Raises NotFound."""
        wanted = self._turn + 1 + turn if turn < 0 else turn
        if wanted not in self._shown:
            raise NotFound("turn", str(turn))
        return self._shown[wanted]

    async def pending(self) -> list[PendingTurns]:
        """What of this conversation is not learnt yet, oldest first."""
        talks, found = self._memory._talks, []
        self._memory._check_loop()
        space = await talks.space(self.user_id)
        if space is not None:
            for batch in await talks.unfinished(space, "open", "pending", "failed"):
                if batch.scope.session_id == self.session_id:
                    status = "pending" if batch.status == "done" else batch.status
                    found.append(PendingTurns(status=status, turns=batch.turns, batch_id=batch.id, error=batch.error))
        return [*found, *self._unsaved_turns()]

    def _unsaved_turns(self) -> list[PendingTurns]:
        waiting = self._outbox.waiting()
        return [PendingTurns(status="unsaved", turns=waiting, error=self._outbox.error)] if waiting else []

    async def flush(self) -> list[PendingTurns]:
        """Close the open chunk, and learn all that is closed, now; what stays pending, with the reason why. Raises StorageError
        where that cannot be told, and Closed, WrongLoop, Forked."""
        self._memory._check_loop()
        talks = self._memory._talks
        try:
            await self._saved()
            space = await talks.space(self.user_id)
            if space is not None:
                await talks.close(space, self.session_id)
                await talks.learn(space, include_failed=True)
        except StorageError as error:
            emit(self._memory._listener, Unlearnt(None, type(error).__name__))
        return await self.pending()

    async def close(self) -> list[PendingTurns]:
        """`flush`, and let go; the memory itself stays open. A second time does nothing. A process that is killed before leaves
        its chunk open: the same conversation goes on in it, and `resume()` closes it when its time has come."""
        if self._closed or self._memory._closed:
            return []
        self._closed = True
        if self._late is not None:
            self._late.cancel()
        return await self.flush()

    async def __aenter__(self) -> AsyncChatMemory:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def without(asking: Asking, fence: str) -> Asking:
    """Without what older turns were told, and with what is asked."""
    told = [without_blocks(message, fence) for message in asking.messages]
    last = None if asking.place is None else field(told[asking.place], "content")
    return Asking(told, asking.place, asking.now, kept(text_of(last, kinds=False))[: check.MAX_QUERY])


def _wanted(in_history: Set[str], hit: Hit) -> bool:
    """Not a message that the model reads in the history, nor one of which nothing holds any more."""
    return hit.kind == "memory" or (hit.until is None and hit.text not in in_history)


def _seen(task: asyncio.Task[Context]) -> None:
    """A late recall is waited for by nobody: what went wrong with it, the next one says."""
    if not task.cancelled():
        task.exception()
