"""How a model is asked for a shape: instructor puts the schema where the mode has it.

Only that is asked of instructor. Its own loop would log replies, put them into exceptions, give up at a megabyte, and render the
messages as templates if given a `context=`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from .litellm_setup import Mode

_MARK = re.compile("\0(\\d+)\0")


@functools.lru_cache(maxsize=64)
def shape(response_model: type[BaseModel], mode: Mode) -> Shape:
    """The shape of a response model, built once, for that takes instructor milliseconds."""
    return Shape(response_model, mode)


class Shape:
    """What `response_model` adds to a request in a mode."""

    def __init__(self, response_model: type[BaseModel], mode: Mode) -> None:
        from instructor import Mode as Modes
        from instructor.processing.response import handle_response_model

        self._handle = handle_response_model
        self._mode = {"json_schema": Modes.JSON_SCHEMA, "tools": Modes.TOOLS, "md_json": Modes.MD_JSON}[mode]
        self._model, self._added = handle_response_model(response_model, mode=self._mode, messages=[])
        self._in_messages = mode == "md_json"
        self._frames: dict[tuple[str, ...], list[dict[str, str]]] = {}

    def request(self, messages: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        """The keywords of a request: the messages, and the schema."""
        if not self._in_messages:
            return {**self._added, "messages": [dict(message) for message in messages]}
        frame = self._frame(tuple(message["role"] for message in messages))
        contents = [message["content"] for message in messages]
        return {"messages": [{**one, "content": _filled(one["content"], contents)} for one in frame]}

    def _frame(self, roles: tuple[str, ...]) -> list[dict[str, str]]:
        """Messages of these roles with the schema among them, and marks in place of what is said."""
        if roles not in self._frames:
            marked: Any = [{"role": role, "content": f"\0{i}\0"} for i, role in enumerate(roles)]
            _, request = self._handle(self._model, mode=self._mode, messages=marked)
            self._frames[roles] = request["messages"]
        return self._frames[roles]


def _filled(content: str, contents: Sequence[str]) -> str:
    """A frame's content with what is said in place of its marks; once over, so that nothing said passes for a mark."""
    return _MARK.sub(lambda mark: contents[int(mark[1])], content)
