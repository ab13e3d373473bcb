"""A model's reply → the JSON in it → the value of the shape that was asked for.

Tolerant of what surrounds the JSON (prose, fences, a block of thoughts), never of what is broken inside it: half a
reply is no reply.
"""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from .litellm_errors import Failure, Kind

T = TypeVar("T", bound=BaseModel)

MAX_PROBLEMS = 10  # of a reply's faults that are told to the model
MAX_ECHO = 8_000  # characters of a bad reply that are sent back with its faults

_THOUGHTS = re.compile(r"\A<(think|thinking|thought|reasoning)>.*?(</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_END_OF_THOUGHTS = re.compile(r"</(think|thinking|thought|reasoning)>", re.IGNORECASE)  # some templates eat the opening
# What opens JSON, and not "[see above]" or "{name}".
_START = re.compile(r'\{(?=\s*["}])|\[(?=\s*[\[{"\]\d-])')
_DECODER = json.JSONDecoder(strict=False)  # raw line breaks within strings are let pass


class Unfit(Exception):
    """A reply that is not what was asked for. `str()` is for the model and may quote it; `kinds` holds no content."""

    def __init__(self, problem: str, kinds: str | None = None) -> None:
        super().__init__(problem)
        self.kinds = kinds or problem


def text_of(response: Any, tool: str | None) -> str:
    """The text of a completion in which the JSON is looked for: the arguments of the tool `tool`, or the content.

    Raises Failure for a truncated or refused reply, Unfit for an empty one and for other tools than the one asked for.
    """
    if not getattr(response, "choices", None):
        raise Unfit("the reply has no choices")
    choice = response.choices[0]
    message = choice.message
    _check_end(choice.finish_reason, message)
    calls = getattr(message, "tool_calls", None) or []
    if tool is not None and calls:
        return _arguments(calls, tool)
    content = message.content
    if not isinstance(content, str) or not content.strip():
        raise Unfit("the reply is empty")
    return content


def _check_end(reason: str | None, message: Any) -> None:
    if reason == "length":
        raise Failure(Kind.TRUNCATED, "the reply ended at the model's limit of tokens")
    fields = getattr(message, "provider_specific_fields", None) or {}
    if reason == "content_filter" or getattr(message, "refusal", None) or fields.get("refusal"):
        raise Failure(Kind.REFUSED, "the model, or a filter before it, declined to answer")


def _arguments(calls: list[Any], tool: str) -> str:
    if any(call.function.name != tool for call in calls):
        raise Unfit(f"only the tool {tool} may be called", "a call of another tool")
    if len(calls) > 1:
        raise Unfit(f"the tool {tool} must be called once, with everything in it", "several tool calls")
    arguments = calls[0].function.arguments
    if not isinstance(arguments, str) or not arguments.strip():
        raise Unfit("the tool was called without arguments")
    return arguments


def json_in(text: str) -> Any:
    """The JSON of a reply: the whole text, else the one object (or the one array) in the prose around it.

    Values that follow one another with nothing but commas between them are handed on as one list. NaN and Infinity are read as
    Python reads them. Raises Unfit where there is none, where it is broken, and where there are several in different places:
    any of them may be a draft, an example, or quoted from the conversation.
    """
    text = text.strip().removeprefix("\ufeff")
    try:
        return _read(text)
    except Unfit:
        found = _values(_THOUGHTS.sub("", text, count=1))
    found = [value for value in found if not isinstance(value, list) or isinstance(value, _Several)] or found
    if not found:
        raise Unfit("there is no JSON in the reply")
    if _differ(found):
        raise Unfit("there are several JSON values in the reply, and only one may be")
    return found[0]


def _differ(values: list[Any]) -> bool:
    try:
        return any(value != values[0] for value in values)
    except RecursionError:
        return True


def _read(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except RecursionError:
        raise Unfit("the JSON is nested too deeply") from None
    except ValueError:  # JSONDecodeError, or a number of thousands of digits
        raise Unfit("the reply is not JSON") from None


def _values(text: str) -> list[Any]:
    """The values in prose, those before an end of thoughts apart.

    An opening that cannot be read to its end is an error, not prose: what stands inside it must not pass for the whole.
    """
    values: list[Any] = []
    end = 0
    while start := _START.search(text, end):
        between = text[end : start.start()]
        value, stop = _decode(text, start.start())
        if _END_OF_THOUGHTS.search(between):
            values.clear()
        if not values or between.strip(" \t\r\n,"):
            values.append(value)
        elif isinstance(values[-1], _Several):
            values[-1].append(value)
        else:
            values[-1] = _Several([values[-1], value])
        end = stop
    return values


class _Several(list[Any]):
    """Values one right after the other."""


def _decode(text: str, start: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, start)
    except RecursionError:
        raise Unfit("the JSON is nested too deeply") from None
    except ValueError as error:
        problem = error.msg if isinstance(error, json.JSONDecodeError) else "a number is too long"
        raise Unfit(f"the JSON is broken: {problem}", "broken JSON") from None


def fit(value: Any, response_model: type[T]) -> T:
    """The value as a `response_model`, by that model's own validators. Raises Unfit."""
    try:
        return response_model.model_validate(value)
    except ValidationError as error:
        raise Unfit(_told(error), _kinds(error)) from None
    except RecursionError:
        raise Unfit("the JSON is nested too deeply") from None
    except Exception as error:  # noqa: BLE001 — a validator may raise anything at an odd reply; no odd reply escapes
        raise Unfit("the reply has not the asked-for form", type(error).__name__) from None


def _told(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [f"- {'.'.join(map(str, fault['loc'])) or 'the reply'}: {fault['msg']}" for fault in faults[:MAX_PROBLEMS]]
    return "\n".join(lines)[:4000]


def _kinds(error: ValidationError) -> str:
    kinds = sorted(
        {fault["type"] for fault in error.errors(include_url=False, include_context=False, include_input=False)}
    )
    return f"{error.error_count()} faults ({', '.join(kinds)[:200]})"


def asked_again(response: Any, problem: Unfit, tool: str | None) -> list[dict[str, str]]:
    """The messages that ask once more: the reply as text, cut where it is long, and what was wrong with it.

    Plain text in every mode, for some providers refuse a history with broken tool calls in it.
    """
    said = reply_text(response).encode("utf-8", "replace").decode()  # lone surrogates cannot be sent
    told = str(problem).encode("utf-8", "replace").decode()
    way = f"Call the tool {tool} once, with everything in it." if tool else "Reply with the whole JSON alone."
    return [
        {"role": "assistant", "content": said[:MAX_ECHO] or "(nothing)"},
        {"role": "user", "content": f"That reply cannot be used:\n{told}\n{way}"},
    ]


def reply_text(response: Any) -> str:
    """All that a completion says, as text: its content and the arguments of its tool calls."""
    if not getattr(response, "choices", None):
        return ""
    message = response.choices[0].message
    calls = getattr(message, "tool_calls", None) or []
    return "\n".join(filter(None, [message.content, *(call.function.arguments for call in calls)])).strip()
