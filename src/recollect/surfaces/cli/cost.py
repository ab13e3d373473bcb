"""What models cost, before a run and after it, in words."""

from __future__ import annotations

from ...results import AddUsage, Estimate
from .common import Common, say
from .safe import count, plain


def money(usage: AddUsage) -> str:
    """ "$0.0210"."""
    cost = usage.cost_usd
    return "price not known" if cost is None else f"${cost:,.2f}" if cost >= 1 else f"${cost:.4f}"


def in_words(usage: AddUsage) -> str:
    """ "12 calls, 30,100 tokens read, 4,000 written, $0.0210"."""
    tokens = f"{usage.input_tokens:,} tokens read, {usage.output_tokens:,} written"
    return f"{count(usage.llm_calls, 'call')}, {tokens}, {money(usage)}"


def show_estimate(common: Common, estimate: Estimate, *, stderr: bool = False) -> None:
    """One line: how much there is to do, and what that costs."""
    work = f"{count(estimate.turns, 'turn')} in {count(estimate.chunks, 'chunk')}"
    if common.model is None:
        say(f"estimate: {work}, by rules: no calls, no cost", stderr=stderr)
    else:
        say(f"estimate for {plain(common.model)}: {work}; about {in_words(estimate.usage)}", stderr=stderr)
        say(in_range(estimate), stderr=stderr)


def in_range(estimate: Estimate) -> str:
    """What it may be, between a talk that holds few facts and one that holds many, and whence that is known."""
    least, most = estimate.least, estimate.most
    tokens = [f"{one.input_tokens + one.output_tokens:,}" for one in (least, most)]
    cost = "" if None in (least.cost_usd, most.cost_usd) else f", {money(least)} to {money(most)}"
    chunks = estimate.learned_from
    known = f"as the {count(chunks, 'chunk')} before cost; " if chunks else ""
    return f"{known}by how many facts the messages hold: {tokens[0]} to {tokens[1]} tokens{cost}"


def show_paid(usage: AddUsage) -> None:
    """One line, where a model was called."""
    if usage.llm_calls:
        say(f"paid: {in_words(usage)}")
