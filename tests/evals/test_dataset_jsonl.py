"""Our own JSON lines: what they hold, and that everything that is wrong with them is told at once, by file and line."""

from __future__ import annotations

import gzip
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from recollect_evals.datasets import jsonl, load
from recollect_evals.errors import DataSetInvalid

DOCS = Path(__file__).parents[2] / "docs" / "evals.md"
CONVERSATION = {"conversation": "ana", "about": "Ana moves twice."}
SESSION = {"session": "s1", "at": "2024-03-01T09:00:00+01:00"}
TURN = {"turn": "s1:1", "speaker": "Ana", "role": "user", "text": "I live in Porto."}
QUESTION = {"question": "ana/q1", "text": "Where?", "answer": "Porto", "category": "update", "evidence": ["s1:1"]}


def written(path: Path, *lines: object) -> Path:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode()
    path.write_bytes(gzip.compress(text) if path.name.endswith(".gz") else text)
    return path


def problems(path: Path, *lines: object) -> list[str]:
    """What a file of these lines is refused with."""
    with pytest.raises(DataSetInvalid) as caught:
        load(written(path, *lines), "jsonl")
    return str(caught.value).splitlines()


@pytest.mark.parametrize("name", ["moves.jsonl", "moves.jsonl.gz"])
def test_what_follows_a_line_belongs_to_it(tmp_path, name):
    lines = [
        CONVERSATION,
        SESSION,
        TURN,
        "",
        {"turn": "s1:2", "speaker": "assistant", "role": "assistant", "text": "Nice."},
        {**TURN, "turn": "s1:3", "at": "2024-03-01T12:00:00", "text": "Cafe\u0301"},
        QUESTION,
        {"session": "s2", "at": "2024-04-01"},
        {**TURN, "turn": "s2:1"},
        {**QUESTION, "question": "ana/q2", "answer": None, "asked_at": "2024-05-01T00:00:00Z", "nuggets": ["a", "b"]},
        {**QUESTION, "question": "ana/q3", "evidence": ["s2:1", "s1:1"]},
        {"conversation": "ben"},
        SESSION,
        TURN,
    ]
    dataset = load(written(tmp_path / name, *lines))
    assert dataset.name == "moves" and dataset.problems == ()
    ana, ben = dataset.conversations
    assert [(session.id, len(session.turns)) for session in ana.sessions] == [("s1", 3), ("s2", 1)]
    zone = timezone(timedelta(hours=1))
    assert [turn.said_at for turn in ana.turns] == [
        datetime(2024, 3, 1, 9, tzinfo=zone),
        datetime(2024, 3, 1, 9, 1, tzinfo=zone),
        datetime(2024, 3, 1, 12, tzinfo=UTC),
        datetime(2024, 4, 1, tzinfo=UTC),
    ]
    assert ana.turns[0].said_at.utcoffset() == timedelta(hours=1)
    assert ana.turns[2].text == "Caf\u00e9" and ana.turns[1].speaker == "assistant"
    first, second, third = ana.questions
    assert (first.id, first.text, first.answer, first.category) == ("ana/q1", "Where?", "Porto", "update")
    assert (second.answer, second.asked_at, second.nuggets) == (None, datetime(2024, 5, 1, tzinfo=UTC), ("a", "b"))
    assert third.evidence == ("s2:1", "s1:1")
    assert [turn.id for turn in ben.turns] == ["s1:1"] and ben.questions == ()


def test_a_folder_is_one_set_in_the_order_of_its_files(tmp_path):
    for number in (10, 9):
        question = {**QUESTION, "question": f"q{number}"}
        written(tmp_path / f"{number}.jsonl", {"conversation": f"c{number}"}, SESSION, TURN, question)
    (tmp_path / "README.md").write_text("Not data.")
    dataset = load(tmp_path)
    assert [talk.id for talk in dataset.conversations] == ["c9", "c10"] and dataset.name == tmp_path.name
    written(tmp_path / "10.jsonl", CONVERSATION, SESSION, TURN)
    assert load(tmp_path).checksum != dataset.checksum


WRONG = [
    ([SESSION], "1: a session comes before any conversation"),
    ([QUESTION], "1: a question comes before any conversation"),
    (
        [CONVERSATION, SESSION, TURN, {"conversation": "b"}, TURN, SESSION, {**TURN, "turn": "x"}],
        "5: a turn comes before any session",
    ),
    (
        [CONVERSATION, SESSION, {**TURN, "speeker": "x", "x": 1}],
        "3: unknown key 'speeker', 'x'; a turn has turn, speaker, role, text, at",
    ),
    ([CONVERSATION, {"session": "s1"}, TURN], "2: has no at"),
    ([CONVERSATION, SESSION, {"turn": "s1:1", "speaker": "Ana"}], "3: has no role, no text"),
    ([CONVERSATION, SESSION, TURN, {"question": "q", "text": "?", "category": "x"}], "4: has no answer"),
    ([CONVERSATION, SESSION, TURN, TURN], "4: turn 's1:1' is there already, at small.jsonl:3"),
    (
        [CONVERSATION, SESSION, TURN, SESSION, {**TURN, "turn": "y"}],
        "4: session 's1' is there already, at small.jsonl:2",
    ),
    (
        [CONVERSATION, SESSION, TURN, CONVERSATION, SESSION, TURN],
        "4: conversation 'ana' is there already, at small.jsonl:1",
    ),
    (
        [CONVERSATION, SESSION, TURN, QUESTION, {"conversation": "b"}, SESSION, TURN, QUESTION],
        "8: question 'ana/q1' is there already, at small.jsonl:4",
    ),
    (
        [CONVERSATION, SESSION, TURN, {**QUESTION, "evidence": ["s1:1", "s9:9"]}],
        "4: evidence 's9:9' names no turn of its conversation",
    ),
    ([CONVERSATION, SESSION, TURN, {**QUESTION, "evidence": ["s1:1", "s1:1"]}], "4: evidence: names something twice"),
    ([CONVERSATION, SESSION, TURN, {**QUESTION, "evidence": "s1:1"}], "4: evidence: must be a list"),
    ([CONVERSATION, SESSION, TURN, {**QUESTION, "nuggets": [" "]}], "4: nuggets: is empty"),
    ([CONVERSATION, SESSION, TURN, {**QUESTION, "answer": ""}], "4: answer: is empty"),
    ([CONVERSATION, SESSION, TURN, {**QUESTION, "answer": 3}], "4: answer: must be a string"),
    ([CONVERSATION, SESSION, TURN, {**QUESTION, "category": None}], "4: category: must be a string"),
    ([CONVERSATION, SESSION, TURN, {**QUESTION, "asked_at": "soon"}], "4: asked_at: is not a time that parses"),
    ([CONVERSATION, {**SESSION, "at": 5}, TURN], "2: at: must be a text, in ISO 8601"),
    ([CONVERSATION, SESSION, {**TURN, "role": "robot"}], "3: role: must be one of"),
    ([CONVERSATION, SESSION, {**TURN, "text": " "}], "3: text: is empty"),
    ([CONVERSATION, SESSION, {**TURN, "role": None}], "3: role: must be one of"),
    ([CONVERSATION, SESSION, {**TURN, "speaker": None}], "3: speaker: must be a text"),
    ([CONVERSATION, SESSION, {**TURN, "at": None}], "3: at: must be a text"),
    ([CONVERSATION, SESSION, {**TURN, "speaker": ["Ana"]}], "3: speaker: must be a text"),
    ([CONVERSATION, SESSION, {**TURN, "turn": 1}], "3: turn: must be a string"),
    ([{**CONVERSATION, "about": 3}, SESSION, TURN], "1: about: must be a string"),
    ([CONVERSATION, SESSION], "2: session 's1' has no turns"),
    ([CONVERSATION], "1: conversation 'ana' has no session"),
    ([CONVERSATION, SESSION, TURN, {"text": "?"}], "4: has none of the keys conversation, session, turn, question"),
    ([CONVERSATION, {**SESSION, **TURN}], "2: has several of the keys"),
    ([CONVERSATION, SESSION, TURN, "[1]"], "4: is not a JSON object"),
    ([CONVERSATION, SESSION, TURN, '{"turn": "x", "turn": "y"}'], "4: has a key twice"),
    ([CONVERSATION, SESSION, TURN, '{"turn": "s1:2", "speaker": "An'], "4: is not JSON: Unterminated string"),
]


@pytest.mark.parametrize(("lines", "problem"), WRONG, ids=[problem for _, problem in WRONG])
def test_each_fault_is_told_once_with_its_line(tmp_path, lines, problem):
    (told,) = problems(tmp_path / "small.jsonl", *lines)
    assert told.startswith(f"small.jsonl:{problem}")


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    told = problems(
        tmp_path / "small.jsonl",
        {**CONVERSATION, "x": 1},
        {"session": "s1", "at": "never"},
        {"turn": "s1:1", "role": "robot", "speaker": "Ana", "text": ""},
        {**QUESTION, "evidence": ["s1:1", "s1:2"], "nuggets": 1},
    )
    assert [line.partition(": ")[0] for line in told] == [
        f"small.jsonl:{number}" for number in (1, 2, 3, 4, 4)
    ]  # a role that is wrong is told before the text
    many = problems(tmp_path / "many.jsonl", CONVERSATION, SESSION, TURN, *[{**TURN, "turn": "x", "y": 1}] * 30)
    assert len(many) == 21 and many[-1] == "… and 39 more"


def test_what_a_broken_line_opened_is_not_told_as_astray(tmp_path):
    told = problems(
        tmp_path / "small.jsonl",
        '{"conversation": "ana"',
        SESSION,
        TURN,
        QUESTION,
        {"conversation": "b", "x": 1},
        SESSION,
        TURN,
    )
    assert [line.partition(": ")[0] for line in told] == ["small.jsonl:1", "small.jsonl:5"]


def test_a_broken_session_line_does_not_make_its_turns_astray(tmp_path):
    told = problems(tmp_path / "small.jsonl", CONVERSATION, '{"session": "s1"', TURN, QUESTION)
    assert [line.partition(": ")[0] for line in told] == ["small.jsonl:2"]


def test_a_turn_without_a_session_is_told_and_so_is_its_conversation(tmp_path):
    assert problems(tmp_path / "small.jsonl", CONVERSATION, TURN) == [
        "small.jsonl:2: a turn comes before any session of its conversation",
        "small.jsonl:1: conversation 'ana' has no session",
    ]


def test_bytes_that_are_no_text_are_told(tmp_path):
    path = written(tmp_path / "small.jsonl", CONVERSATION, SESSION, TURN)
    path.write_bytes(path.read_bytes() + b'\n{"turn": "\xff"}')
    with pytest.raises(DataSetInvalid, match=r"^small\.jsonl:4: is not UTF-8$"):
        load(path)


def test_a_conversation_ends_with_its_file(tmp_path):
    written(tmp_path / "1.jsonl", CONVERSATION, SESSION, TURN)
    written(tmp_path / "2.jsonl", QUESTION)
    with pytest.raises(DataSetInvalid, match=r"^2\.jsonl:1: a question comes before any conversation$"):
        load(tmp_path)


def test_the_example_of_the_guide_is_a_data_set(tmp_path):
    """Word for word; and each key that a line may have is named there."""
    text = DOCS.read_text(encoding="utf-8")
    example = re.search(r"```jsonl\n(.+?)```", text, re.S)
    assert example is not None
    (tmp_path / "example.jsonl").write_text(example[1], encoding="utf-8")
    dataset = load(tmp_path / "example.jsonl")
    assert dataset.conversations and all(talk.questions for talk in dataset.conversations)
    named = {key for needed, allowed in jsonl._KEYS.values() for key in needed + allowed}
    assert {key for key in named if f"`{key}`" not in text} == set()
