"""Settings by flag, environment and file: which wins, where a key goes, and what is wrong with a file."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from recollect import Memory
from recollect.surfaces.cli.commands import app
from recollect.surfaces.cli.settings import KINDS, read, resolve, template
from recollect.testing import HashEmbedder, ModelEndpoint

KEY = "sk-a-key-that-nobody-may-see"


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A settings file with this in it, in force."""

    def write(text, mode=0o600):
        path = tmp_path / "config.toml"
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        monkeypatch.setenv("RECOLLECT_CONFIG", str(path))
        if "store = " in text:
            monkeypatch.delenv("RECOLLECT_HOME")
        return path

    return write


@pytest.fixture
def run():
    """Call it, with no --store."""

    def call(*words, code=0):
        done = CliRunner().invoke(app, list(map(str, words)))
        assert done.exit_code == code, done.output
        assert KEY not in done.output
        return done

    return call


def shown(run, *words):
    return json.loads(run("config", "--json", *words).stdout)["settings"]


def test_a_flag_wins_over_the_environment_and_that_over_the_file(run, file, monkeypatch):
    path = file('user = "from-file"\nactor = "from-file"\nllm = "openai/from-file"\ntimeout = 5\nbudget = "calls=3"')
    monkeypatch.setenv("RECOLLECT_ACTOR", "from-environment")
    monkeypatch.setenv("RECOLLECT_LLM", "openai/from-environment")
    told = shown(run, "--llm", "openai/from-flag")
    assert {
        name: (told[name]["value"], told[name]["from"], told[name]["where"])
        for name in ("llm", "actor", "user", "mode")
    } == {
        "llm": ("openai/from-flag", "flag", "--llm"),
        "actor": ("from-environment", "environment", "$RECOLLECT_ACTOR"),
        "user": ("from-file", "file", str(path)),
        "mode": (None, "default", None),
    }
    assert told["timeout"]["value"] == 5.0 and told["budget"]["value"] == ["calls=3"]
    table = run("config", "--llm", "openai/from-flag").stdout
    for line in (
        r"llm +openai/from-flag +--llm",
        r"actor +from-environment +\$RECOLLECT_ACTOR",
        r"user +from-file +file",
    ):
        assert re.search(line, table), line


def test_a_file_and_the_environment_are_used(run, file, tmp_path, monkeypatch):
    file(f'store = "{tmp_path / "mine"}"\nuser = "alice"\nactor = "cron"')
    run("add", "My favorite color is blue.")
    assert json.loads(run("list", "--json").stdout)[0]["user_id"] == "alice"
    assert json.loads(run("audit", "--json").stdout)[0]["actor"] == "cron"
    monkeypatch.setenv("RECOLLECT_USER", "bob")
    assert json.loads(run("list", "--json").stdout) == []
    with Memory(tmp_path / "mine") as memory:  # a program's settings are its own
        assert memory.count(user_id="alice") == 1


def test_what_takes_much_away_and_what_ingests_does_not_go_by_the_settings_user(run, file, tmp_path):
    file(f'store = "{tmp_path / "mine"}"\nuser = "alice"')
    run("add", "My favorite color is blue.")
    for words in (["erase", "--yes"], ["delete-all", "--yes"]):
        assert "--user" in run(*words, code=2).stderr
    talk = tmp_path / "talk.jsonl"
    talk.write_text(
        json.dumps({"role": "user", "name": "Ann", "content": "I live in Rome.", "conversation": "talk"}) + "\n"
    )
    run("ingest", talk)
    assert [one["user_id"] for one in json.loads(run("users", "--json").stdout)] == ["alice", "talk"]


def test_a_files_key_and_address_are_for_the_model_that_it_names_alone(file, monkeypatch):
    path = file(f'llm = "openai/mine"\napi_base = "http://mine/v1"\napi_key = "{KEY}"\nmode = "tools"\ntimeout = 9')

    def held(**flags):
        return {name: won.value for name, won in resolve(flags, read(None)).items() if won.value is not None}

    mine = {"llm": "openai/mine", "api_base": "http://mine/v1", "api_key": KEY, "mode": "tools", "timeout": 9.0}
    store = {"store": os.environ["RECOLLECT_HOME"]}
    assert held() == {**mine, **store} == held(llm="openai/mine")
    assert held(llm="openai/other") == {"llm": "openai/other", "timeout": 9.0, **store}
    other = held(api_base="http://other/v1")
    assert other == {**{k: v for k, v in mine.items() if k != "api_key"}, "api_base": "http://other/v1", **store}
    assert held(llm="rules") == {"llm": "rules", **store}
    assert resolve({"llm": "rules"}, read(None))["timeout"].unused == f"{path}: goes with a language model"
    monkeypatch.setenv("RECOLLECT_API_BASE", "http://other/v1")
    assert "api_key" not in held()
    monkeypatch.setenv("RECOLLECT_API_KEY", "another")
    assert held()["api_key"] == "another"


def test_the_model_of_a_file_is_asked_with_the_key_of_the_file(run, file, tmp_path):
    with ModelEndpoint(lambda _: {"facts": []}) as endpoint:
        file(
            f'store = "{tmp_path / "mine"}"\nllm = "openai/scripted"\napi_base = "{endpoint.url}"\napi_key = "{KEY}"',
            mode=0o644,
        )
        done = run("add", "I live in Rome.")
        assert endpoint.requests and "warning: " in done.stderr and "chmod 600" in done.stderr
        assert endpoint.requests[-1].headers["authorization"] == f"Bearer {KEY}"
        asked = len(endpoint.requests)
        run("add", "I live in Rome.", "--llm", "rules")
        assert len(endpoint.requests) == asked
        assert run("add", "I live in Oslo.", "--json", "--llm", "rules").stderr == ""
        told = json.loads(run("config", "--json").stdout)
        assert told["settings"]["api_key"]["value"] == "…" + KEY[-4:] and "chmod 600" in told["warnings"][0]


def test_a_wished_embedder_is_for_new_stores_and_a_said_one_must_be_the_stores(run, file, tmp_path):
    with Memory(tmp_path / "other", embedder=HashEmbedder()) as memory:
        memory.add("I live in Rome.", user_id="default")
    file(f'store = "{tmp_path / "other"}"\nembedder = "minilm"')
    assert json.loads(run("count", "--json").stdout) == {"count": 1}
    assert "EmbeddingModelMismatch" in run("count", "--embedder", "minilm", code=1).stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("user = ", "is not TOML"),
        ('usr = "alice"', "no setting"),
        ("user = 3", "user must be a text"),
        ('timeout = "soon"', "timeout must be a number"),
        ("timeout = true", "timeout must be a number"),
        ("redact = 1", "redact must be true or false"),
        ("budget = [1]", "budget must be a list"),
        ('[model]\nllm = "x"', "no setting"),
        ('budget = ["calls=many"]\n', "is no limit"),
        ("\udcff", "cannot be read"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(run, file, text, told):
    path = file("")
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    words = ("add", "x") if "limit" in told else ("config",)
    done = run(*words, code=2)
    assert told in done.stderr and "Traceback" not in done.stderr
    assert run("config", "--path").stdout.strip() == str(path)


@pytest.mark.parametrize(("name", "value"), [("RECOLLECT_TIMEOUT", "soon"), ("RECOLLECT_REDACT", "perhaps")])
def test_what_is_wrong_with_a_variable_is_said(run, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert f"${name}" in run("config", code=2).stderr


def test_a_file_that_is_named_must_be_there_and_init_makes_one(run, tmp_path, monkeypatch):
    path = tmp_path / "deep" / "config.toml"
    assert "there is no file" in run("config", "--config", path, code=2).stderr
    run("config", "--init", "--config", path)
    assert path.stat().st_mode & 0o777 == 0o600 and path.read_text() == template()
    assert "already" in run("config", "--init", "--config", path, code=2).stderr
    monkeypatch.setenv("RECOLLECT_CONFIG", str(path))
    assert all(one["from"] != "file" for one in shown(run).values())
    assert all(f"# {name} = " in template() for name in KINDS)


def test_the_demo_is_offline_whatever_the_settings_say(run, file):
    file('llm = "openai/x"\nembedder = "openai/y"\nrerank = "cohere/z"\ninstructions = "nothing"')
    assert "10 of 10" in run("demo").stdout


def test_no_file_is_looked_for_where_a_command_is_run(run, tmp_path, monkeypatch):
    (tmp_path / "recollect.toml").write_text('api_base = "http://evil/v1"\nllm = "openai/evil"')
    (tmp_path / "config.toml").write_text('llm = "openai/evil"')
    monkeypatch.chdir(tmp_path)
    assert shown(run)["llm"]["value"] is None


LIGHT = """
import sys
import recollect.surfaces.cli as cli
sys.argv = ["recollect", *sys.argv[1:]]
try:
    cli.main()
except SystemExit:
    heavy = ("faiss", "litellm", "numpy", "sqlite3", "networkx", "jinja2", "onnxruntime", "instructor", "tokenizers", "yaml")
    print([name for name in heavy if name in sys.modules])
"""


@pytest.mark.parametrize("words", [["--help"], ["config"], ["config", "--path"], ["search", "--help"], ["--version"]])
def test_what_opens_no_store_is_light(words):
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, *words], capture_output=True, text=True, env=os.environ, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_help_waits_for_nothing_of_the_library():
    code = "import sys, recollect.surfaces.cli; print('recollect.memory' in sys.modules or 'pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True)
    assert done.stdout.strip() == "False"


def test_a_shell_completes_commands_and_options():
    environment = {
        **os.environ,
        "_RECOLLECT_COMPLETE": "complete_bash",
        "COMP_WORDS": "recollect ti",
        "COMP_CWORD": "1",
    }
    code = "import sys; sys.argv = ['recollect']; from recollect.surfaces.cli import main; main()"

    def completed(**given):
        settings = {**environment, **given}
        return subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=settings, check=False
        ).stdout

    assert "timeline" in completed().split()
    assert "--as-of" in completed(COMP_WORDS="recollect search --as", COMP_CWORD="2").split()
