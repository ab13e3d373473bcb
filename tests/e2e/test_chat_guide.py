"""docs/chat.md: snippets run as printed, against an endpoint on loopback; api.md has the chat loop word by word."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import pytest

from recollect import Memory, chat
from recollect.adapters import litellm_setup
from recollect.testing import ModelEndpoint, Reply

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "chat.md").read_text(encoding="utf-8")
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8080/v1"
SNIPPETS = re.findall(r"```python\n(.*?)```", GUIDE, re.S)


def model(request):
    """Asks for its tool where it has one, and then tells what it was told."""
    if request.tool and request.body["messages"][-1]["role"] == "user":
        return Reply(json.dumps({"query": "the user's city"}))
    text = request.body["messages"][-1]["content"]
    return Reply(text, message={"content": text, "tool_calls": None})


def run(snippet, endpoint):
    litellm_setup.load()
    exec(snippet.replace(ADDRESS, endpoint.url), {})


@pytest.fixture
def endpoint(monkeypatch, tmp_path):
    in_time = chat.AsyncChatMemory._in_time

    async def patient(self, *arguments):
        """However busy the machine is."""
        self._patience = None
        return await in_time(self, *arguments)

    monkeypatch.setattr(chat.AsyncChatMemory, "_in_time", patient)
    monkeypatch.chdir(tmp_path)
    with ModelEndpoint(model) as server:
        yield server


def test_snippets_run_one_after_the_other_as_printed(endpoint, capsys):
    said = []
    for snippet in SNIPPETS:
        run(snippet, endpoint)
        said.append(capsys.readouterr().out)
    assert len(said) == 6
    assert "The user lives in Berlin" in said[0]
    assert "TimedOut" not in said[3] and "green" in said[3]
    assert said[4] == "open 2 None\n[]\n"
    assert "Paris" in said[5]
    with Memory("chat-memory") as memory:
        told = " ".join(item.text for item in memory.get_all(user_id="alice"))
        assert all(word in told for word in ("Paris", "Anna", "green", "Acme")) and "Berlin" not in told
        assert memory.verify().ok


def test_names_in_the_guide_exist():
    for name in re.findall(r"from recollect\.chat import (.+)", GUIDE):
        assert set(name.split(", ")) <= set(chat.__all__)
    options = inspect.signature(chat.ChatMemory).parameters
    for name in ("close_turns", "close_tokens", "close_idle", "max_tokens", "recall_seconds", "agent_id"):
        assert name in options and f"`{name}`" in GUIDE
    assert (options["close_turns"].default, options["close_idle"].default, options["close_tokens"].default) == (
        8,
        120,
        4000,
    )


def printed(function):
    """A signature as the reference prints it."""
    parts, star = [], False
    for name, one in inspect.signature(function).parameters.items():
        if one.kind is one.VAR_KEYWORD:
            parts.append(f"**{name}")
        elif name != "self":
            if one.kind is one.KEYWORD_ONLY and not star:
                parts.append("*")
                star = True
            parts.append(name if one.default is one.empty else f"{name}={one.default!r}")
    return f"({', '.join(parts)})"


def test_the_reference_has_the_chat_loop_word_by_word():
    section = API.split("## The chat loop\n")[1].split("\n## ")[0]
    told = {
        **{name: (getattr(chat, name), getattr(chat, name)) for name in ("remembering", "remembers", "tools")},
        "ChatMemory": (chat.ChatMemory.__init__, chat.AsyncChatMemory.__init__),
    }
    for owner in (chat.AsyncChatMemory, chat.AsyncMemoryTools):
        verbs = [verb for name, verb in inspect.getmembers(owner, inspect.isfunction) if not name.startswith("_")]
        told |= {f".{verb.__name__}": (verb, verb) for verb in verbs}
    for name, (signature, docstring) in told.items():
        head = f"`{name}{printed(signature)}`\n\n{inspect.getdoc(docstring)}\n"
        assert head in section, name
