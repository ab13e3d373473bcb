"""`recollect audit`: who changed what of a user's memories, and when; no content."""

from __future__ import annotations

from .common import Common, say
from .safe import count, moment, words
from .showing import short, table, who_else


def audit(common: Common) -> None:
    """A line a change."""
    with common.existing() as memory:
        entries = memory.audit(user_id=common.user_id)
    if common.json:
        common.answer([one.model_dump(mode="json") for one in entries])
        return
    if not entries:
        say(f"No changes.{who_else(common)}")
        return
    rows = []
    for one in entries:
        what = f"{one.op.value} {short(one.memory_id) if one.memory_id else 'turns'}"
        what += f", undoing {short(one.undoes)}" if one.undoes else ""
        by = f"{one.actor or '(nobody named)'}{f' by {one.model}' if one.model else ''}"
        rows.append((moment(one.recorded_at), words(by), words(what), short(one.change_id)))
    table(common, ("recorded", "who", "what", "change"), rows, wide="who")
    say(count(len(entries), "change"))
