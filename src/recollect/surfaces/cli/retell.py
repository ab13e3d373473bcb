"""`recollect retell`: what a user told, extracted anew by the model that is chosen now."""

from __future__ import annotations

from ...results import AddResult, Estimate
from .common import Common, say
from .cost import show_estimate, show_paid
from .safe import count
from .view import View


def run(common: Common, *, dry: bool) -> None:
    """Estimate, tell anew, and say how to take it back."""
    view = View(common, doing="retelling")
    with common.existing(view.on_event) as memory:
        estimate = memory.estimate_retelling(user_id=common.user_id)
        if dry:
            forecast(common, estimate)
            return
        if common.model is not None and not common.json:
            show_estimate(common, estimate, stderr=True)
        view.expect(estimate.turns)
        before = memory.count(user_id=common.user_id)
        with view.progress:
            result = memory.retell(user_id=common.user_id)
        after = memory.count(user_id=common.user_id)
    summarise(common, view, result, before, after)


def forecast(common: Common, estimate: Estimate) -> None:
    """What it would cost; nothing is sent and nothing changed."""
    if common.json:
        common.answer(estimate.model_dump(mode="json"))
        return
    show_estimate(common, estimate)
    say("Nothing was sent, nothing is changed.")


def summarise(common: Common, view: View, result: AddResult, before: int, after: int) -> None:
    """How many memories there were and are, what was decided and paid, and the line that undoes it."""
    if common.json:
        told = {"batch_id": result.batch_id, "before": before, "after": after, **view.told()}
        common.answer({**told, "usage": result.usage.model_dump(mode="json")})
        return
    say(f"{count(before, 'memory', 'memories')} before, {after:,} after: {view.decisions()}")
    show_paid(result.usage)
    if result.changes:
        say(f"To take it back:  recollect undo {result.batch_id}")
