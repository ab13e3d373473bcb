"""A child process that adds many short turns at once, by the verb or by the command line, and tells the most memory it took.

python long_input.py add|ingest TURNS FOLDER
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import sys
from pathlib import Path

from recollect import Memory
from recollect.adapters.minilm import MiniLM
from recollect.testing import HashEmbedder


def text(n: int) -> str:
    """Mostly small talk, as long inputs are; every tenth is something to remember."""
    return f"I bought {n} books in Rome." if n % 10 == 0 else f"Thanks a lot, that is really good to know, number {n}!"


def add(folder: Path, turns: int) -> int:
    """By the verb, each turn a memory."""
    with Memory(folder, embedder=HashEmbedder()) as memory:
        said = [{"role": "user", "content": text(n)} for n in range(turns)]
        return len(memory.add(said, user_id="u", infer=False).turn_ids)


def ingest(folder: Path, turns: int) -> int:
    """By the command line, one conversation of one session, with the rules."""
    from recollect.surfaces.cli.commands import app

    embedder = HashEmbedder(MiniLM.dim)
    MiniLM.embed = lambda self, texts: embedder.embed(texts)  # type: ignore[method-assign]
    folder.mkdir()
    file = folder / "talk.jsonl"
    with file.open("w", encoding="utf-8") as lines:
        for n in range(turns):
            lines.write(json.dumps({"role": "user", "content": text(n), "conversation": "u"}) + "\n")
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.suppress(SystemExit):
        app(["--store", str(folder / "store"), "ingest", str(file)])
    with Memory(folder / "store") as memory:
        return memory.stats(user_id="u").turns


def peak() -> int:
    """Bytes. Linux counts what the parent took into `ru_maxrss`, so there its own high-water mark is read."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) * 1024  # type: ignore[index]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    how, turns, folder = sys.argv[1:]
    added = {"add": add, "ingest": ingest}[how](Path(folder), int(turns))
    print(json.dumps({"turns": added, "peak": peak()}))
