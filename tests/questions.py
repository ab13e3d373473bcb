"""Values that tests of the harness are made of."""

from __future__ import annotations

from recollect_evals.model import Found, Question


def question(*evidence: str, answer: str | None = "Rome", category: str = "single-hop", **other) -> Question:
    return Question(other.pop("id", "q1"), other.pop("text", "Where?"), answer, category, evidence, **other)


def turn(name: str, text: str = "") -> Found:
    return Found("turn", name, text, (name,))


def memory(name: str, *turns: str, text: str = "") -> Found:
    return Found("memory", name, text, turns)
