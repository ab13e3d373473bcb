"""Writes a store with mem0 itself: run by the Python of an environment that has it, told on standard input what to write.

python mem0_writer.py CONFIG.json < [{"add": {…}}, {"update": [n, {…}]}, {"delete": n}]     # n: which of the added ones

Prints the ids of what was added, as JSON."""

import json
import os
import sys
from pathlib import Path

config = json.loads(Path(sys.argv[1]).read_text("utf-8"))
os.environ.update(MEM0_TELEMETRY="False", MEM0_DIR=str(Path(sys.argv[1]).parent / "mem0"), OPENAI_API_KEY="none")
out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
from mem0 import Memory  # noqa: E402 -- reads the environment

memory, ids = Memory.from_config(config), []
for step in json.load(sys.stdin):
    if "add" in step:
        text = step["add"].pop("text")
        added = memory.add([{"role": step["add"].pop("role", "user"), "content": text}], infer=False, **step["add"])
        ids.append(added["results"][0]["id"])
    elif "update" in step:
        place, fields = step["update"]
        memory.update(ids[place], **fields)
    else:
        memory.delete(ids[step["delete"]])
memory.close()
out.write(json.dumps(ids))
out.close()
