"""A budget over calls, tokens and money, per add, per day and per run; and the meter that every call passes.

    budget={"add": {"calls": 20}, "day": {"cost_usd": 1.0}, "run": {"tokens": 2_000_000}}

A call is *reserved* with an estimate before it is made and *settled* with what it cost afterwards, so calls side by side do not
all see the same room. What a reply will cost is not known beforehand: tokens and money may end over the limit by the replies
that were under way; calls never do.

The meter in force is a context variable: `with metered(meter): ...` around an add, and every call of a model in it, also in tasks
that it starts, is charged to that meter. Adds side by side have a context of their own each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from .errors import NOTHING, BudgetExceeded, InvalidInput
from .usage import Usage

PERIODS = ("add", "day", "run")
MEASURES = ("calls", "tokens", "cost_usd")


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many calls, tokens (read and written) and US dollars. None is no limit."""

    calls: int | None = None
    tokens: int | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits per `add`, per `day` (of UTC, over everything that the store recorded) and per `run` (of an opened memory)."""

    add: Limit = Limit()
    day: Limit = Limit()
    run: Limit = Limit()

    @classmethod
    def of(cls, given: object) -> Budget:
        """None, a Budget, `{period: {measure: number}}`, or `{measure: number}`, which is per run. Raises InvalidInput."""
        if given is None:
            return cls()
        if isinstance(given, cls):
            return given
        if not isinstance(given, Mapping):
            raise InvalidInput("budget", f"must be a dict such as {{'add': {{'calls': 20}}}}, not {_kind(given)}")
        if given and set(given) <= set(MEASURES):
            return cls(run=_limit("run", given))
        if unknown := [str(key) for key in given if key not in PERIODS]:
            raise InvalidInput("budget", f"unknown: {unknown[0][:40]!r}; there are {', '.join(PERIODS)}")
        return cls(**{period: _limit(period, limits) for period, limits in given.items()})


def _limit(period: str, given: object) -> Limit:
    if isinstance(given, Limit):
        return given
    if not isinstance(given, Mapping):
        raise InvalidInput("budget", f"{period} must be a dict such as {{'calls': 20}}, not {_kind(given)}")
    if unknown := [str(key) for key in given if key not in MEASURES]:
        raise InvalidInput("budget", f"{period}: unknown: {unknown[0][:40]!r}; there are {', '.join(MEASURES)}")
    return Limit(**{measure: _number(period, measure, number) for measure, number in given.items()})


def _number(period: str, measure: str, number: Any) -> Any:
    whole = measure != "cost_usd"
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int if whole else int | float):
        raise InvalidInput("budget", f"{period}.{measure} must be a {'whole ' if whole else ''}number")
    if not isfinite(number) or number < 0:
        raise InvalidInput("budget", f"{period}.{measure} must be 0 or more")
    return number


def _kind(value: object) -> str:
    return type(value).__name__


class Account:
    """What was used of one limit, and what calls under way hold of it."""

    def __init__(self, period: str, limit: Limit, used: Usage = NOTHING) -> None:
        self.period = period
        self.limit = limit
        self.used = used
        self._held: list[Usage] = []

    def check(self, estimate: Usage) -> None:
        """Raises BudgetExceeded where the estimate does not fit beside what is used and held."""
        wanted = sum(self._held, self.used + estimate)
        for measure, most, want in (
            ("calls", self.limit.calls, wanted.llm_calls),
            ("tokens", self.limit.tokens, wanted.tokens),
            ("cost_usd", self.limit.cost_usd, wanted.cost_usd),
        ):
            if most is not None and (want is None or want > most):
                raise BudgetExceeded(self._problem(measure, most, want))

    def _problem(self, measure: str, most: float, want: float | None) -> str:
        if want is None:
            return (
                f"the budget {self.period}.{measure} = {most} cannot be kept, for the price of a call is not known;"
                " set a limit on calls or tokens instead"
            )
        used = {"calls": self.used.llm_calls, "tokens": self.used.tokens, "cost_usd": self.used.cost_usd}[measure]
        return f"the budget {self.period}.{measure} = {most} has no room for the next call ({used} used)"

    def hold(self, estimate: Usage) -> None:
        """Keep room for a call under way."""
        self._held.append(estimate)

    def settle(self, estimate: Usage, actual: Usage) -> None:
        """Put what a call cost in place of its estimate."""
        self._held.remove(estimate)
        self.used += actual


@dataclass(slots=True)
class Charge:
    """A call under way; whoever makes it sets `actual` before it ends. Left alone, the call cost nothing."""

    actual: Usage = Usage()


class Meter:
    """The accounts that a call is charged to. May be used from several threads."""

    def __init__(self, accounts: Sequence[Account] = (), lock: threading.Lock | None = None) -> None:
        """`lock` guards accounts that meters share."""
        self._accounts = tuple(accounts)
        self._lock = lock or threading.Lock()

    @contextmanager
    def call(self, estimate: Usage) -> Iterator[Charge]:
        """Around one call of a model. Raises BudgetExceeded before it where an account has no room for the estimate."""
        with self._lock:
            for account in self._accounts:
                account.check(estimate)
            for account in self._accounts:
                account.hold(estimate)
        charge = Charge()
        try:
            yield charge
        finally:
            with self._lock:
                for account in self._accounts:
                    account.settle(estimate, charge.actual)


class Purse:
    """A memory's budget: hands out the meter of each add, all of them on the same day's and the same run's accounts.

    `spent_since(moment)` tells what the store recorded as spent since then. It is asked once a day, before the day's first call,
    so that what was spent before a restart counts; what other processes spend later that day does not. Called under a lock.
    """

    def __init__(
        self,
        budget: Budget,
        spent_since: Callable[[datetime], Usage] = lambda _: Usage(),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.budget = budget
        self._spent_since = spent_since
        self._now = now
        self._run = Account("run", budget.run)
        self._day = Account("day", budget.day)
        self._midnight: datetime | None = None
        self._lock = threading.Lock()

    @property
    def used(self) -> Usage:
        """What this run has spent so far."""
        return self._run.used

    def meter(self) -> Meter:
        """The meter of one add that begins now. An add over midnight is charged to the day it began on. Where the day has a
        limit, its first call reads what was spent before."""
        with self._lock:
            return Meter((Account("add", self.budget.add), self._today(), self._run), self._lock)

    def _today(self) -> Account:
        midnight = self._now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if midnight != self._midnight:
            limited = self.budget.day != Limit()
            self._day = Account("day", self.budget.day, self._spent_since(midnight) if limited else Usage())
            self._midnight = midnight
        return self._day


_in_force: ContextVar[Meter | None] = ContextVar("meter", default=None)
_without_limits = Meter()


def meter() -> Meter:
    """The meter in force here; one without limits where none was set."""
    return _in_force.get() or _without_limits


@contextmanager
def metered(by: Meter) -> Iterator[None]:
    """Charge every call of a model in this block, and in tasks that it starts, to a meter."""
    token = _in_force.set(by)
    try:
        yield
    finally:
        _in_force.reset(token)
