"""Data sets in general: how one is found and recognised, what is said of files that are none, what is shipped."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import pytest

from recollect_evals.datasets import FORMATS, SHIPPED, files, load, shipped
from recollect_evals.errors import DataSetInvalid

TALK = [
    {"conversation": "ana"},
    {"session": "s1", "at": "2024-03-01T09:00:00Z"},
    {"turn": "s1:1", "speaker": "Ana", "role": "user", "text": "Hi."},
]


def written(path: Path, text: str = "\n".join(map(json.dumps, TALK))) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


SAMPLES = {
    "jsonl": "\n".join(map(json.dumps, TALK)),
    "locomo": '[{"qa": [{"question": "?", "answer": "a", "evidence": ["D1:1"], "category": 1}], "conversation": {"session_1": '
    '[{"speaker": "Ana", "dia_id": "D1:1", "text": "Hi."}], "session_1_date_time": "1:56 pm on 8 May, 2023"}}]',
    "longmemeval": '[{"question_id": "q", "question": "?", "answer": "a", "question_date": "2023/05/30 (Tue) 23:40", '
    '"haystack_session_ids": ["s"], "haystack_dates": ["2023/05/20 (Sat) 02:57"], "haystack_sessions": '
    '[[{"role": "user", "content": "Hi."}]], "answer_session_ids": []}]',
    "halumem": '{"uuid": "u", "persona_info": "", "sessions": [{"dialogue": [{"role": "user", "content": "Hi.", '
    '"timestamp": "Jan 15, 2029, 15:12:20"}], "memory_points": []}]}',
}


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("start", ["", "\ufeff", "\n \n"])
def test_each_format_is_recognised_by_its_content_alone(tmp_path, name, start):
    path = written(tmp_path / "data", start + SAMPLES[name])
    assert [known.name for known in FORMATS.values() if known.recognises(path)] == [name]
    (talk,) = load(path).conversations
    assert [turn.text for turn in talk.turns] == ["Hi."]
    assert load(path).checksum == files.sha256(path.read_bytes())


def test_a_path_is_looked_for_where_it_stands_then_below_the_folder_of_data_sets(tmp_path, monkeypatch):
    written(tmp_path / "data" / "mine" / "a.jsonl")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECOLLECT_DATA", str(tmp_path / "data"))
    assert load("mine/a.jsonl").name == load("data/mine/a.jsonl").name == "a"
    with pytest.raises(
        DataSetInvalid, match=rf"^mine/b\.jsonl or {tmp_path}/data/mine/b\.jsonl is not there; name a file"
    ):
        load("mine/b.jsonl")
    monkeypatch.delenv("RECOLLECT_DATA")
    with pytest.raises(DataSetInvalid, match=r"^mine/a\.jsonl is not there"):
        load("mine/a.jsonl")


@pytest.mark.parametrize("source", ["", "\0", "x" * 5000])
def test_what_is_no_path_is_an_error_of_ours(source):
    with pytest.raises(DataSetInvalid):
        load(source)


NONE = {
    "empty": (b"", "is empty; it was cut off"),
    "blank": (b" \n ", "is empty; it was cut off"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
    "page": (b"\n<!DOCTYPE html><html>", "is a web page"),
    "parquet": (b"PAR1\x00\x01", "is Parquet"),
    "zip": (b"PK\x03\x04xyz", "is a zip archive: unpack it first"),
    "text": (b"Once upon a time", "is of no format that recollect knows; if you know better, name one of beam, jsonl"),
    "other": (b'[{"a": 1}]', "is of no format that recollect knows"),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", NONE)
def test_what_is_no_data_set_is_told_for_what_it_is(tmp_path, name, packed):
    data, problem = NONE[name]
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if packed else data)
    with pytest.raises(DataSetInvalid, match=problem):
        load(path)
    if name not in ("text", "other"):
        for known in FORMATS:
            if known != "beam":
                with pytest.raises(DataSetInvalid, match=problem):
                    load(path, known)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "beam"])
@pytest.mark.parametrize("sample", [*SAMPLES, None])
def test_the_wrong_format_is_an_error_never_an_empty_set(tmp_path, name, sample):
    path = written(tmp_path / "data", SAMPLES[sample] if sample else '[{"a": 1}]')
    if name == sample:
        assert load(path, name).conversations
    else:
        with pytest.raises(DataSetInvalid):
            load(path, name)


@pytest.mark.parametrize("name", ["locomo", "longmemeval", "halumem", "jsonl"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_was_cut_off_is_an_error(tmp_path, name, packed):
    whole = SAMPLES[name].encode()
    path = tmp_path / "data"
    data = gzip.compress(whole) if packed else whole
    for end in (len(data) - 1, len(data) // 2):
        path.write_bytes(data[:end])
        with pytest.raises(DataSetInvalid):
            load(path, name)


def test_json_nested_without_end_is_an_error(tmp_path):
    path = written(tmp_path / "deep.json", "[" * 100_000 + '"session_1":')
    with pytest.raises(DataSetInvalid, match="is not JSON"):
        load(path, "locomo")


def test_an_empty_folder_and_an_unknown_format_are_errors(tmp_path):
    for name in (None, "jsonl", "locomo", "longmemeval", "halumem"):
        with pytest.raises(DataSetInvalid, match=r"holds no data file \(\*\.json, \*\.jsonl"):
            load(tmp_path, name)
    with pytest.raises(DataSetInvalid, match="format 'csv' is unknown; there are beam, jsonl"):
        load(written(tmp_path / "a.jsonl"), "csv")


def test_a_file_that_may_not_be_read_is_an_error(tmp_path, monkeypatch):
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = written(tmp_path / "a.jsonl")
    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(DataSetInvalid, match="cannot be read: Permission denied"):
        load(path)


def test_a_folder_that_may_not_be_looked_into_is_an_error(tmp_path, monkeypatch):
    def denied(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", denied)
    for name in (None, "jsonl", "beam"):
        with pytest.raises(DataSetInvalid, match="cannot be read: Permission denied"):
            load(tmp_path, name)


def test_published_checksums_are_told_apart(tmp_path):
    name, published = next(iter(files.known().items()))
    assert files.unlike_published(tmp_path / name, published["sha256"]) == []
    assert files.unlike_published(tmp_path / "mine.json", "0" * 64) == []
    (problem,) = files.unlike_published(tmp_path / f"{name}.gz", "0" * 64)
    assert published["source"] in problem and "cannot be compared" in problem
    assert all(len(one["sha256"]) == 64 and one["source"] for one in files.known().values())


def test_what_is_shipped_is_found_by_its_name_wherever_one_is(tmp_path, monkeypatch):
    monkeypatch.setattr("recollect_evals.datasets.resources", lambda _: tmp_path)
    written(tmp_path / "data" / "changes" / "a.jsonl")
    written(tmp_path / "elsewhere" / "changes" / "b.jsonl", "not it")
    monkeypatch.chdir(tmp_path / "elsewhere")
    dataset = load("changes")
    assert dataset.name == "changes" and [talk.id for talk in dataset.conversations] == ["ana"]
    assert shipped("decisions.jsonl") == tmp_path / "data" / "decisions.jsonl"


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_shipped_is_read_strictly(name):
    dataset = load(name)
    assert dataset.conversations and dataset.problems == ()


def test_labelled_decisions_are_no_conversations():
    with pytest.raises(DataSetInvalid, match="evaluated as operations"):
        load("decisions")


def test_the_wheel_brings_the_checksums(wheel):
    assert "recollect_evals/datasets/checksums.json" in zipfile.ZipFile(wheel).namelist()
