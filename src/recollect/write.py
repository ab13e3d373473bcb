"""The write path, step by step: extract → verify → embed → candidates → decide → guard → plan → commit.

Chunks of a batch are extracted side by side and committed in order, one user's batches one after the other; users never wait
for each other. No lock of the database is held while a model thinks.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar, assert_never
from weakref import WeakValueDictionary

from .candidates import MAX_CANDIDATES, again, candidate_of, cases_of, obvious
from .embedding import embed
from .errors import BudgetExceeded, EmbedderUnavailable, ModelError, RecollectError, RevisionConflict, StoreBusy
from .evidence import verify
from .guard import guard
from .model import (
    Add,
    Candidate,
    Case,
    Decision,
    Delete,
    Extraction,
    Fact,
    Keep,
    Kind,
    Reconciliation,
    Row,
    SourceClass,
    Turn,
    Update,
    Usage,
    text_key,
)
from .partition import Partition, Partitions
from .plan import Content, Plan, Why
from .ports import Chunk, Embedder, Extractor, Journal, Ledger, Reconciler, Tokenizer
from .records import Batch, ChunkDone, ChunkRecord, Commit, JournalledChunk, Space, TurnPassage
from .retell import forget_told
from .times import now, to_micros

if TYPE_CHECKING:
    from .ports import Vectors

log = logging.getLogger("recollect")
T = TypeVar("T")

OF_SLOT = 8  # nearest memories of its slot: a slot with many values must not crowd out the others
AHEAD = 8  # chunks of a batch that are extracted while an earlier one is committed
MAX_CONFLICTS = 20
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
    embedder: Embedder
    tokenizer: Tokenizer
    extractor: Extractor
    reconciler: Reconciler
    in_thread: Callable[..., Awaitable[Any]]
    owner: str
    committed: Callable[[Batch, JournalledChunk, Commit], Awaitable[None]]
    extracted: Callable[[Batch, int, int, int], None]
    _queues: WeakValueDictionary[Space, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    _working: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    def queue(self, space: Space) -> asyncio.Lock:
        """Within a process a user's batches are committed one after the other; users never wait for each other."""
        return self._queues.setdefault(space, asyncio.Lock())

    async def finish(self, batch: Batch, patience: timedelta = PATIENCE) -> None:
        """Bring a journalled batch to its end. On an error it stays pending, and the error names it.

        Where another process works on it, wait for that one. Raises ModelError, EmbedderError, StorageError …, each with
        `.batch_id`; StoreBusy where the other one takes longer than `patience`.
        """
        give_up = now() + patience
        while not await self._finished(batch):
            if now() >= give_up:
                raise StoreBusy("another process is working on this batch", stage="lease", batch_id=batch.id)
            await asyncio.sleep(POLL_S)

    async def _finished(self, batch: Batch) -> bool:
        """Finish the batch if it can be leased; whether it is done now."""
        async with self._working.setdefault(batch.id, asyncio.Lock()):
            if await self._leased_whole(batch):
                await self._work(batch)
                return True
        return bool((await self.in_thread(self.journal.batch, batch.id)).status == "done")

    async def _lease(self, batch: Batch) -> bool:
        moment = now()
        return bool(await self.in_thread(self.journal.lease, batch.id, self.owner, moment, moment + LEASE))

    async def _leased_whole(self, batch: Batch) -> bool:
        """Lease a batch; where that is cancelled, wait for what is under way, and give the lease back."""
        taking = asyncio.ensure_future(self._lease(batch))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            if await taking:
                await self.in_thread(self.journal.release, batch.id, "Interrupted", None)
            raise

    async def _work(self, batch: Batch) -> None:
        error: str | None = "Interrupted"
        counts = False  # being stopped, by the caller or by a budget, is no failed attempt
        try:
            chunks = (await self.in_thread(self.journal.batch, batch.id)).chunks
            left = [chunk for chunk in chunks if chunk.state != "committed"]
            async with self._leased(batch):
                if batch.retells:
                    await self._extract_all(batch, left)
                await self._chunks(batch, left)
            error = None
        except RecollectError as problem:
            error, counts = type(problem).__name__, not isinstance(problem, BudgetExceeded)
            problem.batch_id = batch.id
            raise
        finally:
            await self.in_thread(self.journal.release, batch.id, error, MAX_ATTEMPTS if counts else None)

    @asynccontextmanager
    async def _leased(self, batch: Batch) -> AsyncIterator[None]:
        """Keep the lease while a model thinks for longer than it lasts."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(LEASE.total_seconds() / 3)
                await self._lease(batch)

        async with cancelled_after(renew()):
            yield

    async def _extract_all(self, batch: Batch, chunks: Sequence[ChunkRecord]) -> None:
        """Extract everything first: until that is done, what was stored before stays as it is."""
        for start in range(0, len(chunks), AHEAD):
            await together([self._extracted(batch, chunk.n) for chunk in chunks[start : start + AHEAD]])

    async def _extracted(self, batch: Batch, n: int) -> None:
        await self._facts(batch, await self.in_thread(self.journal.chunk, batch.id, n))

    async def _chunks(self, batch: Batch, chunks: Sequence[ChunkRecord]) -> None:
        """Prepare chunks side by side, some ahead of the one that is committed, and commit them in order."""
        waiting = deque(chunks)
        under_way: deque[asyncio.Task[ChunkWork]] = deque()

        def prepare_ahead() -> None:
            while waiting and len(under_way) < AHEAD:
                under_way.append(asyncio.create_task(self._prepared(batch, waiting.popleft().n)))

        prepare_ahead()
        try:
            async with self.queue(batch.space):
                while under_way:
                    work = await under_way[0]
                    under_way.popleft()
                    prepare_ahead()
                    await self._commit(work)
        except RecollectError:
            await asyncio.gather(*under_way, return_exceptions=True)  # what is asked is paid for: journal its answer
            raise
        finally:
            await cancel(under_way)

    async def _prepared(self, batch: Batch, n: int) -> ChunkWork:
        """Everything about a chunk that does not depend on what is remembered: its facts, vectors and terms."""
        chunk = await self.in_thread(self.journal.chunk, batch.id, n)
        facts = await self._facts(batch, chunk) if batch.infer else whole_messages(chunk.turns)
        texts = [fact.text for fact in facts] + turn_texts(chunk)
        vectors = await self._embed(texts)
        terms = [self.tokenizer(text) for text in texts]
        prepared = [
            content_of(fact, chunk, terms[i], None if vectors is None else vectors[i]) for i, fact in enumerate(facts)
        ]
        rest = [(terms[i], None if vectors is None else vectors[i]) for i in range(len(facts), len(texts))]
        return ChunkWork(batch, chunk, tuple(facts), tuple(prepared), tuple(rest))

    async def _commit(self, work: ChunkWork) -> None:
        """Decide and commit, again where another writer was faster."""
        spent = Usage()
        decided: dict[int, tuple[Case, Decision]] = {}
        for attempt in range(MAX_CONFLICTS):
            plan, usage = await self._planned(work, decided)
            spent += usage
            commit = plan.commit(turns=work.turn_passages(plan), done=work.done(spent))
            try:
                await self.in_thread(self.ledger.commit, commit)
            except RevisionConflict:
                if attempt == MAX_CONFLICTS - 1:
                    raise
                await asyncio.sleep(0.005 * attempt)
            else:
                await self.committed(work.batch, work.chunk, commit)
                return

    async def _facts(self, batch: Batch, chunk: JournalledChunk) -> Sequence[Fact]:
        if chunk.facts is not None:
            return chunk.facts
        seen = Chunk(chunk.turns, chunk.context, batch.instructions)
        verified = verify(await self._extract(batch, chunk.record.n, seen), seen)
        await self.in_thread(self.journal.store_facts, batch.id, chunk.record.n, verified)
        self.extracted(batch, chunk.record.n, len(verified.facts), len(verified.rejected))
        return verified.facts

    async def _extract(self, batch: Batch, n: int, seen: Chunk) -> Extraction:
        try:
            return await self.extractor.extract(seen)
        except (ModelError, BudgetExceeded) as error:
            await self._record_usage(batch, n, "extract", error.usage)
            raise

    async def _record_usage(self, batch: Batch, n: int, purpose: str, usage: Usage) -> None:
        """What a failed step cost is counted too."""
        if usage.llm_calls:
            await self.in_thread(self.journal.record_usage, batch.id, n, purpose, usage)

    async def _embed(self, texts: Sequence[str]) -> Vectors | None:
        """None where the embedder is down: the texts are found by BM25 until their vectors are filled in."""
        try:
            return await embed(self.embedder, texts, self.in_thread)
        except EmbedderUnavailable as error:
            if not error.retryable:
                raise
            log.warning("embedder unavailable, %d vectors pending", len(texts))
            return None

    # --- deciding ------------------------------------------------------------------------------------------------------

    async def _planned(self, work: ChunkWork, decided: dict[int, tuple[Case, Decision]]) -> tuple[Plan, Usage]:
        """The chunk's effects on what is remembered now, and what deciding them cost. See `_decide` for `decided`."""
        space = work.batch.space
        plan = Plan(space, await self.in_thread(self.ledger.state, space), work.batch.id, work.chunk.record.n)
        moment = now()
        if work.batch.retells and work.chunk.record.n == 0:
            await self.in_thread(forget_told, plan, self.ledger, self.partitions.get(space), work.batch)
        if not work.batch.infer:
            await self.in_thread(self._know_same_texts, plan, space, work.contents)
            add_messages(plan, work, moment)
            return plan, Usage()
        cases = await self.in_thread(self._cases, work, plan, moment)
        decisions, answer = await self._decide(work, cases, decided)
        contents = await self._retold(work.contents, decisions)
        apply_all(plan, cases, decisions, contents, moment, answer)
        return plan, answer.usage

    async def _decide(
        self, work: ChunkWork, cases: Sequence[Case], decided: dict[int, tuple[Case, Decision]]
    ) -> tuple[tuple[Decision, ...], Reconciliation]:
        """The obvious ones in code, all the rest in one call; every one through the guard.

        `decided`: what was decided before another writer was faster, by the fact's place. It stands where the fact's
        candidates are the same as then.
        """
        known = [obvious(case) or _again(decided.get(i), case) for i, case in enumerate(cases)]
        open_places = [i for i, decision in enumerate(known) if decision is None]
        try:
            asked = [cases[i] for i in open_places]
            answer = await self.reconciler.reconcile(asked) if asked else Reconciliation(())
        except (ModelError, BudgetExceeded) as error:
            await self._record_usage(work.batch, work.chunk.record.n, "reconcile", error.usage)
            raise
        answers = dict(zip(open_places, answer.decisions, strict=True))
        decided |= {i: (cases[i], decision) for i, decision in answers.items()}
        return guard(cases, [answers[i] if one is None else one for i, one in enumerate(known)]), answer

    async def _retold(self, contents: Sequence[Content], decisions: Sequence[Decision]) -> list[Content]:
        """The contents as the decisions word them; what an update words anew is embedded and counted anew."""
        told = [
            decision.text.strip() if isinstance(decision, Update) else content.text
            for content, decision in zip(contents, decisions, strict=True)
        ]
        changed = [i for i, content in enumerate(contents) if told[i] != content.text]
        vectors = await self._embed([told[i] for i in changed])
        retold = list(contents)
        for place, i in enumerate(changed):
            vector = None if vectors is None else vectors[place]
            retold[i] = replace(contents[i], text=told[i], terms=self.tokenizer(told[i]), vector=vector)
        return retold

    def _cases(self, work: ChunkWork, plan: Plan, moment: datetime) -> tuple[Case, ...]:
        space = work.batch.space
        partition = self.partitions.get(space)
        shown: list[list[tuple[Row, float]]] = []
        for fact, content in zip(work.facts, work.contents, strict=True):
            shown.append(self._neighbours(plan, partition, fact, content, moment))
        rows = {row.number: row for near in shown for row, _ in near}
        versions = self.ledger.versions(space, {row.memory_id for row in rows.values()})
        plan.know(versions, self.ledger.sources(space, {row.statement.number for row in versions}))
        self._know_same_texts(plan, space, work.contents)
        statements = [row.statement.number for row in rows.values()]
        entities, relations = self.ledger.entities(space, statements), self.ledger.relations(space, statements)
        stated = [stated_at(fact, work.chunk) for fact in work.facts]
        return cases_of(work.facts, stated, shown, entities, relations)

    def _neighbours(
        self, plan: Plan, partition: Partition, fact: Fact, content: Content, moment: datetime
    ) -> list[tuple[Row, float]]:
        """Live rows beside a fact: the nearest of its slot, then the nearest by vector and by BM25. No threshold."""
        live = partition.live_rows(to_micros(moment))
        found = partition.search(content.vector, content.terms, MAX_CANDIDATES, live > 0)
        of_slot = self.ledger.rows_by_slot(plan.space, fact.slot.key) if fact.slot else []
        rows = {row.statement.number: row for row in of_slot if row.is_live(moment)}
        slot = by_cosine(partition, content, list(rows))[:OF_SLOT]
        keys = list(dict.fromkeys([*(key for key, _ in slot), *alternately(found.vector, found.text)]))
        near = self.ledger.rows(plan.space, [int(live[key]) for key in keys if key not in rows])
        rows |= {row.statement.number: row for row in near.values()}
        shown = [key for key in keys if key in rows and not plan.has_retired(rows[key].number)][:MAX_CANDIDATES]
        return [(rows[key], cosine) for key, cosine in zip(shown, cosines(partition, content, shown), strict=True)]

    def _know_same_texts(self, plan: Plan, space: Space, contents: Sequence[Content]) -> None:
        for key in {text_key(content.text) for content in contents}:
            rows = self.ledger.rows_by_text(space, key)
            whole = self.ledger.versions(space, {row.memory_id for row in rows})
            plan.know(whole, self.ledger.sources(space, {row.statement.number for row in whole}))


@dataclass(frozen=True, slots=True)
class ChunkWork:
    """A chunk with its facts prepared: what is the same however often the commit must be tried."""

    batch: Batch
    chunk: JournalledChunk
    facts: tuple[Fact, ...]
    contents: tuple[Content, ...]
    turn_keys: tuple[tuple[dict[str, int], Any], ...]

    def turn_passages(self, plan: Plan) -> list[TurnPassage]:
        """The chunk's turns, searchable from this commit on; those that are told again are so already."""
        if self.batch.retells:
            return []
        return [
            TurnPassage(turn.number, plan.next_passage(), terms, vector)
            for turn, (terms, vector) in zip(self.chunk.turns, self.turn_keys, strict=True)
        ]

    def done(self, usage: Usage) -> ChunkDone:
        """The mark that this chunk, and with the last one its batch, is finished."""
        n = self.chunk.record.n
        return ChunkDone(self.batch.id, n, n == self.batch.chunks[-1].n, usage)


@asynccontextmanager
async def cancelled_after(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run work beside a block, until the block ends."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        await cancel([task])


async def together(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Do work side by side, all of it to its end; the first error is then raised as it is."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.wait(tasks)
        for task in tasks:
            await task
    finally:
        await cancel(tasks)


async def cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks that are not done, and wait until they are. Their errors are those of a work that is over."""
    every = list(tasks)
    for task in every:
        task.cancel()
    await asyncio.gather(*every, return_exceptions=True)


def cosines(partition: Partition, content: Content, keys: list[int]) -> list[float]:
    """The cosine of a fact to passages, in their order."""
    return [cosine or 0.0 for cosine, _ in partition.relevance(content.vector, {}, keys)]


def by_cosine(partition: Partition, content: Content, keys: list[int]) -> list[tuple[int, float]]:
    """(passage, cosine), nearest first."""
    near = zip(keys, cosines(partition, content, keys), strict=True)
    return sorted(near, key=lambda one: (-one[1], one[0]))


def alternately(*channels: Sequence[tuple[int, float]]) -> list[int]:
    """The keys of ranked lists, the first of each, then the second of each …"""
    longest = max(map(len, channels))
    return [channel[i][0] for i in range(longest) for channel in channels if i < len(channel)]


def _again(earlier: tuple[Case, Decision] | None, case: Case) -> Decision | None:
    return None if earlier is None else again(earlier[1], earlier[0], case)


def whole_messages(turns: Sequence[Turn]) -> list[Fact]:
    """`infer=False`: each message a fact as it stands."""
    return [Fact(turn.content, Kind.KNOWLEDGE, (), source=SourceClass.of(turn.role)) for turn in turns]


def turn_texts(chunk: JournalledChunk) -> list[str]:
    """What turns are found by: each one's text after the turn before it, which often holds the words that it answers."""
    texts = []
    previous = chunk.context[-1] if chunk.context else None
    for turn in chunk.turns:
        before = f"{previous.speaker}: {previous.content}\n" if previous else ""
        texts.append(f"{before}{turn.speaker}: {turn.content}")
        previous = turn
    return texts


def content_of(fact: Fact, chunk: JournalledChunk, terms: dict[str, int], vector: Any) -> Content:
    """A fact as a row's content, its evidence by turns' numbers."""
    numbers = {turn.id: turn.number for turn in (*chunk.context, *chunk.turns)}
    return Content(
        text=fact.text.strip(),
        kind=fact.kind,
        source=fact.source,
        terms=terms,
        vector=vector,
        quotes=tuple((numbers[evidence.turn_id], evidence.quote) for evidence in fact.evidence),
        slot=fact.slot,
        value=fact.value,
        event=fact.event,
        entities=fact.entities,
        relations=fact.relations,
        metadata=chunk.metadata,
        expires_at=chunk.expires_at,
    )


def stated_at(fact: Fact, chunk: JournalledChunk) -> datetime:
    """Where a fact holds from: its stated start, else the time of the first turn of the chunk that tells it."""
    if fact.valid_from is not None:
        return fact.valid_from
    cited = {evidence.turn_id for evidence in fact.evidence}
    return next((turn.said_at for turn in chunk.turns if turn.id in cited), chunk.turns[0].said_at)


# --- applying decisions ------------------------------------------------------------------------------------------------


def add_messages(plan: Plan, work: ChunkWork, moment: datetime) -> None:
    """`infer=False`: one memory per message, quoted whole, unique by text *and* metadata."""
    for turn, content in zip(work.chunk.turns, work.contents, strict=True):
        quoted = replace(content, quotes=((turn.number, turn.content),))
        same = plan.find_live(quoted, moment)
        if same is not None and dict(same.metadata) == dict(quoted.metadata):
            plan.keep(same, quoted.quotes, quoted.expires_at, Why("exact duplicate"))
        else:
            plan.add(quoted, turn.said_at, Why("stored as given"))


def apply_all(
    plan: Plan,
    cases: Sequence[Case],
    decisions: Sequence[Decision],
    contents: Sequence[Content],
    moment: datetime,
    by: Reconciliation,
) -> None:
    """Plan the effects of a chunk's decisions, in the order of its facts."""
    outcome: list[str | None] = []
    for case, decision, content in zip(cases, decisions, contents, strict=True):
        why = Why(decision.reason, decision.flag, model=by.model, prompt_id=by.prompt_id)
        outcome.append(_Step(plan, case, content, moment, outcome, why).apply(decision))


@dataclass(frozen=True, slots=True)
class _Step:
    """One decision on its way into the plan. `outcome`: the memory that came of each earlier fact of the chunk."""

    plan: Plan
    case: Case
    content: Content
    moment: datetime
    outcome: Sequence[str | None]
    why: Why

    def apply(self, decision: Decision) -> str | None:
        """The id of the memory that the fact ended up in."""
        match decision:
            case Add():
                return self._add()
            case Keep(target):
                return self._keep(target)
            case Update():
                return self._update(decision)
            case Delete():
                return self._delete(decision)
            case _:
                assert_never(decision)

    def _row(self, number: int) -> Row | None:
        """A target as the plan leaves it so far: its live version, or none where it ended meanwhile."""
        candidate = candidate_of(self.case, number)
        memory_id = self.outcome[candidate.earlier] if candidate.earlier is not None else None
        if candidate.row is not None:
            memory_id = candidate.row.memory_id
        return None if memory_id is None else self.plan.live(memory_id, self.moment)

    def _add(self) -> str:
        same = self.plan.find_live(self.content, self.moment)
        if same is not None:
            self.plan.keep(
                same, self.content.quotes, self.content.expires_at, replace(self.why, reason="exact duplicate")
            )
            return same.memory_id
        return self.plan.add(self.content, self.case.stated_at, self.why).memory_id

    def _keep(self, target: int | None) -> str | None:
        row = None if target is None else self._row(target)
        if target is not None and row is None and not self.case.fact.retracts:
            return self._add()  # what it repeats has ended earlier in the chunk
        if row is not None and target is not None and not self._still_says(row, target):
            return self.plan.supersede(row, (), self.content, self.case.stated_at, self.why).memory_id
        quotes = self.content.quotes if row else ()
        self.plan.keep(row, quotes, self.content.expires_at, self.why)
        return row.memory_id if row else None

    def _still_says(self, row: Row, target: int) -> bool:
        """Whether the target's live version is what the decision saw; an earlier fact of the chunk may have changed it."""
        return row.statement.text_key == text_key(candidate_of(self.case, target).text)

    def _update(self, decision: Update) -> str:
        # Two targets may have become one memory: a fact of this chunk that was kept in the other.
        rows = {row.memory_id: row for row in map(self._row, decision.targets) if row is not None}
        if not rows:
            return self._add()
        first, *others = rows.values()
        content = self._updating(first, decision)
        same = self.plan.find_live(content, self.moment)
        if same is not None and same.memory_id not in rows:
            return self._add()
        if decision.mode == "revise":
            since = self.case.fact.valid_from
            return self.plan.revise(first, content, self.why, others=others, since=since).memory_id
        return self.plan.supersede(first, others, content, self.case.stated_at, self.why).memory_id

    def _updating(self, row: Row, decision: Update) -> Content:
        """The content of a row's next version: metadata and expiry of both; of what is revised, all that the fact leaves out."""
        merged = {**row.metadata, **self.content.metadata}
        content = replace(self.content, metadata=merged, expires_at=self.content.expires_at or row.expires_at)
        if decision.mode == "supersede":
            return content
        return refined(content, row, candidate_of(self.case, decision.targets[0]))

    def _delete(self, decision: Delete) -> str | None:
        rows = [row for row in map(self._row, decision.targets) if row is not None]
        if not rows:
            return self._add()
        ended = self.plan.delete(rows, self.case.stated_at, self.content.quotes, self.why)
        if ended is None:
            return self._keep(None)
        return ended.memory_id


def refined(content: Content, row: Row, target: Candidate) -> Content:
    """A refinement keeps the slot of what it refines, for it is about the same matter, and what it does not speak of: the
    value, the time, entities and relations."""
    said = row.statement
    named = {entity.name.casefold(): entity for entity in (*target.entities, *content.entities)}
    slot = said.slot or content.slot
    same = content.slot is not None and slot is not None and content.slot.key == slot.key
    return replace(
        content,
        slot=slot,
        value=content.value or said.value if same else said.value,
        event=content.event or said.event,
        entities=tuple(named.values()),
        relations=tuple(dict.fromkeys((*target.relations, *content.relations))),
    )
