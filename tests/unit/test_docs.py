"""The reference names what there is, and nothing that there is not."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from recollect import AsyncMemory, errors, results

ROOT = Path(__file__).parents[2]
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
GUARANTEES = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
SECURITY = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_every_verb_and_keyword_is_in_the_reference():
    told = dict(re.findall(r"^### `(\w+)\((.*?)\)` →", API, re.M))
    verbs = {
        name: verb for name, verb in inspect.getmembers(AsyncMemory, inspect.isfunction) if not name.startswith("_")
    }
    assert set(told) == set(verbs)
    for name, verb in verbs.items():
        keywords = list(inspect.signature(verb).parameters)[1:]
        assert all(re.search(rf"\b{keyword}\b", told[name]) for keyword in keywords), name


def test_every_field_of_a_result_is_in_the_reference():
    for name in re.findall(r"^### `([A-Z]\w+)`$", API, re.M):
        section = API.split(f"### `{name}`")[1].split("###")[0]
        assert all(f"`{field}`" in section for field in getattr(results, name).model_fields), name


@pytest.mark.parametrize(("page", "least"), [(GUARANTEES, 50), (SECURITY, 25)], ids=["guarantees", "security"])
def test_every_test_that_a_page_names_is_there(page, least):
    named = re.findall(r"(tests/[\w/]+\.py)::(\w+)", page)
    assert len(named) == page.count("::") > least
    for file, name in named:
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^(def {name}\(|{name} = )", text, re.M), f"{file}::{name}"


def test_every_section_of_the_guarantees_shows_its_tests():
    promised = GUARANTEES.split("## What is not promised")[0].split("\n## ")[1:]
    assert len(promised) > 10
    assert [section.splitlines()[0] for section in promised if "::" not in section.partition("*Shown by*")[2]] == []


def test_errors_and_fault_tests_are_all_in_the_guarantees():
    told = set(re.findall(r"`([A-Z][a-z]\w+)`", GUARANTEES)) - {"Memory", "CancelledError"}
    assert len(told) > 15 and [name for name in sorted(told) if not hasattr(errors, name)] == []
    assert [file.name for file in (ROOT / "tests" / "crash").glob("test_*.py") if file.name not in GUARANTEES] == []


def test_every_threat_has_a_test_and_every_security_test_is_told():
    tables = re.findall(r"^\| threat .*\n\|---.*\n((?:\|.*\n)+)", SECURITY, re.M)
    rows = [row for table in tables for row in table.splitlines()]
    assert len(rows) > 20 and [row for row in rows if "::" not in row.rsplit("|", 2)[1]] == []
    assert [one.name for one in (ROOT / "tests" / "security").glob("test_*.py") if one.name not in SECURITY] == []
