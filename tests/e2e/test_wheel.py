"""`recollect eval` out of the wheel, far from the checkout: its data, prompts, pages and levels come along."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import evals_world as world
import pytest

from recollect.testing import ModelEndpoint

ROOT = Path(__file__).parents[2]
HERE = "import recollect, recollect_evals; print(recollect.__file__, recollect_evals.__file__)"
SHIPPED = (
    "from recollect_evals.datasets import decisions; from recollect_evals.levels import recorded;"
    "print(len(decisions.load().cases), len(recorded()))"
)
MAIN = "from recollect.surfaces.cli import main; main()"


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory):
    """What an installation of the wheel has."""
    folder = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


@pytest.fixture
def python(unpacked, tmp_path):
    """Run Python on the unpacked wheel in a folder of its own; what it printed."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RECOLLECT", "PYTHON"))}
    own = {"PYTHONPATH": str(unpacked), "RECOLLECT_HOME": str(tmp_path / "home"), "RECOLLECT_API_KEY": "none"}

    def run(code, *words):
        command = [sys.executable, "-c", code, *map(str, words)]
        done = subprocess.run(command, cwd=tmp_path, env={**inherited, **own}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_all_files_of_the_harness_are_in_the_wheel(unpacked):
    names = {one.relative_to(ROOT / "evals") for one in (ROOT / "evals").rglob("*") if one.is_file()}
    wanted = {one for one in names if not {"__pycache__", "readings"} & set(one.parts)}
    packed = {one.relative_to(unpacked / "recollect_evals") for one in (unpacked / "recollect_evals").rglob("*.*")}
    assert wanted and wanted <= packed


def test_the_wheels_harness_goes_from_data_to_a_page(python, unpacked, tmp_path):
    assert [Path(one).parents[1] for one in python(HERE).split()] == [unpacked, unpacked]
    cases, levels = map(int, python(SHIPPED).split())
    assert cases >= 200 and levels > 0
    look = json.loads(python(MAIN, "eval", "datasets", "changes", "--json"))
    assert look["conversations"] >= 12 and sum(look["questions"].values()) >= 150
    with ModelEndpoint(world.says) as endpoint:
        models = ["--reader", "openai/reader", "--judge", "openai/judge", "--api-base", endpoint.url]
        systems = ["--system", "bm25", "--system", "recollect-rules", "--conversation", "two-sisters", "--limit", 2]
        words = ["eval", "run", "changes", *systems, *models, "--mode", "json_schema", "--out", "run", "--json"]
        told = json.loads(python(MAIN, *words))["result"]
    assert len(told["systems"]) == 2
    assert json.loads(python(MAIN, "eval", "rescore", "run", "--json")) == told
    python(MAIN, "eval", "report", "run", "--out", "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    style, script = ((unpacked / "recollect_evals" / "report" / name).read_text() for name in ("page.css", "page.js"))
    assert style in page and script in page
