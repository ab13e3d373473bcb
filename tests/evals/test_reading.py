"""What a capable reader and judge replied to our prompts (evals/readings/answers-*.json), played again through all phases."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recollect.surfaces.cli.commands import app
from recollect.testing import ModelEndpoint
from recollect_evals.datasets import load
from recollect_evals.phases import answer, judge
from recollect_evals.run import Run

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("RECOLLECT_DATA", ROOT.parent / "shared" / "data"))
READINGS = sorted((ROOT / "evals" / "readings").glob("answers-*.json"))


class Script:
    """Replies by the question's words; what was asked for is noted, by phase."""

    def __init__(self, kept, questions):
        self.kept, self.ids = kept, {questions[name].text: name for name in kept}
        self.asked = {"answer": [], "judge": []}

    def __call__(self, request):
        told = request.body["messages"][-1]["content"]
        if request.body["model"] == "reader":
            name = self.ids[re.search(r"^Question(?:, asked on [^:]+)?: (.+)\Z", told, re.M)[1]]
            self.asked["answer"].append(name)
            return {"answer": self.kept[name]["answer"]}
        name = self.ids[re.match(r"Question: (.+)", told)[1]]
        assert told.endswith(f"Reply: {self.kept[name]['answer']}")
        self.asked["judge"].append(name)
        return self.kept[name]["judgement"]


@pytest.fixture(params=READINGS, ids=[one.stem for one in READINGS], scope="module")
def played(request, tmp_path_factory):
    reading = json.loads(request.param.read_text(encoding="utf-8"))
    made = reading["run"]
    if not (DATA / made["data"]).exists():
        pytest.skip(f"{made['data']} is not there: see $RECOLLECT_DATA")
    data = load(DATA / made["data"])
    script = Script(reading["questions"], {one.id: one for talk in data.conversations for one in talk.questions})
    out = tmp_path_factory.mktemp("reading") / "run"
    options = {name.replace("_", "-"): value for name, value in made.items() if name != "data"}
    if "recorded" in options:
        options["recorded"] = DATA / options["recorded"]
    with ModelEndpoint(script) as endpoint:
        words = ["eval", "run", str(DATA / made["data"]), "--unrelated", "0", "--out", str(out), "--json"]
        words += ["--reader", "openai/reader", "--judge", "openai/judge", "--mode", "json_schema"]
        words += [
            "--api-base",
            endpoint.url,
            "--api-key",
            "none",
            *(f"--{name}={value}" for name, value in options.items()),
        ]
        done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return reading, script, json.loads(done.stdout)["result"], Run.read(out)


def test_the_prompts_are_those_that_were_read(played):
    reading, *_ = played
    assert reading["prompts"] == {"answer": answer.prompt().id, "judge": judge.prompt().id}


def test_every_question_has_a_reply_and_every_reply_is_asked_for_once(played):
    reading, script, _, _ = played
    for phase in ("answer", "judge"):
        assert sorted(script.asked[phase]) == sorted(reading["questions"])


def test_what_the_reader_answered_from_is_still_in_the_context(played):
    """Where it is not, what was answered could not be answered any more: that wants a new reading."""
    reading, _, result, run = played
    (slug,) = result["systems"]
    for name, record in run.records("search", slug).items():
        assert set(reading["questions"][name]["evidence"]) <= set(record["context"]["turns"]), name


def test_the_numbers_are_those_of_the_reading(played):
    reading, _, result, run = played
    (system,) = result["systems"].values()
    kept = reading["questions"].values()
    verdicts = [one["judgement"]["verdict"] for one in kept]
    tables = {key: one["overall"]["accuracy"] for key, one in system["tables"].items()}
    assert tables["released"]["n"] == len(verdicts)
    assert {key: round(one["mean"], 3) for key, one in tables.items()} == reading["accuracy"]
    assert result["spent"]["calls"] == 2 * len(reading["questions"]) == run.spent().calls
