"""LongMemEval: its traps on small files of our own, instances read when they are asked for, and the real ones."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect.formats.streams import Malformed, objects
from recollect_evals.datasets import load
from recollect_evals.errors import DataSetInvalid

DATA = Path(os.environ.get("RECOLLECT_DATA", Path(__file__).parents[3] / "shared" / "data")) / "longmemeval"


def made(**changed: object) -> dict[str, object]:
    """An instance with most traps in it: a later session before an earlier one, one twice, one empty, an empty turn."""
    return {
        "question_id": "q1",
        "question_type": "knowledge-update",
        "question": "How many bikes do I have?",
        "answer": 3,
        "question_date": "2023/05/30 (Tue) 23:40",
        "haystack_session_ids": ["answer_2", "filler", "nothing", "answer_1", "filler"],
        "haystack_dates": [
            "2023/05/22 (Mon) 10:00",
            "2023/05/20 (Sat) 02:57",
            "2023/05/20 (Sat) 03:00",
            "2023/05/19 (Fri) 09:05",
            "2023/05/25 (Thu) 11:00",
        ],
        "haystack_sessions": [
            [
                {"role": "user", "content": "I bought another bike, so now three.", "has_answer": True},
                {"role": "assistant", "content": "Enjoy!", "has_answer": False},
            ],
            [
                {"role": "user", "content": "Write a poem."},
                {"role": "assistant", "content": "  "},
                {"role": "user", "content": "Hm."},
            ],
            [],
            [
                {"role": "assistant", "content": "Hello."},
                {"role": "user", "content": "I have two bikes.", "has_answer": True},
            ],
            [{"role": "user", "content": "Write a poem."}],
        ],
        "answer_session_ids": ["answer_1", "answer_2"],
        **changed,
    }


def written(folder: Path, *instances: object, name: str = "small.json") -> Path:
    path = folder / name
    text = json.dumps(instances, ensure_ascii=False, indent=1).encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return path


@pytest.mark.parametrize("name", ["small.json", "small.json.gz", "small"])
def test_a_haystack_comes_by_date_with_each_session_once_by_name(tmp_path, name):
    path = tmp_path / name
    text = json.dumps([made()]).encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    dataset = load(path)
    assert dataset.name == "longmemeval-small" and dataset.problems == ()
    assert dataset.checksum == hashlib.sha256(text).hexdigest()
    (talk,) = dataset.conversations
    assert [session.id for session in talk.sessions] == ["answer_1", "filler", "answer_2", "filler#2"]
    assert [turn.id for turn in talk.turns] == [
        "answer_1:1",
        "answer_1:2",
        "filler:1",
        "filler:3",
        "answer_2:1",
        "answer_2:2",
        "filler#2:1",
    ]
    assert [turn.speaker for turn in talk.turns[:2]] == ["assistant", "user"]
    assert talk.turns[1].said_at == datetime(2023, 5, 19, 9, 5, 1, tzinfo=UTC)
    (question,) = talk.questions
    assert (question.id, question.answer, question.category) == ("q1", "3", "knowledge-update")
    assert question.evidence == ("answer_1:2", "answer_2:1")
    assert question.sessions == ("answer_1", "answer_2")
    assert question.asked_at == datetime(2023, 5, 30, 23, 40, tzinfo=UTC)


def test_a_question_on_what_was_never_said_has_no_answer_and_no_evidence(tmp_path):
    (talk,) = load(written(tmp_path, made(question_id="q1_abs", answer="You never said."))).conversations
    (question,) = talk.questions
    assert (question.answer, question.category, question.evidence, question.sessions) == (None, "abstention", (), ())


def test_evidence_is_marked_turns_of_the_sessions_that_are_named(tmp_path):
    one = made(answer_session_ids=["answer_2"])
    two = made(
        question_id="q2", questions=["A?", "B?"], answers=["a", 2], answer_session_ids=[["answer_1"], ["filler"]]
    )
    first, shared = load(written(tmp_path, one, two)).conversations
    assert first.questions[0].evidence == ("answer_2:1",)
    assert [(q.id, q.text, q.answer, q.evidence) for q in shared.questions] == [
        ("q2/1", "A?", "a", ("answer_1:2",)),
        ("q2/2", "B?", "2", ()),
    ]
    assert [q.sessions for q in shared.questions] == [("answer_1",), ("filler",)], "named, though no turn is marked"


def test_a_session_that_occurs_twice_carries_the_answer_once(tmp_path):
    names = ["answer_2", "filler", "nothing", "answer_2", "filler"]
    (talk,) = load(written(tmp_path, made(haystack_session_ids=names, answer_session_ids=["answer_2"]))).conversations
    assert [session.id for session in talk.sessions] == ["answer_2#2", "filler", "answer_2", "filler#2"]
    assert (talk.questions[0].evidence, talk.questions[0].sessions) == (("answer_2:1",), ("answer_2",))


def test_what_is_wrong_with_an_instance_is_told_and_the_rest_goes_on(tmp_path):
    broken = [
        made(question_id="lists", haystack_dates=["2023/05/30 (Tue) 23:40"]),
        made(question_id="dates", haystack_dates=["yesterday"] * 5),
        made(question_id="asked", question_date="2023/13/30 (Tue) 23:40"),
        made(question_id="silent", answer=None),
        made(question_id="several", questions=["A?"], answers=[]),
        {"question": "?"},
    ]
    odd = made(
        haystack_sessions=[[{"role": "robot", "content": "x"}, 7], 7, [], [{"role": "user", "content": "Hi."}], []]
    )
    dataset = load(written(tmp_path, *broken, odd))
    assert [talk.id for talk in dataset.conversations] == ["q1"]
    for problem, expected in zip(
        dataset.problems,
        (
            "lists: has 5 session ids, 1 dates",
            "dates: session answer_2: its date",
            "asked: question_date does not",
            "silent: has no answer",
            "several: has 1 questions, 0 answers",
            "instance 6: has no question_id",
            "turn 1: role: must be one of",
            "turn 2: is not a JSON object",
            "session filler: is not a list",
        ),
        strict=True,
    ):
        assert expected in problem
    with pytest.raises(DataSetInvalid, match="holds no instance"):
        load(written(tmp_path, broken[0]))


def test_an_id_twice_is_an_error(tmp_path):
    with pytest.raises(DataSetInvalid, match="instance 2: question_id q1 occurs twice"):
        load(written(tmp_path, made(), made()))


def test_several_files_of_a_folder_are_not_one_set(tmp_path):
    written(tmp_path, made(), name="longmemeval_s.json")
    written(tmp_path, made(), name="longmemeval_m.json")
    with pytest.raises(DataSetInvalid, match=r"name one of longmemeval_m\.json, longmemeval_s\.json"):
        load(tmp_path)


def test_a_file_with_a_published_name_and_other_content_is_told(tmp_path):
    dataset = load(written(tmp_path, made(), name="longmemeval_s_cleaned.json.gz"))
    (problem,) = dataset.problems
    assert dataset.checksum[:12] in problem and "d6f21ea9d60a" in problem and dataset.name == "longmemeval_s_cleaned"


@pytest.mark.parametrize("cut", [0.02, 0.3, 0.6, 0.99])
def test_a_file_that_was_cut_off_is_an_error_wherever_it_ends(tmp_path, cut):
    path = written(tmp_path, made(), made(question_id="q2"))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * cut)])
    with pytest.raises(DataSetInvalid, match="get it again"):
        load(path, "longmemeval")


@pytest.mark.parametrize("cut", [0.3, 0.9])
def test_a_gzip_file_that_was_cut_off_is_an_error(tmp_path, cut):
    path = written(tmp_path, *(made(question_id=f"q{n}", answer="x" * n) for n in range(99)), name="small.json.gz")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * cut)])
    with pytest.raises(DataSetInvalid, match="the gzip file ends too early"):
        load(path)


def test_damage_inside_is_an_error_that_names_the_instance(tmp_path):
    path = written(tmp_path, made(), made(question_id="q2"))
    path.write_bytes(path.read_bytes().replace(b'"question_id": "q2"', b'"question_id"; "q2"'))
    with pytest.raises(DataSetInvalid, match=r"instance 2 \(byte [\d,]+\) is not JSON"):
        load(path)
    path.write_bytes(b'[{"question_id": "q1", "haystack_dates": []} nonsense]')
    with pytest.raises(DataSetInvalid, match="is no list of JSON objects"):
        load(path)


# --- read when asked for -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["many.json", "many.json.gz"])
def test_instances_are_a_sequence(tmp_path, name):
    items = [made(question_id=f"q{number}", question=f"Wie viele Räder, {number}?") for number in range(7)]
    talks = load(written(tmp_path, *items, name=name)).conversations
    assert len(talks) == 7 and [talk.id for talk in talks] == [f"q{number}" for number in range(7)]
    assert talks[3].questions[0].text == "Wie viele Räder, 3?" and talks[-1].id == "q6"
    assert [talk.id for talk in talks[4:2:-1]] == ["q4", "q3"] and list(talks) == list(talks)
    with pytest.raises(IndexError):
        talks[7]


def test_a_file_that_changed_meanwhile_is_not_read_on(tmp_path):
    path = written(tmp_path, made())
    talks = load(path).conversations
    written(tmp_path, made(), made(question_id="q2"))
    with pytest.raises(DataSetInvalid, match="was changed after it was read"):
        talks[0]
    path.unlink()
    with pytest.raises(DataSetInvalid, match="cannot be read"):
        list(talks)


def test_a_large_file_never_fills_the_memory(tmp_path):
    """40 instances of 400 kB: at no time more than a few of them are there, neither in checking nor in going over them."""
    sessions = [[{"role": "user", "content": f"{n} " + "word " * 4000}] * 5 for n in range(4)]
    item = made(haystack_sessions=sessions, haystack_session_ids=[f"s{n}" for n in range(4)])
    item["haystack_dates"] = ["2023/05/20 (Sat) 02:57"] * 4
    path = tmp_path / "large.json"
    with path.open("w") as file:
        file.write("[" + ",\n".join(json.dumps({**item, "question_id": f"q{n}"}) for n in range(40)) + "]")
    size = path.stat().st_size
    tracemalloc.start()
    try:
        turns = sum(len(talk.turns) for talk in load(path).conversations)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert turns == 40 * 20 and size > 15_000_000
    assert peak < size / 2


JSON = st.recursive(
    st.none() | st.integers() | st.text(alphabet='ab"\\{}[],: é\n\U0001f600', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('a"\\{]', max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.lists(st.dictionaries(st.text('k"\\}', max_size=3), JSON, max_size=3), max_size=4)


@settings(max_examples=60, deadline=None)
@given(OBJECTS, st.integers(1, 9), st.booleans(), st.sampled_from([None, 1]), st.booleans())
def test_objects_of_a_stream_are_those_of_the_whole(items, size, escaped, indent, lines):
    """However it is cut into pieces, as a list or as lines; and a stream that ends early is never taken for whole."""
    if lines:
        text = "".join(json.dumps(item, ensure_ascii=escaped) + "\n" for item in items).encode()
    else:
        text = json.dumps(items, ensure_ascii=escaped, indent=indent).encode()

    def pieces(data: bytes):
        rest = [data]

        def read(_: int) -> bytes:
            piece, rest[0] = rest[0][:size], rest[0][size:]
            return piece

        return read

    found = list(objects(pieces(text)))
    assert [json.loads(one.data) for one in found] == items
    assert all(text[one.start : one.start + len(one.data)] == one.data for one in found)
    assert all(one.line == 1 + text.count(b"\n", 0, one.start) for one in found)
    if not lines:
        for end in range(1, len(text.rstrip())):
            with pytest.raises(Malformed):
                list(objects(pieces(text[:end])))


# --- the real files ----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not DATA.exists(), reason=f"the LongMemEval files are not at {DATA}")
def test_the_real_instance():
    dataset = load(DATA / "longmemeval_single.json.gz")
    (talk,) = dataset.conversations
    assert (talk.id, len(talk.sessions), len(talk.turns), dataset.problems) == ("e47becba", 53, 550, ())
    (question,) = talk.questions
    assert question.answer == "Business Administration" and question.category == "single-session-user"
    assert question.evidence == ("answer_280352e9:5", "answer_280352e9:6")


@pytest.mark.skipif(not DATA.exists(), reason=f"the LongMemEval files are not at {DATA}")
def test_the_real_file_of_shared_haystacks():
    talks = load(DATA / "multi_question_3.json.gz").conversations
    assert [(talk.id, len(talk.sessions), len(talk.questions)) for talk in talks] == [
        ("852ce960", 39, 9),
        ("ba358f49", 41, 9),
        ("6a1eabeb", 40, 8),
    ]
    for talk in talks:
        times = [session.turns[0].said_at for session in talk.sessions]
        assert times == sorted(times)
    assert talks[0].questions[0].evidence == ("answer_3a6f1e82_1:3", "answer_3a6f1e82_2:1")
