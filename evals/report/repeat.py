"""The command lines that make a run again, from its manifest."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ..results import Result
from ..run import Manifest
from ..systems.plain import METHODS

WIDTH = 90  # of a line, about

_BY_NAME = {"full context": "full-context", "mem0": "mem0"} | {method.name: name for name, method in METHODS.items()}


def commands(runs: Sequence[Result]) -> str:
    """What to type for the runs and for a report of them."""
    lines = [line for run in runs for line in run_commands(run.manifest, run.name)]
    folders = [f"runs/{name}" for name in dict.fromkeys(run.name for run in runs)]
    return "\n".join([*lines, _line(["recollect", "eval", "report", *folders, "--out", "report.html"])])


def run_commands(manifest: Manifest, name: str) -> list[str]:
    """ "recollect eval run changes --system bm25 … --out runs/NAME", once more for each further model of a memory. Data is named
    by the place that it was read from."""
    by_model: dict[str | None, list[Mapping[str, Any]]] = {}
    for one in manifest.systems.values():
        by_model.setdefault(_model(one), []).append(one)
    without = by_model.pop(None, [])
    found = []
    for place, (model, named) in enumerate(by_model.items() or [(None, [])]):
        systems = [*without, *named] if place == 0 else named
        found.append(_line([*_words(manifest, systems, model), "--out", f"runs/{name}"]))
    return found


def _model(one: Mapping[str, Any]) -> str | None:
    """The language model of a memory; None where it has none."""
    llm = one.get("settings", {}).get("llm")
    return str(llm) if llm not in (None, "rules") else None


def _words(manifest: Manifest, systems: Sequence[Mapping[str, Any]], model: str | None) -> list[str]:
    words = ["recollect", "eval", "run", manifest.source or manifest.data]
    for one in systems:
        words += ["--system", system_name(one)]
    last = [one["settings"]["last"] for one in systems if "last" in one.get("settings", {})]
    words += _option("--last", last[0] if last else None) + _option("--llm", model)
    words += _option("--reader", manifest.reader) + _option("--judge", manifest.judge)
    for talk in manifest.selection.get("conversations") or ():
        words += ["--conversation", str(talk)]
    words += _option("--limit", manifest.selection.get("limit"))
    for option in ("k", "max_tokens", "unrelated", "seed"):
        words += _option(f"--{option.replace('_', '-')}", getattr(manifest, option))
    return words


def _line(words: Sequence[str]) -> str:
    """A command, over several lines where it is long."""
    lines = [""]
    for word in map(shlex.quote, words):
        if len(lines[-1]) + len(word) > WIDTH and word.startswith("--"):
            lines.append("   ")
        lines[-1] += f" {word}" if lines[-1] else word
    return " \\\n".join(lines)


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
