"""Messages of OpenAI's chat protocol, as mappings or as a client's objects: what is new in a list, what of it is text, and where
the memory block goes. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..check import MAX_CONTENT, MAX_NAME
from ..errors import InvalidInput
from ..model import Message
from ..safety.fence import closing, opening, unfenced

_UNKEPT = re.compile("[\x00\ud800-\udfff]")  # what no store takes
_UNNAMED = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ufeff\ud800-\udfff]")
_SPACES = re.compile(r"\s+")
_BETWEEN = "\n\n"  # the block and the user's own text


def field(message: object, name: str) -> Any:
    """A field of a message, mapping or object; None where it has none."""
    return message.get(name) if isinstance(message, Mapping) else getattr(message, name, None)


def checked(messages: object) -> list[Any]:
    """The messages, as a list. Raises InvalidInput for what is none."""
    if isinstance(messages, str | bytes | Mapping) or not isinstance(messages, Sequence):
        raise InvalidInput("messages", f"must be a list of messages, not {type(messages).__name__}")
    for place, message in enumerate(messages):
        if not isinstance(field(message, "role"), str):
            raise InvalidInput(f"messages[{place}].role", "must be a string")
    return list(messages)


def text_of(content: object, *, kinds: bool = True) -> str:
    """A content's text: of parts that are no text their kind, "[image]", unless that is not wanted."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return ""
    texts = (_text_of_part(part) or (_kind_of_part(part) if kinds else "") for part in content)
    return "\n".join(text for text in texts if text)


def _text_of_part(part: object) -> str:
    if isinstance(part, str):
        return part
    for name in ("text", "refusal"):
        if isinstance(text := field(part, name), str):
            return text
    return ""


def _kind_of_part(part: object) -> str:
    kind = field(part, "type")
    if kind in _TEXTS:
        return ""
    return f"[{_KINDS.get(kind, kind)}]" if isinstance(kind, str) else ""


_TEXTS = ("text", "input_text", "output_text", "refusal")
_KINDS = {
    "image_url": "image",
    "input_image": "image",
    "input_audio": "audio",
    "audio_url": "audio",
    "video_url": "video",
    "input_file": "file",
}


def calls_tools(message: object) -> bool:
    """Whether a message of an assistant's asks for tools: the turn goes on."""
    return bool(field(message, "tool_calls") or field(message, "function_call"))


def is_answer(message: object) -> bool:
    """Whether a message ends a turn."""
    return (
        field(message, "role") == "assistant" and not calls_tools(message) and bool(text_of(field(message, "content")))
    )


def reply_of(reply: object) -> str | None:
    """The text of a model's reply: a string, a message or a completion. None for what is no answer: tool calls, nothing, or a
    choice among several."""
    if reply is None or isinstance(reply, str):
        return reply or None
    choices = field(reply, "choices")
    if choices is not None:
        if not isinstance(choices, Sequence) or len(choices) != 1:
            return None
        reply = field(choices[0], "message")
    if reply is None or calls_tools(reply):
        return None
    return text_of(field(reply, "content")) or None


NOT_YET: Mapping[str, Any] = {"role": "assistant", "content": None}
"""The reply of a turn that is under way: what was asked is learnt already."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message that is to be learnt."""

    role: str
    content: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a turn brings: the user's messages behind the last answer of the history, and the reply to them. `answered`: that last
    answer, None where there is none."""

    said: tuple[Said, ...]
    answered: str | None


def exchange(messages: Sequence[object], reply: object, fence: str) -> Exchange:
    """What is new, without our block. Where the list ends with an answer, and no reply is given, that is the reply."""
    told = list(messages)
    if reply is None and told and is_answer(told[-1]):
        reply = told.pop()
    last = max((place for place, one in enumerate(told) if is_answer(one)), default=-1)
    answered = text_of(field(told[last], "content")) if last >= 0 else None
    said = [
        Said("user", text, _name(field(one, "name")))
        for one in told[last + 1 :]
        if field(one, "role") == "user" and (text := kept(text_of(field(without_blocks(one, fence), "content"))))
    ]
    if answer := kept(reply_of(reply) or ""):
        said.append(Said("assistant", answer))
    return Exchange(tuple(said), None if answered is None else kept(answered))


def kept(text: str) -> str:
    """A text as a store takes it; "" where it says nothing."""
    text = _UNKEPT.sub("", text)[:MAX_CONTENT]
    return text if text.strip() else ""


def _name(name: object) -> str | None:
    """A speaker's name, where it is one that a store takes."""
    fits = isinstance(name, str) and name.strip() and len(name) <= MAX_NAME and not _UNNAMED.search(name)
    return name if fits and isinstance(name, str) else None


def known(said: Sequence[Said | Message], answered: str | None, tail: Sequence[Message]) -> int:
    """How many of the messages the last turns of the session have already: a message that is asked again, for another reply or
    after tool calls, is the user's last one there, and the history does not know an answer to it."""
    users = [_flat(one.content) for one in said if one.role == "user"]
    turns = list(tail)
    answers: list[str] = []
    while turns and turns[-1].role == "assistant":
        answers.insert(0, _flat(turns.pop().content))
    if answered is not None and _flat(answered) in answers:
        return 0
    run: list[str] = []
    while turns and turns[-1].role == "user":
        run.insert(0, _flat(turns.pop().content))
    again = next((n for n in range(min(len(run), len(users)), 0, -1) if run[-n:] == users[:n]), 0)
    replied = 0 < again == len(users) < len(said) and _flat(said[-1].content) in answers[-1:]
    return again + replied


def _flat(text: str) -> str:
    return _SPACES.sub(" ", text).strip()


# --- the block ---------------------------------------------------------------------------------------------------------


def last_user(messages: Sequence[object]) -> int | None:
    """The place of the user's last message."""
    return max((place for place, one in enumerate(messages) if field(one, "role") == "user"), default=None)


def without_block(text: str, fence: str) -> str:
    """A text without our block, and otherwise as it was."""
    if not text.startswith(opening(fence)):
        return unfenced(text, fence).strip("\n") if fence in text else text
    _, end, rest = text.partition(closing(fence))
    return without_block(rest.removeprefix(_BETWEEN), fence) if end else unfenced(text, fence).strip("\n")


def without_blocks(message: Any, fence: str) -> Any:
    """A user's message without our block; the message itself where there is none."""
    if field(message, "role") != "user":
        return message
    content = field(message, "content")
    if isinstance(content, str):
        return _with_content(message, without_block(content, fence)) if fence in content else message
    if not isinstance(content, Sequence) or fence not in text_of(content):
        return message
    parts = [part for part in content if not _is_block(part, fence)]
    return _with_content(message, parts)


def _is_block(part: object, fence: str) -> bool:
    text = field(part, "text")
    return isinstance(text, str) and fence in text and not without_block(text, fence).strip()


def with_block(message: Any, block: str) -> Any:
    """A user's message with a block in front of its own text."""
    content = field(message, "content")
    if isinstance(content, str) or content is None:
        return _with_content(message, f"{block}{_BETWEEN}{content or ''}")
    return _with_content(message, [{"type": "text", "text": block}, *content])


def _with_content(message: Any, content: object) -> dict[str, Any]:
    """A copy with other content."""
    if not isinstance(message, Mapping):
        dumped = getattr(message, "model_dump", None)
        message = dumped(exclude_none=True) if callable(dumped) else {"role": field(message, "role")}
    return {**message, "content": content}
