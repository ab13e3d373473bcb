"""The command lines that make a run again, from its manifest."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from ..results import Result
from ..run import Manifest
from ..systems.plain import METHODS

_BY_NAME = {"full context": "full-context", "mem0": "mem0"} | {method.name: name for name, method in METHODS.items()}


def commands(runs: list[Result]) -> str:
    """What to type for the runs and for a report of them, a command a line."""
    lines = [run_command(run.manifest, run.name) for run in runs]
    folders = " ".join(shlex.quote(f"runs/{name}") for name in dict.fromkeys(run.name for run in runs))
    return "\n".join([*lines, f"recollect eval report {folders} --out report.html"])


def run_command(manifest: Manifest, name: str) -> str:
    """ "recollect eval run changes --system bm25 … --out runs/NAME": data by the place that it was read from."""
    words = ["recollect", "eval", "run", manifest.source or manifest.data]
    models, last = set(), None
    for one in manifest.systems.values():
        words += ["--system", system_name(one)]
        settings = one.get("settings", {})
        last = settings.get("last", last)
        models |= {settings["llm"]} if isinstance(settings.get("llm"), str) and settings["llm"] != "rules" else set()
    words += _option("--llm", " or ".join(sorted(models)) or None)
    words += _option("--last", last)
    words += _option("--reader", manifest.reader) + _option("--judge", manifest.judge)
    for talk in manifest.selection.get("conversations") or ():
        words += ["--conversation", str(talk)]
    words += _option("--limit", manifest.selection.get("limit"))
    for option in ("k", "max_tokens", "unrelated", "seed"):
        words += _option(f"--{option.replace('_', '-')}", getattr(manifest, option))
    return " ".join(shlex.quote(word) for word in [*words, "--out", f"runs/{name}"])


def system_name(one: Mapping[str, Any]) -> str:
    """What the command line calls a system; of one that it does not know, its own name."""
    name, settings = str(one["name"]), one.get("settings", {})
    if name.startswith("recollect"):
        return _ours(name, settings)
    return "last-turns" if set(settings) == {"last"} else _BY_NAME.get(name, name)


def _ours(name: str, settings: Mapping[str, Any]) -> str:
    kind = name.removeprefix("recollect, ").split(", ")[0]
    base = f"recollect-{kind if kind in ('rules', 'recorded') else 'model'}"
    include = list(settings.get("include") or ())
    only = [str(one) for one in include if len(include) == 1]
    return ":".join([base, *only, *(["no-graph"] if settings.get("graph") is False else [])])


def _option(name: str, value: object) -> list[str]:
    return [] if value is None else [name, str(value)]
