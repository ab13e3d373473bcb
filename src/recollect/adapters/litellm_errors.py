"""What litellm, openai's client and HTTP raise → one closed set of failures, with nothing of the conversation in their words."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto

TRANSIENT = frozenset({408, 409, 425, 429})  # and everything from 500
# Other words for OpenAI's code `context_length_exceeded`; litellm knows some of them, not all, and not the code by itself.
TOO_LONG_CODES = ("context_length_exceeded", "exceed_context_size_error", "string_above_max_length")
TOO_LONG_WORDS = (
    "maximum context length",
    "context length",
    "context window",
    "context size",
    "prompt is too long",
    "input is too long",
    "too many tokens",
)
REFUSED_CODES = ("content_policy_violation", "content_filter")
# An answer came, and litellm could not make a completion of it; it gives these a 500 of its own.
UNREADABLE = ("Invalid response object", "provider returned 'choices'")
# No key was given, so nothing was sent: litellm gives openai's word for it a 500, and others a 401 or an error without a status.
_NO_KEY = re.compile(r"missing (?:\w+ )?(?:credentials|api[ _]key)|api_key client option must be set", re.IGNORECASE)
_KEY_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9_]*_API_KEY\b")
_USAGE = re.compile(r"'usage': \{[^{}]*")
HINTS = {
    400: "check the model's name, mode= and what the endpoint supports",
    401: "check api_key",
    403: "check api_key and what it may use",
    404: "check the model's name and api_base",
    422: "check the model's name, mode= and what the endpoint supports",
}


class Kind(Enum):
    """What is to be done about a failure."""

    UNAVAILABLE = auto()  # try again
    CONFIG = auto()  # the caller must change something
    TOO_LONG = auto()  # send less
    TRUNCATED = auto()  # ask for less
    REFUSED = auto()
    INVALID = auto()  # the reply is not what was asked for
    BUDGET = auto()  # litellm's own budget, set by the application
    UNKNOWN = auto()  # a fault of ours or of a library's


class Failure(Exception):
    """A failure, in words that hold neither content nor key.

    `retry_after`: seconds that the endpoint asked to wait; `limited`: for it has a limit of requests (429). `cause`: a fault of
    the transport. `tokens`: read and written, where an answer came that litellm could not read.
    """

    def __init__(
        self,
        kind: Kind,
        problem: str,
        *,
        retry_after: float | None = None,
        limited: bool = False,
        cause: BaseException | None = None,
        tokens: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(problem)
        self.kind = kind
        self.retry_after = retry_after
        self.limited = limited
        self.cause = cause
        self.tokens = tokens


def failure(error: Exception, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Failure:
    """The failure that a foreign exception stands for. Its own words are dropped: providers quote the request in them."""
    if isinstance(error, Failure):
        return error
    kind, status = kind_of(error), status_of(error)
    wait = retry_after(error, now())
    return Failure(
        kind,
        _problem(error, kind, status),
        retry_after=wait,
        limited=status == 429 and bool(wait),
        cause=transport(error),
        tokens=_tokens(error) if kind is Kind.INVALID else None,
    )


def kind_of(error: Exception) -> Kind:
    """Classes that say it first, then the HTTP status."""
    import openai
    from litellm import exceptions as foreign

    status = status_of(error)
    if lacks_key(error):
        return Kind.CONFIG
    if status == 413 or isinstance(error, foreign.ContextWindowExceededError) or _says_too_long(error):
        return Kind.TOO_LONG
    for kind, classes in {
        Kind.REFUSED: (
            foreign.ContentPolicyViolationError,
            openai.ContentFilterFinishReasonError,
            foreign.GuardrailRaisedException,
            foreign.BlockedPiiEntityError,
            foreign.ModifyResponseException,
            foreign.SensitiveDataRouteException,
        ),
        Kind.TRUNCATED: (openai.LengthFinishReasonError,),
        Kind.INVALID: (openai.APIResponseValidationError,),
        Kind.BUDGET: (foreign.BudgetExceededError,),
        Kind.UNAVAILABLE: (openai.APIConnectionError, TimeoutError, OSError),
    }.items():
        if isinstance(error, classes):
            return kind
    if _codes(error) & set(REFUSED_CODES):
        return Kind.REFUSED
    if status == 500 and any(words in _words(error) for words in UNREADABLE):
        return Kind.INVALID
    if status is not None:
        return Kind.UNAVAILABLE if status in TRANSIENT or status >= 500 else Kind.CONFIG
    ours = isinstance(error, openai.OpenAIError | foreign.ModelNotMappedError)
    return Kind.CONFIG if ours else Kind.UNKNOWN


def lacks_key(error: Exception) -> bool:
    """Whether the request was never sent, for want of a key. (An answer of a server has headers.)"""
    answered = getattr(error, "litellm_response_headers", None) or getattr(error, "body", None)
    return not answered and _NO_KEY.search(_told(error)) is not None


def _says_too_long(error: Exception) -> bool:
    if status_of(error) != 400:
        return False
    words = _words(error).casefold()
    return bool(_codes(error) & set(TOO_LONG_CODES)) or any(word in words for word in TOO_LONG_WORDS)


def _words(error: Exception) -> str:
    return str(getattr(error, "message", ""))


def _told(error: Exception) -> str:
    """All that it says; not by `str`, which some of litellm's have written themselves, and which may fail."""
    return " ".join(map(str, (_words(error), *error.args)))


def _codes(error: Exception) -> set[str]:
    body = getattr(error, "body", None)
    given = [getattr(error, "code", None), *((body.get("code"), body.get("type")) if isinstance(body, dict) else ())]
    return {code for code in given if isinstance(code, str)}


def _tokens(error: Exception) -> tuple[int, int]:
    """Read and written, as the unreadable answer told them: litellm quotes it whole. The last quote is the answer's own."""
    usage = (_USAGE.findall(_words(error)) or [""])[-1]
    read, written = (re.search(rf"'{name}': (\d+)", usage) for name in ("prompt_tokens", "completion_tokens"))
    return int(read[1]) if read else 0, int(written[1]) if written else 0


def status_of(error: Exception) -> int | None:
    """The HTTP status, where one is known."""
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) and not isinstance(status, bool) and status >= 100 else None


def retry_after(error: Exception, now: datetime) -> float | None:
    """Seconds to wait by the header Retry-After, which gives seconds or an HTTP date. None without it."""
    response = getattr(error, "response", None)
    for headers in (getattr(error, "litellm_response_headers", None), getattr(response, "headers", None)):
        if headers and (given := headers.get("retry-after")):
            return parse_retry_after(str(given), now)
    return None


def parse_retry_after(given: str, now: datetime) -> float | None:
    """RFC 9110, 10.2.3. None for what is neither seconds nor a date."""
    try:
        seconds = float(given)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(given).astimezone(UTC) - now).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def transport(error: BaseException) -> BaseException | None:
    """The first link of the chain that is a fault of the transport: its words are of hosts and sockets, never of content."""
    import httpx

    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        if isinstance(link, httpx.TransportError | OSError):
            return link
        seen.add(id(link))
        link = link.__cause__ or link.__context__
    return None


def _no_answer(error: Exception, said: str) -> str:
    """litellm gives a 500 of its own to a broken connection and to an answer that is no completion."""
    if (cause := transport(error)) is not None:
        return f"no answer ({type(cause).__name__})"
    if status_of(error) == 500 and not getattr(error, "litellm_response_headers", None):
        return "no usable answer (an error of the server's, or not the protocol that was expected: check api_base)"
    return f"no answer ({said})"


def _problem(error: Exception, kind: Kind, status: int | None) -> str:
    name = type(error).__name__
    if kind is Kind.CONFIG and lacks_key(error):
        variable = _KEY_VARIABLE.search(_told(error))
        return (
            f"it has no key: set {f'${variable[0]}' if variable else 'the variable of its provider'}, or give api_key"
        )
    said = f"HTTP {status}, {name}" if status is not None else name
    match kind:
        case Kind.TOO_LONG:
            return f"the request is longer than the model's context ({said})"
        case Kind.CONFIG:
            return (
                f"the request was refused ({said}): {HINTS.get(status or 0, 'check the model name, key and address')}"
            )
        case Kind.REFUSED:
            return f"a content filter refused ({said})"
        case Kind.TRUNCATED:
            return "the reply ended at the model's limit of tokens"
        case Kind.INVALID:
            return f"the reply was not in the form that was asked for ({said})"
        case Kind.BUDGET:
            return "the budget that the application gave litellm is used up"
        case Kind.UNAVAILABLE:
            return _no_answer(error, said)
        case _:
            return f"the call failed: {said}"
