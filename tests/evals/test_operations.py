"""Decisions and memory points through the real write path; the model alone is scripted."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime

import pytest

from recollect.errors import ModelUnavailable
from recollect.model import Add, Keep, Reconciliation, Update
from recollect.testing import HashEmbedder, ModelEndpoint
from recollect_evals.datasets.decisions import Labelled, load
from recollect_evals.levels import recorded
from recollect_evals.metrics.halumem import extracting, updating
from recollect_evals.metrics.operations import judged, shares
from recollect_evals.model import Conversation, Point, Session, Spent, Turn
from recollect_evals.operations import ByJudge, ByWords, decisions, extraction, opened, updates
from recollect_evals.operations.matching import Matched

CASES = {case.id: case for case in load().cases}


def run(cases, reconciler=None, **options):
    """The records of cases, by rules or by a reconciler of one's own."""

    async def measured():
        async with opened() as rules:
            return await decisions(cases, reconciler or rules.reconciler, embedder=HashEmbedder(), **options)

    return asyncio.run(measured())


class Always:
    """A reconciler with one opinion, on the nearest candidate."""

    def __init__(self, decide):
        self._decide, self.cases = decide, []

    async def reconcile(self, cases):
        self.cases += cases
        return Reconciliation(tuple(map(self._decide, cases)))


def supersede(case):
    return Update((case.candidates[0].number,), "supersede", case.fact.text)


def test_what_came_is_read_from_the_memories():
    names = (
        "value-01",
        "refine-01",
        "dup-02",
        "over-03",
        "who-01",
        "list-02",
        "over-06",
        "over-13",
        "late-01",
        "late-06",
    )
    records = run([CASES[name] for name in names])
    assert [record["case"] for record in records] == list(names)
    for record in records:
        if record["case"] != "over-13":  # two at once are more than the rules dare
            assert record["got"] == record["right"], record
        assert record["harmed"] == [] and record["spent"]["calls"] == 0


def test_several_targets_are_told():
    case = CASES["over-15"]
    (record,) = run([case])
    assert record["got"]["op"] == "DELETE" and record["got"]["targets"] == list(case.right.targets)


def test_what_should_have_stayed_is_harmed():
    case = CASES["who-01"]
    (record,) = run([case], Always(supersede))
    assert record["got"]["op"] == "UPDATE" and record["got"]["mode"] == "supersede"
    assert record["harmed"] == record["got"]["targets"] and len(record["harmed"]) == 1
    assert shares([record]).harmless == 0


def test_a_late_report_may_not_end_what_is_known_and_does_not():
    (record,) = run([CASES["late-05"]], Always(supersede))
    assert record["got"]["mode"] == "supersede" and record["harmed"] == []
    (record,) = run(
        [CASES["late-05"]], Always(lambda case: Update((case.candidates[0].number,), "revise", case.fact.text))
    )
    assert record["got"]["mode"] == "revise" and record["harmed"] == record["got"]["targets"]


def test_what_the_guard_refuses_is_what_it_falls_back_to():
    (record,) = run([CASES["trust-01"]], Always(supersede))
    assert record["got"] == {"op": "ADD", "targets": [], "mode": None}
    assert record["flag"] == "a source of lower trust" and judged(record).whole


def test_nothing_known_is_decided_by_the_reconciler_under_test():
    always = Always(lambda _: Add())
    run([CASES["value-01"], CASES["over-13"]], always)
    assert {case.fact.text for case in always.cases} == {CASES[name].fact.text for name in ("value-01", "over-13")}
    assert {len(case.candidates) for case in always.cases} == {len(CASES[n].known) for n in ("value-01", "over-13")}


def test_records_are_kept_as_they_come_and_done_ones_are_left_out():
    kept = []
    cases = [CASES["value-01"], CASES["dup-01"], CASES["who-01"]]
    records = run(cases, done={"dup-01"}, keep=kept.append, at_once=2)
    assert [one["case"] for one in records] == ["value-01", "who-01"]
    assert sorted(one["case"] for one in kept) == ["value-01", "who-01"]


def test_a_failed_case_is_a_record():
    class Fails:
        async def reconcile(self, cases):
            if cases[0].fact.text == CASES["value-01"].fact.text:
                raise ModelUnavailable("down")
            return Reconciliation(tuple(Keep(case.candidates[0].number) for case in cases))

    records = run([CASES["value-01"], CASES["para-01"]], Fails())
    assert records[0]["error"]["type"] == "ModelUnavailable" and "got" not in records[0]
    assert records[1]["got"]["op"] == "NONE"


def test_what_cannot_be_stored_as_it_is_told_is_told():
    wish = {"text": "Bo wants short answers.", "kind": "instruction", "said_at": "2024-05-01", "said_by": "tool"}
    fact = {"text": "Bo lives in Oslo.", "kind": "profile", "said_at": "2024-06-01"}
    line = {"id": "a", "kind": "negation", "fact": fact, "known": [wish], "right": {"op": "ADD"}, "why": "-"}
    (record,) = run([Labelled.model_validate_json(json.dumps(line))])
    assert record["error"]["type"] == "SystemFailed" and "was not stored as it is told" in record["error"]["message"]


def test_a_model_decides_over_its_endpoint():
    def answers(request):
        asked = request.text.rpartition("Memories:")[2]  # behind the prompt's example
        fact = re.search(r"New facts:\n\[(\d+)\]", asked)
        old = re.search(r"^\[(\d+)\] .*The user lives in Porto\.$", asked, re.MULTILINE)
        decision = {
            "fact": int(fact[1]),
            "op": "UPDATE",
            "targets": [int(old[1])],
            "mode": "supersede",
            "reason": "moved",
        }
        return {"decisions": [decision]}

    async def measured(endpoint):
        async with opened("openai/any", api_base=endpoint.url, api_key="none") as model:
            return await decisions([CASES["value-01"]], model.reconciler, embedder=HashEmbedder())

    with ModelEndpoint(answers) as endpoint:
        (record,) = asyncio.run(measured(endpoint))
    assert len(endpoint.requests) == 1
    assert record["got"] == record["right"] and record["reason"] == "moved"
    assert record["spent"]["calls"] == 1 and record["spent"]["input_tokens"] > 0


def test_rules_have_not_fallen_below_their_level():
    """With the hashed embedder: rules look at a cosine for rewordings only, and the share is the same with MiniLM's."""
    found = shares(run(list(CASES.values()), at_once=4))
    level = recorded()["decisions/rules"]
    assert found.failed == 0 and found.n == len(CASES)
    assert not level.fallen(found.right), (
        f"{found.right:.1%} are right; {level.share:.1%} of {level.n} were on {level.at}"
    )


# --- HaluMem's points --------------------------------------------------------------------------------------------------


def said(session, place, role, text):
    return Turn(
        f"{session}:{place}",
        "Bo Berg" if role == "user" else role,
        role,
        text,
        datetime(2030, 5, 1, 12, place, tzinfo=UTC),
    )


def told(session, place, text, *originals, source="secondary"):
    return Point(f"{session}/{place}", session, text, "Persona Memory", source, bool(originals), originals)


CONVERSATION = Conversation(
    "u1",
    (
        Session("s1", (said("s1", 1, "user", "I live in Rome and I have a dog."),)),
        Session("s2", (said("s2", 1, "user", "I moved to Oslo."), said("s2", 2, "assistant", "So you hate Rome."))),
        Session("s3", (said("s3", 1, "user", "I play chess."),)),
    ),
    points=(
        told("s1", 1, "Bo Berg lives in Rome."),
        told("s1", 2, "Bo Berg has a dog."),
        told("s2", 1, "Bo Berg lives in Oslo.", "[Home] Bo Berg lives in Rome"),
        told("s2", 2, "Bo Berg's dog is ill after a walk.", "Bo Berg's cat is ill after a meal."),
        told("s2", 3, "Bo Berg hates Rome.", source="interference"),
        told("s3", 1, "Bo Berg plays chess."),
    ),
)


def test_updates_of_points():
    async def measured(reconciler):
        return await updates(CONVERSATION, reconciler, embedder=HashEmbedder())

    async def by_rules():
        async with opened() as rules:
            return await measured(rules.reconciler)

    records = asyncio.run(by_rules())
    assert [(one["point"], one["outcome"]) for one in records] == [
        ("s1/1", "right"),
        ("s1/2", "right"),
        ("s2/1", "right"),  # the point of the first session is its original
        ("s2/2", "omitted"),  # the original was stored, and is nothing that a rule changes
        ("s3/1", "right"),
    ]
    assert all(one["stored"] and one["shown"] for one in records if one["is_update"])
    assert updating(records)["updates, right"] == 0.5
    wrongly = asyncio.run(measured(Always(supersede)))
    assert [one["outcome"] for one in wrongly if not one["is_update"]] == ["right", "joined", "update"]


def test_an_extraction_is_matched_with_its_points():
    records = asyncio.run(extraction(CONVERSATION, embedder=HashEmbedder(), llm="rules"))
    assert [one["session"] for one in records] == ["s1", "s2", "s3"]
    assert [point["match"] is not None for point in records[0]["points"]] == [True, True]
    figures = extracting(records)
    assert figures["interference points"] == 1 and figures["resistance"] == 1.0
    assert figures["precision"] == 1.0 and figures["recall"] == 0.8  # nothing is said of an ill dog


GOLD, LURE = "Bo Berg likes red wine.", "Bo Berg hates red wine."


@pytest.mark.parametrize(
    ("memories", "gold", "lure", "of_memory"),
    [
        (["Bo likes red wine."], 0, None, 0),
        (["Bo hates red wine."], 0, 0, 1),  # like enough to both, and likest to the false one
        (["Bo said that red wine is fine."], 0, None, 0),  # to both alike: the benefit of the doubt
        (["Bo plays chess."], None, None, None),
        ([], None, None, None),
        (["Bo plays chess.", "Bo likes red wine.", "Bo likes a red wine too."], 1, None, None),
    ],
)
def test_a_false_memory_is_one_that_is_like_no_true_point_as_much(memories, gold, lure, of_memory):
    found = asyncio.run(ByWords("Bo Berg").matched([GOLD, LURE], memories, frozenset({1})))
    assert found.points == (gold, lure)
    assert list(found.memories[:1]) == ([of_memory] if memories else [])


def test_likeness_is_of_content_words():
    alike = ByWords("Bo Berg").likeness
    assert alike("Bo Berg likes dogs.", "She has liked the dog") == 1.0
    assert alike("Bo Berg is here", "Bo Berg is there") == 0.0
    assert alike("red wine", "red tea") == 0.5


def judged_by(*replies, points=(GOLD, LURE), memories=("Bo Berg is fond of red wine.",)):
    """What a judge behind an endpoint says, and the requests that it got."""

    async def measured(endpoint):
        async with opened("openai/any", api_base=endpoint.url, api_key="none") as judges:
            return await ByJudge(judges.model).matched(points, memories, frozenset({1}))

    with ModelEndpoint(replies) as endpoint:
        return asyncio.run(measured(endpoint)), endpoint.requests


MATCH = {
    "points": [{"point": 1, "memory": 3}, {"point": 2, "memory": None}],
    "memories": [{"memory": 3, "point": 1}],
}


def test_a_judge_says_what_is_the_same_in_other_words():
    found, requests = judged_by(MATCH)
    assert (found.points, found.memories, found.spent.calls) == ((0, None), (0,), 1)
    assert "[2] Bo Berg hates red wine.\n\nMemories:\n[3] Bo Berg is fond of red wine." in requests[0].text
    assert "interference" not in requests[0].text, "it does not know which are false"


@pytest.mark.parametrize(
    "wrong",
    [
        {**MATCH, "points": MATCH["points"][:1]},
        {**MATCH, "points": MATCH["points"][::-1]},
        {**MATCH, "points": [{"point": 1, "memory": 1}, {"point": 2, "memory": None}]},
        {**MATCH, "memories": [{"memory": 3, "point": 3}]},
        {"points": MATCH["points"]},
    ],
)
def test_a_judge_who_leaves_something_out_is_asked_again(wrong):
    found, requests = judged_by(wrong, MATCH)
    assert found.points == (0, None) and len(requests) == 2


def test_a_judge_is_not_asked_where_there_is_nothing_to_compare():
    found, requests = judged_by(memories=())
    assert (found.points, found.memories, requests) == ((None, None), (), [])
    found, requests = judged_by(points=())
    assert (found.points, found.memories, requests) == ((), (None,), [])


def test_an_extraction_may_be_judged():
    class Generous:
        async def matched(self, points, memories, lures):
            return Matched((0,) * len(points), (0,) * len(memories), Spent(calls=1))

    records = asyncio.run(extraction(CONVERSATION, embedder=HashEmbedder(), matching=Generous(), llm="rules"))
    assert extracting(records)["recall"] == 1.0 and extracting(records)["resistance"] == 0.0
    assert sum(one["judged"]["calls"] for one in records) == len(records) == 3
