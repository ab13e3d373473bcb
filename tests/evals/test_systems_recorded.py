"""A recorded extraction in place of a model: its facts as ours, through the real verification, and what a bad recording says."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from small_talk import ANN, CARL, OSLO

from recollect.errors import ModelUnavailable
from recollect.model import EventTime, Kind, Precision, Slot
from recollect.testing import HashEmbedder
from recollect_evals.datasets import load
from recollect_evals.errors import DataSetInvalid, SystemFailed
from recollect_evals.systems import Options, make
from recollect_evals.systems.recorded import Recorded, RecordedFact, fact_of, read

DATA = Path(os.environ.get("RECOLLECT_DATA", Path(__file__).parents[3] / "shared" / "data")) / "locomo"
MOVED = {
    "text": "Ann moved to Oslo on 28 March 2024.",
    "kind": "event",
    "subject": "Ann",
    "attribute": "home",
    "many": False,
    "entities": [{"name": "Ann", "type": "person"}, {"name": "Oslo", "type": "place"}, {"name": "ann"}],
    "relations": [["Ann", "lives in", "Oslo"]],
    "event_from": "2024-03-28",
    "event_to": "2024-03-28",
    "precision": "day",
    "retracts": False,
    "evidence": [{"turn": "s2:1", "quote": "I moved to Oslo on 28 March 2024"}],
}
BLUE = {
    **MOVED,
    "text": "Ann likes blue.",
    "kind": "preference",
    "attribute": "color",
    "event_from": None,
    "event_to": None,
}
BLUE |= {"precision": None, "evidence": [{"turn": "s1:1", "quote": "favorite color is blue"}]}
REX = {**BLUE, "text": "Ann has a dog called Rex.", "attribute": "pet"}
REX |= {"evidence": [{"turn": "s2:3", "quote": "dog called Rex"}, {"turn": "s1:1", "quote": "favorite color is blue"}]}
MADE_UP = {**BLUE, "text": "Ann plays chess.", "evidence": [{"turn": "s2:2", "quote": "I play chess"}]}
NO_DATE = {**MOVED, "text": "Ann moved on the 31st.", "event_from": "2024-02-31"}
SAID = datetime(2024, 4, 2, 9, 1, tzinfo=UTC)


@pytest.fixture
def recording(tmp_path):
    """Write a recorded extraction of a conversation; the folder."""

    def write(*facts, name="ann"):
        folder = tmp_path / "recorded"
        folder.mkdir(exist_ok=True)
        lines = [json.dumps({"session": "s2", "facts": [fact]}) + "\n" for fact in facts]
        (folder / f"{name}.jsonl").write_text("".join(lines))
        return folder

    return write


@pytest.fixture
def system(tmp_path):
    made = []

    def over(folder, **options):
        chosen = Options(embedder=HashEmbedder(256), recorded=folder, **options)
        made.append(make("recollect-recorded", folder=tmp_path / "state", options=chosen))
        return made[-1]

    yield over
    for one in made:
        one.close()


def test_facts_are_verified_and_found_with_the_turns_they_cite(recording, system):
    over = system(recording(MOVED, BLUE, REX, MADE_UP, NO_DATE))
    ingested = over.ingest(ANN)
    assert ingested.memories == 3
    assert ingested.rejected == {"no quote of it stands in its turn": 1, "2024-02-31 is no date": 1}
    stored = {one.text: one.turns for one in over.stored("ann")}
    # A quote from far before its chunk's context cannot be verified: the fact stays by its other one.
    assert stored == {MOVED["text"]: ("s2:1",), BLUE["text"]: ("s1:1",), REX["text"]: ("s2:3",)}
    first = next(one for one in over.search("ann", OSLO, 5) if one.kind == "memory")
    assert (first.text, first.turns) == (MOVED["text"], ("s2:1",))
    assert over.name == "recollect, recorded"


def test_an_ingestion_that_goes_on_in_another_process_knows_the_turns(recording, system, monkeypatch):
    folder = recording(MOVED, BLUE)
    extract = Recorded.extract

    async def down(self, chunk):
        if chunk.turns[0].number > 1:
            raise ModelUnavailable("down")
        return await extract(self, chunk)

    with monkeypatch.context() as patched:
        patched.setattr(Recorded, "extract", down)
        over = system(folder)
        with pytest.raises(ModelUnavailable):
            over.ingest(ANN)
        over.close()
    again = system(folder)
    assert again.ingest(ANN).memories == 2
    assert {one.turns for one in again.stored("ann")} == {("s2:1",), ("s1:1",)}


def test_a_fact_as_ours():
    fact = fact_of(RecordedFact.model_validate(MOVED), {"s2:1": "turn_1"}, SAID)
    assert (fact.kind, fact.slot, fact.value) == (Kind.EVENT, Slot("Ann", "home", False), None)
    assert [(one.name, one.kind) for one in fact.entities] == [("ann", "thing"), ("Oslo", "place")]
    day = datetime(2024, 3, 28, tzinfo=UTC)
    assert fact.event == EventTime(day, day.replace(hour=23, minute=59, second=59, microsecond=999_999), Precision.DAY)
    assert (fact.valid_from, fact.retracts, fact.evidence[0].turn_id) == (None, False, "turn_1")


@pytest.mark.parametrize(
    ("change", "kind"),
    [({"kind": "instruction"}, Kind.EVENT), ({"kind": "hearsay"}, Kind.KNOWLEDGE), ({"kind": "plan"}, Kind.PLAN)],
)
def test_kinds_are_mapped(change, kind):
    assert fact_of(RecordedFact.model_validate(MOVED | change), {}, SAID).kind is kind


def test_what_has_begun_and_has_no_end_holds_since_then():
    fact = fact_of(RecordedFact.model_validate(MOVED | {"event_to": None}), {}, SAID)
    assert (fact.event, fact.valid_from) == (None, datetime(2024, 3, 28, tzinfo=UTC))


def test_what_is_yet_to_begin_is_an_event():
    fact = fact_of(RecordedFact.model_validate(MOVED | {"event_from": "2024-05", "event_to": None}), {}, SAID)
    assert fact.valid_from is None and fact.event is not None
    assert (fact.event.start.month, fact.event.end.month, fact.event.end.day) == (5, 5, 31)


def test_of_what_only_the_end_is_known_there_is_no_interval():
    fact = fact_of(RecordedFact.model_validate(MOVED | {"event_from": None}), {}, SAID)
    assert (fact.event, fact.valid_from) == (None, None)


# --- bad recordings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"session": "s1", "facts": [', "JSON"),
        ('{"session": "s1"}', "facts: Field required"),
        (json.dumps({"session": "s1", "facts": [{**MOVED, "evidence": []}]}), "facts.0.evidence"),
        (json.dumps({"session": "s1", "facts": [{**MOVED, "relations": [["Ann", "likes"]]}]}), "relations"),
    ],
)
def test_a_line_that_is_none_is_named(tmp_path, line, said):
    (tmp_path / "ann.jsonl").write_text(line + "\n")
    with pytest.raises(DataSetInvalid, match=f"ann.jsonl:1: .*{said}"):
        read(tmp_path)


def test_a_folder_without_recordings_or_a_file_that_is_no_text_is_an_error(tmp_path):
    with pytest.raises(DataSetInvalid, match="no recorded extraction"):
        read(tmp_path)
    (tmp_path / "ann.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(DataSetInvalid, match="cannot be read"):
        read(tmp_path)


def test_a_conversation_that_was_not_recorded_is_an_error(recording, system):
    with pytest.raises(SystemFailed, match="no recorded extraction of 'carl'"):
        system(recording(MOVED)).ingest(CARL)


def test_a_recording_of_another_conversation_is_an_error(recording, system):
    with pytest.raises(DataSetInvalid, match=r"cites s2:1, which is no turn"):
        system(recording(MOVED, name="carl")).ingest(CARL)


# --- the data set ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not (DATA / "recorded").is_dir(), reason=f"the recorded extraction of LoCoMo is not at {DATA}")
def test_every_recorded_fact_of_a_conversation_is_believed(system):
    talk = next(one for one in load(DATA / "dev.json").conversations if one.id == "conv-42")
    over = system(DATA / "recorded")
    ingested = over.ingest(talk)
    facts = read(DATA / "recorded")[talk.id]
    assert not ingested.rejected and ingested.memories > 0.99 * len(facts)
    told = {fact.text: {quote.turn for quote in fact.evidence} for fact in facts}
    cited = [(set(one.turns), told[one.text]) for one in over.stored(talk.id) if one.text in told]
    assert sum(mine == theirs for mine, theirs in cited) > 0.99 * len(facts)
