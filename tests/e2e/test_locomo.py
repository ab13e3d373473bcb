"""A real dialogue through the rules, in one go: what was said is found again, with its dates and its sources."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recollect import Memory
from recollect.surfaces.cli.commands import app

DATA = Path(os.environ.get("RECOLLECT_DATA", Path(__file__).parents[3] / "shared" / "data")) / "locomo" / "dev.json"
QUESTIONS = [
    # question, words of the answer, the turn's speaker, the day it was said
    ("When did Caroline go to the LGBTQ support group?", "7 May 2023", "Caroline", "2023-05-08"),
    ("When did Melanie run a charity race?", "20 May 2023", "Melanie", "2023-05-25"),
    ("What did the charity race raise awareness for?", "mental health", "Melanie", "2023-05-25"),
    ("When did Melanie sign up for a pottery class?", "2 July 2023", "Melanie", "2023-07-03"),
    ("What is the name of Caroline's guinea pig?", "Oscar", "Caroline", "2023-08-23"),
]


@pytest.mark.skipif(not DATA.exists(), reason=f"the LoCoMo data set is not at {DATA}")
def test_a_conversation_is_ingested_in_one_go_and_answers_questions(tmp_path):
    words = ["ingest", str(DATA), "--format", "locomo", "--conversation", "conv-26", "--store", str(tmp_path), "--json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["turns"] == 419
    with Memory(tmp_path) as memory:
        assert memory.verify().ok and memory.pending() == []
        for question, answer, speaker, said in QUESTIONS:
            hits = memory.search(question, user_id="conv-26", include=("memories", "turns"), limit=5)
            found = [hit for hit in hits if answer in hit.text]
            assert found, question
            sources = [source for hit in found for source in hit.sources]
            assert (speaker, said) in {(source.speaker, source.said_at.date().isoformat()) for source in sources}, (
                question
            )
