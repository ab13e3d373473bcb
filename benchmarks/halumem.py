"""What the reconciler makes of HaluMem's gold memory points, fed to the real write path as facts, without extraction.

Each session's points are added at their time; the originals that an update names and that are no points themselves are added
a day before it. Printed per user: whether the original stood among the candidates, what became of the updates, and how
many new points were taken for updates. Rules decide; the slots are those that the rules' own tables find in the text.

RECOLLECT_DATA=DIR python benchmarks/halumem.py [--users 0,3] [--verbose]
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from recollect import Memory
from recollect.model import Case, Decision, Evidence, Extraction, Fact, Keep, Kind, Reconciliation, Slot, Turn, Update
from recollect.ports import Chunk
from recollect.rules import RulesReconciler, slots

FAR = datetime(2100, 1, 1, tzinfo=UTC)  # the data set plays in the future
_LABELS = re.compile(r"^(?:\[.*?\])+")


def load(user: int) -> dict[str, Any]:
    """One user's line of the data set."""
    folder = Path(os.environ.get("RECOLLECT_DATA", "../shared/data")) / "halumem"
    with gzip.open(folder / f"pilot_slice_user{user}.jsonl.gz", "rt", encoding="utf-8") as file:
        found: dict[str, Any] = json.loads(file.readline())
        return found


def name_of(user: dict[str, Any]) -> str:
    """Whom the points are about."""
    found = re.search(r"\bName: ([^;]+);", user["persona_info"])
    return found[1] if found else "The user"


def plain(text: str) -> str:
    """A point without its labels."""
    return _LABELS.sub("", text).strip()


def key(text: str) -> str:
    """Equal for a point and its mention as an original."""
    return plain(text).rstrip(".").casefold()


@dataclass(slots=True)
class Session:
    """The gold points of a session, and when it was."""

    at: datetime
    points: list[dict[str, Any]]


def sessions(user: dict[str, Any]) -> Iterator[Session]:
    """Those that have points to remember; interference points are none."""
    for one in user["sessions"]:
        points = [point for point in one["memory_points"] if point["memory_source"] != "interference"]
        if points:
            at = datetime.strptime(points[0]["timestamp"], "%b %d, %Y, %H:%M:%S").replace(tzinfo=UTC)
            yield Session(at, points)


class Gold:
    """An extractor that takes every message for a fact as it stands, and the rules' reconciler, whose cases are kept."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._rules = RulesReconciler()
        self.decided: dict[str, tuple[Case, Decision]] = {}

    async def extract(self, chunk: Chunk) -> Extraction:
        return Extraction(tuple(self._fact(turn) for turn in chunk.turns))

    def _fact(self, turn: Turn) -> Fact:
        who = slots.about(turn.content, "The user")
        filled = next((one for one in slots.fill_all(who[1]) if one.attribute and one.strong), None) if who else None
        evidence = (Evidence(turn.id, turn.content),)
        if who is None or filled is None or filled.attribute is None:
            return Fact(turn.content, Kind.KNOWLEDGE, evidence)
        subject = self._name if who[0].split()[0] in self._name else who[0]
        slot = Slot(subject, filled.attribute, filled.many)
        return Fact(turn.content, filled.kind, evidence, slot=slot, value=filled.value)

    async def reconcile(self, cases: Sequence[Case]) -> Reconciliation:
        answer = await self._rules.reconcile(cases)
        self.decided |= {key(c.fact.text): (c, d) for c, d in zip(cases, answer.decisions, strict=True)}
        return answer


def remember(memory: Memory, texts: Sequence[str], at: datetime) -> None:
    """Texts of one moment, in order."""
    said = [
        {"role": "user", "content": text, "timestamp": (at + timedelta(seconds=i)).isoformat()}
        for i, text in enumerate(texts)
    ]
    if said:
        memory.add(said, user_id="u", session_id=at.isoformat())


def play(user: dict[str, Any], memory: Memory) -> None:
    """Add everything in its order."""
    told: set[str] = set()
    for session in sessions(user):
        originals = [
            plain(one) for point in session.points for one in point["original_memories"] if key(one) not in told
        ]
        remember(memory, list(dict.fromkeys(originals)), session.at - timedelta(days=1))
        remember(memory, [point["memory_content"] for point in session.points], session.at)
        told |= {key(text) for text in (*originals, *(point["memory_content"] for point in session.points))}


def versions(memory: Memory, gold: Gold) -> dict[str, set[str]]:
    """memory id → the keys of all texts that it ever had, and of the points that were taken for known beside it: it stands for
    them."""
    found: dict[str, set[str]] = {}
    for change in (change for item in memory.get_all(user_id="u", as_of=FAR) for change in memory.history(item.id)):
        if change.memory is not None:
            texts = (change.memory.text, change.previous_text or "")
            found.setdefault(change.memory.id, set()).update(map(key, texts))
    for point, (case, decision) in gold.decided.items():
        if isinstance(decision, Keep) and decision.target is not None:
            kept = next(one for one in case.candidates if one.number == decision.target)
            if kept.row is not None:
                found.setdefault(kept.row.memory_id, set()).add(point)
    return found


def count(user: dict[str, Any], gold: Gold, texts: dict[str, set[str]], verbose: bool) -> Counter[str]:
    """What became of every point. An original that an earlier update replaced is its memory's present version."""
    found: Counter[str] = Counter()
    for point in (point for session in sessions(user) for point in session.points):
        case, decision = gold.decided.get(key(point["memory_content"]), (None, None))
        updates = point["is_update"] == "True" and bool(point["original_memories"])
        found["updates" if updates else "new"] += 1
        if case is None:
            continue  # decided without a reconciler: nothing alike, or the very same
        originals = {key(one) for one in point["original_memories"]}
        right = {
            one.number
            for one in case.candidates
            if key(one.text) in originals or (one.row and originals & texts.get(one.row.memory_id, set()))
        }
        if updates:
            found["original in the store"] += any(originals & known for known in texts.values())
            found["original shown"] += bool(right)
            found["candidates"] += len(case.candidates)
        what = verdict(decision, right, updates)
        found[what] += 1
        if verbose and what.startswith("updates, ") and "not" not in what:
            print(f"{what}: {case.fact.text}")
    return found


def verdict(decision: Decision | None, right: set[int], updates: bool) -> str:
    """A decision in the words of the table."""
    match decision:
        case Update(targets) if updates:
            return "updates, right" if right & set(targets) else "updates, wrong target"
        case Update():
            return "new, taken for an update"
        case Keep():
            return "updates, taken for known" if updates else "new, taken for known"
        case _:
            return "updates, not updated" if updates else "new, added"


def main() -> None:
    """Run the users."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", default="0,3")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    total: Counter[str] = Counter()
    for number in map(int, options.users.split(",")):
        user = load(number)
        gold = Gold(name_of(user))
        with tempfile.TemporaryDirectory() as folder, Memory(folder, llm=gold) as memory:
            play(user, memory)
            total += count(user, gold, versions(memory, gold), options.verbose)
    for what, number in sorted(total.items()):
        of = total["updates"] if what.startswith(("updates", "original")) else total["new"]
        share = f"  {number / of:6.1%}" if of and what not in ("updates", "new", "candidates") else ""
        print(f"{what:<28} {number:6}{share}")
    print(
        f"{'shown, of those in the store':<28} {total['original shown'] / max(1, total['original in the store']):6.1%}"
    )
    print(f"{'candidates a fact':<28} {total['candidates'] / max(1, total['updates']):6.1f}")


if __name__ == "__main__":
    main()
