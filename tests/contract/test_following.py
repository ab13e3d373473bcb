"""`users`, `changes` and `find_id`: a store followed by its numbers, and ids by their beginnings, each behind the wall."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from recollect import Memory
from recollect.errors import InvalidInput, NotFound
from recollect.testing import HashEmbedder, ScriptedLanguage


def follow(memory, user_id, limit=1000):
    """All changes, `limit` at a time."""
    found, after = [], 0
    while some := memory.changes(user_id=user_id, after=after, limit=limit):
        found, after = [*found, *some], some[-1].number
    return found


def test_changes_are_those_of_the_audit_in_pieces_of_any_size(memory):
    for number in range(7):
        memory.add(f"key{number} = value", user_id="alice")
    memory.delete(memory.get_all(user_id="alice")[0].id)
    memory.undo(memory.history(memory.get_all(user_id="alice")[0].id)[-1].id)
    audited = [one.change_id for one in memory.audit(user_id="alice")]
    for limit in (1, 3, 1000):
        assert [one.id for one in follow(memory, "alice", limit)] == audited and len(audited) == 9
    last = memory.users()[0]
    assert last.number == memory.changes(user_id="alice")[-1].number
    assert memory.changes(user_id="alice", after=last.number) == []
    assert last.changed_at == memory.changes(user_id="alice")[-1].recorded_at


def test_another_process_writes_are_followed_and_each_user_has_numbers_of_its_own(memory, tmp_path):
    memory.add("a = 1", user_id="alice")
    before = {one.user_id: one.number for one in memory.users()}
    with Memory(tmp_path / "store", llm=ScriptedLanguage(), embedder=HashEmbedder()) as other:
        other.add("b = 2", user_id=None)
        other.add("a = 3", user_id="alice")
    moved = {one.user_id: one.number for one in memory.users() if one.number > before.get(one.user_id, 0)}
    assert set(moved) == {None, "alice"}
    assert [one.memory.text for one in memory.changes(user_id="alice", after=before["alice"])] == ["a is 3"]
    assert [one.memory.text for one in memory.changes(user_id=None)] == ["b is 2"]
    assert memory.changes(user_id="bob") == [] and memory.scoped(user_id="bob").changes() == []


def test_since_begins_at_a_time(memory):
    memory.add("a = 1", user_id="alice")
    first = memory.changes(user_id="alice")[0]
    memory.add("b = 2", user_id="alice")
    second = memory.changes(user_id="alice")[-1]
    assert [one.id for one in memory.changes(user_id="alice", since=second.recorded_at)] == [second.id]
    assert [one.id for one in memory.changes(user_id="alice", since=first.recorded_at)] == [first.id, second.id]
    assert memory.changes(user_id="alice", since=datetime(2999, 1, 1, tzinfo=UTC)) == []


def test_who_was_erased_is_nobody_and_coming_back_goes_on_counting(memory):
    memory.add("a = 1", user_id="alice")
    memory.add("b = 2", user_id="bob")
    memory.erase(user_id="alice")
    assert [one.user_id for one in memory.users()] == ["bob"]
    memory.add("c = 3", user_id="alice")
    before = memory.changes(user_id="alice")[0].number
    assert {one.user_id: one.number for one in memory.users()} == {"bob": 1, "alice": before} and before > 1
    assert [one.memory.text for one in memory.changes(user_id="alice")] == ["c is 3"]


@pytest.mark.parametrize("wrong", [{"after": -1}, {"after": "x"}, {"limit": 0}, {"since": "soon"}, {"user_id": ""}])
def test_what_is_wrong_is_said(memory, wrong):
    with pytest.raises(InvalidInput) as raised:
        memory.changes(**{"user_id": "alice", **wrong})
    assert raised.value.argument == next(iter(wrong))


def test_an_id_is_found_by_its_beginning_within_the_wall(memory):
    change = memory.add("a = 1", user_id="alice").changes[0]
    added = memory.add("b = 2", user_id="alice")
    batch, turn = added.batch_id, added.turn_ids[0]
    for whole in (change.memory.id, change.id, batch, turn):
        kind = whole.partition("_")[0]
        for digits in (4, 8, 32):
            assert memory.find_id(whole[: len(kind) + 1 + digits]) == whole
        assert memory.scoped(user_id="alice").find_id(whole[: len(kind) + 9]) == whole
        for other in ("bob", None):
            with pytest.raises(NotFound):
                memory.find_id(whole[: len(kind) + 9], user_id=other)


def test_an_id_of_which_there_are_several_is_asked_for_more(memory, monkeypatch):
    made = iter([f"{n:032x}" for n in range(1, 1000)])
    monkeypatch.setattr("recollect.ids.secrets.token_hex", lambda _: next(made))
    first = memory.add("a = 1", user_id="alice").changes[0].memory.id
    memory.add("b = 2", user_id="alice")
    with pytest.raises(InvalidInput, match="several"):
        memory.find_id("mem_0000")
    assert memory.find_id(first) == first


@pytest.mark.parametrize(
    "wrong", ["mem_", "mem_123", "mem_XYZW", "1234abcd", "mem_" + "0" * 33, "%", "mem_' OR 1=1 --", None, 4]
)
def test_what_begins_no_id_is_refused(memory, wrong):
    with pytest.raises(InvalidInput):
        memory.find_id(wrong)
