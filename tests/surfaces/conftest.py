"""The command line on a store of its own."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from recollect.surfaces.cli.commands import app


@pytest.fixture
def cli(tmp_path):
    """Call it with words; what it printed. `code`: how it must end; `given`: what it reads."""
    runner = CliRunner()

    def call(*words, code=0, given=None):
        done = runner.invoke(app, ["--store", str(tmp_path / "store"), *map(str, words)], input=given)
        assert done.exit_code == code, done.output
        return done

    return call
