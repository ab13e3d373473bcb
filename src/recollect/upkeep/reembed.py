"""Another embedder for a store: new vectors beside the old ones, batch by batch, and one switch when all are there.

Killed or stopped anywhere, it goes on where it was: a batch is kept in one transaction, and asked for only while it is
missing. Everything else goes on meanwhile with the old vectors; what is added then is found missing in the next round.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Sequence
from datetime import datetime

from ..build import Settings, Store, as_record, by_name, describe, embedder_of
from ..embedding import embed, is_async
from ..errors import InvalidInput
from ..failpoints import reach
from ..ports import Embedder
from ..records import EmbedderRecord, PendingVector, Space
from ..results import Reembedded
from ..tasks import cancelled_after, whole
from ..times import now
from ..trace import Listener, Reembedding, emit
from ..writing.write import LEASE, Writer
from .backfill import Backfill, passage_texts

log = logging.getLogger("recollect")

BATCH = 64  # passages that are embedded together and kept in one transaction
STRICT_ROUNDS = 8  # then a batch that came in meanwhile no longer holds up the switch, and is back-filled after it
WAIT_S = 0.2  # between two looks at what another process does


class Reembedder:
    """`Memory.reembed`. One run at a time within a memory; between memories and processes a lease sees to that."""

    def __init__(self, store: Store, writer: Writer, backfill: Backfill, listener: Listener | None) -> None:
        self._store, self._writer, self._backfill, self._listener = store, writer, backfill, listener
        self._vectors, self._in_thread = store.reembedding, store.in_thread
        self._running = asyncio.Lock()

    async def run(self, settings: Settings) -> Reembedded:
        """Bring the store to the embedder that the settings name; see `AsyncMemory.reembed`."""
        async with self._running:
            target: Embedder = await self._in_thread(chosen, self._store, settings)
            record: EmbedderRecord = await self._in_thread(describe, target)
            embedded = 0
            try:
                if await self._claimed(record):
                    reach("reembed.claimed")
                    async with cancelled_after(self._renewing(record)):
                        embedded = await self._embed_all(target)
                else:
                    await self._in_thread(self._store.in_use.change, target, lambda: True)
            finally:
                await self._in_thread(self._vectors.release, self._writer.owner)
            _, passages = await self._in_thread(self._vectors.progress)
            return Reembedded(embedder=target.id, passages=passages, embedded=embedded)

    async def _claimed(self, record: EmbedderRecord) -> bool:
        """Whether it is ours to do; False where nothing is left. While another process does the same, wait for that."""
        while (claim := await whole(self._claim(record))) == "theirs":
            await self._tell(record.id)
            await asyncio.sleep(WAIT_S)
        return bool(claim == "ours")

    async def _claim(self, record: EmbedderRecord) -> object:
        moment = now()
        return await self._in_thread(self._vectors.claim, record, self._writer.owner, moment, moment + LEASE)

    async def _renewing(self, record: EmbedderRecord) -> None:
        """Keep the lease while one batch takes longer than it lasts."""
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            await self._claim(record)

    async def _tell(self, embedder_id: str) -> None:
        done, passages = await self._in_thread(self._vectors.progress)
        emit(self._listener, Reembedding(embedder_id, done, passages))

    # --- embedding -----------------------------------------------------------------------------------------------------

    async def _embed_all(self, target: Embedder) -> int:
        """Rounds over what is missing, until the switch finds that nothing is; how many passages were embedded."""
        embedded = rounds = 0
        switched = False
        while not switched:
            await self._tell(target.id)
            embedded += await self._round(target)
            switched = await whole(self._switched(target, leaving=0 if rounds < STRICT_ROUNDS else BATCH))
            rounds += 1
        log.info("the store was embedded anew by %r", target.id)
        if rounds > STRICT_ROUNDS:
            await self._backfill.all()
        return embedded

    async def _round(self, target: Embedder) -> int:
        """Every passage that is missing, in the order of users and passages; not on and on what is added behind us."""
        embedded, after = 0, (Space(0), 0)
        done, passages = await self._in_thread(self._vectors.progress)
        full = True
        while full and (missing := await self._in_thread(self._vectors.missing, after, BATCH)):
            full = len(missing) == BATCH
            batch = self._embed_batch(target, missing)
            # In a thread an embedder cannot be stopped: what it was paid for is kept before a cancellation is passed on.
            await (batch if is_async(target) else whole(batch))
            embedded, after = embedded + len(missing), (missing[-1].space, missing[-1].passage)
            emit(self._listener, Reembedding(target.id, done + embedded, max(passages, done + embedded)))
        return embedded

    async def _embed_batch(self, target: Embedder, missing: Sequence[PendingVector]) -> None:
        texts = await self._in_thread(passage_texts, self._store.journal, missing)
        vectors = await embed(target, list(texts.values()), self._in_thread)
        reach("reembed.embedded")
        kept = list(zip(texts, vectors, strict=True))
        until: datetime = now() + LEASE
        await self._in_thread(self._vectors.keep, self._writer.owner, until, kept)
        reach("reembed.kept")

    # --- switching -----------------------------------------------------------------------------------------------------

    async def _switched(self, target: Embedder, leaving: int) -> bool:
        """Whether the new vectors, and with them the new embedder, are in use now: in the ledger and here in one step."""
        switch = functools.partial(self._vectors.switch, self._writer.owner, leaving)
        switched: bool = await self._in_thread(self._store.in_use.change, target, switch)
        if switched:
            reach("reembed.switched")
            await self._in_thread(self._store.partitions.clear)
        return switched


def chosen(store: Store, settings: Settings) -> Embedder:
    """The embedder that is named, else the one that is under way.

    Raises InvalidInput, EmbedderConfigError.
    """
    under_way, given = store.reembedding.target(), settings.embedder
    if given is None:
        if under_way is None:
            raise InvalidInput("embedder", "name the new one: no reembed is under way that could go on")
        found = by_name(under_way, settings)
        if found is None:
            raise InvalidInput("embedder", f"the one under way, {under_way.id!r}, is yours: hand it over again")
        return found
    recorded = store.ledger.setting("embedder")
    known = [one for one in (under_way, recorded and as_record(recorded)) if one and one.id == given]
    return embedder_of(given, settings, known[0].dim if known else None)
