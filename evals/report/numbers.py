"""Numbers as a report prints them: shares in %, money in US dollars, latencies in milliseconds."""

from __future__ import annotations

from ..metrics.cost import Spread
from ..statistics import Difference, Estimate
from .values import NONE, Cell


def share(estimate: Estimate | None, *, best: bool = False, several: bool = False) -> Cell:
    """A share in %, with its interval. `several`: its column is of different numbers of questions, and this one's is told."""
    if estimate is None or estimate.mean is None:
        return Cell(NONE)
    n = f"{estimate.n:,}"
    return Cell(
        percent(estimate.mean),
        interval(estimate.low, estimate.high) + (f" (n {n})" if several else ""),
        best,
        f"over {n} questions",
    )


def difference(found: Difference) -> Cell:
    """In percentage points, signed."""
    if found.mean is None or found.low is None or found.high is None:
        return Cell(NONE)
    return Cell(signed(found.mean), f"{signed(found.low)} to {signed(found.high)}", note=f"over {found.n:,} questions")


def percent(value: float) -> str:
    """ "71.5" of 0.7149."""
    return f"{100 * value:.1f}"


def signed(value: float) -> str:
    """ "+3.2", "−0.4", "0.0": percentage points of a difference of shares."""
    told = f"{100 * value:+.1f}"
    return "0.0" if told in ("+0.0", "-0.0") else told.replace("-", "−")


def interval(low: float | None, high: float | None) -> str:
    """ "68.4–74.6"; "" where there is none."""
    return "" if low is None or high is None else f"{percent(low)}–{percent(high)}"


def p_value(p: float | None) -> str:
    """ "0.012", "< 0.001"."""
    return NONE if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def count(number: float | None) -> str:
    """ "1,234"."""
    return NONE if number is None else f"{number:,.0f}"


def milliseconds(seconds: float | None) -> str:
    """ "12.3"; without decimals from 100 on."""
    if seconds is None:
        return NONE
    return f"{1000 * seconds:,.0f}" if seconds >= 0.1 else f"{1000 * seconds:.1f}"


def usd(value: float | None) -> str:
    """ "$0.0210"; "0" for nothing; "unpriced" where a price is not known."""
    return "unpriced" if value is None else f"${value:,.4f}" if value else "0"


def latencies(spread: Spread) -> list[Cell]:
    """Median and 95th percentile."""
    return [Cell(milliseconds(spread.p50)), Cell(milliseconds(spread.p95))]


def questions(number: int) -> str:
    """ "1 question", "829 questions"."""
    return f"{number:,} question{'' if number == 1 else 's'}"
