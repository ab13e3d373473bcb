"""What is kept no longer is destroyed like anything that is erased: of everybody or of one, and what is younger is as it was."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from unittest import mock

import chaos
import operations
import pytest
from remnants import GONE, Pairs, Refining, Tattler, everything_of, found, opened, plant, said, vectors_of

from recollect import AsyncMemory
from recollect.adapters.database import Database
from recollect.check import cutoff
from recollect.errors import Erased, InvalidInput, StorageFull
from recollect.testing import HashEmbedder, ScriptedLanguage
from recollect.trace import Purged
from recollect.upkeep.erase import BLANK

EARLY, LATE, LATER = "2024-01-01", "2024-03-01", "2024-05-01"
PAST = "2024-06-01"  # when what the tests add has expired; adding does not ask
SOON, FUTURE = "2500-01-01", "2999-01-01"  # what expires at the first has in `in_2600`
YEARS = datetime(2024, 2, 1, tzinfo=UTC)
EVERYTHING = {"include": ("memories", "turns"), "min_score": 0}


def names(folder):
    with closing(sqlite3.connect(folder / "ledger.sqlite3")) as db:
        return {name.partition(":")[0] for (name,) in db.execute("SELECT name FROM users")}


def texts(memory, user="u", **when):
    return {item.text for item in memory.get_all(user_id=user, **when)}


def in_2600():
    return mock.patch("recollect.memory.present", lambda: datetime(2600, 1, 1, tzinfo=UTC))


# --- what is old -------------------------------------------------------------------------------------------------------


def test_of_what_is_too_old_nothing_is_in_any_byte_and_others_are_as_they_were(tmp_path):
    plant(tmp_path)
    secrets = [*GONE, "zqsession", "zqcarol"]
    with opened(tmp_path) as memory:
        memory.add(said("home = zqhomegone"), user_id="zqcarol", timestamp=EARLY)  # of whom nothing is left
        memory.add(said("home = zqhomegone"), user_id=None, timestamp=EARLY)
    vectors = vectors_of(tmp_path, "user:zqalice", secrets)
    assert vectors and len({one for one, _, _ in found(tmp_path, secrets)}) == len(secrets), "planted"
    before = everything_of(tmp_path, "bob")
    rewritten = mock.Mock(wraps=Database.rewrite)
    with (
        opened(tmp_path) as memory,
        mock.patch.object(Database, "rewrite", lambda self: rewritten(self)),
        chaos.tries("a remnant of what was kept no longer") as tries,
        tries.one("all users"),
    ):
        receipt = memory.retention(YEARS)
        assert (receipt.users, receipt.turns, receipt.complete, receipt.before) == (3, 13, True, YEARS)
        assert rewritten.call_count == 1
        assert found(tmp_path, secrets, vectors) == []
        assert everything_of(tmp_path, "bob") == before
        assert texts(memory, "zqalice") == {"home is zqhomestays", "likes is zqlikestays"}
        assert memory.verify().problems == () and memory.pending() == []
    assert names(tmp_path) == {"user", "erased", "shared"}


def test_what_would_go_is_told_and_nothing_goes(tmp_path):
    plant(tmp_path)
    with opened(tmp_path) as memory:
        memory.add(said("likes += tea"), user_id="bob", expires_at=PAST)
        before = [everything_of(tmp_path, user) for user in ("bob", "zqalice")]
        told = memory.retention(YEARS, dry_run=True)
        assert [everything_of(tmp_path, user) for user in ("bob", "zqalice")] == before
        assert told.dry_run and not told.complete and (told.users, told.memories) == (2, 6)
        done = memory.retention(YEARS)
        same = {"dry_run", "complete", "reason", "erased_at"}
        assert done.model_dump(exclude=same) == told.model_dump(exclude=same)
        again = memory.retention(YEARS)
        assert (again.users, again.turns, again.memories, again.complete) == (0, 0, 0, True)


def test_where_nothing_is_due_nothing_is_written(tmp_path):
    with opened(tmp_path) as memory:
        memory.add(said("home = Rome"), user_id="u", expires_at=FUTURE)
        state = (tmp_path / "ledger.sqlite3").read_bytes(), (tmp_path / "ledger.sqlite3-wal").read_bytes()
        assert memory.retention("1d").users == 0
        assert state == ((tmp_path / "ledger.sqlite3").read_bytes(), (tmp_path / "ledger.sqlite3-wal").read_bytes())


def test_one_user_or_the_shared_space_alone(tmp_path):
    with opened(tmp_path) as memory:
        for user in ("ann", "bob", None):
            memory.add(said("home = Rome"), user_id=user, timestamp=EARLY, expires_at=PAST)
        assert memory.retention("1d", user_id="ann").users == 1 and memory.retention(user_id="nobody").users == 0
        assert [memory.stats(user_id=user).turns for user in ("ann", "bob", None)] == [0, 1, 1]
        assert memory.retention(user_id=None).users == 1
        assert [memory.stats(user_id=user).turns for user in ("ann", "bob", None)] == [0, 1, 0]
        assert memory.retention(expired=True).users == 1 and memory.verify().ok


def test_only_messages_that_are_as_old_are_known_again(memory):
    talk = {"user_id": "u", "session_id": "s"}
    memory.add(said("likes += tea"), timestamp=EARLY, **talk)
    memory.add(said("home = Rome"), timestamp=LATER, **talk)
    memory.retention(YEARS)
    assert memory.add(said("likes += tea"), timestamp=EARLY, **talk).erased == 1
    assert memory.add(said("likes += tea"), timestamp=LATE, **talk).erased == 0
    assert texts(memory) == {"home is Rome", "likes is tea"} and memory.verify().ok


NOW = datetime(2024, 3, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("age", "since"),
    [
        ("1d", "2024-03-30T12:00"), ("2w", "2024-03-17T12:00"), ("1m", "2024-02-29T12:00"), ("13m", "2023-02-28T12:00"),
        ("1y", "2023-03-31T12:00"), (" 365 d", "2023-04-01T12:00"), (timedelta(hours=1), "2024-03-31T11:00"),
        ("2023-05-06", "2023-05-06"), (datetime(2023, 5, 6), "2023-05-06"), ("2023-05-06T01:00+02:00", "2023-05-05T23:00"),
    ],
)  # fmt: skip
def test_ages(age, since):
    assert cutoff("older_than", age, NOW) == datetime.fromisoformat(since).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "age",
    ["0d", "-1d", "1", "1h", "d", "", "1.5y", "2999-01-01", "9999y", "99999m", "999999w", timedelta(0), timedelta(-1),
     timedelta.max, 365, 3.5, True, b"1d", [], "١d" * 9, datetime.max],
)  # fmt: skip
def test_what_is_no_age_destroys_nothing(memory, age):
    memory.add(said("home = Rome"), user_id="u", timestamp=EARLY)
    with pytest.raises(InvalidInput):
        memory.retention(age)
    assert memory.count(user_id="u") == 1


def test_arguments_that_do_not_go_together(memory):
    for wrong in ({"expired": False}, {"expired": 1}, {"dry_run": "no"}, {"user_id": ""}, {"user_id": 3}):
        with pytest.raises(InvalidInput):
            memory.retention(**wrong)
    assert memory.retention("1d", expired=False).before is not None


# --- what has expired --------------------------------------------------------------------------------------------------


def test_what_has_expired_goes_with_its_turns_and_nothing_else(tmp_path):
    with opened(tmp_path) as memory:
        memory.add(
            said("home = zqrome", "zqhush, by the way", name="zqname"),
            user_id="u",
            session_id="zqsession",
            timestamp=EARLY,
            metadata={"zqmeta": "zqmeta"},
            expires_at=PAST,
            idempotency_key="zqkey",
        )
        memory.add(said("likes += zqpending"), user_id="u", timestamp=EARLY, expires_at=PAST, wait=False)
        memory.add(said("likes += tea"), user_id="u", timestamp=EARLY)
        memory.add(said("likes += milk"), user_id="u", timestamp=EARLY, expires_at=FUTURE)
        secrets = ["zqrome", "zqhush", "zqname", "zqsession", "zqmeta", "zqkey", "zqpending"]
        vectors = vectors_of(tmp_path, "user:u", secrets)
        assert vectors and len({one for one, _, _ in found(tmp_path, secrets)}) == len(secrets), "planted"
        receipt = memory.retention()
        assert (receipt.users, receipt.memories, receipt.turns, receipt.pending) == (1, 1, 3, 1)
        assert receipt.complete and receipt.before is None
        assert found(tmp_path, secrets, vectors) == []
        assert texts(memory) == {"likes is tea", "likes is milk"} and memory.verify().problems == ()
        assert memory.retention().users == 0 and memory.pending() == []


def test_of_a_turn_that_another_memory_rests_on_its_quotes_stay(tmp_path):
    with opened(tmp_path, llm=Pairs()) as memory:
        memory.add(said("home = zqrome; likes += tea; zqhush"), user_id="u", timestamp=EARLY, expires_at=SOON)
        memory.add(said("likes += tea"), user_id="u", timestamp=LATE)  # from now on it does not expire
        vectors = vectors_of(tmp_path, "user:u", ["zqrome", "zqhush"])
        with in_2600():
            receipt = memory.retention()
        assert (receipt.memories, receipt.turns, receipt.blanked) == (1, 0, 1)
        assert found(tmp_path, ["zqrome", "zqhush"], vectors) == []
        assert texts(memory) == {"likes is tea"} and memory.verify().problems == ()
        hits = memory.search("tea", user_id="u", **EVERYTHING)
        assert f"{BLANK}likes += tea{BLANK}" in {hit.text for hit in hits}
        with in_2600():
            assert memory.retention().users == 0


def test_an_earlier_version_that_has_expired_goes_and_what_it_ended_stays_ended(tmp_path):
    with opened(tmp_path) as memory:
        memory.add(said("home = Bonn"), user_id="u", timestamp=EARLY)
        memory.add(said("home = zqrome"), user_id="u", timestamp=LATE, expires_at=SOON)
        memory.add(said("home = Oslo"), user_id="u", timestamp=LATER, expires_at=FUTURE)
        vectors = vectors_of(tmp_path, "user:u", ["zqrome"])
        days = "2024-02-01", "2024-04-01", "2024-07-01"
        with in_2600():
            before = [texts(memory, as_of=day) for day in days]
            assert before == [{"home is Bonn"}, set(), {"home is Oslo"}]
            hits = memory.search("home", user_id="u", **EVERYTHING)
            assert [hit.text for hit in hits if hit.kind == "turn"] == ["home = Oslo", "home = Bonn"]
            receipt = memory.retention()
            assert (receipt.memories, receipt.versions, receipt.turns, receipt.restored) == (0, 2, 1, 0)
            assert found(tmp_path, ["zqrome"], vectors) == []
            assert [texts(memory, as_of=day) for day in days] == before
            assert memory.verify().problems == () and memory.retention().users == 0


def test_a_memory_that_expires_goes_with_the_versions_that_had_no_expiry_of_their_own(tmp_path):
    with opened(tmp_path, llm=Refining()) as memory:
        memory.add(said("pet = zqdog"), user_id="u", session_id="a", timestamp=EARLY)
        memory.add(said("pet = zqrex"), user_id="u", session_id="b", timestamp=LATE, expires_at=SOON)
        memory.add(said("home = Rome"), user_id="u", session_id="c", timestamp=LATE)
        item = next(iter(memory.get_all(user_id="u", metadata_filter={"text": {"contains": "home"}})))
        assert found(tmp_path, ["zqdog", "zqrex"]) and "pet is zqdog zqrex" in texts(memory)
        with in_2600():
            receipt = memory.retention()
        assert (receipt.memories, receipt.versions, receipt.turns) == (1, 2, 2)
        assert found(tmp_path, ["zqdog", "zqrex"]) == []
        assert [one.id for one in memory.get_all(user_id="u")] == [item.id] and memory.verify().problems == ()


@pytest.mark.parametrize("how", ["deleted", "undone", "retracted"])
def test_what_was_taken_back_and_has_expired_goes_too(tmp_path, how):
    with opened(tmp_path) as memory:
        change = memory.add(said("likes += zqtea"), user_id="u", expires_at=SOON, timestamp=EARLY).changes[0]
        if how == "deleted":
            memory.delete(change.memory.id)
        elif how == "undone":
            memory.undo(change.id)
        else:
            memory.add(said("likes -= zqtea"), user_id="u", expires_at=SOON, timestamp=LATE)
        memory.add(said("home = Rome"), user_id="u")
        assert found(tmp_path, ["zqtea"]) and memory.retention().users == 0
        with in_2600():
            assert memory.retention().turns == 1 + (how == "retracted")
        assert found(tmp_path, ["zqtea"]) == [] and texts(memory) == {"home is Rome"} and memory.verify().problems == ()


def test_old_and_expired_together_of_one_user(tmp_path):
    with opened(tmp_path) as memory:
        memory.add(said("home = zqbonn"), user_id="u", timestamp=EARLY)
        memory.add(said("home = zqrome"), user_id="u", timestamp=LATE, expires_at=SOON)
        memory.add(said("likes += tea"), user_id="u", timestamp=LATER)
        with in_2600():
            receipt = memory.retention(YEARS)
        assert (receipt.users, receipt.memories, receipt.turns, receipt.restored) == (1, 1, 2, 0)
        assert found(tmp_path, ["zqbonn", "zqrome"]) == [] and texts(memory) == {"likes is tea"} and memory.verify().ok


# --- what comes between ------------------------------------------------------------------------------------------------


def fill(folder, users=4):
    with opened(folder) as memory:
        for n in range(users):
            memory.add(said(f"home = zq{n}old"), user_id=f"u{n}", timestamp=EARLY)
            memory.add(said(f"likes += zq{n}new"), user_id=f"u{n}", timestamp=LATE)
    return [f"zq{n}old" for n in range(users)]


def test_how_far_it_is_is_told(tmp_path):
    fill(tmp_path)
    events = []
    with opened(tmp_path, on_event=events.append) as memory:
        memory.retention(YEARS)
    assert events == [Purged(n, 4, n, n) for n in range(5)]


def test_cancelled_it_ends_between_two_users_and_is_finished_later(tmp_path):
    secrets = fill(tmp_path)

    async def run():
        def stop(event):
            if isinstance(event, Purged) and event.users == 2:
                task.cancel()

        async with AsyncMemory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder(), on_event=stop) as memory:
            task = asyncio.ensure_future(memory.retention(YEARS))
            with pytest.raises(asyncio.CancelledError):
                await task
            left = [(await memory.stats(user_id=f"u{n}")).turns for n in range(4)]
            assert left == [1, 1, 1, 2]  # who was at it is done with
            assert (await memory.verify()).problems == ()
            await memory.resume()
            assert found(tmp_path, secrets[:3]) == [] and found(tmp_path, secrets[3:])
            assert (await memory.retention(YEARS)).users == 1
            assert found(tmp_path, secrets) == []

    asyncio.run(run())


def test_a_fault_between_keeps_what_went_and_the_same_call_goes_on(tmp_path):
    secrets = fill(tmp_path)
    write, calls = Database.write, []

    def full(self, **options):
        calls.append(1)
        if len(calls) == 3:
            raise StorageFull("no room")
        return write(self, **options)

    with opened(tmp_path) as memory:
        with mock.patch.object(Database, "write", full), pytest.raises(StorageFull):
            memory.retention(YEARS)
        assert [memory.stats(user_id=f"u{n}").turns for n in range(4)] == [1, 1, 2, 2]
        receipt = memory.retention(YEARS)
        assert (receipt.users, receipt.complete) == (2, True) and found(tmp_path, secrets) == []


@pytest.mark.parametrize(
    ("failpoint", "nth", "done"), [("erase.taken_out", 2, 1), ("erase.committed", 2, 2), ("erase.rewritten", 1, 2)]
)
def test_killed_it_is_finished_by_the_next_opening_and_the_same_call(tmp_path, zygote, failpoint, nth, done):
    operations.BY_NAME["retention"].prepare(tmp_path)
    code, _ = zygote.run(task="operate", operation="retention", folder=str(tmp_path), failpoint=failpoint, nth=nth)
    assert code == -signal.SIGKILL
    with operations.opened(tmp_path) as memory:
        left = [memory.stats(user_id=user).turns for user in ("u", "other")]
        assert sum(turns == 1 for turns in left) == done
        if done == 2:
            assert found(tmp_path, ["Rome", "Bonn"]) == []
        memory.retention("2024-01-15")
        assert found(tmp_path, ["Rome", "Bonn"]) == [] and memory.verify().problems == ()
        assert [memory.stats(user_id=user).turns for user in ("u", "other")] == [1, 1]


def test_an_add_under_way_that_has_expired_is_called_off(tmp_path):
    asked, let = threading.Event(), threading.Event()

    class Slow(Tattler):
        async def extract(self, chunk):
            told = await super().extract(chunk)
            asked.set()
            await asyncio.to_thread(let.wait, 60)
            return told

    told = []
    with opened(tmp_path, llm=Slow()) as memory, opened(tmp_path) as other:

        def add():
            with pytest.raises(Erased) as raised:
                memory.add(said("home = zqrome"), user_id="u", expires_at=PAST)
            told.append(raised.value)

        thread = threading.Thread(target=add)
        thread.start()
        asked.wait(60)
        receipt = other.retention()
        let.set()
        thread.join(60)
        assert len(told) == 1 and (receipt.pending, receipt.turns) == (1, 1)
        assert memory.verify().problems == () and memory.pending() == []
    assert found(tmp_path, ["zqrome"]) == []
