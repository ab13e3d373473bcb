"""A language model as reader or judge, by recollect's own model layer: its retries, modes, budget and prices.

Calls come from threads; the model lives in one event loop of its own.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from recollect.budget import Account, Limit, Meter, metered
from recollect.build import Settings, litellm_model
from recollect.errors import InvalidInput
from recollect.ports import ChatModel, Priced
from recollect.usage import Usage

from ..model import Spent
from .work import spent, usage_of

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Said:
    """What a model said, and what it cost."""

    value: Any
    spent: Spent


class Model:
    """A model by its litellm name, or an object with `complete` (see `recollect.ports.ChatModel`). A context manager.

    `api_base`, `api_key`, `timeout`, `mode`: as for `Memory`. Calls are charged to `meter`.

    Raises InvalidInput, ModelConfigError.
    """

    def __init__(
        self,
        model: object,
        *,
        api_base: str | None = None,
        api_key: str | None = None,
        timeout: float | None = None,
        mode: str | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._model = _chat_model(model, Settings(api_base=api_base, api_key=api_key, timeout=timeout, mode=mode))
        self._meter = meter or Meter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="eval-model", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """What records call it."""
        return self._model.name

    def ask(self, messages: Sequence[Mapping[str, str]], reply: type[T]) -> Said:
        """One reply; waits for it. Raises ModelError, BudgetExceeded."""
        began = time.perf_counter()
        completion = asyncio.run_coroutine_threadsafe(self._complete(messages, reply), self._loop).result()
        seconds = time.perf_counter() - began
        return Said(completion.value, spent(completion.usage, seconds))

    def price(self, usage: Usage) -> float | None:
        """US dollars; None where it is not known."""
        return self._model.price(usage) if isinstance(self._model, Priced) else None

    def close(self) -> None:
        """Let go of connections and of the thread."""
        asyncio.run_coroutine_threadsafe(self._model.aclose(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _complete(self, messages: Sequence[Mapping[str, str]], reply: type[T]) -> Any:
        with metered(self._meter):
            return await self._model.complete(messages, reply)


def _chat_model(model: object, settings: Settings) -> ChatModel:
    if hasattr(model, "complete"):
        return model  # type: ignore[return-value]  # its shape was just checked
    if not isinstance(model, str) or model in ("", "rules"):
        raise InvalidInput("model", "a reader or a judge is a language model's name, such as openai/gpt-5-mini")
    return litellm_model(model, settings)


def meter_of(limit: Limit | None, before: Spent) -> Meter:
    """A run's budget, in which what earlier sittings paid counts."""
    return Meter(() if limit is None else (Account("run", limit, usage_of(before)),))
