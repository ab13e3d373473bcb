"""ShareGPT: `conversations` of `from` and `value`, as a list of such objects or one a line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..model import Message
from .parts import ROLES, SYSTEM, checked, each, listed, messages, named, of_one_session
from .source import Source
from .values import Conversation, Found

_LIKE = (re.compile(r'"conversations"\s*:\s*\['), re.compile(r'"(?:from|value)"\s*:'))
_CALL = "function_call"


def recognises(head: str) -> bool:
    """By its three names."""
    return head.lstrip()[:1] in ("{", "[") and all(like.search(head) for like in _LIKE)


def read(source: Source) -> Iterator[Found]:
    """Each object is a conversation of one session."""
    return each(source, _conversation)


def _conversation(talk: Mapping[str, Any], unnamed: str, problems: list[str]) -> Conversation | None:
    name = named("id", talk.get("id")) or unnamed
    turns = listed("conversations", talk.get("conversations"))
    told = talk.get("system")
    before = [(0, {"from": SYSTEM, "value": told})] if isinstance(told, str) and told.strip() else []
    return of_one_session(name, messages([*before, *enumerate(turns, start=1)], _message, name, problems))


def _message(turn: Mapping[str, Any]) -> Message | None:
    """None for a call of a tool. Some sets have `role` and `content` here. Raises ValueError."""
    who, value = turn.get("from", turn.get("role")), turn.get("value", turn.get("content"))
    if who == _CALL:
        return None
    role = ROLES.get(who.lower()) if isinstance(who, str) else None
    if role is None:
        raise ValueError("from: is no one that is known (human, gpt, system, tool …)")
    return checked(role, value, turn.get("name"))
