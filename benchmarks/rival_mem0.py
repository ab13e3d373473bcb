"""mem0's search over given vectors, run by the Python of an environment that has mem0: see `scale.py`.

The memories are put into its vector store as its own `add` does, without a model; a question's vector is looked up, so that what
is measured is mem0 alone. Nothing is sent anywhere.

python rival_mem0.py faiss|qdrant FILE.npz FOLDER
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import uuid
from importlib.metadata import version
from pathlib import Path
from typing import Any

USER = "user1"
AT_ONCE = 1_000


def opened(store: str, folder: Path, dim: int) -> Any:
    """mem0 with its own defaults, but for where things are."""
    os.environ.update(MEM0_TELEMETRY="False", MEM0_DIR=str(folder / "mem0"), OPENAI_API_KEY="none")
    from mem0 import Memory

    places: dict[str, dict[str, Any]] = {
        "faiss": {"path": str(folder / "faiss"), "distance_strategy": "inner_product", "normalize_L2": True},
        "qdrant": {"path": str(folder / "qdrant"), "on_disk": True},
    }
    config = {"collection_name": "bench", "embedding_model_dims": dim, **places[store]}
    return Memory.from_config(
        {
            "vector_store": {"provider": store, "config": config},
            "history_db_path": str(folder / "history.db"),
            "embedder": {"provider": "openai", "config": {"api_key": "none", "embedding_dims": dim}},
        }
    )


def main() -> None:
    """Put, search, print the milliseconds of the processor per search."""
    import numpy as np

    store, file, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    data = np.load(file)
    memory = opened(store, folder, data["memories"].shape[1])
    texts, vectors = [str(text) for text in data["texts"]], data["memories"].tolist()
    for start in range(0, len(texts), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        payloads = [
            {
                "data": text,
                "hash": hashlib.md5(text.encode()).hexdigest(),
                "user_id": USER,
                "created_at": "2026-01-01T00:00:00+00:00",
                "updated_at": "2026-01-01T00:00:00+00:00",
                "text_lemmatized": text.lower(),
            }
            for text in texts[part]
        ]
        ids = [str(uuid.uuid4()) for _ in payloads]
        memory.vector_store.insert(vectors=vectors[part], payloads=payloads, ids=ids)
    questions = [str(text) for text in data["questions"]]  # a question may come again
    asked = dict(zip(questions, data["asked"].tolist(), strict=True))
    memory.embedding_model.embed = lambda text, *_: asked[text]
    taken, found = [], 0
    for text in [questions[0], *questions]:  # the first one warms
        start_at = time.process_time()
        found += len(memory.search(text, filters={"user_id": USER}, top_k=10)["results"])
        taken.append((time.process_time() - start_at) * 1000)
    print(json.dumps({"ms": taken[1:], "found": found, "version": version("mem0ai")}))


if __name__ == "__main__":
    main()
