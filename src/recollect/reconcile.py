"""What facts are reconciled with, and the guard: pure code that no decision passes unchecked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from .model import Add, Candidate, Case, Decision, Delete, Entity, Fact, Keep, Row, Update, text_key

MAX_CANDIDATES = 24
MAX_DELETED = 5  # targets of one retraction; more is taken for a mistake
SAME_WORDS = 0.5  # share of common words (Jaccard) from which a retraction is about a row with neither slot nor entity

_NAME_OR_NUMBER = re.compile(r"\d[\d.,:/-]*|\b[^\W\d_][\w'’-]*")


def known_candidates(
    rows: Iterable[tuple[Row, float]], entities: dict[int, tuple[Entity, ...]], first: int = 1
) -> list[Candidate]:
    """Rows with their cosines as numbered candidates."""
    return [
        Candidate(
            number=number,
            text=row.statement.text,
            kind=row.statement.kind,
            slot=row.statement.slot,
            value=row.statement.value,
            event=row.statement.event,
            entities=entities.get(row.statement.number, ()),
            valid_from=row.valid_from,
            source=row.statement.source,
            similarity=cosine,
            row=row,
        )
        for number, (row, cosine) in enumerate(rows, start=first)
    ]


def add_earlier(cases: Sequence[Case]) -> tuple[Case, ...]:
    """Cases whose candidates also hold the earlier facts of the chunk that share slot or entity, or say the same."""
    extended = []
    for position, case in enumerate(cases):
        earlier = [
            _earlier_candidate(earlier_case, i, len(case.candidates) + 1)
            for i, earlier_case in enumerate(cases[:position])
            if related(case.fact, earlier_case.fact)
        ]
        numbered = [replace(one, number=len(case.candidates) + n) for n, one in enumerate(earlier, start=1)]
        extended.append(replace(case, candidates=(*case.candidates, *numbered)))
    return tuple(extended)


def _earlier_candidate(case: Case, position: int, number: int) -> Candidate:
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
    )


def related(one: Fact, other: Fact) -> bool:
    """Whether two facts share slot or entity, or have the same text."""
    if one.slot and other.slot and one.slot.key == other.slot.key:
        return True
    return text_key(one.text) == text_key(other.text) or bool(names(one.entities) & names(other.entities))


def names(entities: Iterable[Entity]) -> set[str]:
    """Entities' names without case."""
    return {entity.name.casefold() for entity in entities}


def obvious(case: Case) -> Decision | None:
    """The decision that needs no reconciler: no candidates at all, or an exact duplicate."""
    fact = case.fact
    if not case.candidates and not fact.retracts:
        return Add(reason="nothing like it is known")
    if not fact.retracts:
        for candidate in case.candidates:
            same = text_key(candidate.text) == text_key(fact.text) and candidate.event == fact.event
            if same and candidate.slot == fact.slot:
                return Keep(candidate.number, reason="exact duplicate")
    return None


# --- the guard ---------------------------------------------------------------------------------------------------------


def guard(cases: Sequence[Case], decisions: Sequence[Decision]) -> tuple[Decision, ...]:
    """Decisions that can do no harm. A refused Update or Delete becomes an Add (a bare "forget" a Keep), flagged."""
    taken: set[tuple[str, object]] = set()
    checked = []
    for case, decision in zip(cases, decisions, strict=True):
        problem = _refusal(case, decision, taken)
        final = decision if problem is None else _fallback(case, problem)
        if isinstance(final, Update | Delete):
            taken |= {_identity(case, number) for number in final.targets}
        checked.append(final)
    return tuple(checked)


def _identity(case: Case, number: int) -> tuple[str, object]:
    candidate = candidate_of(case, number)
    return ("row", candidate.row.memory_id) if candidate.row else ("earlier", candidate.earlier)


def candidate_of(case: Case, number: int) -> Candidate:
    """The candidate of that number; only asked once the guard has seen that it is there."""
    return next(candidate for candidate in case.candidates if candidate.number == number)


def _fallback(case: Case, problem: str) -> Decision:
    if case.fact.bare_forget:
        return Keep(None, reason="nothing to forget", flag=problem)
    return Add(reason="kept beside what is known", flag=problem)


def _refusal(case: Case, decision: Decision, taken: set[tuple[str, object]]) -> str | None:
    match decision:
        case Add():
            return "a bare request to forget states nothing" if case.fact.bare_forget else None
        case Keep(target):
            return None if target is None else _unknown(case, (target,))
        case Update():
            return _refuse_targets(case, decision.targets, taken) or _refuse_update(case, decision)
        case Delete():
            return _refuse_targets(case, decision.targets, taken) or _refuse_delete(case, decision)


def _unknown(case: Case, targets: Sequence[int]) -> str | None:
    numbers = {candidate.number for candidate in case.candidates}
    return None if set(targets) <= numbers else "unknown target"


def _refuse_targets(case: Case, targets: Sequence[int], taken: set[tuple[str, object]]) -> str | None:
    if not targets or len(set(targets)) != len(targets):
        return "no target, or one twice"
    if problem := _unknown(case, targets):
        return problem
    if any(_identity(case, number) in taken for number in targets):
        return "two operations on one target"
    if any(candidate_of(case, number).source.trust > case.fact.source.trust for number in targets):
        return "a source of lower trust"
    return None


def _refuse_update(case: Case, decision: Update) -> str | None:
    text = decision.text.strip()
    if not text:
        return "empty update"
    known = case.fact.text + " " + " ".join(candidate_of(case, number).text for number in decision.targets)
    invented = marks(text) - marks(known) - {word.casefold() for word in _NAME_OR_NUMBER.findall(known)}
    return "names or numbers that occur nowhere" if invented else None


def _refuse_delete(case: Case, decision: Delete) -> str | None:
    if not case.fact.retracts:
        return "a deletion without a retraction"
    if len(decision.targets) > MAX_DELETED:
        return "mass deletion"
    if not all(is_about(case.fact, candidate_of(case, number)) for number in decision.targets):
        return "the target shares neither slot nor entity"
    return None


def is_about(fact: Fact, candidate: Candidate) -> bool:
    """Whether a retraction concerns a candidate: same slot, a common entity, or largely the same words."""
    if fact.slot and candidate.slot and fact.slot.key == candidate.slot.key:
        return True
    if names(fact.entities) & names(candidate.entities):
        return True
    return overlap(fact.text, candidate.text) >= SAME_WORDS


def overlap(one: str, other: str) -> float:
    """Share of common words (Jaccard), 0..1."""
    left, right = set(text_key(one).split()), set(text_key(other).split())
    return len(left & right) / len(left | right) if left | right else 0.0


def marks(text: str) -> set[str]:
    """Numbers, and words with a capital inside a sentence, without case: what must not be invented."""
    found = set()
    for match in _NAME_OR_NUMBER.finditer(text):
        word = match[0]
        starts = not text[: match.start()].rstrip() or text[: match.start()].rstrip()[-1] in ".!?"
        if word[0].isdigit() or (word[0].isupper() and not starts):
            found.add(word.rstrip(".,:/-").casefold())
    return found
