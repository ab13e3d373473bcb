"""What is built and what is locked: prompts in the wheel, hashes in the locks, and nothing of any one machine."""

from __future__ import annotations

import re
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "lock").glob("*.txt"))


def test_the_wheel_holds_prompts_types_schema_and_demo(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "recollect/py.typed",
        "recollect/_prompts/README.md",
        "recollect/adapters/sql/0001_ledger.sql",
        "recollect/demo/conversation.jsonl",
    } <= names
    assert not [name for name in names if name.endswith(".pth") or "tests/" in name]


@pytest.mark.parametrize("lock", [path for path in LOCKS if path.stem != "constraints"], ids=lambda path: path.stem)
def test_locks_hold_names_versions_and_hashes_alone(lock):
    text = lock.read_text(encoding="utf-8")
    assert not re.search(r"://|--index|--find-links|--extra-index|file:|^/", text, re.M)
    requirements = re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", text, re.M)
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.M)[1:]
    assert len(blocks) == len(requirements) and all("--hash=sha256:" in block for block in blocks)
    assert not {name.lower() for name, _ in requirements} & {"torch", "sentence-transformers", "transformers"}


def test_broken_releases_of_litellm_are_excluded():
    from importlib.metadata import version

    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    litellm = next(r for r in map(Requirement, project["dependencies"]) if r.name == "litellm").specifier
    for broken in ("1.82.7", "1.82.8", "1.92.2", "1.106.2", "1.106.3", "1.106.10", "1.108.0"):
        assert broken not in litellm
    assert "1.105.3" in litellm and "2.0.0" not in litellm
    for lock in ("runtime", "dev"):
        text = (ROOT / "lock" / f"{lock}.txt").read_text(encoding="utf-8")
        locked = re.search(r"^litellm==(\S+)", text, re.M)
        assert locked and locked[1] in litellm and locked[1] == version("litellm")


def test_no_pth_files_but_our_own_in_the_environment():
    import sysconfig

    found = {path.name for path in Path(sysconfig.get_paths()["purelib"]).glob("*.pth")}
    assert {name for name in found if "recollect" not in name} <= {"distutils-precedence.pth"}
