"""The probe of the judge: replies that are right, vague and wrong, and how many of them a judge lets pass."""

from __future__ import annotations

import random
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect_evals.model import Conversation, DataSet, Question, Session, Turn
from recollect_evals.probe import KINDS, NOT_SAID, PROMPT, accepted, answers, other_date, other_number, probes
from recollect_evals.terms import days, terms


def talk(name, speakers, *questions):
    turns = tuple(Turn(f"D1:{n}", speaker, "user", "…") for n, speaker in enumerate(speakers, start=1))
    asked = (Question(f"{name}q{n}", text, answer, kind) for n, (text, answer, kind) in enumerate(questions, start=1))
    return Conversation(name, (Session("s1", turns),), tuple(asked))


DATA = DataSet(
    "set",
    (
        talk(
            "a",
            ["Caroline", "Melanie"],
            ("When did Caroline move?", "7 May 2023", "temporal"),
            ("How many cats does Melanie have?", "three cats", "single-hop"),
            ("What did Caroline research?", "adoption agencies", "single-hop"),
            ("What does Melanie do?", "pottery, camping and painting", "multi-hop"),
            ("Who gave Caroline the book?", "Melanie", "single-hop"),
            ("Would Caroline move?", "Likely no; she likes it", "open-domain"),
            ("What is the dog called?", None, "adversarial"),
        ),
        talk(
            "b",
            ["Nate", "Joanna"],
            ("When did Nate win?", "The week before 9 June 2022", "temporal"),
            ("What is Joanna writing?", "a screenplay", "single-hop"),
            ("What has Nate watched?", "films, plays", "multi-hop"),
            ("Did Nate win?", "Yes", "open-domain"),
        ),
    ),
    "00",
)
QUESTIONS = {one.id: one for conversation in DATA.conversations for one in conversation.questions}
MADE = probes(DATA)
BY = {(one.kind, one.question): one.answer for one in MADE}


def test_every_kind_is_made():
    assert {one.kind for one in MADE} == set(KINDS)


@pytest.mark.parametrize(
    ("kind", "question", "reply"),
    [
        ("right", "aq1", "7 May 2023"),
        ("right", "aq7", NOT_SAID),
        ("vague", "aq1", "Sometime that year."),
        ("vague", "aq2", "Quite a few."),
        ("vague", "aq5", "Somebody they know."),
        ("vague", "aq6", "It depends."),
        ("incomplete", "aq4", "pottery"),
        ("incomplete", "bq3", "films"),
        ("other answer", "aq1", "The week before 9 June 2022"),
        ("other answer", "aq3", "a screenplay"),
        ("other answer", "aq4", "films, plays"),
        ("other answer", "aq6", "Likely yes"),
        ("other answer", "bq4", "No"),
    ],
)
def test_replies(kind, question, reply):
    assert BY[kind, question] == reply


def test_a_vague_reply_on_topic_has_the_words_of_the_question():
    assert BY["vague, on topic", "aq3"].startswith(
        "They did talk about that (Caroline research). As far as I can tell: something"
    )


def test_names_dates_and_numbers_become_others():
    assert BY["other name", "aq5"] in {"Nate", "Joanna"}  # not Caroline, who asks
    assert int(BY["other number", "aq2"].removesuffix(" cats")) in {5, 6, 7}
    assert days(BY["other date", "aq1"]) and "7 May 2023" not in BY["other date", "aq1"]
    assert BY["other date", "bq1"].startswith("The week before ") and "9 June" not in BY["other date", "bq1"]


def test_what_was_never_said_gets_any_answer():
    assert BY["other answer", "aq7"] in {one.answer for one in QUESTIONS.values()}


def test_judgements_keep_their_reasons_to_themselves():
    assert not {kind for kind, question in BY if question in ("aq6", "bq4")} - {
        "right",
        "vague",
        "vague, on topic",
        "other answer",
    }


def test_a_reply_that_is_to_be_wrong_shares_no_word_with_the_key():
    for one in MADE:
        key = QUESTIONS[one.question].answer
        if one.kind in ("vague", "other answer") and key is not None:
            assert not (terms(one.answer).words & terms(key).words) - {"like", "yes", "no"}
        if one.kind != "right":
            assert one.answer != key


def test_doubted_keys_are_left_out():
    doubted = Question("q", "When?", "7 May 2023", "temporal", doubts=frozenset({"answer"}))
    data = DataSet("set", (Conversation("c", (), (doubted,)),), "00")
    assert probes(data) == []


def test_the_seed_decides_and_the_number_is_kept_to():
    assert probes(DATA, seed=0) == MADE
    few = probes(DATA, per_kind=2)
    assert all(sum(one.kind == kind for one in few) <= 2 for kind in KINDS)
    assert len({QUESTIONS[one.question].category for one in probes(DATA, per_kind=5) if one.kind == "right"}) == 5


def test_records_are_those_of_an_answer_phase():
    records = answers(MADE)
    assert set(records) == set(KINDS)
    assert records["right"][0].keys() == {"question", "answer", "spent", "model", "prompt"}
    assert records["right"][0]["prompt"] == PROMPT and records["right"][0]["spent"]["calls"] == 0


def test_the_rates_of_a_judge_that_lets_vague_ones_pass():
    judged = {
        kind: [
            {"question": one["question"], "verdict": "right" if kind in ("right", "vague") else "wrong"}
            for one in records
        ]
        for kind, records in answers(one for one in MADE if one.question != "aq7").items()
    }
    judged["incomplete"].append({"question": "aq1", "error": {"type": "ModelUnavailable", "message": "down"}})
    rates = accepted(DATA, judged)
    assert rates["right"].mean == 1 and rates["vague"].mean == 1 and rates["other answer"].mean == 0
    assert rates["other answer"].high > 0 and rates["incomplete"].n == len(judged["incomplete"]) - 1


def test_an_abstention_is_right_where_nothing_was_said_and_nowhere_else():
    judged = {
        "right": [{"question": "aq7", "verdict": "abstained"}],
        "vague": [{"question": "aq1", "verdict": "abstained"}],
    }
    rates = accepted(DATA, judged)
    assert (rates["right"].mean, rates["vague"].mean) == (1, 0)


@given(st.dates(date(1990, 1, 1), date(2060, 12, 28)), st.integers(0, 99))
def test_a_moved_day_is_another_real_day(day, seed):
    for text in (f"{day.day} {day:%B} {day.year}", f"{day:%B} {day.day}, {day.year}", day.isoformat()):
        moved = other_date(f"on {text}", random.Random(seed))
        assert len(days(moved)) == 1 and 40 <= abs((next(iter(days(moved))) - day).days) <= 200


@pytest.mark.parametrize(
    ("answer", "unlike"), [("May 2023", "May 2023"), ("in 2022", "2022"), ("Dec, 2021", "Dec"), ("long ago", None)]
)
def test_months_and_years_move_too(answer, unlike):
    moved = other_date(answer, random.Random(1))
    assert moved is None if unlike is None else moved is not None and moved != answer


def test_numbers():
    assert other_number("two of 10", random.Random(0)) in {"4 of 12", "5 of 13", "6 of 14"}
    assert other_number("10 May 2023", random.Random(0)) is None and other_number("red", random.Random(0)) is None
