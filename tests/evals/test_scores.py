"""The numbers of a run from its records, and of two beside each other."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from recollect_evals.model import Conversation, DataSet, Question, Session, Spent, Turn
from recollect_evals.records import Records
from recollect_evals.scores import KEYS, OVERALL, compare, score
from recollect_evals.statistics import Estimate, McNemar

TURNS = tuple(Turn(f"D1:{n}", "Ana", "user", f"turn {n}") for n in range(1, 6))
QUESTIONS = (
    Question("q1", "?", "Rome", "single-hop", ("D1:1",)),
    Question("q2", "?", "Porto", "single-hop", ("D1:2", "D1:3"), doubts=frozenset({"answer"})),
    Question("q3", "?", "7 May 2023", "temporal", ("D1:4",), doubts=frozenset({"evidence"})),
    Question("q4", "?", None, "adversarial", ("D1:5",)),
    Question("q5", "?", "Oslo", "temporal", ("D1:5",)),  # never asked
)
DATA = DataSet("set", (Conversation("c1", (Session("s1", TURNS),), QUESTIONS),), "00")
SPENT = {"calls": 1, "input_tokens": 10, "output_tokens": 2, "usd": 0.1, "seconds": 1.0}


def searched(question, *turns, context=()):
    found = [{"kind": "turn", "id": turn, "text": turn, "turns": [turn], "score": None} for turn in turns]
    packed = {"text": "", "tokens": 7, "turns": list(context)}
    return {
        "question": question,
        "found": found,
        "context": packed,
        "search_seconds": 0.1,
        "context_seconds": 0.2,
    }


def replied(question, answer):
    return {"question": question, "answer": answer, "spent": SPENT, "model": "m", "prompt": "answer@1"}


def judged(question, verdict):
    return {
        "question": question,
        "system": "s",
        "verdict": verdict,
        "reason": "",
        "spent": SPENT,
        "model": "j",
        "prompt": "p",
    }


def by_question(*records):
    return {record["question"]: record for record in records}


RECORDS = Records(
    ingest={"c1": {"conversation": "c1", "memories": 4, "rejected": {"no evidence": 2}, "spent": SPENT}},
    search=by_question(
        searched("q1", "D1:1", "D1:2", context=["D1:1"]),
        searched("q2", "D1:5", "D1:2", context=["D1:2"]),
        searched("q3"),
        searched("q4", "D1:5"),
    ),
    unrelated={("c1", "x1"): {"found": 0, "best": None}, ("c1", "x2"): {"found": 3, "best": 0.4}, ("c1", "x3"): {"error": "no"}},
    answers=by_question(replied("q1", "Rome"), replied("q2", "Paris"), replied("q3", "Unknown"), replied("q4", "Not mentioned")),
    judgements=by_question(
        judged("q1", "right"), judged("q2", "wrong"), judged("q3", "abstained"), judged("q4", "abstained")
    ),
)  # fmt: skip
SCORES = score(DATA, RECORDS, ks=(1, 5))


def means(key, group):
    return {name: one.mean for name, one in SCORES.tables[key][group].items()}


def test_the_released_key():
    overall = means("released", OVERALL)
    assert overall["recall@1"] == pytest.approx(1 / 3) and overall["recall@5"] == pytest.approx((1 + 0.5 + 0) / 3)
    assert overall["coverage"] == pytest.approx(0.5) and overall["precision"] == pytest.approx(0.5)
    assert overall["accuracy"] == 0.5 and overall["exact_match"] == pytest.approx(1 / 3)
    assert (overall["abstention_recall"], overall["abstention_precision"], overall["abstention_wrong"]) == (
        1,
        0.5,
        pytest.approx(1 / 3),
    )
    assert SCORES.tables["released"][OVERALL]["recall@5"].n == 3


def test_per_category():
    assert list(SCORES.tables["released"]) == [OVERALL, "single-hop", "temporal", "adversarial"]
    assert means("released", "single-hop")["recall@5"] == 0.75
    assert means("released", "temporal")["accuracy"] == 0
    assert means("released", "adversarial") == {
        "accuracy": 1,
        "abstention_recall": 1,
        "abstention_precision": 1,
        "phrase_abstention_recall": 1,
        "phrase_abstention_precision": 1,
    }


def test_the_corrected_key_leaves_out_what_is_doubted():
    overall = means("corrected", OVERALL)
    assert overall["recall@5"] == 0.75  # without q3, whose evidence is doubted
    assert overall["accuracy"] == pytest.approx(2 / 3)  # without q2, whose answer is
    assert "recall@5" not in means("corrected", "temporal") and means("corrected", "temporal")["accuracy"] == 0


def test_what_is_not_per_question():
    assert (SCORES.unrelated.mean, SCORES.unrelated.n) == (0.5, 2)
    assert SCORES.judges == {"j p": 4} and SCORES.failed == {"unrelated": 1}
    assert (SCORES.memories, SCORES.rejected) == (4, {"no evidence": 2})
    assert SCORES.cost.answer == Spent(4, 40, 8, pytest.approx(0.4), 4.0)
    assert SCORES.cost.context_tokens.p95 == 7


def test_failures_are_counted_and_take_no_part():
    broken = {"question": "q1", "error": {"type": "ModelUnavailable", "message": "down"}}
    records = Records(search=RECORDS.search, answers=RECORDS.answers | {"q1": broken}, judgements={"q1": broken})
    scores = score(DATA, records)
    assert scores.failed == {"answer": 1, "judge": 1}
    assert "exact_match" not in scores.rows["q1"].values and "recall@5" in scores.rows["q1"].values
    assert scores.judges == {}


def test_a_system_that_names_no_turns_is_not_measured_by_them():
    search = {
        name: one | {"found": [result | {"turns": []} for result in one["found"]]}
        for name, one in RECORDS.search.items()
    }
    nameless = score(DATA, Records(search=search, answers=RECORDS.answers))
    assert "recall@5" not in nameless.tables["released"][OVERALL] and "squad_f1" in nameless.tables["released"][OVERALL]
    silent = score(DATA, Records(search=by_question(searched("q1"), searched("q2"))))
    assert silent.tables["released"][OVERALL]["recall@5"].mean == 0


def test_nothing_at_all():
    nothing = score(DATA, Records())
    assert nothing.tables == {key: {OVERALL: {}} for key in KEYS} and nothing.unrelated == Estimate(None, None, None, 0)


def test_the_same_records_give_the_same_numbers_and_they_are_json():
    assert asdict(score(DATA, RECORDS, ks=(1, 5))) == asdict(SCORES)
    assert (
        json.loads(json.dumps(asdict(SCORES), default=sorted))["tables"]["released"][OVERALL]["accuracy"]["mean"] == 0.5
    )


def test_by_conversation_one_conversation_has_no_width():
    one = score(DATA, RECORDS, by_conversation=True).tables["released"][OVERALL]["accuracy"]
    assert (one.low, one.high) == (0.5, 0.5)


def test_a_run_is_read_through_its_own_words():
    asked = []

    def read(kind, system):
        asked.append((kind, system))
        return getattr(RECORDS, kind)

    assert Records.of(read, "s") == RECORDS
    assert asked == [(kind, "s") for kind in ("ingest", "stored", "search", "unrelated", "answers", "judgements")]


# --- two beside each other ----------------------------------------------------------------------------------------------

MANY = DataSet(
    "many",
    tuple(
        Conversation(
            f"c{c}",
            (Session("s1", TURNS),),
            tuple(Question(f"c{c}q{n}", "?", "Rome", f"kind{n % 3}", ("D1:1",)) for n in range(30)),
        )
        for c in range(2)
    ),
    "00",
)


def judged_many(rights):
    questions = [question.id for conversation in MANY.conversations for question in conversation.questions]
    verdicts = zip(questions, rights, strict=False)
    return score(
        MANY, Records(judgements=by_question(*(judged(name, "right" if one else "wrong") for name, one in verdicts)))
    )


def test_a_difference_is_of_questions_that_both_have():
    a = judged_many([n % 4 == 0 for n in range(60)])
    b = judged_many([n % 2 == 0 for n in range(50)])
    got = compare(a, b)["accuracy"]
    overall = got[OVERALL]
    assert overall.difference.n == 50 and (overall.only_a, overall.only_b) == (10, 0)
    assert overall.difference.mean == pytest.approx(12 / 50)  # every fourth, from the third on
    assert overall.exact == McNemar(0, 12, 2 / 2**12) and overall.adjusted == overall.exact.p
    assert set(got) == {OVERALL, "kind0", "kind1", "kind2"}


def test_categories_are_corrected_together():
    a, b = judged_many([False] * 60), judged_many([n % 3 == 0 or n in (1, 4) for n in range(60)])
    got = compare(a, b)["accuracy"]
    raw = {group: one.exact.p for group, one in got.items()}
    assert raw["kind0"] == 2 / 2**20 and raw["kind1"] == 0.5 and raw["kind2"] == 1
    assert got["kind0"].adjusted == 3 * raw["kind0"] and got["kind1"].adjusted == 1 and got["kind2"].adjusted == 1


def test_where_values_are_not_right_or_wrong_the_bootstrap_tells():
    better = Records(search=RECORDS.search | {"q2": searched("q2", "D1:2", "D1:3")})
    got = compare(SCORES, score(DATA, better, ks=(1, 5)))
    assert got["recall@5"]["single-hop"].exact is None
    assert got["recall@5"]["single-hop"].difference.mean == 0.25
    assert got["hit@1"][OVERALL].exact == McNemar(0, 1, 1.0)
    assert "accuracy" not in got


def test_a_key_is_kept_to():
    same = compare(SCORES, SCORES, "corrected")
    assert same["accuracy"][OVERALL].difference.n == 3 and same["accuracy"][OVERALL].difference.p == 1
    assert compare(SCORES, score(DATA, Records())) == {}


def test_where_only_sessions_are_named_recall_is_of_sessions():
    sessions = (Session("s1", TURNS[:2]), Session("s2", TURNS[2:3]), Session("s3", TURNS[3:]))
    question = Question("q1", "?", "Rome", "multi-session", sessions=("s2", "s3"))
    data = DataSet("set", (Conversation("c1", sessions, (question,)),), "00")
    told = score(data, Records(search=by_question(searched("q1", "D1:1", "D1:2", "D1:3"))), ks=(1, 2)).tables[
        "released"
    ]
    assert {name: one.mean for name, one in told[OVERALL].items()} == {"session_recall@1": 0, "session_recall@2": 0.5}
