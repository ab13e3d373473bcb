"""`recollect ingest --dry-run` of what is left, when a part of it was paid for: by the real command, over a loopback endpoint."""

from __future__ import annotations

import json
import math
import random
import re
from dataclasses import dataclass

import pytest

from recollect.testing import HashEmbedder, ModelEndpoint

SPOKEN = re.compile(r"^\[(\d+)\] ([^:\n]+): (.+)$", re.M)
LINES = re.compile(r"^\[(\d+)\]", re.M)
WORDS = re.findall(
    r"\w+",
    "garden piano harbour winter teacher violin kitchen mountain letter brother window market dinner river holiday doctor"
    " football library bicycle painting sister concert bakery island office village recipe camera forest theatre",
)


@dataclass(frozen=True)
class Reader:
    """A model that finds so many facts in a message, now none and now three, and tells each in so many words."""

    facts: float
    words: int

    def __call__(self, request):
        told = request.body["messages"][-1]["content"]
        if "You turn conversations into memories" in request.text:
            spoken = SPOKEN.findall(told.split("New messages:")[-1])
            return {"facts": [fact for one in spoken for fact in self.facts_of(*one)]}
        new = LINES.findall(told.split("New facts:")[-1])
        return {"decisions": [{"fact": int(n), "op": "ADD", "reason": "new " * (self.words // 4)} for n in new]}

    def facts_of(self, number, name, text):
        chance, place = random.Random(text), int(text.split()[0])
        for n in range(math.floor((place + 1) * self.facts) - math.floor(place * self.facts)):
            yield {
                "text": f"{name} ({n}): {' '.join(chance.choices(WORDS, k=self.words))}",
                "kind": "event",
                "entities": [{"name": name, "kind": "person"}],
                "evidence": [{"message": int(number), "quote": " ".join(text.split()[:4])}],
            }


def talk(names, messages, seed=0):
    """Lines of a file: one conversation for each name, of so many messages, short ones and long ones."""
    chance = random.Random(seed)
    for name in names:
        spoken = [
            {
                "role": "user",
                "name": ("Ann", "Bob")[n % 2],
                "content": f"{n} {' '.join(chance.choices(WORDS, k=chance.randint(5, 45)))}.",
            }
            for n in range(messages)
        ]
        yield json.dumps({"id": name, "messages": spoken}) + "\n"


def paid(told):
    usage = told["usage"]
    return {"calls": usage["llm_calls"], "tokens": usage["tokens"], "money": usage["cost_usd"]}


def off(planned, real):
    """By how much each is off."""
    return {of: paid(planned)[of] / paid(real)[of] - 1 for of in paid(real)}


@pytest.mark.parametrize("reader", [Reader(0.3, 12), Reader(1.2, 12), Reader(0.3, 60), Reader(1.2, 60)], ids=str)
def test_a_second_dry_run_goes_by_what_the_first_chunks_cost(cli, tmp_path, monkeypatch, reader):
    monkeypatch.setattr("recollect.adapters.minilm.MiniLM.embed", lambda _, texts: HashEmbedder(384).embed(texts))
    file = tmp_path / "talk.jsonl"
    file.write_text("".join(talk(["ann"], 480)), encoding="utf-8")
    with ModelEndpoint(reader) as endpoint:
        at = ["--llm", "openai/gpt-5-mini", "--api-base", endpoint.url, "--api-key", "none"]
        dry = ["ingest", file, *at, "--dry-run"]
        first = json.loads(cli(*dry, "--json").stdout)
        assert (first["learned_from"], first["known"], first["turns"], first["chunks"]) == (0, 0, 480, 60)
        part = json.loads(cli("ingest", file, *at, "--budget", "calls=60", "--json", code=1).stdout)
        second = json.loads(cli(*dry, "--json").stdout)
        shown = cli(*dry).stdout
        rest = json.loads(cli("ingest", file, *at, "--json").stdout)
    print(
        reader,
        "first",
        paid(first),
        "part",
        part["chunks"],
        paid(part),
        "second",
        off(second, rest),
        "first off",
        off(first, {"usage": {k: part["usage"][k] + rest["usage"][k] for k in ("llm_calls", "tokens", "cost_usd")}}),
        second["learned_from"],
        {k: (second[k]["cost_usd"] / rest["usage"]["cost_usd"]) for k in ("least", "most")},
        {k: second["usage"][k] / rest["usage"][k] for k in ("input_tokens", "output_tokens")},
    )
    assert second["learned_from"] == part["chunks"] and second["turns"] == rest["turns"]
    assert f"as the {part['chunks']} chunks before cost" in shown
    assert all(abs(one) < 0.15 for one in off(second, rest).values()), off(second, rest)
