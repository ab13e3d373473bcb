"""The one layer that retries: which failures, how often, how long between them, and one deadline over everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .litellm_errors import Failure, Kind

TRIES = 3
FIRST_WAIT = 0.5  # seconds; doubled each time, up to LONGEST_WAIT, plus as much again at random
LONGEST_WAIT = 8.0


@dataclass(slots=True)
class Patience:
    """What is left of one call's tries and time. Shared by its re-asks: together they fail at most `tries - 1` times in vain."""

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
        self.failed += 1
        return self.failed >= self.tries or state.upcoming_sleep >= self.left
