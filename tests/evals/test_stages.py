"""Each stage at which an answer can be lost, provoked in a real store, through all phases, to the list of cases in the report."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import evals_world as world
import pytest
from evals_world import opened, phases
from small_talk import session

from recollect.testing import HashEmbedder, ModelEndpoint, ScriptedLanguage
from recollect_evals import report
from recollect_evals.attribution import LOST, STAGES
from recollect_evals.model import Conversation, DataSet, Question
from recollect_evals.results import rescore
from recollect_evals.systems import Access
from recollect_evals.systems.recollect import MEMORIES, Recollect

HERBS = "parsley, thyme, sage, dill, mint, basil, chervil, tarragon, oregano, marjoram, lovage, borage, fennel, rosemary, savory"
TALK = (
    session(
        "s1",
        datetime(2024, 3, 1, 9, tzinfo=UTC),
        ("Ann", "home = Rome"),
        ("Ann", "likes += chess"),
        ("Ann", "We went sailing near Bergen."),
        ("Ann", "car = a red Volvo"),
        ("Ann", "plays += violin"),
        ("Ann", f"recipe = {HERBS}, and saffron"),
    ),
    session("s2", datetime(2024, 4, 1, 9, tzinfo=UTC), ("Ann", "home = Oslo"), ("Ann", "likes -= chess")),
)
# Stage → a question that is lost there: its text, key, and evidence.
ASKED = {
    "not extracted": ("Where did Ann sail?", "Bergen", ("s1:3",)),
    "extracted wrongly": ("Which car is it?", "a Volvo", ("s1:4",)),
    "superseded or deleted": ("What is the first home?", "Rome", ("s1:1",)),
    "not retrieved": ("Which instrument?", "violin", ("s1:5",)),
    "over the budget": ("What is the recipe with?", "saffron", ("s1:6",)),
    "misread": ("What is home now?", "Oslo", ("s2:1",)),
    "made up": ("What is the cat called?", None, ()),
    "unknown": ("What is she?", "glad", ()),
    "failed": ("What is home, then?", "Oslo", ("s2:1",)),
}
DELETED = Question("deleted", "What game is liked, chess?", "chess", "stage", ("s1:2",))
RIGHT = Question("right", "What is home?", "Oslo", "stage", ("s2:1",))
QUESTIONS = tuple(Question(name, text, key, "stage", evidence) for name, (text, key, evidence) in ASKED.items())
DATA = DataSet("stages", (Conversation("ann", TALK, (*QUESTIONS, DELETED, RIGHT)),), "00")


class Careless(ScriptedLanguage):
    """Takes in that there is a car, and not which."""

    async def extract(self, chunk):
        told = await super().extract(chunk)
        facts = (replace(one, text="car is there") if one.slot.attribute == "car" else one for one in told.facts)
        return replace(told, facts=tuple(facts))


def says(request):
    """A reader that has one answer right; the judge compares."""
    if world.phase_of(request) == "judge":
        return world.says(request)
    if ASKED["failed"][0] in request.text:
        return "no JSON"
    return {"answer": "Oslo" if RIGHT.text in request.text else "In Paris."}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """The run, scored from its records."""
    folder = tmp_path_factory.mktemp("stages")
    system = Recollect(
        folder, label="scripted", embedder=HashEmbedder(256), access=Access(Careless()), include=MEMORIES
    )
    with (
        closing(system),
        ModelEndpoint(says) as endpoint,
        opened(folder / "run", DATA, [system], max_tokens=100) as run,
    ):
        phases(run, DATA, [system], endpoint.url)
        return rescore(run, DATA)


@pytest.fixture
def cases(result):
    (found,) = result.cases.values()
    return {case.question.id: case for case in found}


def test_all_stages_are_provoked():
    assert set(ASKED) == set(STAGES) and {*LOST, "misread"} < set(ASKED)


@pytest.mark.parametrize("stage", ASKED)
def test_an_answer_lost_at_a_stage_is_a_case_of_that_stage(cases, stage):
    assert cases[stage].stage == stage


def test_what_was_retracted_is_deleted_and_what_is_right_is_no_case(cases):
    assert cases["deleted"].stage == "superseded or deleted" and "right" not in cases


def test_the_list_of_cases_shows_what_was_asked_what_is_right_what_was_given_the_evidence_and_the_stage(result):
    page = report.html([result])
    told = {re.search(r"<summary><span><bdi>(.*?)</bdi>", one)[1]: unescape(one) for one in shown(page)}
    assert len(told) == len(ASKED) + 1
    texts = {turn.id: turn.text for turn in DATA.conversations[0].turns}
    for stage, (question, key, evidence) in ASKED.items():
        item = told[question]
        assert f"<em>{stage}</em>" in item
        assert f"<dt>Right answer</dt><dd><bdi>{key or 'It was never said.'}</bdi>" in item
        if stage == "failed":
            assert "ReplyInvalid" in item
            continue
        assert "<dt>Given answer</dt><dd><bdi>In Paris.</bdi>" in item
        assert all(f"<bdi>{texts[turn]}</bdi>" in item for turn in evidence)
    assert "car is there" in told[ASKED["extracted wrongly"][0]] and "(no longer live)" in told[DELETED.text]


def shown(page):
    return re.findall(r'<details class="case".*?</details>', page, re.S)
