"""docs/prompts.md: what it says of the files is so, and its run-through is run, in a copy of the checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pages
from typer.testing import CliRunner

from recollect import Memory
from recollect.surfaces.cli.commands import app
from recollect.testing import ModelEndpoint

GUIDE = pages.page("docs/prompts.md")
ADDRESS = "http://127.0.0.1:8080/v1"
INSTRUCTIONS, ID = pages.blocks(GUIDE, "python")
TRY = """
import sys
from recollect import Memory
with Memory(sys.argv[1], llm="openai/any", api_base=sys.argv[2], api_key="none") as memory:
    memory.add("My mother turns 70 on 3 May 2026.", user_id="ann")
    print(memory.export(user_id="ann")["chunks"][0]["prompt_id"])
"""


def test_instructions_are_sent_under_the_heading_that_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("RECOLLECT_HOME", str(tmp_path / "home"))
    with ModelEndpoint(lambda request: {"facts": []}) as endpoint:
        exec(INSTRUCTIONS.replace(ADDRESS, endpoint.url), {})
    (request,) = endpoint.requests
    heading = re.search(r'under "([^"]+)"', GUIDE)[1]
    asked = request.body["messages"][0]["content"]
    assert asked.split(f"## {heading}\n")[1].startswith("Health: every diagnosis")


def test_what_the_reading_shows_of_instructions_is_in_the_reading():
    import json

    calls = json.loads(pages.page("evals/readings/mira.json"))["calls"]
    (call,) = [one for one in calls if (one["session"], one["step"]) == ("mira-4", "extract")]
    kept = json.dumps(call["reply"], ensure_ascii=False)
    told = [row[0].strip('"') for row in pages.rows(GUIDE, "Instructions")]
    assert len(told) == 4 and all(words in call["asked"] for words in told)
    assert [words.rstrip(".") in kept for words in told] == [True, True, False, True]


def test_the_table_of_files_is_whole():
    rows = pages.rows(GUIDE, "The files")
    assert {row[0].strip("`") for row in rows} == {
        str(file.relative_to(pages.ROOT)) for file in (pages.ROOT / "prompts").glob("*/v*.md")
    }
    for row in rows:
        name, version = re.search(r"prompts/(\w+)/v(\d+)\.md", row[0]).groups()
        source = pages.page(row[3].strip("`"))
        assert f'PROMPT = ("{name}", {version})' in source or f'load("{name}", VERSION)' in source
    assert {row[0].strip("`") for row in pages.rows(GUIDE, "The eval that would notice")} == {
        row[0].split("/")[1] for row in rows
    }


def test_the_id_is_printed(capsys):
    exec(ID, {})
    assert re.match(r"extract@1#[0-9a-f]{8} \d+\n", capsys.readouterr().out)


def apply(change, root):
    """What a `diff` block says, line by line, each in the file of its heading."""
    for name, body in re.findall(r"^--- (\S+)\n(.*?)(?=^--- |\Z)", change, re.M | re.S):
        file = root / name
        old = "".join(f"{line[1:]}\n" for line in body.splitlines() if line.startswith("-"))
        new = "".join(f"{line[1:]}\n" for line in body.splitlines() if line.startswith("+"))
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, (name, old)
        file.write_text(text.replace(old, new), encoding="utf-8")


def test_the_new_version_is_made_as_told_and_is_the_one_that_is_sent(tmp_path):
    root = tmp_path / "checkout"
    for folder in ("src", "prompts"):
        shutil.copytree(
            pages.ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__", "recollect_evals")
        )
    copy = next(block for block in pages.blocks(GUIDE) if block.startswith("cp "))
    subprocess.run(["sh", "-ec", copy], cwd=root, check=True)
    (change,) = pages.blocks(GUIDE, "diff")
    apply(change, root)
    with ModelEndpoint(lambda request: {"facts": []}) as endpoint:
        done = subprocess.run(
            [sys.executable, "-c", TRY, str(tmp_path / "store"), endpoint.url],
            env={**os.environ, "PYTHONPATH": str(root / "src")},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"extract@2#[0-9a-f]{8}\n", done.stdout)
    assert "Birthdays, with the year of birth" in endpoint.requests[0].text


def test_commands_run_as_printed_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECOLLECT_HOME", str(tmp_path / "home"))
    with Memory() as memory:
        memory.add("I have a dog named Rex.", user_id="mira")
    words = [one for one in pages.commands(GUIDE) if one[0] != "eval"]
    assert [one[0] for one in words] == ["retell", "retell", "add", "list"]
    with ModelEndpoint(lambda request: {"facts": []}) as endpoint:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        monkeypatch.setenv("OPENAI_API_BASE", endpoint.url)
        for one in words:
            asked = len(endpoint.requests)
            done = CliRunner().invoke(app, one)
            assert done.exit_code == 0, (one, done.output)
            assert (len(endpoint.requests) > asked) == ("--llm" in one and "--dry-run" not in one)
