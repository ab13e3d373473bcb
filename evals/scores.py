"""All numbers of one system in one run, from its records, and of two systems beside each other. Plain values, no files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from .metrics import ANSWERS, KS, Asked, Metric, retrieval
from .metrics.cost import Cost, cost
from .metrics.judge import versions
from .metrics.unrelated import silence
from .model import DataSet
from .records import Records
from .statistics import Difference, Estimate, McNemar, bootstrap, holm, mcnemar, paired_bootstrap

Key = Literal["released", "corrected"]
KEYS: tuple[Key, ...] = ("released", "corrected")
OVERALL = "overall"
Table = Mapping[
    str, Mapping[str, Estimate]
]  # "overall" or a category → metric → estimate; without those that nobody takes part in


@dataclass(frozen=True, slots=True)
class Row:
    """One question: its values by metric, without those in which it takes no part."""

    conversation: str
    category: str
    doubts: frozenset[str]
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Scores:
    """What a system did.

    `tables`: for the key as released, and for the corrected one, from whose answer metrics the questions are left out whose
    answer an audit doubts, and from whose retrieval metrics those whose evidence it doubts. `unrelated`: share of unrelated
    questions answered by silence. `judges`: "model prompt" → judgements. `failed`: phase → records with an error. `memories`:
    stored, by ingestion's count; `rejected`: facts, by reason. `rows`: the questions that were asked, by id, for comparing.
    """

    tables: Mapping[Key, Table]
    unrelated: Estimate
    cost: Cost
    judges: Mapping[str, int]
    failed: Mapping[str, int]
    memories: int
    rejected: Mapping[str, int]
    rows: Mapping[str, Row] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Compared:
    """b − a over the questions in which both take part. `exact`: McNemar's test where the values are 0 and 1, else None.
    `adjusted`: p after Holm over the categories of the metric ("overall" is tested alone): of `exact` where there is one,
    else of `difference`; None without pairs. `only_a`, `only_b`: how many questions only one has a value for."""

    difference: Difference
    exact: McNemar | None
    adjusted: float | None
    only_a: int
    only_b: int


def score(
    data: DataSet, records: Records, *, ks: Sequence[int] = KS, by_conversation: bool = False, seed: int = 0
) -> Scores:
    """Everything for one system. Recall at a k above the number of results that were asked for is only a lower bound.

    `by_conversation`: intervals over conversations instead of questions, see `statistics`. Where a system names no turns for
    its results, the retrieval metrics are left out."""
    of_results = retrieval(ks) if records.names_turns else {}
    rows = {
        one.question.id: Row(
            conversation, one.question.category, one.question.doubts, _values(one, of_results | ANSWERS)
        )
        for conversation, one in records.asked(data)
    }
    unrelated = [silence(one["found"]) for one in records.unrelated.values() if "error" not in one]
    ingested = [one for one in records.ingest.values() if "error" not in one]
    return Scores(
        tables={key: _table(rows, key, by_conversation, seed) for key in KEYS},
        unrelated=bootstrap(unrelated, seed=seed),
        cost=cost(*(kind.values() for kind in (records.ingest, records.search, records.answers, records.judgements))),
        judges=versions(one for one in records.judgements.values() if "error" not in one),
        failed=_failed(records),
        memories=sum(one["memories"] for one in ingested),
        rejected=_added(one.get("rejected", {}) for one in ingested),
        rows=rows,
    )


def compare(
    a: Scores, b: Scores, key: Key = "released", *, by_conversation: bool = False, seed: int = 0
) -> dict[str, dict[str, Compared]]:
    """metric → "overall" or a category → b against a, for the metrics and groups in which any question has both values.

    Only questions that both have count: a difference is never one of the questions asked.
    """
    found: dict[str, dict[str, Compared]] = {}
    names = dict.fromkeys(name for rows in (a.rows, b.rows) for row in rows.values() for name in row.values)
    for name in names:
        mine, theirs = _slices(a.rows, name, key), _slices(b.rows, name, key)
        groups = {
            group: _compared(mine[group], theirs[group], a.rows, by_conversation, seed)
            for group in mine
            if group in theirs and mine[group].keys() & theirs[group].keys()
        }
        if groups:
            found[name] = _adjusted(groups)
    return found


def _values(one: Asked, metrics: Mapping[str, Metric]) -> dict[str, float]:
    values = ((name, metric(one)) for name, metric in metrics.items())
    return {name: value for name, value in values if value is not None}


def _table(rows: Mapping[str, Row], key: Key, by_conversation: bool, seed: int) -> Table:
    table: dict[str, dict[str, Estimate]] = {OVERALL: {}}
    for name in dict.fromkeys(name for row in rows.values() for name in row.values):
        for group, values in _slices(rows, name, key).items():
            groups = [rows[question].conversation for question in values] if by_conversation else None
            table.setdefault(group, {})[name] = bootstrap(list(values.values()), groups, seed=seed)
    return table


def _slices(rows: Mapping[str, Row], name: str, key: Key) -> dict[str, dict[str, float]]:
    """ "overall" and each category → question → value of a metric, where any has one."""
    slices: dict[str, dict[str, float]] = {}
    doubt = "answer" if name in ANSWERS else "evidence"
    for question, row in rows.items():
        if name in row.values and not (key == "corrected" and doubt in row.doubts):
            for group in (OVERALL, row.category):
                slices.setdefault(group, {})[question] = row.values[name]
    return slices


def _compared(
    a: Mapping[str, float], b: Mapping[str, float], rows: Mapping[str, Row], by_conversation: bool, seed: int
) -> Compared:
    both = [question for question in a if question in b]
    one, other = [a[question] for question in both], [b[question] for question in both]
    groups = [rows[question].conversation for question in both] if by_conversation else None
    difference = paired_bootstrap(one, other, groups, seed=seed)
    exact = mcnemar(one, other) if {*one, *other} <= {0, 1} else None
    p = difference.p if exact is None else exact.p
    return Compared(difference, exact, p, len(a) - len(both), len(b) - len(both))


def _adjusted(groups: Mapping[str, Compared]) -> dict[str, Compared]:
    """With Holm's correction over the categories."""
    tested = {group: one.adjusted for group, one in groups.items() if group != OVERALL and one.adjusted is not None}
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    return {group: replace(one, adjusted=adjusted.get(group, one.adjusted)) for group, one in groups.items()}


def _failed(records: Records) -> dict[str, int]:
    phases = {
        "ingest": records.ingest,
        "search": records.search,
        "answer": records.answers,
        "judge": records.judgements,
        "unrelated": records.unrelated,
    }
    counts = {phase: sum("error" in one for one in kind.values()) for phase, kind in phases.items()}
    return {phase: n for phase, n in counts.items() if n}


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))
