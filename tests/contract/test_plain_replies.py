"""`LitellmChat`: a plain reply, piece by piece, from a real endpoint; what fails, what is tried again, what it costs."""

from __future__ import annotations

import threading

import pytest

from recollect.adapters.litellm_chat import LitellmChat
from recollect.budget import Budget, Purse, metered
from recollect.errors import BudgetExceeded, InvalidInput, ModelConfigError, ModelError, ModelUnavailable, ReplyInvalid
from recollect.testing import ModelEndpoint, Reply

SAID = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Tell me."}]


def chat(endpoint, **more):
    return LitellmChat("openai/scripted", api_base=endpoint.url, api_key="none", **more)


def test_pieces_come_while_the_rest_is_still_written():
    hold = threading.Event()
    with ModelEndpoint([Reply("Once upon a time.", hold=hold)]) as endpoint:
        pieces = chat(endpoint).reply(SAID)
        first = next(pieces)
        assert first.strip() == "Once" and not hold.is_set()
        hold.set()
        assert first + "".join(pieces) == "Once upon a time."
        assert endpoint.requests[0].body["messages"] == SAID


def test_what_passes_is_tried_again_and_what_does_not_is_named():
    with ModelEndpoint([Reply(status=503), "Well."]) as endpoint:
        assert "".join(chat(endpoint).reply(SAID)) == "Well." and len(endpoint.requests) == 2
    with ModelEndpoint(lambda _: Reply(status=401)) as endpoint:
        with pytest.raises(ModelConfigError):
            list(chat(endpoint).reply(SAID))
        assert len(endpoint.requests) == 1
    with ModelEndpoint(lambda _: "") as endpoint, pytest.raises(ReplyInvalid):
        list(chat(endpoint).reply(SAID))


def test_a_reply_that_breaks_off_is_an_error_behind_what_came():
    with ModelEndpoint(lambda _: Reply("one two three four five six", cut="half")) as endpoint:
        came = []
        with pytest.raises(ModelError):
            came.extend(chat(endpoint).reply(SAID))
    with ModelEndpoint(lambda _: Reply("x", cut="reset")) as endpoint, pytest.raises(ModelUnavailable):
        list(chat(endpoint).reply(SAID))


def test_replies_are_counted_and_charged_to_the_budget_those_left_early_too():
    purse = Purse(Budget.of({"run": {"calls": 2}}))
    with ModelEndpoint(lambda _: "one two three") as endpoint:
        model = chat(endpoint)
        with metered(purse.meter()):
            "".join(model.reply(SAID))
            left = model.reply(SAID)
            next(left)
            left.close()
            assert purse.used.llm_calls == model.used.llm_calls == 2 and model.used.output_tokens > 0
            with pytest.raises(BudgetExceeded):
                next(model.reply(SAID))
        assert len(endpoint.requests) == 2


def test_what_is_wrong_is_said_at_once():
    with pytest.raises(ModelConfigError, match="api_key"):
        LitellmChat("openai/x", api_base="http://localhost:1/v1")
    with pytest.raises(InvalidInput):
        LitellmChat("openai/x", timeout=0)
