"""`recollect pending` and `recollect resume`: what was accepted and is not finished."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from ...results import PendingBatch, Resumed
from .common import FAULT, Common, say
from .cost import show_paid
from .safe import count, moment, plain
from .showing import short
from .view import View

OF_A_MODEL = ("Model", "Reply", "Extraction", "Reconciliation", "ContextTooLong", "BudgetExceeded")
ADVICE = {
    "BudgetExceeded": "give a higher --budget, or none",
    "ModelConfigError": "check --llm, --api-base and the key",
    "ModelUnavailable": "the server is not there, too slow or over its quota: try again later",
    "StoreBusy": "another process is working on it",
}


def show_pending(batches: Sequence[PendingBatch], *, stderr: bool = False) -> None:
    """A line for each, and how to go on."""
    for one in batches:
        done = f"{one.chunks_done} of {count(one.chunks, 'chunk')} done, {count(one.attempts, 'attempt')}"
        why = one.error or ("a conversation that goes on" if one.status == "open" else "not begun")
        whose = "the shared space" if one.user_id is None else one.user_id
        when = moment(one.created_at)
        say(f"{one.status}: {short(one.batch_id)} of {plain(whose)}, {when}: {done}, {why}", stderr=stderr)
    if any(one.status != "open" for one in batches):
        failed = " --include-failed" if any(one.status == "failed" for one in batches) else ""
        say(f"`recollect resume{failed}`, with the same model, finishes what is pending.", stderr=stderr)


def pending(common: Common) -> None:
    """List what is not finished; with --user, of that user."""
    with common.existing() as memory:
        batches = [one for one in memory.pending() if common.user in (None, one.user_id)]
    if common.json:
        common.answer([one.model_dump(mode="json") for one in batches])
    elif batches:
        show_pending(batches)
    else:
        say("Nothing is pending.")


def resume(common: Common, *, include_failed: bool, wait: bool = False) -> int:
    """Finish what is pending, of all users; the exit code."""
    view = View(common, doing="resuming", unit="chunks")
    with common.existing(view.on_event) as memory:
        batches = [one for one in memory.pending() if include_failed or one.status == "pending"]
        insist_on_model(common, batches)
        view.expect(sum(one.chunks - one.chunks_done for one in batches))
        with view.progress:
            resumed = memory.flush() if wait else memory.resume(include_failed=include_failed)
        usage = memory.spent
    if common.json:
        common.answer({**resumed.model_dump(mode="json"), **view.told(), "usage": usage.model_dump(mode="json")})
    elif not resumed.finished and not resumed.failed:
        say("Nothing is pending.")
    else:
        say(f"{count(len(resumed.finished), 'batch', 'batches')} finished: {view.decisions()}")
        show_paid(usage)
        show_failed(resumed)
    return FAULT if resumed.failed else 0


def insist_on_model(common: Common, batches: Sequence[PendingBatch]) -> None:
    """What a model left must not silently be finished by the rules, which find less."""
    if common.model is None and common.llm is None and any((one.error or "").startswith(OF_A_MODEL) for one in batches):
        problem = (
            "a model left some of it unfinished: name the model again, or say --llm rules to have the rules finish it"
        )
        raise typer.BadParameter(problem, param_hint="--llm")


def show_failed(resumed: Resumed) -> None:
    """What could not be finished, and what helps."""
    for batch_id, name in resumed.failed.items():
        say(f"still pending: {batch_id}: {name}: {ADVICE.get(name, 'see docs/models.md')}", stderr=True)
