"""The questions that were lost, each with what became of it in every system."""

from __future__ import annotations

from ..attribution import Case
from ..scores import Row
from .subjects import Group, Subject
from .values import CaseItem, Cases, Outcome


def cases(group: Group) -> Cases:
    """In the order in which systems lost them, the first system's first; a question comes once."""
    lost: dict[str, dict[int, Case]] = {}
    for one in group.subjects:
        for case in one.cases:
            lost.setdefault(case.question.id, {})[one.place] = case
    items = [_item(group, mine) for mine in lost.values()]
    return Cases(items, [one.label for one in group.subjects])


def _item(group: Group, mine: dict[int, Case]) -> CaseItem:
    first = next(iter(mine.values()))
    evidence = next((case.evidence for case in mine.values() if case.evidence), ())
    outcomes = [_outcome(one, mine.get(one.place), first.question.id) for one in group.subjects]
    return CaseItem(first.conversation, first.question, evidence, outcomes)


def _outcome(one: Subject, case: Case | None, question: str) -> Outcome:
    if case is not None:
        return Outcome(one.place, one.label, case.stage, case)
    return Outcome(one.place, one.label, _not_lost(one.scores.rows.get(question)), None)


def _not_lost(row: Row | None) -> str:
    """What is known of a question that is no case."""
    if row is None:
        return "not asked"
    if "accuracy" in row.values:
        return "right"
    if not row.values:
        return "not measured"
    return "evidence in the context" if "coverage" in row.values else "not lost"
