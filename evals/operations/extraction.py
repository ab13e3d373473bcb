"""HaluMem's extraction: are the memory points of each session extracted, and is nothing learnt that was only insinuated?

What counts as the same is `matching`'s to say: code, or a judge.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeAlias

from recollect import AsyncMemory
from recollect.records import QUARANTINED
from recollect.results import AddResult

from ..model import Conversation, Point, Session, Turn
from .language import spent
from .matching import ByWords, Matched, Matching
from .updates import USER, name_of, plain

Record: TypeAlias = dict[str, Any]


async def extraction(
    conversation: Conversation,
    *,
    embedder: object = None,
    matching: Matching | None = None,
    heard: Callable[[int], None] = lambda _: None,
    **language: Any,
) -> list[Record]:
    """Ingest the sessions one after the other; a record per session that has points or left memories:

    {"conversation", "session", "points": [{"id", "text", "interference", "importance", "is_update", "match"}],
    "memories": [{"text", "match"}], "spent", "judged"}. A point's `match` is the place of the memory of that session that says
    it, a memory's the id of the point that bears it out, else None. `spent` is the memory's cost, `judged` the matching's. It
    is by words where none is given. `language`: as for `Memory` (`llm`, `api_base` …). `heard`: how many sessions are done.
    """
    match = matching or ByWords(name_of(conversation))
    records = []
    with tempfile.TemporaryDirectory(prefix="recollect-evals-") as folder:
        async with AsyncMemory(folder, embedder=embedder, **language) as memory:
            for done, session in enumerate(conversation.sessions, start=1):
                points = [one for one in conversation.points if one.session == session.id]
                added = await memory.add(_messages(session), user_id=USER, session_id=session.id)
                memories = _memories(added)
                if points or memories:
                    found = await match.matched([plain(point.text) for point in points], memories, _lures(points))
                    told = {
                        "conversation": conversation.id,
                        "session": session.id,
                        **_as_record(points, memories, found),
                    }
                    records.append({**told, "spent": asdict(spent(added.usage)), "judged": asdict(found.spent)})
                heard(done)
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


def _lures(points: Sequence[Point]) -> frozenset[int]:
    return frozenset(place for place, point in enumerate(points) if point.interference)


def _as_record(points: Sequence[Point], memories: Sequence[str], found: Matched) -> Record:
    told = [
        {
            "id": point.id,
            "text": plain(point.text),
            "interference": point.interference,
            "importance": point.importance,
            "is_update": point.is_update,
            "match": memory,
        }
        for point, memory in zip(points, found.points, strict=True)
    ]
    borne_out = [None if place is None else points[place].id for place in found.memories]
    kept = [{"text": text, "match": point} for text, point in zip(memories, borne_out, strict=True)]
    return {"points": told, "memories": kept}
