"""`recollect export`, `recollect audit`, `--no-redact` and `--actor`, as people and scripts call them."""

from __future__ import annotations

import json

import pytest

CARD = "4242 4242 4242 4242"


def test_a_secret_is_kept_out_and_told_unless_it_is_to_be_kept(cli):
    told = cli("add", f"My favorite card is {CARD}.", "--whole").stdout
    assert "kept out: 1 secret (card_number)" in told and "--no-redact" in told and CARD not in told
    assert json.loads(cli("list", "--json").stdout)[0]["text"] == "My favorite card is [REDACTED:card_number]."
    cli("add", f"My other card is {CARD}.", "--whole", "--no-redact")
    assert CARD in cli("list", "--json").stdout


def test_ingested_conversations_are_redacted_too(cli, tmp_path):
    file = tmp_path / "talk.jsonl"
    file.write_text(json.dumps({"role": "user", "content": f"My favorite card is {CARD}."}) + "\n", "utf-8")
    cli("ingest", file)
    assert CARD not in cli("export", "--user", "talk").stdout + cli("export").stdout
    assert not any(CARD.encode() in path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())


def test_an_export_to_a_file_says_what_it_has_and_goes_over_none(cli, tmp_path):
    cli("add", "I live in Rome.", "--user", "ann")
    out = tmp_path / "ann.json"
    told = cli("export", "--user", "ann", "--out", out).stdout
    assert "records on ann" in told and "1 turn, 1 version of a memory, 1 change" in told
    assert json.loads(out.read_text("utf-8"))["turns"][0]["content"] == "I live in Rome."
    assert "TargetExists" in cli("export", "--user", "ann", "--out", out, code=1).stderr
    head = json.loads(cli("export", "--user", "ann", "--out", out, "--overwrite", "--json").stdout)
    assert head["counts"]["memories"] == 1 and head["path"] == str(out)
    assert json.loads(cli("export", "--user", "bob").stdout)["counts"]["turns"] == 0


def test_an_audit_names_the_actor_and_tells_no_content(cli):
    cli("add", "I live in Rome.", "--actor", "support Eve")
    told = cli("audit").stdout
    assert "support Eve" in told and "1 change" in told and "Rome" not in told
    (entry,) = json.loads(cli("audit", "--json").stdout)
    assert entry["actor"] == "support Eve" and entry["op"] == "ADD" and "text" not in entry


@pytest.mark.parametrize("command", ["export", "audit"])
def test_asking_makes_no_store(cli, tmp_path, command):
    assert "there is no store" in cli(command, code=2).stderr
    assert not (tmp_path / "store").exists()
