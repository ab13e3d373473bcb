"""For all tests: no network, no store outside of a temporary folder."""

from __future__ import annotations

import functools
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import chaos
import pytest
from hypothesis import HealthCheck, settings
from typer.main import get_command

from recollect import Memory
from recollect.adapters import minilm
from recollect.surfaces.cli.settings import CONFIG_VARIABLE, KINDS
from recollect.testing import HashEmbedder, ScriptedLanguage

ROOT = Path(__file__).parents[1]
LOCAL = {"127.0.0.1", "::1", "localhost"}

# A shell starts what it puts in the background, and nohup all, with Ctrl-C ignored; processes that we start would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Without compiled modules each of hundreds of processes takes a quarter of a second more to start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# A machine that does something else besides takes as long as it takes. What is tried is the same each time, so that a run fails
# for what was changed; the long forms look for what nobody has tried yet.
settings.register_profile(
    "quick or long", deadline=None, derandomize=not chaos.LONG, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("quick or long")


def once_a_file(load):
    """What is loaded from a file, kept for as long as the file is the same."""

    @functools.cache
    def kept(file, _changed, _size):
        return load(file)

    return lambda file: kept(file, file.stat().st_mtime_ns, file.stat().st_size) if file.exists() else load(file)


@pytest.fixture(scope="session", autouse=True)
def one_embedder():
    """The shipped embedder is loaded once for all stores of a process: a test of it opens dozens, and each load takes as long."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(minilm, "_session", once_a_file(minilm._session))
        patched.setattr(minilm, "_tokenizer", once_a_file(minilm._tokenizer))
        yield


@pytest.fixture(scope="session", autouse=True)
def one_tree_of_commands():
    """typer's runner builds the whole tree of commands anew for each call, which takes ten times as long as most calls."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("typer.testing._get_command", functools.cache(get_command))
        yield


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family != socket.AF_UNIX and isinstance(address, tuple) and address[0] not in LOCAL:
            raise AssertionError("a test reached for the network")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setenv("RECOLLECT_HOME", str(tmp_path_factory.mktemp("home")))
    for variable in (CONFIG_VARIABLE, *(kind.variable for kind in KINDS.values() if kind.variable != "RECOLLECT_HOME")):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))


@pytest.fixture
def memory(tmp_path):
    with Memory(tmp_path / "store", llm=ScriptedLanguage(), embedder=HashEmbedder()) as opened:
        yield opened


@pytest.fixture
def statements(monkeypatch):
    """The statements that connections are given, with their values filled in. Not those that make one ready: each thread of a
    pool has its own, and which thread is idle is known to nobody."""
    seen: list[str] = []
    connect = sqlite3.connect

    def trace(statement):
        if not statement.startswith("PRAGMA"):
            seen.append(statement)

    def traced(*arguments, **options):
        connection = connect(*arguments, **options)
        connection.set_trace_callback(trace)
        return connection

    monkeypatch.setattr("recollect.adapters.database.sqlite3.connect", traced)
    return seen


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The built wheel's file."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(ROOT)], check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built
