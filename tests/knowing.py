"""A scripted model that understands: it knows some sentences, tells their facts, and decides as it is told to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from recollect.testing import Request

_LINE = re.compile(r"^\[(\d+)\] (.*)$", re.MULTILINE)


class KnowingModel:
    """A script for `ModelEndpoint`. `facts`: what each sentence tells, as fields of a fact but for its evidence.

    Every fact that is to be reconciled is an ADD, unless `decide(numbers)` says otherwise; `numbers(word)` is the number of the
    memory or fact with that word. `odd` (a reply, or a function of the request) is answered in place of extractions,
    `odd_decisions` in place of decisions, while they are set.
    """

    def __init__(self, facts: Mapping[str, Mapping[str, Any]]) -> None:
        self.facts = facts
        self.decide: Callable[[Callable[[str], int]], list[Any]] | None = None
        self.odd: Any = None
        self.odd_decisions: Any = None

    def __call__(self, request: Request) -> Any:
        question = request.body["messages"][1]["content"]
        reconciling = "New facts:" in question
        odd = self.odd_decisions if reconciling else self.odd
        if odd is not None:
            return odd(request) if callable(odd) else odd
        return {"decisions": self.decisions(question)} if reconciling else {"facts": list(self.told(question))}

    def told(self, question: str):
        """The facts of the new messages."""
        for number, line in _LINE.findall(question.split("New messages:")[1]):
            for sentence, fact in self.facts.items():
                if sentence in line:
                    yield {"kind": "profile", **fact, "evidence": [{"message": int(number), "quote": sentence}]}

    def decisions(self, question: str) -> list[Any]:
        """The decisions on the facts that are asked about."""
        if self.decide is not None:
            decided = self.decide(lambda word: number_of(question, word))
            return [one for one in decided if not isinstance(one, dict) or one.get("fact") != 0]
        asked = _LINE.findall(question.split("New facts:")[1])
        return [{"fact": int(number), "op": "ADD", "targets": [], "reason": "new"} for number, _ in asked]


def number_of(question: str, word: str) -> int:
    """The number of the first memory or fact with that word, 0 where there is none."""
    return next((int(number) for number, line in _LINE.findall(question) if word in line), 0)
