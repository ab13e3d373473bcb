"""A language model asked for a plain reply, which comes in pieces as it is written. For `recollect chat`."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..budget import meter
from ..errors import BudgetExceeded, InvalidInput, ModelConfigError
from ..usage import Usage
from . import litellm_setup as setup
from .litellm_errors import Failure, Kind, failure
from .litellm_model import DEADLINE, ERRORS, TIMEOUT
from .retry import Patience


class LitellmChat:
    """A model by its litellm name. `used`: what its replies cost so far, by tokens that are estimated (four bytes each).

    `timeout`: seconds until the reply begins, and between its pieces. Raises ModelConfigError for an `api_base` without a key.
    """

    def __init__(
        self, model: str, *, api_base: str | None = None, api_key: str | None = None, timeout: float | None = None
    ) -> None:
        if timeout is not None and not timeout > 0:
            raise InvalidInput("timeout", "must be more than 0 seconds")
        setup.check_address(api_base, api_key, ModelConfigError)
        self.name = model
        self.used = Usage()
        given = {"api_base": api_base, "api_key": api_key, "timeout": timeout or TIMEOUT}
        self._always: dict[str, Any] = {"model": model, "stream": True, "drop_params": True, **setup.ONE_LAYER}
        self._always |= {key: value for key, value in given.items() if value is not None}

    def reply(self, messages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """The reply's pieces. Tried again, as `LitellmModel` is, until the first piece is there; left early, the request is
        given up. Charged to the budget's meter in force. Raises ModelError and its subclasses, BudgetExceeded. Blocking."""
        litellm = setup.load()
        read = setup.count_tokens("".join(str(message.get("content") or "") for message in messages))
        written: list[str] = []
        problem: Failure | None = None
        with meter().call(Usage(1, read, 0, setup.price_of(litellm, self.name, read))) as charge:
            try:
                with setup.our_call():
                    stream = self._begun(litellm, messages)
                    for piece in stream:
                        written.append(piece)
                        yield piece
            except Failure as error:
                problem = error
            finally:
                if problem is None or written:
                    charge.actual = self._paid(litellm, read, "".join(written))
        if problem is None:
            return
        # Outside of the handler: what failed may quote the conversation and must not hang on to what is raised.
        if problem.kind is Kind.BUDGET:
            raise BudgetExceeded(str(problem))
        raise ERRORS[problem.kind](f"{self.name}: {problem}") from problem.cause

    def _paid(self, litellm: Any, read: int, text: str) -> Usage:
        written = setup.count_tokens(text) if text else 0
        paid = Usage(1, read, written, setup.price_of(litellm, self.name, read, written))
        self.used += paid
        return paid

    def _begun(self, litellm: Any, messages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """The pieces, the first of which is there. Raises Failure."""
        from tenacity import Retrying

        patience = Patience(time.monotonic() + DEADLINE, time.monotonic)
        first, rest = Retrying(**patience.policy())(self._try, litellm, messages)
        return itertools.chain([first], rest)

    def _try(self, litellm: Any, messages: Sequence[Mapping[str, Any]]) -> tuple[str, Iterator[str]]:
        pieces = _pieces(litellm, {**self._always, "messages": [dict(one) for one in messages]})
        return next(pieces), pieces


def _pieces(litellm: Any, request: dict[str, Any]) -> Iterator[str]:
    """Texts of a stream, none of them empty. Raises Failure, also where the reply has no text at all."""
    some = False
    found: Failure | None = None
    finish = None
    try:
        for part in litellm.completion(**request):
            choice = part.choices[0] if part.choices else None
            text = getattr(getattr(choice, "delta", None), "content", None)
            finish = getattr(choice, "finish_reason", None) or finish
            if text:
                some = True
                yield str(text)
    except Exception as error:  # noqa: BLE001 — whatever litellm and its providers raise leaves as ours
        found = failure(error)
    if found is not None:
        raise found
    if not some:
        refused = finish == "content_filter"
        raise Failure(Kind.REFUSED if refused else Kind.INVALID, "the reply is empty")
