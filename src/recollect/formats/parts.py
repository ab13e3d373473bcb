"""What the formats share: messages that `add` will take, names, content in parts, times."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias

from .. import check
from ..errors import InvalidInput
from ..model import Message
from .source import Source, parsed
from .streams import Malformed
from .values import Conversation, FormatProblem, Found, Session, Stored

USER, ASSISTANT, SYSTEM, TOOL = "user", "assistant", "system", "tool"
# By what formats call who speaks, in lower case.
ROLES = {
    "user": USER,
    "human": USER,
    "assistant": ASSISTANT,
    "ai": ASSISTANT,
    "gpt": ASSISTANT,
    "chatgpt": ASSISTANT,
    "claude": ASSISTANT,
    "bing": ASSISTANT,
    "bard": ASSISTANT,
    "model": ASSISTANT,
    "bot": ASSISTANT,
    "system": SYSTEM,
    "developer": SYSTEM,
    "tool": TOOL,
    "function": TOOL,
    "observation": TOOL,
    "function_response": TOOL,
}


def checked(role: object, content: object, name: object = None, timestamp: object = None) -> Message:
    """A message that `add` will take. Raises ValueError saying what is wrong with it."""
    message = {"role": role, "content": content, "name": name, "timestamp": timestamp}
    try:
        return check.messages(message, None)[0]
    except InvalidInput as error:
        field = error.argument.removeprefix("messages").lstrip(".") or "message"
        raise ValueError(f"{field}: {error.problem}") from None


def named(field: str, value: Any) -> str | None:
    """An id of the file's: a string, or a number as a string; None for None. Raises ValueError."""
    if value is None:
        return None
    try:
        return check.identifier(field, str(value) if isinstance(value, int) and not isinstance(value, bool) else value)
    except InvalidInput as error:
        raise ValueError(str(error)) from None


def unused(name: str, used: Collection[str]) -> str:
    """The name, or the name with a number where it is used already: "s1", "s1#2", "s1#3"."""
    number, found = 1, name
    while found in used:
        number += 1
        found = f"{name}#{number}"
    return found


def mapping(value: Any) -> Mapping[str, Any]:
    """A JSON object. Raises ValueError for anything else."""
    if not isinstance(value, Mapping):
        raise ValueError("is not a JSON object")
    return value


def listed(field: str, value: Any) -> Sequence[Any]:
    """A JSON list. Raises ValueError for anything else."""
    if not isinstance(value, list):
        raise ValueError(f"{field}: must be a list")
    return value


def plain(content: Any) -> Any:
    """The text of a message whose content is a list of parts; what has no text (images, files) is named by its type."""
    if not isinstance(content, list):
        return content
    texts = []
    for part in content:
        if not isinstance(part, Mapping):
            raise ValueError("content: a part is not a JSON object")
        told = part.get("text")
        texts.append(told if isinstance(told, str) else f"[{part.get('type', 'attachment')}]")
    return "\n".join(texts)


def seconds(value: Any) -> datetime | None:
    """A time as seconds since 1970; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None


Make: TypeAlias = Callable[[Mapping[str, Any], str, list[str]], Conversation | None]


def each(source: Source, make: Make) -> Iterator[Found]:
    """A conversation of every JSON object. `make` gets the object, a name for a conversation that has none, and a list for what
    is wrong with parts of it; it raises ValueError where nothing of it can be read."""
    for number, record in enumerate(source.objects(), start=1):
        if isinstance(record, Malformed):
            yield FormatProblem(source.name, record.line, str(record))
            continue
        problems: list[str] = []
        found = None
        try:
            found = make(mapping(parsed(record.data)), f"{source.stem}-{number}", problems)
        except ValueError as error:
            problems.append(f"conversation {number}: {error}")
        yield from (FormatProblem(source.name, record.line, problem) for problem in problems)
        if found is not None:
            yield found


def messages(
    items: Iterable[tuple[int, Any]],
    make: Callable[[Mapping[str, Any]], Message | None],
    name: str,
    problems: list[str],
) -> tuple[Message, ...]:
    """The messages that `make` makes of what is in a list, each with its place; what is none goes to `problems`."""
    found = []
    for place, item in items:
        try:
            if (message := make(mapping(item))) is not None:
                found.append(message)
        except ValueError as error:
            problems.append(f"{name}, message {place}: {error}")
    return tuple(found)


def of_one_session(name: str, said: tuple[Message, ...], *, personal: bool = False) -> Conversation | None:
    """A conversation that is one session; None where nothing was said."""
    return Conversation(name, (Session(name, said),), personal) if said else None


class Place(NamedTuple):
    """A record that is a message: where it stands, and whose it is."""

    conversation: str
    session: str
    start: int
    length: int


class Places:
    """Messages of one conversation may be anywhere in a file: where each is is kept, not what it says."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, tuple[array[int], array[int]]]] = {}

    def add(self, place: Place) -> None:
        """The next message, in the order of the file."""
        sessions = self._found.setdefault(place.conversation, {})
        starts, lengths = sessions.setdefault(place.session, (array("Q"), array("Q")))
        starts.append(place.start)
        lengths.append(place.length)

    def conversations(self, source: Source, parse: Callable[[bytes, int], Message]) -> Iterator[Conversation]:
        """The conversations, in the order of their first message, their messages to be read from the file."""
        for name, sessions in self._found.items():
            yield Conversation(
                name,
                tuple(Session(key, Stored(source.open, *places, parse)) for key, places in sessions.items()),
            )
