"""Attribution: a constructed run per stage, and what holds of any."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect_evals.attribution import LOST, STAGES, attribute, table
from recollect_evals.model import Conversation, DataSet, Question, Session, Turn
from recollect_evals.records import Records
from recollect_evals.terms import days, exact_day, taken, terms

SAID = datetime(2023, 5, 8, 13, 56, tzinfo=UTC)
DOG = Turn("D1:1", "Ana", "user", "We finally have a dog, a three-legged beagle called Biscuit, since Monday!", SAID)
HOME = Turn("D1:2", "Ben", "assistant", "And I moved into a flat in Lisbon yesterday, with 2 balconies.", SAID)
ASKED = Question("q1", "Which pet does Ana have?", "A beagle called Biscuit", "single-hop", ("D1:1",))
BOTH = Question("q2", "What is new with them?", "a dog, Biscuit, and a flat in Lisbon", "multi-hop", ("D1:1", "D1:2"))
WHEN = Question("q3", "When did Ben move?", "7 May 2023", "temporal", ("D1:2",))
NEVER = Question("q4", "What is the cat called?", None, "adversarial", ("D1:1",))
BARE = Question("q5", "Is Ana happy?", "Likely yes", "open-domain")
QUESTIONS = (ASKED, BOTH, WHEN, NEVER, BARE)
DATA = DataSet("set", (Conversation("c1", (Session("s1", (DOG, HOME)),), QUESTIONS),), "00")

RIGHT = "Ana has had a three-legged beagle called Biscuit since 8 May 2023."
WRONG = "Ana is glad that the week was good."


def stored(text=RIGHT, *turns, live=True, name="m1"):
    return {"conversation": "c1", "id": name, "text": text, "turns": list(turns or ("D1:1",)), "live": live}


def result(kind, name, text, *turns):
    return {"kind": kind, "id": name, "text": text, "turns": list(turns), "score": 0.5}


FOUND = result("memory", "m1", RIGHT, "D1:1")
AS_TURN = result("turn", "D1:1", DOG.text, "D1:1")
OTHER = result("memory", "m9", "Ben is tall.", "D1:2")


def run(memories=(), found=(), context=None, verdict="wrong", question=ASKED, **more):
    """Records of one question."""
    packed = {"text": "", "tokens": 0, "turns": []} if context is None else context
    search = {"question": question.id, "found": list(found), "context": packed}
    judged = {} if verdict is None else {question.id: {"question": question.id, "verdict": verdict, "reason": "no"}}
    return Records(
        stored={("c1", one["id"]): one for one in memories},
        search={question.id: search},
        answers={question.id: {"question": question.id, "answer": "A cat."}},
        judgements=judged,
        **more,
    )


def packed(text, *turns):
    return {"text": text, "tokens": 9, "turns": list(turns)}


ONE_OTHER = stored("Ben is tall.", "D1:2", name="m9")
STAGES_SEEN = {
    "nothing cites it": ("not extracted", run([ONE_OTHER], [OTHER])),
    "cited for something else": ("extracted wrongly", run([stored(WRONG)], [FOUND | {"text": WRONG}])),
    "wrong number": ("extracted wrongly", run([stored("Ana has a beagle.")])),
    "superseded": ("superseded or deleted", run([stored(live=False)])),
    "superseded by one that lacks it": (
        "superseded or deleted",
        run([stored(live=False), stored("Ana has a pet.", name="m2")]),
    ),
    "not among the results": ("not retrieved", run([stored()], [OTHER])),
    "only another memory of the turn is": ("not retrieved", run([stored(), stored(WRONG, name="m2")], [
        result("memory", "m2", WRONG, "D1:1")])),
    "no room": ("over the budget", run([stored()], [OTHER, FOUND], packed("- Ben is tall.", "D1:2"))),
    "in the context": ("misread", run([stored()], [FOUND], packed(RIGHT, "D1:1"))),
    "two memories have it together": ("misread", run(
        [stored("Ana has a three-legged beagle."), stored("Ana's dog is called Biscuit.", name="m2")], [FOUND],
        packed(RIGHT, "D1:1"))),
    "not extracted, but the turn is in the context": (
        "misread", run([ONE_OTHER], [AS_TURN], packed(f"- [8 May] Ana: {DOG.text}", "D1:1"))),
    "extracted wrongly, but the turn is in the context": (
        "misread", run([stored(WRONG)], [AS_TURN], packed(f"- [8 May] Ana: {DOG.text}", "D1:1"))),
    "extracted wrongly, the wrong memory is in the context": (
        "extracted wrongly", run([stored(WRONG)], [FOUND], packed(WRONG, "D1:1"))),
    "not extracted, the turn was found and had no room": ("over the budget", run([ONE_OTHER], [AS_TURN], packed("-"))),
    "turns alone: not found": ("not retrieved", run(found=[result("turn", "D1:2", HOME.text, "D1:2")])),
    "turns alone: no room": ("over the budget", run(found=[AS_TURN], context=packed("-"))),
    "turns alone: in the context": ("misread", run(found=[AS_TURN], context=packed("Ana: We finally", "D1:1"))),
    "what is stored is not told": ("not retrieved", run(found=[OTHER])),
    "what is stored is not told, and it was found": ("over the budget", run(found=[FOUND])),
    "no turns are named": ("unknown", run([stored() | {"turns": []}], [FOUND | {"turns": []}])),
    "no evidence is named": ("unknown", run([stored()], [FOUND], question=BARE)),
    "it was never said": ("made up", run([stored()], [FOUND], packed(RIGHT, "D1:1"), question=NEVER)),
}  # fmt: skip


@pytest.mark.parametrize("name", STAGES_SEEN)
def test_the_stage(name):
    stage, records = STAGES_SEEN[name]
    (case,) = attribute(DATA, records)
    assert case.stage == stage
    assert (case.conversation, case.given, case.verdict, case.reason) == ("c1", "A cat.", "wrong", "no")


def test_every_stage_is_seen_here():
    assert {stage for stage, _ in STAGES_SEEN.values()} | {"failed"} == set(STAGES)


def test_a_case_has_what_a_list_shows():
    memories = [stored(WRONG, live=False), stored(name="m2")]
    records = run(memories, [OTHER, FOUND], packed("- Ben is tall.", "D1:2"))
    (case,) = attribute(DATA, records)
    (evidence,) = case.evidence
    assert (evidence.turn, evidence.stage, evidence.rank, evidence.missing) == (DOG, "over the budget", 2, ())
    assert [(one.id, one.live, one.missing) for one in evidence.memories] == [
        ("m1", False, ("beagl", "biscuit", "call")),
        ("m2", True, ()),
    ]


def test_of_several_turns_the_earliest_loss_counts_and_each_has_its_own():
    memories = [stored(), stored("Ben has 2 balconies.", "D1:2", name="m2")]
    found = [FOUND, result("memory", "m2", "Ben has 2 balconies.", "D1:2")]
    (case,) = attribute(DATA, run(memories, found, packed(RIGHT, "D1:1"), question=BOTH))
    assert case.stage == "extracted wrongly"  # Lisbon and the flat are lost
    assert [(one.turn.id, one.stage) for one in case.evidence] == [
        ("D1:1", "in the context"),
        ("D1:2", "extracted wrongly"),
    ]
    assert case.evidence[1].missing == ("flat", "lisbon")


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("Ben moved into a flat on 7 May 2023.", "misread"),
        ("Ben moved into a flat on 2023-05-07.", "misread"),
        ("Ben moved into a flat on May 6th, 2023.", "extracted wrongly"),
        ("Ben moved into a flat yesterday, as told on 8 May 2023.", "misread"),  # a reader can work it out
        ("Ben moved into a flat.", "misread"),  # the date may be kept beside the text
    ],
)
def test_a_date_that_was_worked_out_wrongly(text, stage):
    memories, found = [stored(text, "D1:2")], [result("memory", "m1", text, "D1:2")]
    (case,) = attribute(DATA, run(memories, found, packed(text, "D1:2"), question=WHEN))
    assert case.stage == stage


def test_what_was_answered_rightly_is_no_case():
    assert attribute(DATA, run([], [], verdict="right")) == []
    assert attribute(DATA, run([stored()], [FOUND], verdict="abstained", question=NEVER)) == []


def test_without_judgements_the_cases_are_those_whose_evidence_is_not_covered():
    lost, kept = run([stored()], [OTHER], verdict=None), run([stored()], [FOUND], packed(RIGHT, "D1:1"), verdict=None)
    assert [case.stage for case in attribute(DATA, lost)] == ["not retrieved"]
    assert attribute(DATA, kept) == []
    for question in (NEVER, BARE):
        assert attribute(DATA, run([stored()], [FOUND], verdict=None, question=question)) == []


def test_without_a_context_the_results_stand_for_it():
    records = run([stored()], [FOUND], verdict=None)
    records.search["q1"]["context"] = None
    assert attribute(DATA, records) == []
    records.search["q1"]["found"] = [OTHER]
    assert [case.stage for case in attribute(DATA, records)] == ["not retrieved"]


def test_what_failed_is_a_case_with_its_error():
    error = {"error": {"type": "ModelUnavailable", "message": "it is down"}}
    records = Records(search={"q1": {"question": "q1", **error}}, answers={"q2": {"question": "q2", **error}})
    cases = attribute(DATA, records)
    assert [(case.question.id, case.stage, case.error) for case in cases] == [
        ("q1", "failed", "ModelUnavailable: it is down"),
        ("q2", "failed", "ModelUnavailable: it is down"),
    ]
    ingest = Records(ingest={"c1": {"conversation": "c1", **error}})
    assert [case.stage for case in attribute(DATA, ingest)] == ["failed"] * len(QUESTIONS)


def test_what_was_not_asked_is_no_case():
    assert attribute(DATA, Records()) == []


def test_the_table():
    failed = {"q1": {"question": "q1", "error": "no"}, "q2": {"question": "q2", "error": "no"}}
    assert table(attribute(DATA, Records(search=failed))) == {"multi-hop": {"failed": 1}, "single-hop": {"failed": 1}}


names = st.sampled_from(["D1:1", "D1:2"])
memories = st.lists(
    st.tuples(st.sampled_from([RIGHT, WRONG, "Ben lives in Lisbon."]), st.sets(names, min_size=1), st.booleans()),
    max_size=4,
).map(
    lambda rows: [stored(text, *sorted(turns), live=live, name=f"m{i}") for i, (text, turns, live) in enumerate(rows)]
)


@given(memories, st.sets(st.integers(0, 3)), st.sets(st.integers(0, 3)), st.sampled_from([ASKED, BOTH]))
def test_the_stage_of_a_case_is_the_earliest_of_its_turns_and_more_context_never_moves_it_forward(
    kept, found, context, question
):
    def cases(chosen):
        live = [one for one in kept if one["live"]]
        found_ones = [
            result("memory", one["id"], one["text"], *one["turns"]) for i, one in enumerate(live) if i in found
        ]
        texts = [one for i, one in enumerate(live) if i in chosen]
        turns = [turn for one in texts for turn in one["turns"]]
        text = "\n".join(one["text"] for one in texts)
        records = run([*kept, stored("x", "D0:0", name="m9")], found_ones, packed(text, *turns), question=question)
        return attribute(DATA, records)[0]

    case = cases(context)
    lost = [LOST.index(one.stage) for one in case.evidence if one.stage in LOST]
    assert case.stage == (LOST[min(lost)] if lost else "misread")
    assert [one.turn.id for one in case.evidence] == list(question.evidence)
    order = [*LOST, "misread"]
    assert order.index(cases({0, 1, 2, 3}).stage) >= order.index(case.stage)


def test_terms_tell_names_and_numbers_from_words():
    asked = terms("On May 7th Ana bought two red lamps in Porto; Lamps were cheap.")
    assert asked.marks == {"may", "7", "ana", "2", "porto"}
    assert asked.words == {"bought", "red", "lamp", "cheap"}


def test_an_answer_takes_what_stands_in_the_turn_and_is_not_in_the_question():
    asks = taken("What pet?", "a pet beagle called Biscuit from Porto", "Ana: a beagle pet, Biscuit!")
    assert (asks.marks, asks.words) == ({"biscuit"}, {"beagl"})
    assert taken("Who?", "It was Ana", "Ana: Me!").marks == {"ana"}  # the speaker is told by the turn


def test_half_of_the_words_will_do_and_no_mark_may_lack():
    asks = taken("?", "the red lamp for Ana", "Ana: a red lamp")
    assert asks.missing(["Ana has a lamp."]) == ()
    assert asks.missing(["Ana has it."]) == ("lamp", "red")
    assert asks.missing(["A red lamp."]) == ("ana",)
    assert asks.missing(["A red one.", "It is Ana's."]) == ()


@given(st.text(st.sampled_from("ab AB.17")), st.text(st.sampled_from("ab AB.17")))
def test_a_text_lacks_nothing_of_itself(answer, question):
    asks = taken(question, answer, answer)
    assert asks.missing([answer]) == () and asks.in_part(answer)


def test_days():
    text = "on 7 May 2023, May 9th, 2023, 2023-05-10, the 11th of May 2023; not 31 June 2023, nor May 2023"
    assert days(text) == {date(2023, 5, n) for n in (7, 9, 10, 11)}
    assert exact_day("7 May, 2023") == date(2023, 5, 7)
    assert exact_day("The week before 9 June 2023") is None and exact_day("7 May 2023 or 8 May 2023") is None
    assert exact_day("Monday before 7 May 2023") is None and exact_day("2023") is None
