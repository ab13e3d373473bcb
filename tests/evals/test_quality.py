"""The small form of the evaluation: what search finds in some of `changes`, by the rules and MiniLM, is not less than it was.

`make eval` measures all of it. A level is written anew where it is reached for good (evals/levels.json).
"""

from __future__ import annotations

from statistics import mean

import pytest

from recollect_evals import systems
from recollect_evals.datasets import load
from recollect_evals.levels import recorded
from recollect_evals.metrics.coverage import coverage
from recollect_evals.metrics.recall import recall

TALKS = ("after-midnight", "calendar-clash", "choir-tour", "co-parents", "railway-memoir")
K, TOKENS = 10, 1000


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Recall at 10 and coverage of a context of 1,000 tokens, of each question with evidence."""
    system = systems.make("recollect-rules", folder=tmp_path_factory.mktemp("store"))
    rows = []
    try:
        for talk in load("changes").conversations:
            if talk.id in TALKS:
                system.ingest(talk)
                for question in talk.questions:
                    if question.evidence:
                        hits = system.search(talk.id, question, 50)
                        packed = system.context(talk.id, question, TOKENS)
                        rows.append((recall(question, hits, K), coverage(question, packed)))
    finally:
        system.close()
    return rows


@pytest.mark.parametrize(("name", "place"), [("changes/rules: recall@10", 0), ("changes/rules: coverage", 1)])
def test_search_has_not_fallen_below_its_level(found, name, place):
    level, share = recorded()[name], mean(row[place] for row in found)
    print(f"{name}: {share:.4f} of {len(found)}")
    assert len(found) == level.n
    assert not level.fallen(share), f"{share:.1%}; {level.share:.1%} of {level.n} were on {level.at}"
