"""The baselines' columns are the metrics of the same names."""

from __future__ import annotations

from recollect_evals.baseline import COLUMNS, by_category, row
from recollect_evals.model import Conversation, DataSet, Question, Session, Turn
from recollect_evals.records import Records
from recollect_evals.scores import score

TURNS = tuple(Turn(f"D1:{n}", "Ana", "user", "…") for n in range(1, 31))
ASKED = (
    Question("q1", "?", "Rome", "single-hop", ("D1:1", "D1:12")),
    Question("q2", "?", "Oslo", "temporal", ("D1:30",)),
    Question("q3", "?", None, "adversarial", ("D1:1",)),
)
DATA = DataSet("set", (Conversation("c", (Session("s", TURNS),), ASKED),), "00")


def test_a_row():
    found = [{"kind": "turn", "id": turn.id, "text": "", "turns": [turn.id], "score": None} for turn in TURNS]
    search = {one.id: {"question": one.id, "found": found, "context": None} for one in ASKED}
    scores = score(DATA, Records(search=search))
    shares = {column: one.mean for column, one in row(scores).items()}
    assert list(shares) == list(COLUMNS) == ["R@5", "R@10", "R@20", "R@50", "hit@10", "nDCG@10"]
    assert (shares["R@5"], shares["R@10"], shares["R@20"], shares["R@50"]) == (0.25, 0.25, 0.5, 1)
    assert shares["hit@10"] == 0.5 and 0.3 < shares["nDCG@10"] < 0.31  # (1 / 1.63093 + 0) / 2
    assert {group: one.mean for group, one in by_category(scores).items()} == {"single-hop": 0.5, "temporal": 0}


def test_what_was_not_measured_is_not_in_it():
    assert row(score(DATA, Records())) == {}
