"""What an external system's worker may do wrong: it ends, hangs, says nonsense, or is not installed."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from small_talk import ANN, OSLO

from recollect_evals.errors import ExtraMissing, SystemFailed
from recollect_evals.model import Session
from recollect_evals.systems.external import External, Worker

KEEPER = Path(__file__).with_name("keeps_turns.py")
INSTALL = ("python3 -m venv keeper-env", "keeper-env/bin/pip install keeper")
SECRET = "My favorite color is blue."


def external(script: Path, folder: Path) -> External:
    worker = Worker(Path(sys.executable), script, folder, patience=60)
    return External("keeper", worker, {"folder": str(folder)}, {}, install=INSTALL)


@pytest.fixture
def scripted(tmp_path):
    """A worker that opens, ingests and ends when it is closed, and else does what it is told by a line of Python."""
    made = []

    def make(does: str) -> External:
        script = tmp_path / "worker.py"
        script.write_text(
            "import json, os, sys, time\n"
            "def say(**fields): print(json.dumps({'id': request['id'], **fields}), flush=True)\n"
            "for line in sys.stdin:\n"
            "    request = json.loads(line)\n"
            "    if request['do'] == 'open': say(answer={})\n"
            "    elif request['do'] == 'ingest': say(answer={'memories': 0, 'spent': {}})\n"
            "    elif request['do'] == 'close': break\n"
            f"    else: {does}\n"
        )
        system = external(script, tmp_path / "state")
        made.append(system)
        system.ingest(ANN)
        return system

    yield make
    for system in made:
        system.close()


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("os._exit(3)", r"ended \(exit status 3\)"),
        ("print('this is no JSON', flush=True)", "no answer"),
        ("print('[1, 2]', flush=True)", "no answer"),
        ("print(json.dumps({'id': 99, 'answer': []}), flush=True)", "no answer"),
        ("say(neither=1)", "no answer"),
        ("say(error='text')", "no answer"),
        ("say(answer=7)", "no answer"),
        ("say(answer=[{'id': 1}])", "no answer"),
        ("say(answer=[{'id': 1, 'text': 'x', 'turns': None}])", "no answer"),
        ("say(error={'type': 'KeyError', 'message': request['question']})", "raised KeyError"),
    ],
)
def test_what_is_no_answer_fails_the_question_without_quoting_it(scripted, does, said):
    system = scripted(does)
    with pytest.raises(SystemFailed, match=said) as failed:
        system.search("ann", OSLO, 5)
    assert "Oslo" not in str(failed.value)


def test_one_that_hangs_is_stopped_and_started_again_for_the_next_question(scripted):
    system = scripted("time.sleep(600)")
    process = system._worker._process
    system._worker._patience = 0.2
    with pytest.raises(SystemFailed, match=r"silent for 0\.2 seconds"):
        system.search("ann", OSLO, 5)
    assert process.poll() is not None and not system._worker.running
    system._worker._patience = 60
    assert system.ingest(ANN).memories == 0 and system._worker.running


def test_one_that_reads_nothing_is_stopped_however_much_it_is_to_read(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text("import json, time\nprint(json.dumps({'id': 1, 'answer': {}}), flush=True)\ntime.sleep(600)\n")
    system = external(script, tmp_path / "state")
    system._worker._patience = 0.2
    long = replace(ANN.turns[0], text="word " * 100_000)
    with pytest.raises(SystemFailed, match="silent"):
        system.ingest(replace(ANN, sessions=(Session("s", (long,)),)))
    system.close()


def test_one_that_hangs_when_it_is_closed_is_ended_by_force(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text("import json, time\nprint(json.dumps({'id': 1, 'answer': {}}), flush=True)\ntime.sleep(600)\n")
    system = external(script, tmp_path / "state")
    assert system.settings == {}
    process = system._worker._process
    system._worker._patience = 0.2
    system.close()
    assert process.poll() == -signal.SIGKILL and not system._worker.running


def test_one_that_ended_goes_on_from_what_it_kept(tmp_path):
    system = external(KEEPER, tmp_path)
    system.ingest(ANN)
    before = system.search("ann", OSLO, 5)
    (tmp_path / "end").touch()
    with pytest.raises(SystemFailed, match="exit status 3"):
        system.search("ann", OSLO, 5)
    assert system.search("ann", OSLO, 5) == before
    system.close()


def test_what_it_prints_goes_to_its_log(tmp_path):
    system = external(KEEPER, tmp_path)
    system.close()
    assert "what a library prints" in (tmp_path / "worker.log").read_text()


def test_closing_ends_the_process_and_twice_is_no_error(tmp_path):
    system = external(KEEPER, tmp_path)
    process = system._worker._process
    system.close()
    system.close()
    assert process.returncode == 0


def test_a_python_that_is_not_there_is_missing(tmp_path):
    worker = Worker(tmp_path / "nowhere" / "python", KEEPER, tmp_path)
    with pytest.raises(ExtraMissing, match="No such file"):
        External("keeper", worker, {}, {}, install=INSTALL)


def test_a_library_that_is_not_there_is_missing_and_the_commands_that_install_it_are_told(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(
        KEEPER.read_text().replace("def open(self, folder):", "def open(self, folder):\n        import kept")
    )
    script.write_text(script.read_text().replace("Path(__file__)", f"Path({str(KEEPER)!r})"))
    with pytest.raises(ExtraMissing, match="keeper-env/bin/pip install keeper"):
        external(script, tmp_path / "state")


def test_no_key_of_the_environment_goes_to_a_worker(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "not for others")
    script = tmp_path / "worker.py"
    script.write_text(
        "import json, os, sys\n"
        "for line in sys.stdin:\n"
        "    request = json.loads(line)\n"
        "    print(json.dumps({'id': request['id'], 'answer': dict(os.environ)}), flush=True)\n"
        "    if request['do'] == 'close': break\n"
    )
    system = external(script, tmp_path / "state")
    assert "PATH" in system.settings and "OPENAI_API_KEY" not in system.settings
    system.close()
