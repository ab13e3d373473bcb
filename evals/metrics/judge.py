"""What a judge said of an answer, and which judge it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any

from ..model import Question


def accuracy(question: Question, judgement: Mapping[str, Any]) -> float:
    """1 where the verdict is "right", else 0; its mean is the judge's accuracy. "abstained" is right where the key is that it
    was never said, and wrong elsewhere."""
    verdict = judgement["verdict"]
    return float(verdict == "right" or (verdict == "abstained" and question.answer is None))


def nuggets(judgement: Mapping[str, Any]) -> float | None:
    """Share of the nuggets that the judge found in the answer, 0..1; None where it was not asked for any (BEAM's rubric;
    nugget recall in Voorhees, "Overview of the TREC 2003 Question Answering Track")."""
    found = judgement.get("nuggets")
    return fmean(map(float, found)) if found else None


def versions(judgements: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """ "model prompt" → how many judgements. A report names them: accuracies of different judges are not to be compared."""
    return dict(Counter(f"{one['model']} {one['prompt']}" for one in judgements))
