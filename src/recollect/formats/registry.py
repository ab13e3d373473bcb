"""The formats that are known, in the order in which they are tried on a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..errors import InvalidInput
from . import chat, chatgpt, claude, locomo, longmemeval, sharegpt, tables, text
from .source import Source
from .values import Found


@dataclass(frozen=True, slots=True)
class Format:
    """A known kind of file. `recognises` sees how a file begins; `read` goes through it."""

    name: str
    description: str
    recognises: Callable[[str], bool]
    read: Callable[[Source], Iterator[Found]]


FORMATS: dict[str, Format] = {
    name: Format(name, told, module.recognises, module.read)
    for name, told, module in (
        ("longmemeval", "LongMemEval's JSON: questions with their haystacks of sessions", longmemeval),
        ("locomo", "LoCoMo's JSON: a list of conversations with dated sessions", locomo),
        ("chatgpt", "ChatGPT's export, conversations.json", chatgpt),
        ("claude", "Claude's export, conversations.json", claude),
        ("sharegpt", "ShareGPT: conversations of from and value", sharegpt),
        ("chat", "JSON lines or a list: a message or a conversation each, as for fine-tuning", chat),
        ("csv", "CSV: a message a row", tables),
        ("text", "Plain text with speakers: Name: what they say", text),
    )
}


def detect(head: str) -> Format | None:
    """The first format that recognises how a file begins."""
    return next((known for known in FORMATS.values() if known.recognises(head)), None)


def chosen(name: str | None, head: str) -> Format:
    """The format of that name, or the one that is recognised. Raises InvalidInput."""
    known = ", ".join(FORMATS)
    if name is not None:
        if name not in FORMATS:
            raise InvalidInput("format", f"unknown: {name[:100]!r}; there are {known}")
        return FORMATS[name]
    found = detect(head)
    if found is None:
        raise InvalidInput("format", f"not recognised; name it, where it is one of {known}")
    return found
