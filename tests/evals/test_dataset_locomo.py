"""LoCoMo: each trap of its files, on a small one of our own; and the counts of the real one, where it is there."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recollect import formats
from recollect_evals.datasets import load
from recollect_evals.errors import DataSetInvalid

DATA = Path(os.environ.get("RECOLLECT_DATA", Path(__file__).parents[3] / "shared" / "data")) / "locomo" / "dev.json"

SAMPLE = {
    "qa": [
        {"question": "When did Iris move?", "answer": 2021, "evidence": ["D1:1"], "category": 2},
        {"question": "Where do both hike?", "answer": "In Tyrol", "evidence": ["D1:2; D03:01", "D:3:1"], "category": 1},
        {"question": "What is on the photo?", "answer": "a lake", "evidence": ["D3:2", "D9:9", "D"], "category": 4},
        {"question": "Would Iris like skiing?", "answer": "Likely yes", "evidence": [], "category": 3},
        {"question": "Who moved to Bonn?", "adversarial_answer": "Iris", "evidence": ["D1:1"], "category": 5},
        {
            "question": "Is it Ben's lake?",
            "adversarial_answer": "Yes",
            "answer": "No",
            "evidence": ["D3:2"],
            "category": 5,
        },
    ],
    "conversation": {
        "speaker_a": "Iris",
        "speaker_b": "Ben",
        "session_1_date_time": "1:56 pm on 8 May, 2023",
        "session_1": [
            {"speaker": "Iris", "dia_id": "D1:1", "text": "I moved in 2021."},
            {"speaker": "Ben", "dia_id": "D1:2", "text": "  I hike in Tyrol. "},
        ],
        "session_2_date_time": "12:05 am on 9 May, 2023",
        "session_10_date_time": "9:00 am on 1 June, 2023",
        "session_10": [{"speaker": "Ben", "dia_id": "D10:1", "text": "Late."}],
        "session_3_date_time": "12:10 am on 10 May, 2023",
        "session_3": [
            {"speaker": "Iris", "dia_id": "D3:1", "text": "So do I."},
            {"speaker": "Iris", "dia_id": "D3:2", "text": "", "blip_caption": "a photo of a lake", "img_url": ["x"]},
        ],
    },
    "sample_id": "conv-30",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "locomo" / "two.json"
    path.parent.mkdir()
    path.write_text(json.dumps([SAMPLE, {**SAMPLE, "sample_id": "conv-41"}]))
    return path


def test_a_conversation_is_what_ingest_stores(file):
    """Sessions that have only a date are none; they come by number; an image is told by its caption; turns are a second apart."""
    dataset = load(file)
    assert dataset.name == "locomo-two"
    talk = dataset.conversations[0]
    assert [session.id for session in talk.sessions] == ["session_1", "session_3", "session_10"]
    assert [(turn.id, turn.speaker, turn.role, turn.text) for turn in talk.turns] == [
        ("D1:1", "Iris", "user", "I moved in 2021."),
        ("D1:2", "Ben", "user", "I hike in Tyrol."),
        ("D3:1", "Iris", "user", "So do I."),
        ("D3:2", "Iris", "user", "[shared an image: a photo of a lake]"),
        ("D10:1", "Ben", "user", "Late."),
    ]
    assert talk.turns[1].said_at == datetime(2023, 5, 8, 13, 56, 1, tzinfo=UTC)
    assert talk.turns[2].said_at == datetime(2023, 5, 10, 0, 10, tzinfo=UTC)
    ingested = next(one for one in formats.read(file) if isinstance(one, formats.Conversation))
    assert [turn.text for turn in talk.turns] == [
        message.content for session in ingested.sessions for message in session.messages
    ]


def test_answers_and_evidence_are_put_right_and_what_cannot_be_is_told(file):
    dataset = load(file)
    asked = dataset.conversations[0].questions
    assert [question.id for question in asked] == [f"conv-30/qa{place}" for place in range(6)]
    assert [question.category for question in asked] == [
        "temporal",
        "multi-hop",
        "single-hop",
        "open-domain",
        "adversarial",
        "adversarial",
    ]
    assert [question.answer for question in asked] == ["2021", "In Tyrol", "a lake", "Likely yes", None, "No"]
    assert [question.evidence for question in asked] == [("D1:1",), ("D1:2", "D3:1"), ("D3:2",), (), (), ()]
    assert dataset.problems == (
        "two.json: conv-30 qa2: evidence D9:9, D names no turn; left out",
        "two.json: conv-41 qa2: evidence D9:9, D names no turn; left out",
    )


@pytest.mark.parametrize("place", [".", "locomo-audit", "../locomo-audit"])
def test_the_audit_beside_counts_conversations_of_the_release_not_of_the_file(file, place):
    audit = file.parent / place / "erroneous_question_ids.json"
    audit.parent.mkdir(exist_ok=True)
    table = {
        "score_corrupting": ["locomo_1_qa0"],
        "citation_only": ["locomo_2_qa1", "locomo_0_qa2"],
        "by_type": {"AMBIGUOUS": ["locomo_1_qa0", "locomo_1_qa3"], "WRONG_CITATION": ["locomo_2_qa1", "locomo_1_qa3"]},
    }
    audit.write_text(json.dumps(table))
    doubts = {question.id: question.doubts for talk in load(file).conversations for question in talk.questions}
    assert {name: set(found) for name, found in doubts.items() if found} == {
        "conv-30/qa0": {"answer"},
        "conv-30/qa3": {"answer", "evidence"},
        "conv-41/qa1": {"evidence"},
    }


def test_a_file_that_is_no_audit_is_refused(file):
    (file.parent / "erroneous_question_ids.json").write_text('{"ids": []}')
    with pytest.raises(DataSetInvalid, match="score_corrupting and citation_only"):
        load(file)


def test_what_is_wrong_is_told_and_the_rest_goes_on(tmp_path):
    broken = {
        "sample_id": "conv-x",
        "conversation": {
            "session_1_date_time": "noon",
            "session_1": [
                {"speaker": "Iris", "dia_id": "D1:1", "text": "Hello."},
                {"speaker": "Ben", "dia_id": "D1:1", "text": "Twice."},
                {"dia_id": "D1:3", "text": "Nobody."},
                {"speaker": "Ben", "text": "Without an id."},
            ],
        },
        "qa": [
            {"question": "A?", "evidence": [], "category": 1},
            {"question": "B?", "answer": "b", "evidence": [], "category": 9},
            {"question": "C?", "evidence": [], "category": 5},
            {"question": " ", "answer": "d", "category": 1},
            "E?",
            {"question": "F?", "answer": ["f"], "category": 1},
            {"question": "G?", "answer": "g", "evidence": [{"turn": 1}], "category": 1},
        ],
    }
    path = tmp_path / "broken.json"
    path.write_text(json.dumps([broken, {"sample_id": "empty", "conversation": {}}, "none"]))
    dataset = load(path)
    assert [turn.id for turn in dataset.conversations[0].turns] == ["D1:1", "D1:1#2", "D1:4"]
    assert [question.text for question in dataset.conversations[0].questions] == ["G?"]
    told = "\n".join(dataset.problems)
    for expected in (
        "has no date that parses",
        "D1:1 is the id of two turns",
        "turn 3: has no speaker",
        "qa0: has no answer",
        "qa1: category: 9 is none of 1 to 5",
        "qa2: has neither",
        "qa3: question: is empty",
        "qa4: is not a JSON object",
        "qa5: answer: is neither",
        'qa6: evidence {"turn": 1} names no turn',
        "empty: has no turns",
        "conversation 3: has no object",
    ):
        assert expected in told, expected
    assert len(dataset.problems) == 12


def test_a_file_of_nothing_readable_is_an_error_with_the_reasons(tmp_path):
    path = tmp_path / "empty.json"
    path.write_text(json.dumps([{"conversation": {"session_1": "none"}, "sample_id": "conv-26"}]))
    with pytest.raises(
        DataSetInvalid, match=r"holds no conversation of LoCoMo's\n.*conv-26: has no turns\n.*is not a list"
    ):
        load(path)


@pytest.mark.skipif(not DATA.exists(), reason=f"the LoCoMo data set is not at {DATA}")
def test_the_real_file():
    dataset = load(DATA)
    assert dataset.checksum == "3e52c010b0029bd0846834d685f642fb4e61179113ba67524430baa13bca6cbe"
    assert [talk.id for talk in dataset.conversations] == [f"conv-{number}" for number in (26, 41, 42, 43, 47)]
    assert [len(talk.turns) for talk in dataset.conversations] == [419, 663, 629, 680, 689]
    assert [len(talk.sessions) for talk in dataset.conversations] == [19, 32, 29, 29, 31]
    asked = [question for talk in dataset.conversations for question in talk.questions]
    count = Counter(question.category for question in asked)
    assert count == {"single-hop": 457, "adversarial": 253, "temporal": 164, "multi-hop": 151, "open-domain": 59}
    # 831 questions of categories 1 to 4; two of them name no evidence and take no part in its recall.
    assert sum(bool(question.evidence) for question in asked) == 829
    assert not any(question.evidence for question in asked if question.category == "adversarial")
    assert sum(question.answer is None for question in asked) == 251
    assert [one.partition("conv-")[2] for one in dataset.problems] == [
        "42 qa58: evidence D10:19 names no turn; left out",
        "42 qa88: evidence D names no turn; left out",
        "47 qa38: evidence D4:36 names no turn; left out",
    ]
    evidence = {question.id: question.evidence for question in asked}
    assert evidence["conv-26/qa37"] == ("D8:6", "D9:17") and "D11:26" in evidence["conv-43/qa18"]
    assert {question.id: question.answer for question in asked}["conv-26/qa75"] == "3"
    captions = [turn for talk in dataset.conversations for turn in talk.turns if "[shared an image: " in turn.text]
    assert len(captions) == 639


@pytest.mark.skipif(not DATA.exists(), reason=f"the LoCoMo data set is not at {DATA}")
def test_the_real_audit():
    doubts = Counter(
        kind for talk in load(DATA).conversations for question in talk.questions for kind in question.doubts
    )
    assert doubts == {"answer": 55, "evidence": 38}
