"""docs/tutorial.md: run from top to bottom, each snippet where the one before it ended; it prints what stands there."""

from __future__ import annotations

import re

import pages

PAGE = pages.page("docs/tutorial.md")
STEPS = re.findall(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?", PAGE, re.M | re.S)


def test_the_tutorial_runs_from_top_to_bottom_and_prints_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else litellm fetches its prices when it is imported
    pages.patient(monkeypatch)
    names: dict[str, object] = {}
    for snippet, shown in STEPS:
        exec(snippet, names)
        assert capsys.readouterr().out == shown, snippet
    assert len(STEPS) >= 9


def test_every_snippet_shows_what_it_prints():
    assert len(STEPS) == len(pages.blocks(PAGE, "python")) == len(pages.blocks(PAGE, "text"))


def test_the_last_step_opens_with_a_model():
    (line,) = re.findall(r"^memory = (Memory\(.+?\))", PAGE, re.M)[-1:]
    assert 'llm="openai/gpt-5-mini"' in line
    compile(line, "<step 9>", "eval")
