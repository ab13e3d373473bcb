"""A conversation that goes on, as the command line sees it."""

from __future__ import annotations

import json

from recollect import Memory
from recollect.chat import ChatMemory


def test_a_conversation_that_goes_on_is_listed_and_is_no_fault(cli, tmp_path):
    with Memory(tmp_path / "store", llm="rules") as memory:
        chat = ChatMemory(memory, user_id="alice", session_id="s", close_idle=None)
        chat.after([{"role": "user", "content": "I live in Berlin."}], "Nice.")
    told = cli("pending").stdout
    assert told.startswith("open: batch_") and "a conversation that goes on" in told and "recollect resume" not in told
    assert [one["status"] for one in json.loads(cli("pending", "--json").stdout)] == ["open"]
    assert "batch_" not in cli("doctor").stdout
    cli("resume")
    assert cli("pending").stdout == told, "its time has not come"
