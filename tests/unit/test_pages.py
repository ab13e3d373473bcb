"""Every page: its links lead somewhere, its commands are ones that there are, and a reader finds it from the index."""

from __future__ import annotations

import re
from pathlib import Path

import pages
import pytest
from typer.testing import CliRunner

from recollect.surfaces.cli.commands import app

DOCS = sorted((pages.ROOT / "docs").glob("*.md"))
PAGES = [*DOCS, *sorted(pages.ROOT.glob("README*.md")), pages.ROOT / "examples" / "README.md"]


def named(file: Path) -> str:
    return str(file.relative_to(pages.ROOT))


@pytest.mark.parametrize("file", PAGES, ids=named)
def test_links_lead_to_files_and_headings_that_are_there(file):
    text = file.read_text(encoding="utf-8")
    for link in pages.links(text):
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        assert target.exists() and target.is_relative_to(pages.ROOT), link
        if anchor and target.suffix == ".md":
            assert anchor in pages.anchors(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("file", PAGES, ids=named)
def test_commands_and_options_are_ones_that_there_are(file):
    """Each is parsed, up to its --help, which runs nothing."""
    for words in pages.commands(file.read_text(encoding="utf-8")):
        done = CliRunner().invoke(app, [*words, "--help"])
        assert done.exit_code == 0, (words, done.output)


@pytest.mark.parametrize("file", PAGES, ids=named)
def test_files_that_are_named_are_there(file):
    """As `tests/e2e/test_readings.py` or `benchmarks/scale.py`, with or without a test's name behind it."""
    folders = "tests|benchmarks|evals|examples|prompts|docs|src/recollect"
    said = re.findall(rf"\b((?:{folders})/[\w/.-]+\.\w+)", file.read_text(encoding="utf-8"))
    made = {"prompts/extract/v2.md"}  # by the reader, in a run-through
    assert [name for name in said if name not in made and not (pages.ROOT / name).is_file()] == []


def test_every_page_is_in_the_index():
    index = {link.partition("#")[0] for link in pages.links(pages.page("docs/README.md"))}
    assert {file.name for file in DOCS} - index == {"README.md"}
