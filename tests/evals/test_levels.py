"""Recorded levels: read, compared, and refused where they are none."""

from __future__ import annotations

import json
from datetime import date

import pytest

from recollect_evals.errors import DataSetInvalid
from recollect_evals.levels import Level, recorded


def test_the_shipped_levels_can_be_read():
    levels = recorded()
    assert "decisions/rules" in levels
    assert all(0 < level.floor < level.share for level in levels.values())


def test_a_level_has_fallen_below_its_interval_only():
    level = Level(0.9, 200, date(2026, 1, 1))
    assert 0.84 < level.floor < 0.86  # Wilson's interval of 180 of 200: 0.850 to 0.934
    assert not level.fallen(0.9) and not level.fallen(0.86) and level.fallen(0.84)
    assert not Level(0.9, 10, date(2026, 1, 1)).fallen(0.7), "ten prove little"


@pytest.mark.parametrize(
    "told",
    ["", "[]", '{"a": 1}', '{"a": {"share": 0.5, "n": 3}}', '{"a": {"share": 1.5, "n": 3, "at": "2026-01-01"}}',
     '{"a": {"share": 0.5, "n": 0, "at": "2026-01-01"}}', '{"a": {"share": 0.5, "n": 3, "at": "once"}}'],
)  # fmt: skip
def test_what_is_no_level_is_told(tmp_path, told):
    (tmp_path / "levels.json").write_text(told)
    with pytest.raises(DataSetInvalid, match=r"levels\.json"):
        recorded(tmp_path / "levels.json")


def test_another_level_is_one_more_line(tmp_path):
    told = {"a/b": {"share": 0.5, "n": 8, "at": "2026-02-03"}, "c/d": {"share": 1, "n": 9, "at": "2026-02-04"}}
    (tmp_path / "levels.json").write_text(json.dumps(told))
    assert recorded(tmp_path / "levels.json") == {
        "a/b": Level(0.5, 8, date(2026, 2, 3)),
        "c/d": Level(1.0, 9, date(2026, 2, 4)),
    }
