"""The reference names what there is, and nothing that there is not."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from recollect import AsyncMemory, results

API = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


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
