"""Imports point down, heavy packages stay in their rooms, and `import recollect` is light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import recollect

SOURCE = Path(recollect.__file__).parent
# From the ground up. A module may import what stands before its own floor, and its own floor where FLOORS says so.
FLOORS: list[set[str]] = [
    {"usage", "failpoints", "garbage"},
    {"errors"},
    {"ids", "times", "owners", "tasks", "wording", "attributes", "tokens", "contrasts", "calibration"},
    {"model", "filters"},
    {"records", "results", "dates", "safety", "query"},
    {"ports", "trace", "budget", "pace"},
    {"prompts", "replies", "evidence", "candidates", "intervals", "resolve", "timeline"},
    {"guard", "graph", "labels"},
    {
        "extract",
        "reconcile",
        "rules",
        "partition",
        "rank",
        "channels",
        "surroundings",
        "views",
        "embedding",
        "reranking",
        "check",
        "plan",
        "pack",
    },
    {"apply", "prepare", "neighbours", "retell", "erase", "echoes", "repeats", "when", "interchange", "mem0"},
    {"ordering"},
    {"retrieve", "write", "testing", "estimate"},
    {"build"},
    {"curate", "verify", "scoped", "backfill", "backup", "export", "erasing", "searching", "talking"},
    {"reembed", "importing", "foreign"},
    {"memory"},
    {"sync"},
    {"formats"},
    {"ingesting"},
    {"ingest", "chat"},
    {"demo"},
    {"surfaces"},
]
PATHS = {"writing", "retrieval", "view", "upkeep", "exchange"}  # folders of modules, each of which has its own floor
WITHIN = {
    "repeats",
    "apply",
    "partition",
    "views",
    "rules",
    "rank",
    "channels",
    "surroundings",
    "plan",
    "pack",
    "check",
    "embedding",
    "surfaces",
    "demo",
    "chat",
}
ADAPTERS_MAY = {
    "usage",
    "failpoints",
    "budget",
    "errors",
    "ids",
    "times",
    "owners",
    "model",
    "filters",
    "records",
    "results",
    "ports",
    "adapters",
}
ROOMS = {
    "faiss": {"adapters"},
    "sqlite3": {"adapters"},
    "litellm": {"adapters"},
    "openai": {"adapters"},  # the chat loop knows its clients by what they have
    "instructor": {"adapters"},
    "networkx": {"adapters"},
    "onnxruntime": {"adapters"},
    "onnx": {"adapters"},
    "tokenizers": {"adapters"},
    "safetensors": {"adapters"},
    "typer": {"surfaces"},
    "matplotlib": {"surfaces"},
    "rich": {"surfaces"},
}


def room(path: Path) -> str:
    """The module that a file is, where it stands by itself or in one of the paths; else the package that it belongs to."""
    return room_of(path.relative_to(SOURCE).with_suffix("").parts)


def room_of(names: Sequence[str]) -> str:
    """The same by the names below `recollect`."""
    return names[1] if names[0] in PATHS and len(names) > 1 else names[0]


def floor(name: str) -> int:
    return next(i for i, names in enumerate(FLOORS) if name in names)


def own_imports(path: Path) -> set[str]:
    """The rooms of recollect that a file imports, the type-checking ones apart."""
    package = ["recollect", *path.relative_to(SOURCE).parts[:-1]]
    found = set()
    for node in ast.walk(without_type_checking(ast.parse(path.read_text(encoding="utf-8")))):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            target = ".".join([*base, *([node.module] if node.module else [])])
            names = [target] if node.module else [f"{target}.{alias.name}" for alias in node.names]
            found |= {room_of(name.split(".")[1:]) for name in names if name.startswith("recollect.")} - set(
                recollect.__all__
            )
        elif isinstance(node, ast.Import):
            found |= {room_of(a.name.split(".")[1:]) for a in node.names if a.name.startswith("recollect.")}
    return found


def foreign_imports(path: Path) -> set[str]:
    tree = without_type_checking(ast.parse(path.read_text(encoding="utf-8")))
    plain = {a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    return plain | {
        (n.module or "").split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and not n.level
    }


def without_type_checking(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    return tree


MODULES = sorted(
    path
    for path in SOURCE.rglob("*.py")
    if path.name != "__init__.py" or (path.parent != SOURCE and path.parent.name not in PATHS)
)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_down(path):
    here = room(path)
    for name in own_imports(path) - {here}:
        if here == "adapters":
            assert name in ADAPTERS_MAY, f"an adapter imports {name}"
        elif name == "adapters":
            assert here in ("build", "surfaces"), f"{here} imports an adapter; build.py wires them"
        else:
            assert floor(name) < floor(here) or (here in WITHIN and floor(name) == floor(here)), (
                f"{here} imports {name}"
            )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_heavy_packages_stay_in_their_rooms(path):
    for package in foreign_imports(path) & set(ROOMS):
        assert room(path) in ROOMS[package], f"{package} in {room(path)}"


def test_the_library_knows_nothing_of_the_harness_but_its_commands():
    for path in MODULES:
        known = "recollect_evals" in foreign_imports(path)
        assert not known or path.is_relative_to(SOURCE / "surfaces" / "cli"), path


def test_import_is_light():
    heavy = ("litellm", "instructor", "faiss", "numpy", "networkx", "jinja2")
    code = f"import sys, recollect; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_are_a_sorted_list():
    assert recollect.__all__ == sorted(recollect.__all__)
    assert all(getattr(recollect, name) for name in recollect.__all__)
