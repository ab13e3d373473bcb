"""For all tests: no network, no store outside of a temporary folder."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from recollect import Memory
from recollect.surfaces.cli.settings import CONFIG_VARIABLE, KINDS
from recollect.testing import HashEmbedder, ScriptedLanguage

ROOT = Path(__file__).parents[1]
LOCAL = {"127.0.0.1", "::1", "localhost"}


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
    """The statements that connections are given, with their values filled in."""
    seen: list[str] = []
    connect = sqlite3.connect

    def traced(*arguments, **options):
        connection = connect(*arguments, **options)
        connection.set_trace_callback(seen.append)
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
