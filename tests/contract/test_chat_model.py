"""`ChatModel` over litellm, against a real endpoint on loopback, in all three modes alike."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pydantic import BaseModel, ConfigDict, field_validator

from recollect.adapters import litellm_setup
from recollect.adapters.litellm_model import ERRORS, MODES, LitellmModel
from recollect.errors import (
    BudgetExceeded,
    ContextTooLong,
    InvalidInput,
    ModelConfigError,
    ModelError,
    ModelRefused,
    ModelUnavailable,
    RecollectError,
    ReplyInvalid,
    ReplyTruncated,
)
from recollect.testing import ModelEndpoint, Reply
from recollect.usage import Usage

SECRET = "Caroline told nobody of the operation"
MESSAGES = [{"role": "system", "content": "Extract."}, {"role": "user", "content": SECRET}]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Facts(BaseModel):
    """What was said."""

    model_config = ConfigDict(extra="forbid")

    facts: list[str]


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


def model_at(endpoint: ModelEndpoint, mode: str = "json_schema", **options) -> LitellmModel:
    time = options.pop("time", None) or Time()
    options = {"sleep": time.sleep, "clock": time.clock, "now": lambda: NOON} | options
    return LitellmModel("openai/any", api_base=endpoint.url, api_key="none", mode=mode, **options)


def ask(model: LitellmModel, response_model=Facts, messages=MESSAGES):
    async def once():
        try:
            return await model.complete(messages, response_model)
        finally:
            await model.aclose()

    return asyncio.run(once())


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("openai/gpt-5-mini", "OPENAI_API_KEY"),
        ("azure/mine", "AZURE_OPENAI_API_KEY"),
        ("anthropic/claude-haiku-4-5", "ANTHROPIC_API_KEY"),
        ("gemini/gemini-2.5-flash", "GEMINI_API_KEY"),
    ],
)
def test_a_key_that_is_missing_is_named_and_not_tried_again(name, variable, monkeypatch):
    """litellm gives openai's and Azure's a 500, Gemini's the class of a broken connection: the first mistake that there is."""
    for known in ("OPENAI", "AZURE", "AZURE_OPENAI", "ANTHROPIC", "GEMINI", "GOOGLE"):
        monkeypatch.delenv(f"{known}_API_KEY", raising=False)
    monkeypatch.setenv("AZURE_API_BASE", "http://127.0.0.1:1")
    time = Time()
    with pytest.raises(ModelConfigError, match=rf"no key: set \${variable}, or give api_key"):
        ask(LitellmModel(name, sleep=time.sleep, clock=time.clock, mode="md_json"))
    assert time.slept == []


def failing(script, mode="json_schema", **options) -> tuple[ModelError, ModelEndpoint]:
    """The error that a script ends in."""
    with ModelEndpoint(script) as endpoint, pytest.raises(RecollectError) as caught:
        ask(model_at(endpoint, mode, **options))
    assert SECRET not in str(caught.value) and caught.value.__context__ in (None, caught.value.__cause__)
    return caught.value, endpoint


every_mode = pytest.mark.parametrize("mode", MODES)


# --- what is sent, what is read --------------------------------------------------------------------------------------


@every_mode
def test_the_schema_is_where_the_mode_has_it(mode):
    with ModelEndpoint([{"facts": ["a"]}]) as endpoint:
        completion = ask(model_at(endpoint, mode))
    body = endpoint.requests[0].body
    assert completion.value == Facts(facts=["a"]) and type(completion.value) is Facts
    assert completion.model == "openai/any" and body["temperature"] == 0
    asked = {"json_schema": "response_format" in body, "tools": "tools" in body, "md_json": "```json" in str(body)}
    assert [name for name, there in asked.items() if there] == [mode]
    assert "facts" in str(body)


@every_mode
def test_user_text_is_a_value_and_never_a_template(mode):
    text = "{{ 7*7 }} {% for x in y %} {{ messages }}\n    indented  twice  {0} %s ${HOME}"
    with ModelEndpoint([{"facts": []}]) as endpoint:
        ask(model_at(endpoint, mode), messages=[{"role": "system", "content": "s"}, {"role": "user", "content": text}])
    assert endpoint.requests[0].body["messages"][1]["content"].startswith(text)


WHOLE = '{"facts": ["a", "b"]}'


@every_mode
@pytest.mark.parametrize(
    "text",
    [
        WHOLE,
        f"  \n{WHOLE}\n",
        f"\ufeff{WHOLE}",
        f"Sure! Here you are [as you asked]:\n{WHOLE}\nAnything else? {{name}} [1]",
        f"```json\n{WHOLE}\n```",
        f"```\n{WHOLE}```",
        f"Sure!\n```JSON\n{WHOLE}\n```\nDone.",
        f'<think>Is it {{"facts": []}} or [1]? ```json {{"facts": [</think>\n{WHOLE}',
        f'Maybe {{"facts": []}}.</think>\n\n{WHOLE}',
        f"{WHOLE}\n{WHOLE}".replace("\n", " and again "),
        '{"facts": ["a", "b"]}'.replace(" ", "\r\n\t"),
    ],
)
def test_what_surrounds_the_json_is_let_pass(mode, text):
    with ModelEndpoint([text]) as endpoint:
        assert ask(model_at(endpoint, mode)).value.facts == ["a", "b"]
    assert endpoint.calls == 1


def test_fences_and_tags_inside_the_json_are_text():
    said = 'He wrote ```json {"facts": []}``` and </think> and "[1]"'
    with ModelEndpoint(
        [{"facts": [said]}, Reply(f'Here: {{"facts": ["{said[:9]}```", "</think>", "x"]}}')]
    ) as endpoint:
        assert ask(model_at(endpoint)).value.facts == [said]
        assert ask(model_at(endpoint)).value.facts == ["He wrote ```", "</think>", "x"]


def test_a_line_break_within_a_string_is_let_pass():
    with ModelEndpoint(['{"facts": ["a\nb"]}']) as endpoint:
        assert ask(model_at(endpoint)).value.facts == ["a\nb"]


UNFIT = {
    "null": "null",
    "no content": Reply(None),
    "empty": "",
    "blank": "  \n ",
    "prose": "There is nothing to remember here.",
    "only thoughts": "<think>hm",
    "thoughts hold the only JSON": '<think>{"facts": []}</think> none',
    "cut in a list": '{"facts": ["a", "b',
    "cut after an object": '{"facts": [{"facts": []}, {"fac',
    "cut in prose": 'Here: {"facts": ["a"], "more": [{"facts": []}',
    "single quotes": "{'facts': ['a']}",
    "trailing comma": '{"facts": ["a",]}',
    "wrong key": {"memories": ["a"]},
    "additional key": {"facts": ["a"], "x": 1},
    "list at the top": ["a"],
    "a string at the top": '"facts"',
    "string for list": {"facts": "a"},
    "numbers for text": {"facts": [1, 2]},
    "objects for text": {"facts": [{"text": "a"}]},
    "null for list": {"facts": None},
    "NaN": '{"facts": [NaN]}',
    "infinity": '{"facts": -Infinity}',
    "deep": '{"facts": ' + "[" * 20_000 + "]" * 20_000 + "}",
    "deep and cut": '{"facts": ' + "[" * 20_000,
    "long number": '{"facts": ' + "1" * 5000 + "}",
    "lone surrogate beside a wrong key": '{"\\ud800": ["\\udfff"]}',
    "several values": '{"facts": ["a"]} or rather {"facts": ["b"]}',
    "an object each": '{"facts": ["a"]}\n{"facts": ["b"]}',
    "a hundred thousand values": "[1] " * 100_000,
    "a hundred thousand openings": "[1 " * 100_000,
    "two deep values": ("[" * 900 + "]" * 900 + " and ") * 2,
    "a megabyte of noise": "noise " * 180_000,
    "a megabyte of the wrong shape": {"facts": [{"text": "x" * 1_000_000}]},
    "no choices": Reply("x", extra={"choices": []}),
    "parts for content": Reply(None, message={"content": [{"type": "text", "text": '{"facts": []}'}]}),
}


@every_mode
@pytest.mark.parametrize("odd", UNFIT.values(), ids=UNFIT)
def test_an_unfit_reply_is_asked_for_again_at_most_twice_and_then_named(mode, odd):
    error, endpoint = failing(lambda _: odd, mode)
    assert type(error) is ReplyInvalid and error.retryable and endpoint.calls == 3
    assert error.usage == Usage(3, endpoint.input_tokens, endpoint.output_tokens, None)
    with ModelEndpoint([odd, {"facts": ["a"]}]) as endpoint:
        completion = ask(model_at(endpoint, mode))
    again = endpoint.requests[1].body["messages"]
    assert completion.value.facts == ["a"] and completion.usage.llm_calls == 2 == len(endpoint.requests)
    assert [message["role"] for message in again[-2:]] == ["assistant", "user"]
    assert sum(len(message["content"]) for message in again[-2:]) < 15_000


def test_an_answer_without_choices_is_paid_for_all_the_same():
    error, endpoint = failing(lambda _: Reply("x", extra={"choices": None}))
    assert type(error) is ReplyInvalid and error.usage.llm_calls == 3 == endpoint.calls
    assert error.usage.tokens == pytest.approx(endpoint.input_tokens + endpoint.output_tokens, rel=0.1)  # estimated


def test_what_was_wrong_is_told_to_the_model_and_not_to_the_log(caplog):
    caplog.set_level(logging.DEBUG)
    with ModelEndpoint([{"facts": [1]}, {"facts": "x"}, {"facts": ["a"]}]) as endpoint:
        ask(model_at(endpoint))
    assert "facts.0" in endpoint.requests[1].text and "valid list" in endpoint.requests[2].text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "calls",
    [
        [{"id": "1", "type": "function", "function": {"name": "Other", "arguments": WHOLE}}],
        [{"id": str(n), "type": "function", "function": {"name": "Facts", "arguments": WHOLE}} for n in range(2)],
        [{"id": None, "type": "function", "function": {"name": "Facts", "arguments": None}}],
        [{"id": "1", "type": "function", "function": {"name": "Facts", "arguments": ""}}],
    ],
    ids=["another tool", "several calls", "null arguments", "empty arguments"],
)
def test_odd_tool_calls_are_asked_for_again(calls):
    odd = Reply(None, message={"tool_calls": calls}, finish_reason="tool_calls")
    error, endpoint = failing(lambda _: odd, "tools")
    assert type(error) is ReplyInvalid and endpoint.calls == 3
    with ModelEndpoint([odd, {"facts": ["a"]}]) as endpoint:
        assert ask(model_at(endpoint, "tools")).value.facts == ["a"]


def test_json_as_text_in_place_of_the_tool_call_is_read():
    with ModelEndpoint([Reply(None, message={"content": WHOLE})]) as endpoint:
        assert ask(model_at(endpoint, "tools")).value.facts == ["a", "b"]


@every_mode
def test_the_response_models_own_validators_get_the_json_as_it_is(mode):
    seen = []

    class Lenient(BaseModel):
        facts: list[object] = []

        @field_validator("facts", mode="before")
        @classmethod
        def look(cls, value):
            seen.append(value)
            return value

    with ModelEndpoint(['{"facts": [1, NaN, "\\ud800", {"a": [null, 1e400]}]}']) as endpoint:
        ask(model_at(endpoint, mode), Lenient)
    one, nan, lone, deep = seen[0]
    assert one == 1 and nan != nan and lone == "\ud800" and deep == {"a": [None, float("inf")]}


def test_a_validator_that_breaks_is_an_unfit_reply():
    class Broken(BaseModel):
        facts: list[str]

        @field_validator("facts")
        @classmethod
        def fail(cls, value):
            raise RuntimeError(SECRET)

    with ModelEndpoint(lambda _: {"facts": []}) as endpoint, pytest.raises(ReplyInvalid) as caught:
        ask(model_at(endpoint), Broken)
    assert SECRET not in str(caught.value)


@every_mode
def test_a_truncated_reply_is_never_read_as_a_whole_one(mode):
    error, endpoint = failing([Reply({"facts": ["a"]}, finish_reason="length")], mode)
    assert type(error) is ReplyTruncated and not error.retryable
    assert error.usage == Usage(1, endpoint.input_tokens, endpoint.output_tokens, None)


@every_mode
@pytest.mark.parametrize(
    "refusal",
    [
        Reply(None, message={"refusal": f"I will not speak of: {SECRET}", "content": None}),
        Reply(None, finish_reason="content_filter"),
        Reply({"facts": []}, finish_reason="content_filter"),
    ],
    ids=["refusal", "filter", "filter with text"],
)
def test_a_refusal_is_named(mode, refusal):
    error, endpoint = failing([refusal], mode)
    assert type(error) is ModelRefused and error.usage.llm_calls == 1 == endpoint.calls


# --- failures on the way ---------------------------------------------------------------------------------------------

HTML = "<html><body>Bad gateway</body></html>"
PASSING = {
    "408": Reply(status=408),
    "409": Reply(status=409),
    "429": Reply(status=429),
    "500": Reply(status=500),
    "502 in HTML": Reply(status=502, body=HTML),
    "503": Reply(status=503),
    "504": Reply(status=504),
    "529": Reply(status=529),
    "reset": Reply(cut="reset"),
    "half a body": Reply("x" * 1000, cut="half"),
    "HTML": Reply(body=HTML),
    "half JSON": Reply(body='{"choices": ['),
    "no body": Reply(body=b""),
    "a list": Reply(body="[]"),
    "an error in a 200": Reply(body='{"error": {"message": "' + SECRET + '", "code": 500}}'),
}


@pytest.mark.parametrize("reply", PASSING.values(), ids=PASSING)
def test_what_may_pass_is_tried_three_times_in_all(reply):
    time = Time()
    error, endpoint = failing(lambda _: reply, time=time)
    assert type(error) is ModelUnavailable and error.retryable and len(endpoint.requests) == 3
    assert len(time.slept) == 2 and 0.5 <= time.slept[0] <= 1.0 and 1.0 <= time.slept[1] <= 1.5
    with ModelEndpoint([reply, reply, {"facts": ["a"]}]) as endpoint:
        assert ask(model_at(endpoint)).value.facts == ["a"]


def test_a_slow_endpoint_is_a_timeout():
    never, time = threading.Event(), Time()
    error, _ = failing(lambda _: Reply({"facts": []}, until=never), timeout=0.15, time=time)
    assert type(error) is ModelUnavailable and len(time.slept) == 2  # between three tries
    assert error.usage == Usage()


def test_nobody_listening_is_unavailable_and_keeps_its_cause():
    time = Time()
    with socket.socket() as taken, pytest.raises(ModelUnavailable) as caught:
        taken.bind(("127.0.0.1", 0))  # else another process may listen there meanwhile
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        options = {"api_key": "none", "mode": "tools", "sleep": time.sleep, "clock": time.clock}
        ask(LitellmModel("openai/any", api_base=url, **options))
    assert caught.value.__cause__ is not None and len(time.slept) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 422])
def test_what_will_not_pass_is_tried_once(status):
    reply = Reply({"error": {"message": f"bad key sk-hidden for {SECRET}", "code": None}}, status=status)
    error, endpoint = failing(lambda _: reply)
    assert type(error) is ModelConfigError and not error.retryable and len(endpoint.requests) == 1
    assert str(status) in str(error) and "check" in str(error) and "sk-hidden" not in str(error)


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (400, {"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded"}),
        (400, {"message": "the request exceeds the available context size", "type": "exceed_context_size_error"}),
        (400, {"message": "This model's maximum context length is 4096 tokens. However, you requested 5000"}),
        (413, {"message": "Payload too large"}),
    ],
    ids=["OpenAI", "llama.cpp", "vLLM", "413"],
)
def test_too_long_a_request_is_named_for_splitting(status, problem):
    error, endpoint = failing(lambda _: Reply({"error": problem}, status=status))
    assert type(error) is ContextTooLong and len(endpoint.requests) == 1


def test_a_providers_filter_is_a_refusal():
    problem = {"message": f"safety system: {SECRET}", "type": "x", "code": "content_policy_violation"}
    error, _ = failing([Reply({"error": problem}, status=400)])
    assert type(error) is ModelRefused


@pytest.mark.parametrize("given", ["7", "7.0", format_datetime(NOON + timedelta(seconds=7), usegmt=True)])
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(status, given):
    time = Time()
    with ModelEndpoint([Reply(status=status, headers={"Retry-After": given}), {"facts": []}]) as endpoint:
        ask(model_at(endpoint, time=time))
    assert time.slept == [7.0]


@pytest.mark.parametrize("given", ["soon", "-5", "nan", "1e400", "Thu, 99 Foo 2026"])
def test_a_senseless_retry_after_is_ignored(given):
    time = Time()
    with ModelEndpoint([Reply(status=429, headers={"Retry-After": given}), {"facts": []}]) as endpoint:
        ask(model_at(endpoint, time=time))
    assert len(time.slept) == 1 and time.slept[0] <= 1.0


def test_a_retry_after_beyond_the_deadline_is_not_waited_for():
    time = Time()
    error, endpoint = failing([Reply(status=429, headers={"Retry-After": "181"})], time=time)
    assert type(error) is ModelUnavailable and time.slept == [] and len(endpoint.requests) == 1


def test_what_one_call_is_asked_to_wait_holds_for_all():
    """One is refused for 7 seconds; the others, which begin while that holds, send nothing until it is over."""
    time = Time()
    replies = [Reply(status=429, headers={"Retry-After": "7"}), *[{"facts": []}] * 4]
    sent: list[float] = []

    def script(_):
        sent.append(time.at)
        return replies.pop(0)

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(0.05)  # the others are at work meanwhile
        await time.sleep(seconds)

    with ModelEndpoint(script) as endpoint:
        model = model_at(endpoint, time=time, sleep=sleep)

        async def together():
            first = asyncio.create_task(model.complete(MESSAGES, Facts))
            while model._hold.left == 0:  # noqa: ASYNC110 -- of another task
                await asyncio.sleep(0.001)
            await asyncio.gather(first, *(model.complete(MESSAGES, Facts) for _ in range(3)))
            await model.aclose()

        asyncio.run(together())
    assert sent[0] == 1000.0 and len(sent) == 5 and min(sent[1:]) >= 1007.0


def test_being_told_how_long_to_wait_is_no_failed_try():
    time = Time()
    limited = Reply(status=429, headers={"Retry-After": "5"})
    with ModelEndpoint([*[limited] * 6, {"facts": []}]) as endpoint:
        ask(model_at(endpoint, time=time))
        assert len(endpoint.requests) == 7
    assert 30 <= time.at - 1000.0 < 180
    error, endpoint = failing([limited] * 60, time=(late := Time()))
    assert type(error) is ModelUnavailable and late.at - 1000.0 < 180


def test_one_deadline_over_retries_and_re_asks():
    time = Time()

    def slow(_):
        time.at += 100
        return {"facts": "unfit"}

    error, endpoint = failing(slow, time=time)
    assert type(error) is ModelUnavailable and len(endpoint.requests) == 2
    assert error.usage.llm_calls == 2


def test_retries_are_shared_by_re_asks():
    script = [Reply(status=500), "no", Reply(status=500), "no", Reply(status=500), {"facts": []}]
    error, endpoint = failing(script)
    assert type(error) is ModelUnavailable and len(endpoint.requests) == 5 and error.usage.llm_calls == 2


def test_cancelling_passes_through():
    async def run(endpoint):
        model = model_at(endpoint)
        task = asyncio.create_task(model.complete(MESSAGES, Facts))
        await asyncio.to_thread(came.wait, 120)  # litellm may have to be loaded first
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await model.aclose()

    came = threading.Event()
    with ModelEndpoint(lambda _: came.set() or Reply({"facts": []}, until=threading.Event())) as endpoint:
        asyncio.run(run(endpoint))
    assert len(endpoint.requests) == 1


# --- every foreign exception has its place ---------------------------------------------------------------------------


def made(exception: type[Exception]) -> Exception:
    """An instance, whatever its constructor asks for, with the status of its class."""
    error = exception.__new__(exception)
    Exception.__init__(error, SECRET)
    error.message = SECRET
    status = getattr(exception, "status_code", None) or STATUS.get(exception.__name__)
    if status is not None:
        error.status_code = status
    return error


STATUS = {
    "AuthenticationError": 401,
    "BadGatewayError": 502,
    "BadRequestError": 400,
    "BlockedPiiEntityError": 400,
    "ConflictError": 409,
    "GuardrailRaisedException": 400,
    "ImageFetchError": 400,
    "InternalServerError": 500,
    "InvalidRequestError": 400,
    "LiteLLMUnknownProvider": 400,
    "MidStreamFallbackError": 503,
    "NotFoundError": 404,
    "PermissionDeniedError": 403,
    "RateLimitError": 429,
    "RejectedRequestError": 400,
    "ServiceUnavailableError": 503,
    "UnprocessableEntityError": 422,
    "UnsupportedParamsError": 400,
    "VectorStoreSearchError": 400,
}
EXPECTED = {
    ModelUnavailable: {
        "APIConnectionError",
        "APITimeoutError",
        "BadGatewayError",
        "ConflictError",
        "InternalServerError",
        "MidStreamFallbackError",
        "RateLimitError",
        "ServiceUnavailableError",
        "Timeout",
    },
    ContextTooLong: {"ContextWindowExceededError"},
    ReplyTruncated: {"LengthFinishReasonError"},
    ReplyInvalid: {"APIResponseValidationError", "JSONSchemaValidationError"},
    ModelRefused: {
        "BlockedPiiEntityError",
        "ContentFilterFinishReasonError",
        "ContentPolicyViolationError",
        "GuardrailRaisedException",
        "ModifyResponseException",
        "SensitiveDataRouteException",
    },
    BudgetExceeded: {"BudgetExceededError"},
    ModelError: {"InvalidWebhookSignatureError"},  # no error of a call
}


def foreign_exceptions() -> list[type[Exception]]:
    litellm_setup.load()
    import litellm.exceptions
    import openai

    spaces = (vars(litellm.exceptions), {name: getattr(openai, name) for name in openai.__all__})
    found = {value for space in spaces for value in space.values() if isinstance(value, type)}
    ours = {
        one for one in found if issubclass(one, Exception) and one.__module__.split(".")[0] in ("litellm", "openai")
    }
    return sorted(ours, key=lambda one: (one.__name__, one.__module__))


def test_every_exception_of_litellm_and_openai_is_mapped():
    from recollect.adapters.litellm_errors import Kind, failure

    known = foreign_exceptions()
    assert len(known) > 40
    for exception in known:
        problem = failure(made(exception))
        ours = BudgetExceeded if problem.kind is Kind.BUDGET else ERRORS[problem.kind]
        wanted = next((one for one, names in EXPECTED.items() if exception.__name__ in names), ModelConfigError)
        assert ours is wanted, exception
        assert SECRET not in str(problem)


def test_none_of_them_escapes(monkeypatch):
    for foreign in foreign_exceptions():
        error = failing_inside(foreign, monkeypatch)
        assert isinstance(error, ModelError | BudgetExceeded)


@pytest.mark.parametrize("foreign", [TypeError, KeyError, UnicodeEncodeError, RecursionError, MemoryError])
def test_nor_does_any_other(foreign, monkeypatch):
    error = failing_inside(foreign, monkeypatch)
    assert type(error) is ModelError and foreign.__name__ in str(error) and error.__cause__ is None


def refuse(*_):
    raise AssertionError("asked the net")


def failing_inside(foreign: type[Exception], monkeypatch: pytest.MonkeyPatch) -> RecollectError:
    """What leaves `complete` where litellm raises a foreign exception."""

    async def fail(**_):
        raise made(foreign)

    monkeypatch.setattr(litellm_setup.load(), "acompletion", fail)
    return failing([])[0]


# --- what is paid ----------------------------------------------------------------------------------------------------


@every_mode
def test_usage_is_the_endpoints_own_count_over_any_run_of_failures(mode):
    rng = random.Random(7)
    odd = [Reply(status=500), Reply(status=429), Reply(cut="reset"), "prose", {"wrong": 1}, Reply(None), ""]
    odd += [Reply({"facts": []}, finish_reason="length"), Reply(status=401), {"facts": ["a"]}, {"facts": []}]
    total = Usage(cost_usd=None)

    async def run(endpoint):
        nonlocal total
        model = model_at(endpoint, mode)
        for _ in range(30):
            try:
                total += (await model.complete(MESSAGES, Facts)).usage
            except ModelError as error:
                total += error.usage
        await model.aclose()

    with ModelEndpoint(lambda _: rng.choice(odd)) as endpoint:
        asyncio.run(run(endpoint))
    assert total == Usage(endpoint.calls, endpoint.input_tokens, endpoint.output_tokens, None)
    assert endpoint.calls > 30


def test_cost_comes_from_the_local_price_list():
    with ModelEndpoint(lambda _: {"facts": ["a"]}) as endpoint:
        time = Time()
        model = LitellmModel("openai/gpt-4o-mini", api_base=endpoint.url, api_key="none", sleep=time.sleep)
        usage = ask(model).usage
    # 0.15 and 0.60 US dollars per million tokens
    expected = endpoint.input_tokens * 0.15e-6 + endpoint.output_tokens * 0.6e-6
    assert usage.cost_usd == pytest.approx(expected) and expected > 0


def test_every_entry_of_the_price_list_has_a_price_or_none(monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", refuse)
    litellm = litellm_setup.load()
    prices = {name: litellm_setup.price_of(litellm, name, 1000, 100) for name in litellm.model_cost}
    assert prices["gpt-4o-mini"] == pytest.approx(1000 * 0.15e-6 + 100 * 0.6e-6)
    assert all(price is None or price >= 0 for price in prices.values())


@pytest.mark.parametrize(
    ("name", "priced"),
    [("openai/gpt-4o-mini", True), ("gpt-4o-mini", True), ("openai/mine", False), ("hosted_vllm/gpt-4o-mini", False)],
)
def test_a_price_is_that_of_the_model_at_its_own_provider(name, priced):
    assert (litellm_setup.price_of(litellm_setup.load(), name, 1000) is not None) is priced


@pytest.mark.parametrize("said", [None, {}, {"prompt_tokens": None, "completion_tokens": None, "total_tokens": 0}])
def test_tokens_that_the_endpoint_does_not_tell_are_estimated(said):
    with ModelEndpoint([Reply({"facts": ["a" * 400]}, extra={"usage": said})]) as endpoint:
        usage = ask(model_at(endpoint)).usage
    assert usage.llm_calls == 1 and usage.input_tokens >= len(SECRET) // 4 and usage.output_tokens >= 100


def test_cached_and_reasoning_tokens_are_in_the_count_once():
    said = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "prompt_tokens_details": {"cached_tokens": 80},
        "completion_tokens_details": {"reasoning_tokens": 40},
    }
    with ModelEndpoint([Reply({"facts": []}, extra={"usage": said})]) as endpoint:
        assert ask(model_at(endpoint)).usage == Usage(1, 100, 50, None)


# --- keys and addresses ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, ""])
def test_a_custom_address_needs_its_own_key(key, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    with pytest.raises(ModelConfigError, match='api_key="none"'):
        LitellmModel("openai/any", api_base="http://127.0.0.1:1/v1", api_key=key)


@pytest.mark.parametrize("address", ["ftp://host", "file:///etc/passwd", "host:80", "", "http://"])
def test_an_address_is_http(address):
    with pytest.raises(ModelConfigError, match="http"):
        LitellmModel("openai/any", api_base=address, api_key="none")


@every_mode
def test_the_environments_key_never_reaches_a_custom_address(mode, monkeypatch):
    for name in ("OPENAI_API_KEY", "LITELLM_API_KEY", "OPENAI_ADMIN_KEY", "CUSTOM_API_KEY"):
        monkeypatch.setenv(name, "sk-environment")
    with ModelEndpoint([{"facts": []}]) as endpoint:
        ask(model_at(endpoint, mode))
    request = endpoint.requests[0]
    assert request.headers["authorization"] == "Bearer none"
    assert "sk-environment" not in str(request.headers) + str(request.body)


def test_bad_settings_are_named():
    for bad in (
        {"model": ""},
        {"model": None},
        {"mode": "xml"},
        {"timeout": 0},
        {"deadline": -1},
        {"timeout": float("nan")},
    ):
        with pytest.raises(InvalidInput):
            LitellmModel(**{"model": "openai/any"} | bad)


def test_a_provider_that_nobody_knows_is_named():
    with pytest.raises(ModelConfigError, match="check the model's name"):
        ask(LitellmModel("nonsense"))


# --- modes by what a model can do ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("openai/gpt-5-mini", "json_schema"),
        ("gpt-4o-mini", "json_schema"),
        ("gpt-4", "tools"),
        ("openai/some-model-of-my-own", "md_json"),
        ("ollama_chat/qwen3", "json_schema"),
        ("lemonade/any", "md_json"),
        ("lemonade/gpt-oss-20b-mxfp4-GGUF", "json_schema"),
        ("github_copilot/gpt-4o", "tools"),
        ("no-such-provider/x", "md_json"),
    ],
)
def test_the_mode_is_what_the_model_is_known_to_support(name, mode, monkeypatch, capfd):
    litellm = litellm_setup.load()
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert litellm_setup.default_mode(litellm, name) == mode
    assert capfd.readouterr() == ("", "")


def test_a_model_that_takes_no_temperature_gets_none():
    with ModelEndpoint([{"facts": []}]) as endpoint:
        ask(LitellmModel("openai/gpt-5-mini", api_base=endpoint.url, api_key="none"))
    assert "temperature" not in endpoint.requests[0].body


# --- loops, threads, processes ---------------------------------------------------------------------------------------


def test_a_hundred_at_once():
    async def run(endpoint):
        model = model_at(endpoint)
        done = await asyncio.gather(*(model.complete(MESSAGES, Facts) for _ in range(100)))
        await model.aclose()
        return done

    many = threading.Event()

    def script(_):
        if endpoint.most_at_once >= 64:
            many.set()
        return Reply({"facts": ["a"]}, until=many)

    with ModelEndpoint(script) as endpoint:
        done = asyncio.run(run(endpoint))
    assert [one.value.facts for one in done] == [["a"]] * 100
    assert endpoint.calls == 100 and endpoint.most_at_once >= 64


def test_one_model_in_many_loops_and_threads():
    with ModelEndpoint(lambda _: {"facts": ["a"]}) as endpoint:
        model = model_at(endpoint)
        found = []
        threads = [threading.Thread(target=lambda: found.append(ask(model).value.facts)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found += [ask(model).value.facts for _ in range(4)]
    assert found == [["a"]] * 8


def test_clients_are_closed_while_another_thread_makes_its_own():
    clients = litellm_setup.load().in_memory_llm_clients_cache.cache_dict

    class Looked(str):
        def __str__(self):
            clients["another"] = None
            return "looked"

    clients[Looked("looked")] = None
    try:
        asyncio.run(litellm_setup.close_clients())
        assert "another" in clients
    finally:
        del clients["looked"]
        clients.pop("another", None)


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    command = [sys.executable, "-W", "error::ResourceWarning", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | environment)


def test_nothing_is_left_open_and_nothing_is_printed():
    code = """
import asyncio, logging
from pydantic import BaseModel
from recollect.adapters import litellm_setup
from recollect.adapters.litellm_model import LitellmModel
from recollect.testing import ModelEndpoint, Reply

logging.basicConfig(level=logging.DEBUG)
logging.getLogger("asyncio").setLevel(logging.WARNING)

class Facts(BaseModel):
    facts: list[str]

async def main():
    odd = [Reply(status=500), "SECRET", Reply(None, message={"content": [{"type": "text", "text": "SECRET"}]}), {"facts": []}]
    with ModelEndpoint(odd) as endpoint:
        model = LitellmModel("openai/any", api_base=endpoint.url, api_key="none", sleep=lambda _: asyncio.sleep(0))
        print(await model.complete([{"role": "user", "content": "SECRET"}], Facts))
        await model.aclose()

asyncio.run(main())
"""
    done = python(code, LITELLM_LOG="DEBUG")
    assert done.stdout.startswith("Completion(") and done.stdout.count("\n") == 1
    assert "SECRET" not in done.stderr
    assert "Unclosed" not in done.stderr and "ResourceWarning" not in done.stderr and "destroyed" not in done.stderr


def test_neither_library_is_imported_before_the_first_call_nor_the_price_list_fetched():
    code = """
import sys
import recollect, recollect.adapters.litellm_model as m, recollect.adapters.litellm_embedder as e
m.LitellmModel("openai/x"); e.LitellmEmbedder("openai/x", dim=3)
assert not {"litellm", "instructor", "openai", "tenacity", "httpx"} & set(sys.modules), "imported too early"
import socket
def refuse(*_):
    raise AssertionError("asked the net")
socket.socket.connect = socket.getaddrinfo = refuse
from recollect.adapters.litellm_setup import load
print(len(load().model_cost) > 1000)
"""
    assert python(code).stdout == "True\n"
