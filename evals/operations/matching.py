"""Which memory says which point: by common words, or by a judge."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from pydantic import BaseModel, create_model, model_validator
from pydantic_core import PydanticCustomError

from recollect import prompts
from recollect.ports import ChatModel
from recollect.rules.sentences import FUNCTION_WORDS

from ..metrics.f1 import overlap
from ..metrics.normalise import locomo_tokens
from ..model import Spent
from .language import spent

THRESHOLD = 0.5
"""F1 of content words from which a memory says a point. Nine true points of a HaluMem user's first twelve sessions reach it by
rules: each is of its memory's matter, four are told in full; below, down to 0.3, next to none is."""
PROMPT = ("match", 1)


@dataclass(frozen=True, slots=True)
class Matched:
    """Of each point the place of the memory that says it, of each memory the place of the point that bears it out; else None."""

    points: tuple[int | None, ...]
    memories: tuple[int | None, ...]
    spent: Spent = Spent()


class Matching(Protocol):
    """Says what is the same."""

    async def matched(self, points: Sequence[str], memories: Sequence[str], lures: frozenset[int]) -> Matched:
        """`lures`: the places of points that should not be remembered."""
        ...


class ByWords:
    """By F1 of the multisets of content words: stemmed, without function words and the user's `name`. A floor: what says the same
    in other words is missed, by every system alike.

    A lure matches only a memory that is like no other point as much: what the user said of the same matter is no false memory.
    """

    def __init__(self, name: str, threshold: float = THRESHOLD) -> None:
        self._threshold = threshold
        left_out = _NOTHING | set(locomo_tokens(name))

        @functools.lru_cache(maxsize=10_000)
        def content(text: str) -> tuple[str, ...]:
            return tuple(word for word in locomo_tokens(text) if word not in left_out)

        self._content = content

    def likeness(self, one: str, other: str) -> float:
        """How much two texts say the same, 0..1."""
        return overlap(self._content(one), self._content(other))

    async def matched(self, points: Sequence[str], memories: Sequence[str], lures: frozenset[int]) -> Matched:
        """See `Matching`."""
        scores = [[self.likeness(memory, point) for point in points] for memory in memories]
        rival = [max((row[p] for p in range(len(points)) if p not in lures), default=0.0) for row in scores]

        def of_point(point: int) -> int | None:
            fit = [m for m, row in enumerate(scores) if row[point] >= self._threshold]
            fit = [m for m in fit if point not in lures or scores[m][point] > rival[m]]
            return max(fit, key=lambda m: scores[m][point], default=None)

        def of_memory(row: Sequence[float]) -> int | None:
            best = max(range(len(points)), key=lambda p: (row[p], p not in lures), default=None)
            return best if best is not None and row[best] >= self._threshold else None

        return Matched(tuple(map(of_point, range(len(points)))), tuple(map(of_memory, scores)))


_NOTHING = {word for one in FUNCTION_WORDS for word in locomo_tokens(one)} | {"user"}


class ByJudge:
    """By a language model, in one call a session, by the prompt `match`. Raises ModelError."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model
        self._prompt = prompts.load(*PROMPT)

    async def matched(self, points: Sequence[str], memories: Sequence[str], lures: frozenset[int]) -> Matched:  # noqa: ARG002
        """See `Matching`. The judge does not learn which points are lures. Where one side is empty nothing is asked."""
        if not points or not memories:
            return Matched((None,) * len(points), (None,) * len(memories))
        asked = self._prompt.render(points=_lines(points, 1), memories=_lines(memories, len(points) + 1))
        done = await self._model.complete(asked, reply_of(len(points), len(memories)))
        behind = len(points) + 1
        return Matched(
            tuple(None if one.memory is None else one.memory - behind for one in done.value.points),
            tuple(None if one.point is None else one.point - 1 for one in done.value.memories),
            spent(done.usage),
        )


def _lines(texts: Sequence[str], first: int) -> str:
    return "\n".join(f"[{number}] {' '.join(text.split())}" for number, text in enumerate(texts, start=first))


class PointReply(BaseModel):
    """Which memory says a point."""

    point: int
    memory: int | None


class MemoryReply(BaseModel):
    """Which point bears out a memory."""

    memory: int
    point: int | None


class MatchReply(BaseModel):
    """What the judge answers: every point and every memory once, in their order, each with a number of the other side."""

    points: list[PointReply]
    memories: list[MemoryReply]


@functools.lru_cache(maxsize=256)
def reply_of(points: int, memories: int) -> type[MatchReply]:
    """The shape of a reply on so many points and memories."""
    first, second = list(range(1, points + 1)), list(range(points + 1, points + memories + 1))

    class Checked(MatchReply):
        @model_validator(mode="after")
        def _each_once(self) -> Self:
            if [one.point for one in self.points] != first or [one.memory for one in self.memories] != second:
                raise PydanticCustomError("order", "every point and every memory once, in their order")
            if not {one.memory for one in self.points} <= {None, *second}:
                raise PydanticCustomError("numbers", "a point is matched with what is no memory")
            if not {one.point for one in self.memories} <= {None, *first}:
                raise PydanticCustomError("numbers", "a memory is matched with what is no point")
            return self

    return create_model(f"MatchReply{points}x{memories}", __base__=Checked)
