"""What facts are reconciled with: the memories nearest to each, and earlier facts of its chunk, under small numbers.

The numbers are those of the chunk: a memory has one number, whichever facts it is shown beside, and the facts follow the
memories. So a model sees each memory once, and can name an earlier fact as it names a memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from ..model import Add, Candidate, Case, Decision, Delete, Entity, Fact, Keep, Relation, Row, Update, text_key
from ..safety.trust import Trust

TRUST = Trust()
MAX_CANDIDATES = 24  # memories beside one fact

Near = Sequence[tuple[Row, float]]
"""The memories beside a fact, each with its cosine to it."""


def cases_of(
    facts: Sequence[Fact],
    stated: Sequence[datetime],
    near: Sequence[Near],
    entities: Mapping[int, tuple[Entity, ...]],
    relations: Mapping[int, tuple[Relation, ...]],
) -> tuple[Case, ...]:
    """The facts of a chunk, in order, each with what it is to be compared with. `entities`, `relations`: by statement."""
    numbers: dict[int, int] = {}
    for shown in near:
        for row, _ in shown:
            numbers.setdefault(row.number, len(numbers) + 1)
    cases: list[Case] = []
    for position, (fact, moment, shown) in enumerate(zip(facts, stated, near, strict=True)):
        known = [_known(numbers[row.number], row, cosine, entities, relations) for row, cosine in shown]
        earlier = [_earlier(len(numbers) + i + 1, i, case) for i, case in enumerate(cases) if related(fact, case.fact)]
        cases.append(Case(fact, moment, (*known, *earlier), len(numbers) + position + 1))
    return tuple(cases)


def _known(
    number: int,
    row: Row,
    cosine: float,
    entities: Mapping[int, tuple[Entity, ...]],
    relations: Mapping[int, tuple[Relation, ...]],
) -> Candidate:
    said = row.statement
    return Candidate(
        number=number,
        text=said.text,
        kind=said.kind,
        slot=said.slot,
        value=said.value,
        event=said.event,
        entities=entities.get(said.number, ()),
        valid_from=row.valid_from,
        source=said.source,
        similarity=cosine,
        row=row,
        relations=relations.get(said.number, ()),
    )


def _earlier(number: int, position: int, case: Case) -> Candidate:
    fact = case.fact
    return Candidate(
        number=number,
        text=fact.text,
        kind=fact.kind,
        slot=fact.slot,
        value=fact.value,
        event=fact.event,
        entities=fact.entities,
        valid_from=case.stated_at,
        source=fact.source,
        earlier=position,
        relations=fact.relations,
    )


def related(one: Fact, other: Fact) -> bool:
    """Whether two facts share slot or entity, or have the same text."""
    if one.slot and other.slot and one.slot.key == other.slot.key:
        return True
    return bool(names(one.entities) & names(other.entities)) or text_key(one.text) == text_key(other.text)


def names(entities: Iterable[Entity]) -> set[str]:
    """Entities' names without case."""
    return {entity.name.casefold() for entity in entities}


def candidate_of(case: Case, number: int) -> Candidate:
    """The candidate of that number; only asked once the guard has seen that it is there."""
    return next(candidate for candidate in case.candidates if candidate.number == number)


def obvious(case: Case, trust: Trust = TRUST) -> Decision | None:
    """The decision that needs no reconciler: no candidates at all, or an exact duplicate."""
    fact = case.fact
    if fact.retracts:
        return None
    if not case.candidates:
        return Add(reason="nothing like it is known")
    key = text_key(fact.text)
    for candidate in case.candidates:
        alike = candidate.event == fact.event and candidate.slot == fact.slot
        if alike and text_key(candidate.text) == key:
            if trust.of(fact.source, fact.kind) > trust.of(
                candidate.source, candidate.kind
            ):  # what a page said is the user's own word from now on
                return Update((candidate.number,), "revise", fact.text, reason="said again by one who is trusted more")
            return Keep(candidate.number, reason="exact duplicate")
    return None


def again(decision: Decision, before: Case, now: Case) -> Decision | None:
    """A decision on a fact whose candidates are read anew, with their new numbers; None where they are not the same."""
    number_of = {identity(candidate): candidate.number for candidate in now.candidates}
    same = {candidate.number: identity(candidate) for candidate in before.candidates}
    if set(same.values()) != set(number_of):
        return None
    renumbered = {number: number_of[one] for number, one in same.items()}
    match decision:
        case Update() | Delete():
            return replace(decision, targets=tuple(renumbered.get(number, 0) for number in decision.targets))
        case Keep(target) if target is not None:
            return replace(decision, target=renumbered.get(target, 0))
        case _:
            return decision


def identity(candidate: Candidate) -> tuple[str, int | None]:
    """The same for a candidate under whatever number: its row, or its place in the chunk."""
    return ("row", candidate.row.number) if candidate.row is not None else ("fact", candidate.earlier)


def meant(candidate: Candidate) -> tuple[str, object]:
    """What a decision on a candidate changes: its memory, whichever row of it is shown, or an earlier fact of the chunk."""
    return ("row", candidate.row.memory_id) if candidate.row is not None else ("earlier", candidate.earlier)
