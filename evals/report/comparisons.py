"""Two systems beside each other: the strongest plain rival and everyone else, and one system in two runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..scores import OVERALL, Compared, Key, Scores, compare
from .names import headlines, label
from .numbers import difference, p_value, percent
from .subjects import Group, Subject
from .values import NONE, Cell, Row, Table

ALPHA = 0.05
WHOLE = "full-context"  # has everything in its context, whatever the budget: no measure for what others put into theirs


def comparisons(group: Group, key: Key = "released", *, by_conversation: bool = False) -> list[Table]:
    """A table per headline metric against the reference, and one per system that several runs have."""
    tables = []
    for metric in headlines(group.metrics):
        measured = [one for one in group.subjects if one.estimate(metric, key=key)]
        if (against := reference(measured, metric)) is not None:
            others = [one for one in measured if one is not against]
            tables.append(_table(group, metric, against, others, key, by_conversation))
        for first, later in _again(measured):
            tables.append(_table(group, metric, first, later, key, by_conversation))
    return [one for one in tables if one.rows]


def reference(measured: Sequence[Subject], metric: str) -> Subject | None:
    """The plain rival with the highest value; the first system where there are none but rivals, or no rival. None where there
    is nothing to compare."""
    rivals = [one for one in measured if one.rival and not (metric == "coverage" and one.slug == WHOLE)]
    if len(measured) < 2:
        return None
    if not rivals or len(rivals) == len(measured):
        return measured[0]
    return max(rivals, key=lambda one: _mean(one, metric))


def _mean(one: Subject, metric: str) -> float:
    estimate = one.estimate(metric)
    return -1.0 if estimate is None or estimate.mean is None else estimate.mean


def _again(measured: Sequence[Subject]) -> list[tuple[Subject, list[Subject]]]:
    """Each system that several runs have: its first run's, and the others."""
    by_slug: dict[str, list[Subject]] = {}
    for one in measured:
        by_slug.setdefault(one.slug, []).append(one)
    return [(first, later) for first, *later in by_slug.values() if later]


def _table(
    group: Group, metric: str, against: Subject, others: Sequence[Subject], key: Key, by_conversation: bool
) -> Table:
    found = [
        (one, compared(against.scores, one.scores, metric, key, by_conversation=by_conversation)) for one in others
    ]
    categories = [name for name in group.categories if any(name in groups for _, groups in found)]
    exact = any(groups[OVERALL].exact for _, groups in found if groups)
    columns = ["difference", "p", *(["right alone"] if exact else []), *categories]
    rows = [Row(one.label, _cells(groups, categories, exact), one.place) for one, groups in found if groups]
    return Table(f"{label(metric)} against {against.label}", columns, rows)


def compared(
    a: Scores, b: Scores, metric: str, key: Key = "released", *, by_conversation: bool = False
) -> dict[str, Compared]:
    """Group → b against a in one metric."""
    one, other = (_only(scores, metric) for scores in (a, b))
    return compare(one, other, key, by_conversation=by_conversation).get(metric, {})


def _only(scores: Scores, metric: str) -> Scores:
    """The same with the values of one metric, so that no other is compared."""
    rows = {
        name: replace(row, values={metric: row.values[metric]})
        for name, row in scores.rows.items()
        if metric in row.values
    }
    return replace(scores, rows=rows)


def _cells(groups: dict[str, Compared], categories: Sequence[str], exact: bool) -> list[Cell]:
    overall = groups[OVERALL]
    alone = overall.exact
    right = [Cell(NONE if alone is None else f"{alone.only_b:,} : {alone.only_a:,}")] if exact else []
    return [
        _change(overall),
        Cell(p_value(overall.adjusted)),
        *right,
        *(_change(groups.get(one)) for one in categories),
    ]


def _change(one: Compared | None) -> Cell:
    """Marked where it is no chance."""
    if one is None:
        return Cell(NONE)
    told = difference(one.difference)
    certain = one.adjusted is not None and one.adjusted < ALPHA
    lost = f"; {one.only_a + one.only_b:,} that only one has left out" if one.only_a + one.only_b else ""
    note = f"{told.note}{lost}; p {p_value(one.adjusted)}"
    return replace(told, best=certain, note=note)


def in_a_line(against: Subject, one: Subject, metric: str, *, by_conversation: bool = False) -> str:
    """ "R@10 81.3 % (recollect, rules) against 71.5 % (previous + turn): +9.8 points (+7.9 to +11.7), p < 0.001"."""
    groups = compared(against.scores, one.scores, metric, by_conversation=by_conversation)
    if not groups:
        return ""
    overall = groups[OVERALL]
    told, p = difference(overall.difference), p_value(overall.adjusted)
    words = (
        f"{one.label} {percent(_mean(one, metric))} % against {against.label} {percent(_mean(against, metric))} %:"
        f" {told.text} points ({told.detail})"
    )
    chance = f"p {p if p.startswith('<') else f'= {p}'}"
    return ", ".join([words, *(short.replace(" ", "\u00a0") for short in (chance, f"n = {overall.difference.n:,}"))])
