"""HaluMem's extraction: are the memory points of each session extracted, and is nothing learnt that was only insinuated?

Matching is by code. A memory and a point match where F1 of their content words (stemmed, without function words and the
user's name) is at least `THRESHOLD`. That is a floor: what says the same in other words is missed, by every system alike.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeAlias

from recollect import AsyncMemory
from recollect.records import QUARANTINED
from recollect.results import AddResult
from recollect.rules.sentences import FUNCTION_WORDS

from ..metrics.f1 import overlap
from ..metrics.normalise import locomo_tokens
from ..model import Conversation, Point, Session, Turn
from .language import spent
from .updates import USER, name_of, plain

Record: TypeAlias = dict[str, Any]
Likeness: TypeAlias = Callable[[str, str], float]
"""How much two texts say the same, 0..1."""

THRESHOLD = 0.5


async def extraction(
    conversation: Conversation,
    *,
    embedder: object = None,
    likeness: Likeness | None = None,
    threshold: float = THRESHOLD,
    **language: Any,
) -> list[Record]:
    """Ingest the sessions one after the other; a record per session that has points or left memories:

    {"conversation", "session", "points": [{"id", "text", "interference", "importance", "is_update", "match"}], "memories": [{"text",
    "match"}], "spent"}. A point's `match` is the place of its likest memory of that session, where that is like enough, else None;
    a memory's the id of its likest point. An interference point matches only a memory that is like no other point as much:
    what the user said of the same matter is no false memory. `language`: as for `Memory` (`llm`, `api_base` …).
    """
    alike = likeness or by_words(name_of(conversation))
    records = []
    with tempfile.TemporaryDirectory(prefix="recollect-evals-") as folder:
        async with AsyncMemory(folder, embedder=embedder, **language) as memory:
            for session in conversation.sessions:
                points = [one for one in conversation.points if one.session == session.id]
                added = await memory.add(_messages(session), user_id=USER, session_id=session.id)
                found = matched(points, _memories(added), alike, threshold)
                if found["points"] or found["memories"]:
                    where = {"conversation": conversation.id, "session": session.id}
                    records.append({**where, **found, "spent": asdict(spent(added.usage))})
    return records


def _messages(session: Session) -> list[dict[str, Any]]:
    """A session as it is handed in; the user under the name that the points are told of."""
    return [
        {"role": turn.role, "content": turn.text, "timestamp": turn.said_at, **_named(turn)} for turn in session.turns
    ]


def _named(turn: Turn) -> dict[str, str]:
    return {"name": turn.speaker} if turn.speaker != turn.role else {}


def _memories(added: AddResult) -> list[str]:
    """What the session left: new and reworded memories, and those that it said again. Ended and doubted ones are none."""
    told = [one for one in added.changes if one.op != "DELETE" and one.flag != QUARANTINED]
    return list(dict.fromkeys(one.memory.text for one in told if one.memory is not None))


def matched(points: Sequence[Point], memories: Sequence[str], alike: Likeness, threshold: float) -> Record:
    """Points and memories of a session, each with what it matches."""
    texts = [plain(point.text) for point in points]
    scores = [[alike(memory, text) for text in texts] for memory in memories]  # [memory][point]
    gold = [place for place, point in enumerate(points) if not point.interference]

    def of_point(place: int) -> int | None:
        def rivalled(memory: int) -> bool:
            return points[place].interference and any(scores[memory][place] <= scores[memory][one] for one in gold)

        fit = [m for m in range(len(memories)) if scores[m][place] >= threshold and not rivalled(m)]
        return max(fit, key=lambda m: scores[m][place], default=None)

    def of_memory(place: int) -> str | None:
        best = max(range(len(points)), key=lambda p: (scores[place][p], p in gold), default=None)
        return points[best].id if best is not None and scores[place][best] >= threshold else None

    return {
        "points": [
            {
                "id": point.id,
                "text": texts[place],
                "interference": point.interference,
                "importance": point.importance,
                "is_update": point.is_update,
                "match": of_point(place),
            }
            for place, point in enumerate(points)
        ],
        "memories": [{"text": text, "match": of_memory(place)} for place, text in enumerate(memories)],
    }


def by_words(name: str) -> Likeness:
    """F1 of the multisets of content words, 0..1, with the user's `name` left out."""
    left_out = _NOTHING | set(locomo_tokens(name))

    @functools.lru_cache(maxsize=10_000)
    def content(text: str) -> tuple[str, ...]:
        return tuple(word for word in locomo_tokens(text) if word not in left_out)

    return lambda one, other: overlap(content(one), content(other))


_NOTHING = {word for one in FUNCTION_WORDS for word in locomo_tokens(one)} | {"user"}
