"""HaluMem's figures: of updates and new points (`operations.updates`), and of extraction (`operations.extraction`).

Named after the paper's (HaluMem, arXiv 2511.03506), which has a language model judge; here it is code, so the figures are
comparable between systems measured here, and not with the published ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any, TypeAlias

Record: TypeAlias = Mapping[str, Any]
Figures: TypeAlias = dict[str, float | int | None]


def updating(records: Sequence[Record]) -> Figures:
    """Shares of what became of updates (right, of another memory, taken for known, omitted) and of new points (right, taken for
    an update, taken for known). "shown": of the updates whose original is in memory and that were decided on, how often it stood
    among the candidates."""
    changed = [one for one in records if one["is_update"]]
    new = [one for one in records if not one["is_update"]]
    seen = [one["shown"] for one in changed if one["stored"] and one["shown"] is not None]
    return {
        "updates": len(changed),
        **{
            f"updates, {what}": share
            for what, share in _outcomes(changed, ("right", "wrong", "known", "omitted")).items()
        },
        "originals shown": fmean(seen) if seen else None,
        "new": len(new),
        **{f"new, {what}": share for what, share in _outcomes(new, ("right", "update", "known")).items()},
    }


def _outcomes(records: Sequence[Record], outcomes: Iterable[str]) -> dict[str, float | None]:
    found = Counter(one["outcome"] for one in records)
    return {what: found[what] / len(records) if records else None for what in outcomes}


def extracting(records: Sequence[Record]) -> Figures:
    """ "recall": of the points to be remembered, how many a memory of their session matches; "weighted recall": the same by their
    importance. "precision": of the memories, how many match such a point. "resistance": of the interference points, how
    many no memory matches."""
    points = [point for record in records for point in record["points"]]
    gold = [point for point in points if not point["interference"]]
    lures = [point for point in points if point["interference"]]
    false = {
        (record["conversation"], one["id"]) for record in records for one in record["points"] if one["interference"]
    }
    memories = [(record["conversation"], memory["match"]) for record in records for memory in record["memories"]]
    found = [point["match"] is not None for point in gold]
    weights = [1.0 if point["importance"] is None else point["importance"] for point in gold]
    weighed = sum(weight for weight, hit in zip(weights, found, strict=True) if hit)
    return {
        "points": len(gold),
        "recall": fmean(found) if found else None,
        "weighted recall": weighed / sum(weights) if sum(weights) else None,
        "memories": len(memories),
        "precision": fmean(match is not None and (of, match) not in false for of, match in memories)
        if memories
        else None,
        "interference points": len(lures),
        "resistance": fmean(point["match"] is None for point in lures) if lures else None,
    }
