"""Lists of chat messages: what is new in them, what of it is text, and where the memory block goes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.chat.messages import (
    Said,
    exchange,
    is_answer,
    known,
    reply_of,
    text_of,
    with_block,
    without_block,
    without_blocks,
)
from recollect.model import Role, Scope, Turn
from recollect.safety.fence import closing, opening
from recollect.times import now

FENCE = "0123456789abcdef0123456789abcdef"
BLOCK = f"{opening(FENCE)}\n- The user lives in Rome.\n{closing(FENCE)}"


def user(content):
    return {"role": "user", "content": content}


def assistant(content, **more):
    return {"role": "assistant", "content": content, **more}


CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def said(messages, reply=None):
    return [(one.role, one.content) for one in exchange(messages, reply, FENCE).said]


def test_what_is_new_is_behind_the_last_answer():
    history = [{"role": "system", "content": "Be brief."}, user("one"), assistant("1"), user("two"), user("three")]
    assert said(history, "2") == [("user", "two"), ("user", "three"), ("assistant", "2")]
    assert exchange(history, "2", FENCE).answered == "1"
    assert said([*history, assistant("2")]) == said(history, "2"), "a list that ends with the answer has the reply"
    assert said([user("one")]) == [("user", "one")] and exchange([user("one")], None, FENCE).answered is None


def test_tools_and_their_results_are_no_words_of_anybody():
    asked = [
        user("weather?"),
        assistant(None, tool_calls=[CALL]),
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
    ]
    assert said(asked, "It rains.") == [("user", "weather?"), ("assistant", "It rains.")]
    assert said([user("weather?")], assistant("Let me look.", tool_calls=[CALL])) == [("user", "weather?")]
    assert said([user("weather?"), assistant("Let me look.", tool_calls=[CALL])]) == [("user", "weather?")]
    assert not is_answer(assistant("", tool_calls=None)) and is_answer(assistant("yes", tool_calls=None))


def test_pictures_are_told_by_name_and_texts_by_their_text():
    parts = [
        {"type": "text", "text": "my dog"},
        {"type": "image_url", "image_url": {"url": "data:…"}},
        {"type": "odd"},
        7,
    ]
    assert said([user(parts)], "cute") == [("user", "my dog\n[image]\n[odd]"), ("assistant", "cute")]
    assert text_of(None) == "" and text_of([SimpleNamespace(type="text", text="x")]) == "x"
    assert said([user([{"type": "text", "text": " "}])], "") == []


def test_a_reply_may_be_a_text_a_message_or_a_completion():
    message = SimpleNamespace(role="assistant", content="hi", tool_calls=None)
    assert reply_of("hi") == reply_of(message) == reply_of(assistant("hi")) == "hi"
    assert reply_of(SimpleNamespace(choices=[SimpleNamespace(message=message)])) == "hi"
    assert reply_of({"choices": [{"message": assistant("hi")}]}) == "hi"
    assert reply_of({"choices": [{"message": assistant("a")}, {"message": assistant("b")}]}) is None, (
        "which one was taken?"
    )
    assert reply_of({"choices": []}) is None and reply_of(None) is None and reply_of("") is None


def test_what_no_store_takes_is_left_out_and_the_rest_kept():
    assert said([user("a\x00b\ud800c")], "\x00") == [("user", "abc")]
    (one,) = exchange([{"role": "user", "content": "hi", "name": "Ann"}], None, FENCE).said
    assert one.name == "Ann"
    for odd in ("a\x00b", "n" * 1000, 7, " "):
        (one,) = exchange([{"role": "user", "content": "hi", "name": odd}], None, FENCE).said
        assert one.name is None


@given(st.text())
def test_the_block_comes_off_as_it_went_on(text):
    message = user(text)
    assert without_blocks(with_block(message, BLOCK), FENCE) == message
    parts = user([{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": "x"}}])
    assert without_blocks(with_block(parts, BLOCK), FENCE) == parts
    assert without_block(f"{BLOCK}\n\n{BLOCK}\n\n{text}", FENCE) == text


def test_a_block_is_never_learnt_whatever_became_of_it():
    assert said([with_block(user("Where do I live?"), BLOCK)], "Rome") == [
        ("user", "Where do I live?"),
        ("assistant", "Rome"),
    ]
    assert "Rome" not in said([user(f"look: {BLOCK}")])[0][1]
    assert said([user(BLOCK)]) == []
    objects = SimpleNamespace(role="user", content=f"{BLOCK}\n\nhello")
    assert said([objects]) == [("user", "hello")]


def turns(*told):
    return [
        Turn(
            "t",
            place,
            Scope("u", None, "s"),
            "b",
            Role.USER if who == "u" else Role.ASSISTANT,
            text,
            None,
            now(),
            False,
        )
        for place, (who, text) in enumerate(told)
    ]


@pytest.mark.parametrize(
    ("new", "answered", "tail", "expected"),
    [
        ([("user", "a"), ("assistant", "A")], None, [], 0),
        ([("user", "b"), ("assistant", "B")], "A", [("u", "a"), ("a", "A")], 0),
        ([("user", "a"), ("assistant", "A")], None, [("u", "a"), ("a", "A")], 2),  # replayed after a crash
        ([("user", "a"), ("assistant", "A2")], None, [("u", "a"), ("a", "A")], 1),  # asked again for another reply
        ([("user", "a"), ("assistant", "A")], None, [("u", "a")], 1),  # after tool calls
        ([("user", "a"), ("user", "b")], None, [("u", "a")], 1),  # the first reply was abandoned
        ([("user", "yes"), ("assistant", "2")], "1", [("u", "yes"), ("a", "1")], 0),  # said twice
        ([("user", "yes"), ("assistant", "2")], " 1\n", [("u", "yes"), ("a", "1")], 0),
        ([("user", "b")], "A", [("u", "a"), ("a", "A"), ("u", "b")], 1),
        ([("assistant", "A")], None, [("u", "a")], 0),
    ],
)
def test_what_the_session_has_already_is_not_taken_twice(new, answered, tail, expected):
    assert known([Said(*one) for one in new], answered, turns(*tail)) == expected
