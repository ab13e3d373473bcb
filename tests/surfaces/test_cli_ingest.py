"""`recollect ingest` with folders, tables, exports, a report, and what it says beforehand."""

from __future__ import annotations

import json

import pytest


def answer(done):
    return json.loads(done.stdout)


@pytest.fixture
def folder(tmp_path):
    """A folder of several kinds of files, one of them broken, one no conversation."""
    folder = tmp_path / "export"
    folder.mkdir()
    lines = [{"role": "user", "name": "Ann", "content": "I live in Rome.", "conversation": "ann"}]
    (folder / "a.jsonl").write_text(json.dumps(lines[0]) + "\n{broken\n")
    (folder / "b.txt").write_text("Ben: I have a dog named Rex.\nAnn: Nice.\n")
    claude = {
        "uuid": "k1",
        "chat_messages": [{"uuid": "1", "sender": "human", "text": "I am a vet.", "created_at": "2024-01-01"}],
    }
    (folder / "conversations.json").write_text(json.dumps([claude]))
    (folder / "user.json").write_text('{"id": "x"}')
    return folder


def test_a_folder_with_a_report(cli, folder, tmp_path):
    """An account's export goes where the other commands look; what is broken or no conversation is told."""
    done = cli("ingest", folder, "--report", tmp_path / "done.json", code=1)
    assert "3 conversations, 4 new turns" in done.stdout
    assert (
        "a.jsonl:2: is not JSON" in done.stderr
        and "passed over: " in done.stderr
        and "user.json: not recognised" in done.stderr
    )
    told = json.loads((tmp_path / "done.json").read_text())
    assert (told["conversations"], told["turns"], told["problem_count"], told["stopped"]) == (3, 4, 1, None)
    assert [one["file"].rsplit("/", 1)[1] for one in told["passed_over"]] == ["user.json"]
    assert [one["text"] for one in answer(cli("list", "--json"))] == ["The user is a vet."]
    assert [one["text"] for one in answer(cli("list", "--user", "ann", "--json"))] == ["Ann lives in Rome."]
    again = answer(cli("ingest", folder, "--json", code=1))
    assert (again["turns"], again["known"], again["decisions"]) == (0, 4, {})
    dry = answer(cli("ingest", folder, "--dry-run", "--json", code=1))
    assert (dry["conversations"], dry["known"], dry["turns"], dry["problem_count"]) == (3, 4, 0, 1)
    shown = cli("ingest", folder, "--dry-run", code=1).stdout
    assert "3 conversations in 3 files. 4 turns of them are in already. Nothing was sent" in shown


def test_a_pattern_and_a_table(cli, tmp_path):
    (tmp_path / "x.csv").write_text("who,said\nAnn,I live in Rome.\n")
    done = cli("ingest", f"{tmp_path}/*.csv", "--columns", "content=said,role=who", "--user", "ann")
    assert "1 conversation, 1 new turn: 1 ADD" in done.stdout
    assert [one["text"] for one in answer(cli("list", "--user", "ann", "--json"))] == ["Ann lives in Rome."]
    assert "content=COLUMN" in cli("ingest", tmp_path / "x.csv", "--columns", "said", code=2).stderr
    assert "has no column" in cli("ingest", tmp_path / "x.csv", "--columns", "content=words", code=2).stderr


def test_what_cannot_be_is_told_before_anything_is_stored(cli, folder, tmp_path):
    assert "--report" in cli("ingest", folder, "--report", tmp_path / "no" / "done.json", code=2).stderr
    assert "concurrency" in cli("ingest", folder, "--concurrency", "0", code=2).stderr
    assert "cannot be read" in cli("ingest", folder, tmp_path / "missing.json", code=2).stderr
    assert "no conversation 'x' in the files" in cli("ingest", folder / "b.txt", "--conversation", "x", code=2).stderr
    assert "unknown: 'xml'" in cli("ingest", folder / "b.txt", "--format", "xml", code=2).stderr
    assert answer(cli("stats", "--json"))["turns"] == 0
