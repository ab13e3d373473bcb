"""docs/evals.md: the way that a newcomer goes is gone, with the conversation that the page itself has as an example."""

from __future__ import annotations

import re

import pages
import pytest
from typer.testing import CliRunner

from recollect.surfaces.cli.commands import app
from recollect.testing import ModelEndpoint
from recollect_evals.attribution import STAGES

GUIDE = pages.page("docs/evals.md")
SECTION = GUIDE.split("## Your own conversations in five minutes\n")[1].split("\n## ")[0]


def said(request):
    """A memory of nothing, a reader that gives up, a judge that is strict."""
    if "You turn conversations into memories" in request.text:
        return {"facts": []}
    if "You answer a question about people" in request.text:
        return {"answer": "Not said."}
    return {"reason": "no answer", "verdict": "abstained"}


@pytest.fixture
def models(tmp_path, monkeypatch):
    """All models of the page, in one endpoint; and the page's own example as own.jsonl."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    (tmp_path / "own.jsonl").write_text(pages.blocks(GUIDE, "jsonl")[0], encoding="utf-8")
    with ModelEndpoint(said) as endpoint:
        monkeypatch.setenv("OPENAI_API_BASE", endpoint.url)
        yield endpoint


def test_the_five_minutes_are_gone_as_printed(models, tmp_path):
    outputs = []
    for words in pages.commands(SECTION):
        asked = len(models.requests)
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, (words, done.output)
        assert (len(models.requests) > asked) == ("--llm" in words and "--dry-run" not in words)
        outputs.append(done.output)
    assert "1 conversation, 3 turns, 3 questions" in outputs[0]
    columns = [row[0] for row in pages.rows(GUIDE, "Your own conversations in five minutes")]
    assert all(name.strip() in outputs[1] for cell in columns for name in cell.split(","))
    assert (tmp_path / "own.html").stat().st_size > 10_000
    both = re.search(r"`(recollect eval report runs/own runs/model [^`]+)`", SECTION)[1]
    assert CliRunner().invoke(app, both.split()[1:]).exit_code == 0
    page = (tmp_path / "both.html").read_text(encoding="utf-8")
    assert "misread" in page


def test_the_stages_that_are_named_are_those_of_the_report():
    table = SECTION.split("The stage says what to change:")[1]
    named = [name.strip() for row in re.findall(r"^\| ([^|]+) \|.*\|$", table, re.M)[1:] for name in row.split(",")]
    assert [*named, "unknown"] == [stage for stage in STAGES if stage != "failed"]
