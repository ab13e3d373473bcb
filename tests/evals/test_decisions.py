"""The labelled decisions: whole, varied, and read strictly."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from recollect.model import Extraction, Role, Scope, Turn, text_key
from recollect.ports import Chunk
from recollect.safety.quarantine import judge_fact
from recollect.writing.evidence import verify
from recollect_evals.datasets.decisions import KINDS, MOST_KNOWN, load
from recollect_evals.errors import DataSetInvalid
from recollect_evals.operations.decisions import fact_of, message_of

CASES = load().cases


def test_there_are_enough_of_every_kind():
    kinds = Counter(case.kind for case in CASES)
    assert set(kinds) == set(KINDS) and min(kinds.values()) >= 15
    assert len(CASES) >= 220


def test_every_operation_and_mode_is_right_somewhere():
    answers = Counter((case.right.op, case.right.mode) for case in CASES)
    assert min(answers.values()) >= 13, answers
    assert set(answers) == {
        ("ADD", None),
        ("UPDATE", "revise"),
        ("UPDATE", "supersede"),
        ("DELETE", None),
        ("NONE", None),
    }


def test_most_have_something_beside_the_target_and_it_is_not_always_the_first():
    beside = [case for case in CASES if len(case.known) > len(case.right.targets)]
    assert len(beside) > len(CASES) * 0.6
    targets = Counter(target for case in CASES if len(case.known) > 1 for target in case.right.targets)
    assert targets[1] < targets.total() * 0.6, "who always takes the first one must not look good"
    assert {len(case.known) for case in CASES} >= {0, 1, 2, 3, 4, MOST_KNOWN}


def test_no_text_is_told_twice():
    facts = Counter(text_key(case.fact.text) for case in CASES)
    known = Counter(text_key(told.text) for case in CASES for told in case.known)
    assert max(facts.values()) == 1 and max(known.values()) == 1


def test_only_duplicates_confirmations_and_late_repetitions_repeat_a_text():
    same = {case.kind for case in CASES for told in case.known if text_key(told.text) == text_key(case.fact.text)}
    assert same == {"duplicate", "less trusted source", "late report"}


def test_kinds_are_what_they_are_called():
    for case in CASES:
        late = any(told.said_at > case.fact.said_at or case.fact.since for told in case.known)
        assert late == (case.kind == "late report"), case.id
        if case.kind == "less trusted source":
            assert {told.said_by for told in (case.fact, *case.known)} & {"tool", "assistant"}, case.id


def test_what_is_told_passes_as_it_is():
    """Evidence, dates and quarantine have nothing against it, and change nothing but whose word some of it is: what is measured
    is the decision."""
    for name, told in ((case.id, told) for case in CASES for told in (case.fact, *case.known)):
        message = message_of(told)
        turn = Turn("t", 1, Scope("u"), "b", Role(message["role"]), told.text, message.get("name"), told.said_at, True)
        fact = fact_of(told, turn)
        checked = verify(Extraction((fact,)), Chunk((turn,)))
        assert [replace(one, source=fact.source) for one in checked.facts] == [fact] and not checked.rejected, name
        assert judge_fact(fact, (turn,)) is None, name


LINE = {
    "id": "a",
    "kind": "change of value",
    "fact": {"text": "Bo lives in Oslo.", "kind": "profile", "subject": "Bo", "attribute": "home", "value": "Oslo",
             "said_at": "2024-05-01"},
    "known": [{"text": "Bo lives in Rome.", "kind": "profile", "said_at": "2024-04-01T08:00:00+02:00"}],
    "right": {"op": "UPDATE", "targets": [1], "mode": "supersede"},
    "why": "he moved",
}  # fmt: skip


def written(tmp_path, *lines):
    file = tmp_path / "own.jsonl"
    file.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return file


def changed(**values):
    """The line with other values; "fact.kind" is the fact's, None takes a value away."""
    line = json.loads(json.dumps(LINE))
    for path, value in values.items():
        inside = line
        *outer, last = path.split("__")
        for name in outer:
            inside = inside[0 if isinstance(inside, list) else name]
        if value is None:
            del inside[last]
        else:
            inside[last] = value
    return line


def test_a_file_of_ones_own(tmp_path):
    found = load(written(tmp_path, LINE, "", changed(id="b", fact__text="Bo left.")))
    assert found.name == "own" and len(found.checksum) == 64
    first = found.cases[0]
    assert first.fact.said_at == datetime(2024, 5, 1, 12, tzinfo=UTC), "a day alone is noon"
    assert first.known[0].said_at == datetime(2024, 4, 1, 6, tzinfo=UTC)
    assert first.fact.said_by == "user" and not first.fact.many and first.known[0].slot is None


WRONG = {
    "{": "JSON",
    "[1]": "should be an object",
    json.dumps(changed(id=None)): "id: Field required",
    json.dumps(changed(kind="mood")): "kind: ",
    json.dumps(changed(note="x")): "note: Extra inputs",
    json.dumps(changed(fact__kind="mood")): "fact.kind: ",
    json.dumps(changed(fact__said_at="May")): "fact.said_at: is no date or time",
    json.dumps(changed(fact__event_from="2024-02-30")): "fact.event_from: 2024-02-30 is no date",
    json.dumps(changed(fact__event_from="2024-03", fact__event_to="2024-02")): "its event ends before it starts",
    json.dumps(changed(fact__event_to="2024-02")): "event_to comes without event_from",
    json.dumps(changed(fact__attribute=None)): "a slot has a subject and an attribute",
    json.dumps(changed(fact__forget=True)): "what asks to forget retracts",
    json.dumps(changed(fact__many="yes")): "fact.many: ",
    json.dumps(changed(known=[LINE["fact"]])): "said at the very time",
    json.dumps(changed(known=[{**LINE["known"][0]}, {**LINE["known"][0]}])): "the same text is known twice",
    json.dumps(changed(known=[{**LINE["known"][0], "text": str(n)} for n in range(6)])): "known: ",
    json.dumps(changed(right__targets=[2])): "a target is not among the known",
    json.dumps(changed(right__targets=[0])): "right.targets.0: ",
    json.dumps(changed(right__targets=[1, 1])): "a target is named twice",
    json.dumps(changed(right__targets=[])): "UPDATE and DELETE have targets",
    json.dumps(changed(right__mode=None)): "UPDATE has a mode",
    json.dumps(changed(right={"op": "ADD", "mode": "revise"})): "UPDATE has a mode",
    json.dumps(changed(right={"op": "ADD", "targets": [1]})): "ADD has none",
    json.dumps(changed(right={"op": "NONE", "targets": [1, 2]})): "NONE has one target",
    json.dumps(changed(also=[LINE["right"]])): "the same answer stands there twice",
}


@pytest.mark.parametrize(("line", "problem"), WRONG.items(), ids=[f"{n}" for n in range(len(WRONG))])
def test_what_is_wrong_is_told_by_its_line(tmp_path, line, problem):
    with pytest.raises(DataSetInvalid) as error:
        load(written(tmp_path, "", changed(id="first", fact__text="Bo sings."), line))
    assert "own.jsonl:3: " in str(error.value) and problem in str(error.value), error.value


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    lines = (LINE, LINE, changed(id="b"), changed(id="c", kind="mood"))
    with pytest.raises(DataSetInvalid) as error:
        load(written(tmp_path, *lines))
    assert [line.split(" ")[0] for line in str(error.value).splitlines()] == [f"own.jsonl:{n}:" for n in (2, 3, 4)]
    assert "the id 'a' is there already" in str(error.value)
    assert "the text of its fact is there already" in str(error.value)


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file_is_none(tmp_path, content):
    (tmp_path / "own.jsonl").write_text(content)
    with pytest.raises(DataSetInvalid):
        load(tmp_path / "own.jsonl")
    with pytest.raises(DataSetInvalid):
        load(tmp_path / "absent.jsonl")
