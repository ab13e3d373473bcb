"""The table of `make chaos` counts what tests record, and a broken promise is told."""

from __future__ import annotations

import chaos
import pytest

from recollect.errors import StorageFull

FAILING = """
import chaos

def test_one():
    with chaos.tries("water") as tries:
        for n in range(3):
            with tries.one(str(n)):
                assert n != 1, "wet"
"""


def run(tmp_path, capfd, text, *suite):
    file = tmp_path / "test_inner.py"
    file.write_text(text)
    code = chaos.main([*suite, "-p", "no:cacheprovider", str(file)])
    return code, capfd.readouterr().out


def test_a_violation_is_counted_and_ends_with_an_error(tmp_path, capfd):
    code, out = run(tmp_path, capfd, FAILING)
    assert code == 1 and "wet" in out
    assert [line.split() for line in out.splitlines()[-5:-2]] == [
        ["fault", "tries", "violations"],
        ["water", "3", "1"],
        ["all", "3", "1"],
    ]


def test_the_table_of_security_tells_of_threats(tmp_path, capfd):
    code, out = run(tmp_path, capfd, FAILING, chaos.SECURITY)
    assert code == 1
    assert [line.split() for line in out.splitlines()[-5:-3]] == [["threat", "tries", "failures"], ["water", "3", "1"]]


def test_no_violation_is_a_zero_and_nothing_tried_is_none(tmp_path, capfd):
    assert run(tmp_path, capfd, FAILING.replace("n != 1", "n != 9"))[0] == 0
    assert run(tmp_path, capfd, "def test_nothing(): pass")[0] == 1


def test_only_broken_promises_and_named_errors_are_violations():
    with pytest.raises(ZeroDivisionError), chaos.tries("x") as tries, tries.one("y"):
        raise ZeroDivisionError
    with pytest.raises(AssertionError, match="y: StorageFull"), chaos.tries("x") as tries:
        with tries.one("y"):
            raise StorageFull("full")
        assert tries.count == 1
