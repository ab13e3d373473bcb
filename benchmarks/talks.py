"""Talks of which is known what a model answered: what a dry run says of them, beside what they cost. Minutes.

`readings`: four talks as a capable reader answered our prompts (evals/readings). `recorded`: five conversations of LoCoMo with
the facts that a large model told of them; no decision was recorded, so each fact is added. Tokens are those of cl100k_base,
money is gpt-5-mini's. What is not here of the data ($RECOLLECT_DATA) is passed over.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import ModuleType
from typing import Any

from recollect import Memory
from recollect.build import Settings, litellm_model
from recollect.formats import Conversation, read
from recollect.memory import chunk_sizes
from recollect.ports import Chunk, Completion
from recollect.records import PaidChunk
from recollect.usage import Usage
from recollect.writing.estimate import ASSUMED, ENOUGH, Asked, Rates, Waiting, asked, learned, usage_of
from recollect.writing.extract import ModelExtractor
from recollect.writing.replies import ExtractReply
from recollect_evals.tokens import count

PRICED = "openai/gpt-5-mini"
EVERYTHING = 1_000_000
Answer = Callable[[str, bool], Mapping[str, Any]]  # of the user's part of a prompt, and whether facts are asked for


class Replayed:
    """A model that answers what was answered, and is paid by the token."""

    name = "replayed"

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.price = litellm_model(PRICED, Settings()).price

    async def complete(self, messages: Sequence[Mapping[str, str]], response_model: type[Any]) -> Completion[Any]:
        reply = self._answer(messages[-1]["content"], response_model is ExtractReply)
        schema = count(json.dumps(response_model.model_json_schema()))
        said = sum(count(one["content"]) for one in messages)
        paid = Usage(1, said + schema, count(json.dumps(reply, ensure_ascii=False)))
        return Completion(response_model.model_validate(reply), replace(paid, cost_usd=self.price(paid)), self.name)

    async def aclose(self) -> None:
        """Nothing is kept open."""


@dataclass(frozen=True)
class Talk:
    """What was paid for each of its chunks, in order, and what is known of them beforehand."""

    name: str
    paid: tuple[PaidChunk, ...]
    asked: tuple[Asked, ...]

    @property
    def turns(self) -> int:
        return sum(one.turns for one in self.asked)

    @property
    def facts(self) -> int:
        return sum(one.facts for one in self.paid)


def readings() -> ModuleType:
    """evals/readings/readings.py"""
    file = Path(__file__).parents[1] / "evals" / "readings" / "readings.py"
    spec = importlib.util.spec_from_file_location("readings", file)
    assert spec is not None and spec.loader is not None
    sys.modules["readings"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def of_readings(names: Sequence[str] = ()) -> Iterator[Talk]:
    """Those that were read; `names`: of these alone."""
    module = readings()
    for name in names or module.NEEDS:
        if module.NEEDS[name].exists():
            sittings = module.sittings(name)
            transcript = module.Transcript(module.calls(name), sittings)
            adds = [(one.id, one.messages, one.instructions, one.infer) for one in sittings]
            yield gone_through(name, Replayed(lambda user, _, of=transcript: of.reply(user)), adds)


def of_recorded() -> Iterator[Talk]:
    """The five of LoCoMo."""
    module = readings()
    for file in sorted((module.LOCOMO.parent / "recorded").glob("*.jsonl")):
        talk = next(one for one in read(module.LOCOMO) if isinstance(one, Conversation) and one.id == file.stem)
        raw = next(one for one in json.loads(module.LOCOMO.read_text()) if one["sample_id"] == file.stem)
        facts = {one["session"]: one["facts"] for one in map(json.loads, file.read_text().splitlines())}
        adds, answers = [], {}
        for session in talk.sessions:
            messages = list(session.messages)
            key = f"session_{session.id.rpartition('_')[2]}"
            ids = [one["dia_id"] for one in raw["conversation"][key]]
            answers |= answers_of(facts.get(key, ()), ids, [one.content.split("\n")[0] for one in messages])
            adds.append((session.id, [as_given(one) for one in messages], None, True))
        yield gone_through(
            f"{file.stem}, recorded", Replayed(lambda user, extracts, of=answers: answer(of, user, extracts)), adds
        )


def as_given(message: Any) -> dict[str, Any]:
    return {
        "role": message.role.value, "name": message.name, "content": message.content, "timestamp": message.timestamp
    }  # fmt: skip


def answers_of(
    facts: Sequence[Mapping[str, Any]], ids: Sequence[str], lines: Sequence[str]
) -> dict[tuple[str, ...], list[tuple[Mapping[str, Any], list[tuple[int, str]]]]]:
    """By the first lines of a chunk's messages: its facts, each with its quotes and how far behind the chunk's first message they
    stand. A fact is told with the last message that it cites."""
    found, first = {}, 0
    places = {name: place for place, name in enumerate(ids)}
    for size in chunk_sizes(len(ids)):
        of_chunk = []
        for fact in facts:
            quotes = [(places[one["turn"]], one["quote"]) for one in fact["evidence"] if one["turn"] in places]
            if quotes and first <= max(quotes)[0] < first + size:
                of_chunk.append((fact, [(place - first, quote) for place, quote in quotes]))
        found[tuple(lines[first : first + size])] = of_chunk
        first += size
    return found


def answer(answers: Mapping[tuple[str, ...], Any], user: str, extracts: bool) -> dict[str, Any]:
    """The recorded facts, in the shape of a reply; every fact that is to be decided is added."""
    module = sys.modules["readings"]
    asked_for = module.Asked.of(user)
    if not extracts:
        numbers = [number for number, told in asked_for.numbers.items() if told.rsplit(" · ", 1)[-1] in asked_for.facts]
        reason = "nothing that is remembered says the same of it"
        new = {"op": "ADD", "targets": [], "mode": None, "text": None, "reason": reason}
        return {"decisions": [{"fact": number, **new} for number in numbers]}
    first = min(int(match[1]) for match in module._MESSAGE.finditer(user.partition("New messages:\n")[2]))
    return {
        "facts": [
            {
                **{name: fact.get(name) for name in ("text", "kind", "subject", "attribute", "value", "many")},
                "entities": [{"name": one["name"], "kind": one["type"]} for one in fact["entities"]],
                "relations": [dict(zip(("subject", "predicate", "object"), one, strict=True)) for one in fact["relations"]],
                "event": fact["event_from"]
                and {"start": fact["event_from"], "end": fact["event_to"], "precision": fact["precision"]},
                "since": None, "retracts": fact["retracts"], "forget": False,
                "evidence": [
                    {"message": first + place, "quote": quote} for place, quote in quotes if first + place > 0
                ],
            }
            for fact, quotes in answers[asked_for.messages]
        ]
    }  # fmt: skip


def gone_through(name: str, model: Replayed, adds: Sequence[tuple[str, Any, str | None, bool]]) -> Talk:
    """Add session after session, and look up in the ledger what each chunk cost."""
    told = dict.fromkeys(instructions for _, _, instructions, _ in adds)
    with tempfile.TemporaryDirectory() as folder:
        for instructions, group in groupby(adds, key=itemgetter(2)):
            with Memory(folder, llm=model, instructions=instructions) as memory:
                for session, messages, _, infer in group:
                    memory.add(list(messages), user_id=name, session_id=session, infer=infer)
        with Memory(folder, llm=model) as memory:
            prompt, journal = ModelExtractor(model).prompt_id, memory._memory._store.journal
            paid = [(one, how) for how in told for one in journal.paid(model.name, prompt, how, EVERYTHING)]
    paid.sort(key=lambda one: one[0].chunk.record.first_turn)
    waiting = (
        Waiting(Chunk(one.chunk.turns, one.chunk.context, how), one.chunk.record.first_turn - 1) for one, how in paid
    )
    return Talk(name, tuple(one for one, _ in paid), tuple(asked(model, one) for one in waiting))


# --- what is said of them ------------------------------------------------------------------------------------------------


def real(paid: Sequence[PaidChunk]) -> Usage:
    return sum((one.extracting + one.deciding for one in paid), Usage())


def off(talk: Talk, rates: Rates, first: int = 0) -> list[str]:
    """By how much calls, tokens and money are off, of the chunks from `first` on."""
    model = Replayed(lambda *_: {})
    told, paid = usage_of(model, talk.asked[first:], rates).usual, real(talk.paid[first:])
    pairs = [(told.llm_calls, paid.llm_calls), (told.tokens, paid.tokens), (told.cost_usd, paid.cost_usd)]
    return [f"{100 * (one / other - 1):+.0f} %" for one, other in pairs if one is not None and other]


def between(talk: Talk) -> str:
    """By how much the least and the most money that is assumed are off."""
    told, paid = usage_of(Replayed(lambda *_: {}), talk.asked), real(talk.paid).cost_usd
    ends = (told.least.cost_usd, told.most.cost_usd)
    return " to ".join(f"{100 * (one / paid - 1):+.0f} %" for one in ends if one is not None and paid)


def others(talks: Sequence[Talk], talk: Talk) -> Rates:
    """What is assumed, with as many facts a message as the other talks had."""
    rest = [one for one in talks if one is not talk]
    return replace(ASSUMED, per_turn=sum(one.facts for one in rest) / sum(one.turns for one in rest))


def table() -> str:
    """A row a talk: how many facts a message, and by how much calls, tokens and money are off."""
    model = Replayed(lambda *_: {})
    head = ["talk", "chunks", "facts a message", "as assumed", "least and most money"]
    head += ["with the other talks' facts a message"]
    head += [f"the rest, by its first {ENOUGH} chunks", "by the other talks' chunks"]
    rows = [head, ["---"] * len(head)]
    for talks in (list(of_readings()), list(of_recorded())):
        for talk in talks:
            row = [talk.name, str(len(talk.paid)), f"{talk.facts / talk.turns:.2f}", ", ".join(off(talk, ASSUMED))]
            row.append(between(talk))
            row.append(", ".join(off(talk, others(talks, talk))) if len(talks) > 1 else "")
            if len(talk.paid) > 2 * ENOUGH:
                row.append(", ".join(off(talk, learned(model, talk.paid[:ENOUGH], None), ENOUGH)))
                rest = [one for other in talks if other is not talk for one in other.paid]
                row.append(", ".join(off(talk, learned(model, rest, None))))
            rows.append(row)
        if talks:
            whole = together(talks)
            told = f"{whole.facts / whole.turns:.2f}"
            rows.append([whole.name, str(len(whole.paid)), told, ", ".join(off(whole, ASSUMED)), between(whole)])
    told = "\n".join(f"| {' | '.join([*row, *[''] * (len(head) - len(row))])} |" for row in rows)
    return f"Calls, tokens and money that are foretold, beside what was paid:\n\n{told}"


def together(talks: Sequence[Talk]) -> Talk:
    """All of them as one."""
    paid, asked_for = (tuple(one for talk in talks for one in getattr(talk, of)) for of in ("paid", "asked"))
    return Talk(f"all {len(talks)}", paid, asked_for)
