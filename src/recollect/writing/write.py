"""The write path, step by step: extract → verify → embed → candidates → decide → guard → plan → commit.

Chunks of a batch are extracted side by side and committed in order, one user's batches one after the other; users never wait
for each other. No lock of the database is held while a model thinks.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from ..embedding import Batcher, EmbedderInUse, InThread, key_of
from ..errors import (
    BudgetExceeded,
    EmbedderError,
    EmbedderUnavailable,
    EmbeddingModelMismatch,
    Erased,
    LeaseLost,
    ModelError,
    RecollectError,
    RevisionConflict,
    Stopped,
    StorageError,
    StoreBusy,
    UserClaimed,
    of_batch,
)
from ..failpoints import reach
from ..model import (
    Case,
    Decision,
    Extraction,
    Fact,
    Reconciliation,
    Update,
    Usage,
    text_key,
)
from ..pace import step
from ..ports import Chunk, Embedder, Extractor, Journal, Ledger, Reconciler, Tokenizer
from ..records import Batch, ChunkRecord, Commit, JournalledChunk, Lease, NewBatch, Space
from ..safety.quarantine import Reader
from ..safety.redact import Redactor
from ..safety.trust import Trust
from ..tasks import cancel, cancelled_after, together, whole
from ..times import now
from ..view.partition import Partition, Partitions
from .apply import add_messages, apply_all, quarantine
from .candidates import again, cases_of, obvious
from .echoes import Echoes
from .guard import guard
from .neighbours import Neighbours
from .plan import Content, Plan
from .prepare import ChunkWork, content_of, doubts_of, hidden_of, stated_at, turn_terms, turn_texts, whole_messages
from .repeats import Repeats
from .retell import forget_told

if TYPE_CHECKING:
    from ..ports import Vectors

log = logging.getLogger("recollect")

THINKS_S = 0.2  # an extraction that takes longer is a model's
AHEAD = 8  # chunks of a batch that are extracted while an earlier one is committed
MAX_CONFLICTS = 20
CLAIM_AFTER = 3  # conflicts; from then on other processes' commits to this user wait
LEASE = timedelta(minutes=2)  # renewed while the work goes on; another process takes over this long after a crash
MAX_ATTEMPTS = 5
PATIENCE = timedelta(seconds=30)  # with another process that works on the same batch
POLL_S = 0.02


@dataclass(slots=True)
class Writer:
    """What the write path works with. `in_thread` runs blocking code; `owner` names this process in leases."""

    journal: Journal
    ledger: Ledger
    partitions: Partitions
    in_use: EmbedderInUse
    batcher: Batcher
    tokenizer: Tokenizer
    extractor: Extractor
    reconciler: Reconciler
    redactor: Redactor
    echoes: Echoes
    in_thread: InThread
    owner: str
    committed: Callable[[Batch, JournalledChunk, Commit], Awaitable[None]]
    extracted: Callable[[Batch, int, int, int], None]
    trust: Trust = field(default_factory=Trust)
    _queues: WeakValueDictionary[Space, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    _working: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    def queue(self, space: Space) -> asyncio.Lock:
        """Within a process a user's batches are committed one after the other; users never wait for each other."""
        return self._queues.setdefault(space, asyncio.Lock())

    async def open(self, new: NewBatch, *, leased: bool) -> tuple[Batch, bool, bool]:
        """Journal a batch, `leased` for `finish` to go on with it at once: the batch, whether it is an earlier one, and whether
        it is leased. An earlier one is not, and none while vectors of anybody wait to be filled in first."""
        opening = asyncio.ensure_future(self.in_thread(self._opened, new, self._lease() if leased else None))
        try:
            return await whole(opening)
        except asyncio.CancelledError:
            if opening.exception() is None and opening.result()[2]:
                await self._interrupted(opening.result()[0])
            raise

    def _opened(self, new: NewBatch, lease: Lease | None) -> tuple[Batch, bool, bool]:
        if lease is not None and self.ledger.pending_vectors(None, 1):
            lease = None
        batch, again = self.journal.open_batch(new, lease)
        return batch, again, lease is not None and not again

    async def finish(
        self,
        batch: Batch,
        patience: timedelta | None = None,
        *,
        leased: bool = False,
        after: asyncio.Event | None = None,
    ) -> None:
        """Bring a journalled batch to its end. On an error it stays pending, and the error names it.

        Where another process works on it, wait for that one. Raises ModelError, EmbedderError, StorageError …, each with
        `.batch_id`; StoreBusy where the other one takes longer than `patience` (None: `PATIENCE`). `leased`: it was opened so,
        just now. `after`: nothing is committed before that is set; preparing goes on meanwhile.
        """
        give_up = now() + (PATIENCE if patience is None else patience)
        with of_batch(batch.id):
            while not await self._finished(batch, leased, after):
                leased = False
                if now() >= give_up:
                    raise StoreBusy("another process is working on this batch", stage="lease")
                await asyncio.sleep(POLL_S)

    async def _finished(self, batch: Batch, leased: bool, after: asyncio.Event | None) -> bool:
        """Finish the batch if it can be leased; whether it is done now."""
        async with self._working.setdefault(batch.id, asyncio.Lock()):
            try:
                if leased:
                    await self._work(batch, batch.chunks, after)
                    return True
                if await self._leased_whole(batch):
                    reach("add.leased")
                    await self._work(batch, after=after)
                    return True
            except LeaseLost:
                log.warning("batch=%s was taken over by another process, or is made anew after an erasure", batch.id)
        found: Batch = await self.in_thread(self.journal.batch, batch.id)
        if found.error == Erased.__name__ and found.status == "done":
            raise Erased("what was being added was erased meanwhile")
        return found.status == "done"

    def _lease(self) -> Lease:
        return Lease(self.owner, now() + LEASE)

    async def _take(self, batch: Batch) -> bool:
        return bool(await self.in_thread(self.journal.lease, batch.id, self._lease(), now()))

    async def _leased_whole(self, batch: Batch) -> bool:
        """Lease a batch; where that is cancelled, give it back."""
        try:
            return await whole(self._take(batch))
        except asyncio.CancelledError:
            await self._interrupted(batch)
            raise

    async def _interrupted(self, batch: Batch) -> None:
        await self._give_back(batch, "Interrupted", None)

    async def _give_back(self, batch: Batch, error: str, max_attempts: int | None) -> None:
        try:
            await whole(self.in_thread(self.journal.release, batch.id, self.owner, error, max_attempts))
        except StorageError as problem:  # the one that led here is the one to raise; the lease ends by itself
            log.warning("the lease of %s could not be given back: %s", batch.id, type(problem).__name__)

    async def _work(
        self, batch: Batch, chunks: Sequence[ChunkRecord] | None = None, after: asyncio.Event | None = None
    ) -> None:
        """The chunks of a leased batch that are left. The last one's commit gives the lease back; failure does it here."""
        try:
            if chunks is None:
                chunks = (await self.in_thread(self.journal.batch, batch.id)).chunks
            left = [chunk for chunk in chunks if chunk.state != "committed"]
            async with self._leased(batch):
                if batch.retells:
                    await self._extract_all(batch, left)
                    reach("retell.extracted")
                await self._chunks(batch, left, after)
        except RecollectError as problem:
            # being stopped, by the caller, a budget, an erasure or a store embedded anew, is no failed attempt
            stopped = isinstance(problem, BudgetExceeded | Stopped | EmbeddingModelMismatch | Erased | LeaseLost)
            most = None if stopped else MAX_ATTEMPTS
            await self._give_back(batch, type(problem).__name__, most)
            raise
        except BaseException:
            await self._interrupted(batch)
            raise

    @asynccontextmanager
    async def _leased(self, batch: Batch) -> AsyncIterator[None]:
        """Keep the lease while a model thinks for longer than it lasts. Where that fails, the next time may not."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(LEASE.total_seconds() / 3)
                try:
                    await whole(self._take(batch))
                except StorageError as error:
                    log.warning("batch=%s: its lease was not renewed: %s", batch.id, type(error).__name__)

        async with cancelled_after(renew()):
            yield

    async def _extract_all(self, batch: Batch, chunks: Sequence[ChunkRecord]) -> None:
        """Extract everything first: until that is done, what was stored before stays as it is."""
        for start in range(0, len(chunks), AHEAD):
            await together([self._extracted(batch, chunk.n) for chunk in chunks[start : start + AHEAD]])

    async def _extracted(self, batch: Batch, n: int) -> None:
        await self._facts(batch, await self.in_thread(self.journal.chunk, batch.id, n), Reader())

    async def _chunks(self, batch: Batch, chunks: Sequence[ChunkRecord], after: asyncio.Event | None) -> None:
        """Prepare chunks side by side, some ahead of the one that is committed, and commit them in order."""
        waiting = deque(chunks)
        under_way: deque[asyncio.Task[ChunkWork]] = deque()

        def prepare_ahead() -> None:
            while waiting and len(under_way) < AHEAD:
                under_way.append(asyncio.create_task(self._prepared(batch, waiting.popleft().n)))

        prepare_ahead()
        try:
            async with cancelled_after(self._follow(batch.space)):
                if after is not None:
                    await after.wait()
                await self._commit_all(batch, under_way, prepare_ahead)
        except RecollectError:
            await asyncio.gather(*under_way, return_exceptions=True)  # what is asked is paid for: journal its answer
            raise
        finally:
            await cancel(under_way)

    async def _commit_all(
        self, batch: Batch, under_way: deque[asyncio.Task[ChunkWork]], prepare_ahead: Callable[[], None]
    ) -> None:
        async with self.queue(batch.space):
            while under_way:
                work = await under_way[0]
                under_way.popleft()
                prepare_ahead()
                await self._commit(work)

    async def _follow(self, space: Space) -> None:
        """Have the user's partition read what is new, or all, while a model thinks. What fails fails again when it is used."""
        await self.in_thread(self.partitions.get, space)

    async def _prepared(self, batch: Batch, n: int) -> ChunkWork:
        """Everything about a chunk that does not depend on what is remembered: its facts, vectors and terms."""
        chunk = await self.in_thread(self.journal.chunk, batch.id, n)
        embedder, reader = (
            self.in_use.embedder,
            Reader(),
        )  # of each text once: facts cite the turns that are judged themselves
        facts, early = await self._read(batch, chunk, embedder, reader)
        return await self._embedded(batch, chunk, facts, embedder, early, reader)

    async def _read(
        self, batch: Batch, chunk: JournalledChunk, embedder: Embedder, reader: Reader
    ) -> tuple[Sequence[Fact], list[Vectors | None]]:
        """A chunk's facts; and the vectors of its turns, where a model thinks long enough to make them meanwhile."""
        early: list[Vectors | None] = []
        reading = asyncio.create_task(self._facts(batch, chunk, reader))
        try:
            await asyncio.wait({reading}, timeout=THINKS_S)
            if not reading.done():
                early = await self._embed(embedder, turn_texts(chunk))
            return await reading, early
        except EmbedderError:
            await asyncio.wait({reading})  # what is asked is paid for: journal its answer
            raise
        finally:
            await cancel([reading])

    async def _embedded(
        self,
        batch: Batch,
        chunk: JournalledChunk,
        facts: Sequence[Fact],
        embedder: Embedder,
        early: Sequence[Vectors | None] = (),
        reader: Reader | None = None,
    ) -> ChunkWork:
        """A chunk with its facts and turns embedded, the turns unless they are so already."""
        told, turns = [fact.text for fact in facts], turn_texts(chunk)
        doubting = asyncio.ensure_future(self.in_thread(self._doubts, batch, chunk, facts, reader or Reader()))
        try:
            vectors = [*await self._embed(embedder, told if early else told + turns), *early]
            reach("add.embedded")
            terms = [*map(self.tokenizer, told), *turn_terms(chunk, self.tokenizer)]
            prepared = [content_of(fact, chunk, terms[i], vectors[i]) for i, fact in enumerate(facts)]
            rest = zip(terms[len(facts) :], vectors[len(facts) :], strict=True)
            doubts, hidden = await doubting
        finally:
            await cancel([doubting])
        return ChunkWork(batch, chunk, tuple(facts), tuple(prepared), tuple(rest), embedder, doubts, hidden)

    def _doubts(
        self, batch: Batch, chunk: JournalledChunk, facts: Sequence[Fact], reader: Reader
    ) -> tuple[tuple[str | None, ...], dict[int, str]]:
        """What must not be served before somebody has looked at it: facts and turns. Blocking, for long texts take their time."""
        return doubts_of(facts, chunk, self.trust, reader), {} if batch.retells else hidden_of(chunk, reader)

    async def _commit(self, work: ChunkWork) -> None:
        """Decide and commit, again where another writer was faster; after three times the others wait."""
        space, overtaken = work.batch.space, Overtaken()
        try:
            await self._committed(work, overtaken)
        finally:
            if overtaken.often:
                await whole(self.in_thread(self.ledger.unclaim, space, self.owner))

    async def _committed(self, work: ChunkWork, overtaken: Overtaken) -> None:
        spent = Usage()
        decided = Decided()
        while True:
            if overtaken.often:
                await whole(self.in_thread(self.ledger.claim, work.batch.space, self.owner, now() + LEASE))
            try:
                effects, usage = await self._planned(work, decided)
                spent += usage
                commit = await whole(self.in_thread(self._written, work, effects, spent))
            except EmbeddingModelMismatch:
                if await self.in_thread(self.in_use.settled) is work.embedder:
                    raise
                work = await self._embedded(work.batch, work.chunk, work.facts, self.in_use.embedder)
            except RevisionConflict as error:
                await overtaken.by(error)
            except (Erased, LeaseLost):
                await self._record_usage(work.batch, work.chunk.record.n, "reconcile", spent)
                raise
            else:
                reach("add.committed")
                await self.committed(work.batch, work.chunk, commit)
                return

    def _written(self, work: ChunkWork, effects: Callable[[], Plan], spent: Usage) -> Commit:
        """Work out a chunk's effects and commit them. Blocking."""
        plan = effects()
        turns, done, embedder = work.turn_passages(plan), work.done(self.owner, spent), key_of(work.embedder)
        commit = plan.commit(turns=turns, done=done, embedder=embedder)
        reach("add.decided")
        self.ledger.commit(commit)
        return commit

    async def _facts(self, batch: Batch, chunk: JournalledChunk, reader: Reader) -> Sequence[Fact]:
        if not batch.infer:
            return whole_messages(chunk.turns)
        if chunk.facts is not None:
            return chunk.facts
        said = Chunk(chunk.turns, chunk.context, batch.instructions)
        seen = await self.echoes.without_ours(batch, said)
        extraction = await self._extract(batch, chunk.record.n, seen)
        verified = await self.echoes.verified(batch, extraction, said, seen, reader)
        reach("add.extracted")
        try:
            await self.in_thread(self.journal.store_facts, batch.id, chunk.record.n, verified, chunk.erased_at)
        except (Erased, LeaseLost):
            await self._record_usage(batch, chunk.record.n, "extract", verified.usage)
            raise
        reach("add.facts_stored")
        self.extracted(batch, chunk.record.n, len(verified.facts), len(verified.rejected))
        return verified.facts

    async def _extract(self, batch: Batch, n: int, seen: Chunk) -> Extraction:
        try:
            async with step(decides=False):
                return self.redactor.extraction(await self.extractor.extract(seen))
        except (ModelError, BudgetExceeded) as error:
            await self._record_usage(batch, n, "extract", error.usage)
            raise

    async def _record_usage(self, batch: Batch, n: int, purpose: str, usage: Usage) -> None:
        """What a failed step cost is counted too."""
        if usage.llm_calls:
            await self.in_thread(self.journal.record_usage, batch.id, n, purpose, usage)

    async def _embed(self, embedder: Embedder, texts: Sequence[str]) -> list[Vectors | None]:
        """A vector for each text; None where the embedder is down: they are found by BM25 until their vectors are filled in."""
        try:
            return list(await self.batcher.embed(embedder, texts))
        except EmbedderUnavailable as error:
            if not error.retryable:
                raise
            log.warning("embedder unavailable, %d vectors pending", len(texts))
            return [None] * len(texts)

    # --- deciding ------------------------------------------------------------------------------------------------------

    async def _planned(self, work: ChunkWork, decided: Decided) -> tuple[Callable[[], Plan], Usage]:
        """What works out the chunk's effects on what is remembered now, blocking; and what deciding them cost. See `_decide` for
        `decided`."""
        moment, believed = now(), work.believed
        repeats = Repeats(believed, self.tokenizer) if work.batch.infer else None
        plan: Plan
        plan, cases = await self.in_thread(self._seen, work, moment, repeats)
        decisions, answer = (
            await self._decide(work, cases, decided) if repeats is not None else ((), Reconciliation(()))
        )
        contents = await self._retold(believed, decisions) if repeats is not None else ()

        def effects() -> Plan:
            if repeats is None:
                add_messages(plan, believed, moment)
            else:
                apply_all(plan, cases, decisions, contents, moment, answer)
            if repeats:
                repeats.of_new(plan, moment)
            quarantine(plan, work, moment)
            return plan

        return effects, answer.usage

    def _seen(self, work: ChunkWork, moment: datetime, repeats: Repeats | None) -> tuple[Plan, tuple[Case, ...]]:
        """A plan on what is remembered now, with what only says that again, and each fact beside its candidates; all of it of one
        state of the ledger. Blocking."""
        with self.ledger.snapshot():
            return self._seen_now(work, moment, repeats)

    def _seen_now(self, work: ChunkWork, moment: datetime, repeats: Repeats | None) -> tuple[Plan, tuple[Case, ...]]:
        space, batch = work.batch.space, work.batch
        plan = Plan(space, self.ledger.state(space), batch.id, work.chunk.record.n)
        if batch.retells and work.chunk.record.n == 0:
            forget_told(plan, self.ledger, self.partitions.get(space), batch)
        if repeats is None:
            self._know_same_texts(plan, space, work.contents)
            return plan, ()
        partition = self.partitions.get(space, work.embedder)
        if repeats:
            repeats.of_known(plan, partition, self.ledger, moment)
        cases = self._cases(work.believed, plan, partition, moment)
        self._know_same_texts(plan, space, [content for _, content, _ in work.doubted])
        return plan, cases

    async def _decide(
        self, work: ChunkWork, cases: Sequence[Case], decided: Decided
    ) -> tuple[tuple[Decision, ...], Reconciliation]:
        """The obvious ones in code, all the rest in one call; every one through the guard.

        `decided`: what was decided before another writer was faster, by the fact's place. It stands where the fact's
        candidates are the same as then.
        """
        known = [obvious(case, self.trust) or decided.again(i, case) for i, case in enumerate(cases)]
        open_places = [i for i, decision in enumerate(known) if decision is None]
        try:
            asked = [cases[i] for i in open_places]
            answer = await self._asked(asked) if asked else replace(decided.by, usage=Usage())
        except (ModelError, BudgetExceeded) as error:
            await self._record_usage(work.batch, work.chunk.record.n, "reconcile", error.usage)
            raise
        answers = dict(zip(open_places, answer.decisions, strict=True)) if asked else {}
        decided.by = answer
        decided.answers |= {i: (cases[i], decision) for i, decision in answers.items()}
        return guard(cases, [answers[i] if one is None else one for i, one in enumerate(known)], self.trust), answer

    async def _asked(self, cases: Sequence[Case]) -> Reconciliation:
        async with step(decides=True):
            return self.redactor.reconciliation(await self.reconciler.reconcile(cases))

    async def _retold(self, work: ChunkWork, decisions: Sequence[Decision]) -> Sequence[Content]:
        """The contents as the decisions word them; what an update words anew is embedded and counted anew."""
        contents = work.contents
        told = [
            decision.text.strip() if isinstance(decision, Update) else content.text
            for content, decision in zip(contents, decisions, strict=True)
        ]
        changed = [i for i, content in enumerate(contents) if told[i] != content.text]
        if not changed:
            return contents
        vectors = await self._embed(work.embedder, [told[i] for i in changed])
        retold = list(contents)
        for place, i in enumerate(changed):
            retold[i] = replace(contents[i], text=told[i], terms=self.tokenizer(told[i]), vector=vectors[place])
        return retold

    def _cases(self, work: ChunkWork, plan: Plan, partition: Partition, moment: datetime) -> tuple[Case, ...]:
        space = work.batch.space
        beside = Neighbours(self.ledger, partition, plan, moment)
        near = [beside.of(fact, content) for fact, content in zip(work.facts, work.contents, strict=True)]
        numbers = {number for found in near for number, _ in found}
        versions = self.ledger.versions(space, self.ledger.memories_of(space, numbers).values())
        plan.know(versions, self.ledger.sources(space, {row.statement.number for row in versions}))
        # What another writer retired meanwhile is not there; then the commit is refused, and all is read again.
        rows = {row.number: row for row in versions if row.number in numbers}
        shown = [[(rows[number], cosine) for number, cosine in found if number in rows] for found in near]
        self._know_same_texts(plan, space, work.contents)
        statements = [row.statement.number for row in rows.values()]
        entities, relations = self.ledger.entities(space, statements), self.ledger.relations(space, statements)
        stated = [stated_at(fact, work.chunk) for fact in work.facts]
        return cases_of(work.facts, stated, shown, entities, relations)

    def _know_same_texts(self, plan: Plan, space: Space, contents: Sequence[Content]) -> None:
        rows = self.ledger.rows_by_text(space, {text_key(content.text) for content in contents})
        whole = self.ledger.versions(space, {row.memory_id for row in rows})
        plan.know(whole, self.ledger.sources(space, {row.statement.number for row in whole}))


class Overtaken:
    """How often other writers were faster than this one."""

    def __init__(self) -> None:
        self.times = 0
        self._give_up: datetime | None = None  # while another's turn is waited for

    @property
    def often(self) -> bool:
        """Whether it is this one's turn now."""
        return self.times >= CLAIM_AFTER

    async def by(self, error: RevisionConflict) -> None:
        """Wait before the next try. Raises the error where there were enough, StoreBusy where another's turn takes too long."""
        if isinstance(error, UserClaimed):
            self._give_up = self._give_up or now() + PATIENCE  # from now on: deciding may have taken long
            if now() >= self._give_up:
                raise StoreBusy("another process goes first, and takes long") from error
            await asyncio.sleep(POLL_S)
            return
        self.times, self._give_up = self.times + 1, None
        if self.times == MAX_CONFLICTS:
            raise error
        await asyncio.sleep(0.005 * self.times)


@dataclass(slots=True)
class Decided:
    """What was decided of a chunk before another writer was faster, by the facts' places, and by whom."""

    answers: dict[int, tuple[Case, Decision]] = field(default_factory=dict)
    by: Reconciliation = Reconciliation(())

    def again(self, place: int, case: Case) -> Decision | None:
        """The decision, where it stands."""
        earlier = self.answers.get(place)
        return None if earlier is None else again(earlier[1], earlier[0], case)
