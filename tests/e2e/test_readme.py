"""The README as a front door: its commands run as printed and find something, its transcript and figures are this version's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recollect.surfaces.cli.commands import app
from recollect.surfaces.cli.demo import NEXT

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TALK = '{"role": "user", "name": "Ann", "content": "I have a dog named Rex."}'
EMPTY = ("Nothing known has to do with it.", "Nothing in it was a fact")


def commands(text):
    """The `recollect` calls of a text, as argument lists."""
    return [shlex.split(line)[1:] for line in re.split(r"\n|  +", text) if line.startswith("recollect ")]


def section(title):
    """A section of the README."""
    return README.split(f"## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("text", [section("From the command line"), NEXT], ids=["readme", "demo"])
def test_printed_commands_run_as_printed_and_find_what_they_are_for(tmp_path, monkeypatch, text):
    (tmp_path / "talks.jsonl").write_text(TALK + "\n", encoding="utf-8")
    (tmp_path / "FILE").write_text(TALK + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECOLLECT_HOME", str(tmp_path / "home"))
    found = commands(text)
    assert len(found) >= 4
    for words in found:
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, (words, done.output)
        assert not any(told in done.output for told in EMPTY), (words, done.output)


def test_commands_of_the_harness_are_told_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    run, report = commands(section("How good is it, and compared with what"))
    done = CliRunner().invoke(app, [*run, "--dry-run"])
    assert done.exit_code == 0 and "Nothing was sent" in done.output, done.output
    assert CliRunner().invoke(app, [*report, "--help"]).exit_code == 0


def test_transcript_and_figures_are_those_of_the_demo(tmp_path):
    shown = CliRunner().invoke(app, ["demo", "--store", str(tmp_path / "demo")]).output
    transcript = README.split("From `make demo`, shortened:")[1].split("```")[1].strip().splitlines()
    assert len(transcript) > 5
    assert [line for line in transcript if line != "…" and line not in shown.splitlines()] == []
    first, found, of = re.search(r"\| (\d+) / (\d+) of (\d+) \| `make demo`", README).groups()
    assert f"{first} of {of} answers came first, {found} among the first 5." in shown


def test_files_that_are_named_are_there():
    for name in set(re.findall(r"\]\(([^)#:]+)\)", README)) | set(re.findall(r"python (benchmarks/\S+\.py)", README)):
        assert (ROOT / name).is_file(), name
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert set(re.findall(r"make (\w+)", README)) - {"and"} <= targets
