"""A data set's numbers as tables, for one key or for both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..attribution import STAGES, Stage, table
from ..baseline import COLUMNS, by_category, row
from ..metrics import LOWER_IS_BETTER
from ..model import Spent
from ..scores import OVERALL, Key
from ..statistics import Estimate
from . import notes
from .names import EVIDENCE, families, headlines, label
from .numbers import count, latencies, percent, questions, share, usd
from .subjects import Group, Subject
from .values import NONE, Cell, Row, Table


def baselines(group: Group) -> Table | None:
    """Every system in the columns of the retrieval baselines, by their method; None where no ranking was measured."""
    found = [(one, row(one.scores), by_category(one.scores)) for one in group.subjects]
    found = [(one, columns, categories) for one, columns, categories in found if columns]
    columns = [name for name in COLUMNS if any(name in measured for _, measured, _ in found)]
    categories = [name for name in group.categories if any(name in measured for _, _, measured in found)]
    if not columns:
        return None
    rows = _rows(
        [one for one, _, _ in found],
        [[c.get(x) for x in columns] + [g.get(x) for x in categories] for _, c, g in found],
    )
    heads = [*columns, *(f"R@10 {name}" for name in categories)]
    means = [replace(one, cells=[replace(cell, detail="") for cell in one.cells]) for one in rows]
    return Table("Retrieval, by the baselines' method", heads, means, f"Means in %; intervals below. {_asked(rows)}")


def by_family(group: Group, category: str = OVERALL, key: Key = "released") -> list[Table]:
    """All metrics of a category, or overall."""
    tables = []
    for name, metrics in families(group.metrics).items():
        values = [[one.estimate(metric, category, key) for metric in metrics] for one in group.subjects]
        silence = name == EVIDENCE and category == OVERALL and any(one.scores.unrelated.n for one in group.subjects)
        if silence:
            values = [[*own, one.scores.unrelated] for own, one in zip(values, group.subjects, strict=True)]
        shown = [(one, own) for one, own in zip(group.subjects, values, strict=True) if any(own)]
        if not any(estimate is not None and estimate.n for _, own in shown for estimate in own):
            continue
        lower = [metric in LOWER_IS_BETTER for metric in metrics] + [False] * silence
        rows = _rows([one for one, _ in shown], [own for _, own in shown], lower)
        columns = [label(metric) for metric in metrics] + ["silent on unrelated"] * silence
        tables.append(Table(name, columns, rows, _asked(rows)))
    return tables


def per_category(group: Group, metric: str, key: Key = "released") -> Table:
    """One metric, overall and in each category."""
    names = [OVERALL, *group.categories]
    names = [name for name in names if any(one.estimate(metric, name, key) for one in group.subjects)]
    shown = [one for one in group.subjects if one.estimate(metric, key=key)]
    values = [[one.estimate(metric, name, key) for name in names] for one in shown]
    rows = _rows(shown, values, [metric in LOWER_IS_BETTER] * len(names))
    return Table(f"{label(metric)} by category", names, rows, _asked(rows))


def both_keys(group: Group) -> Table:
    """The headlines by the released key and by the corrected one."""
    metrics = headlines(group.metrics)
    values = [
        [one.estimate(metric, key=key) for metric in metrics for key in ("released", "corrected")]
        for one in group.subjects
    ]
    rows = _rows(group.subjects, values)
    columns = [f"{label(metric)}, {key}" for metric in metrics for key in ("released", "corrected")]
    return Table("The released and the corrected key", columns, rows, _asked(rows))


def attribution(group: Group) -> Table:
    """Where each system lost its questions."""
    found = [(one, _asked_of(one), table(one.cases)) for one in group.subjects]
    stages = [stage for stage in STAGES if any(stage in counts for *_, lost in found for counts in lost.values())]
    rows = [
        Row(one.label, _stages(sum(asked.values()), _summed(lost), stages), one.place) for one, asked, lost in found
    ]
    return Table("Questions lost, by stage", [*_LOST, *stages], rows)


def attribution_of(one: Subject) -> Table:
    """Where a system lost its questions, by category."""
    asked, lost = _asked_of(one), table(one.cases)
    stages = [stage for stage in STAGES if any(stage in counts for counts in lost.values())]
    rows = [Row(name, _stages(n, lost.get(name, {}), stages)) for name, n in asked.items()]
    rows.append(Row("all", _stages(sum(asked.values()), _summed(lost), stages)))
    return Table(one.label, [*_LOST, *stages], rows, first="category")


_LOST = ("asked", "lost", "lost, %")


def _asked_of(one: Subject) -> dict[str, int]:
    """Category → questions, in the data set's order; those count that failed before they could be asked."""
    order = [row.category for row in one.scores.rows.values()]
    early = {case.question.id: case.question.category for case in one.cases if case.question.id not in one.scores.rows}
    return dict(Counter([*order, *early.values()]))


def _summed(lost: Mapping[str, Mapping[Stage, int]]) -> Counter[Stage]:
    return sum((Counter(counts) for counts in lost.values()), Counter[Stage]())


def _stages(asked: int, counts: Mapping[Stage, int], stages: Sequence[Stage]) -> list[Cell]:
    lost = sum(counts.values())
    numbers = [Cell(count(counts[stage]) if counts.get(stage) else NONE) for stage in stages]
    return [Cell(count(asked)), Cell(count(lost)), Cell(percent(lost / asked) if asked else NONE), *numbers]


def latency(group: Group) -> Table:
    """Time of a question and size of its context."""
    rows = []
    for one in group.subjects:
        cost = one.scores.cost
        spreads = (cost.search_seconds, cost.context_seconds, cost.answer_seconds)
        sizes = [
            Cell(count(size)) for size in (cost.context_tokens.mean, cost.context_tokens.p50, cost.context_tokens.p95)
        ]
        seconds = Cell(f"{cost.ingest.seconds:,.1f}" if cost.ingest.seconds else NONE)
        rows.append(Row(one.label, [seconds, *(cell for s in spreads for cell in latencies(s)), *sizes], one.place))
    names = ["search", "context", "answer"]
    columns = ["ingest, s", *(f"{name} {p}, ms" for name in names for p in ("p50", "p95"))]
    columns += ["context tokens", "tokens p50", "tokens p95"]
    return _without_empty(Table("Time and context size", columns, rows, notes.LATENCY))


def money(group: Group) -> Table | None:
    """Calls, tokens and money of each phase; None where no model was called."""
    rows = []
    for one in group.subjects:
        cost = one.scores.cost
        phases: dict[str, Spent] = {"ingest": cost.ingest, "answer": cost.answer, "judge": cost.judge}
        rows += [Row(one.label, _spent(name, spent), one.place) for name, spent in phases.items() if spent.calls]
    if not rows:
        return None
    return Table("Calls and money", ["phase", "calls", "tokens in", "tokens out", "US dollars"], rows, notes.MONEY)


def _spent(phase: str, spent: Spent) -> list[Cell]:
    numbers = (count(spent.calls), count(spent.input_tokens), count(spent.output_tokens), usd(spent.usd))
    return [Cell(phase), *map(Cell, numbers)]


def stored(group: Group) -> Table | None:
    """What systems stored, rejected and failed at; None where none of it happened."""
    rows = []
    for one in group.subjects:
        rejected = ", ".join(f"{reason} {n:,}" for reason, n in one.scores.rejected.items()) or NONE
        failed = ", ".join(f"{phase} {n:,}" for phase, n in one.scores.failed.items()) or NONE
        memories = count(one.scores.memories) if one.scores.memories else NONE
        if {memories, rejected, failed} != {NONE}:
            rows.append(Row(one.label, [Cell(memories), Cell(rejected), Cell(failed)], one.place))
    if not rows:
        return None
    return Table("Stored, rejected, failed", ["memories", "facts rejected, by reason", "records that failed"], rows)


def judges(group: Group) -> str:
    """Who judged how many answers."""
    found: dict[str, int] = {}
    for one in group.subjects:
        for judge, n in one.scores.judges.items():
            found[judge] = found.get(judge, 0) + n
    return ", ".join(f"{judge} ({n:,} judgements)" for judge, n in found.items())


def _rows(
    subjects: Sequence[Subject], values: Sequence[Sequence[Estimate | None]], lower: Sequence[bool] = ()
) -> list[Row]:
    """A row per system, the best of each column marked, with how many questions where columns differ in that."""
    columns = list(zip(*values, strict=True))
    best = [_best(column, place < len(lower) and lower[place]) for place, column in enumerate(columns)]
    several = [len({one.n for one in column if one is not None and one.n}) > 1 for column in columns]
    return [
        Row(
            one.label,
            [
                share(estimate, best=estimate is not None and estimate.mean == best[place], several=several[place])
                for place, estimate in enumerate(own)
            ],
            one.place,
        )
        for one, own in zip(subjects, values, strict=True)
    ] + _asked_row(columns, several)


def _asked_row(columns: Sequence[Sequence[Estimate | None]], several: Sequence[bool]) -> list[Row]:
    if not columns:
        return []
    numbers = [max((one.n for one in column if one is not None), default=0) for column in columns]
    cells = [Cell("varies" if more else count(n) if n else NONE) for n, more in zip(numbers, several, strict=True)]
    return [Row("questions", cells, aside=True)]


def _best(column: Sequence[Estimate | None], lower: bool) -> float | None:
    """None where there is nothing to be better than."""
    means = [one.mean for one in column if one is not None and one.mean is not None]
    if len(set(means)) < 2:
        return None
    return min(means) if lower else max(means)


def _asked(rows: Sequence[Row]) -> str:
    """Something to say where systems were asked different numbers of questions."""
    varies = any(cell.text == "varies" for one in rows if one.aside for cell in one.cells)
    return notes.UNEQUAL if varies else ""


def _without_empty(told: Table) -> Table:
    """Without the columns that nobody has anything in."""
    kept = [place for place in range(len(told.columns)) if any(row.cells[place].text != NONE for row in told.rows)]
    rows = [Row(one.head, [one.cells[place] for place in kept], one.subject, one.aside) for one in told.rows]
    return Table(told.title, [told.columns[place] for place in kept], rows, told.note, told.first)


def asked_in(group: Group) -> str:
    """How many questions of how many conversations."""
    rows = {name: row.conversation for one in group.subjects for name, row in one.scores.rows.items()}
    return f"{questions(len(rows))} about {len(set(rows.values())):,} conversation{'' if len(set(rows.values())) == 1 else 's'}"
