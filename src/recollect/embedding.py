"""Texts → checked unit vectors, by the store's embedder or a caller's own object."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import EmbedderError, EmbedderUnavailable, EmbeddingInvalid
from .ports import Embedder

if TYPE_CHECKING:
    from .ports import Vectors

T = TypeVar("T")
MOST = 64  # texts of several requests in one run
InThread = Callable[..., Awaitable[Any]]


async def embed(embedder: Embedder, texts: Sequence[str], in_thread: InThread) -> Vectors:
    """Unit vectors of shape (len(texts), dim), float32.

    Raises EmbeddingInvalid where they are not what was asked for, EmbedderUnavailable where the embedder failed.
    """
    if not texts:
        return check([], embedder.dim, 0)
    try:
        if inspect.iscoroutinefunction(embedder.embed):
            answer = await embedder.embed(list(texts))
        else:
            answer = await in_thread(embedder.embed, list(texts))
    except EmbedderError:
        raise
    except Exception as error:  # a caller's own object may raise anything; it leaves here as ours
        raise EmbedderUnavailable(f"the embedder {embedder.id!r} failed: {type(error).__name__}") from error
    return check(answer, embedder.dim, len(texts))


@dataclass(slots=True, eq=False)
class _Request:
    texts: list[str]
    vectors: Vectors | None = None


@dataclass(slots=True)
class Batcher:
    """Dynamic batching: requests that come while an embedder on this machine's processors is busy go to it in one run, which
    costs it half of what it does one by one. Others, which wait for a network, are asked side by side."""

    embedder: Embedder
    in_thread: InThread
    _waiting: list[_Request] = field(default_factory=list)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """As `embed`."""
        if not texts or not getattr(self.embedder, "batches", False):
            return await embed(self.embedder, texts, self.in_thread)
        mine = _Request(list(texts))
        self._waiting.append(mine)
        try:
            async with self._turn:
                if mine.vectors is None:
                    await self._run(self._joined(mine))
        finally:
            self._waiting.remove(mine)
        return mine.vectors if mine.vectors is not None else await embed(self.embedder, texts, self.in_thread)

    def _joined(self, mine: _Request) -> list[_Request]:
        """Mine, and others that wait, while they are few texts: nobody shall wait long for a crowd."""
        joined, room = [mine], MOST - len(mine.texts)
        for one in self._waiting:
            if one is not mine and one.vectors is None and len(one.texts) <= room:
                joined.append(one)
                room -= len(one.texts)
        return joined

    async def _run(self, requests: Sequence[_Request]) -> None:
        """All in one run. Where that fails each one asks for itself, and gets its own error."""
        try:
            vectors = await embed(self.embedder, [text for one in requests for text in one.texts], self.in_thread)
        except EmbedderError:
            if len(requests) == 1:
                raise
            return
        start = 0
        for one in requests:
            one.vectors = vectors[start : start + len(one.texts)]
            start += len(one.texts)


def check(answer: Any, dim: int, count: int) -> Vectors:
    """The answer as unit vectors. Raises EmbeddingInvalid for NaN, infinity, zero length, a wrong shape."""
    import numpy as np

    try:
        vectors = (
            np.asarray(answer, dtype=np.float32).reshape(-1, dim) if count == 0 else np.asarray(answer, np.float32)
        )
    except (TypeError, ValueError) as error:
        raise EmbeddingInvalid("the embedder's answer is not an array of numbers") from error
    if vectors.shape != (count, dim):
        raise EmbeddingInvalid(f"the embedder's answer has the shape {vectors.shape}, not {(count, dim)}")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        raise EmbeddingInvalid("the embedder's answer holds NaN, infinity or a vector of no length")
    unit: Vectors = vectors / lengths
    return unit
