"""One batch ingestion: which conversations are under way, in which order their parts are begun and committed, when it ends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeAlias

from . import check
from .errors import EmbeddingInvalid, Erased, InvalidInput, ModelConfigError, ModelError, RecollectError, Stopped
from .formats import Conversation, FormatProblem, Found, Session
from .garbage import SetAside
from .memory import CHUNK, LARGEST, AsyncMemory, Begun, UserId, add_usage
from .model import Message
from .pace import Pace, paced
from .results import AddUsage, Failed, IngestReport
from .tasks import cancel
from .usage import Usage

PART = 50 * CHUNK  # messages of a session that are journalled at once: what is held of a long one
AHEAD = 8  # chunks of a user that are under way, at least, before the next part is begun
IN_A_ROW = 3  # parts of a conversation, or conversations, that fail one after the other: the fault is not theirs
GRACE = 10.0  # seconds that calls under way have to end when the work is stopped: what is asked is paid for
TOLD = 1_000  # problems that a report names; more are counted


class Own:
    """The default of `user_id`: each conversation is a user of its own, by its id."""

    def __repr__(self) -> str:
        return "OWN"


OWN: Final = Own()
Who: TypeAlias = UserId | Own | Callable[[Conversation], UserId]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an ingestion is. `turns`: committed now; `known`: those that were there already. `usage`: paid so far."""

    conversations: int
    turns: int
    known: int
    chunks: int
    seconds: float
    usage: AddUsage

    def seconds_left(self, of_turns: int) -> float | None:
        """An estimate, where all turns are so many; None before the first one is committed."""
        if not self.turns:
            return None
        return self.seconds * max(0, of_turns - self.known - self.turns) / self.turns


def user_of(talk: Conversation, user_id: Who) -> UserId:
    if isinstance(user_id, Own):
        return talk.id
    return user_id(talk) if callable(user_id) else user_id


class Names:
    """Conversations are known by their name: of two of one name the second would pass for the first."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def taken(self, found: Found) -> Conversation | str:
        """A conversation that is to be taken up, or what is wrong."""
        if isinstance(found, FormatProblem):
            return str(found)
        if found.id in self._seen:
            told = "another conversation of this name is in the files; rename it, or ingest it with its own --user"
            return str(FormatProblem(found.id, None, told))
        self._seen.add(found.id)
        return found


@dataclass(slots=True)
class _Lane:
    """A user's work: its parts are begun one after the other, and committed in that order."""

    mouth: asyncio.Lock = field(default_factory=asyncio.Lock)
    room: asyncio.Event = field(default_factory=asyncio.Event)
    chunks: int = 0  # under way
    last: asyncio.Event | None = None  # set when the part that was begun last has ended
    walkers: int = 0


@dataclass(slots=True)
class _Talk:
    """A conversation under way."""

    conversation: Conversation
    in_a_row: int = 0  # parts that failed
    left: bool = False


@dataclass(slots=True)
class _Part:
    """Messages under way: how many of their chunks are left; what they wait for, and what waits for them."""

    lane: _Lane
    chunks: int
    after: asyncio.Event | None
    ended: asyncio.Event


class _Pace(Pace):
    """The pace of a run, which counts what is told."""

    def __init__(self, at_once: int, run: Run) -> None:
        super().__init__(at_once)
        self._run = run

    def committed(self, batch_id: str, turns: int, decisions: Mapping[str, int]) -> None:
        self._run.committed(batch_id, turns, decisions)

    def rejected(self, facts: int) -> None:
        self._run.rejected += facts


class Run:
    """One ingestion."""

    def __init__(
        self,
        memory: AsyncMemory,
        user_id: Who,
        concurrency: int,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._memory = memory
        self._user_id = user_id
        self._at_once = check.whole("concurrency", concurrency, most=1_000)
        self._pace = _Pace(self._at_once, self)
        self._on_progress = on_progress
        self._lanes: dict[UserId, _Lane] = {}
        self._parts: dict[str, _Part] = {}
        self._walkers: set[asyncio.Task[None]] = set()
        self._failing: set[str] = set()  # conversations that failed since the last success
        self.fatal: BaseException | None = None
        self._ended = threading.Event()
        self._task: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None
        self._began = time.monotonic()
        self._paid_before = memory._store.purse.used
        self._loaded = SetAside()
        self.decisions: Counter[str] = Counter()
        self.conversations = self.turns = self.known = self.chunks = self.rejected = self.problem_count = 0
        self.problems: list[str] = []
        self.failed: list[Failed] = []
        self.left: list[str] = []

    async def all(self, conversations: Iterable[Found]) -> IngestReport:
        """Take up all, and tell what came of it."""
        current = asyncio.current_task()
        self._task = None if current is None else (asyncio.get_running_loop(), current)
        self._loaded.set_aside()
        try:
            with paced(self._pace):
                await self._go(conversations)
        except asyncio.CancelledError:
            self._pace.stop()
            if self._walkers:
                await asyncio.wait(self._walkers, timeout=GRACE)
            raise
        finally:
            await cancel(self._walkers)
            self._loaded.take_back()
            self._ended.set()
        fatal = self.fatal
        if fatal is not None and (not isinstance(fatal, RecollectError) or isinstance(fatal, InvalidInput)):
            raise fatal  # of the caller's, or a fault of ours
        return self.report(None if fatal is None else type(fatal).__name__)

    async def _go(self, conversations: Iterable[Found]) -> None:
        names, feed = Names(), iter(conversations)
        walking = asyncio.Semaphore(self._at_once)
        while not self._pace.stopped:
            try:
                found = await asyncio.to_thread(next, feed, None)
            except Exception as error:  # noqa: BLE001 -- of the caller's; what is begun comes to its end first
                self.fatal = error
                break
            if found is None:
                break
            talk = names.taken(found)
            if isinstance(talk, str):
                self._note(talk)
                continue
            await walking.acquire()
            if self._pace.stopped:
                break
            walker = asyncio.create_task(self._walk(talk))
            self._walkers.add(walker)
            walker.add_done_callback(self._walkers.discard)
            walker.add_done_callback(lambda _: walking.release())
        while self._walkers:
            await asyncio.wait(self._walkers)

    def _note(self, problem: str) -> None:
        self.problem_count += 1
        self.problems += [problem][: TOLD - len(self.problems)]

    async def _walk(self, conversation: Conversation) -> None:
        """A conversation from its first session to its last. What goes wrong is noted, and ends the run where it must."""
        try:
            user = user_of(conversation, self._user_id)
            lane = self._lanes.setdefault(user, _Lane())
            lane.walkers += 1
            try:
                await self._sessions(_Talk(conversation), user, lane)
            finally:
                lane.walkers -= 1
                if not lane.walkers:
                    del self._lanes[user]
            self.conversations += 1
        except asyncio.CancelledError:
            raise
        except InvalidInput as error:
            if error.argument == "user_id":
                self._ends(error)
            else:
                self._note(f"{conversation.id}: {error}")
        except BaseException as error:  # noqa: BLE001 -- whatever it is, it is raised where the caller waits
            self._ends(error)

    async def _sessions(self, talk: _Talk, user: UserId, lane: _Lane) -> None:
        """Begin the parts of all sessions, each when there is room; then wait for them."""
        under_way: set[asyncio.Task[None]] = set()
        problem: InvalidInput | None = None
        try:
            try:
                async with lane.mouth:
                    for session in talk.conversation.sessions:
                        async for begun in self._begin(talk, session, user, lane):
                            task = self._conclusion(talk, session.id, begun, lane)
                            under_way.add(task)
                            task.add_done_callback(under_way.discard)
            except InvalidInput as error:
                problem = error  # of the next part; those before it come to their end
            while under_way:
                await asyncio.wait(under_way)
        finally:
            await cancel(under_way)
        if talk.left:
            self.left.append(talk.conversation.id)
        if problem is not None:
            raise problem

    async def _begin(self, talk: _Talk, session: Session, user: UserId, lane: _Lane) -> AsyncIterator[Begun]:
        """Each part of a session, when it is safe on disk; not those that are there already, nor what was erased since."""
        start, rest = 0, Rest(session.messages)
        while not self._pace.stopped:
            part = await asyncio.to_thread(rest.part)
            if not part:
                return
            await self._room(lane)
            if talk.in_a_row >= IN_A_ROW:
                talk.left = True
                return
            key = key_of(talk.conversation.id, session.id, start)
            begun = await self._memory._begun(
                [_as_given(message) for message in part], user_id=user, session_id=session.id, idempotency_key=key
            )
            there = begun.batch.turns + begun.batch.erased
            start += there
            rest.took(part, there)
            waiting = [chunk for chunk in begun.batch.chunks if chunk.state != "committed"]
            self.known += there - sum(chunk.turns for chunk in waiting)
            if begun.batch.status != "done":
                yield begun
            elif self._on_progress is not None:
                self._on_progress(self.progress)

    async def _room(self, lane: _Lane) -> None:
        """Wait until few enough of a user's chunks are under way."""
        while lane.chunks >= max(AHEAD, self._at_once) and not self._pace.stopped:
            lane.room.clear()
            await lane.room.wait()

    def _conclusion(self, talk: _Talk, session: str, begun: Begun, lane: _Lane) -> asyncio.Task[None]:
        """Bring a part to its end, after the one before it."""
        part = _Part(lane, begun.batch.chunks_left, lane.last, asyncio.Event())
        lane.last = part.ended
        lane.chunks += part.chunks
        self._parts[begun.batch.id] = part
        return asyncio.create_task(self._conclude(talk, session, begun, part))

    async def _conclude(self, talk: _Talk, session: str, begun: Begun, part: _Part) -> None:
        try:
            await self._memory._concluded(begun, part.after)
            talk.in_a_row = 0
            self._failing.clear()
        except (ModelError, EmbeddingInvalid) as error:
            self._fails(talk, session, error)
        except Erased:
            pass  # somebody erased it meanwhile: it is not for us to bring back
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 -- as above
            self._ends(error)
        finally:
            del self._parts[begun.batch.id]
            part.lane.chunks -= part.chunks
            part.lane.room.set()
            part.ended.set()

    def committed(self, batch_id: str, turns: int, decisions: Mapping[str, int]) -> None:
        """A chunk is in."""
        if (part := self._parts.get(batch_id)) is not None:
            part.chunks -= 1
            part.lane.chunks -= 1
            part.lane.room.set()
        if not self.chunks:
            self._loaded.set_aside()  # with what the first chunk had to load
        self.chunks += 1
        self.turns += turns
        self.decisions.update(decisions)
        if self._on_progress is not None:
            self._on_progress(self.progress)

    def _fails(self, talk: _Talk, session: str, error: RecollectError) -> None:
        """A part stays pending. The run ends where the fault is one that all would meet."""
        name = type(error).__name__
        self.failed.append(
            Failed(
                conversation=talk.conversation.id,
                session=session,
                batch_id=error.batch_id,
                error=name,
                message=str(error),
            )
        )
        talk.in_a_row += 1
        self._failing.add(talk.conversation.id)
        if isinstance(error, ModelConfigError) or len(self._failing) >= IN_A_ROW:
            self._ends(error)

    def _ends(self, error: BaseException) -> None:
        """Begin nothing more. What was stopped for that is no fault of its own."""
        if isinstance(error, Stopped):
            return
        if self.fatal is None:
            self.fatal = error
        self._pace.stop()
        for lane in self._lanes.values():
            lane.room.set()

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return Progress(self.conversations, self.turns, self.known, self.chunks, self._seconds, self._paid)

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._began

    @property
    def _paid(self) -> AddUsage:
        used, before = self._memory._store.purse.used, self._paid_before
        cost = None if used.cost_usd is None or before.cost_usd is None else used.cost_usd - before.cost_usd
        tokens = used.input_tokens - before.input_tokens, used.output_tokens - before.output_tokens
        return add_usage(Usage(used.llm_calls - before.llm_calls, *tokens, cost))

    def report(self, stopped: str | None = None) -> IngestReport:
        """What was done so far."""
        report = IngestReport(
            conversations=self.conversations,
            turns=self.turns,
            known=self.known,
            chunks=self.chunks,
            decisions=dict(sorted(self.decisions.items())),
            rejected=self.rejected,
            problems=tuple(self.problems),
            problem_count=self.problem_count,
            failed=tuple(self.failed),
            left=tuple(self.left),
            usage=self._paid,
            seconds=self._seconds,
            stopped=stopped,
            message=None if self.fatal is None else str(self.fatal),
        )
        report._error = self.fatal if isinstance(self.fatal, RecollectError) else None
        return report

    def wait(self) -> None:
        """Until the work has ended, from another thread."""
        give_up = time.monotonic() + GRACE + 10
        while not self._ended.wait(0.1) and self._task is not None and time.monotonic() < give_up:
            pass

    def give_up(self) -> None:
        """Do not wait for the calls under way, from another thread."""
        if self._task is not None:
            loop, task = self._task
            loop.call_soon_threadsafe(task.cancel)


class Rest:
    """What is left of a session, part by part."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = iter(messages)
        self._back: list[Message] = []

    def part(self) -> list[Message]:
        """Up to PART messages; a rest that would be no chunk of its own comes with them. Blocking."""
        wanted = PART + LARGEST - CHUNK + 1  # one more than the longest, to see whether anything follows
        have = [*self._back, *islice(self._messages, max(0, wanted - len(self._back)))]
        size = PART if len(have) >= wanted else len(have)
        self._back = have[size:]
        return have[:size]

    def took(self, part: Sequence[Message], there: int) -> None:
        """So many of the messages from the part's first one on are in; fewer where the file has grown, more where they were
        once journalled in longer parts."""
        self._back = [*part[there:], *self._back]
        for _ in range(there - len(part)):
            if self._back:
                self._back.pop(0)
            else:
                next(self._messages, None)


def key_of(talk: str, session: str, start: int) -> str:
    """The idempotency key of the part that begins there. Of bounded length: names in files may be long, and two long ones may
    begin alike."""
    key = f"ingest/{talk}/{session}/{start}"
    return key if len(key) <= check.MAX_ID else f"ingest/{check.digest(key)}"


def _as_given(message: Message) -> dict[str, Any]:
    """A message as `add` takes it."""
    given: dict[str, Any] = {"role": message.role.value, "content": message.content}
    if message.name is not None:
        given["name"] = message.name
    if message.timestamp is not None:
        given["timestamp"] = message.timestamp
    return given
