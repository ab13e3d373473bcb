"""A study-notes helper: notes are kept word for word, the diary between them becomes facts with dates.

The one idea: `infer=False` keeps a text whole, as a memory; without it the same verb extracts facts. A note's words are the
user's own and must not be rewritten. "I met Jonas yesterday" is worth more as a fact of the day before.

    python examples/study_notes.py read examples/notes       # files called YYYY-MM-DD.md; lines with "- " are notes
    python examples/study_notes.py ask "Where does the Calvin cycle happen?"
    python examples/study_notes.py when Jonas                # the timeline of a person, a place, a work
    python examples/study_notes.py list --since 2026-03-10

Offline by default; `--llm openai/gpt-5-mini` (or $RECOLLECT_LLM) extracts the diary and answers from the notes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from answering import NoAnswer, reply

from recollect import Memory
from recollect.errors import RecollectError

ME = "me"


def read(memory: Memory, folder: Path) -> None:
    """Remember the notes of a folder. Read again, nothing is there twice: a line is known by its file and its words."""
    before = memory.count(user_id=ME)
    files = sorted(folder.glob("????-??-??.md"))
    if not files:
        sys.exit(f"no notes called YYYY-MM-DD.md in {folder}")
    for file in files:
        title, *lines = (line for line in file.read_text(encoding="utf-8").splitlines() if line)
        told = {"file": file.name, "topic": title.lstrip("# ")}
        for line in lines:
            note = line.startswith("- ")
            memory.add(
                {"role": "user", "content": line.removeprefix("- "), "timestamp": f"{file.stem}T18:00:00"},
                user_id=ME,
                session_id=file.stem,
                metadata={**told, "note": note},
                infer=not note,
                idempotency_key=f"{file.name}: {line}",
            )
    print(f"{memory.count(user_id=ME) - before} new, {memory.count(user_id=ME)} in all")


def ask(memory: Memory, question: str, model: str | None) -> None:
    """Answer from the notes, and say where it stands."""
    hits = memory.search(question, user_id=ME, metadata_filter={"note": True}, min_score=0.3, limit=3)
    told = "\n".join(f"- {hit.text} ({hit.metadata['file']})" for hit in hits)
    print(reply([{"role": "user", "content": f"From my notes alone:\n{told}\n\n{question}"}], hits[:1], model))
    for hit in hits[:1]:
        print(f"  {hit.metadata['file']}, {hit.metadata['topic']}")


def when(memory: Memory, name: str) -> None:
    """What happened with somebody or something, in the order of time."""
    for entry in memory.timeline(user_id=ME, entity=name).entries:
        print(f"{entry.start:%Y-%m-%d}  {entry.text}")


def show(memory: Memory, since: str) -> None:
    """What was written down since then, oldest first."""
    for item in memory.get_all(user_id=ME, metadata_filter={"note": True, "valid_from": {"gte": since}}):
        print(f"{item.valid_from:%Y-%m-%d}  {item.text}")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Notes that can be asked.")
    parser.add_argument("what", choices=["read", "ask", "when", "list"])
    parser.add_argument("about", nargs="?", default="", help="a folder; a question; a name")
    parser.add_argument("--since", default="0001-01-01", help="for list: a date")
    parser.add_argument("--store", help="the memory's folder (default: $RECOLLECT_HOME or the data folder)")
    parser.add_argument("--llm", help="any litellm name (default: $RECOLLECT_LLM, else rules)")
    given = parser.parse_args(arguments)
    try:
        with Memory(given.store, llm=given.llm) as memory:
            if given.what == "read":
                read(memory, Path(given.about))
            elif given.what == "ask":
                ask(memory, given.about, given.llm)
            elif given.what == "when":
                when(memory, given.about)
            else:
                show(memory, given.since)
    except (RecollectError, NoAnswer) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
