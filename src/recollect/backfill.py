"""Vectors for what was committed while the embedder was down: made up for as soon as it answers again."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from .embedding import embed
from .errors import EmbedderError
from .failpoints import reach
from .prepare import turn_texts
from .records import PendingVector, Space
from .write import Writer

if TYPE_CHECKING:
    from .ports import Vectors

log = logging.getLogger("recollect")

BATCH = 32  # passages that are embedded and committed together
PER_ADD = 64  # passages that one `add` makes up for at most, before it does its own work


class Backfill:
    """Works beside a `Writer`, in its queues: a back-filled vector moves the user's revision, as a commit does."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def some(self, first: Space) -> None:
        """A bounded number of passages, `first`'s before those of others; of others, only of users who are not busy."""
        pending = await self._pending(first, PER_ADD)
        if len(pending) < PER_ADD:
            others = await self._pending(None, PER_ADD)
            pending += [one for one in others if one.space != first and not self._writer.queue(one.space).locked()]
        await self._fill(pending[:PER_ADD])

    async def all(self) -> None:
        """Every user's."""
        while await self._fill(await self._pending(None, BATCH)):
            pass

    async def _pending(self, space: Space | None, limit: int) -> list[PendingVector]:
        found: list[PendingVector] = await self._writer.in_thread(self._writer.ledger.pending_vectors, space, limit)
        return found

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
        texts = await writer.in_thread(self._texts, passages)
        try:
            vectors: Vectors = await embed(writer.embedder, texts, writer.in_thread)
        except EmbedderError as error:  # the work at hand meets it too, and names it where it matters
            log.warning("%s, %d vectors still pending", type(error).__name__, len(texts))
            return False
        reach("backfill.embedded")
        async with writer.queue(space):
            filled = [(one.passage, vector) for one, vector in zip(passages, vectors, strict=True)]
            await writer.in_thread(writer.ledger.backfill, space, filled)
        return True

    def _texts(self, passages: Iterable[PendingVector]) -> list[str]:
        """What each passage is found by: a statement's text, and of a turn the very text that its chunk gave it."""
        chunks: dict[tuple[str, int], dict[int, str]] = {}
        return [one.text if one.chunk is None else self._turn_text(one.chunk, one.turn, chunks) for one in passages]

    def _turn_text(self, chunk: tuple[str, int], turn: int, known: dict[tuple[str, int], dict[int, str]]) -> str:
        if chunk not in known:
            journalled = self._writer.journal.chunk(*chunk)
            numbers = [one.number for one in journalled.turns]
            known[chunk] = dict(zip(numbers, turn_texts(journalled), strict=True))
        return known[chunk][turn]
