"""examples/: each runs as its first comment says, offline, and with a model's endpoint on loopback."""

from __future__ import annotations

import ast
import importlib.util
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time

import httpx
import notebooks
import pages
import pytest

from recollect.testing import ModelEndpoint

EXAMPLES = pages.ROOT / "examples"
SCRIPTS = sorted(file for file in EXAMPLES.glob("*.py") if file.stem != "answering")


def load(name):
    """An example as a module of its own."""
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def told(name):
    """The calls of itself that an example's first comment has, as argument lists."""
    comment = ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text(encoding="utf-8")))
    lines = re.findall(rf"^ *python examples/{name}\.py(.*)$", comment, re.M)
    return [shlex.split(line, comments=True) for line in lines]


@pytest.fixture
def here(monkeypatch, tmp_path):
    """At the root of the checkout, with a store of its own."""
    monkeypatch.chdir(pages.ROOT)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setenv("RECOLLECT_HOME", str(tmp_path / "home"))
    pages.patient(monkeypatch)


@pytest.fixture
def run(here, capsys):
    """Call an example's main, and get what it printed."""

    def printed(module, *arguments):
        module.main(list(arguments))
        return capsys.readouterr().out

    return printed


@pytest.fixture
def model(monkeypatch):
    """A model that extracts nothing and always says the same, at OpenAI's address."""

    def script(request):
        return {"facts": []} if "You turn conversations into memories" in request.text else "As the model says."

    with ModelEndpoint(script) as endpoint:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        monkeypatch.setenv("OPENAI_API_BASE", endpoint.url)
        yield endpoint


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.stem)
def test_the_first_comment_says_what_it_shows_and_how_it_is_run(file):
    comment = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    assert "The one idea: " in comment and "Offline by default" in comment and told(file.stem)
    assert len(file.read_text(encoding="utf-8").splitlines()) < 150


def test_the_list_of_examples_is_whole():
    listed = [re.match(r"\[([^]]+)\]", row[0])[1] for row in pages.rows(pages.page("examples/README.md"), "Examples")]
    assert sorted(listed) == sorted(file.name for file in (*SCRIPTS, *EXAMPLES.glob("*.ipynb")))


# --- a project's memory --------------------------------------------------------------------------------------------------


def test_a_projects_memory_learns_asks_and_says_why(run):
    project = load("project_memory")
    learnt, now, then, why, brief = [run(project, *arguments) for arguments in told("project_memory")]
    assert learnt.count("UPDATE") == 2 and learnt.count("ADD") == 5
    assert "PostgreSQL" in now and "Redis for" not in now
    assert "chose Redis" in then
    assert "Ines Prado, 2026-03-20, commit 3c7b2f9d5e" in why and "replaced: Ines Prado and others chose Redis" in why
    conventions, decisions = brief.split("Decisions:")
    assert "never use print" in conventions and "Click instead of Typer" in decisions
    assert run(project, "learn", "examples/heron.log") == ""  # known: nothing new
    assert "PostgreSQL" not in run(project, "brief", "--project", "another")


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")
def test_a_projects_memory_reads_a_checkout(run, tmp_path):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=Ines", "-c", "user.email=ines@heron.example"]
    subprocess.run([*git, "init", "-q"], check=True)
    for message in ("We chose Redis for the job queue.", "We switched the job queue from Redis to PostgreSQL."):
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "A step", "-m", message], check=True)
    project = load("project_memory")
    learnt = run(project, "learn", str(tmp_path)).splitlines()
    assert [line.split()[1] for line in learnt] == ["ADD", "UPDATE"]


# --- study notes ---------------------------------------------------------------------------------------------------------


def test_study_notes_are_kept_word_for_word_and_the_diary_as_facts(run):
    notes = load("study_notes")
    read, answer, met, listed = [run(notes, *arguments) for arguments in told("study_notes")]
    assert read == "8 new, 8 in all\n" and run(notes, "read", "examples/notes") == "0 new, 8 in all\n"
    written = pages.page("examples/notes/2026-03-16.md")
    assert f"- {answer.splitlines()[0]}\n" in written and "2026-03-16.md" in answer
    assert re.findall(r"^[\d-]+", met, re.M) == ["2026-03-16", "2026-04-01"]
    assert re.findall(r"^[\d-]+", listed, re.M) == ["2026-03-16", "2026-03-16", "2026-04-02"]
    assert run(notes, "ask", "Who painted the Mona Lisa?") == "Nothing that I remember has to do with it.\n"


def test_study_notes_answer_by_a_model_from_the_notes_alone(run, model):
    notes = load("study_notes")
    run(notes, "read", "examples/notes", "--llm", "openai/any")
    asked = len(model.requests)
    answer = run(notes, "ask", "Where does the Calvin cycle happen?", "--llm", "openai/any")
    assert answer.startswith("As the model says.")
    (request,) = model.requests[asked:]
    assert "the Calvin cycle in the stroma fixes CO2" in request.text and "Jonas" not in request.text


# --- the notebook --------------------------------------------------------------------------------------------------------


def test_the_notebook_shows_what_it_showed_when_it_was_saved(here):
    """`python tests/notebooks.py examples/time.ipynb` saves it anew."""
    notebook = json.loads(pages.page("examples/time.ipynb"))
    shown = notebooks.run(notebook)
    assert shown == notebooks.kept(notebook)
    assert sum(map(bool, shown)) >= 5


def test_the_notebook_is_one_that_jupyter_opens():
    notebook = json.loads(pages.page("examples/time.ipynb"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r"[a-zA-Z0-9-_]{1,64}", one) for one in ids)
    for cell in notebook["cells"]:
        assert set(cell) >= {"cell_type", "id", "metadata", "source"}
        assert ("outputs" in cell) == ("execution_count" in cell) == (cell["cell_type"] == "code")


# --- the assistant -------------------------------------------------------------------------------------------------------


TALK = """I have a dentist appointment next Tuesday.
Remind me to send the tax form on Friday.
I'm flying to Lisbon on 3 December.
/plans
When do I fly to Lisbon?
/why
/forget dentist
/plans
/what
/quit
"""


def test_the_assistant_knows_what_is_planned_and_forgets_on_request(run, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(TALK))
    assistant = load("assistant")
    said = run(assistant, "--now", "2026-11-26T09:00:00+00:00")
    monkeypatch.setattr("sys.stdin", io.StringIO("When do I fly to Lisbon?\n"))  # and its end, as by Ctrl-D
    later = run(assistant, "--now", "2026-11-27T09:00:00+00:00")
    before, _, after = said.partition("Forgotten:")
    planned = r"^> (Fri 27 Nov .+tax form.+)\n(Tue 01 Dec .+dentist.+)\n(Thu 03 Dec .+Lisbon.+)$"
    assert re.search(planned, before, re.M), before
    assert "> The user is flying to Lisbon on 3 December 2026.\n" in before
    assert re.search(r"^0\.\d\d  The user is flying|^1\.00  The user is flying", before, re.M)
    assert "dentist" in after.splitlines()[0] and "dentist" not in after.split("\n", 1)[1]
    assert after.count(assistant.HELP) == 1
    assert "The user is flying to Lisbon on 3 December 2026." in later


def test_the_assistant_shows_a_model_what_it_remembers(run, monkeypatch, model):
    assistant = load("assistant")
    monkeypatch.setattr("sys.stdin", io.StringIO("I'm flying to Lisbon on 3 December 2026.\n"))
    run(assistant)
    monkeypatch.setattr("sys.stdin", io.StringIO("When do I fly to Lisbon?\n/quit\n"))
    assert "> As the model says.\n" in run(assistant, "--llm", "openai/any")
    (asked,) = [one for one in model.requests if "You are a personal assistant" in one.text]
    assert "The user is flying to Lisbon on 3 December 2026." in asked.text


# --- the support bot -----------------------------------------------------------------------------------------------------


@pytest.fixture
def bot(here):
    """The service, as it is started, on a free port: a call by method, path, customer and body; status and answer."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(load("support_bot").app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the service did not start"
        time.sleep(0.01)
    (port,) = [one.getsockname()[1] for one in server.servers[0].sockets]

    def call(method, path, customer, body=None):
        headers = {"X-Customer": customer} if customer else {}
        answer = httpx.request(method, f"http://127.0.0.1:{port}{path}", headers=headers, json=body, timeout=60)
        return answer.status_code, answer.json()

    yield call
    server.should_exit = True
    thread.join()


def said(text, conversation="c1"):
    return {"conversation": conversation, "messages": [{"role": "user", "content": text}]}


def learnt(call, customer, number):
    """What is known of a customer, once it is so much."""
    for _ in range(500):
        _, known = call("GET", "/me", customer)
        if len(known) >= number:
            return known
        time.sleep(0.02)
    raise AssertionError(known)


def test_the_support_bot_keeps_customers_apart_and_forgets_them(bot):
    asked = said("What router do I have?", "c2")
    status, first = bot("POST", "/chat", "ann", said("I have a Fritz 7590 router. I live in Lyon."))
    assert status == 200 and first["remembered"] == []
    known = learnt(bot, "ann", 2)
    assert any("Lyon" in one["text"] and one["said"] == ["I live in Lyon."] for one in known)
    _, again = bot("POST", "/chat", "ann", asked)
    assert "Fritz 7590" in again["reply"] and again["remembered"]
    _, other = bot("POST", "/chat", "bob", asked)
    assert "Fritz" not in other["reply"] and other["remembered"] == [] and bot("GET", "/me", "bob") == (200, [])
    assert bot("DELETE", f"/me/{known[0]['id']}", "bob") == (404, {"detail": "not found"})
    assert bot("GET", "/me", None)[0] == 422  # nobody
    status, receipt = bot("DELETE", "/me", "ann")
    assert status == 200 and receipt["complete"] and receipt["memories"] == 2
    assert bot("GET", "/me", "ann") == (200, [])
    assert bot("POST", "/chat", "ann", asked)[1]["remembered"] == []


def test_the_support_bot_answers_by_a_model(bot, model, monkeypatch):
    monkeypatch.setenv("RECOLLECT_LLM", "openai/any")
    assert bot("POST", "/chat", "ann", said("Hello!"))[1]["reply"] == "As the model says."
