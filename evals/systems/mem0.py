"""mem0 as a rival: the same data, model and vectors, in an environment of its own. Its worker is `workers/mem0_worker.py`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from recollect.errors import InvalidInput
from recollect.ports import Embedder
from recollect.testing import ModelEndpoint
from recollect.usage import Usage

from ..model import Conversation, Ingested
from .external import PATIENCE, WORKERS, External, Worker, missing
from .recollect import Access

MESSAGES = 2  # per add, see the worker
PROMPT_TOKENS, REPLY_TOKENS = 9_500, 150  # of an add: mem0 2.2.1 on a LoCoMo conversation, rounded up
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
        self._llm = access.llm
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

    def ingest(self, conversation: Conversation) -> Ingested:
        """See `External`; with what the calls cost by the local price list, None where that does not know the model."""
        told = super().ingest(conversation)
        if not told.spent.calls:
            return told
        usd = self._price(Usage(told.spent.calls, told.spent.input_tokens, told.spent.output_tokens)).cost_usd
        return replace(told, spent=replace(told.spent, usd=usd))

    def estimate(self, conversation: Conversation) -> Usage:
        """What taking a conversation in would cost: a call an add, each with mem0's prompt."""
        adds = sum(-(-len(session.turns) // MESSAGES) for session in conversation.sessions)
        return self._price(Usage(adds, adds * PROMPT_TOKENS, adds * REPLY_TOKENS))

    def _price(self, usage: Usage) -> Usage:
        from recollect.adapters.litellm_model import LitellmModel

        return replace(usage, cost_usd=LitellmModel(self._llm).price(usage))

    def close(self) -> None:
        """End the worker and the endpoint."""
        super().close()
        self._endpoint.__exit__()
