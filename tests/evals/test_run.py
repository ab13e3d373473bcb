"""A run's folder: records that survive, settings that must fit, one process at a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from evals_world import Turns, data_set, full_disk, opened
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect_evals.errors import RunBusy, RunInvalid, RunMismatch, RunUnwritable
from recollect_evals.phases.subjects import described, subjects
from recollect_evals.run import Manifest, Run, manifest_of, slug_of

DATA = data_set()
MANIFEST = manifest_of(DATA, systems=described(subjects([Turns("A")])))


def record(n, **more):
    return {"question": f"q{n}", "answer": f"said {n}", **more}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


def test_records_are_there_when_the_run_is_opened_again(folder):
    with Run.open(folder, MANIFEST) as run:
        run.append("answers", record(1), "a")
        run.append("judgements", {"question": "q1", "system": "a", "verdict": "right"})
        run.append("stored", {"conversation": "c", "id": "m"}, "a")
    for again in (Run.read(folder), Run.open(folder, MANIFEST)):
        assert again.manifest == MANIFEST
        assert again.records("answers", "a") == {"q1": record(1)} and again.records("answers", "b") == {}
        assert again.records("judgements")["q1", "a"] == again.records("judgements", "a")["q1"]
        assert list(again.records("stored", "a")) == [("c", "m")]
        again.close()


def test_of_several_records_with_one_key_the_last_one_counts_and_all_are_kept(folder):
    with Run.open(folder, MANIFEST) as run:
        run.append("answers", {"question": "q1", "error": {"type": "X", "message": ""}, "spent": {"calls": 1}}, "a")
        assert run.good("answers", "a") == {}
        run.append("answers", record(1, spent={"calls": 2}), "a")
        assert run.records("answers", "a") == run.good("answers", "a") == {"q1": record(1, spent={"calls": 2})}
        assert len(run.lines("answers", "a")) == 2 and run.spent().calls == 3


@pytest.mark.parametrize("torn", ['{"question": "q2", "ans', '{"question": "q2"}', "{", "\\"])
def test_a_torn_last_line_is_passed_over_and_dropped(folder, torn):
    with Run.open(folder, MANIFEST) as run:
        run.append("answers", record(1), "a")
    file = folder / "systems" / "a" / "answers.jsonl"
    with file.open("a", encoding="utf-8") as out:
        out.write(torn)
    assert list(Run.read(folder).records("answers", "a")) == ["q1"] and file.read_text(encoding="utf-8").endswith(torn)
    with Run.open(folder, MANIFEST) as run:
        run.append("answers", record(3), "a")
        assert list(run.records("answers", "a")) == ["q1", "q3"]


@pytest.mark.parametrize("damaged", ["{broken}\n", "[1]\n", "\n", '{"answer": "no key"}\n', "\0\0\0\n"])
def test_a_damaged_line_is_an_error_that_names_its_place(folder, damaged):
    with Run.open(folder, MANIFEST) as run:
        run.append("answers", record(1), "a")
    with (folder / "systems" / "a" / "answers.jsonl").open("a", encoding="utf-8") as out:
        out.write(damaged + json.dumps(record(2)) + "\n")
    with pytest.raises(RunInvalid, match=r"answers\.jsonl"):
        Run.read(folder).records("answers", "a")


TEXT = st.text() | st.text(st.characters(categories=("Cs", "Cc", "Zl", "Zp")))


@settings(deadline=None)  # files, on a machine that may be busy
@given(st.lists(TEXT, min_size=1, max_size=5))
def test_any_text_comes_back_as_it_was(tmp_path_factory, texts):
    """But two halves of a surrogate pair side by side, which JSON takes for the character."""
    with Run.open(tmp_path_factory.mktemp("run"), MANIFEST) as run:
        for n, text in enumerate(texts):
            run.append("answers", {"question": n, "answer": text}, "a")
        halves = [text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass") for text in texts]
        assert [one["answer"] for one in run.lines("answers", "a")] == halves


@settings(deadline=None)  # files, on a machine that may be busy
@given(st.lists(TEXT, min_size=1, max_size=4), st.data())
def test_cut_off_at_any_byte_it_has_the_records_before_and_goes_on(tmp_path_factory, texts, data):
    folder = tmp_path_factory.mktemp("run")
    with Run.open(folder, MANIFEST) as run:
        for n, text in enumerate(texts):
            run.append("answers", {"question": n, "answer": text}, "a")
        whole = run.lines("answers", "a")
    file = folder / "systems" / "a" / "answers.jsonl"
    content = file.read_bytes()
    kept = data.draw(st.integers(0, len(content)))
    file.write_bytes(content[:kept])
    with Run.open(folder, MANIFEST) as run:
        assert run.lines("answers", "a") == whole[: content[:kept].count(b"\n")]
        run.append("answers", {"question": "next"}, "a")
        assert run.lines("answers", "a")[-1] == {"question": "next"}


# --- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data", "other"),
        ("k", 7),
        ("max_tokens", 7),
        ("seed", 7),
        ("unrelated", 7),
        ("recollect", "0"),
    ],
)
def test_other_settings_than_the_folders_are_a_mismatch_that_names_them(folder, name, value):
    Run.open(folder, MANIFEST).close()
    given = {"data": "small", "checksum": DATA.checksum, name: value}
    with pytest.raises(RunMismatch, match=rf"{name} is .* not '?{value}"):
        Run.open(folder, Manifest(**given))
    Run.open(folder, MANIFEST).close()  # and the lock is free


def test_another_data_set_is_a_mismatch_that_names_both(folder):
    Run.open(folder, MANIFEST).close()
    with pytest.raises(RunMismatch, match=rf"data is small \(checksum {DATA.checksum}…\), not other \(0…\)"):
        Run.open(folder, Manifest("other", "0"))


@pytest.mark.parametrize("name", ["reader", "judge"])
def test_a_reader_or_a_judge_may_come_later_but_not_change(folder, name):
    Run.open(folder, MANIFEST).close()
    Run.open(folder, manifest_of(DATA, **{name: "one"})).close()
    assert getattr(Run.read(folder).manifest, name) == "one"
    with pytest.raises(RunMismatch, match=f"{name} is 'one', not 'two'"):
        Run.open(folder, manifest_of(DATA, **{name: "two"}))
    with Run.open(folder, MANIFEST) as run:
        assert getattr(run.manifest, name) == "one"


def test_a_changed_prompt_is_a_mismatch(folder):
    Run.open(folder, manifest_of(DATA, prompts={"answer": "answer@1#1"})).close()
    with pytest.raises(RunMismatch, match="prompt of answer"):
        Run.open(folder, manifest_of(DATA, prompts={"answer": "answer@1#2"}))


def test_systems_may_come_later_but_not_change(folder):
    Run.open(folder, MANIFEST).close()
    Run.open(folder, manifest_of(DATA, systems=described(subjects([Turns("B")])))).close()
    assert set(Run.read(folder).manifest.systems) == {"a", "b"}
    with pytest.raises(RunMismatch, match="settings of a"):
        Run.open(folder, manifest_of(DATA, systems=described(subjects([Turns("A", fails=["x"])]))))


def test_a_folder_without_a_manifest_is_no_run(folder, tmp_path):
    with pytest.raises(RunInvalid, match="is no run"):
        Run.read(folder)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunInvalid, match="is no run"):
        Run.read(tmp_path / "file")
    with pytest.raises(RunUnwritable):
        Run.open(tmp_path / "file", MANIFEST)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"format": 1}', '{"format": 1, "data": "x", "checksum": "y", "z": 1}', "{"]
)
def test_a_damaged_manifest_is_said_to_be_damaged(folder, text):
    Run.open(folder, MANIFEST).close()
    (folder / "run.json").write_text(text)
    for way in (lambda: Run.read(folder), lambda: Run.open(folder, MANIFEST)):
        with pytest.raises(RunInvalid, match="damaged"):
            way()


def test_records_without_a_manifest_are_not_taken_for_an_empty_run(folder):
    with Run.open(folder, MANIFEST) as run:
        run.append("answers", record(1), "a")
    (folder / "run.json").unlink()
    with pytest.raises(RunInvalid, match=r"no run\.json"):
        Run.open(folder, MANIFEST)


def test_a_folder_of_a_newer_format_is_not_read(folder):
    Run.open(folder, MANIFEST).close()
    (folder / "run.json").write_text(json.dumps({"format": 2}))
    with pytest.raises(RunMismatch, match="format 2"):
        Run.read(folder)


def test_a_file_that_cannot_be_read_is_said_to_be(folder):
    (folder / "systems" / "a" / "answers.jsonl").mkdir(parents=True)
    with pytest.raises(RunInvalid, match=r"answers\.jsonl cannot be read"):
        Run(folder, MANIFEST).records("answers", "a")


def test_names_become_folders(folder):
    assert slug_of("recollect, rules") == "recollect-rules" and slug_of("BM25 + MiniLM") == "bm25-minilm"
    assert "/" not in slug_of("../../x") and slug_of("../../x") == "x"
    with pytest.raises(RunMismatch):
        slug_of("…")


# --- one at a time -----------------------------------------------------------------------------------------------------

HOLDS = """
import sys
from pathlib import Path
from evals_world import data_set
from recollect_evals.run import Run, manifest_of
run = Run.open(Path(sys.argv[1]), manifest_of(data_set()))
run.append("answers", {"question": "theirs"}, "a")
print("open", flush=True)
sys.stdin.read()
"""


def test_two_processes_are_not_let_in_and_a_killed_one_does_not_stay_in_the_way(folder):
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(folder)], stdin=-1, stdout=-1, env=environment) as child:
        assert child.stdout.readline() == b"open\n"
        with pytest.raises(RunBusy, match=f"process {child.pid}"):
            Run.open(folder, MANIFEST)
        assert list(Run.read(folder).records("answers", "a")) == ["theirs"]  # reading is for everybody
        child.send_signal(signal.SIGKILL)
        child.wait()
    with Run.open(folder, MANIFEST) as run:
        assert list(run.records("answers", "a")) == ["theirs"]
        with pytest.raises(RunBusy, match=f"process {os.getpid()}"):
            Run.open(folder, MANIFEST)


# --- a disk that refuses -----------------------------------------------------------------------------------------------


def test_a_full_disk_is_a_named_error_and_no_part_of_the_record_stays(folder):
    with Run.open(folder, MANIFEST) as run:
        run.append("answers", record(1), "a")
        before = (folder / "systems" / "a" / "answers.jsonl").read_bytes()
        with full_disk(len(before) + 20), pytest.raises(RunUnwritable):
            run.append("answers", record(2, padding="x" * 1000), "a")
        assert (folder / "systems" / "a" / "answers.jsonl").read_bytes() == before
        run.append("answers", record(3), "a")
        assert list(run.records("answers", "a")) == ["q1", "q3"]


def test_discarding_leaves_the_rest_and_writing_goes_on(folder):
    with Run.open(folder, MANIFEST) as run:
        for n in range(4):
            run.append("stored", {"conversation": f"c{n % 2}", "id": str(n)}, "a")
        run.discard("stored", "a", lambda one: one["conversation"] == "c0")
        run.append("stored", {"conversation": "c2", "id": "9"}, "a")
        assert list(run.records("stored", "a")) == [("c1", "1"), ("c1", "3"), ("c2", "9")]


def test_a_run_opened_to_be_read_takes_no_records(folder):
    opened(folder, DATA, [Turns("A")]).close()
    with pytest.raises(AssertionError):
        Run.read(folder).append("answers", record(1), "a")
