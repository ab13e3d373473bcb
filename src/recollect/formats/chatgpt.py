"""ChatGPT's export, `conversations.json`: each conversation a tree of messages, of which one branch is the current one.

The format is not documented by its maker. What is read is what the chat shows: messages of the user and the assistant on the
current branch, as text. System messages, custom instructions, calls of tools with what they return, and reasoning are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..model import Message
from .parts import ASSISTANT, USER, checked, each, mapping, messages, named, of_one_session, seconds
from .source import Source
from .values import Conversation, Found

_LIKE = re.compile(r'"mapping"\s*:\s*\{')
_SAID = ("text", "multimodal_text")  # the types of content that a chat shows as words
_CITED = re.compile("\ue200[^\ue201]*\ue201")  # a citation's mark, which the chat shows as a link


def recognises(head: str) -> bool:
    """By the tree."""
    return head.lstrip()[:1] in ("{", "[") and _LIKE.search(head) is not None


def read(source: Source) -> Iterator[Found]:
    """Each conversation with its current branch, as one session."""
    return each(source, _conversation)


def _conversation(talk: Mapping[str, Any], unnamed: str, problems: list[str]) -> Conversation | None:
    name = named("id", talk.get("conversation_id") or talk.get("id")) or unnamed
    last = talk.get("create_time")

    def make(message: Mapping[str, Any]) -> Message | None:
        nonlocal last
        last = message.get("create_time") or last
        return _message(message, last)

    branch, whole = current_branch(talk)
    if not whole:
        problems.append(f"{name}: what was said before its message 1 is not in the file")
    said = messages(enumerate(branch, start=1), make, name, problems)
    return of_one_session(name, said, personal=True)


def current_branch(talk: Mapping[str, Any]) -> tuple[Sequence[Mapping[str, Any]], bool]:
    """The messages from the first to the current one; where that is not told, to the last that nothing follows. And whether
    the branch is whole: whether the file has every message that one of them says it answers.

    Raises ValueError where there is no tree.
    """
    tree = talk.get("mapping")
    if not isinstance(tree, Mapping):
        raise ValueError("has no mapping")
    at, seen, path = talk.get("current_node"), set(), []
    if not isinstance(at, str) or at not in tree:
        at = _last_leaf(tree)
    while isinstance(at, str) and at in tree and at not in seen:
        seen.add(at)
        node = mapping(tree[at])
        if isinstance(node.get("message"), Mapping):
            path.append(node["message"])
        at = node.get("parent")
    return path[::-1], not isinstance(at, str) or at in tree


def _last_leaf(tree: Mapping[str, Any]) -> str | None:
    """The newest node that has no child; of those without a time the last."""
    leaves = [
        ((_time_of(node), place), key)
        for place, (key, node) in enumerate(tree.items())
        if isinstance(node, Mapping) and not node.get("children")
    ]
    return max(leaves)[1] if leaves else None


def _time_of(node: Mapping[str, Any]) -> float:
    message = node.get("message")
    told = seconds(message.get("create_time")) if isinstance(message, Mapping) else None
    return told.timestamp() if told is not None else float("-inf")


def _message(message: Mapping[str, Any], said_at: Any) -> Message | None:
    """A message that the chat shows, None for another. Raises ValueError."""
    author, content, metadata = (message.get(key) or {} for key in ("author", "content", "metadata"))
    if not all(isinstance(one, Mapping) for one in (author, content, metadata)):
        raise ValueError("its author, content or metadata is not a JSON object")
    if (
        author.get("role") not in (USER, ASSISTANT)
        or content.get("content_type", "text") not in _SAID
        or message.get("recipient") not in (None, "all")
        or message.get("channel") == "analysis"
        or metadata.get("is_visually_hidden_from_conversation")
    ):
        return None
    parts = content.get("parts")
    texts = [text for part in (parts if isinstance(parts, list) else []) if (text := _text(part))]
    files = metadata.get("attachments")
    texts += [
        f"[file: {one['name']}]"
        for one in (files if isinstance(files, list) else [])
        if isinstance(one, Mapping) and isinstance(one.get("name"), str)
    ]
    text = _CITED.sub("", "\n".join(texts)).strip()
    return checked(author["role"], text, None, seconds(said_at)) if text else None


def _text(part: Any) -> str:
    """A part's words: text as it stands, speech as it was written down, an image by its kind; none of what is null."""
    if part is None:
        return ""
    if isinstance(part, str):
        return part.strip()
    if not isinstance(part, Mapping):
        raise ValueError("a part of its content is neither text nor a JSON object")
    if isinstance(part.get("text"), str):
        return str(part["text"]).strip()
    return "[image]" if part.get("content_type") == "image_asset_pointer" else ""
