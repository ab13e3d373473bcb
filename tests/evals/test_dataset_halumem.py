"""HaluMem: its traps on a small user of our own, and the counts of the real ones, where they are there."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recollect_evals.datasets import load
from recollect_evals.errors import DataSetInvalid
from recollect_evals.model import Point

DATA = Path(os.environ.get("RECOLLECT_DATA", Path(__file__).parents[3] / "shared" / "data")) / "halumem"


def point(text: str, **changed: object) -> dict[str, object]:
    return {
        "index": 1,
        "memory_content": text,
        "memory_type": "Persona Memory",
        "memory_source": "secondary",
        "is_update": "False",
        "original_memories": [],
        "timestamp": "Jan 15, 2029, 16:15:20",
        "importance": 0.75,
        **changed,
    }


def question(text: str, kind: str, *evidence: str, answer: object = "yes") -> dict[str, object]:
    told = [{"memory_content": one, "memory_type": "Persona Memory"} for one in evidence]
    return {"question": text, "answer": answer, "evidence": told, "difficulty": "easy", "question_type": kind}


def said(role: str, text: str, at: str = "Jan 15, 2029, 15:12:20") -> dict[str, object]:
    return {"role": role, "content": text, "timestamp": at, "dialogue_turn": 0}


USER = {
    "uuid": "u-1",
    "persona_info": "[Recorded on Oct 04, 2025] Name: Ada Lenz; Gender: Female; Location: Bonn",
    "sessions": [
        {
            "start_time": "Jan 15, 2029, 15:12:20",
            "end_time": "Jan 15, 2029, 16:15:20",
            "dialogue": [said("user", "I am a director now."), said("assistant", "Vice president, you said?")],
            "memory_points": [
                point("Ada is a director", is_update="True", original_memories=["Ada is a manager", "Ada manages"]),
                point("Ada is a vice president", memory_source="interference", importance=1),
            ],
        },
        {"dialogue": [said("user", "What is 7 x 8?")], "memory_points": [point("x")], "is_generated_qa_session": True},
        {
            "end_time": "Feb 13, 2029, 11:43:39",
            "dialogue": [said("user", "I like Bonn.", "Feb 13, 2029, 11:00:01")],
            "memory_points": [point("Ada likes Bonn"), point("Ada is a director")],
            "questions": [
                question("Is she a director?", "Dynamic Update", "Ada is a director", "Ada likes Bonn", answer=1),
                question("Her middle name?", "Memory Boundary", answer="Unknown; not provided."),
                question("Where is she?", "Basic Fact Recall", "Ada likes Bonn", "Ada is in Bonn"),
            ],
        },
    ],
}


def written(path: Path, *users: object) -> Path:
    text = "".join(json.dumps(one) + "\n" for one in users).encode()
    path.write_bytes(gzip.compress(text) if path.name.endswith(".gz") else text)
    return path


@pytest.mark.parametrize("name", ["one.jsonl", "one.jsonl.gz"])
def test_a_user_with_what_each_session_should_leave_behind(tmp_path, name):
    dataset = load(written(tmp_path / name, USER))
    (talk,) = dataset.conversations
    assert dataset.name == "halumem-one" and talk.id == "u-1"
    assert [(turn.id, turn.role, turn.speaker) for turn in talk.turns] == [
        ("s1:1", "user", "Ada Lenz"),
        ("s1:2", "assistant", "assistant"),
        ("s2:1", "user", "Ada Lenz"),
        ("s3:1", "user", "Ada Lenz"),
    ]
    assert talk.turns[-1].said_at == datetime(2029, 2, 13, 11, 0, 1, tzinfo=UTC)
    kind, told = "Persona Memory", "secondary"
    assert talk.points == (
        Point("s1/1", "s1", "Ada is a director", kind, told, True, ("Ada is a manager", "Ada manages"), 0.75),
        Point("s1/2", "s1", "Ada is a vice president", kind, "interference", False, (), 1.0),
        Point("s3/1", "s3", "Ada likes Bonn", kind, told, importance=0.75),
        Point("s3/2", "s3", "Ada is a director", kind, told, importance=0.75),
    )
    assert [one.interference for one in talk.points] == [False, True, False, False]


def test_questions_are_asked_when_their_session_ends_and_name_points(tmp_path):
    dataset = load(written(tmp_path / "one.jsonl", USER))
    asked = dataset.conversations[0].questions
    assert [question.id for question in asked] == ["u-1/s3/q1", "u-1/s3/q2", "u-1/s3/q3"]
    assert {question.asked_at for question in asked} == {datetime(2029, 2, 13, 11, 43, 39, tzinfo=UTC)}
    assert [question.answer for question in asked] == ["1", None, "yes"]
    assert [question.points for question in asked] == [("s3/2", "s3/1"), (), ("s3/1",)]  # the nearest of equal texts
    assert dataset.problems == ("one.jsonl:1: s3: q3: 1 pieces of evidence are no memory points; left out",)


def test_what_is_wrong_is_told_and_the_rest_goes_on(tmp_path):
    sessions = [
        {
            "dialogue": [
                said("user", "Hi."),
                said("user", "", "Jan 15, 2029, 15:12:21"),
                said("user", "When?", "Foo 15, 2029, 15:12:21"),
                3,
            ],
            "memory_points": [
                point("a", is_update="maybe"),
                point(" "),
                point("b", original_memories="c"),
                5,
                point("kept", is_update=True),
            ],
            "questions": [question("A?", "Basic", answer=None), 7, {"question": "B?", "answer": "b"}],
        },
        {"dialogue": None},
        4,
    ]
    broken = {"uuid": "u-2", "persona_info": None, "sessions": sessions}
    dataset = load(written(tmp_path / "odd.jsonl", broken, {"uuid": "u-3", "sessions": []}, {"memory_points": 1}))
    (talk,) = dataset.conversations
    assert [turn.speaker for turn in talk.turns] == ["user"]
    assert [(one.text, one.is_update) for one in talk.points] == [("kept", True)]
    assert talk.questions == ()
    for problem, expected in zip(
        dataset.problems,
        (
            "turn 2: text: is empty",
            "turn 3: its timestamp",
            "turn 4: is not a JSON",
            "point 1: is_update: is neither",
            "point 2: memory_content: is empty",
            "point 3: original_memories: is not a list",
            "point 4: is not a JSON",
            "end_time does not parse",
            "question 1: has no answer",
            "question 2: is not a JSON",
            "question 3: question_type",
            "s2: dialogue: is not a list",
            "s2: memory_points: is not a list",
            "session 3: is not a JSON",
            "odd.jsonl:2: has no turns",
            "odd.jsonl:3: has no uuid",
        ),
        strict=True,
    ):
        assert expected in problem


def test_a_broken_line_or_a_user_twice_is_an_error(tmp_path):
    path = written(tmp_path / "one.jsonl", USER, {**USER, "uuid": "u-2"})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataSetInvalid, match=r"one\.jsonl:2: is not JSON; it was cut off"):
        load(path)
    written(path, USER)
    written(tmp_path / "two.jsonl", USER)
    with pytest.raises(DataSetInvalid, match=r"two\.jsonl:1: the user u-1 occurs twice"):
        load(tmp_path, "halumem")
    written(path, {"uuid": "u-1", "memory_points": []})
    with pytest.raises(DataSetInvalid, match="holds no user"):
        load(path)


@pytest.mark.skipif(not DATA.exists(), reason=f"the HaluMem data set is not at {DATA}")
def test_the_real_files():
    dataset = load(DATA)
    assert dataset.problems == ()
    assert [(len(talk.sessions), len(talk.turns)) for talk in dataset.conversations] == [(29, 1334), (25, 1020)]
    assert {turn.speaker for turn in dataset.conversations[0].turns} == {"Martin Mark", "assistant"}
    points = [point for talk in dataset.conversations for point in talk.points]
    assert Counter(point.source for point in points) == {"secondary": 422, "interference": 101, "system": 88}
    assert sum(point.is_update for point in points) == 127 and sum(len(point.originals) for point in points) == 156
    assert all(bool(point.originals) == point.is_update for point in points)
    assert not any(point.is_update for point in points if point.interference)
    asked = [question for talk in dataset.conversations for question in talk.questions]
    unsaid = [question for question in asked if question.answer is None]
    assert (len(asked), len(unsaid)) == (122, 26) and {question.category for question in unsaid} == {"Memory Boundary"}
    assert all(bool(question.points) == (question.answer is not None) for question in asked)
