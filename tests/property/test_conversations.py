"""Conversations in any order of turns, second tries, repeats, restarts and erasures: each word is journalled once, in order, and
learnt once."""

from __future__ import annotations

import tempfile

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from recollect import Memory
from recollect.chat import ChatMemory
from recollect.testing import HashEmbedder, ScriptedLanguage

SESSIONS = ("one", "two")
STEPS = st.one_of(
    st.tuples(
        st.sampled_from(("say", "say", "say", "again", "again", "repeat", "repeat", "flush", "erase")),
        st.sampled_from(SESSIONS),
    ),
    st.tuples(st.sampled_from(("restart", "add")), st.just("")),
)


class Conversations:
    """Two conversations of a user, and what should be remembered of them."""

    def __init__(self, folder, close_turns):
        self.folder, self.close_turns = folder, close_turns
        self.histories = {session: [] for session in SESSIONS}
        self.said = {session: [] for session in SESSIONS}
        self.added, self.count = [], 0
        self.memory = self.opened()

    def opened(self):
        return Memory(self.folder, llm=ScriptedLanguage(), embedder=HashEmbedder())

    def chat(self, session):
        options = {"close_turns": self.close_turns, "close_idle": None, "recall_seconds": None}
        return ChatMemory(self.memory, user_id="u", session_id=session, **options)

    def unique(self):
        self.count += 1
        return f"likes += thing{self.count}"

    def say(self, session):
        history = self.histories[session]
        history.append({"role": "user", "content": self.unique()})
        self.reply(session)

    def reply(self, session):
        history, self.count = self.histories[session], self.count + 1
        self.chat(session).after(history, f"reply {self.count}")
        self.said[session] += [history[-1]["content"], f"reply {self.count}"]
        history.append({"role": "assistant", "content": f"reply {self.count}"})

    def again(self, session):
        """Another reply to the last message."""
        if self.histories[session]:
            self.histories[session].pop()
            said = len(self.said[session])
            self.reply(session)
            del self.said[session][said]  # the question is there already

    def repeat(self, session):
        if self.histories[session]:
            self.chat(session).after(self.histories[session])

    def flush(self, session):
        assert self.chat(session).flush() == []

    def erase(self, session):
        assert self.memory.erase(user_id="u", session_id=session).complete
        self.histories[session], self.said[session] = [], []

    def add(self, _):
        self.added.append(self.unique())
        self.memory.add(self.added[-1], user_id="u", session_id="added")

    def restart(self, _):
        self.memory.close()
        self.memory = self.opened()

    def judge(self):
        """What was said is there, in order, and learnt."""
        assert self.memory.verify().problems == ()
        assert self.memory.flush().failed == {} and self.memory.pending() == []
        turns = self.memory.export(user_id="u")["turns"] if self.memory.stats(user_id="u").turns else []
        for session in SESSIONS:
            assert [one["content"] for one in turns if one["session_id"] == session] == self.said[session]
        told = [text for said in self.said.values() for text in said] + self.added
        expected = sorted(text.replace(" += ", " is ") for text in told if " += " in text)
        assert sorted(item.text for item in self.memory.get_all(user_id="u")) == expected
        assert self.memory.verify().problems == ()
        self.memory.close()


@example([("say", "one"), ("repeat", "one"), ("say", "one"), ("restart", ""), ("again", "one"), ("say", "two")], 8)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, min_size=6, max_size=14), st.sampled_from((2, 5, 8, 10)))
def test_each_word_is_journalled_once_in_order_and_learnt_once(steps, close_turns):
    with tempfile.TemporaryDirectory() as folder:
        world = Conversations(folder, close_turns)
        try:
            for step, session in steps:
                getattr(world, step)(session)
            world.judge()
        finally:
            world.memory.close()
