"""Claude's export, `conversations.json`: each conversation a list of messages, in newer ones with the message each answers.

The format is not documented by its maker. What is read is the text of both sides; thoughts, calls of tools with what they return,
and the content of attached files are left out, files named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..model import Message
from .parts import ASSISTANT, USER, checked, each, listed, messages, named, of_one_session
from .source import Source
from .values import Conversation, Found

_LIKE = re.compile(r'"chat_messages"\s*:\s*\[')
_SENDERS = {"human": USER, "user": USER, "assistant": ASSISTANT}


def recognises(head: str) -> bool:
    """By the name of the list."""
    return head.lstrip()[:1] in ("{", "[") and _LIKE.search(head) is not None


def read(source: Source) -> Iterator[Found]:
    """Each conversation, as one session."""
    return each(source, _conversation)


def _conversation(talk: Mapping[str, Any], unnamed: str, problems: list[str]) -> Conversation | None:
    name = named("uuid", talk.get("uuid")) or unnamed
    branch = current_branch(listed("chat_messages", talk.get("chat_messages")), talk.get("current_leaf_message_uuid"))
    return of_one_session(name, messages(branch, _message, name, problems), personal=True)


def current_branch(items: Sequence[Any], leaf: Any) -> list[tuple[int, Any]]:
    """The messages with their places, from 1, that lead to `leaf`, or to the newest one; all of them where they do not say
    what they answer. What is no message is in it: it is to be told of."""
    placed = list(enumerate(items, start=1))
    known = {
        one["uuid"]: place for place, one in placed if isinstance(one, Mapping) and isinstance(one.get("uuid"), str)
    }
    if not any(_answers(items[place - 1]) in known for place in known.values()):
        return placed
    newest = max(known.values(), key=lambda place: (str(items[place - 1].get("created_at") or ""), place))
    at, path = known.get(leaf, newest) if isinstance(leaf, str) else newest, set[int]()
    while at and at not in path:
        path.add(at)
        at = known.get(_answers(items[at - 1]) or "", 0)
    return [(place, one) for place, one in placed if place in path or place not in known.values()]


def _answers(message: Mapping[str, Any]) -> str | None:
    told = message.get("parent_message_uuid")
    return told if isinstance(told, str) else None


def _message(message: Mapping[str, Any]) -> Message | None:
    """None where nothing was said. Raises ValueError."""
    role = _SENDERS.get(str(message.get("sender")))
    if role is None:
        raise ValueError("sender: must be human or assistant")
    blocks = message.get("content")
    texts = [
        block["text"].strip()
        for block in (blocks if isinstance(blocks, list) else [])
        if isinstance(block, Mapping) and block.get("type", "text") == "text" and isinstance(block.get("text"), str)
    ]
    if not any(texts):
        told = message.get("text") or ""
        if not isinstance(told, str):
            raise ValueError("text: must be a string")
        texts = [told.strip()]
    texts += [f"[file: {name}]" for name in _files(message)]
    text = "\n\n".join(text for text in texts if text)
    return checked(role, text, None, message.get("created_at")) if text else None


def _files(message: Mapping[str, Any]) -> Iterator[str]:
    for key in ("attachments", "files"):
        found = message.get(key)
        for one in found if isinstance(found, list) else []:
            if isinstance(one, Mapping) and isinstance(one.get("file_name"), str) and one["file_name"].strip():
                yield one["file_name"].strip()
