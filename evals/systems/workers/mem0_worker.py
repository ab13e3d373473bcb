"""mem0 under test: run by the Python of an environment that has it. See `worker_protocol`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from worker_protocol import serve

TOGETHER = 2  # messages per add, as in mem0's own evaluation on dialogues
MOST = 100_000
KEYS = ("OPENROUTER_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE")


class Mem0:
    """One store, a user per conversation."""

    def open(
        self,
        folder: str,
        llm: str,
        api_base: str | None,
        api_key: str | None,
        embedder: str,
        embedder_api_base: str,
        dim: int,
    ) -> dict[str, Any]:
        """Make or open the store; the version, and which optional parts of its search are installed."""
        # Read while mem0 is imported: no telemetry, no notices, nothing in the user's home, no key but the one given.
        os.environ.update(MEM0_TELEMETRY="False", MEM0_DIR=str(Path(folder) / "mem0"))
        for name in KEYS:
            os.environ.pop(name, None)
        mem0 = import_module("mem0")
        if import_module("mem0.memory.telemetry").MEM0_TELEMETRY:
            raise RuntimeError("mem0's telemetry is on")
        self._paid = {"calls": 0, "input_tokens": 0, "output_tokens": 0}
        self._folder = Path(folder)
        vectors = {"model": embedder, "openai_base_url": embedder_api_base, "api_key": "none"}
        store = {"collection_name": "eval", "path": f"{folder}/qdrant", "embedding_model_dims": dim, "on_disk": True}
        self._memory = mem0.Memory.from_config(
            {
                "llm": language(llm, api_base, api_key, self._count),
                "embedder": {"provider": "openai", "config": vectors},
                "vector_store": {"provider": "qdrant", "config": store},
                "history_db_path": f"{folder}/history.db",
            }
        )
        optional = {package: installed(package) for package in ("fastembed", "spacy")}
        return {"version": version("mem0ai"), **optional, "messages_per_add": TOGETHER}

    def _count(self, _client: object, response: Any, _request: object) -> None:
        usage = getattr(response, "usage", None)
        self._paid["calls"] += 1
        self._paid["input_tokens"] += getattr(usage, "prompt_tokens", 0) or 0
        self._paid["output_tokens"] += getattr(usage, "completion_tokens", 0) or 0

    def ingest(self, conversation: dict[str, Any], progress: Callable[[int], None]) -> dict[str, Any]:
        """Add what is not added yet, `TOGETHER` messages at once. What an interrupted add left is taken back first."""
        user, ledger = conversation["id"], self._folder / "added.jsonl"
        done = len(paid_for(ledger, user))
        for memory in self._all(user):
            if (memory.get("metadata") or {}).get("add", 0) >= done:
                self._memory.delete(memory["id"])
        for number, turns in enumerate(adds(conversation)):
            if number >= done:
                before = dict(self._paid)
                self._add(user, number, turns)
                paid = {name: self._paid[name] - before[name] for name in before}
                with ledger.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"conversation": user, "paid": paid}) + "\n")
                progress(number + 1)
        paid_in_all = paid_for(ledger, user)
        spent = {name: sum(one[name] for one in paid_in_all) for name in self._paid}
        return {"memories": len(self._all(user)), "spent": spent}

    def _add(self, user: str, number: int, turns: list[dict[str, Any]]) -> None:
        said = next((turn["at"] for turn in turns if turn["at"]), None)
        metadata = {"add": number, "turns": [turn["id"] for turn in turns]}
        self._memory.add(
            [{"role": turn["role"], "content": content(turn)} for turn in turns],
            user_id=user,
            metadata={**metadata, "created_at": said} if said else metadata,
            prompt=f"The new messages were said on {said}. Take that as the Observation Date." if said else None,
        )

    def search(self, conversation: str, question: str, asked_at: str | None, limit: int) -> list[dict[str, Any]]:  # noqa: ARG002 -- mem0 takes no date
        """The best first. A memory stands for the turns of the add that it came with: mem0 keeps no sources."""
        found = self._memory.search(question, top_k=limit, filters={"user_id": conversation})["results"]
        return [item(memory) for memory in found]

    def stored(self, conversation: str) -> list[dict[str, Any]]:
        """All memories. mem0 only adds, so none has ended."""
        return [{**item(memory), "live": True} for memory in self._all(conversation)]

    def close(self) -> None:
        """Let go of the store."""
        self._memory.close()

    def _all(self, user: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._memory.get_all(filters={"user_id": user}, top_k=MOST)["results"]
        return found


def language(llm: str, api_base: str | None, api_key: str | None, count: Callable[..., None]) -> dict[str, Any]:
    """A litellm name as mem0 takes it: its own client for OpenAI's protocol, its litellm provider for others."""
    provider, _, model = llm.partition("/")
    if provider == "openai":
        told: dict[str, Any] = {"model": model, "api_key": api_key or "none", "response_callback": count}
        return {"provider": "openai", "config": {**told, **({"openai_base_url": api_base} if api_base else {})}}
    return {"provider": "litellm", "config": {"model": llm, **({"api_key": api_key} if api_key else {})}}


def content(turn: dict[str, Any]) -> str:
    """Who speaks stands in the text, as in mem0's own evaluation: a message's `name` it leaves out."""
    text: str = turn["text"]
    return text if turn["speaker"] == turn["role"] else f"{turn['speaker']}: {text}"


def adds(conversation: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """The turns of each add, session by session."""
    for session in conversation["sessions"]:
        turns = session["turns"]
        yield from (turns[start : start + TOGETHER] for start in range(0, len(turns), TOGETHER))


def item(memory: dict[str, Any]) -> dict[str, Any]:
    """A memory as the protocol has it."""
    turns = (memory.get("metadata") or {}).get("turns", [])
    told = {"id": memory["id"], "text": memory["memory"], "turns": turns}
    return {**told, "score": memory.get("score"), "at": memory.get("created_at")}


def paid_for(ledger: Path, user: str) -> list[dict[str, int]]:
    """What was paid for each add of a conversation that was completed."""
    if not ledger.exists():
        return []
    lines = ledger.read_text(encoding="utf-8").split("\n")[:-1]  # a torn last line was not completed
    return [one["paid"] for one in map(json.loads, lines) if one["conversation"] == user]


def installed(package: str) -> str | None:
    """A package's version; None where it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    serve(Mem0())
