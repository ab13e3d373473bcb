"""What a system cost: calls, tokens, money, time, and the size of its contexts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..model import Spent


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles of a measure over questions; all None where none was measured."""

    n: int = 0
    mean: float | None = None
    p50: float | None = None
    p95: float | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """Money in US dollars and seconds of the calls, per phase, over all records of it; latencies in seconds a question."""

    ingest: Spent
    answer: Spent
    judge: Spent
    search_seconds: Spread
    context_seconds: Spread
    answer_seconds: Spread
    context_tokens: Spread


def cost(
    ingest: Iterable[Mapping[str, Any]],
    search: Iterable[Mapping[str, Any]],
    answers: Iterable[Mapping[str, Any]],
    judgements: Iterable[Mapping[str, Any]],
) -> Cost:
    """Of a system's records. What failed is paid for too, where its record says what it cost, but has no part in the spreads.
    Attempts that a later one replaced are not among the records (`Run.spent` has them)."""
    answers = list(answers)
    searched, answered = list(_whole(search)), list(_whole(answers))
    packed = [one["context"] for one in searched if one.get("context") is not None]
    return Cost(
        ingest=total(ingest),
        answer=total(answers),
        judge=total(judgements),
        search_seconds=spread([one["search_seconds"] for one in searched if "search_seconds" in one]),
        context_seconds=spread([one["context_seconds"] for one in searched if "context_seconds" in one]),
        answer_seconds=spread([one["spent"]["seconds"] for one in answered if "spent" in one]),
        context_tokens=spread([one["tokens"] for one in packed]),
    )


def total(records: Iterable[Mapping[str, Any]]) -> Spent:
    """The sum of what the records say was spent."""
    return sum((Spent(**one["spent"]) for one in records if "spent" in one), Spent())


def spread(values: Sequence[float]) -> Spread:
    """Mean, median and 95th percentile."""
    if not values:
        return Spread()
    return Spread(len(values), sum(values) / len(values), percentile(values, 0.5), percentile(values, 0.95))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0..1) of the values lie, linearly between the two nearest ranks: type 7 of Hyndman & Fan,
    "Sample Quantiles in Statistical Packages" (1996), the default of numpy. `values` has at least one."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def _whole(records: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    return (one for one in records if "error" not in one)
