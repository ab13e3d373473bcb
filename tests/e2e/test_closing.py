"""What closes under work: it is waited for or named, and nothing stays locked."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading

import pytest

from recollect import AsyncMemory, Memory
from recollect.errors import Closed
from recollect.testing import HashEmbedder, ScriptedLanguage


class Gate(ScriptedLanguage):
    """Tells when it is asked, and goes on when it is let."""

    def __init__(self):
        self.asked, self.let = threading.Event(), threading.Event()

    async def extract(self, chunk):
        self.asked.set()
        await asyncio.to_thread(self.let.wait, 30)
        return await super().extract(chunk)


def opened(folder, llm=None):
    return Memory(folder, llm=llm or ScriptedLanguage(), embedder=HashEmbedder())


def test_close_waits_for_what_other_threads_wait_for(tmp_path):
    gate, results = Gate(), []
    memory = opened(tmp_path, gate)
    adder = threading.Thread(target=lambda: results.append(memory.add("home = Rome", user_id="u").status))
    adder.start()
    assert gate.asked.wait(30)
    closer = threading.Thread(target=memory.close)
    closer.start()
    gate.let.set()
    adder.join(30)
    closer.join(30)
    assert results == ["done"]
    with opened(tmp_path) as again:
        assert again.count(user_id="u") == 1 and again.verify().ok


def test_a_verb_that_begins_just_before_the_close_is_done_or_named(tmp_path, monkeypatch):
    memory = opened(tmp_path)
    memory.add("home = Rome", user_id="u")
    check, closer = memory._check_open, threading.Thread(target=memory.close)

    def checked():
        check()
        closer.start()
        closer.join(1)  # it closes now, unless it is kept out

    monkeypatch.setattr(memory, "_check_open", checked)
    with contextlib.suppress(Closed):
        assert memory.count(user_id="u") == 1
    closer.join()


def test_an_asynchronous_close_under_work_is_named_and_leaves_no_lease(tmp_path):
    async def close_under_work():
        gate = Gate()
        memory = AsyncMemory(tmp_path, llm=gate, embedder=HashEmbedder())
        work = asyncio.create_task(memory.add("home = Rome", user_id="u"))
        assert await asyncio.to_thread(gate.asked.wait, 30)
        await memory.close()
        gate.let.set()
        with pytest.raises(Closed):
            await work

    asyncio.run(close_under_work())
    with opened(tmp_path) as again:
        assert len(again.pending()) == 1 and len(again.resume().finished) == 1
        assert again.count(user_id="u") == 1 and again.verify().ok


def test_a_listener_that_exits_ends_its_caller_and_not_the_memory(tmp_path):
    def leave(_):
        raise SystemExit(7)

    memory = Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder(), on_event=leave)
    with pytest.raises(SystemExit) as raised:
        memory.add("home = Rome", user_id="u")
    assert raised.value.code == 7 and memory.stats().turns == 1
    memory.close()
    with opened(tmp_path) as again:
        again.resume()
        assert again.count(user_id="u") == 1 and again.pending() == []


THREAD = """
import sys, threading
from recollect import Memory
from recollect.testing import HashEmbedder, ScriptedLanguage
memory = Memory(sys.argv[1], llm=ScriptedLanguage(), embedder=HashEmbedder())
said = [{"role": "user", "content": f"likes += {n}"} for n in range(200)]
started = threading.Event()
memory._memory._listener = lambda _: started.set()
threading.Thread(target=lambda: memory.add(said, user_id="u")).start()
started.wait()
"""


def test_a_script_that_ends_while_a_thread_adds_keeps_everything(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", THREAD, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    with opened(tmp_path) as again:
        assert again.count(user_id="u") == 200 and again.pending() == [] and again.verify().ok
