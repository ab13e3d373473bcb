"""For all tests: no network, no store outside of a temporary folder."""

from __future__ import annotations

import socket

import pytest

from recollect import Memory
from recollect.testing import HashEmbedder, ScriptedLanguage

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
    monkeypatch.delenv("RECOLLECT_LLM", raising=False)


@pytest.fixture
def memory(tmp_path):
    with Memory(tmp_path / "store", llm=ScriptedLanguage(), embedder=HashEmbedder()) as opened:
        yield opened
