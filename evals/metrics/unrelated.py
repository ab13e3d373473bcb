"""Answers to unrelated questions: those of other conversations, to which the right answer is silence."""

from __future__ import annotations


def silence(found: int) -> float:
    """1 where nothing was returned for an unrelated question, else 0. Its mean is the share of them answered by silence; a
    system without a relevance floor has 0. `found`: how many results came back."""
    return float(found == 0)
