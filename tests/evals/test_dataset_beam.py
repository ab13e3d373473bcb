"""BEAM: its traps on small chats of our own, and the counts of the real ones, where they are there."""

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

DATA = Path(os.environ.get("RECOLLECT_DATA", Path(__file__).parents[3] / "shared" / "data")) / "beam"


def said(number: int, text: str, role: str = "user", **more: object) -> dict[str, object]:
    return {"role": role, "id": number, "content": text, **more}


CHAT = [
    {
        "batch_number": 1,
        "time_anchor": None,
        "turns": [
            [
                said(0, "My sprint ends on March 29. ->-> 1,1", time_anchor="March-15-2024", index="1,1"),
                said(1, "Noted.", "assistant"),
            ],
            [
                said(2, "And what now? ->-> 1,N/A"),
                said(3, "How long?", "assistant"),
                said(4, "Two weeks."),
                said(5, "Fine.", "assistant"),
            ],
        ],
    },
    {
        "batch_number": 2,
        "turns": [
            [said(6, "x -> y, I moved it to ->-> nowhere", time_anchor="April-5-2024"), said(7, "Ok.", "assistant")]
        ],
    },
]
QUESTIONS = {
    "abstention": [{"question": "My name?", "ideal_response": "It was not told.", "rubric": ["says so"]}],
    "contradiction_resolution": [
        {
            "question": "Done?",
            "ideal_answer": "Both.",
            "rubric": [],
            "source_chat_ids": {"first_statement": [4], "second": [0]},
        }
    ],
    "event_ordering": [
        {"question": "Order?", "answer": "1, 2", "rubric": ["a", "b"], "source_chat_ids": [0, [2, 6], 6, 99]}
    ],
    "summarization": [{"question": "Sum?", "ideal_summary": "All.", "rubric": ["a"], "source_chat_ids": [1]}],
    "instruction_following": [
        {"question": "How?", "expected_compliance": "Briefly.", "rubric": ["a"], "source_chat_ids": [2]}
    ],
    "broken": [
        {"question": "?"},
        7,
        {"question": "Q?", "answer": "a", "rubric": "r"},
        {"question": "", "answer": 5, "rubric": []},
    ],
}


def written(folder: Path, chat: object = CHAT, name: str = "chat.json.gz", below: str = "") -> Path:
    (folder / below).mkdir(parents=True, exist_ok=True)
    for file, content in ((folder / name, chat), (folder / below / "probing_questions.json", QUESTIONS)):
        text = json.dumps(content).encode()
        file.write_bytes(gzip.compress(text) if file.name.endswith(".gz") else text)
    return folder


def test_a_chat_is_sessions_of_dated_messages(tmp_path):
    """Pairs and longer groups are flattened, the plan's marks go, a date holds until the next one."""
    (talk,) = load(written(tmp_path / "100K" / "3")).conversations
    assert talk.id == "100K-3" and [session.id for session in talk.sessions] == ["b1", "b2"]
    assert [turn.id for turn in talk.turns] == ["0", "1", "2", "3", "4", "5", "6", "7"]
    assert [turn.text for turn in talk.turns[:3]] == ["My sprint ends on March 29.", "Noted.", "And what now?"]
    assert talk.turns[6].text == "x -> y, I moved it to ->-> nowhere"
    assert [turn.speaker for turn in talk.turns[:2]] == ["user", "assistant"]
    assert talk.turns[5].said_at == datetime(2024, 3, 15, 0, 0, 5, tzinfo=UTC)
    assert talk.turns[6].said_at == datetime(2024, 4, 5, tzinfo=UTC)


def test_answers_have_five_names_and_sources_three_forms(tmp_path):
    dataset = load(written(tmp_path / "100K" / "3"))
    asked = {question.category: question for question in dataset.conversations[0].questions}
    assert {category: question.answer for category, question in asked.items()} == {
        "abstention": None,
        "contradiction_resolution": "Both.",
        "event_ordering": "1, 2",
        "summarization": "All.",
        "instruction_following": "Briefly.",
    }
    assert [question.evidence for question in asked.values()] == [(), ("4", "0"), ("0", "2", "6"), ("1",), ("2",)]
    assert asked["event_ordering"].nuggets == ("a", "b") and asked["event_ordering"].id == "100K-3/event_ordering/1"
    for problem, expected in zip(
        dataset.problems,
        (
            "event_ordering/1: source 99 names no",
            "broken/1: has none of",
            "broken/2: is not",
            "broken/3: rubric: is not",
            "broken/4: question: is empty",
        ),
        strict=True,
    ):
        assert expected in problem


def test_chats_come_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 2):
        written(tmp_path / "500K" / str(number))
    written(tmp_path / "100K" / "1", name="chat.json", below="probing_questions")
    assert [talk.id for talk in load(tmp_path).conversations] == ["100K-1", "500K-2", "500K-10"]
    assert [talk.id for talk in load(tmp_path / "500K").conversations] == ["500K-2", "500K-10"]
    assert load(tmp_path / "100K" / "1" / "chat.json").conversations[0].id == "100K-1"
    with pytest.raises(DataSetInvalid, match="holds no data file"):
        load(tmp_path.parent)  # a folder of data sets is not one of them
    assert load(tmp_path / "500K").checksum != load(tmp_path / "500K" / "2").checksum


def test_the_shortened_chat_is_the_one_that_the_questions_are_about(tmp_path):
    folder = written(tmp_path / "100K" / "1")
    written(folder, CHAT[:1], name="chat_trunecated.json")
    assert len(load(folder).conversations[0].turns) == 6


def test_plans_of_a_chat_of_ten_million_follow_each_other_and_a_number_used_twice_is_no_source(tmp_path):
    plans = [{"plan-10": CHAT[:1], "plan-2": CHAT[1:]}, {"plan-11": [{"turns": [[said(0, "Again.")]]}]}]
    folder = written(tmp_path / "10M" / "1", plans)
    written(folder / "plan-1")
    dataset = load(tmp_path / "10M")
    (talk,) = dataset.conversations
    assert [turn.id for turn in talk.turns] == ["6", "7", "0", "1", "2", "3", "4", "5", "0#2"]
    evidence = {question.category: question.evidence for question in talk.questions}
    assert evidence["contradiction_resolution"] == ("4",)
    assert any("contradiction_resolution/1: source 0 names no message, or two" in one for one in dataset.problems)


def test_turns_without_a_date_have_none_and_that_is_told(tmp_path):
    chat = [{"turns": [[said(0, "Hi."), said(1, "", "assistant")]]}, *CHAT[1:]]
    dataset = load(written(tmp_path / "1M" / "1", chat))
    assert [turn.said_at is None for turn in dataset.conversations[0].turns] == [True, False, False]
    assert any("turns before the first date" in one for one in dataset.problems)
    assert any("batch 1, message 1: text: is empty" in one for one in dataset.problems)


def test_a_chat_without_questions_or_turns_and_an_empty_folder_are_errors(tmp_path):
    folder = written(tmp_path / "100K" / "1")
    (folder / "probing_questions.json").unlink()
    with pytest.raises(DataSetInvalid, match=r"has no probing_questions\.json"):
        load(tmp_path)
    written(folder, {"turns": 1})
    with pytest.raises(DataSetInvalid, match="holds no turns"):
        load(tmp_path)
    (tmp_path / "other").mkdir()
    with pytest.raises(DataSetInvalid, match="no chat of BEAM's is here"):
        load(tmp_path / "other", "beam")
    (folder / "probing_questions.json").write_text("[1]")
    written(tmp_path / "new" / "1")
    (tmp_path / "new" / "1" / "probing_questions.json").write_text("[1]")
    assert "is not a JSON object of abilities" in load(tmp_path / "new").problems[0]


@pytest.mark.skipif(not DATA.exists(), reason=f"the BEAM data set is not at {DATA}")
def test_the_real_chats():
    dataset = load(DATA)
    assert dataset.problems == ()
    assert [talk.id for talk in dataset.conversations] == ["100K-1", "100K-2", "100K-3", "100K-4"]
    assert [len(talk.turns) for talk in dataset.conversations] == [188, 200, 194, 212]
    assert all(len(talk.sessions) == 3 for talk in dataset.conversations)
    assert not any("->->" in turn.text for talk in dataset.conversations for turn in talk.turns)
    assert all(turn.said_at is not None for talk in dataset.conversations for turn in talk.turns)
    asked = [question for talk in dataset.conversations for question in talk.questions]
    assert set(Counter(question.category for question in asked).values()) == {8} and len(asked) == 80
    assert all(question.nuggets for question in asked)
    assert {question.category for question in asked if question.answer is None} == {"abstention"}
    assert all(bool(question.evidence) == (question.category != "abstention") for question in asked)
    nested = next(question for question in asked if question.id == "100K-4/event_ordering/2")
    assert nested.evidence[-2:] == ("136", "138")
