"""What is left after an erasure is what would be there had it never been said: against a store that was never told."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import chaos
import machines
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from recollect import Memory
from recollect.errors import UndoConflict
from recollect.testing import HashEmbedder, ScriptedLanguage

START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 12
# No retractions: what was retracted stays so, whatever becomes of the words.
MESSAGES = [f"home = {place}" for place in ("Rome", "Oslo", "Kiel")]
MESSAGES += [f"likes += {thing}" for thing in ("tea", "milk", "jam")] + ["chat"]

adds = st.lists(
    st.tuples(st.sampled_from("abc"), st.lists(st.sampled_from(MESSAGES), min_size=1, max_size=3)),
    min_size=1,
    max_size=DAYS,
)
erasures = st.lists(
    st.one_of(
        st.builds(lambda session: {"session_id": session}, st.sampled_from("abc")),
        st.builds(lambda day: {"before": START + timedelta(days=day)}, st.integers(0, DAYS)),
        st.just({}),
    ),
    min_size=1,
    max_size=2,
)


days = st.permutations(range(DAYS))
by_turns = st.lists(
    st.one_of(
        st.builds(lambda session: {"session_id": session}, st.sampled_from("abc")),
        st.builds(lambda day: {"before": START + timedelta(days=day)}, st.integers(0, DAYS)),
    ),
    min_size=1,
    max_size=2,
)


def opened(folder, name):
    return Memory(Path(folder) / name, llm=ScriptedLanguage(), embedder=HashEmbedder())


def say(memory, day, session, messages):
    told = [{"role": "user", "content": one} for one in messages]
    memory.add(told, user_id="u", session_id=session, timestamp=START + timedelta(days=day), allow_erased=True)


def goes(wanted, day, session):
    before = wanted.get("before")
    return wanted.get("session_id", session) == session and (before is None or START + timedelta(days=day) < before)


def known(memory):
    """What is known on each day."""
    days = [START + timedelta(days=day) for day in range(DAYS + 1)]
    return [{item.text for item in memory.get_all(user_id="u", as_of=day)} for day in days]


def stores():
    return tempfile.TemporaryDirectory(dir=machines.IN_MEMORY if machines.IN_MEMORY.is_dir() else None)


HISTORIES = settings(
    max_examples=150 if chaos.LONG else 10,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


@HISTORIES
@example(adds=[("a", ["home = Rome"]), ("b", ["home = Rome"])], wanted=[{"session_id": "a"}])
@example(adds=[("b", ["home = Oslo"]), ("a", ["home = Oslo", "home = Rome"])], wanted=[{"session_id": "b"}])
@example(
    adds=[
        (one, [f"home = {place}"]) for one, place in zip("bcacc", ["Rome", "Kiel", "Oslo", "Oslo", "Kiel"], strict=True)
    ],
    wanted=[{"session_id": "c"}, {"session_id": "a"}],
)
@given(adds=adds, wanted=erasures)
def test_what_is_left_is_what_would_be_there_had_it_never_been_said(adds, wanted):
    with (
        stores() as folder,
        opened(folder, "told") as told,
        opened(folder, "never") as never,
        chaos.tries("erasing at random") as tries,
    ):
        for day, (session, messages) in enumerate(adds):
            say(told, day, session, messages)
            if not any(goes(one, day, session) for one in wanted):
                say(never, day, session, messages)
        with tries.one(repr((adds, wanted))):
            for one in wanted:
                assert told.erase(user_id="u", **one).complete
            assert known(told) == known(never)
            assert told.verify().problems == ()
            say(told, DAYS, "d", ["home = Bonn", "likes += tea"])  # it goes on from there
            say(never, DAYS, "d", ["home = Bonn", "likes += tea"])
            assert known(told) == known(never)
            assert told.verify().problems == ()


def homes(texts):
    return {text for text in texts if text.startswith("home")}


def tell(told, never, adds, days, wanted):
    """Conversations as they are handed in, whatever day they are of; to the second store only those that stay."""
    for day, (session, messages) in zip(days, adds, strict=False):
        say(told, day, session, messages)
        if not any(goes(one, day, session) for one in wanted):
            say(never, day, session, messages)
    for one in wanted:
        assert told.erase(user_id="u", **one).complete
    assert told.verify().problems == ()


@HISTORIES
@example(
    adds=[("c", ["likes += milk"]), ("b", ["home = Oslo", "likes += milk"])], days=[2, 0], wanted=[{"session_id": "c"}]
)
@example(
    adds=[("a", ["home = Oslo"]), ("b", ["home = Kiel"]), ("c", ["home = Rome"])],
    days=[7, 0, 4],
    wanted=[{"session_id": "a"}, {"session_id": "c"}],
)
@given(adds=adds, days=days, wanted=by_turns)
def test_in_whatever_order_it_was_handed_in(adds, days, wanted):
    """Each home is told once: had an erased one not been known, a second word on another would have been decided otherwise."""
    adds = [
        (session, [f"{one}{n}-{i}" if one.startswith("home") else one for i, one in enumerate(messages)])
        for n, (session, messages) in enumerate(adds)
    ]
    with (
        stores() as folder,
        opened(folder, "told") as told,
        opened(folder, "never") as never,
        chaos.tries("erasing at random what was handed in out of order") as tries,
        tries.one(repr((adds, days, wanted))),
    ):
        tell(told, never, adds, days, wanted)
        assert known(told) == known(never)
        say(told, DAYS, "d", ["home = Bonn", "likes += tea"])  # it goes on from there
        say(never, DAYS, "d", ["home = Bonn", "likes += tea"])
        assert known(told) == known(never) and told.verify().problems == ()


@HISTORIES
@example(
    adds=[("c", ["home = Oslo"]), ("b", ["home = Kiel", "home = Oslo"]), ("b", ["home = Oslo"])],
    days=[11, 8, 6],
    wanted=[{"session_id": "c"}],
)
@example(
    adds=[("c", ["home = Rome"]), ("b", ["home = Rome"]), ("a", ["home = Kiel"]), ("b", ["home = Kiel"])],
    days=[11, 1, 6, 10],
    wanted=[{"session_id": "c"}, {"session_id": "b"}],
)
@given(adds=adds, days=days, wanted=by_turns)
def test_whatever_is_told_again_out_of_order_what_is_known_was_told_by_then(adds, days, wanted):
    """Of many-valued words just what is left; of a single-valued one at most one at a time, and at last one if one is left. Which
    one cannot be held against a store that was never told: a word that was no news there may be news here."""
    with (
        stores() as folder,
        opened(folder, "told") as told,
        opened(folder, "never") as never,
        chaos.tries("erasing at random what was handed in out of order, and told again") as tries,
        tries.one(repr((adds, days, wanted))),
    ):
        tell(told, never, adds, days, wanted)
        left = [
            (day, one.replace(" = ", " is "))
            for day, (session, messages) in zip(days, adds, strict=False)
            if not any(goes(one, day, session) for one in wanted)
            for one in messages
        ]
        for today, (mine, right) in enumerate(zip(known(told), known(never), strict=True)):
            assert mine - homes(mine) == right - homes(right)
            assert len(homes(mine)) <= 1
            assert homes(mine) <= {text for day, text in left if day <= today}
        assert len(homes(known(told)[-1])) == len(homes(known(never)[-1]))


deeds = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.sampled_from("abc"), st.just("likes += tea")),
        st.tuples(st.just("say"), st.sampled_from("abc"), st.sampled_from(["likes -= tea", "likes += milk"])),
        st.tuples(st.just("undo"), st.integers(0, DAYS)),
        st.tuples(st.sampled_from(["delete", "update"]), st.integers(0, 3)),
        st.tuples(st.just("erase"), st.sampled_from("abc")),
    ),
    min_size=4,
    max_size=DAYS,
)


class Tellings:
    """Which tellings stand: those that were neither undone nor erased. By the turn that brought each: its text and session."""

    def __init__(self, memory):
        self.memory, self.told, self.undone = memory, {}, set()
        self.changes: list[tuple[str, str | None]] = []  # and which telling each undid, or told
        self.untouched = {"likes is tea", "likes is milk"}  # nobody took one back

    def do(self, day, deed, *what):
        getattr(self, deed)(day, *what)

    def say(self, day, session, message):
        at = START + timedelta(days=day)
        told = self.memory.add(message, user_id="u", session_id=session, timestamp=at, allow_erased=True)
        (turn,) = told.turn_ids
        is_so = "+=" in message
        self.told[turn] = ("likes is " if is_so else "likes is not ") + message.split()[-1], session
        if not is_so:
            self.untouched.discard("likes is tea")
        self.changes += [(change.id, turn) for change in told.changes]

    def undo(self, _day, which):
        if not self.changes:
            return
        change, turn = self.changes[which % len(self.changes)]
        text = self.told.get(turn, ("", ""))[0]
        if text not in set().union(*known(self.memory)) and turn not in self.undone:
            return  # what is undone while it is not believed stands behind it where that comes back
        self.untouched.discard(text)
        try:
            (done,) = self.memory.undo(change)
        except UndoConflict:
            return
        self.undone ^= {turn}
        self.changes.append((done.id, turn))

    def delete(self, _day, which):
        items = self.memory.get_all(user_id="u")
        if items:
            item = items[which % len(items)]
            self.memory.delete(item.id)
            self.untouched.discard(item.text)
            self.changes.append((self.memory.history(item.id)[-1].id, None))

    def update(self, day, which):
        items = self.memory.get_all(user_id="u")
        if items:
            item = items[which % len(items)]
            text = self.memory.update(item.id, f"likes is cake on day {day}").text
            self.untouched.discard(item.text)
            (source,) = self.memory.sources(item.id)
            self.told[source.turn_id] = text, source.session_id
            self.changes.append((self.memory.history(item.id)[-1].id, source.turn_id))

    def erase(self, _day, session):
        assert self.memory.erase(user_id="u", session_id=session).complete
        self.told = {turn: telling for turn, telling in self.told.items() if telling[1] != session}

    def check(self):
        stand = {turn: text for turn, (text, _) in self.told.items() if turn not in self.undone}
        assert set().union(*known(self.memory)) <= set(stand.values())
        now = self.memory.get_all(user_id="u")
        for item in now:
            assert item.text in {stand.get(source.turn_id) for source in self.memory.sources(item.id)}
        assert self.untouched & set(stand.values()) <= {item.text for item in now}
        assert self.memory.verify().problems == ()


@HISTORIES
@example(deeds=[*(("say", one, f"likes {sign}= tea") for one, sign in ("a+", "b+", "c-")), ("erase", "a"), ("undo", 1)])
@given(deeds=deeds)
def test_what_is_believed_was_told_by_what_stands(deeds):
    with (
        stores() as folder,
        opened(folder, "told") as memory,
        chaos.tries("erasing at random what was undone at random") as tries,
        tries.one(repr(deeds)),
    ):
        tellings = Tellings(memory)
        for day, deed in enumerate(deeds):
            tellings.do(day, *deed)
            tellings.check()
