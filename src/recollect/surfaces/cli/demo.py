"""`recollect demo`: what it does, on a conversation that comes with the package. Fails where an answer is not found."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

from ... import Hit, Memory
from ...formats import Conversation, read
from ...ingest import ingest
from .common import FAULT, Common, console, say
from .safe import day, plain, words
from .view import View

BEST = 5  # an answer counts as found among so many hits
NEXT = """Next:  recollect add "My favorite color is blue."
       recollect search "which color do I like?"
       recollect chat        recollect ingest FILE        recollect --help"""


def run(common: Common) -> int:
    """Run it in a temporary store (or `--store`); the exit code."""
    if common.store is not None:
        return show(common)
    with tempfile.TemporaryDirectory(prefix="recollect-demo-") as folder:
        return show(replace(common, store=Path(folder) / "store"))


def show(common: Common) -> int:
    """Ingest, ask, count."""
    data = resources.files("recollect.demo")
    with resources.as_file(data / "conversation.jsonl") as file:
        talk = next(one for one in read(file, "chat") if isinstance(one, Conversation))
    questions = json.loads((data / "questions.json").read_text(encoding="utf-8"))
    own = replace(
        common, user=talk.id, llm="rules", embedder="minilm", rerank="", instructions=""
    )  # whatever the settings say
    view = View(own, talk.turns)
    if not common.json:
        say(
            f"A conversation of {talk.turns} turns in {len(talk.sessions)} sessions. What is decided about its facts:\n"
        )
    with own.open(view.on_event) as memory:
        with view.progress:
            ingest(memory, [talk])
        counted = ", ".join(f"{number} {op}" for op, number in sorted(view.ops.items()))
        if not common.json:
            say(f"\n{counted}. Ten questions, answered from memory:\n")
        ranks = [ask(memory, own, one) for one in questions]
    first, found = ranks.count(1), sum(rank is not None for rank in ranks)
    if common.json:
        told = {"decisions": dict(view.ops), "questions": len(ranks), "first": first, "found": found}
        common.answer({**told, "changes": view.changes})
    else:
        say(
            f"\n{first} of {len(ranks)} answers came first, {found} among the first {BEST}. No model, no key, no network.\n"
        )
        say(NEXT)
    missing = {"ADD", "UPDATE", "DELETE", "NONE"} - set(view.ops)
    return 0 if found == len(ranks) and not missing else FAULT


def ask(memory: Memory, common: Common, question: dict[str, Any]) -> int | None:
    """Ask one question, show the hit that answers it; its rank from 1, None where none does."""
    hits = memory.search(question["question"], user_id=common.user_id, limit=BEST)
    rank = next((i for i, hit in enumerate(hits, start=1) if question["answer"] in hit.text), None)
    if not common.json:
        show_answer(question["question"], hits[rank - 1] if rank else None)
    return rank


def show_answer(question: str, hit: Hit | None) -> None:
    """A question, its answer, and who said it when."""
    out = console()
    out.print(words(f"? {question}", "bold"))
    if hit is None:
        out.print(words("  not found", "red"))
        return
    said = "; ".join(f"{plain(one.speaker)}, {day(one.said_at)}: “{plain(one.quote)}”" for one in hit.sources[-2:])
    out.print(words(f"→ {hit.text}", "green"))
    out.print(words(said, "dim"))
