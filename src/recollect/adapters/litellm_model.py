"""A language model by its litellm name: asked in a given shape, retried in one place, counted call by call."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel

from ..budget import meter
from ..errors import (
    BudgetExceeded,
    ContextTooLong,
    InvalidInput,
    ModelConfigError,
    ModelError,
    ModelRefused,
    ModelUnavailable,
    ReplyInvalid,
    ReplyTruncated,
)
from ..ports import Completion
from ..usage import Usage
from . import litellm_setup as setup
from .litellm_errors import Failure, Kind, failure
from .litellm_reply import Unfit, asked_again, fit, json_in, reply_text, text_of
from .retry import Hold, Patience
from .shapes import shape

T = TypeVar("T", bound=BaseModel)

TIMEOUT = 60.0  # seconds for one request
DEADLINE = 180.0  # seconds for one `complete`, with its waits, retries and re-asks
REASKS = 2
SPREAD = 0.5  # seconds over which calls come back that were held together
MODES = ("json_schema", "tools", "md_json")
ERRORS: dict[Kind, type[ModelError]] = {
    Kind.UNAVAILABLE: ModelUnavailable,
    Kind.CONFIG: ModelConfigError,
    Kind.TOO_LONG: ContextTooLong,
    Kind.TRUNCATED: ReplyTruncated,
    Kind.REFUSED: ModelRefused,
    Kind.INVALID: ReplyInvalid,
    Kind.UNKNOWN: ModelError,
}


class LitellmModel:
    """`ChatModel` over any provider that litellm knows. litellm and instructor are imported by the first `complete`.

    `model`: litellm's name, such as "openai/gpt-5-mini"; "openai/NAME" for any server that speaks OpenAI's protocol at
    `api_base`, which needs an `api_key` of its own ("none" where the server wants none). `mode`: how to ask for JSON; by
    default what litellm knows the model to support, see `litellm_setup.default_mode`. `temperature` None: not sent; where
    litellm knows that a model takes none, it is left out anyway. `timeout`: seconds for one request; `deadline`: for one
    `complete` as a whole. `sleep`, `clock` (seconds, monotonic) and `now` are for tests.

    Raises ModelConfigError for an `api_base` without a key, InvalidInput for other bad arguments.
    """

    def __init__(
        self,
        model: str,
        *,
        api_base: str | None = None,
        api_key: str | None = None,
        timeout: float = TIMEOUT,
        mode: setup.Mode | None = None,
        deadline: float = DEADLINE,
        temperature: float | None = 0.0,
        max_tokens: int | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if not isinstance(model, str) or not model.strip():
            raise InvalidInput("llm", "must be the name of a model")
        if mode is not None and mode not in MODES:
            raise InvalidInput("mode", f"must be one of {', '.join(MODES)}")
        if not timeout > 0 or not deadline > 0:
            raise InvalidInput("timeout", "must be more than 0 seconds")
        setup.check_address(api_base, api_key, ModelConfigError)
        self.name = model
        self._mode = mode
        self._timeout = timeout
        self._deadline = deadline
        self._sleep, self._clock, self._now = sleep, clock, now
        self._hold = Hold(clock)
        self._always: dict[str, Any] = {"model": model, "timeout": timeout, **setup.ONE_LAYER}
        self._always |= {"temperature": temperature, "max_tokens": max_tokens, "drop_params": True}
        self._always |= {"api_base": api_base, "api_key": api_key}
        self._always = {key: value for key, value in self._always.items() if value is not None}

    async def complete(self, messages: Sequence[Mapping[str, str]], response_model: type[T]) -> Completion[T]:
        """A reply that fits `response_model`, after at most two retries and two re-asks. See `ports.ChatModel`.

        The usage is that of every request that was answered with a completion, of those re-asked for too. Where an endpoint
        does not say how many tokens it used, they are estimated (four bytes each). The cost is by litellm's own price list under
        the model's name, wherever it is served; None for a name that is not in it. A request that timed out or broke off is not
        in it: what it cost is not known.
        """
        litellm = await setup.load_async()
        work = _Work(litellm, self.name, Patience(self._clock() + self._deadline, self._clock))
        try:
            return Completion(await self._ask(work, messages, response_model), work.usage, self.name)
        except BudgetExceeded as error:
            error.usage = work.usage
            raise
        except Failure as error:
            problem = error
        # Outside of the handler: what failed may quote the conversation and must not hang on to what is raised.
        if problem.kind is Kind.BUDGET:
            raise BudgetExceeded(str(problem), usage=work.usage)
        raise ERRORS[problem.kind](f"{self.name}: {problem}", usage=work.usage) from problem.cause

    def price(self, usage: Usage) -> float | None:
        """What usage costs, in US dollars, by the local price list; None where that does not know the model. Blocking."""
        return setup.price_of(setup.load(), self.name, usage.input_tokens, usage.output_tokens)

    async def aclose(self) -> None:
        """Close litellm's HTTP clients of the running loop, and only of this one."""
        await setup.close_clients()

    async def _ask(self, work: _Work, messages: Sequence[Mapping[str, str]], response_model: type[T]) -> T:
        """Asked, and asked again with what was wrong, until the reply fits."""
        request = self._request(work.litellm, messages, response_model)
        tool = request["tools"][0]["function"]["name"] if "tools" in request else None
        problem = Unfit("")
        for _ in range(1 + REASKS):
            response = None
            try:
                response = await self._send(work, request)
                return fit(json_in(text_of(response, tool)), response_model)
            except Unfit as error:
                problem = error
            except Failure as error:
                if error.kind is not Kind.INVALID:
                    raise
                problem = Unfit("the reply could not be read", str(error))
            request["messages"] = [*request["messages"], *asked_again(response, problem, tool)]
        raise Failure(Kind.INVALID, f"no reply fitted {response_model.__name__}, {1 + REASKS} times: {problem.kinds}")

    def _request(self, litellm: Any, messages: Sequence[Mapping[str, str]], response_model: type[T]) -> dict[str, Any]:
        """The keywords of the request, in the model's mode."""
        if self._mode is None:
            self._mode = setup.default_mode(litellm, self.name)
        return {**shape(response_model, self._mode).request(messages), **self._always}

    async def _send(self, work: _Work, request: dict[str, Any]) -> Any:
        """One request, retried while the failure may pass."""
        from tenacity import AsyncRetrying

        retrying = AsyncRetrying(sleep=self._sleep, **work.patience.policy())
        return await retrying(self._try, work, request)

    async def _held(self, work: _Work) -> None:
        """Wait as long as the endpoint asked any call to; not all come back at the same moment."""
        while (left := self._hold.left) > 0:
            if left >= work.patience.left:
                raise Failure(
                    Kind.UNAVAILABLE, "the endpoint asks to wait for longer than there is time", retry_after=left
                )
            await self._sleep(left + random.uniform(0, SPREAD))

    async def _try(self, work: _Work, request: dict[str, Any]) -> Any:
        await self._held(work)
        left = min(self._timeout, work.patience.left)
        if left <= 0:
            raise Failure(Kind.UNAVAILABLE, "out of time")
        with meter().call(work.estimate(request)) as charge:
            try:
                with setup.our_call():
                    async with asyncio.timeout(left):
                        response = await work.litellm.acompletion(**request)
            except Exception as error:  # noqa: BLE001 — whatever litellm and its providers raise leaves as ours
                found = failure(error, self._now)
                if found.retry_after:
                    self._hold.lasts(found.retry_after)
                if found.tokens is not None:
                    charge.actual = work.add(request, *found.tokens)
            else:
                charge.actual = work.count(request, response)
                return response
        raise found


@dataclass(slots=True)
class _Work:
    """One `complete`: what it may still try, and what it has paid."""

    litellm: Any
    name: str
    patience: Patience
    usage: Usage = Usage()

    def estimate(self, request: dict[str, Any]) -> Usage:
        """What the request will cost at least: itself, without the reply."""
        tokens = setup.count_tokens("".join(str(message["content"]) for message in request["messages"]))
        return Usage(1, tokens, 0, setup.price_of(self.litellm, self.name, tokens))

    def count(self, request: dict[str, Any], response: Any) -> Usage:
        """Add an answered request to what was paid."""
        said = getattr(response, "usage", None)
        read, written = (_number(said, field) for field in ("prompt_tokens", "completion_tokens"))
        if not read and not written:
            return self.add(request, 0, setup.count_tokens(reply_text(response)))
        return self._add(Usage(1, read, written, setup.price(self.litellm, self.name, response, read, written)))

    def add(self, request: dict[str, Any], read: int, written: int) -> Usage:
        """Add an answer of which no more is known than its tokens; without those read they are estimated."""
        read = read or self.estimate(request).input_tokens
        return self._add(Usage(1, read, written, setup.price_of(self.litellm, self.name, read, written)))

    def _add(self, paid: Usage) -> Usage:
        self.usage += paid
        return paid


def _number(usage: Any, field: str) -> int:
    value = getattr(usage, field, None)
    return max(0, value) if isinstance(value, int) else 0
