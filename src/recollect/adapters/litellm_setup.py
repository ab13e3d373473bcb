"""litellm, loaded on first use and made quiet: no price list from the net, nothing of a conversation in a log or on stdout."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import threading
import warnings
from collections.abc import Coroutine, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Literal
from urllib.parse import urlsplit

from ..errors import RecollectError

Mode = Literal["json_schema", "tools", "md_json"]

# litellm and instructor log requests and replies, in errors too; openai's client and the HTTP libraries do at DEBUG.
SILENT = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "instructor")
NO_DEBUG = ("openai", "httpx", "httpcore", "aiohttp")
# litellm asks these providers' servers what a model can do, at every look-up, the event loop waiting.
ASKS_ITS_SERVER = ("lemonade", "github_copilot")


class _NoRetries(int):
    """A zero that counts as given: litellm's `embedding` takes a plain 0 for "not said", and retries twice."""

    def __bool__(self) -> bool:
        return True


# One layer retries, and it is ours (`retry.py`): both of litellm's own are off.
ONE_LAYER = {"max_retries": _NoRetries(0), "num_retries": 0}

# Where litellm's users put what they want to be told of each call.
LISTENERS = ("callbacks", "success_callback", "_async_success_callback")

_ours: ContextVar[bool] = ContextVar("ours", default=False)
_lock = threading.Lock()
_loaded: Any = None


def load() -> Any:
    """The module litellm. The first call takes seconds (2–5 s of CPU, 200 MB)."""
    global _loaded
    with _lock:
        if _loaded is None:
            os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # before the import, which else fetches the price list
            _hush()  # what is logged during the import makes it import itself anew, and may deadlock
            with _no_collections():
                import litellm

            _hush()  # $LITELLM_LOG set levels anew
            litellm.suppress_debug_info = True  # else it prints to stdout
            # pydantic quotes what an odd answer holds when litellm copies it
            warnings.filterwarnings("ignore", message="Pydantic serializer warnings", category=UserWarning)
            _log_where_heard(litellm)
            _loaded = litellm
    return _loaded


@contextlib.contextmanager
def _no_collections() -> Iterator[None]:
    """Half a million objects come and stay: to look through them for garbage is a quarter of the time, all threads waiting."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _log_where_heard(litellm: Any) -> None:
    """litellm prepares a log of each call whether anybody listens or not: a tenth of the call's own time, and its worker leaves
    a task behind whenever calls change between event loops. Of our calls it does so only where somebody listens."""
    from litellm.litellm_core_utils import logging_worker

    worker: Any = logging_worker.GLOBAL_LOGGING_WORKER
    enqueue = worker.ensure_initialized_and_enqueue

    def where_heard(async_coroutine: Coroutine[Any, Any, Any]) -> None:
        if _ours.get() and not any(getattr(litellm, name) for name in LISTENERS):
            async_coroutine.close()
        else:
            enqueue(async_coroutine)

    worker.ensure_initialized_and_enqueue = where_heard


@contextlib.contextmanager
def our_call() -> Iterator[None]:
    """Around a call of ours, and what litellm starts in it."""
    token = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(token)


def _hush() -> None:
    for name in SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    for name in NO_DEBUG:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.INFO))


async def load_async() -> Any:
    """`load` without holding up the event loop."""
    return _loaded or await asyncio.to_thread(load)


def check_address(api_base: str | None, api_key: str | None, error: type[RecollectError], prefix: str = "") -> None:
    """Raises `error` where a custom address is not http(s), or has no key of its own beside it."""
    if api_base is None:
        return
    parts = urlsplit(api_base)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise error(f"{prefix}api_base must be an http:// or https:// address")
    if not api_key:
        raise error(
            f"{prefix}api_base needs {prefix}api_key beside it, for a key from the environment is never sent to a custom"
            f' address; where the server wants none, pass {prefix}api_key="none"'
        )


def default_mode(litellm: Any, model: str) -> Mode:
    """How to ask a model for JSON, by what litellm's table knows of it.

    A schema where it is known to be supported, else tools, else Markdown-JSON. So a model that the table does not know, as most
    behind a custom `api_base` are, gets Markdown-JSON, which asks for nothing but text and works everywhere; where the server
    is known to enforce schemas (llama.cpp, vLLM, LM Studio), `mode="json_schema"` is better.
    """
    provider = model.split("/", 1)[0]
    if provider in ("ollama", "ollama_chat"):
        return "json_schema"  # Ollama enforces schemas for whatever it serves

    def supports(what: str) -> bool:
        if provider in ASKS_ITS_SERVER:
            return _entry(litellm, model).get(what) is True
        return bool(getattr(litellm, what)(model=model))

    if supports("supports_response_schema"):
        return "json_schema"
    return "tools" if supports("supports_function_calling") else "md_json"


def _entry(litellm: Any, model: str) -> Mapping[str, Any]:
    """What litellm's own table, which came with the package, says of a model; empty where it does not know it."""
    if entry := litellm.model_cost.get(model):
        return dict(entry)
    provider, _, name = model.partition("/")
    entry = litellm.model_cost.get(name) or {}
    return dict(entry) if entry.get("litellm_provider") == provider else {}


def price(litellm: Any, model: str, response: Any, read: int, written: int) -> float | None:
    """What a response cost, in US dollars, as litellm worked out by its local table. None for a model that is not in it."""
    plain = price_of(litellm, model, read, written)
    # litellm's documentation says that the cost is there; it knows of cached tokens and the like.
    cost = getattr(response, "_hidden_params", {}).get("response_cost")
    return plain if plain is None or cost is None else float(cost)


def price_of(litellm: Any, model: str, read: int, written: int = 0) -> float | None:
    """What so many tokens cost, in US dollars, by the local table; None where it has no price per token.

    (litellm's own functions ask some providers for it: five seconds for a model of github_copilot.)
    """
    entry = _entry(litellm, model)
    of_read, of_written = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
    if not isinstance(of_read, int | float) or not isinstance(of_written, int | float):
        return None
    return float(read * of_read + written * of_written)


def count_tokens(text: str) -> int:
    """An estimate, for endpoints that do not say and for budgets: a token is four bytes of UTF-8, at least one."""
    return max(1, -(-len(text.encode("utf-8", "replace")) // 4))


async def close_clients() -> None:
    """Close and forget the HTTP clients that litellm keeps for the running event loop.

    litellm keys its cache of clients by loop, the loop's id last, but never closes them with the loop; an id that is used again
    would then find a dead client. Clients of other loops are left alone.
    """
    if _loaded is None:
        return
    cache = _loaded.in_memory_llm_clients_cache
    ours = f"-{id(asyncio.get_running_loop())}"
    keys = list(cache.cache_dict)  # other threads make theirs meanwhile
    for key in [key for key in keys if str(key).endswith(ours)]:
        client = cache.cache_dict[key]
        cache.delete_cache(key)
        close = getattr(client, "close", None) or getattr(client, "aclose", None)
        if close is not None:
            with contextlib.suppress(RuntimeError, OSError):  # a connection that is already gone
                await close()
