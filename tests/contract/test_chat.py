"""The chat loop's memory over a real store: what is shown before a turn, what is learnt after it, and what happens when it
fails."""

from __future__ import annotations

import asyncio
import inspect
import json
import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta

import faults
import pytest
from operations import Embedder, ledger_of

from recollect import AsyncMemory, Memory
from recollect.build import restore_store
from recollect.chat import AsyncChatMemory, ChatMemory
from recollect.errors import Closed, InvalidInput, ModelUnavailable, NotFound, WrongLoop
from recollect.testing import HashEmbedder, ScriptedLanguage
from recollect.trace import Committed, Heard, Recalled, Unheard, Unlearnt

SYSTEM = {"role": "system", "content": "You are kind."}


class Language(ScriptedLanguage):
    """The scripted language, which is down while `down` is set, and tells what it is given."""

    def __init__(self):
        self.down = False
        self.chunks = []

    async def extract(self, chunk):
        self.chunks.append([turn.content for turn in chunk.turns])
        if self.down:
            raise ModelUnavailable("down")
        return await super().extract(chunk)


class Local(Embedder):
    """Computes in the thread that calls it, as the default embedder does."""

    batches = True


class World:
    """A store, what it told, and a conversation with it."""

    def __init__(self, folder, embedder=None):
        self.folder, self.language, self.embedder, self.events = folder, Language(), embedder or Local(), []
        self._seen = threading.Condition()
        self.memory = self.opened()

    def opened(self):
        return Memory(self.folder, llm=self.language, embedder=self.embedder, on_event=self._told)

    def _told(self, event):
        with self._seen:
            self.events.append(event)
            self._seen.notify_all()

    def told(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def wait_for(self, kind, times=1):
        with self._seen:
            assert self._seen.wait_for(lambda: len(self.told(kind)) >= times, 60), kind

    def chat(self, **options):
        options = {"user_id": "u", "session_id": "s", "close_idle": None, "recall_seconds": None, **options}
        return ChatMemory(self.memory, **options)

    def texts(self, user="u"):
        return sorted(item.text for item in self.memory.get_all(user_id=user))


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path / "store")
    yield made
    made.memory.close()


@pytest.fixture
def only_when_asked(monkeypatch):
    """Nothing is learnt in the background."""
    monkeypatch.setattr("recollect.writing.talking.Talking.wake", lambda self, space: None)


def user(content):
    return {"role": "user", "content": content}


def assistant(content):
    return {"role": "assistant", "content": content}


def talk(chat, *turns, history=None):
    """Turns of a conversation; its history."""
    history = [SYSTEM] if history is None else history
    for said, reply in turns:
        history.append(user(said))
        chat.before(history)
        chat.after(history, reply)
        history.append(assistant(reply))
    return history


# --- what is learnt ----------------------------------------------------------------------------------------------------


def test_a_turn_is_on_disk_when_after_returns_and_learnt_when_its_chunk_is_closed(world):
    chat = world.chat(close_turns=4)
    history = talk(chat, ("home = Rome", "ok"))
    with world.opened() as other:  # as another process sees it
        assert [(one.status, one.user_id) for one in other.pending()] == [("open", "u")]
        assert other.stats(user_id="u").turns == 2
    (waiting,) = chat.pending()
    assert (waiting.status, waiting.turns) == ("open", 2) and world.texts() == []
    talk(chat, ("likes += tea", "fine"), history=history)
    world.wait_for(Committed)
    assert world.texts() == ["home is Rome", "likes is tea"]
    assert world.language.chunks == [["home = Rome", "ok", "likes += tea", "fine"]]
    assert [(event.messages, len(event.closed)) for event in world.told(Heard)] == [(2, 0), (2, 1)]
    assert chat.flush() == [] and world.memory.verify().ok


def test_a_chunk_is_closed_by_tokens_behind_a_reply_and_never_grows_past_ten(world, only_when_asked):
    with world.chat(close_tokens=50) as chat:
        talk(chat, ("likes += tea", "so " * 60), ("likes += milk", "ok"))
    assert world.language.chunks == [["likes += tea", "so " * 60], ["likes += milk", "ok"]]
    world.language.chunks.clear()
    with world.chat(session_id="t", close_turns=10) as chat:
        said = [f"likes += thing{n}" for n in range(33)]
        chat.after([user(text) for text in said])
        assert [one.turns for one in chat.pending()] == [10, 10, 10, 3]
    assert world.language.chunks == [said[:10], said[10:20], said[20:30], said[30:]]
    assert len(world.texts()) == 35 and world.memory.verify().ok


def test_question_and_answer_stay_together(world):
    with world.chat(close_turns=3) as chat:
        talk(chat, *((f"likes += thing{n}", "ok") for n in range(4)))
    assert [len(chunk) for chunk in world.language.chunks] == [4, 4]


def test_an_idle_chunk_is_closed_by_itself(world):
    chat = world.chat(close_idle=0.05)
    talk(chat, ("home = Rome", "ok"))
    world.wait_for(Committed)
    assert world.texts() == ["home is Rome"] and chat.pending() == []


def test_a_chunk_that_goes_on_is_closed_later_and_not_forgotten(world):
    chat = world.chat(close_idle=0.3)
    history = talk(chat, ("likes += tea", "ok"))
    time.sleep(0.1)  # the first turn's time is over before the second one's
    talk(chat, ("likes += cake", "ok"), history=history)
    until = time.monotonic() + 60
    while chat.pending() and time.monotonic() < until:
        time.sleep(0.02)
    assert world.texts() == ["likes is cake", "likes is tea"]


def test_a_chunk_is_not_forgotten_where_the_clock_is_set_back(world, monkeypatch):
    """Its timer is over then, and its time has not come."""
    chat, set_back = world.chat(close_idle=1.0), timedelta(0)
    monkeypatch.setattr("recollect.writing.talking.now", lambda: datetime.now(UTC) - set_back)
    talk(chat, ("home = Rome", "ok"))
    set_back = timedelta(seconds=1.0)
    world.wait_for(Committed)
    assert world.texts() == ["home is Rome"]


def test_what_was_said_in_one_conversation_is_learnt_when_another_one_begins(world):
    first, unanswered, other = world.chat(session_id="1"), world.chat(session_id="2"), world.chat(session_id="3")
    unanswered.after([user("likes += tea")])
    first.after([user("home = Rome")], "Noted.")
    assert world.texts() == [] and [one.status for one in first.pending()] == ["open"]
    other.after([user("Good morning!")], "Good morning!")
    world.wait_for(Committed)
    assert world.texts() == ["home is Rome"]
    assert [one.status for one in unanswered.pending()] == ["open"], "the answer is still to come"
    assert "home is Rome" in other.before([user("Where is my home?")])[-1]["content"]
    first.after([user("home = Rome"), assistant("Noted."), user("likes += cake")], "Noted.")
    other.after([user("Good morning!"), assistant("Good morning!"), user("likes += rain")], "Indeed.")
    assert [one.turns for one in first.pending() if one.status == "open"] == [2], "they go on side by side"


def test_what_the_history_repeats_is_learnt_once(world):
    with world.chat() as chat:
        history = talk(chat, *((f"likes += thing{n}", f"reply {n}") for n in range(20)))
        turns = world.memory.stats(user_id="u").turns
        chat.after(history[:-1], "reply 19")  # the same turn once more
        chat.after(history)
        assert turns == world.memory.stats(user_id="u").turns == 40
        chat.after(history[:-1], "another reply")
        assert world.memory.stats(user_id="u").turns == 41
    assert len(world.texts()) == 20


def test_the_same_words_in_a_later_turn_are_said_again(world):
    with world.chat() as chat:
        talk(chat, ("yes", "first"), ("yes", "second"))
    assert world.memory.stats(user_id="u").turns == 4


def test_fifty_turns_about_the_same_thing_leave_the_number_of_memories_constant(tmp_path):
    world = World(tmp_path, embedder="minilm")
    with world.memory, world.chat() as chat:
        history = talk(chat, ("home = Rome", "noted"))
        chat.flush()
        for _ in range(50):
            history.append(user("Where is my home?"))
            told = chat.before(history)
            assert "home is Rome" in told[-1]["content"]
            reply = f"- {chat.shown().hits[0].text}. home = Rome"
            chat.after(told, reply)  # the list that went to the model, our block in it
            history.append(assistant(reply))
        assert chat.flush() == []
        assert world.texts() == ["home is Rome"]
        assert world.memory.stats(user_id="u").turns == 102 and world.memory.verify().ok


def test_two_conversations_of_one_user_at_once_keep_their_turns_apart(world):
    one, other = world.chat(session_id="one", close_turns=4), world.chat(session_id="other", close_turns=4)
    histories = [SYSTEM], [SYSTEM]
    for n in range(4):
        for chat, history, name in ((one, histories[0], "one"), (other, histories[1], "other")):
            talk(chat, (f"likes += {name}{n}", f"{name} ok"), history=history)
        world.memory.add("likes += tea", user_id="u", session_id="one")  # and somebody else adds meanwhile
    assert one.flush() == [] and other.flush() == []
    of_chats = [chunk for chunk in world.language.chunks if len(chunk) > 1]
    assert sorted(map(len, of_chats)) == [2, 2, 4, 4, 4]  # the first turn is learnt when the other conversation begins
    assert all(len({text.split(" ")[0] for text in chunk if text.endswith("ok")}) == 1 for chunk in of_chats)
    assert world.texts() == sorted(
        [*(f"likes is {name}{n}" for name in ("one", "other") for n in range(4)), "likes is tea"]
    )
    assert world.memory.verify().ok
    sessions = {
        source.session_id for item in world.memory.get_all(user_id="u") for source in world.memory.sources(item.id)
    }
    assert sessions == {"one", "other"}


def test_many_threads_share_one_conversations_memory(world):
    chat = world.chat(close_turns=4)

    def said(n):
        chat.after([user(f"likes += thing{n}")], f"ok {n}")

    threads = [threading.Thread(target=said, args=[n]) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert chat.flush() == [] and len(world.texts()) == 12 and world.memory.verify().ok


def test_a_turn_is_looked_at_while_another_threads_begins(world):
    chat = world.chat()
    chat.before([user("hello")])
    first, unsaved = chat.shown(), chat._chat._outbox._unsaved

    class Shown(dict):
        def __setitem__(self, turn, shown):
            assert chat.shown() is first, "until the next one is there"
            super().__setitem__(turn, shown)

    class Waiting:
        @property
        def messages(self):
            unsaved.append(self)
            return ["hello"]

    chat._chat._shown = Shown(chat._chat._shown)
    chat.before([user("hello again")])
    unsaved.append(Waiting())
    assert [(one.status, one.turns) for one in chat.pending()] == [("unsaved", 1)]
    unsaved.clear()


def test_users_of_the_same_session_name_do_not_meet(world):
    with world.chat(user_id="alice") as alice, world.chat(user_id="bob") as bob:
        talk(alice, ("home = Rome", "ok"))
        talk(bob, ("home = Bonn", "ok"))
        alice.flush(), bob.flush()
        assert "Rome" not in json.dumps(bob.before([user("home")])) and "Bonn" in json.dumps(bob.before([user("home")]))
    assert world.texts("alice") == ["home is Rome"] and world.texts("bob") == ["home is Bonn"]


def test_secrets_are_redacted_and_still_known_again(world):
    with world.chat() as chat:
        said = "my key is sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGH"
        for _ in range(2):
            chat.after([user(said)], "do not tell me")
        assert world.memory.stats(user_id="u").turns == 2
        chat.flush()
    assert b"abcdefghijklmnopqrstuvwxyz0123456789" not in ledger_of(world.memory).read_bytes()


# --- what is shown -----------------------------------------------------------------------------------------------------


def test_the_block_stands_in_front_of_the_last_user_message_and_all_before_it_is_untouched(world):
    world.memory.add("home = Rome", user_id="u")
    with world.chat() as chat:
        history = [SYSTEM, user("hello"), assistant("hi"), user("Where is my home?")]
        before = json.dumps(history)
        told = chat.before(history)
        assert json.dumps(history) == before, "the caller's list is the caller's"
        assert told[:3] == history[:3]
        assert told[3]["content"].startswith("<memory id=") and told[3]["content"].endswith("\n\nWhere is my home?")
        later = [*history, assistant("Rome"), user("And home again?")]
        assert chat.before(later)[:5] == later[:5], "the next turn's prefix is as it was said, byte by byte"
        picture = user([{"type": "text", "text": "my home"}, {"type": "image_url", "image_url": {"url": "data:"}}])
        (told,) = chat.before([picture])
        assert "home is Rome" in told["content"][0]["text"] and told["content"][1:] == picture["content"]


def test_a_block_that_comes_back_in_the_history_is_taken_out(world):
    world.memory.add("home = Rome", user_id="u")
    with world.chat() as chat:
        told = chat.before([user("Where is my home?")])
        again = chat.before([*told, assistant("Rome"), user("home = Bonn, you know?")])
        assert again[0] == user("Where is my home?")


def test_within_a_turn_the_block_stays_as_it_was(world):
    world.memory.add("home = Rome", user_id="u")
    chat = world.chat()
    asked = [user("Where is my home?")]
    first = chat.before(asked)
    call = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": ""}}],
    }
    chat.after(asked, call)
    world.memory.add("home = Bonn", user_id="u")
    asked += [call, {"role": "tool", "tool_call_id": "1", "content": "home = Oslo"}]
    second = chat.before(asked)
    assert second[0] == first[0] and chat.shown().turn == 1
    chat.after(asked, "Rome")
    assert chat.flush() == []
    assert world.memory.stats(user_id="u").turns == 4 and world.texts() == ["home is Bonn"]


def test_what_was_shown_at_which_turn_can_be_asked(world):
    world.memory.add("home = Rome", user_id="u")
    with world.chat() as chat:
        with pytest.raises(NotFound):
            chat.shown()
        chat.before([user("Where is my home?")])
        chat.before([user("xyzzy")])
        assert [hit.text for hit in chat.shown(1).hits if hit.kind == "memory"] == ["home is Rome"]
        assert chat.shown(1).query == "Where is my home?" and chat.shown(1).tokens > 0 and chat.shown(1).error is None
        assert chat.shown() == chat.shown(2) == chat.shown(-1) and chat.shown(2).hits == () and chat.shown(2).text == ""
        assert chat.shown(-2) == chat.shown(1)
        for absent in (0, 3, -3):
            with pytest.raises(NotFound):
                chat.shown(absent)
        assert [(event.turn, event.memories > 0) for event in world.told(Recalled)] == [(1, True), (2, False)]


def test_what_is_over_is_not_shown_nor_what_the_model_reads_anyway(world):
    with world.chat() as chat:
        history = talk(chat, ("home = Rome", "ok"), ("home = Bonn", "ok"))
        chat.flush()
        assert chat.before([user("my home?")])[0]["content"].count("Rome") == 0
        assert "home = Bonn" in chat.shown().text
        chat.before([*history, user("my home?")])
        assert "home is Bonn" in chat.shown().text and "home = Bonn" not in chat.shown().text


def test_recall_keeps_to_its_token_budget(world):
    world.memory.add([user(f"likes += a thing of number {n}") for n in range(60)], user_id="u")
    with world.chat(max_tokens=200) as chat, world.chat(max_tokens=2, tokenizer=len) as tiny:
        chat.before([user("what likes")])
        assert 100 < chat.shown().tokens <= 200
        assert tiny.before([user("what likes")]) == [user("what likes")] and tiny.shown().text == ""


def test_an_agents_conversation_recalls_what_that_agent_knows(world):
    world.memory.add("home = Rome", user_id="u", agent_id="sales")
    world.memory.add("job = cook", user_id="u", agent_id="support")
    with world.chat(agent_id="support") as chat:
        assert "Rome" not in chat.before([user("home and job")])[0]["content"]
        assert "cook" in chat.shown().text


# --- a memory that fails -----------------------------------------------------------------------------------------------


def test_over_its_time_budget_the_turn_goes_on_without_memory_and_says_so(world, monkeypatch):
    monkeypatch.setattr("recollect.writing.talking.OPENING_S", 0.02)
    world.memory.add("home = Rome", user_id="u")
    go_on, embed = threading.Event(), world.embedder.embed

    def slow(texts):
        assert go_on.wait(60)
        return embed(texts)

    world.embedder.embed = slow
    chat = world.chat(recall_seconds=0.02)
    asked = [user("Where is my home?")]
    assert chat.before(asked) == asked
    assert chat.shown().error == "TimedOut" and world.told(Recalled)[-1].error == "TimedOut"
    go_on.set()
    world.embedder.embed = embed
    patient = world.chat()
    assert "home is Rome" in patient.before(asked)[0]["content"] and patient.shown().error is None


def test_a_turn_waits_for_nothing_else_that_the_loop_does(world):
    world.memory.add("home = Rome", user_id="u")
    chat = world.chat()
    history = talk(chat, ("hello", "hi"))
    go_on, busy = threading.Event(), threading.Event()

    async def occupied():
        busy.set()
        assert go_on.wait(60)

    occupying = world.memory._begun(occupied())
    assert busy.wait(60)
    try:
        told = [*history, user("Where is my home?")]
        assert "home is Rome" in chat.before(told)[-1]["content"]
        chat.after(told, "In Rome.")
        assert world.told(Recalled)[-1].turn == len(world.told(Heard)) == 2
    finally:
        go_on.set()
        occupying.result()
    assert sum(one.turns for one in chat.pending()) == 4


def test_the_first_turn_after_a_restart_has_its_memory(world, monkeypatch):
    """What is loaded once does not count: a turn's time begins when that is there."""
    monkeypatch.setattr("recollect.writing.talking.OPENING_S", 60)
    world.memory.add("home = Rome", user_id="u")
    world.memory.close()
    world.memory = world.opened()
    partitions = world.memory._memory._store.partitions
    get, read = partitions.get, []

    def slow(*arguments):
        if not read:
            time.sleep(0.2)
        found = get(*arguments)
        read.append(time.perf_counter())
        return found

    partitions.get = slow
    chat = world.chat(recall_seconds=60)
    assert "home is Rome" in chat.before([user("Where is my home?")])[0]["content"] and len(read) > 1
    assert chat.shown().seconds < time.perf_counter() - read[0]


def test_a_failing_recall_never_fails_the_chat(world):
    world.memory.add("home = Rome", user_id="u")

    def nonsense(texts):
        return [[float("nan")] * 64] * len(texts)

    world.embedder.embed = nonsense
    chat = world.chat()
    asked = [user("Where is my home?")]
    assert chat.before(asked) == asked and chat.shown().error == "EmbeddingInvalid"
    assert world.told(Recalled)[-1].error == "EmbeddingInvalid"


def test_a_model_that_is_down_leaves_turns_pending_and_the_chat_goes_on(world):
    world.language.down = True
    chat = world.chat(close_turns=2)
    history = talk(chat, ("home = Rome", "ok"))
    world.wait_for(Unlearnt)
    talk(chat, ("home = Bonn", "ok"), history=history)
    world.chat().before(history)
    assert [(one.status, one.turns) for one in chat.pending()] == [("pending", 2), ("pending", 2)]
    assert [one.error for one in chat.pending()] == ["ModelUnavailable", None] and len(world.told(Unlearnt)) == 1
    assert world.memory.pending()[0].attempts == 1, "it is tried again later, not at each turn"
    assert chat.flush()[0].error == "ModelUnavailable"
    assert [chunk for chunk in world.language.chunks if "home = Bonn" in chunk] == [], "in order"
    world.language.down = False
    assert chat.flush() == [] and world.texts() == ["home is Bonn"]


def test_what_failed_is_tried_again_by_itself(world, monkeypatch):
    monkeypatch.setattr("recollect.writing.talking.RETRY_S", (0.01,))
    extract = world.language.extract

    async def down_once(chunk):
        world.language.down = not world.language.chunks
        return await extract(chunk)

    world.language.extract = down_once
    talk(world.chat(close_turns=2), ("home = Rome", "ok"))
    world.wait_for(Committed)
    assert len(world.told(Unlearnt)) == 1 and world.texts() == ["home is Rome"]


def test_who_comes_while_it_fails_does_not_have_it_tried_again_at_once(world):
    talks, extract = world.memory._memory._talks, world.language.extract

    async def woken_meanwhile(chunk):
        (space,) = talks._learning
        talks.wake(space)  # as a turn of another conversation does
        return await extract(chunk)

    world.language.down, world.language.extract = True, woken_meanwhile
    talk(world.chat(close_turns=2), ("home = Rome", "ok"))
    world.wait_for(Unlearnt)
    while talks._learning:
        time.sleep(0.001)
    assert [one.attempts for one in world.memory.pending()] == [1] and len(world.told(Unlearnt)) == 1


def test_what_failed_five_times_is_tried_again_on_request(world):
    world.language.down = True
    chat = world.chat(close_turns=2)
    talk(chat, ("home = Rome", "ok"))
    for _ in range(6):
        (left,) = chat.flush()
    assert left.status == "failed"
    world.language.down = False
    assert chat.flush() == [] and world.texts() == ["home is Rome"]


@pytest.mark.skipif(faults.library() is None, reason="the SQLite library that Python uses cannot be found")
def test_a_full_disk_leaves_turns_in_this_process_until_it_has_room(tmp_path, only_when_asked):
    with faults.Disk() as disk:
        world = World(tmp_path / "store")
        chat = world.chat()
        history = talk(chat, ("home = Rome", "ok"))
        disk.fail("write", code=faults.FULL)
        assert [(one.status, one.turns) for one in chat.flush()] == [("open", 2)] and world.told(Unlearnt)[
            -1
        ].error == "StorageFull"
        talk(chat, ("likes += tea", "ok"), ("likes += milk", "ok"), history=history)
        assert [(one.status, one.turns, one.error) for one in chat.pending()] == [
            ("open", 2, None),
            ("unsaved", 4, "StorageFull"),
        ]
        assert [(one.messages, one.error) for one in world.told(Unheard)] == [
            (2, "StorageFull"),
            (4, "StorageFull"),
        ]
        assert chat.flush()[-1].status == "unsaved"
        disk.heal()
        talk(chat, ("likes += jam", "ok"), history=history)
        assert [one.turns for one in chat.pending()] == [8], "in order, each once"
        assert chat.close() == []
        assert world.texts() == ["home is Rome", "likes is jam", "likes is milk", "likes is tea"]
        assert world.memory.verify().ok
        world.memory.close()


def test_a_callers_mistakes_are_named(world):
    for wrong in (
        {"user_id": ""},
        {"max_tokens": 0},
        {"recall_seconds": 0},
        {"close_turns": 11},
        {"close_tokens": 0},
        {"close_idle": -1},
        {"metadata": 7},
        {"tokenizer": "gpt"},
        {"session_id": "a\n"},
    ):
        with pytest.raises(InvalidInput):
            world.chat(**wrong)
    chat = world.chat()
    for messages in ("hello", {"role": "user"}, [{"content": "x"}], ["x"], 7):
        with pytest.raises(InvalidInput):
            chat.before(messages)
        with pytest.raises(InvalidInput):
            chat.after(messages, "x")
    assert chat.before([]) == [] and chat.before([SYSTEM]) == [SYSTEM]
    chat.after([SYSTEM])
    assert chat.pending() == [] and world.told(Recalled) == []
    world.memory.close()
    for verb in (lambda: chat.before([user("x")]), lambda: chat.after([user("x")], "y"), chat.pending, chat.flush):
        with pytest.raises(Closed):
            verb()
    assert chat.close() == []


# --- the life of an open chunk -----------------------------------------------------------------------------------------


def test_a_conversation_goes_on_in_its_chunk_after_a_restart(world):
    history = talk(world.chat(close_turns=6), ("home = Rome", "ok"))
    world.memory.close()
    world.memory = world.opened()
    chat = world.chat(close_turns=6)
    talk(chat, ("home = Bonn", "ok"), history=history)
    assert [(one.status, one.turns) for one in chat.pending()] == [("open", 4)]
    talk(chat, ("home = Oslo", "ok"), history=history)
    world.wait_for(Committed)
    assert [len(chunk) for chunk in world.language.chunks] == [6] and world.texts() == ["home is Oslo"]


def test_a_server_makes_one_for_each_request_in_any_of_its_processes(world):
    history, opened = [SYSTEM], [world.memory, world.opened()]
    for n in range(8):
        history.append(user(f"likes += thing{n}"))
        chat = ChatMemory(opened[n % 2], user_id="u", session_id="s", close_idle=None, recall_seconds=None)
        chat.after(chat.before(history), f"ok {n}")
        history.append(assistant(f"ok {n}"))
    world.wait_for(Committed, 2)
    assert [len(chunk) for chunk in world.language.chunks] == [8, 8]
    assert chat.pending() == [] and len(world.texts()) == 8 and world.memory.verify().ok
    opened[1].close()


def test_what_was_left_is_learnt_when_the_user_is_back(world):
    world.language.down = True
    talk(world.chat(close_turns=2), ("home = Rome", "ok"))
    world.wait_for(Unlearnt)
    talk(world.chat(session_id="t", close_idle=0.01), ("job = cook", "ok"))
    world.memory.close()
    world.language.down = False
    time.sleep(0.02)
    world.memory = world.opened()
    world.chat(session_id="new").before([user("hello")])
    world.wait_for(Committed, 2)
    assert world.texts() == ["home is Rome", "job is cook"]


def test_resume_closes_what_is_idle_and_flush_all(world, only_when_asked):
    talk(world.chat(session_id="a", close_idle=0.01), ("home = Rome", "ok"))
    talk(world.chat(session_id="b", close_idle=1000), ("job = cook", "ok"))
    world.memory.close()
    time.sleep(0.02)
    world.memory = world.opened()
    assert len(world.memory.resume().finished) == 1 and world.texts() == ["home is Rome"]
    assert [one.status for one in world.memory.pending()] == ["open"]
    assert len(world.memory.flush().finished) == 1 and world.texts() == ["home is Rome", "job is cook"]
    assert world.memory.pending() == []


def test_other_metadata_opens_another_chunk(world):
    history = talk(world.chat(metadata={"topic": "a"}), ("home = Rome", "ok"))
    talk(chat := world.chat(metadata={"topic": "b"}), ("job = cook", "ok"), history=history)
    assert chat.flush() == []
    assert {item.text: item.metadata["topic"] for item in world.memory.get_all(user_id="u")} == {
        "home is Rome": "a",
        "job is cook": "b",
    }


@pytest.mark.parametrize(
    "wanted", [{"user_id": "u"}, {"user_id": "u", "session_id": "s"}, {"user_id": "u", "before": "2100-01-01"}]
)
def test_an_erasure_takes_what_is_open_too(world, wanted):
    chat = world.chat()
    history = talk(chat, ("home = Xanadu", "Zanzibar"))
    talk(world.chat(user_id="other"), ("home = Bonn", "ok"))
    receipt = world.memory.erase(**wanted)
    assert receipt.complete and receipt.turns == 2
    folder = ledger_of(world.memory).parent
    for file in folder.rglob("*"):
        assert not file.is_file() or not {b"Xanadu", b"Zanzibar"} & {
            w for w in (b"Xanadu", b"Zanzibar") if w in file.read_bytes()
        }
    assert chat.pending() == [] and world.memory.verify().ok
    assert [one.user_id for one in world.memory.pending()] == ["other"]
    talk(chat, ("home = Oslo", "ok"), history=history)
    assert chat.flush() == [] and world.texts() == ["home is Oslo"] and world.memory.verify().ok


def test_an_erasure_of_a_part_leaves_the_rest_to_be_learnt(world):
    chat = world.chat()
    chat.after([user("home = Rome")], "ok", now="2024-01-01")
    chat.after([user("job = cook")], "ok", now="2024-03-01")
    assert world.memory.erase(user_id="u", before="2024-02-01").turns == 2
    assert world.memory.verify().ok and [one.turns for one in chat.pending()] == [2]
    assert chat.flush() == [] and world.texts() == ["job is cook"] and world.memory.verify().ok


def test_an_open_chunk_is_exported_and_backed_up_and_goes_on_in_the_copy(world, tmp_path):
    chat = world.chat()
    history = talk(chat, ("home = Rome", "ok"))
    document = world.memory.export(user_id="u")
    assert [batch["status"] for batch in document["batches"]] == ["open"] and len(document["turns"]) == 2
    (tmp_path / "copy").mkdir()
    world.memory.backup(tmp_path / "copy" / "ledger.sqlite3")
    restore_store(tmp_path / "copy" / "ledger.sqlite3", tmp_path / "restored")
    with Memory(tmp_path / "restored", llm=world.language, embedder=HashEmbedder()) as copy:
        assert [one.status for one in copy.pending()] == ["open"]
        with ChatMemory(copy, user_id="u", session_id="s") as again:
            talk(again, ("job = cook", "ok"), history=list(history))
        assert sorted(item.text for item in copy.get_all(user_id="u")) == ["home is Rome", "job is cook"]
        assert copy.verify().ok


def test_verify_sees_damage_to_an_open_chunk(world):
    talk(world.chat(), ("home = Rome", "ok"))
    assert world.memory.verify().ok
    damages = (
        "DELETE FROM turns WHERE content = 'home = Rome'",
        "UPDATE turns SET content = 'home = Bonn' WHERE content = 'home = Rome'",
        "UPDATE batches SET status = 'pending'",
        "UPDATE chunks SET state = 'closed'",
        "UPDATE batches SET options = '{}'",
    )
    for damage in damages:
        with sqlite3.connect(ledger_of(world.memory)) as db:
            db.execute("CREATE TABLE kept AS SELECT * FROM turns")
            db.execute("CREATE TABLE kept_batches AS SELECT * FROM batches")
            db.execute("CREATE TABLE kept_chunks AS SELECT * FROM chunks")
            db.execute(damage)
        db.close()
        assert not world.memory.verify().ok, damage
        with sqlite3.connect(ledger_of(world.memory)) as db:
            for table, kept in (("turns", "kept"), ("batches", "kept_batches"), ("chunks", "kept_chunks")):
                db.execute(f"DELETE FROM {table}")
                db.execute(f"INSERT INTO {table} SELECT * FROM {kept}")
                db.execute(f"DROP TABLE {kept}")
        db.close()
        assert world.memory.verify().ok


# --- sync and async ----------------------------------------------------------------------------------------------------


def test_both_classes_have_the_same_verbs():
    verbs = {name for name, _ in inspect.getmembers(AsyncChatMemory, inspect.isfunction) if not name.startswith("_")}
    assert verbs == {name for name, _ in inspect.getmembers(ChatMemory, inspect.isfunction) if not name.startswith("_")}
    for name in verbs:
        mine, theirs = inspect.signature(getattr(ChatMemory, name)), inspect.signature(getattr(AsyncChatMemory, name))
        assert mine == theirs, name
        assert inspect.iscoroutinefunction(getattr(AsyncChatMemory, name)) == (name != "shown"), name
    mine, theirs = inspect.signature(ChatMemory), inspect.signature(AsyncChatMemory)
    assert [one.replace(annotation=0) for one in mine.parameters.values()] == [
        one.replace(annotation=0) for one in theirs.parameters.values()
    ]


def test_an_async_conversation(tmp_path):
    async def converse():
        async with AsyncMemory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
            async with AsyncChatMemory(memory, user_id="u", close_turns=2, recall_seconds=None) as chat:
                await chat.after([user("home = Rome")], "ok")
                assert await chat.flush() == []
                told = await chat.before([user("Where is my home?")])
                assert "home is Rome" in told[0]["content"]
                await chat.after(told, "Rome")
            assert await chat.pending() == [] and await chat.close() == []
            return chat

    chat = asyncio.run(converse())

    async def elsewhere():
        await chat.before([user("x")])

    with pytest.raises((WrongLoop, Closed)):
        asyncio.run(elsewhere())
