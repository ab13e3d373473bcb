"""What pages hold: links, snippets, commands, tables. For the tests that hold pages to what they say."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from recollect.chat import AsyncChatMemory, ChatMemory

ROOT = Path(__file__).parents[1]


def page(name: str) -> str:
    """The text of a file of the checkout, such as "docs/models.md"."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text: str, language: str = "") -> list[str]:
    """The fenced blocks of a language, "" for those that name none, in their order."""
    return [body for named, body in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S) if named == language]


def commands(text: str) -> list[list[str]]:
    """The `recollect` calls of a text, fenced or indented, as argument lists; a line that ends in \\ goes on."""
    fenced = re.findall(r"^```\w*\n(.*?)^```$", text, re.M | re.S)
    indented = re.findall(r"^    recollect .+$", text, re.M)
    lines = re.sub(r"\\\n\s*", "", "\n".join([*fenced, *indented])).splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if re.match(r"\s*recollect ", line)]


def links(text: str) -> list[str]:
    """Where the links of a text lead, but for those that leave the project."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in target]


def anchors(text: str) -> set[str]:
    """The anchors that the headings of a text have, as forges make them."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    heads = re.findall(r"^#+ (.+)$", prose, re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head."""
    section = re.split(rf"^#+ {re.escape(heading)}$", text, flags=re.M)[1]
    table = re.search(r"(?:^\|.*\n)+", re.split(r"^#+ ", section, flags=re.M)[0], re.M)
    assert table is not None, heading
    lines = table[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines]


def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a chat wait for what it recalls: a busy machine may take longer than the usual 0.15 s."""
    for kind in (ChatMemory, AsyncChatMemory):
        monkeypatch.setitem(kind.__init__.__kwdefaults__, "recall_seconds", 30.0)
