"""A verb that is cancelled, at each of its awaits in turn: what it leaves is whole, nothing is held, and the memory goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3

import pytest

from recollect import AsyncMemory
from recollect.build import Store
from recollect.errors import ModelUnavailable
from recollect.testing import HashEmbedder, ScriptedLanguage
from tests.chaos import record

MORE = [{"role": "user", "content": f"likes += thing{n}"} for n in range(12)]  # two chunks
TOLD = sorted(["home is Rome", *(f"likes is thing{n}" for n in range(12))])
LONG = bool(os.environ.get("RECOLLECT_CHAOS"))


class Thinking(ScriptedLanguage):
    """Gives way while it thinks, as a model does."""

    async def extract(self, chunk):
        await asyncio.sleep(0)
        return await super().extract(chunk)

    async def reconcile(self, cases):
        await asyncio.sleep(0)
        return await super().reconcile(cases)


class Cancelled:
    """Awaits a coroutine and cancels the task at its n-th suspension: at once, or (`late`) when what it waits for is there but
    it has not woken up yet. `reached`: whether there were so many."""

    def __init__(self, work, n, *, late):
        self.work, self.n, self.late, self.reached = work, n, late, False

    def __await__(self):
        steps, count, answer, error = self.work.__await__(), 0, None, None
        while True:
            try:
                waited = steps.send(answer) if error is None else steps.throw(error)
            except StopIteration as end:
                return end.value
            count += 1
            if count == self.n:
                self.reached, task = True, asyncio.current_task()
                if self.late and waited is not None:
                    waited.add_done_callback(lambda _, task=task: task.cancel())
                else:
                    task.cancel()
            answer = error = None
            try:
                answer = yield waited
            except BaseException as raised:  # noqa: BLE001 -- it is thrown on
                error = raised


async def cancelled(work, n, *, late):
    """Whether the work was long enough to be cancelled there."""
    cancelling = Cancelled(work, n, late=late)

    async def run():
        await cancelling

    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.create_task(run())
    return cancelling.reached


def held(folder):
    with contextlib.closing(sqlite3.connect(folder / "ledger.sqlite3")) as db:
        return db.execute("SELECT count(*) FROM batches WHERE lease_owner IS NOT NULL").fetchone()[0]


async def texts(memory):
    return sorted(item.text for item in await memory.get_all(user_id="u"))


def attempts(folder, verb, check, late, least):
    """Try the verb in a store of its own for every place at which it can be cancelled."""

    async def once(n):
        place = folder / str(n)
        async with AsyncMemory(place, llm=Thinking(), embedder=HashEmbedder()) as memory:
            first = (await memory.add("home = Rome", user_id="u")).changes[0].memory.id
            work = await verb(memory, first)
            reached = await cancelled(work, n, late=late)
            assert held(place) == 0
            assert (await memory.verify()).problems == ()
            await check(memory, first, reached)
            assert await memory.pending() == [] and held(place) == 0 and (await memory.verify()).problems == ()
            again = await memory.add("likes += tea", user_id="u")
            assert again.status == "done" and "likes is tea" in await texts(memory)
        return reached

    async def run():
        n, step = (1, 1) if LONG else (1 + late, 1)
        while await once(n):
            n += step
        return n // step

    places = asyncio.run(run())
    assert places >= least
    record(f"{verb.__name__} cancelled", places, 0)


@pytest.fixture(params=[False, True], ids=["at once", "late"])
def late(request):
    return request.param


async def finishes_once(memory, reached):
    """What is pending is finished, by one `resume`."""
    waiting = [one.batch_id for one in await memory.pending()]
    assert all(one.attempts == 0 for one in await memory.pending())
    resumed = await memory.resume()
    assert resumed.finished == tuple(waiting) and not resumed.failed and (reached or not waiting)
    assert (await memory.resume()).finished == ()


def test_add(tmp_path, late):
    async def add(memory, _):
        return memory.add(MORE, user_id="u")

    async def check(memory, _, reached):
        await finishes_once(memory, reached)
        found = await texts(memory)
        assert found == TOLD or (reached and found == ["home is Rome"])

    attempts(tmp_path, add, check, late, 6)


def test_resume(tmp_path, late):
    async def resume(memory, _):
        await memory.add(MORE, user_id="u", wait=False)
        return memory.resume()

    async def check(memory, _, reached):
        await finishes_once(memory, reached)
        assert await texts(memory) == TOLD

    attempts(tmp_path, resume, check, late, 6)


def test_update(tmp_path, late):
    async def update(memory, first):
        return memory.update(first, "home is Oslo")

    async def check(memory, first, reached):
        (found,) = await texts(memory)
        assert found == "home is Oslo" or reached
        assert len(await memory.history(first)) == (2 if found == "home is Oslo" else 1)

    attempts(tmp_path, update, check, late, 1)


def test_delete_and_undo(tmp_path, late):
    async def delete(memory, first):
        return memory.delete(first)

    async def check_deleted(memory, first, reached):
        found = await texts(memory)
        assert found == [] or (reached and found == ["home is Rome"])
        assert len(await memory.history(first)) == 2 - len(found)

    async def undo(memory, first):
        await memory.delete(first)
        return memory.undo((await memory.history(first))[-1].id)

    async def check_undone(memory, first, reached):
        found = await texts(memory)
        assert found == ["home is Rome"] or (reached and found == [])
        assert len(await memory.history(first)) == 2 + len(found)

    attempts(tmp_path / "delete", delete, check_deleted, late, 1)
    attempts(tmp_path / "undo", undo, check_undone, late, 1)


def test_delete_all(tmp_path, late):
    async def delete_all(memory, _):
        await memory.add(MORE, user_id="u")
        return memory.delete_all(user_id="u")

    async def check(memory, _, reached):
        found = await texts(memory)
        assert found == [] or (reached and found == TOLD)

    attempts(tmp_path, delete_all, check, late, 1)


def test_retell(tmp_path, late):
    async def retell(memory, _):
        await memory.add(MORE, user_id="u")
        return memory.retell(user_id="u")

    async def check(memory, _, reached):
        await finishes_once(memory, reached)
        assert await texts(memory) == TOLD

    attempts(tmp_path, retell, check, late, 6)


VERBS = {
    "add": lambda memory, _: memory.add("likes += tea", user_id="u"),
    "update": lambda memory, first: memory.update(first, "home is Oslo"),
    "delete": lambda memory, first: memory.delete(first),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_write_under_way_is_waited_for(tmp_path, monkeypatch, verb):
    async def run():
        async with AsyncMemory(tmp_path, llm=Thinking(), embedder=HashEmbedder()) as memory:
            first = (await memory.add("home = Rome", user_id="u")).changes[0].memory.id
            monkeypatch.setattr(Store, "record_embedder", lambda _: None)  # else it is the first that `add` waits for
            lock = memory._store.ledger._database._write_lock
            with contextlib.closing(sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)) as another:
                another.execute("BEGIN IMMEDIATE")  # keeps every write of ours waiting
                work = asyncio.create_task(VERBS[verb](memory, first))
                while lock.acquire(blocking=False):
                    lock.release()
                    await asyncio.sleep(0)
                work.cancel()
                for _ in range(50):
                    await asyncio.sleep(0.001)
                assert not work.done()
                another.execute("ROLLBACK")
            with pytest.raises(asyncio.CancelledError):
                await work
            state = (await texts(memory), len(await memory.pending()), len(await memory.history(first)))
            assert state == {
                "add": (["home is Rome"], 1, 1), "update": (["home is Oslo"], 0, 2), "delete": ([], 0, 2)
            }[verb]  # fmt: skip

    asyncio.run(run())


def test_a_lease_is_given_back_before_the_cancelled_one_goes_on(tmp_path):
    class Gate(Thinking):
        async def extract(self, chunk):
            if chunk.turns[0].content != "home = Rome":
                self.asked.set()
                await asyncio.Event().wait()
            return await super().extract(chunk)

    async def run():
        gate = Gate()
        gate.asked = asyncio.Event()
        async with AsyncMemory(tmp_path, llm=gate, embedder=HashEmbedder()) as memory:
            work = asyncio.create_task(memory.add("likes += tea", user_id="u"))
            await gate.asked.wait()
            assert held(tmp_path) == 1
            with contextlib.closing(sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)) as another:
                another.execute("BEGIN IMMEDIATE")
                work.cancel()
                for _ in range(50):
                    await asyncio.sleep(0.001)
                work.cancel()  # a second time, while it gives back
                for _ in range(50):
                    await asyncio.sleep(0.001)
                assert not work.done()
                another.execute("ROLLBACK")
            with pytest.raises(asyncio.CancelledError):
                await work
            assert held(tmp_path) == 0 and len(await memory.pending()) == 1

    asyncio.run(run())


def test_a_cancelled_try_is_none_where_an_earlier_one_failed(tmp_path):
    """It stays pending, as it was: nobody has to ask for it."""

    class Failing(Thinking):
        failed = False

        async def extract(self, chunk):
            if not self.failed:
                self.failed = True
                raise ModelUnavailable("down")
            self.asked.set()
            await self.let.wait()
            return await super().extract(chunk)

    async def run():
        failing = Failing()
        failing.asked, failing.let = asyncio.Event(), asyncio.Event()
        async with AsyncMemory(tmp_path, llm=failing, embedder=HashEmbedder()) as memory:
            with pytest.raises(ModelUnavailable):
                await memory.add("likes += tea", user_id="u")
            work = asyncio.create_task(memory.resume())
            await failing.asked.wait()
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
            (left,) = await memory.pending()
            assert (left.status, left.attempts, left.error) == ("pending", 1, "Interrupted")
            failing.let.set()
            assert (await memory.resume()).finished == (left.batch_id,) and await texts(memory) == ["likes is tea"]

    asyncio.run(run())
