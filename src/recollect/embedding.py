"""Texts → checked unit vectors, by the store's embedder or a caller's own object."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import EmbedderError, EmbedderUnavailable, EmbeddingInvalid, EmbeddingModelMismatch
from .ports import Embedder
from .records import EmbedderKey

if TYPE_CHECKING:
    from .ports import Vectors

T = TypeVar("T")
MOST = 64  # texts of several requests in one run
InThread = Callable[..., Awaitable[Any]]


class EmbedderInUse:
    """The embedder that a store is open with. A `reembed` puts another in its place while everything goes on.

    Vectors never go without the embedder that made them: whoever commits or compares them names it, and what comes too late
    is refused (EmbeddingModelMismatch) and made again.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self._changing = threading.Lock()

    def change(self, embedder: Embedder, switch: Callable[[], bool]) -> bool:
        """Use another one from the moment that `switch` put its vectors into the ledger; False, and nothing, where it did
        not. Blocking."""
        with self._changing:
            switched = switch()
            if switched:
                self.embedder = embedder
            return switched

    def settled(self) -> Embedder:
        """The embedder in use, when a change that is under way has ended. Blocking."""
        with self._changing:
            return self.embedder

    async def apply(self, work: Callable[[Embedder], Awaitable[T]], in_thread: InThread) -> T:
        """Work that makes vectors and compares or commits them; done again where the embedder was changed meanwhile.

        Raises EmbeddingModelMismatch where another process, or another memory of this one, did that.
        """
        while True:
            used = self.embedder
            try:
                return await work(used)
            except EmbeddingModelMismatch:
                if await in_thread(self.settled) is used:
                    raise


def key_of(embedder: Embedder) -> EmbedderKey:
    """Whose its vectors are. Asks a hosted embedder for its dimension where that is not known yet."""
    return EmbedderKey(embedder.id, embedder.dim)


async def embed(embedder: Embedder, texts: Sequence[str], in_thread: InThread) -> Vectors:
    """Unit vectors of shape (len(texts), dim), float32.

    Raises EmbeddingInvalid where they are not what was asked for, EmbedderUnavailable where the embedder failed.
    """
    if not texts:
        return check([], embedder.dim, 0)
    if is_async(embedder):
        answer = await _awaited(embedder, embedder.embed(list(texts)))
    else:
        answer = await in_thread(_called, embedder, list(texts))
        if inspect.isawaitable(answer):
            answer = await _awaited(embedder, answer)
    return check(answer, embedder.dim, len(texts))


def _called(embedder: Embedder, texts: list[str]) -> Any:
    """The answer. Nobody cancels or ends a worker thread: whatever is raised here is the embedder's."""
    try:
        return embedder.embed(texts)
    except EmbedderError:
        raise
    except BaseException as error:  # a StopIteration or SystemExit would end our loop
        raise _unavailable(embedder, error) from error


async def _awaited(embedder: Embedder, answer: Any) -> Any:
    """The answer, where it is awaited. A cancellation that nobody asked us for is the embedder's, an end of the program too."""
    try:
        return await answer
    except EmbedderError:
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise _unavailable(embedder, error) from error
    except (Exception, SystemExit) as error:
        raise _unavailable(embedder, error) from error


def _unavailable(embedder: Embedder, error: BaseException) -> EmbedderUnavailable:
    return EmbedderUnavailable(f"the embedder {embedder.id!r} failed: {type(error).__name__}")


def is_async(embedder: Embedder) -> bool:
    """Whether it is awaited rather than run in a thread."""
    return inspect.iscoroutinefunction(embedder.embed)


@dataclass(slots=True, eq=False)
class _Request:
    embedder: Embedder
    texts: list[str]
    vectors: Vectors | None = None


@dataclass(slots=True)
class Batcher:
    """Dynamic batching: requests that come while an embedder on this machine's processors is busy go to it in one run, which
    costs it half of what it does one by one. Others, which wait for a network, are asked side by side."""

    in_thread: InThread
    _waiting: list[_Request] = field(default_factory=list)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _computing: threading.Lock = field(default_factory=threading.Lock)

    async def embed(self, embedder: Embedder, texts: Sequence[str]) -> Vectors:
        """As the function `embed`."""
        if not texts or not is_local(embedder):
            return await embed(embedder, texts, self.in_thread)
        mine = _Request(embedder, list(texts))
        self._waiting.append(mine)
        try:
            async with self._turn:
                if mine.vectors is None:
                    await self._run(self._joined(mine))
        finally:
            self._waiting.remove(mine)
        return mine.vectors if mine.vectors is not None else await embed(embedder, texts, self.in_thread)

    def now(self, embedder: Embedder, texts: Sequence[str]) -> Vectors | None:
        """The same in this thread, by an embedder on this machine's processors; None where it is busy. Blocking."""
        if not self._computing.acquire(blocking=False):
            return None
        try:
            return check(_called(embedder, list(texts)), embedder.dim, len(texts))
        finally:
            self._computing.release()

    def _joined(self, mine: _Request) -> list[_Request]:
        """Mine, and others that wait, while they are few texts: nobody shall wait long for a crowd."""
        joined, room = [mine], MOST - len(mine.texts)
        for one in self._waiting:
            fits = one.embedder is mine.embedder and one.vectors is None and len(one.texts) <= room
            if fits and one is not mine:
                joined.append(one)
                room -= len(one.texts)
        return joined

    async def _run(self, requests: Sequence[_Request]) -> None:
        """All in one run. Where that fails each one asks for itself, and gets its own error."""
        try:
            texts = [text for one in requests for text in one.texts]
            vectors = await embed(requests[0].embedder, texts, self._in_its_turn)
        except EmbedderError:
            if len(requests) == 1:
                raise
            return
        start = 0
        for one in requests:
            one.vectors = vectors[start : start + len(one.texts)]
            start += len(one.texts)

    async def _in_its_turn(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """In a worker thread, when no other one computes."""

        def held() -> Any:
            with self._computing:
                return function(*arguments)

        return await self.in_thread(held)


def is_local(embedder: Embedder) -> bool:
    """Whether it computes on this machine's processors, in the thread that calls it."""
    return bool(getattr(embedder, "batches", False)) and not is_async(embedder)


def check(answer: Any, dim: int, count: int) -> Vectors:
    """The answer as unit vectors. Raises EmbeddingInvalid for NaN, infinity, zero length, a wrong shape."""
    import numpy as np

    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinity, which is named below
            vectors = np.asarray(answer, np.float32)
        if count == 0:
            vectors = vectors.reshape(-1, dim)
    except (TypeError, ValueError) as error:
        raise EmbeddingInvalid("the embedder's answer is not an array of numbers") from error
    if vectors.shape != (count, dim):
        raise EmbeddingInvalid(f"the embedder's answer has the shape {vectors.shape}, not {(count, dim)}")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        raise EmbeddingInvalid("the embedder's answer holds NaN, infinity or a vector of no length")
    unit: Vectors = vectors / lengths
    return unit
