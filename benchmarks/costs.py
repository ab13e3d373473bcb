"""What 1,000 messages cost, by the estimate of `--dry-run` and litellm's price list: by model, length, and messages an add.

Nothing is sent, no key is needed. Reasoning is not in it, see docs/models.md.

python benchmarks/costs.py [--llm NAME …] [--file TALKS.jsonl]
python benchmarks/costs.py --talks      by how much the estimate is off, of talks of which is known what a model answered
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from importlib import resources
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from recollect import Memory
from recollect.build import Settings, litellm_model
from recollect.usage import Usage
from recollect_evals.datasets import load

MODELS = (
    "groq/openai/gpt-oss-20b",
    "mistral/mistral-small-latest",
    "openai/gpt-5-mini",
    "gemini/gemini-2.5-flash",
    "anthropic/claude-haiku-4-5",
)
SAMPLE = 200
AT_ONCE = (8, 2, 1)  # as the chat loop does it by default; after each exchange; message by message
Talk = list[dict[str, Any]]


def short() -> Talk:
    """The demo's messages."""
    lines = (resources.files("recollect.demo") / "conversation.jsonl").read_text(encoding="utf-8").splitlines()
    return [{key: json.loads(line)[key] for key in ("role", "name", "content", "timestamp")} for line in lines]


def usual() -> Talk:
    """Those of `changes`: people with each other and with an assistant."""
    return [
        {"role": turn.role, "name": turn.speaker, "content": turn.text, "timestamp": turn.said_at}
        for conversation in load("changes").conversations
        for turn in conversation.turns
    ]


def long() -> Talk:
    """The same, with 1,000 characters each."""
    return [{**one, "content": (one["content"] + " ") * (1000 // len(one["content"]) + 1)} for one in usual()]


def of_file(file: Path) -> Talk:
    """Messages of your own, one a line, with `role` and `content`."""
    told = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [{key: one[key] for key in ("role", "name", "content", "timestamp") if key in one} for one in told]


def asked(talk: Talk, at_once: int) -> Usage:
    """What 1,000 messages take, `at_once` an add: five times the first 200, of a shorter talk from its beginning again."""
    messages = list(islice(cycle(talk), SAMPLE))
    with tempfile.TemporaryDirectory() as folder, Memory(folder, llm=MODELS[0]) as memory:
        parts = [memory.estimate(messages[n : n + at_once]).usage for n in range(0, SAMPLE, at_once)]
    times = 1000 // SAMPLE
    return Usage(
        *(times * sum(getattr(one, f) for one in parts) for f in ("llm_calls", "input_tokens", "output_tokens"))
    )


def price(model: str, usage: Usage) -> float | None:
    """Dollars by litellm's list; None where it does not know the model."""
    return litellm_model(model, Settings()).price(usage)


def table(talk: Talk, models: Sequence[str]) -> str:
    """A row a model, a column for each way to add, as docs/models.md has it."""
    usages = [asked(talk, at_once) for at_once in AT_ONCE]
    rows = [["model", *(f"{at_once} an `add`" for at_once in AT_ONCE)], ["---"] * (1 + len(AT_ONCE))]
    for model in models:
        costs = [price(model, usage) for usage in usages]
        rows.append([f"`{model}`", *("not known" if cost is None else f"${cost:.2f}" for cost in costs)])
    rows.append(["calls", *(f"{usage.llm_calls:,}" for usage in usages)])
    tokens = [(usage.input_tokens / 1e6, usage.output_tokens / 1e6) for usage in usages]
    rows.append(["million tokens read, written", *(f"{read:.2f}, {written:.2f}" for read, written in tokens)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for each length of messages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--llm", nargs="+", default=MODELS, metavar="NAME")
    parser.add_argument("--file", type=Path, help="messages of your own, one JSON object a line")
    parser.add_argument("--talks", action="store_true", help="by how much the estimate is off, of known talks")
    given = parser.parse_args(arguments)
    if given.talks:
        import talks as known

        print(known.table())
        return
    talks = {"yours": of_file(given.file)} if given.file else {"short": short(), "usual": usual(), "long": long()}
    for name, talk in talks.items():
        mean = sum(len(one["content"]) for one in islice(cycle(talk), SAMPLE)) / SAMPLE
        print(f"{name}: 1,000 messages of {mean:.0f} characters on average\n\n{table(talk, given.llm)}\n")


if __name__ == "__main__":
    main()
