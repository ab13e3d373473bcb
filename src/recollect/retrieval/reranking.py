"""The best hits put in the order of a reranker, where there is one: it sees the query and each text together.

It changes the order of at most `CANDIDATES` hits, all of them above the floor, and nothing else: what is found, the scores and
silence are as without it. Near duplicates stay behind what they repeat.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ..errors import RecollectError, RerankerInvalid, RerankerUnavailable
from ..ports import Reranker
from ..trace import Reranked

log = logging.getLogger("recollect")

CANDIDATES = 30  # hits that a reranker sees
InThread = Callable[..., Awaitable[Any]]


async def rerank(
    reranker: Reranker, query: str, texts: Sequence[str], in_thread: InThread, told: Callable[[Reranked], None]
) -> list[float] | None:
    """How well each text answers the query; None where the reranker is down, which is told: the search goes on without.

    Raises RerankerInvalid where it did not give a finite number for each text; RerankerConfigError or MissingExtra where waiting
    does not help.
    """
    began = time.perf_counter()

    def spent(error: str | None) -> Reranked:
        return Reranked(reranker.id, len(texts), time.perf_counter() - began, error)

    try:
        scores = check(await _answer(reranker, query, list(texts), in_thread), len(texts))
    except RecollectError as error:
        log.warning("reranker failed: %s", type(error).__name__)
        told(spent(type(error).__name__))
        if isinstance(error, RerankerUnavailable):
            return None
        raise
    told(spent(None))
    return scores


async def _answer(reranker: Reranker, query: str, texts: list[str], in_thread: InThread) -> Any:
    if inspect.iscoroutinefunction(reranker.rerank):
        return await _awaited(reranker, reranker.rerank(query, texts))
    answer = await in_thread(_called, reranker, query, texts)
    return await _awaited(reranker, answer) if inspect.isawaitable(answer) else answer


def _called(reranker: Reranker, query: str, texts: list[str]) -> Any:
    """The answer. Nobody cancels or ends a worker thread: whatever is raised here is the reranker's."""
    try:
        return reranker.rerank(query, texts)
    except RecollectError:
        raise
    except BaseException as error:  # a StopIteration or SystemExit would end our loop
        raise _unavailable(reranker, error) from error


async def _awaited(reranker: Reranker, answer: Awaitable[Any]) -> Any:
    """The answer, where it is awaited. A cancellation that nobody asked us for is the reranker's, an end of the program too."""
    try:
        return await answer
    except RecollectError:
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise _unavailable(reranker, error) from error
    except (Exception, SystemExit) as error:
        raise _unavailable(reranker, error) from error


def _unavailable(reranker: Reranker, error: BaseException) -> RerankerUnavailable:
    return RerankerUnavailable(f"the reranker {reranker.id!r} failed: {type(error).__name__}")


def check(answer: Any, count: int) -> list[float]:
    """The answer as numbers. Raises RerankerInvalid where it is not a finite number for each text."""
    import numpy as np

    try:
        scores = np.asarray(answer, np.float64)
    except (TypeError, ValueError) as error:
        raise RerankerInvalid("the reranker's answer is not a list of numbers") from error
    if scores.shape != (count,):
        raise RerankerInvalid(f"the reranker's answer has the shape {scores.shape}, not {(count,)}")
    if not np.isfinite(scores).all():
        raise RerankerInvalid("the reranker's answer holds NaN or infinity")
    found: list[float] = scores.tolist()
    return found
