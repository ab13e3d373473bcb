"""A code assistant's project memory: what was decided, by whom, and what it replaced. It is read from the git log.

The one idea: a project is a user. `user_id="heron"` walls it off from all others, a commit is one `add` under its own hash, so
that learning again takes in only what is new, and a decision that replaces an older one supersedes it.

    python examples/project_memory.py learn examples/heron.log          # or a checkout: learn ~/src/heron
    python examples/project_memory.py ask "Which job queue do we use?"
    python examples/project_memory.py ask "Which job queue do we use?" --as-of 2026-02-01
    python examples/project_memory.py why "job queue"
    python examples/project_memory.py brief                             # to be pasted before an assistant's first task

Offline by default; `--llm openai/gpt-5-mini` (or $RECOLLECT_LLM) reads more out of the same log.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from answering import NoAnswer, reply

from recollect import Memory
from recollect.errors import RecollectError

COMMIT = re.compile(
    r"^commit (?P<sha>[0-9a-f]{7,40}).*?^Author: (?P<who>.+?) <.*?^Date: +(?P<at>\S+)\n(?P<text>.*)", re.M | re.S
)


def log_of(source: Path) -> str:
    """What git prints of a checkout, or printed into a file (`git log --reverse --date=iso-strict > FILE`)."""
    if source.is_file():
        return source.read_text(encoding="utf-8")
    command = ["git", "-C", str(source), "log", "--reverse", "--no-merges", "--date=iso-strict"]
    printed = subprocess.run(command, check=False, capture_output=True, text=True)
    if printed.returncode:
        sys.exit(printed.stderr.strip())
    return printed.stdout


def commits(log: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Hash and message of each commit, oldest first. The author is the speaker."""
    for one in re.split(r"(?=^commit [0-9a-f]{7,40})", log, flags=re.M):
        if match := COMMIT.match(one):
            text = "\n".join(line.strip() for line in match["text"].strip().splitlines())
            yield match["sha"], {"role": "user", "name": match["who"], "content": text, "timestamp": match["at"]}


def learn(memory: Memory, project: str, source: Path) -> None:
    """Remember every commit, and tell what is new. A commit that is known returns its first result, and changes nothing."""
    started = datetime.now(UTC)
    for sha, message in commits(log_of(source)):
        result = memory.add(message, user_id=project, metadata={"commit": sha[:10]}, idempotency_key=sha)
        for change in result.changes:
            if change.recorded_at >= started and change.memory:
                was = f"   (was: {change.previous_text})" if change.previous_text else ""
                print(f"{sha[:10]}  {change.op:<6} {change.memory.text}{was}")


def ask(memory: Memory, project: str, question: str, as_of: str | None, model: str | None) -> None:
    """Answer from what holds now, or held then."""
    context = memory.context(question, user_id=project, as_of=as_of)
    hits = memory.search(question, user_id=project, as_of=as_of)
    print(reply([{"role": "user", "content": f"{context}\n\n{question}"}], hits, model))


def why(memory: Memory, project: str, topic: str) -> None:
    """The decision on a topic, the commit and the words that it rests on, and what it replaced."""
    for hit in memory.search(topic, user_id=project, limit=1):
        print(hit.text)
        for source in memory.sources(hit.id, user_id=project):
            print(f"  {source.speaker}, {source.said_at:%Y-%m-%d}, commit {hit.metadata['commit']}: “{source.quote}”")
        for change in memory.history(hit.id, user_id=project):
            if change.previous_text:
                print(f"  replaced: {change.previous_text}")


def brief(memory: Memory, project: str) -> None:
    """All that an assistant should know before it begins, conventions first."""
    known = memory.get_all(user_id=project)
    for heading, wanted in (("Conventions", True), ("Decisions", False)):
        print(f"{heading}:")
        for item in known:
            if (item.kind in ("instruction", "preference")) is wanted:
                print(f"- {item.text}")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="A project's memory, from its git log.")
    parser.add_argument("what", choices=["learn", "ask", "why", "brief"])
    parser.add_argument("about", nargs="?", default=".", help="a checkout or a log; a question; a topic")
    parser.add_argument("--project", default="heron")
    parser.add_argument("--as-of", help="a date: what held then")
    parser.add_argument("--store", help="the memory's folder (default: $RECOLLECT_HOME or the data folder)")
    parser.add_argument("--llm", help="any litellm name (default: $RECOLLECT_LLM, else rules)")
    given = parser.parse_args(arguments)
    try:
        with Memory(given.store, llm=given.llm) as memory:
            if given.what == "learn":
                learn(memory, given.project, Path(given.about))
            elif given.what == "ask":
                ask(memory, given.project, given.about, given.as_of, given.llm)
            elif given.what == "why":
                why(memory, given.project, given.about)
            else:
                brief(memory, given.project)
    except (RecollectError, NoAnswer) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
