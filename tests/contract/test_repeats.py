"""What is forgotten, superseded or erased is so in the assistant's replies too: replies that only say a memory again are sources
of it, as echoes, and no evidence."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from recollect import Memory
from recollect.chat import ChatMemory
from recollect.testing import HashEmbedder, ScriptedLanguage

BOTH = ("memories", "turns")


class Talk(NamedTuple):
    """What is said, in the words of one extractor."""

    tells: str
    echo: str
    moves: str
    asks: str
    dog: str
    dog_echo: str


ENGLISH = Talk(
    "I live in Hamburg.", "You live in Hamburg.", "I moved to Berlin.", "Where do I live?",
    "I have a dog named Rex.", "You have a dog named Rex.",
)  # fmt: skip
SCRIPTED = Talk(
    "home = Hamburg", "Your home is Hamburg.", "home = Berlin", "What is my home?", "pet += Rex", "Your pet is Rex."
)


@pytest.fixture(params=["rules", "model"])
def talk(request):
    return ENGLISH if request.param == "rules" else SCRIPTED


@pytest.fixture
def memory(tmp_path, talk):
    llm = "rules" if talk is ENGLISH else ScriptedLanguage()
    with Memory(tmp_path, llm=llm, embedder=HashEmbedder()) as memory:
        yield memory
        assert memory.verify().ok


def said(memory, *texts, session="s", **more):
    """Turns of the user and the assistant by turns, in one add."""
    roles = ("user", "assistant")
    messages = [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]
    return memory.add(messages, user_id="u", session_id=session, **more)


def turns(memory, query, **more):
    hits = memory.search(query, user_id="u", include=("turns",), min_score=0, **more)
    return {hit.text: hit for hit in hits}


def only(memory):
    (item,) = memory.get_all(user_id="u")
    return item


def echoes(memory, memory_id):
    return [source.quote for source in memory.sources(memory_id) if source.echo]


@pytest.mark.parametrize("later", [True, False], ids=["later", "in the same chunk"])
def test_a_reply_that_says_a_memory_again_is_deleted_with_it(memory, talk, later):
    if later:
        said(memory, talk.tells)
        said(memory, talk.asks, talk.echo)
    else:
        said(memory, talk.tells, talk.echo)
    item = only(memory)
    assert echoes(memory, item.id) == [talk.echo]
    assert talk.echo in turns(memory, talk.asks)
    memory.delete(item.id)
    assert talk.echo not in turns(memory, talk.asks)
    assert talk.echo not in str(memory.context(talk.asks, user_id="u"))
    memory.undo(memory.history(item.id)[-1].id)
    assert talk.echo in turns(memory, talk.asks)


def test_a_users_own_question_that_tells_it_is_deleted_with_it(tmp_path):
    with Memory(tmp_path, llm="rules", embedder=HashEmbedder()) as memory:
        said(memory, "I live in Hamburg.")
        asked = "Do I still live in Hamburg?"
        (change,) = said(memory, asked).changes
        assert (change.op, change.reason) == ("NONE", "said again by the user")
        memory.delete(only(memory).id)
        assert asked not in turns(memory, asked)
        assert memory.verify().ok


def test_an_echo_is_no_evidence(memory, talk):
    said(memory, talk.tells)
    before = memory.search(talk.asks, user_id="u", min_score=0, explain=True)
    said(memory, "Hello?", talk.echo, session="other")
    item = only(memory)
    assert item.session_ids == ("s",)
    assert memory.get_all(user_id="u", session_id="other") == []
    hits = memory.search(talk.asks, user_id="u", min_score=0, explain=True)
    assert [[source.quote for source in hit.sources] for hit in hits] == [[talk.tells]]
    assert [hit.source for hit in hits] == [hit.source for hit in before]
    assert [one.name for one in hits[0].channels] == [one.name for one in before[0].channels]


def test_after_a_change_of_mind_the_old_reply_says_until_when(memory, talk):
    said(memory, talk.tells, timestamp="2024-01-01")
    said(memory, talk.asks, talk.echo, timestamp="2024-02-01")
    assert turns(memory, talk.asks)[talk.echo].until is None
    changed = said(memory, talk.moves, timestamp="2024-03-01")
    assert turns(memory, talk.asks)[talk.echo].until is not None
    assert turns(memory, talk.asks, as_of="2024-02-15")[talk.echo].until is None
    memory.undo(changed.batch_id)
    assert turns(memory, talk.asks)[talk.echo].until is None


def test_a_reply_that_says_two_memories_again_is_gone_with_either(memory, talk):
    said(memory, talk.tells)
    said(memory, talk.dog)
    both = f"{talk.echo} {talk.dog_echo}"
    said(memory, talk.asks, both)
    home, dog = sorted(memory.get_all(user_id="u"), key=lambda item: "Rex" in item.text)
    assert (echoes(memory, home.id), echoes(memory, dog.id)) == ([talk.echo], [talk.dog_echo])
    memory.delete(dog.id)
    assert both not in turns(memory, talk.asks)
    assert only(memory).id == home.id


def test_a_correction_hides_the_reply(memory, talk):
    said(memory, talk.tells, talk.echo)
    item = only(memory)
    memory.update(item.id, metadata={"topic": "home"})
    assert talk.echo in turns(memory, talk.asks)
    memory.update(item.id, text="Altona is home.")
    assert talk.echo not in turns(memory, talk.asks)


def test_a_refinement_takes_the_echoes_along_and_gives_them_back(tmp_path):
    reply = "So you have a dog."
    with Memory(tmp_path, llm="rules", embedder=HashEmbedder()) as memory:
        said(memory, "I have a dog.", reply)
        item = only(memory)
        refined = said(memory, "I have a dog named Rex.")
        assert (refined.changes[0].op, refined.changes[0].memory.id) == ("UPDATE", item.id)
        assert echoes(memory, item.id) == [reply]
        assert reply in turns(memory, "dog")
        memory.undo(refined.batch_id)
        assert echoes(memory, item.id) == [reply]
        assert reply in turns(memory, "dog")
        memory.delete(item.id)
        assert reply not in turns(memory, "dog")
        assert memory.verify().ok


def test_erasing_a_memory_erases_its_echoes(memory, talk):
    said(memory, talk.tells)
    said(memory, talk.dog)
    said(memory, talk.asks, f"{talk.echo} {talk.dog_echo}")
    said(memory, talk.asks, f"{talk.echo} Bring a coat.")
    home = next(item for item in memory.get_all(user_id="u") if "Rex" not in item.text)
    assert memory.erase(home.id).turns == 3
    assert "Hamburg" not in str(memory.export(user_id="u"))
    assert only(memory).text


def test_erasing_a_session_leaves_no_echo_of_it_elsewhere(memory, talk):
    said(memory, talk.tells, session="a")
    said(memory, "Hello?", f"Bring a coat. {talk.echo}", session="b")
    receipt = memory.erase(user_id="u", session_id="a")
    assert (receipt.memories, receipt.blanked) == (1, 1)
    assert memory.get_all(user_id="u") == []
    assert "Hamburg" not in str(memory.export(user_id="u"))
    assert any("Bring a coat." in text for text in turns(memory, "coat"))


def test_erasing_the_session_of_an_echo_leaves_the_memory(memory, talk):
    said(memory, talk.tells, session="a")
    said(memory, "Hello?", talk.echo, session="b")
    memory.erase(user_id="u", session_id="b")
    item = only(memory)
    assert [source.quote for source in memory.sources(item.id)] == [talk.tells]


def test_an_echo_can_be_undone_and_is_then_a_turn_like_any(memory, talk):
    said(memory, talk.tells)
    (change,) = said(memory, talk.asks, talk.echo).changes
    assert (change.op, change.reason) == ("NONE", "said again by the assistant")
    memory.undo(change.id)
    item = only(memory)
    assert echoes(memory, item.id) == []
    memory.delete(item.id)
    assert talk.echo in turns(memory, talk.asks)


def test_a_reply_that_comes_after_a_deletion_tells_nothing(memory, talk):
    said(memory, talk.tells)
    item = only(memory)
    memory.delete(item.id)
    said(memory, talk.asks, talk.echo)
    assert talk.echo not in turns(memory, talk.asks)
    memory.undo(next(change.id for change in memory.history(item.id) if change.op == "DELETE"))
    assert talk.echo in turns(memory, talk.asks)


def test_what_is_told_again_after_a_deletion_is_told_by_replies_too(memory, talk):
    said(memory, talk.tells)
    memory.delete(only(memory).id)
    said(memory, talk.tells, talk.echo)
    said(memory, talk.asks, f"{talk.echo} Bring a coat.")
    assert {talk.echo, f"{talk.echo} Bring a coat."} <= turns(memory, talk.asks).keys()


def test_a_reply_that_is_behind_a_change_of_mind_says_until_when(memory, talk):
    said(memory, talk.tells, timestamp="2024-01-01")
    said(memory, talk.moves, timestamp="2024-03-01")
    said(memory, talk.asks, talk.echo, timestamp="2024-04-01")
    assert turns(memory, talk.asks)[talk.echo].until is not None


def test_an_expired_memory_takes_its_echo_along(memory, talk):
    said(memory, talk.tells, expires_at="2030-01-01")
    said(memory, talk.asks, talk.echo)
    assert str(only(memory).expires_at).startswith("2030-01-01")  # the echo, without an expiry, has not put it off
    assert talk.echo in turns(memory, talk.asks, now="2029-12-31")
    assert talk.echo not in turns(memory, talk.asks, now="2030-01-02")


def test_fifty_echoes_leave_one_memory_and_one_place_in_the_partition(memory, talk):
    said(memory, talk.tells)
    for _ in range(10):
        said(memory, *(talk.asks, talk.echo) * 4)
    item = only(memory)
    assert len(echoes(memory, item.id)) == 40
    memory.delete(item.id)
    assert talk.echo not in turns(memory, talk.asks)
    memory.rebuild()
    assert talk.echo not in turns(memory, talk.asks)


def test_what_is_told_anew_has_its_echoes_again(memory, talk):
    said(memory, talk.tells, talk.echo)
    memory.retell(user_id="u")
    item = only(memory)
    assert echoes(memory, item.id) == [talk.echo]
    assert talk.echo in turns(memory, talk.asks)
    memory.delete(item.id)
    assert talk.echo not in turns(memory, talk.asks)


def test_a_chat_forgets_what_is_deleted_and_what_is_erased(memory, talk):
    def turn(words, reply):
        with ChatMemory(memory, user_id="u", recall_seconds=None) as chat:
            messages = [{"role": "user", "content": words}]
            chat.before(messages)
            chat.after(messages, reply)
            shown = chat.shown()
            return shown.text if shown else ""

    turn(talk.tells, "Noted.")
    turn(talk.asks, talk.echo)
    assert "Hamburg" in turn(talk.asks, "I have told you.")
    memory.delete(only(memory).id)
    assert "Hamburg" not in turn(talk.asks, "I do not know.")
    turn(talk.dog, talk.dog_echo)
    memory.erase(only(memory).id)
    assert "Rex" not in turn(talk.dog_echo, "Who?")
