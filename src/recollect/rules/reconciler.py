"""Decisions without a model: by slot, by near-identical text, by explicit retraction. Never across subjects."""

from __future__ import annotations

from collections.abc import Sequence

from ..model import Add, Candidate, Case, Decision, Delete, Fact, Keep, Reconciliation, Update
from ..safety.trust import Trust
from ..writing.candidates import meant
from .changes import CHANGED, CHANGES
from .endings import is_ended, is_event, never_was
from .likeness import same_value, says_the_same

MAX_ENDED = 5  # memories that one retraction ends


class RulesReconciler:
    """A `Reconciler` of rules: deterministic, no network. Deletes only what shares slot or nearly the words, and changes nothing
    that is trusted more, by the `trust` that the guard goes by."""

    def __init__(self, trust: Trust | None = None) -> None:
        self._trust = trust or Trust()

    async def reconcile(self, cases: Sequence[Case]) -> Reconciliation:
        """One decision per case; no target is hit by two operations."""
        taken: set[tuple[str, object]] = set()
        decisions = []
        for case in cases:
            free = [candidate for candidate in case.candidates if meant(candidate) not in taken]
            mine = [candidate for candidate in free if not self._trust.refuses(case.fact, candidate)]
            decision = _decide(case.fact, mine, case.candidates)
            if isinstance(decision, Update | Delete):
                numbered = {candidate.number: candidate for candidate in case.candidates}
                taken |= {meant(numbered[number]) for number in decision.targets}
            decisions.append(decision)
        return Reconciliation(tuple(decisions))


def _decide(fact: Fact, mine: Sequence[Candidate], every: Sequence[Candidate]) -> Decision:
    """`mine`: the candidates that the fact may change."""
    if fact.retracts:
        return _retract(fact, mine, every)
    for candidate in every:
        if says_the_same(fact, candidate) or same_value(fact, candidate):
            return Keep(candidate.number, reason="says the same")
    for ends, mode, reason in CHANGES:
        targets = [candidate for candidate in mine if ends(fact, candidate)]
        if targets:
            first = max(targets, key=lambda one: (not CHANGED.match(one.text), one.similarity, one.valid_from))
            return Update((first.number,), mode, fact.text, reason=reason)
    return Add(reason="nothing that it would change")


def _retract(fact: Fact, mine: Sequence[Candidate], every: Sequence[Candidate]) -> Decision:
    targets = tuple(one.number for one in mine if is_ended(fact, one))[:MAX_ENDED]
    if targets and not fact.bare_forget and never_was(fact):
        return Update(targets, "revise", fact.text, reason="it never was so")
    if targets and not fact.bare_forget and is_event(fact):
        return Update(targets, "supersede", fact.text, reason="it ended, and how is told")
    if targets:
        return Delete(targets, reason="no longer so")
    if fact.bare_forget:
        return Keep(None, reason="nothing like it is known", flag="nothing to forget")
    for candidate in every:
        if says_the_same(fact, candidate):
            return Keep(candidate.number, reason="says the same")
    return Add(reason="nothing that it would end", flag="unmatched retraction")
