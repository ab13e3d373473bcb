"""Sections of what is measured beside a run: decisions, HaluMem's operations, and the judge. By whom (a system, a judge) → what
came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..metrics.halumem import extracting, updating
from ..metrics.operations import Shares, confusion, per_kind, shares
from ..probe import KINDS, Kind
from ..statistics import Estimate, wilson
from .numbers import count, percent, share
from .values import NONE, Block, Cell, Fold, Row, Section, Table, Text

Records = Sequence[Mapping[str, Any]]

DECISIONS_NOTE = (
    "Labelled pairs of a new fact and what is known, through the real write path; counted is what became of the memories. Right:"
    " operation, targets and mode together. Harmless: nothing that should have stayed was ended or reworded."
)
HALUMEM_NOTE = (
    "Matched by code, not by a language model: comparable between systems measured here, not with published figures."
)
JUDGE_NOTE = (
    "Replies whose worth is known, made by code from the key: the share that the judge took for right. Of “right” it should be"
    " 100 %, of all others 0."
)


def decisions(found: Mapping[str, Records]) -> Section:
    """Of records of `operations.decisions`."""
    whole = {name: told for name, records in found.items() if (told := shares(records)) is not None}
    columns = ["decisions", "right", "operation", "targets", "mode", "harmless", "without a decision"]
    rows = [Row(name, _shares(told), place) for place, (name, told) in enumerate(whole.items())]
    kinds = {name: per_kind(found[name]) for name in whole}
    names = list(dict.fromkeys(kind for by_kind in kinds.values() for kind in by_kind))
    by_kind = [
        Row(name, [_right(told.get(kind)) for kind in names], place) for place, (name, told) in enumerate(kinds.items())
    ]
    blocks: list[Block] = [
        Text(DECISIONS_NOTE),
        Table("Decisions", columns, rows),
        Table("Right, by kind", names, by_kind),
    ]
    blocks += [Fold(f"What was decided: {name}", [_confusion(found[name])]) for name in whole]
    return Section("Decisions", blocks)


def _shares(told: Shares) -> list[Cell]:
    parts = [Cell(NONE if one is None else percent(one)) for one in (told.targets, told.mode)]
    right, op, harmless = (_of(one, told.n) for one in (told.right, told.op, told.harmless))
    return [Cell(count(told.n)), right, op, *parts, harmless, Cell(count(told.failed))]


def _right(told: Shares | None) -> Cell:
    return Cell(NONE) if told is None else _of(told.right, told.n)


def _of(part: float, n: int) -> Cell:
    return share(wilson(round(part * n), n))


def _confusion(records: Records) -> Table:
    """Rows are what is right, columns what came of it."""
    counts = confusion(records)
    right, got = (sorted({pair[place] for pair in counts}) for place in (0, 1))
    rows = [Row(one, [Cell(count(counts.get((one, other))), best=one == other) for other in got]) for one in right]
    return Table("Right answers, and what was decided", got, rows, first="right")


def halumem(updates: Mapping[str, Records], extraction: Mapping[str, Records]) -> Section:
    """Of records of `operations.updates` and `operations.extraction`."""
    blocks: list[Block] = [Text(HALUMEM_NOTE)]
    for title, found, figures in (("Updates", updates, updating), ("Extraction", extraction, extracting)):
        told = {name: figures(records) for name, records in found.items()}
        columns = list(dict.fromkeys(figure for one in told.values() for figure in one))
        rows = [
            Row(name, [_figure(one.get(figure)) for figure in columns], place)
            for place, (name, one) in enumerate(told.items())
        ]
        blocks += [Table(title, columns, rows)] if rows else []
    return Section("HaluMem", blocks)


def _figure(value: float | int | None) -> Cell:
    """A share in %, or a number of things."""
    return Cell(count(value) if value is None or isinstance(value, int) else percent(value))


def judge(found: Mapping[str, Mapping[Kind, Estimate]]) -> Section:
    """Of `probe.accepted`."""
    kinds = [kind for kind in KINDS if any(kind in one for one in found.values())]
    rows = [Row(name, [share(one.get(kind), several=True) for kind in kinds]) for name, one in found.items()]
    return Section(
        "The judge, probed", [Text(JUDGE_NOTE), Table("Accepted, by kind of reply", kinds, rows, first="judge")]
    )
