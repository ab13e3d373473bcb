"""Which conversations and questions a sitting works on. Turns may be many: they are read when they are taken in, not before."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from recollect.errors import InvalidInput

from ..model import Conversation, DataSet, Question


@dataclass(frozen=True, slots=True)
class Outline:
    """A conversation without its turns. `place`: where it is in the data set. `ended_at`: when its last dated turn was said."""

    id: str
    place: int
    questions: tuple[Question, ...]
    ended_at: datetime | None

    def asked_at(self, question: Question) -> datetime | None:
        """When a question is asked: as it says, else at the end of the conversation; None where nothing has a date."""
        return question.asked_at or self.ended_at


@dataclass(frozen=True, slots=True)
class Selection:
    """What is worked on. `all`: the whole data set's outlines, from which unrelated questions are drawn."""

    data: DataSet
    all: tuple[Outline, ...]
    chosen: tuple[Outline, ...]

    def read(self, one: Outline) -> Conversation:
        """The conversation itself."""
        return self.data.conversations[one.place]

    @property
    def questions(self) -> dict[str, tuple[Outline, Question]]:
        """By their ids, in the data set's order."""
        return {question.id: (one, question) for one in self.chosen for question in one.questions}


def select(data: DataSet, *, conversations: Collection[str] = (), limit: int | None = None, seed: int = 0) -> Selection:
    """The conversations named (default: all) with at most `limit` of their questions; those without a question are left out.

    Which questions is drawn by the seed and their ids: a higher limit asks the same ones and more. Raises InvalidInput.
    """
    everything = tuple(outline(place, one) for place, one in enumerate(data.conversations))
    known = {one.id for one in everything}
    if unknown := [one for one in conversations if one not in known]:
        raise InvalidInput("conversation", f"{unknown[0][:100]!r} is not in {data.name}")
    if limit is not None and limit < 1:
        raise InvalidInput("limit", "must be 1 or more")
    named = [one for one in everything if not conversations or one.id in conversations]
    asked = {one.id for one in drawn([question for talk in named for question in talk.questions], limit, str(seed))}
    kept = (replace(one, questions=tuple(q for q in one.questions if q.id in asked)) for one in named)
    return Selection(data, everything, tuple(one for one in kept if one.questions))


def outline(place: int, one: Conversation) -> Outline:
    """A conversation without its turns."""
    said = (turn.said_at for turn in one.turns if turn.said_at is not None)
    return Outline(one.id, place, one.questions, max(said, default=None))


def drawn(questions: Sequence[Question], number: int | None, seed: str) -> list[Question]:
    """So many questions, by a seed: the first ones in an order that is theirs whatever else there is."""
    if number is None:
        return list(questions)
    return sorted(questions, key=lambda one: hashlib.sha256(f"{seed}/{one.id}".encode()).digest())[:number]


def unrelated_to(talk: Outline, selection: Selection, number: int, seed: int) -> list[Question]:
    """Questions of other conversations, drawn by the seed; none that is asked of this one too in the same words."""
    own = {question.text for question in selection.all[talk.place].questions}
    others = [q for one in selection.all if one.id != talk.id for q in one.questions if q.text not in own]
    return drawn(others, number, f"{seed}/{talk.id}")
