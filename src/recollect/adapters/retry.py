"""The one layer that retries: which failures, how often, how long between them, and one deadline over everything.

What an endpoint asks one call to wait (`Retry-After`) holds for all calls of a model: `Hold`. The others would be refused too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .litellm_errors import Failure, Kind

TRIES = 3
FIRST_WAIT = 0.5  # seconds; doubled each time, up to LONGEST_WAIT, plus as much again at random
LONGEST_WAIT = 8.0


class Hold:
    """Until when nothing is to be sent to an endpoint. Shared by all calls of a model, in whichever thread they are."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until = 0.0

    def lasts(self, seconds: float) -> None:
        """The endpoint asks to wait so long from now."""
        self._until = max(self._until, self._clock() + seconds)

    @property
    def left(self) -> float:
        """Seconds from now; 0 where nothing holds."""
        return max(0.0, self._until - self._clock())


@dataclass(slots=True)
class Patience:
    """What is left of one call's tries and time. Shared by its re-asks: together they fail at most `tries - 1` times in vain.

    Who was told how long to wait may come again as often as the deadline allows: to be told so is no failure.
    """

    ends_at: float
    clock: Callable[[], float]
    tries: int = TRIES
    failed: int = 0

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.ends_at - self.clock()

    def policy(self) -> dict[str, Any]:
        """The keywords of tenacity's Retrying and AsyncRetrying."""
        from tenacity import retry_if_exception, wait_exponential, wait_random

        backoff = wait_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT) + wait_random(0, FIRST_WAIT)

        def wait(state: Any) -> float:
            error = state.outcome.exception()
            return max(float(backoff(state)), getattr(error, "retry_after", None) or 0.0)

        return {"retry": retry_if_exception(self._again), "wait": wait, "stop": self._stop, "reraise": True}

    def _again(self, error: BaseException) -> bool:
        return isinstance(error, Failure) and error.kind is Kind.UNAVAILABLE

    def _stop(self, state: Any) -> bool:
        if not getattr(state.outcome.exception(), "limited", False):
            self.failed += 1
        return self.failed >= self.tries or state.upcoming_sleep >= self.left
