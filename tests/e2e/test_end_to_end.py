"""The README's snippets, the demo, scripts that do not clean up, threads, a running loop, a kill."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recollect import AsyncMemory, Memory
from recollect.errors import WrongLoop
from recollect.surfaces.cli.commands import app
from recollect.testing import HashEmbedder, ScriptedLanguage

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def run(code, folder, **extra):
    environment = {**os.environ, "RECOLLECT_HOME": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=environment, check=False, **extra
    )


SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.S)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_readme_snippets_run_as_printed(tmp_path, snippet):
    done = run(snippet, tmp_path)
    assert done.returncode == 0, done.stderr


def test_readme_names_commands_that_exist():
    assert SNIPPETS
    blocks = README.split("```")[1::2]
    named = set(re.findall(r"^recollect ([a-z]+)", "\n".join(blocks), re.M))
    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    groups = {group.name or group.typer_instance.info.name for group in app.registered_groups}
    assert named and named <= known | groups


def test_the_demo_answers_its_questions(tmp_path):
    done = CliRunner().invoke(app, ["demo", "--store", str(tmp_path / "demo")])
    assert done.exit_code == 0, done.output
    for op in ("ADD", "UPDATE", "DELETE", "NONE"):
        assert re.search(rf"^{op} ", done.output, re.M)


SCRIPT = """
from recollect import Memory
memory = Memory()
memory.add("My favorite color is blue.", user_id="u")
print(memory.count(user_id="u"))
"""


def test_a_script_that_never_closes_ends_and_keeps_everything(tmp_path):
    done = run(SCRIPT, tmp_path)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "1", "")
    with Memory(tmp_path) as memory:
        assert memory.count(user_id="u") == 1 and memory.verify().ok


def test_what_was_acknowledged_survives_a_kill(tmp_path):
    code = SCRIPT + "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert run(code, tmp_path).returncode == -signal.SIGKILL
    with Memory(tmp_path) as memory:
        assert memory.count(user_id="u") == 1 and memory.verify().ok


def test_what_was_only_journalled_is_pending_and_resumed_once(tmp_path):
    code = SCRIPT.replace('user_id="u")\nprint', 'user_id="u", wait=False)\nprint')
    assert run(code, tmp_path).stdout.strip() == "0"
    with Memory(tmp_path) as memory:
        assert [one.status for one in memory.pending()] == ["pending"]
        assert len(memory.resume().finished) == 1 and memory.resume().finished == ()
        assert memory.count(user_id="u") == 1


def test_eight_threads_use_one_memory(tmp_path):
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:

        def work(n):
            memory.add("likes += tea", user_id="u")
            memory.add(f"likes += thing{n}", user_id="u")
            memory.search("likes tea", user_id="u")
            memory.add("home = Rome", user_id=f"u{n}")
            return memory.count(user_id=f"u{n}")

        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(work, range(8))) == [1] * 8
        assert memory.count(user_id="u") == 9 and memory.verify().ok


WRITER = """
import sys
from recollect import Memory
from recollect.testing import HashEmbedder, ScriptedLanguage
memory = Memory(llm=ScriptedLanguage(), embedder=HashEmbedder())
for n in range(10):
    memory.add("likes += tea", user_id="u")
    memory.add(f"likes += {sys.argv[1]}{n}", user_id="u")
"""


def test_two_processes_lose_nothing_and_store_nothing_twice(tmp_path):
    environment = {**os.environ, "RECOLLECT_HOME": str(tmp_path)}
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, name], env=environment) for name in "ab"]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
        assert memory.count(user_id="u") == 21 and memory.verify().ok


def test_a_running_loop_can_use_the_synchronous_memory(memory):
    async def notebook():
        memory.add("home = Rome", user_id="u")
        return memory.search("home Rome", user_id="u")

    assert [hit.text for hit in asyncio.run(notebook())] == ["home is Rome"]


def test_an_async_memory_belongs_to_one_loop(tmp_path):
    memory = AsyncMemory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder())

    async def use():
        await memory.add("home = Rome", user_id="u")

    asyncio.run(use())
    with pytest.raises(WrongLoop):
        asyncio.run(use())
    asyncio.run(memory.close())


def test_a_key_is_stored_once(memory):
    first = memory.add("home = Rome", user_id="u", idempotency_key="k")
    again = memory.add("home = Oslo", user_id="u", idempotency_key="k")
    assert first == again and memory.stats().turns == 1
    assert memory.add("home = Oslo", user_id="v", idempotency_key="k") != first
