"""Everything that a mem0 store has, read through mem0's own library by the Python of an environment that has it, as JSON lines.

python mem0_reader.py CONFIG.json FOLDER

`CONFIG.json` is what mem0 is configured with (`Memory.from_config`); FOLDER is an empty one for what mem0 writes for itself. What
comes out: {"memory": …, "history": […]} a line, {"end": N} in the end, or {"error": …}. Nothing is sent anywhere: reading needs
neither a model nor vectors, so those of the configuration are left out, and its keys with them. Standard library only.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

MOST = 10_000_000  # memories: mem0 lists as many as it is asked for
SCOPES = ("user_id", "agent_id", "run_id")


def opened(config: dict[str, Any], folder: str) -> Any:
    """mem0's Memory, without telemetry, with nothing in the user's home, and without the caller's model and embedder."""
    os.environ.update(MEM0_TELEMETRY="False", MEM0_DIR=folder, OPENAI_API_KEY="none")
    mem0 = import_module("mem0")
    if import_module("mem0.memory.telemetry").MEM0_TELEMETRY:
        raise RuntimeError("mem0's telemetry is on")
    kept: dict[str, Any] = {
        name: config[name] for name in ("vector_store", "history_db_path", "version") if name in config
    }
    where: dict[str, Any] = kept.get("vector_store", {}).get("config") or {}
    vectors: dict[str, Any] = {"api_key": "none"}
    if dim := where.get("embedding_model_dims"):
        vectors["embedding_dims"] = dim
    kept["llm"] = {"provider": "openai", "config": {"api_key": "none"}}
    kept["embedder"] = {"provider": "openai", "config": vectors}
    return mem0.Memory.from_config(kept)


def memories(memory: Any) -> Iterator[dict[str, Any]]:
    """Each once, user by user. Whose there are is asked of the vector store: mem0's own listing must be told."""
    seen = set()
    for scope, name in scopes(memory):
        for one in memory.get_all(filters={scope: name}, top_k=MOST, show_expired=True)["results"]:
            if one["id"] not in seen:
                seen.add(one["id"])
                yield one


def scopes(memory: Any) -> list[tuple[str, str]]:
    """The users; and the agents and runs of memories that have none."""
    listed = memory.vector_store.list(filters=None, top_k=MOST)
    listed = (
        listed[0] if isinstance(listed, list | tuple) and listed and isinstance(listed[0], list | tuple) else listed
    )
    found: dict[tuple[str, str], None] = {}
    for one in listed or ():
        scope = next((scope for scope in SCOPES if one.payload.get(scope)), None)
        if scope is not None:
            found[scope, one.payload[scope]] = None
    return sorted(found, key=lambda key: (SCOPES.index(key[0]), key[1]))


def tell(say: Callable[..., None], config: str, folder: str) -> None:
    """All of it."""
    try:
        memory = opened(json.loads(Path(config).read_text(encoding="utf-8")), folder)
    except ModuleNotFoundError as error:
        say(error="missing", module=error.name)
        return
    count = 0
    for one in memories(memory):
        say(memory=one, history=memory.history(one["id"]))
        count += 1
    say(end=count)


def main() -> None:
    """What mem0 prints goes to standard error, so that the lines stay whole; so do an error's own words."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    sys.stdout = sys.stderr

    def say(**fields: Any) -> None:
        out.write(json.dumps(fields, default=str) + "\n")
        out.flush()

    try:
        tell(say, sys.argv[1], sys.argv[2])
    except Exception as error:  # noqa: BLE001 -- told to the other side, which decides
        traceback.print_exc()
        say(error=type(error).__name__)


if __name__ == "__main__":
    main()
