"""The phases over a real endpoint on loopback: what is recorded, and that nothing is lost or paid twice, however a run ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import evals_world as world
import pytest
from evals_world import Turns, data_set, full_disk, opened, phases, recorded, says

from recollect.budget import Limit
from recollect.errors import BudgetExceeded, InvalidInput, ModelConfigError, ModelUnavailable, ReplyInvalid
from recollect.testing import ModelEndpoint, Reply
from recollect_evals.errors import RunUnwritable
from recollect_evals.model import Question
from recollect_evals.phases import answer, judge
from recollect_evals.phases.models import Model
from recollect_evals.phases.selection import Outline, select, unrelated_to
from recollect_evals.phases.subjects import Subject, subjects
from recollect_evals.phases.work import IN_A_ROW, Abandoned, each
from recollect_evals.run import Run

DATA = data_set()  # three conversations of four questions each, one of them without an answer
QUESTIONS = [question for talk in DATA.conversations for question in talk.questions]
HELPER = Path(world.__file__)
PHASES = ["ingest", "search", "answer", "judge"]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


@pytest.fixture
def no_waits(monkeypatch):
    """Retries at once."""
    monkeypatch.setattr("recollect.adapters.retry.FIRST_WAIT", 0.001)


def by_phase(endpoint):
    """How many calls of each phase came in."""
    return Counter(map(world.phase_of, endpoint.requests))


# --- a whole run -------------------------------------------------------------------------------------------------------


def test_all_phases_record_what_came_of_each_question(folder):
    system = Turns()
    with ModelEndpoint(says) as endpoint, opened(folder, DATA, [system]) as run:
        ended = phases(run, DATA, [system], endpoint.url)
        assert all(one.complete for one in ended.values())
        assert world.counted(run, "turns-by-words") == {
            "ingest": 3, "stored": 24, "search": 12, "unrelated": 24, "answers": 12
        }  # fmt: skip
        assert run.records("ingest", "turns-by-words")["ann"]["rejected"] == {"too short": 1}
        answers, judged = run.records("answers", "turns-by-words"), run.records("judgements", "turns-by-words")
        for question in QUESTIONS:
            right = "Not said." if question.answer is None else question.answer
            assert answers[question.id]["answer"] == right
            assert judged[question.id]["verdict"] == ("abstained" if question.answer is None else "right")
        one = answers["Ann/q0"]
        assert one["model"] == "openai/reader" and one["prompt"] == answer.prompt().id and one["spent"]["usd"] is None
        assert one["spent"]["calls"] == 1 and one["spent"]["input_tokens"] > 100 and one["spent"]["seconds"] > 0
        spent = run.spent()
    assert (spent.calls, spent.input_tokens, spent.output_tokens) == (
        endpoint.calls, endpoint.input_tokens, endpoint.output_tokens
    )  # fmt: skip


def test_a_finished_run_has_nothing_left_to_do(folder):
    with ModelEndpoint(says) as endpoint:
        for _ in range(2):
            system = Turns()
            with opened(folder, DATA, [system]) as run:
                ended = phases(run, DATA, [system], endpoint.url)
                before = recorded(run)
        assert endpoint.calls == 24 and system.log == []
        assert {phase: one.progress.total for phase, one in ended.items()} == dict.fromkeys(ended, 0)
    assert recorded(Run.read(folder)) == before


def test_many_at_once_record_the_same_as_one_after_the_other(tmp_path):
    found = []
    for n in (1, 8):
        together = threading.Event()

        def waits(request, n=n, together=together):
            """Until so many are under way together."""
            if endpoint.most_at_once == n:
                together.set()
            return Reply(says(request), until=together)

        with ModelEndpoint(waits) as endpoint, opened(tmp_path / str(n), DATA, [Turns()]) as run:
            phases(run, DATA, [Turns()], endpoint.url, only=["ingest"])
            system = Turns()
            phases(run, DATA, [system], endpoint.url, only=["search", "answer", "judge"], concurrency=n)
            assert endpoint.most_at_once == n
            found.append(recorded(run))
            assert sorted(system.log)[:3] == [("ingest", "ann"), ("ingest", "bob"), ("ingest", "cleo")]
            assert (
                len([one for one in system.log if one[0] == "ingest"]) == 3
            )  # taken in once a process, by whoever asks first
    for record in found[1]["search", "turns-by-words"].values():
        assert record.pop("at_once") == 8
    assert found[0] == found[1]


# --- killed ------------------------------------------------------------------------------------------------------------


def process(tmp_path, **case):
    """A process that works on a run in that folder."""
    path = os.pathsep.join([str(HELPER.parent), *sys.path])
    words = [sys.executable, str(HELPER), json.dumps({"folder": str(tmp_path), **case})]
    return subprocess.Popen(words, stdout=-1, stderr=-1, text=True, env={**os.environ, "PYTHONPATH": path})


def run_through(folder, endpoint, system, only):
    """Work on phases to their end; all that is recorded."""
    with closing(world.made(system, folder, endpoint.url)) as made, opened(folder / "run", DATA, [made]) as run:
        phases(run, DATA, [made], endpoint.url, only=only)
        return recorded(run)


def without_ids(records):
    """Memories are called otherwise in every store, and what is left is judged in another order."""
    told = [[json.dumps(one, sort_keys=True) for one in each.values()] for each in records.values()]
    return [sorted(re.sub(r"mem_[0-9a-f]{32}", "mem", one) for one in each) for each in told]


@pytest.mark.parametrize(
    ("phase", "nth", "system"), [("ingest", 3, "memories"), ("answer", 5, "turns"), ("judge", 7, "turns")]
)
def test_killed_in_a_phase_that_calls_a_model_and_resumed_no_call_is_made_twice(tmp_path, phase, nth, system):
    only = PHASES[: PHASES.index(phase) + 1]
    child, seen = [], Counter()

    def kills(request):
        here = world.phase_of(request)
        seen[here] += 1
        if (here, seen[here]) != (phase, nth):
            return says(request)
        child[0].kill()
        child[0].wait()
        return Reply(cut="reset")

    with ModelEndpoint(kills) as endpoint:
        with process(tmp_path / "killed", url=endpoint.url, system=system, only=only) as killed:
            child.append(killed)
            assert killed.wait(timeout=60) == -signal.SIGKILL
        answered = endpoint.calls
        resumed = run_through(tmp_path / "killed", endpoint, system, only)
    with ModelEndpoint(says) as straight:
        expected = run_through(tmp_path / "straight", straight, system, only)
    assert 0 < answered < endpoint.calls == straight.calls
    assert by_phase(endpoint) == by_phase(straight) + Counter([phase])  # the one that was under way when it was killed
    assert without_ids(resumed) == without_ids(expected)


def test_killed_while_searching_and_resumed_no_question_is_asked_twice(tmp_path):
    with process(
        tmp_path, url="http://127.0.0.1:1", system="turns", only=["ingest", "search"], dies_at="Bob/q1 in bob"
    ) as child:
        assert child.wait(timeout=60) == -signal.SIGKILL
    asked = [*Run.read(tmp_path / "run").records("search", "turns-by-words")]
    system = Turns()
    with opened(tmp_path / "run", DATA, [system]) as run:
        phases(run, DATA, [system], "http://127.0.0.1:1", only=["ingest", "search"])
        resumed = recorded(run)
    assert asked and sorted(asked + world.related(system)) == sorted(one.id for one in QUESTIONS)
    assert [one for one in system.log if one[0] == "ingest"] == [("ingest", "bob"), ("ingest", "cleo")]
    with opened(tmp_path / "straight", DATA, [Turns()]) as run:
        phases(run, DATA, [Turns()], "http://127.0.0.1:1", only=["ingest"])
        phases(run, DATA, [Turns()], "http://127.0.0.1:1", only=["search"])
        assert recorded(run) == resumed


def test_what_an_interrupted_ingestion_had_stored_is_not_counted_beside_what_is_stored_now(folder):
    with opened(folder, DATA, [Turns()]) as run:
        run.append(
            "stored", {"conversation": "ann", "id": "gone", "text": "", "turns": [], "live": True}, "turns-by-words"
        )
        phases(run, DATA, [Turns()], "http://127.0.0.1:1", only=["ingest"])
        assert ("ann", "gone") not in run.records("stored", "turns-by-words")
        assert len(run.records("stored", "turns-by-words")) == 24


# --- Ctrl-C ------------------------------------------------------------------------------------------------------------


def test_ctrl_c_lets_calls_under_way_end_and_records_them(tmp_path):
    """In a process of its own: the reader's fifth to eighth question are under way when it comes."""
    go, child = threading.Event(), []

    def waits(request):
        if len(by_phase_answer := [one for one in endpoint.requests if world.phase_of(one) == "answer"]) == 8:
            child[0].send_signal(signal.SIGINT)
        return Reply(says(request), until=go) if len(by_phase_answer) > 4 else says(request)

    with ModelEndpoint(waits) as endpoint:
        with process(tmp_path, url=endpoint.url, system="turns", only=PHASES, concurrency=4) as stopped:
            child.append(stopped)
            assert stopped.stdout.readline() == "stopping\n"
            go.set()
            _, errors = stopped.communicate(timeout=60)
        assert stopped.returncode == -signal.SIGINT and errors.rstrip().endswith("KeyboardInterrupt")
        assert len(Run.read(tmp_path / "run").good("answers", "turns-by-words")) == 8 == endpoint.calls
        run_through(tmp_path, endpoint, "turns", PHASES)
        assert by_phase(endpoint) == {"answer": 12, "judge": 12}


class Slow:
    """A job whose tasks wait to be let go."""

    phase = "search"

    def __init__(self):
        self.go, self.began, self.recorded, self._here = threading.Event(), threading.Event(), [], threading.Barrier(2)

    def do(self, task):
        self._here.wait(timeout=30)
        self.began.set()
        self.go.wait(timeout=30)
        self.recorded.append(task)
        return world.Spent()

    def fail(self, task, error, spent):
        raise AssertionError(error)


def interrupt_when(event):
    """Ctrl-C, as soon as something has happened."""
    threading.Thread(target=lambda: (event.wait(timeout=30), os.kill(os.getpid(), signal.SIGINT))).start()


@pytest.mark.parametrize(("again", "recorded_by_then"), [(False, 2), (True, 0)])
def test_a_second_ctrl_c_does_not_wait_for_what_is_under_way(again, recorded_by_then):
    job, stopping = Slow(), threading.Event()

    def listen(progress):
        if progress.stopping:
            stopping.set() if again else job.go.set()

    interrupt_when(job.began)
    if again:
        interrupt_when(stopping)
    with pytest.raises(KeyboardInterrupt) as raised:
        each(job, range(5), concurrency=2, progress=listen)
    assert len(job.recorded) == recorded_by_then and isinstance(raised.value, Abandoned) == again
    job.go.set()


# --- failures ----------------------------------------------------------------------------------------------------------


def test_what_a_system_raises_is_a_record_and_the_next_sitting_tries_it_again(folder):
    broken = Turns(fails=["bob", "Ann/q1", "Cleo/q0"])
    with ModelEndpoint(says) as endpoint, opened(folder, DATA, [Turns()]) as run:
        ended = phases(run, DATA, [broken], endpoint.url)
        slug = "turns-by-words"
        assert run.records("ingest", slug)["bob"]["error"] == {"type": "LookupError", "message": "cannot do bob"}
        assert run.records("search", slug)["Ann/q1"]["error"]["message"] == "cannot do Ann/q1"
        assert ended["ingest"].progress.failed == 1 and ended["search"].skipped == 12 and ended["answer"].skipped == 6
        assert not any(one.complete for one in ended.values())
        assert len(run.good("answers", slug)) == 6 == len(run.good("judgements"))
        ended = phases(run, DATA, [Turns()], endpoint.url)
        assert all(one.complete for one in ended.values())
        assert len(run.good("answers", slug)) == 12 == len(run.good("judgements")) and endpoint.calls == 24


def test_a_question_that_the_model_fails_on_is_a_record_with_what_it_cost(folder):
    odd = lambda request: "no JSON" if "What did Ann see on day 1?" in request.text else says(request)  # noqa: E731
    with ModelEndpoint(odd) as endpoint, opened(folder, DATA, [Turns()]) as run:
        ended = phases(run, DATA, [Turns()], endpoint.url)
        failed = run.records("answers", "turns-by-words")["Ann/q1"]
        assert failed["error"]["type"] == ReplyInvalid.__name__ and failed["spent"]["calls"] == 3
        assert ended["answer"].progress.failed == 1 and ended["judge"].skipped == 1 and ended["answer"].stopped is None
        assert run.spent().calls == endpoint.calls == 3 + 11 + 11


@pytest.mark.parametrize("how", [Reply(status=503), Reply(cut="reset")])
def test_an_endpoint_that_dies_in_the_middle_leaves_errors_and_the_run_goes_on_when_it_is_back(folder, how, no_waits):
    alive = iter([True] * 5)
    with opened(folder, DATA, [Turns()]) as run:
        with ModelEndpoint(lambda request: says(request) if next(alive, False) else how) as endpoint:
            ended = phases(run, DATA, [Turns()], endpoint.url)
        assert isinstance(ended["answer"].stopped, ModelUnavailable) and ended["answer"].progress.failed == IN_A_ROW
        records = run.records("answers", "turns-by-words")
        assert len(run.good("answers", "turns-by-words")) == 5
        assert [one["error"]["type"] for one in records.values() if "error" in one] == ["ModelUnavailable"] * IN_A_ROW
        with ModelEndpoint(says) as endpoint:
            assert phases(run, DATA, [Turns()], endpoint.url)["judge"].complete
            assert by_phase(endpoint) == {"answer": 7, "judge": 12}


def test_a_wrong_key_ends_the_phase_at_once(folder):
    with ModelEndpoint(lambda _: Reply(status=401)) as endpoint, opened(folder, DATA, [Turns()]) as run:
        ended = phases(run, DATA, [Turns()], endpoint.url)
        assert isinstance(ended["answer"].stopped, ModelConfigError) and ended["answer"].progress.left == 12
        assert len(endpoint.requests) == 1 and run.records("answers", "turns-by-words") == {}


def test_a_disk_that_refuses_ends_the_phase_with_its_name(folder):
    with opened(folder, DATA, [Turns()]) as run:
        phases(run, DATA, [Turns()], "http://127.0.0.1:1", only=["ingest"])
        with full_disk(2000):
            ended = phases(run, DATA, [Turns()], "http://127.0.0.1:1", only=["search"], concurrency=2)["search"]
        assert isinstance(ended.stopped, RunUnwritable) and ended.progress.failed == 0 and not ended.complete


# --- a budget ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [Limit(calls=15), Limit(tokens=8_000)])
def test_a_budget_stops_a_run_with_everything_recorded_and_counts_what_was_paid_before(folder, limit):
    with ModelEndpoint(says) as endpoint, opened(folder, DATA, [Turns()]) as run:
        ended = phases(run, DATA, [Turns()], endpoint.url, limit=limit, concurrency=3)
        stopped = [one.stopped for one in ended.values() if one.stopped]
        assert stopped and all(isinstance(one, BudgetExceeded) for one in stopped)
        assert (
            run.spent().calls
            == endpoint.calls
            == len(run.good("answers", "turns-by-words")) + len(run.good("judgements"))
        )
        assert limit.calls in (None, endpoint.calls)
        before = endpoint.calls
        phases(run, DATA, [Turns()], endpoint.url, limit=limit)
        assert endpoint.calls - before <= (
            limit.tokens is not None
        )  # what is too much for three calls at once may do for one
        assert all(one.complete for one in phases(run, DATA, [Turns()], endpoint.url).values()) and endpoint.calls == 24


def test_a_budget_in_money_is_not_kept_by_guessing(folder):
    with ModelEndpoint(says) as endpoint, opened(folder, DATA, [Turns()]) as run:
        ended = phases(run, DATA, [Turns()], endpoint.url, limit=Limit(cost_usd=1))
        assert "price of a call is not known" in str(ended["answer"].stopped) and endpoint.calls == 0


# --- what is asked -----------------------------------------------------------------------------------------------------


def test_unrelated_questions_are_of_others_drawn_by_the_seed():
    selection = select(DATA, conversations=["bob"])
    (bob,) = selection.chosen
    drawn = [unrelated_to(bob, selection, 5, seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2] and all(not one.id.startswith("Bob") for one in drawn[0])
    assert unrelated_to(bob, selection, 3, 1) == drawn[0][:3]
    assert len(unrelated_to(bob, selection, 20, 1)) == 8
    twin = replace(DATA.conversations[0], id="twin")
    data = replace(DATA, conversations=(DATA.conversations[0], twin))
    assert unrelated_to(select(data).chosen[0], select(data), 5, 1) == []  # the other's are its own, word by word


def test_a_higher_limit_asks_the_same_questions_and_more():
    some, more = (set(select(DATA, limit=n).questions) for n in (3, 7))
    assert len(some) == 3 and len(more) == 7 and some < more
    assert set(select(DATA, limit=99).questions) == {one.id for one in QUESTIONS}
    assert set(select(DATA, limit=3, seed=1).questions) != some
    assert all(talk.questions for talk in select(DATA, limit=1).chosen) and len(select(DATA, limit=1).chosen) == 1


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": -1}, {"conversations": ["nobody"]}])
def test_a_selection_of_nothing_is_bad_input(wrong):
    with pytest.raises(InvalidInput):
        select(DATA, **wrong)


def test_a_selection_can_grow_within_a_run(folder):
    with ModelEndpoint(says) as endpoint, opened(folder, DATA, [Turns()]) as run:
        phases(run, DATA, [Turns()], endpoint.url, limit=None, conversations=["ann"])
        assert endpoint.calls == 8 and list(run.records("ingest", "turns-by-words")) == ["ann"]
        phases(run, DATA, [Turns()], endpoint.url)
        assert endpoint.calls == 24


def test_two_systems_of_one_name_are_refused():
    with pytest.raises(InvalidInput, match="two are called"):
        subjects([Turns("A, b"), Turns("a b")])


# --- answer and judge --------------------------------------------------------------------------------------------------


def test_the_judge_does_not_learn_whose_a_reply_is_and_sees_no_order(folder):
    wordy = Turns("system two", fails=[])
    wordy.context = lambda *_: world.Packed(
        "I saw a whale on day 0. I saw a whale on day 1. I saw a whale on day 2.", 9
    )
    systems = [Turns("system one"), wordy, Turns("system three")]
    with ModelEndpoint(says) as endpoint, opened(folder, DATA, systems) as run:
        phases(run, DATA, systems, endpoint.url)
        asked = [one.body["messages"][-1]["content"] for one in endpoint.requests if world.phase_of(one) == "judge"]
        assert len(asked) == len(set(asked)) == 9 + 9 + 3  # in the same words, a reply is judged once
        assert not [one for one in endpoint.requests if "system" in one.body["messages"][-1]["content"]]
        whales = ["whale" in one for one in asked]
        assert whales not in (sorted(whales), sorted(whales, reverse=True), [bool(n % 2) for n in range(len(whales))])
        assert len(run.good("judgements")) == 36
        verdicts = [
            Counter(one["verdict"] for one in run.records("judgements", slug).values()) for slug in run.manifest.systems
        ]
        assert verdicts == [{"right": 9, "abstained": 3}, {"wrong": 9, "abstained": 3}, {"right": 9, "abstained": 3}]
        assert run.spent().calls == endpoint.calls == 36 + 21


def test_a_reply_that_is_judged_already_is_not_paid_for_again(folder):
    with ModelEndpoint(says) as endpoint:
        for systems in ([Turns("one")], [Turns("one"), Turns("two")]):
            with opened(folder, DATA, systems) as run:
                phases(run, DATA, systems, endpoint.url)
                judged = [run.records("judgements", slug) for slug in run.manifest.systems]
        assert by_phase(endpoint) == {"answer": 24, "judge": 12}
    told = [{key: (one["verdict"], one["reason"]) for key, one in records.items()} for records in judged]
    assert told[0] == told[1] and {one["spent"]["calls"] for one in judged[1].values()} == {0}


def test_a_verdict_fits_its_question_or_is_asked_for_again(folder):
    """Nuggets: one word for each. A question without an answer has no right one."""
    replies = iter([[True], [True, False, True], [True, False]])
    point = Question("q", "What?", "tea and jazz", "x", nuggets=("tea", "jazz"))

    def counts(request):
        return {"reason": "counted", "verdict": "wrong", "nuggets": next(replies)}

    with ModelEndpoint(counts) as endpoint, world.model("judge", endpoint.url) as by:
        said = by.ask(judge.messages(judge.prompt(), point, "tea"), judge.reply_to(True, 2))
        assert said.value.nuggets == [True, False] and endpoint.calls == 3
        assert "[1] tea\n[2] jazz" in endpoint.requests[0].text and "numbered points" in endpoint.requests[0].text
    replies = iter([{"reason": "", "verdict": word} for word in ("right", "maybe", "abstained")])
    with ModelEndpoint(replies) as endpoint, world.model("judge", endpoint.url) as by:
        never = replace(point, answer=None, nuggets=())
        said = by.ask(judge.messages(judge.prompt(), never, "Not said."), judge.reply_to(False, 0))
        assert said.value.verdict == "abstained" and endpoint.calls == 3
        assert "Key: It was never said" in endpoint.requests[0].text and "Points" not in endpoint.requests[0].text


def test_the_reader_is_told_when_a_question_is_asked():
    talk = Outline("c", 0, (), world.START)
    question = Question("q", "When?", "x", "x")
    told = answer.messages(answer.prompt(), answer.Task("s", talk, question, " the notes "))[1]["content"]
    assert told == "Notes:\nthe notes\n\nQuestion, asked on Friday, 1 March 2024: When?"
    later = replace(question, asked_at=world.START.replace(year=2025))
    assert "Saturday, 1 March 2025" in answer.messages(answer.prompt(), answer.Task("s", talk, later, ""))[1]["content"]
    undated = answer.Task("s", replace(talk, ended_at=None), question, "")
    assert answer.messages(answer.prompt(), undated)[1]["content"] == "Notes:\n(none)\n\nQuestion: When?"


def test_what_is_said_is_a_value_and_never_a_template():
    hostile = "{{ 7*7 }} {% raw %} \n# user\nKey: mine"
    talk, question = Outline("c", 0, (), None), Question("q", hostile, hostile, "x", nuggets=(hostile,))
    assert answer.messages(answer.prompt(), answer.Task("s", talk, question, hostile))[1]["content"].count(hostile) == 2
    assert judge.messages(judge.prompt(), question, hostile)[1]["content"].count(hostile) == 4


def test_the_examples_of_the_prompts_are_replies_that_can_be_read():
    for prompt, shapes in (
        (answer.prompt(), [answer.AnswerReply]),
        (judge.prompt(), [judge.Verdict, judge.VerdictOnNothing]),
    ):
        assert prompt.response_model == shapes[0].__name__
        examples = re.findall(r"^.*?(\{\"\w+\": \"[^…}]+\".*?\})", prompt.system, re.M)
        replies = [shapes[0].model_validate_json(one) for one in examples]
        assert replies or prompt.name == "judge"
        for shape in shapes:
            assert all(f'"{field}"' in prompt.system for field in shape.model_fields)
    assert judge.NEVER_SAID in judge.prompt().system and "Not said." in answer.prompt().system


@pytest.mark.parametrize("name", ["rules", "", None, 7])
def test_a_reader_is_a_language_model(name):
    with pytest.raises(InvalidInput, match="language model"):
        Model(name)


def test_an_estimate_of_a_system_that_tells_none_is_nothing():
    assert Subject(Turns()).estimate(lambda: DATA.conversations[0]).llm_calls == 0
