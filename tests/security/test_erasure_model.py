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


@settings(
    max_examples=150 if chaos.LONG else 10,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
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
        tempfile.TemporaryDirectory(dir=machines.IN_MEMORY if machines.IN_MEMORY.is_dir() else None) as folder,
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
