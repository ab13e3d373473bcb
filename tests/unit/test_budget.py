"""The budget: what may be written, what is charged where, and that calls side by side never pass a limit on calls."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel

from recollect.adapters.litellm_model import LitellmModel
from recollect.budget import Budget, Limit, Meter, Purse, meter, metered
from recollect.errors import BudgetExceeded, InvalidInput
from recollect.testing import ModelEndpoint, Reply
from recollect.usage import Usage

CALL = Usage(1, 100, 0, 0.001)
PAID = Usage(1, 100, 50, 0.002)


@pytest.mark.parametrize(
    ("given", "budget"),
    [
        (None, Budget()),
        ({}, Budget()),
        (Budget(add=Limit(calls=1)), Budget(add=Limit(calls=1))),
        ({"add": {"calls": 20}}, Budget(add=Limit(calls=20))),
        ({"day": {"cost_usd": 1}, "run": {"tokens": 0}}, Budget(day=Limit(cost_usd=1), run=Limit(tokens=0))),
        ({"add": Limit(calls=3), "day": {"calls": None}}, Budget(add=Limit(calls=3))),
        ({"cost_usd": 0.5}, Budget(run=Limit(cost_usd=0.5))),
    ],
)
def test_what_may_be_written(given, budget):
    assert Budget.of(given) == budget


@pytest.mark.parametrize(
    "given",
    [
        5,
        "add:calls=5",
        [("add", {})],
        {"week": {"calls": 1}},
        {"add": 5},
        {"add": {"dollars": 5}},
        {"add": {"calls": -1}},
        {"add": {"calls": 1.5}},
        {"add": {"calls": True}},
        {"add": {"tokens": "many"}},
        {"day": {"cost_usd": float("nan")}},
        {"day": {"cost_usd": float("inf")}},
        {"calls": 5, "day": {"calls": 5}},
        {1: {"calls": 5}},
    ],
)
def test_what_may_not(given):
    with pytest.raises(InvalidInput, match="budget"):
        Budget.of(given)


def spend(by: Meter, times: int = 1, estimate: Usage = CALL, paid: Usage = PAID) -> None:
    for _ in range(times):
        with by.call(estimate) as charge:
            charge.actual = paid


@pytest.mark.parametrize(
    ("limit", "fits"),
    [({"calls": 3}, 3), ({"calls": 0}, 0), ({"tokens": 399}, 2), ({"tokens": 400}, 3), ({"cost_usd": 0.0051}, 3)],
)
def test_a_limit_stops_the_call_that_does_not_fit(limit, fits):
    by = Purse(Budget.of({"add": limit})).meter()
    spend(by, fits)
    measure, most = next(iter(limit.items()))
    with pytest.raises(BudgetExceeded, match=rf"add\.{measure} = {most}") as caught:
        spend(by)
    assert not caught.value.retryable and "used" in str(caught.value)


def test_each_add_has_its_own_and_all_share_the_run():
    purse = Purse(Budget.of({"add": {"calls": 2}, "run": {"calls": 3}}))
    spend(purse.meter(), 2)
    second = purse.meter()
    spend(second)
    with pytest.raises(BudgetExceeded, match=r"run\.calls = 3 .*3 used"):
        spend(second)
    assert purse.used == Usage(3, 300, 150, 0.006)


def test_the_day_survives_a_restart_and_ends_at_midnight():
    asked = []
    clock = [datetime(2026, 3, 1, 23, 0, tzinfo=UTC)]

    def spent_since(moment: datetime) -> Usage:
        asked.append(moment)
        return Usage(2, 10, 10, 0.0) if moment.day == 1 else Usage()

    purse = Purse(Budget.of({"day": {"calls": 3}}), spent_since, lambda: clock[0])
    spend(purse.meter())
    with pytest.raises(BudgetExceeded, match=r"day\.calls = 3 .*3 used"):
        spend(purse.meter())
    clock[0] += timedelta(hours=2)
    spend(purse.meter(), 3)
    assert asked == [datetime(2026, 3, day, tzinfo=UTC) for day in (1, 2)]


def test_the_store_is_not_asked_where_no_day_is_limited():
    def never(_: datetime) -> Usage:
        raise AssertionError

    spend(Purse(Budget.of({"add": {"calls": 1}}), never).meter())


def test_an_unknown_price_cannot_be_kept_in_a_limit_on_money():
    by = Purse(Budget.of({"run": {"cost_usd": 1.0}})).meter()
    with pytest.raises(BudgetExceeded, match="calls or tokens"):
        spend(by, estimate=Usage(1, 10, 0, None))


def test_calls_under_way_hold_their_place_and_a_failed_one_gives_it_back():
    by = Purse(Budget.of({"add": {"calls": 2}})).meter()
    with by.call(CALL), by.call(CALL), pytest.raises(BudgetExceeded):
        spend(by)
    with pytest.raises(KeyError), by.call(CALL):
        raise KeyError
    spend(by, 2)
    with pytest.raises(BudgetExceeded):
        spend(by)


def test_the_meter_in_force_follows_tasks_and_not_neighbours():
    async def run():
        mine, yours = Meter(), Meter()

        async def seen():
            await asyncio.sleep(0)
            return meter()

        async def add(one: Meter):
            with metered(one):
                return [meter(), *await asyncio.gather(seen(), seen())]

        both = await asyncio.gather(add(mine), add(yours))
        assert both == [[mine] * 3, [yours] * 3] and meter() not in (mine, yours)

    asyncio.run(run())


# --- at the model ----------------------------------------------------------------------------------------------------


class Facts(BaseModel):
    facts: list[str]


async def ask(endpoint: ModelEndpoint, by: Meter, times: int = 1) -> list[object]:
    model = LitellmModel(
        "openai/any", api_base=endpoint.url, api_key="none", mode="md_json", sleep=lambda _: asyncio.sleep(0)
    )
    with metered(by):
        calls = [model.complete([{"role": "user", "content": "hello"}], Facts) for _ in range(times)]
        done = await asyncio.gather(*calls, return_exceptions=True)
    await model.aclose()
    return done


def test_every_request_is_charged_re_asks_and_retries_too():
    purse = Purse(Budget.of({"add": {"calls": 2}}))
    script = [Reply(status=500), "no", Reply(status=500), "no", {"facts": []}]
    with ModelEndpoint(script) as endpoint:
        (error,) = asyncio.run(ask(endpoint, purse.meter()))
    # A request that was not answered costs nothing and gives its place back.
    assert isinstance(error, BudgetExceeded) and endpoint.calls == 2 and len(endpoint.requests) == 4
    assert error.usage == purse.used == Usage(2, endpoint.input_tokens, endpoint.output_tokens, None)


def test_side_by_side_no_more_calls_are_made_than_allowed():
    purse = Purse(Budget.of({"run": {"calls": 5}}))
    with ModelEndpoint(lambda _: {"facts": []}, latency=0.05) as endpoint:
        done = asyncio.run(ask(endpoint, purse.meter(), 20))
    assert endpoint.calls == 5 == len(endpoint.requests) == purse.used.llm_calls
    assert sum(isinstance(one, BudgetExceeded) for one in done) == 15


def test_a_limit_on_money_stops_before_a_model_without_a_price():
    purse = Purse(Budget.of({"run": {"cost_usd": 1.0}}))
    with ModelEndpoint(lambda _: {"facts": []}) as endpoint:
        (error,) = asyncio.run(ask(endpoint, purse.meter()))
    assert isinstance(error, BudgetExceeded) and endpoint.requests == []
