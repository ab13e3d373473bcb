"""mem0 as a rival: the same data, model and vectors, in an environment of its own. Its worker is `workers/mem0_worker.py`."""

from __future__ import annotations

import os
from pathlib import Path

from recollect.errors import InvalidInput
from recollect.ports import Embedder
from recollect.testing import ModelEndpoint

from .external import PATIENCE, WORKERS, External, Worker, missing
from .recollect import Access

PYTHON_VARIABLE = "RECOLLECT_MEM0_PYTHON"
INSTALL = (
    "python3 -m venv ~/mem0-env",
    "~/mem0-env/bin/pip install mem0ai fastembed",
    "recollect eval run … --system mem0 --mem0-python ~/mem0-env/bin/python",
)


class Mem0(External):
    """mem0 with its own defaults, Qdrant in a folder among them. It takes vectors from an endpoint only, so our embedder answers
    at one on the loopback address, as OpenAI's would."""

    def __init__(
        self, folder: Path, *, python: Path | None, access: Access, embedder: Embedder, patience: float = PATIENCE
    ) -> None:
        named = python or (Path(told) if (told := os.environ.get(PYTHON_VARIABLE)) else None)
        if named is None or not named.exists():
            raise missing("mem0", INSTALL)
        if not isinstance(access.llm, str) or access.llm == "rules":
            raise InvalidInput("llm", "mem0 needs a language model: name one by its litellm name (openai/gpt-5-mini)")
        self._endpoint = ModelEndpoint(embedder=embedder)
        self._endpoint.__enter__()
        try:
            opening = {
                "folder": str(folder.absolute()),
                "llm": access.llm,
                "api_base": access.api_base,
                "api_key": access.api_key,
                "embedder": embedder.id,
                "embedder_api_base": self._endpoint.url,
                "dim": embedder.dim,
            }
            worker = Worker(named, WORKERS / "mem0_worker.py", folder, patience)
            super().__init__("mem0", worker, opening, {"llm": access.llm, "embedder": embedder.id}, install=INSTALL)
        except BaseException:
            self._endpoint.__exit__()
            raise

    def close(self) -> None:
        """End the worker and the endpoint."""
        super().close()
        self._endpoint.__exit__()
