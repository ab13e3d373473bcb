"""Facts and candidates → decisions by one call to a language model; more only where it is too long or left a fact out.

The model sees memories and facts under the numbers of `candidates.py` and answers in the shape of `replies.ReconcileReply`.
What it decides passes `guard.py` afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime

from .. import prompts
from ..errors import BudgetExceeded, ContextTooLong, ModelError, ReconciliationFailed, ReplyInvalid, ReplyTruncated
from ..model import Add, Case, Decision, Delete, EventTime, Keep, Reconciliation, Slot, SourceClass, Update, Usage
from ..ports import ChatModel
from .replies import DecisionReply, ReconcileReply

PROMPT = ("reconcile", 1)
MAX_CHARACTERS = 24_000  # of memories and facts in one call
SPLITS = 12  # how often one chunk's cases may be halved
MAX_REASON = 1_000  # characters that are kept of why


class ModelReconciler:
    """A `Reconciler` by a language model. Raises ModelError, with `.usage` of all that was paid for."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model
        self._prompt = prompts.load(*PROMPT)

    async def reconcile(self, cases: Sequence[Case]) -> Reconciliation:
        """One decision per case, in their order; in the undisturbed case by one call."""
        run = _Run(self._model, self._prompt)
        try:
            await run.ask(cases)
            if left_out := [case for case in cases if case.number not in run.decided]:
                with suppress(ReconciliationFailed):  # what is left undecided a second time is added, and flagged
                    await run.ask(left_out)
        except (ModelError, BudgetExceeded) as error:
            error.usage = run.usage
            raise
        undecided = Add(reason="the model decided nothing", flag="no decision")
        decisions = tuple(run.decided.get(case.number, undecided) for case in cases)
        return Reconciliation(decisions, run.usage, run.model, self._prompt.id)

    def question(self, cases: Sequence[Case]) -> list[dict[str, str]]:
        """The messages of one call."""
        return question(self._prompt, cases)


class _Run:
    """The calls for one chunk, and what was decided so far: by the fact's number."""

    def __init__(self, model: ChatModel, prompt: prompts.Prompt) -> None:
        self._model, self._prompt = model, prompt
        self._splits = 0
        self.decided: dict[int, Decision] = {}
        self.usage = Usage()
        self.model: str | None = None

    async def ask(self, cases: Sequence[Case]) -> None:
        """Decide cases; halve them where that is too much for one call."""
        asked = question(self._prompt, cases)
        if len(cases) > 1 and len(asked[-1]["content"]) > MAX_CHARACTERS:
            return await self._halves(cases)
        try:
            done = await self._model.complete(asked, ReconcileReply)
        except (ContextTooLong, ReplyTruncated, ReplyInvalid) as error:
            self.usage += error.usage
            self._splits += 1
            if len(cases) == 1 or self._splits > (1 if isinstance(error, ReplyInvalid) else SPLITS):
                raise ReconciliationFailed(f"no usable reply of the model ({type(error).__name__})") from error
            return await self._halves(cases)
        except (ModelError, BudgetExceeded) as error:
            self.usage += error.usage
            raise
        self.usage += done.usage
        self.model = done.model
        self._read(done.value, cases)
        return None

    async def _halves(self, cases: Sequence[Case]) -> None:
        middle = len(cases) // 2
        await self.ask(cases[:middle])
        await self.ask(cases[middle:])

    def _read(self, reply: ReconcileReply, cases: Sequence[Case]) -> None:
        """The decisions of facts that were asked for and are decided once; others are left for a second question."""
        by_fact: dict[int, list[DecisionReply]] = {}
        for one in reply.decisions:
            by_fact.setdefault(one.fact, []).append(one)
        for case in cases:
            answers = by_fact.get(case.number, [])
            if answers and all(decision_of(one, case) == decision_of(answers[0], case) for one in answers):
                self.decided[case.number] = decision_of(answers[0], case)


def decision_of(reply: DecisionReply, case: Case) -> Decision:
    """A well-formed decision of a reply as ours; whether it may stand is the guard's question."""
    targets, reason = tuple(reply.targets), reply.reason[:MAX_REASON]
    match reply.op:
        case "ADD":
            return Add(reason=reason)
        case "NONE":
            return Keep(targets[0] if targets else None, reason=reason)
        case "DELETE":
            return Delete(targets, reason=reason)
        case "UPDATE":
            text = case.fact.text if reply.text is None else reply.text
            return Update(targets, reply.mode or "supersede", text, reason=reason)


# --- the question ------------------------------------------------------------------------------------------------------


def question(prompt: prompts.Prompt, cases: Sequence[Case]) -> list[dict[str, str]]:
    """The messages of one call."""
    return prompt.render(memories=memory_lines(cases), facts=fact_lines(cases))


def memory_lines(cases: Sequence[Case]) -> str:
    """Every memory that is beside one of the facts, once, under its number; earlier facts that are not asked about too."""
    asked = {case.number for case in cases}
    shown = {one.number: one for case in cases for one in case.candidates if one.number not in asked}
    lines = [_line(n, one.valid_from, one.slot, one.source, one.text, one.event) for n, one in sorted(shown.items())]
    return "\n".join(lines) or "(none)"


def fact_lines(cases: Sequence[Case]) -> str:
    """The facts under their numbers, each with the numbers of what it is beside."""
    return "\n".join(_fact_line(case) for case in cases)


def _fact_line(case: Case) -> str:
    fact = case.fact
    mark = "forget" if fact.bare_forget else "over" if fact.retracts else None
    line = _line(case.number, case.stated_at, fact.slot, fact.source, fact.text, fact.event, mark)
    beside = ", ".join(str(number) for number in sorted({one.number for one in case.candidates}))
    return f"{line} · beside {beside}" if beside else line


def _line(
    number: int,
    since: datetime,
    slot: Slot | None,
    source: SourceClass,
    text: str,
    event: EventTime | None,
    mark: str | None = None,
) -> str:
    return " · ".join((f"[{number}] {since.date()}", *_marks(slot, source, event, mark), " ".join(text.split())))


def _marks(slot: Slot | None, source: SourceClass, event: EventTime | None, mark: str | None) -> Iterator[str]:
    if slot is not None:
        yield f"{slot.subject}, {slot.attribute}"
    if event is not None:
        first, last = event.start.date(), event.end.date()
        yield f"happens {first}" if first == last else f"happens {first} to {last}"
    if source is not SourceClass.USER:
        yield "claimed" if source is SourceClass.CLAIM else f"said by the {source.value}"
    if mark is not None:
        yield mark
