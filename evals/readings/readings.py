"""Conversations that a capable reader went through with our prompts, and the replies that it wrote, kept to be played again.

    python readings.py NAME STORE http://127.0.0.1:PORT/v1    run a conversation through a model's endpoint, print what was stored
    python readings.py                                        count the grades

A transcript (NAME.json) holds one entry per call. `Transcript` answers a prompt from it as a model would: an extraction by the
messages that it asks about, a reconciliation by its facts' texts, with the memories' texts turned into the prompt's numbers.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recollect import Memory
from recollect.formats import Conversation, read

HERE = Path(__file__).parent
DATA = Path(os.environ.get("RECOLLECT_DATA") or HERE.parents[2] / "shared" / "data")
LOCOMO = DATA / "locomo" / "dev.json"
HALUMEM = DATA / "halumem" / "pilot_slice_user0.jsonl.gz"
NEEDS: Mapping[str, Path] = {"mira": HERE / "mira.jsonl", "conv-26": LOCOMO, "martin": HALUMEM, "conv-47": LOCOMO}


@dataclass(frozen=True)
class Sitting:
    """A session's messages as `add` takes them; `instructions` of the caller; `infer` False: stored as they are."""

    id: str
    messages: tuple[Mapping[str, Any], ...]
    instructions: str | None = None
    infer: bool = True


def sittings(name: str) -> tuple[Sitting, ...]:
    """What is read of a conversation. It needs the file `NEEDS[name]`."""
    return {"mira": mira, "conv-26": conv_26, "martin": martin, "conv-47": conv_47}[name]()


def mira() -> tuple[Sitting, ...]:
    """Our own: one user and an assistant, the last session with instructions of the application."""
    told = "Health: every diagnosis, medicine and date. Leave out anything about money."
    return tuple(
        Sitting(one.id, one.messages, told if one.id == "mira-4" else None)
        for one in _sittings(HERE / "mira.jsonl", "mira")
    )


def conv_26() -> tuple[Sitting, ...]:
    """The first three sessions of a LoCoMo conversation."""
    return _sittings(LOCOMO, "conv-26")[:3]


def conv_47() -> tuple[Sitting, ...]:
    """The first session of another one, read when the prompts were done."""
    return _sittings(LOCOMO, "conv-47")[:1]


def _sittings(file: Path, name: str) -> tuple[Sitting, ...]:
    talk = next(one for one in read(file) if isinstance(one, Conversation) and one.id == name)
    told = [
        (session.id, tuple(_message(m.role.value, m.content, m.timestamp, m.name) for m in session.messages))
        for session in talk.sessions
    ]
    return tuple(Sitting(name, messages) for name, messages in told)


MARTIN = 3  # the session that is read


def martin() -> tuple[Sitting, ...]:
    """HaluMem: the gold memory points of a user's first sessions and the originals of the next one's updates, stored as they
    are; then that session."""
    with gzip.open(HALUMEM, "rt", encoding="utf-8") as file:
        sessions = json.loads(next(file))["sessions"]
    points = [
        (point["memory_content"], _moment(point["timestamp"]))
        for session in sessions[:MARTIN]
        for point in session["memory_points"]
        if point["memory_source"] != "interference"
    ]
    updated = [text for point in sessions[MARTIN]["memory_points"] for text in point["original_memories"]]
    points += [(text, points[-1][1]) for text in dict.fromkeys(updated)]
    said = tuple(
        _message(
            one["role"], one["content"], _moment(one["timestamp"]), "Martin Mark" if one["role"] == "user" else None
        )
        for one in sessions[MARTIN]["dialogue"]
    )
    known = tuple(_message("user", text, moment, "Martin Mark") for text, moment in points)
    return Sitting("known", known, infer=False), Sitting("session", said)


def _moment(told: str) -> datetime:
    return datetime.strptime(told, "%b %d, %Y, %H:%M:%S").replace(tzinfo=UTC)


def _message(role: str, content: str, timestamp: datetime | None, name: str | None = None) -> Mapping[str, Any]:
    return {"role": role, "content": content, "timestamp": timestamp, **({"name": name} if name else {})}


# --- a prompt, as it was asked -----------------------------------------------------------------------------------------

_MESSAGE = re.compile(r"^\[(\d+)\] [^:\n]+: (.*)$", re.MULTILINE)
_LINE = re.compile(r"^\[(\d+)\] \d{4}-\d\d-\d\d · (.*)$", re.MULTILINE)
_BESIDE = re.compile(r" · beside [\d, ]+$")


@dataclass(frozen=True)
class Asked:
    """What a prompt asks about: the new messages' first lines (of an extraction), or the new facts' texts."""

    step: str
    messages: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    numbers: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, user: str) -> Asked:
        """Read off the user's part of a prompt."""
        if "New messages:\n" in user:
            new = user.partition("New messages:\n")[2]
            return cls("extract", tuple(match[2] for match in _MESSAGE.finditer(new)))
        _, _, facts = user.partition("\nNew facts:\n")
        numbers = {int(n): _BESIDE.sub("", told) for n, told in _LINE.findall(user)}
        return cls("reconcile", (), tuple(_text(_BESIDE.sub("", told)) for _, told in _LINE.findall(facts)), numbers)

    def number(self, text: str) -> int:
        """The number that a memory's or a fact's text has in this prompt."""
        found = [number for number, told in self.numbers.items() if told == text or told.endswith(f" · {text}")]
        if len(found) != 1:
            raise LookupError(f"{len(found)} memories in the prompt say {text!r}")
        return found[0]


def _text(told: str) -> str:
    return told.rsplit(" · ", 1)[-1]


def kept(name: str) -> dict[str, Any]:
    """A conversation's transcript: `prompts` that were read, `calls`, `omissions`."""
    document: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    return document


def calls(name: str) -> list[dict[str, Any]]:
    """The calls of a transcript. A target "#3" there is the third message that was stored as it is: not our text."""
    stored = [message["content"] for one in sittings(name) if not one.infer for message in one.messages]
    found: list[dict[str, Any]] = kept(name)["calls"]
    for one in (one for call in found if call["step"] == "reconcile" for one in call["reply"]["decisions"]):
        one["targets"] = [stored[int(text[1:]) - 1] if text.startswith("#") else text for text in one["targets"]]
    return found


class Transcript:
    """The kept replies of one conversation. `unasked()`: the entries that nothing asked for yet."""

    def __init__(self, calls: Sequence[Mapping[str, Any]], sessions: Sequence[Sitting]) -> None:
        self._calls = {_key(call, sessions): call for call in calls}
        self._left = dict(self._calls)

    def reply(self, user: str) -> dict[str, Any]:
        """The reply to a prompt. Raises LookupError where there is none, or one of its memories is not in the prompt."""
        asked = Asked.of(user)
        key = (asked.step, asked.messages or frozenset(asked.facts))
        if key not in self._calls:
            raise LookupError(f"no reply to the {asked.step} of {asked.messages or asked.facts}")
        self._left.pop(key, None)
        reply = self._calls[key]["reply"]
        return dict(reply) if asked.step == "extract" else numbered(reply, asked)

    def unasked(self) -> list[tuple[str, int, str]]:
        """(session, chunk, step) of every reply that was not asked for."""
        return [(call["session"], call["chunk"], call["step"]) for call in self._left.values()]


def _key(call: Mapping[str, Any], sessions: Sequence[Sitting]) -> tuple[str, object]:
    if call["step"] == "reconcile":
        return "reconcile", frozenset(one["fact"] for one in call["reply"]["decisions"])
    session = next(one for one in sessions if one.id == call["session"])
    first, last = call["messages"]
    return "extract", tuple(message["content"].split("\n")[0] for message in session.messages[first - 1 : last])


def numbered(reply: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    """A reconciliation's reply with the prompt's numbers in place of texts."""
    return {
        "decisions": [
            {**one, "fact": asked.number(one["fact"]), "targets": [asked.number(text) for text in one["targets"]]}
            for one in reply["decisions"]
        ]
    }


def told(reply: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    """A reconciliation's reply with texts in place of the prompt's numbers."""
    text = {number: _text(line) for number, line in asked.numbers.items()}
    return {
        "decisions": [
            {**one, "fact": text[one["fact"]], "targets": [text[number] for number in one["targets"]]}
            for one in reply["decisions"]
        ]
    }


# --- a run -------------------------------------------------------------------------------------------------------------


def run(name: str, store: Path, llm: Any, **model: Any) -> Iterator[Any]:
    """Add a conversation session by session, each from a store opened anew; the results of the sessions that were read."""
    for one in sittings(name):
        with Memory(store, llm=llm, instructions=one.instructions, **model) as memory:
            result = memory.add(list(one.messages), user_id=name, session_id=one.id, infer=one.infer)
        if one.infer:
            yield result


def main(name: str, store: str, api_base: str) -> None:
    """Run a conversation through an endpoint that may take its time, and print what was decided and what is remembered."""
    from recollect.adapters.litellm_model import LitellmModel

    hour = 3600.0
    llm = LitellmModel(
        "openai/manual", api_base=api_base, api_key="none", mode="json_schema", timeout=hour, deadline=hour
    )
    for result in run(name, Path(store), llm):
        print(result.model_dump_json(indent=1))
    with Memory(store, llm="rules") as memory:
        for item in memory.get_all(user_id=name, as_of=sittings(name)[-1].messages[-1]["timestamp"]):
            print(item.model_dump_json())


def count() -> None:
    """Print the grades of every conversation: how many facts and decisions, and how many failed each criterion."""
    for name in NEEDS:
        for step in ("extract", "reconcile"):
            failed = [one for call in kept(name)["calls"] if call["step"] == step for one in call["failed"]]
            passed = sum(not one for one in failed)
            by_criterion = Counter(criterion for one in failed for criterion in one)
            print(f"{name:8} {step:9} {passed:3} of {len(failed):3} pass  {dict(by_criterion)}")


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 1 else count()
