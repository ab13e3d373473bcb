"""What models cost, before a run and after it, in words."""

from __future__ import annotations

from collections.abc import Iterable

from ...memory import add_usage
from ...results import AddUsage, Estimate
from ...usage import Usage
from .common import Common, say
from .safe import count, plain


def in_words(usage: AddUsage) -> str:
    """ "12 calls, 30,100 tokens read, 4,000 written, $0.0210"."""
    cost = usage.cost_usd
    money = "price not known" if cost is None else f"${cost:,.2f}" if cost >= 1 else f"${cost:.4f}"
    return f"{count(usage.llm_calls, 'call')}, {usage.input_tokens:,} tokens read, {usage.output_tokens:,} written, {money}"


def total(estimates: Iterable[Estimate]) -> Estimate:
    """Several estimates as one."""
    turns, chunks, usage = 0, 0, Usage()
    for one in estimates:
        turns, chunks, paid = turns + one.turns, chunks + one.chunks, one.usage
        usage += Usage(paid.llm_calls, paid.input_tokens, paid.output_tokens, paid.cost_usd)
    return Estimate(turns=turns, chunks=chunks, usage=add_usage(usage))


def show_estimate(common: Common, estimate: Estimate, *, stderr: bool = False) -> None:
    """One line: how much there is to do, and what that costs at most."""
    work = f"{count(estimate.turns, 'turn')} in {count(estimate.chunks, 'chunk')}"
    if common.model is None:
        say(f"estimate: {work}, by rules: no calls, no cost", stderr=stderr)
    else:
        say(f"estimate for {plain(common.model)}: {work}; at most about {in_words(estimate.usage)}", stderr=stderr)


def show_paid(usage: AddUsage) -> None:
    """One line, where a model was called."""
    if usage.llm_calls:
        say(f"paid: {in_words(usage)}")
