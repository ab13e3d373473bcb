"""Notebooks, run cell by cell as Jupyter would, without Jupyter: their code has no magics, and shows text alone."""

from __future__ import annotations

import ast
import contextlib
import io
import json
from pathlib import Path
from typing import Any


def run(notebook: dict[str, Any]) -> list[str]:
    """What each code cell shows: what it prints, then the value of its last expression, if any."""
    names: dict[str, Any] = {"__name__": "__main__"}
    return [_shown("".join(cell["source"]), names) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _shown(source: str, names: dict[str, Any]) -> str:
    tree, printed = ast.parse(source), io.StringIO()
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "<cell>", "exec"), names)
        value = None if last is None else eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)
        if value is not None:
            print(repr(value))
    return printed.getvalue()


def kept(notebook: dict[str, Any]) -> list[str]:
    """What each code cell showed when the notebook was saved."""
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return ["".join("".join(one["text"]) for one in cell["outputs"]) for cell in cells]


def save(file: Path) -> None:
    """Run a notebook, and keep what it shows."""
    notebook = json.loads(file.read_text(encoding="utf-8"))
    for number, (cell, text) in enumerate(
        zip((cell for cell in notebook["cells"] if cell["cell_type"] == "code"), run(notebook), strict=True), start=1
    ):
        lines = text.splitlines(keepends=True)
        cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": lines}] if lines else []
        cell["execution_count"] = number
    file.write_text(json.dumps(notebook, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    import sys

    for name in sys.argv[1:]:
        save(Path(name))
