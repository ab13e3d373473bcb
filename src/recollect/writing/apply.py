"""Decisions → effects in a plan, one fact after the other: what an earlier fact of the chunk did is known to the later ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from ..model import Add, Candidate, Case, Decision, Delete, Keep, Reconciliation, Row, Update, text_key
from ..records import QUARANTINED
from .candidates import candidate_of
from .plan import Content, Plan, Why
from .prepare import ChunkWork, stated_at


def add_messages(plan: Plan, work: ChunkWork, moment: datetime) -> None:
    """`infer=False`: one memory per message, quoted whole, unique by text *and* metadata."""
    if work.batch.successive:
        add_versions(plan, work)
        return
    for fact, content in zip(work.facts, work.contents, strict=True):
        same = plan.find_live(content, moment)
        if same is not None and dict(same.metadata) == dict(content.metadata):
            plan.keep(same, content.quotes, content.expires_at, Why("exact duplicate"))
        else:
            plan.add(content, stated_at(fact, work.chunk), Why("stored as given"))


def add_versions(plan: Plan, work: ChunkWork) -> None:
    """Each message is what one memory said from its time on: a version each, quoted whole."""
    last: Row | None = None
    for fact, content in zip(work.facts, work.contents, strict=True):
        since = stated_at(fact, work.chunk)
        if last is None:
            last = plan.add(content, since, Why("stored as given"))
        else:
            last = plan.supersede(last, (), content, max(since, last.valid_from), Why("its next version"))


def quarantine(plan: Plan, work: ChunkWork, moment: datetime) -> None:
    """Put aside what must not be served before somebody has looked at it, and take the turns that are like that out of search.

    What says just what a live memory says is nothing new, and what is in quarantine already is not put there twice.
    """
    for fact, content, doubt in work.doubted:
        why = Why(doubt, QUARANTINED)
        live, aside = plan.find_live(content, moment), plan.find_quarantined(content)
        if live is not None:
            plan.keep(live, content.quotes, content.expires_at, Why("exact duplicate"))
        elif aside is not None:
            plan.keep(aside, content.quotes, content.expires_at, why)
        else:
            plan.add(content, stated_at(fact, work.chunk), why, quarantined=True)
    if work.hidden:
        reasons = ", ".join(dict.fromkeys(work.hidden.values()))
        plan.hide(work.hidden, Why(f"{len(work.hidden)} turns taken out of search: {reasons}"[:500], QUARANTINED))


def apply_all(
    plan: Plan,
    cases: Sequence[Case],
    decisions: Sequence[Decision],
    contents: Sequence[Content],
    moment: datetime,
    by: Reconciliation,
) -> None:
    """Plan the effects of a chunk's decisions, in the order of its facts."""
    outcome: list[str | None] = []
    for case, decision, content in zip(cases, decisions, contents, strict=True):
        why = Why(decision.reason, decision.flag, model=by.model, prompt_id=by.prompt_id)
        outcome.append(_Step(plan, case, content, moment, outcome, why).apply(decision))


@dataclass(frozen=True, slots=True)
class _Step:
    """One decision on its way into the plan. `outcome`: the memory that came of each earlier fact of the chunk."""

    plan: Plan
    case: Case
    content: Content
    moment: datetime
    outcome: Sequence[str | None]
    why: Why

    def apply(self, decision: Decision) -> str | None:
        """The id of the memory that the fact ended up in."""
        match decision:
            case Add():
                return self._add()
            case Keep(target):
                return self._keep(target)
            case Update():
                return self._update(decision)
            case Delete():
                return self._delete(decision)
            case _:
                assert_never(decision)

    def _row(self, number: int) -> Row | None:
        """A target as the plan leaves it so far: its live version, or none where it ended meanwhile."""
        candidate = candidate_of(self.case, number)
        memory_id = self.outcome[candidate.earlier] if candidate.earlier is not None else None
        if candidate.row is not None:
            memory_id = candidate.row.memory_id
        return None if memory_id is None else self.plan.live(memory_id, self.moment)

    def _add(self) -> str:
        same = self.plan.find_live(self.content, self.moment)
        if same is not None:
            self.plan.keep(
                same, self.content.quotes, self.content.expires_at, replace(self.why, reason="exact duplicate")
            )
            return same.memory_id
        return self.plan.add(self.content, self.case.stated_at, self.why).memory_id

    def _keep(self, target: int | None) -> str | None:
        row = None if target is None else self._row(target)
        if target is not None and row is None and not self.case.fact.retracts:
            return self._add()  # what it repeats has ended earlier in the chunk
        if row is not None and target is not None and not self._still_says(row, target):
            return self.plan.supersede(row, (), self.content, self.case.stated_at, self.why).memory_id
        quotes = self.content.quotes if row else ()
        self.plan.keep(row, quotes, self.content.expires_at, self.why)
        return row.memory_id if row else None

    def _still_says(self, row: Row, target: int) -> bool:
        """Whether the target's live version is what the decision saw; an earlier fact of the chunk may have changed it."""
        return row.statement.text_key == text_key(candidate_of(self.case, target).text)

    def _update(self, decision: Update) -> str:
        # Two targets may have become one memory: a fact of this chunk that was kept in the other.
        rows = {row.memory_id: row for row in map(self._row, decision.targets) if row is not None}
        if not rows:
            return self._add()
        first, *others = rows.values()
        content = self._updating(first, decision)
        same = self.plan.find_live(content, self.moment)
        if same is not None and same.memory_id not in rows:
            return self._add()
        if decision.mode == "revise":
            since = self.case.fact.valid_from
            return self.plan.revise(first, content, self.why, others=others, since=since).memory_id
        return self.plan.supersede(first, others, content, self.case.stated_at, self.why).memory_id

    def _updating(self, row: Row, decision: Update) -> Content:
        """The content of a row's next version: metadata and expiry of both; of what is revised, all that the fact leaves out."""
        merged = {**row.metadata, **self.content.metadata}
        content = replace(self.content, metadata=merged, expires_at=self.content.expires_at or row.expires_at)
        if decision.mode == "supersede":
            return content
        return refined(content, row, candidate_of(self.case, decision.targets[0]))

    def _delete(self, decision: Delete) -> str | None:
        rows = [row for row in map(self._row, decision.targets) if row is not None]
        if not rows:
            return self._add()
        ended = self.plan.delete(rows, self.case.stated_at, self.content.quotes, self.why)
        if ended is None:
            return self._keep(None)
        return ended.memory_id


def refined(content: Content, row: Row, target: Candidate) -> Content:
    """A refinement keeps the slot of what it refines, for it is about the same matter, and what it does not speak of: the
    value, the time, entities and relations."""
    said = row.statement
    named = {entity.name.casefold(): entity for entity in (*target.entities, *content.entities)}
    slot = said.slot or content.slot
    same = content.slot is not None and slot is not None and content.slot.key == slot.key
    return replace(
        content,
        slot=slot,
        value=content.value or said.value if same else said.value,
        event=content.event or said.event,
        entities=tuple(named.values()),
        relations=tuple(dict.fromkeys((*target.relations, *content.relations))),
    )
