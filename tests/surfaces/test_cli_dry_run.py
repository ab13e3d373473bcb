"""`recollect ingest --dry-run` of what is left, when a part of it was paid for: by the real command, over a loopback endpoint."""

from __future__ import annotations

import json
import math
import random
import re
from contextlib import contextmanager
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


def lines(names, messages):
    """Lines of a file: one conversation for each name, of so many messages of 15 to 35 words."""
    chance = random.Random(7)
    for name in names:
        spoken = [
            {
                "role": "user",
                "name": ("Ann", "Bob")[n % 2],
                "content": f"{n} {' '.join(chance.choices(WORDS, k=chance.randint(15, 35)))}.",
            }
            for n in range(messages)
        ]
        yield json.dumps({"id": name, "messages": spoken}) + "\n"


@pytest.fixture
def ingest(cli, tmp_path, monkeypatch):
    """Ingest a file of conversations with a reader; what `--json` tells. `bare()`: what is printed without it."""
    monkeypatch.setattr("recollect.adapters.minilm.MiniLM.embed", lambda _, texts: HashEmbedder(384).embed(texts))

    @contextmanager
    def opened(reader, names, messages):
        file = tmp_path / "talks.jsonl"
        file.write_text("".join(lines(names, messages)), encoding="utf-8")
        with ModelEndpoint(reader) as endpoint:
            words = ["ingest", file, "--llm", "openai/gpt-5-mini", "--api-base", endpoint.url, "--api-key", "none"]

            def call(*more, code=0):
                return json.loads(cli(*words, *more, "--json", code=code).stdout)

            call.bare = lambda *more: cli(*words, *more).stdout
            call.endpoint = endpoint
            yield call

    return opened


def off(planned, real):
    """By how much calls, tokens and money are off."""
    return {of: planned["usage"][of] / real["usage"][of] - 1 for of in ("llm_calls", "tokens", "cost_usd")}


def near(planned, real):
    return all(abs(one) < 0.15 for one in off(planned, real).values())


@pytest.mark.parametrize(
    ("reader", "calls"),
    [(Reader(0.3, 12), 50), (Reader(1.2, 12), 55), (Reader(0.3, 60), 50), (Reader(1.2, 40), 95)],
    ids=str,
)
def test_a_second_dry_run_goes_by_what_the_first_chunks_cost(ingest, reader, calls):
    """Stopped by its budget in the middle of a conversation, with chunks that are extracted and not decided."""
    with ingest(reader, ["ann"], 320) as call:
        first = call("--dry-run")
        assert (first["learned_from"], first["known"], first["turns"], first["chunks"]) == (0, 0, 320, 40)
        part = call("--budget", f"calls={calls}", code=1)
        second, shown, asked = call("--dry-run"), call.bare("--dry-run"), call.endpoint.calls
        rest = call()
        assert asked == calls and part["chunks"] >= 20 and rest["chunks"] >= 8
        assert (second["learned_from"], second["chunks"], second["turns"]) == (
            part["chunks"],
            rest["chunks"],
            rest["turns"],
        )
        assert f"as the {part['chunks']} chunks before cost; by how many facts" in shown
        assert f"{part['turns']} turns of them are in already" in shown
        assert near(second, rest), off(second, rest)
        assert second["least"]["cost_usd"] < rest["usage"]["cost_usd"] < second["most"]["cost_usd"]
        done = call("--dry-run")
        assert (done["chunks"], done["known"], done["usage"]["llm_calls"], done["usage"]["cost_usd"]) == (0, 320, 0, 0)


def test_conversations_are_foretold_by_the_first_of_them(ingest):
    """As docs/ingest.md says it."""
    with ingest(Reader(0.3, 12), ["ann", "ben", "cyd", "dan"], 160) as call:
        first, advised = call("--dry-run"), call.bare("--dry-run")
        assert "--budget calls=60 --concurrency 2" in advised and first["chunks"] == 80
        part = call("--budget", "calls=60", "--concurrency", "2", code=1)
        second, shown = call("--dry-run"), call.bare("--dry-run")
        assert f"as the {part['chunks']} chunks before" in shown and "--budget" not in shown
        rest = call()
        assert second["learned_from"] == part["chunks"] >= 20 and second["conversations"] == 4
        assert near(second, rest), off(second, rest)
        whole = {of: part["usage"][of] + rest["usage"][of] for of in ("llm_calls", "tokens", "cost_usd")}
        assert first["usage"]["cost_usd"] > 2 * whole["cost_usd"]  # nobody could know


def test_what_another_model_was_paid_is_not_gone_by(ingest):
    with ingest(Reader(1.2, 40), ["ann", "ben"], 170) as call:
        fresh = call("--dry-run", "--conversation", "ben")
        call("--conversation", "ann")
        other = call("--dry-run", "--conversation", "ben", "--llm", "openai/gpt-5-nano")
        told = call("--dry-run", "--conversation", "ben", "--instructions", "Only pets.")
        assert other["learned_from"] == told["learned_from"] == 0
        assert other["usage"]["tokens"] == fresh["usage"]["tokens"]
        assert call("--dry-run", "--conversation", "ben")["learned_from"] == 21
