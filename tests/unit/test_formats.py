"""Conversation files: what each format gives, what is told of broken ones, and what long ones take."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect.errors import InvalidInput
from recollect.formats import FORMATS, Conversation, FormatProblem, inputs, read
from recollect.formats.tables import columns_of

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


def stored(tmp_path, text, name="talk.json"):
    file = tmp_path / name
    file.write_text(text if isinstance(text, str) else json.dumps(text, ensure_ascii=False), encoding="utf-8")
    return file


def told(found):
    """Conversations as plain lists, and problems as strings."""
    found = list(found)
    talks = {
        one.id: [
            (session.id, [(m.role.value, m.name, m.content, m.timestamp) for m in session.messages])
            for session in one.sessions
        ]
        for one in found
        if isinstance(one, Conversation)
    }
    return talks, [str(one) for one in found if isinstance(one, FormatProblem)]


# --- ChatGPT -----------------------------------------------------------------------------------------------------------


def node(key, parent, role="user", text=None, at=None, **more):
    content = {"content_type": "text", "parts": [text]} if isinstance(text, str) else text
    message = (
        None if role is None else {"id": key, "author": {"role": role}, "content": content, "create_time": at, **more}
    )
    return {"id": key, "message": message, "parent": parent, "children": []}


def tree(*nodes, current=None, name="c1"):
    mapping = {one["id"]: one for one in nodes}
    for one in nodes:
        if one["parent"] in mapping:
            mapping[one["parent"]]["children"].append(one["id"])
    return {
        "conversation_id": name,
        "title": "T",
        "create_time": NOON.timestamp(),
        "mapping": mapping,
        "current_node": current,
    }


def test_chatgpt_is_read_along_its_current_branch(tmp_path):
    """What was regenerated or edited away, hidden or internal is not said by anybody."""
    hidden = {"metadata": {"is_visually_hidden_from_conversation": True}}
    about = {"content_type": "user_editable_context", "user_profile": "I am a vet", "user_instructions": ""}
    picture = {"content_type": "multimodal_text", "parts": [{"content_type": "image_asset_pointer"}, "My dog Rex."]}
    spoken = {
        "content_type": "multimodal_text",
        "parts": [{"content_type": "audio_transcription", "text": "He is brown."}],
    }
    talk = tree(
        node("root", None, None),
        node("s", "root", "system", "", **hidden),
        node("p", "s", "user", about, **hidden),
        node("u0", "p", "user", "I have a cat."),
        node("u1", "p", "user", picture, NOON.timestamp()),
        node("a0", "u1", "assistant", "What a cat!"),
        node("a1", "u1", "assistant", {"content_type": "code", "text": "search()"}, recipient="web"),
        node("t", "a1", "tool", "results"),
        node("th", "t", "assistant", {"content_type": "thoughts", "thoughts": []}),
        node("a2", "th", "assistant", "What a dog!\ue200cite\ue202turn0\ue201", NOON.timestamp() + 5),
        node("u2", "a2", "user", spoken, None),
        node("u3", "u2", "user", "Here.", metadata={"attachments": [{"name": "vet.pdf"}]}),
        current="u3",
    )
    file = stored(tmp_path, [talk], "conversations.json")
    talks, problems = told(read(file))
    later = NOON + timedelta(seconds=5)
    assert problems == [] and talks == {
        "c1": [
            (
                "c1",
                [
                    ("user", None, "[image]\nMy dog Rex.", NOON),
                    ("assistant", None, "What a dog!", later),
                    ("user", None, "He is brown.", later),
                    ("user", None, "Here.\n[file: vet.pdf]", later),
                ],
            )
        ]
    }
    assert next(read(file)).personal


def test_a_chatgpt_tree_without_a_current_node_or_with_a_circle_still_ends(tmp_path):
    newest = tree(
        node("a", None, "user", "One.", 1.0), node("b", "a", "user", "Old.", 2.0), node("c", "a", "user", "New.", 3.0)
    )
    circle = tree(node("a", "b", "user", "One."), node("b", "a", "user", "Two."), current="b", name="c2")
    odd = {"id": "c3", "mapping": {"a": {"message": "Hi.", "children": []}, "b": 5}, "current_node": True}
    file = stored(tmp_path, [newest, circle, {"mapping": 5}, {"mapping": {}, "id": "empty"}, odd])
    talks, problems = told(read(file))
    assert [text for *_, text, _ in talks["c1"][0][1]] == ["One.", "New."]
    assert [text for *_, text, _ in talks["c2"][0][1]] == ["One.", "Two."]
    assert list(talks) == ["c1", "c2"] and len(problems) == 1 and "conversation 3: has no mapping" in problems[0]


def test_what_is_deleted_from_a_chatgpt_tree_is_told_and_what_is_null_says_nothing(tmp_path):
    """An export may lack a message that another one answers; what stands before it is not left out without a word."""
    torn = tree(
        node("u0", None, "user", "I have a cat."),
        node("a0", "gone", "assistant", "A cat!"),
        node("u1", "a0", "user", {"content_type": "text", "parts": ["I have a dog.", None]}),
        node("n", "u1", "assistant", {"content_type": "text", "parts": None}),
        node("a1", "n", "assistant", "A dog!"),
        current="a1",
    )
    torn["mapping"]["n"]["message"]["content"] = None
    talks, problems = told(read(stored(tmp_path, [torn])))
    assert [text for *_, text, _ in talks["c1"][0][1]] == ["A cat!", "I have a dog.", "A dog!"]
    assert len(problems) == 1 and "c1: what was said before its message 1 is not in the file" in problems[0]


# --- Claude ------------------------------------------------------------------------------------------------------------


def message(uuid, sender, text, at=NOON, parent=None, **more):
    told = {"uuid": uuid, "sender": sender, "text": text, "created_at": at.isoformat().replace("+00:00", "Z"), **more}
    return told if parent is None else {**told, "parent_message_uuid": parent}


def test_claude_is_read_by_its_text_blocks_along_the_newest_branch(tmp_path):
    blocks = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "Nice."},
        {"type": "tool_use", "name": "x"},
    ]
    blocks.append({"type": "text", "text": "Rex it is."})
    later = NOON + timedelta(minutes=1)
    branched = {
        "uuid": "k1",
        "name": "T",
        "chat_messages": [
            message(
                "m1",
                "human",
                "I have a dog.",
                parent="00",
                attachments=[{"file_name": "a.txt", "extracted_content": "…"}],
            ),
            message("m2", "assistant", "A cat?", parent="m1"),
            message("m3", "assistant", "flat", later, parent="m1", content=blocks),
        ],
    }
    plain = {
        "uuid": "k2",
        "chat_messages": [message("a", "human", "One."), message("b", "assistant", "Two."), {"sender": "x"}],
    }
    talks, problems = told(
        read(stored(tmp_path, [branched, plain, {"uuid": "k3", "chat_messages": []}], "conversations.json"))
    )
    assert talks == {
        "k1": [
            (
                "k1",
                [
                    ("user", None, "I have a dog.\n\n[file: a.txt]", NOON),
                    ("assistant", None, "Nice.\n\nRex it is.", later),
                ],
            )
        ],
        "k2": [("k2", [("user", None, "One.", NOON), ("assistant", None, "Two.", NOON)])],
    }
    assert len(problems) == 1 and "k2, message 3: sender: must be human or assistant" in problems[0]
    older = {**branched, "current_leaf_message_uuid": "m2"}
    assert told(read(stored(tmp_path, [older])))[0]["k1"][0][1][1][2] == "A cat?"


# --- the others --------------------------------------------------------------------------------------------------------


def test_sharegpt_as_a_list_and_as_lines(tmp_path):
    one = {
        "id": "g1",
        "system": "Be brief.",
        "conversations": [
            {"from": "human", "value": "I have a dog."},
            {"from": "function_call", "value": "{}"},
            {"from": "observation", "value": "42"},
            {"from": "gpt", "value": "Nice."},
            {"from": "wizard", "value": "?"},
        ],
    }
    other = {"conversations": [{"from": "human", "value": "Hi."}]}
    for text in (json.dumps([one, other], indent=1), f"{json.dumps(one)}\n{json.dumps(other)}\n"):
        talks, problems = told(read(stored(tmp_path, text)))
        assert talks == {
            "g1": [
                (
                    "g1",
                    [
                        ("system", None, "Be brief.", None),
                        ("user", None, "I have a dog.", None),
                        ("tool", None, "42", None),
                        ("assistant", None, "Nice.", None),
                    ],
                )
            ],
            "talk-2": [("talk-2", [("user", None, "Hi.", None)])],
        }
        assert len(problems) == 1 and "g1, message 5: from: is no one that is known" in problems[0]


def test_lines_for_fine_tuning(tmp_path):
    """Calls of tools say nothing; the name of a tool's result is not a person's."""
    line = {
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "I have a dog."}, {"type": "image_url"}]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}], "weight": 0},
            {"role": "tool", "name": "lookup", "content": "42", "tool_call_id": "1"},
            {"role": "assistant", "content": None, "refusal": "I cannot."},
        ]
    }
    text = f"{json.dumps(line)}\n{{broken\n{json.dumps({'messages': 5})}\n{json.dumps(line)}\n"
    talks, problems = told(read(stored(tmp_path, text, "tune.jsonl")))
    said = [
        ("system", None, "Be brief.", None),
        ("user", None, "I have a dog.\n[image_url]", None),
        ("tool", None, "42", None),
        ("assistant", None, "I cannot.", None),
    ]
    assert talks == {name: [(name, said)] for name in ("tune-1", "tune-4")}
    assert [one.rsplit(":", 2)[1] for one in problems[1:]] == [" messages"] and ":2: is not JSON" in problems[0]


def test_longmemeval_by_date_with_what_cannot_be_read_told(tmp_path):
    said = [
        {"role": "user", "content": "I have a dog."},
        {"role": "assistant", "content": " "},
        {"role": "x", "content": "y"},
    ]
    item = {
        "question_id": "q1",
        "question": "Which?",
        "haystack_session_ids": ["late", "early", "early", "odd"],
        "haystack_dates": ["2023/05/30 (Tue) 23:40", "2023/05/20 (Sat) 02:21", "2023/05/21 (Sun) 02:21", "soon"],
        "haystack_sessions": [said, said[:1], said[:1], said],
    }
    talks, problems = told(read(stored(tmp_path, [item, {"question_id": "q2", "haystack_sessions": []}])))
    early = datetime(2023, 5, 20, 2, 21, tzinfo=UTC)
    late = datetime(2023, 5, 30, 23, 40, tzinfo=UTC)
    dog = ("user", None, "I have a dog.")
    assert talks == {
        "q1": [("early", [(*dog, early)]), ("early#2", [(*dog, early + timedelta(days=1))]), ("late", [(*dog, late)])]
    }
    assert ["message 3" in problems[0], "odd: its date" in problems[1], "haystack_session_ids" in problems[2]] == [
        True
    ] * 3


def test_plain_text(tmp_path):
    text = """\
2024-03-01
Ann: I have a dog.
  Note: it is brown.
And a cat.

[2024-03-01 18:00] **Ben:** https://example.org is mine.
---
User: Hello.
Assistant: Good day.
2024-03-02T09:00:00+01:00 Ann: Back.
"""
    talks, problems = told(read(stored(tmp_path, text, "talk.txt")))
    day = datetime(2024, 3, 1, tzinfo=UTC)
    assert problems == [] and talks == {
        "talk": [
            (
                "talk",
                [
                    ("user", "Ann", "I have a dog.\n  Note: it is brown.\nAnd a cat.", day),
                    ("user", "Ben", "https://example.org is mine.", day.replace(hour=18)),
                ],
            ),
            (
                "talk-2",
                [
                    ("user", None, "Hello.", day),
                    ("assistant", None, "Good day.", day),
                    ("user", "Ann", "Back.", datetime(2024, 3, 2, 8, tzinfo=UTC)),
                ],
            ),
        ]
    }
    assert told(read(stored(tmp_path, "no speaker\nAnn: Hi.\n", "x.txt"), "text"))[1] == [
        f"{tmp_path / 'x.txt'}:1: does not say who speaks (Name: text)"
    ]


def test_csv_with_and_without_a_mapping(tmp_path):
    text = (
        'who;text;when;talk\nAnn;"I have a dog;\na ""big"" one.";2024-03-01T12:00:00Z;t1\n'
        "assistant;Nice.;1709294400;t1\n;;;\n;Hi.;;t2\nBen;x;noon;t2\n"
    )
    file = stored(tmp_path, text, "talk.csv")
    columns = columns_of("content=text, role=who,timestamp=when,conversation=talk")
    talks, problems = told(read(file, columns=columns))
    assert talks == {
        "t1": [("t1", [("user", "Ann", 'I have a dog;\na "big" one.', NOON), ("assistant", None, "Nice.", NOON)])],
        "t2": [("t2", [("user", None, "Hi.", None)])],
    }
    assert [one.removeprefix(f"{file}:") for one in problems] == [
        "5: has no content",
        "7: timestamp: is not a time that parses (ISO 8601, or seconds since 1970)",
    ]
    plain = stored(tmp_path, "Role,Content\nuser,Hi.\n", "plain.csv")
    assert told(read(plain)) == ({"plain": [("plain", [("user", None, "Hi.", None)])]}, [])
    for wrong in ("content", "content=a,content=b", "colour=text"):
        with pytest.raises(InvalidInput, match="columns"):
            columns_of(wrong)
    with pytest.raises(InvalidInput, match="has no column 'words' for content; it has who, text"):
        list(read(file, columns={"content": "words"}))
    with pytest.raises(InvalidInput, match="say which column is the content"):
        list(read(file, "csv"))
    with pytest.raises(InvalidInput, match="go with csv, not with chat"):
        read(file, "chat", columns)


# --- what goes through every format's writer comes back -----------------------------------------------------------------

WORDS = st.text("abc é漢\"\\{}[],:'", min_size=1, max_size=12).map(str.strip).filter(bool)
SAID = st.lists(st.tuples(st.sampled_from(["user", "assistant"]), WORDS), min_size=1, max_size=6)
TALKS = st.dictionaries(st.text("xyz-1", min_size=1, max_size=5), SAID, min_size=1, max_size=3)
SENDER = {"user": "human", "assistant": "gpt"}


def as_chat(talks):
    lines = [{"id": name, "messages": [{"role": r, "content": t} for r, t in said]} for name, said in talks.items()]
    return "".join(json.dumps(line) + "\n" for line in lines)


def as_messages(talks):
    return "".join(
        json.dumps({"role": r, "content": t, "conversation": name}) + "\n"
        for name, said in talks.items()
        for r, t in said
    )


def as_chatgpt(talks):
    made = []
    for name, said in talks.items():
        nodes = [
            node(str(n), str(n - 1) if n else None, role, text, NOON.timestamp()) for n, (role, text) in enumerate(said)
        ]
        made.append(tree(*nodes, current=str(len(said) - 1), name=name))
    return json.dumps(made)


def as_claude(talks):
    sender = {"user": "human", "assistant": "assistant"}
    return json.dumps(
        [
            {"uuid": name, "chat_messages": [message(str(n), sender[r], t) for n, (r, t) in enumerate(said)]}
            for name, said in talks.items()
        ],
        indent=2,
    )


def as_sharegpt(talks):
    turns = {name: [{"from": SENDER[r], "value": t} for r, t in said] for name, said in talks.items()}
    return json.dumps([{"id": name, "conversations": said} for name, said in turns.items()])


def as_csv(talks):
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["conversation", "role", "content"])
    rows.writerows([name, role, text] for name, said in talks.items() for role, text in said)
    return out.getvalue()


WRITERS = {
    "chat": as_chat, "messages": as_messages, "chatgpt": as_chatgpt, "claude": as_claude, "sharegpt": as_sharegpt, "csv": as_csv,
}  # fmt: skip


@pytest.mark.parametrize("kind", WRITERS)
@settings(max_examples=40, deadline=None)
@given(talks=TALKS)
def test_what_is_written_is_recognised_and_comes_back(tmp_path_factory, kind, talks):
    file = stored(tmp_path_factory.mktemp("w"), WRITERS[kind](talks), "talks.any")
    ((found,), _) = inputs([file])
    assert found.format == {"messages": "chat"}.get(kind, kind)
    for _ in range(2):  # a file is gone through as often as it is wanted
        back, problems = told(found.read())
        assert problems == []
        assert {
            name: [(r, t) for _, said in sessions for r, _, t, _ in said] for name, sessions in back.items()
        } == talks


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["Ann", "Ben Lee", "Zoë"]), WORDS), min_size=1, max_size=6))
def test_plain_text_comes_back(tmp_path_factory, said):
    file = stored(tmp_path_factory.mktemp("w"), "".join(f"{name}: {text}\n" for name, text in said), "talk.txt")
    (talk,) = read(file)
    assert [(m.name, m.content) for m in talk.sessions[0].messages] == said


@pytest.mark.parametrize("kind", [*WRITERS, "text"])
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_broken_file_is_told_of_and_never_raises_something_else(tmp_path_factory, kind, data):
    """Cut off, or with a piece of it overwritten: conversations, problems, or an InvalidInput at once."""
    talks = {"x": [("user", "I have a dog."), ("assistant", "Nice.")], "y": [("user", "Hi.")]}
    text = WRITERS[kind](talks) if kind != "text" else "Ann: I have a dog.\nBen: Nice.\n"
    at = data.draw(st.integers(0, len(text) - 1))
    noise = data.draw(st.sampled_from(["", "}", '"', "\\", "\x00", "[", "null", "\ud800"]))
    broken = (text[:at] + noise + (text[at + len(noise) :] if noise else "")).encode("utf-8", "surrogatepass")
    file = tmp_path_factory.mktemp("b") / "talks.any"
    file.write_bytes(broken)
    try:
        found = list(read(file, {"messages": "chat"}.get(kind, kind)))
    except InvalidInput:
        return
    assert all(isinstance(one, Conversation | FormatProblem) for one in found)
    for one in found:
        assert isinstance(one, FormatProblem) or all(list(session.messages) for session in one.sessions)


# --- folders, patterns, odd files ---------------------------------------------------------------------------------------


def test_a_folder_of_all_kinds(tmp_path):
    """What holds no conversation is passed over and told; the others are read, each by its own format."""
    talks = {"x": [("user", "I have a dog.")]}
    folder = tmp_path / "export"
    (folder / "more").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    for number, (kind, write) in enumerate(WRITERS.items()):
        stored(folder / "more" if number % 2 else folder, write({f"{kind}": talks["x"]}), f"{number}.json")
    stored(folder, "Ann: Hi.\n", "talk.txt")
    stored(folder, {"id": "user-1", "email": "a@example.org"}, "user.json")
    stored(folder / ".hidden", as_chat(talks), "h.json")
    stored(folder, "<html>", "chat.html")
    found, passed = inputs([folder])
    names = {one.id for file in found for one in file.read()}
    assert names == {*WRITERS, "talk"} - {"messages"} | {"messages"}
    assert [(Path(one.file).name, "not recognised" in one.why) for one in passed] == [("user.json", True)]
    pattern, _ = inputs([folder / "*.json"])
    assert len(pattern) == 3
    with pytest.raises(InvalidInput, match="no conversation file in"):
        inputs([folder / "*.nothing"])
    with pytest.raises(InvalidInput, match="cannot be read"):
        inputs([folder, folder / "missing.json"])


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"PK\x03\x04rest", "zip archive"),
        (b"\x1f\x8brest", "gunzip"),
        ("Ann: Hi".encode("utf-16"), "UTF-16"),
        (b"  \n", "is empty"),
        (b"just words", "file: not recognised"),
        (b"\x7fELF\x02\x01\x00\x00", "is no text"),
    ],
)
def test_what_is_no_conversation_file_is_told_so(tmp_path, data, problem):
    file = tmp_path / "file"
    file.write_bytes(data)
    with pytest.raises(InvalidInput, match=problem):
        read(file)


def test_a_list_that_is_cut_off_gives_what_is_whole(tmp_path):
    text = json.dumps([{"id": f"t{n}", "messages": [{"role": "user", "content": "Hi."}]} for n in range(3)], indent=1)
    talks, problems = told(read(stored(tmp_path, text[: text.rindex('"content"')])))
    assert list(talks) == ["t0", "t1"] and len(problems) == 1 and "ends in the middle of object 3" in problems[0]


def test_a_file_that_is_changed_meanwhile_is_told_so(tmp_path):
    file = stored(tmp_path, as_messages({"x": [("user", "I have a dog.")] * 3}), "talk.jsonl")
    (talk,) = read(file)
    assert [m.content for m in talk.sessions[0].messages[1:]] == ["I have a dog."] * 2
    assert talk.sessions[0].messages[-1].content == "I have a dog."
    file.write_text("x" * 400)
    with pytest.raises(InvalidInput, match="was changed while it was being read"):
        list(talk.sessions[0].messages)


@pytest.mark.parametrize("kind", ["messages", "csv", "text"])
def test_a_long_file_is_not_held(tmp_path, kind):
    """Of a message it is kept where it stands: less than a tenth of what the file has."""
    lines = 4_000
    said = [
        ("user", f"I bought {n} books in Rome, and read them all, one after the other, by the river.")
        for n in range(lines)
    ]
    text = WRITERS[kind]({"x": said}) if kind != "text" else "".join(f"Ann: {text}\n" for _, text in said)
    file = stored(tmp_path, text, "talk.any")
    list(read(stored(tmp_path, text[:2_000], "warm.any")))
    tracemalloc.start()
    (talk,) = read(file)
    held = sum(1 for _ in talk.sessions[0].messages)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert held == talk.turns == lines and peak < 300_000 < len(text)


def test_every_format_is_described():
    guide = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    assert all(f"## `{name}`" in guide for name in FORMATS)


def test_a_first_row_that_is_none(tmp_path):
    """A carriage return in the middle of it is no row of a table."""
    file = tmp_path / "odd.csv"
    file.write_bytes(b"role,content\r}user,Hi.\r\n")
    with pytest.raises(InvalidInput, match="say which column is the content"):
        list(read(file, "csv"))
