"""docs/from-mem0.md: recollect's side of the table runs, row by row; mem0's fits mem0's signatures, where there is a mem0."""

from __future__ import annotations

import json
import os
import subprocess

import pages
import pytest

from recollect import Memory
from recollect.errors import NotFound

GUIDE = pages.page("docs/from-mem0.md")
ROWS = [[cell.strip("`") for cell in row] for row in pages.rows(GUIDE, "Verbs side by side")]
PYTHON = os.environ.get("RECOLLECT_MEM0_PYTHON")
BIND = """
import ast, inspect, json, sys
from mem0 import AsyncMemory, Memory
told = []
for row in json.load(sys.stdin):
    call = next(one for one in ast.walk(ast.parse(row)) if isinstance(one, ast.Call))
    name = getattr(call.func, "attr", "__init__")
    keywords = {one.arg: None for one in call.keywords}
    for kind in (Memory, AsyncMemory):
        verb = inspect.signature(getattr(kind, name))
        if name != "from_config":
            verb.bind(None, *call.args, **keywords)
        known = set(verb.parameters)
        told += [f"{name}: {one}" for one in keywords if one not in known]
print(json.dumps(told))
"""


def test_the_first_snippet_runs(capsys):
    (snippet,) = pages.blocks(GUIDE, "python")
    exec(snippet, {})
    assert "vegetarian" in capsys.readouterr().out


def test_recollects_side_runs_row_by_row(tmp_path):
    said = [
        {"role": "user", "content": "I'm vegetarian, and I live in Lyon."},
        {"role": "assistant", "content": "Noted!"},
    ]
    found = {}
    with Memory(tmp_path / "store") as m:
        names = {"Memory": lambda **given: Memory(tmp_path / str(len(found)), **given), "m": m, "messages": said}
        for _, code in ROWS:
            answer = eval(code, names)
            found[code] = answer
            if isinstance(answer, Memory):
                answer.close()
            if "infer=False" in code:
                names["memory_id"] = answer.changes[0].memory.id
    answers = {code.split("(")[0]: answer for code, answer in found.items()}
    assert answers["m.update"].text == "Loves sashimi." and len(answers["m.history"]) == 1
    assert answers["m.get_all"] and answers["m.delete_all"] > 0 and answers["m.erase"].complete
    searches = {code: answer for code, answer in found.items() if ".search(" in code}
    assert len(searches) == 4 and all(searches.values())
    with Memory(tmp_path / "other") as other, pytest.raises(NotFound):
        other.get("mem_" + "0" * 32)


def test_the_table_is_of_mem0s_verbs():
    from_mem0 = {code.split("(")[0] for code, _ in ROWS}
    verbs = ["add", "search", "get_all", "get", "history", "update", "delete", "delete_all", "reset", "close"]
    assert from_mem0 == {"Memory", "Memory.from_config", *(f"m.{verb}" for verb in verbs)}


@pytest.mark.skipif(PYTHON is None, reason="$RECOLLECT_MEM0_PYTHON names no environment with mem0")
def test_mem0s_side_fits_mem0(tmp_path):
    environment = {**os.environ, "MEM0_TELEMETRY": "False", "MEM0_DIR": str(tmp_path)}
    rows = json.dumps([code for code, _ in ROWS])
    environment.pop("PYTHONPATH", None)
    done = subprocess.run([PYTHON, "-c", BIND], input=rows, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
