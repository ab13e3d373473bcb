"""Whatever stands where in a data file: a set with its problems told, or DataSetInvalid; nothing foreign, nothing half."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recollect_evals.datasets import load
from recollect_evals.errors import DataSetInvalid

SAMPLES: dict[str, Any] = {
    "locomo": [
        {
            "sample_id": "conv-26",
            "qa": [
                {"question": "Where?", "answer": "Bonn", "evidence": ["D1:1"], "category": 1},
                {"question": "Who?", "adversarial_answer": "Ben", "evidence": ["D1:2"], "category": 5},
            ],
            "conversation": {
                "session_1_date_time": "1:56 pm on 8 May, 2023",
                "session_1": [
                    {"speaker": "Ana", "dia_id": "D1:1", "text": "I live in Bonn."},
                    {"speaker": "Ben", "dia_id": "D1:2", "text": "Ah.", "blip_caption": "a dog"},
                ],
            },
        }
    ],
    "longmemeval": [
        {
            "question_id": "q",
            "question_type": "multi-session",
            "question": "Where?",
            "answer": 3,
            "question_date": "2023/05/30 (Tue) 23:40",
            "haystack_session_ids": ["s", "t"],
            "haystack_dates": ["2023/05/20 (Sat) 02:57", "2023/05/20 (Sat) 02:57"],
            "haystack_sessions": [
                [{"role": "user", "content": "Hi.", "has_answer": True}],
                [{"role": "assistant", "content": "Ho."}],
            ],
            "answer_session_ids": ["s"],
        }
    ],
    "halumem": {
        "uuid": "u",
        "persona_info": "Name: Ada Lenz; Gender: Female",
        "sessions": [
            {
                "end_time": "Jan 15, 2029, 16:12:20",
                "dialogue": [{"role": "user", "content": "Hi.", "timestamp": "Jan 15, 2029, 15:12:20"}],
                "memory_points": [
                    {
                        "memory_content": "a",
                        "memory_type": "b",
                        "memory_source": "c",
                        "is_update": "True",
                        "original_memories": ["d"],
                        "importance": 1,
                    }
                ],
                "questions": [
                    {"question": "?", "answer": "a", "question_type": "e", "evidence": [{"memory_content": "a"}]}
                ],
            }
        ],
    },
    "beam": {
        "chat": [
            {
                "turns": [
                    [
                        {"role": "user", "id": 0, "content": "Hi. ->-> 1,1", "time_anchor": "March-15-2024"},
                        {"role": "assistant", "id": 1, "content": "Ho."},
                    ]
                ]
            }
        ],
        "questions": {
            "abstention": [{"question": "?", "ideal_response": "a", "rubric": ["b"]}],
            "summarization": [{"question": "?", "ideal_summary": "a", "rubric": ["b"], "source_chat_ids": {"c": [[0]]}}],
        },
    },
    "jsonl": [
        {"conversation": "ana", "about": "b"},
        {"session": "s1", "at": "2024-03-01T09:00:00Z"},
        {"turn": "s1:1", "speaker": "Ana", "role": "user", "text": "Hi.", "at": "2024-03-01T09:00:00Z"},
        {"question": "q", "text": "?", "answer": "a", "category": "c", "evidence": ["s1:1"], "nuggets": ["n"]},
        {"question": "r", "text": "?", "answer": None, "category": "c", "asked_at": "2024-03-01"},
    ],
}  # fmt: skip
STRANGE = [
    "D1:1",
    "\ud800",
    "\x00",
    "9999/99/99 (Tue) 99:99",
    "Feb 31, 0000, 00:00:00",
    "-" * 600,
    "99:99 pm on 99 May, 9999",
]
NESTED = [[], {}, [[]], [{}], {"x": [1]}, ["a", "a"]]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**20),
    st.floats(),
    st.text(max_size=3),
    st.sampled_from(STRANGE),
    st.sampled_from(NESTED).map(copy.deepcopy),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Each place inside a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, one in inside for found in places(one, (*path, key)))]


@st.composite
def changed(draw: st.DrawFn, name: str) -> Any:
    """The sample with one to three values exchanged, or gone."""
    value = copy.deepcopy(SAMPLES[name])
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(value)))
        if not path:
            return draw(VALUES)
        holder = value
        for key in path[:-1]:
            holder = holder[key]
        if draw(st.integers(0, 4)):
            holder[path[-1]] = draw(VALUES)
        else:
            del holder[path[-1]]
    return value


@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nothing_foreign_comes_of_a_strange_file(tmp_path, name, data):
    value = data.draw(changed(name))
    path = tmp_path / "data.json"
    if name == "beam":
        parts = value if isinstance(value, dict) else {}
        (tmp_path / "chat.json").write_text(json.dumps(parts.get("chat", value)))
        (tmp_path / "probing_questions.json").write_text(json.dumps(parts.get("questions", value)))
        path = tmp_path
    elif name == "jsonl":
        path.write_text("\n".join(map(json.dumps, value if isinstance(value, list) else [value])))
    else:
        path.write_text(json.dumps(value))
    try:
        dataset = load(path, name)
    except DataSetInvalid as error:
        assert str(error)
        return
    for talk in dataset.conversations:
        turns = [turn.id for turn in talk.turns]
        assert turns and len(set(turns)) == len(turns) and all(session.turns for session in talk.sessions)
        assert all(turn.text.strip() and turn.speaker and turn.role for turn in talk.turns)
        points = {point.id for point in talk.points}
        for question in talk.questions:
            assert question.text and question.category and question.answer != ""
            assert set(question.evidence) <= set(turns) and set(question.points) <= points
