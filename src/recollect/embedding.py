"""Texts → checked unit vectors, by the store's embedder or a caller's own object."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import EmbedderError, EmbedderUnavailable, EmbeddingInvalid
from .ports import Embedder

if TYPE_CHECKING:
    from .ports import Vectors

T = TypeVar("T")
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
