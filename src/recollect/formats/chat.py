"""A message per record, or a conversation per record as for fine-tuning: JSON lines, or a list."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..model import Message
from .parts import ROLES, TOOL, Place, Places, checked, listed, mapping, named, plain
from .source import Record, Source, parsed
from .streams import Malformed
from .values import Conversation, FormatProblem, Found, Session

_LIKE = (re.compile(r'"messages"\s*:\s*\['), re.compile(r'"role"\s*:'), re.compile(r'"content"\s*:'))
_CALLS = ("tool_calls", "function_call")


def recognises(head: str) -> bool:
    """By `messages`, or `role` and `content`."""
    messages, role, content = (like.search(head) is not None for like in _LIKE)
    return head.lstrip()[:1] in ("{", "[") and (messages or (role and content))


def read(source: Source) -> Iterator[Found]:
    """A record with `messages` is a conversation; messages by themselves come together by their conversation, after those."""
    places = Places()
    for number, record in enumerate(source.objects(), start=1):
        if isinstance(record, Malformed):
            yield FormatProblem(source.name, record.line, str(record))
            continue
        try:
            value = mapping(parsed(record.data))
            if "messages" in value:
                yield from _conversation(value, source, number, record)
            elif (place := _place(value, source, record)) is not None:
                places.add(place)
        except ValueError as error:
            yield FormatProblem(source.name, record.line, str(error))
    yield from places.conversations(source, _parse)


def _conversation(value: Mapping[str, Any], source: Source, number: int, record: Record) -> Iterator[Found]:
    messages = listed("messages", value["messages"])
    name = named("id", value.get("id")) or named("conversation", value.get("conversation")) or f"{source.stem}-{number}"
    session = named("session", value.get("session"))
    sessions: dict[str, list[Message]] = {}
    for place, one in enumerate(messages, start=1):
        try:
            if (message := _message(mapping(one))) is not None:
                own = named("session", one.get("session")) or session or name
                sessions.setdefault(own, []).append(message)
        except ValueError as error:
            yield FormatProblem(source.name, record.line, f"message {place}: {error}")
    if sessions:
        yield Conversation(name, tuple(Session(key, tuple(said)) for key, said in sessions.items()))


def _place(value: Mapping[str, Any], source: Source, record: Record) -> Place | None:
    if _message(value) is None:
        return None
    name = named("conversation", value.get("conversation")) or source.stem
    session = named("session", value.get("session")) or name
    return Place(name, session, record.start, len(record.data))


def _parse(data: bytes, _: int) -> Message:
    message = _message(mapping(parsed(data)))
    if message is None:
        raise ValueError("says nothing")
    return message


def _message(value: Mapping[str, Any]) -> Message | None:
    """None for a call of a tool, in which nothing was said. Raises ValueError."""
    content = value.get("content")
    if content is None and isinstance(value.get("refusal"), str):
        content = value["refusal"]
    if "role" in value and content is None and any(value.get(key) for key in _CALLS):
        return None
    if missing := [key for key in ("role", "content") if key not in value]:
        raise ValueError(f"has no {' and no '.join(missing)}")
    role = value["role"]
    known = ROLES.get(role, role) if isinstance(role, str) else role
    # The name of a tool's message is the tool's.
    name = None if known == TOOL else value.get("name")
    return checked(known, plain(content), name, value.get("timestamp"))
