"""Vectors for what was committed while the embedder was down: made up for as soon as it answers again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from ..embedding import key_of
from ..errors import EmbedderError, Erased
from ..failpoints import reach
from ..ports import Embedder, Journal
from ..records import PendingVector, Space
from ..writing.prepare import turn_texts
from ..writing.write import Writer

if TYPE_CHECKING:
    from ..ports import Vectors

log = logging.getLogger("recollect")

BATCH = 32  # passages that are embedded and committed together
PER_ADD = 64  # passages that one `add` makes up for at most, before it does its own work


class Backfill:
    """Works beside a `Writer`, in its queues: a back-filled vector moves the user's revision, as a commit does."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def some(self, first: Space) -> None:
        """A bounded number of passages, `first`'s before those of others; of others, only of users who are not busy."""
        pending = await self._writer.in_thread(self._writer.ledger.pending_vectors, first, PER_ADD)
        await self._fill([one for one in pending if one.space == first or not self._writer.queue(one.space).locked()])

    async def all(self, told: Callable[[int], None] = lambda _: None) -> int:
        """Every user's; how many were made up for. `told` is called with their number after each batch."""
        ledger, done = self._writer.ledger, 0
        while pending := await self._writer.in_thread(ledger.pending_vectors, None, BATCH):
            if not await self._fill(pending):
                break
            done += len(pending)
            told(done)
        return done

    async def _fill(self, pending: Sequence[PendingVector]) -> bool:
        """Whether anything was filled; False, and no error, while the embedder still fails."""
        for space, of_user in groupby(pending, lambda one: one.space):
            passages = list(of_user)
            for start in range(0, len(passages), BATCH):
                if not await self._fill_batch(space, passages[start : start + BATCH]):
                    return False
        return bool(pending)

    async def _fill_batch(self, space: Space, passages: Sequence[PendingVector]) -> bool:
        writer = self._writer
        texts = await writer.in_thread(passage_texts, writer.journal, passages)
        if not texts:
            return True  # all were erased meanwhile

        async def fill(embedder: Embedder) -> None:
            vectors: Vectors = await writer.batcher.embed(embedder, list(texts.values()))
            reach("backfill.embedded")
            filled = list(zip(texts, vectors, strict=True))
            async with writer.queue(space):
                await writer.in_thread(writer.ledger.backfill, space, filled, key_of(embedder))

        try:
            await writer.in_use.apply(fill, writer.in_thread)
        except EmbedderError as error:  # the work at hand meets it too, and names it where it matters
            log.warning("%s, %d vectors still pending", type(error).__name__, len(texts))
            return False
        return True


def passage_texts(journal: Journal, passages: Iterable[PendingVector]) -> dict[PendingVector, str]:
    """What each passage is found by: a statement's text, and of a turn the very text that its chunk gave it. Turns that were
    erased meanwhile are left out."""
    known: dict[tuple[str, int], dict[int, str]] = {}

    def of_chunk(chunk: tuple[str, int]) -> dict[int, str]:
        try:
            journalled = journal.chunk(*chunk)
        except Erased:
            return {}
        numbers = [one.number for one in journalled.turns]
        return dict(zip(numbers, turn_texts(journalled), strict=True))

    texts: dict[PendingVector, str] = {}
    for one in passages:
        if one.chunk is not None and one.chunk not in known:
            known[one.chunk] = of_chunk(one.chunk)
        if one.chunk is None:
            texts[one] = one.text
        elif one.turn in known[one.chunk]:
            texts[one] = known[one.chunk][one.turn]
    return texts
