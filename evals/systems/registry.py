"""Systems by name, as the command line knows them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recollect.errors import InvalidInput
from recollect.ports import Embedder

from .external import PATIENCE
from .mem0 import Mem0
from .plain import METHODS, FullContext, LastTurns, TurnSearch
from .recollect import BOTH, MEMORIES, TURNS, Access, Include, Recollect
from .recorded import RecollectRecorded

if TYPE_CHECKING:
    from . import System

DATA_VARIABLE = "RECOLLECT_DATA"

NAMES: Mapping[str, str] = {
    "full-context": "the whole conversation, whatever the budget",
    "last-turns": "the last turns (20 unless told otherwise)",
    "bm25": "turns by BM25, stemmed",
    "minilm": "turns by MiniLM vectors",
    "bm25+minilm": "turns by both, scores normalised within the query and added",
    "rrf": "turns by both, reciprocal ranks added (k = 60)",
    "previous-bm25": "turns found by their words and the turn before, BM25",
    "previous-bm25+minilm": "the same, BM25 and MiniLM added: the best plain rival",
    "recollect-rules": "recollect without a model",
    "recollect-model": "recollect with the language model that was named",
    "recollect-recorded": "recollect over an extraction that was recorded once",
    "mem0": "mem0, in an environment of its own (--mem0-python)",
}
VARIANTS: Mapping[str, str] = {
    "memories": "memories only",
    "turns": "turns only",
    "no-graph": "without the entity graph",
}
"""After a name of recollect's, with a colon: recollect-rules:turns."""


@dataclass(frozen=True, slots=True)
class Options:
    """What systems are made with.

    `embedder`: None is MiniLM; systems that are to share vectors get the same `SharedEmbedder`. `access`: the language model of
    recollect-model and mem0. `last`: of last-turns. `recorded`: the folder of recorded extractions, None is
    `$RECOLLECT_DATA`/locomo/recorded. `mem0_python`: of an environment with mem0, None is `$RECOLLECT_MEM0_PYTHON`.
    `patience`: seconds that an external system may be silent.
    """

    embedder: Embedder | None = None
    access: Access = field(default_factory=Access)
    last: int = 20
    recorded: Path | None = None
    mem0_python: Path | None = None
    patience: float = PATIENCE


def make(name: str, *, folder: Path, options: Options | None = None) -> System:
    """A system by its name, of `NAMES`, with `VARIANTS`. What it keeps goes into `folder`; systems of recollect that differ in
    their variants alone may be given the same one: what one of them ingested is there for the others.

    Raises InvalidInput, ExtraMissing, DataSetInvalid, and what opening a `Memory` does.
    """
    base, *variants = name.split(":")
    if base not in NAMES:
        raise InvalidInput("system", f"unknown: {name[:100]!r}; there are {', '.join(NAMES)}")
    chosen = options or Options()
    if base.startswith("recollect-"):
        return _recollect(base, folder, chosen, _searching(name, variants))
    if variants:
        raise InvalidInput("system", f"{base} has no variants; {', '.join(VARIANTS)} are recollect's")
    match base:
        case "full-context":
            return FullContext()
        case "last-turns":
            return LastTurns(chosen.last)
        case "mem0":
            access, embedder = chosen.access, embedder_of(chosen)
            return Mem0(folder, python=chosen.mem0_python, access=access, embedder=embedder, patience=chosen.patience)
        case _:
            return TurnSearch(METHODS[base], embedder_of(chosen))


def embedder_of(options: Options) -> Embedder:
    """The one that was chosen, else MiniLM."""
    if options.embedder is not None:
        return options.embedder
    from recollect.adapters.minilm import MiniLM

    return MiniLM()


def _searching(name: str, variants: list[str]) -> dict[str, Any]:
    """What variants mean to `Recollect`."""
    if strange := [one for one in variants if one not in VARIANTS]:
        raise InvalidInput(
            "system", f"{name[:100]!r}: no variant {strange[0][:100]!r}; there are {', '.join(VARIANTS)}"
        )
    if {"memories", "turns"} <= set(variants):
        raise InvalidInput("system", f"{name!r}: memories only or turns only; without either it is both")
    include: Include = MEMORIES if "memories" in variants else TURNS if "turns" in variants else BOTH
    return {"include": include, "graph": "no-graph" not in variants}


def _recollect(base: str, folder: Path, options: Options, searching: dict[str, Any]) -> System:
    embedder, access = embedder_of(options), options.access
    if base == "recollect-recorded":
        return RecollectRecorded(folder, recorded=_recorded(options), embedder=embedder, **searching)
    if base == "recollect-rules":
        return Recollect(folder, label="rules", embedder=embedder, **searching)
    if access.llm == "rules":
        raise InvalidInput("llm", "recollect-model needs a language model: give its litellm name (openai/gpt-5-mini)")
    label = access.llm if isinstance(access.llm, str) else type(access.llm).__name__
    return Recollect(folder, label=label, embedder=embedder, access=access, **searching)


def _recorded(options: Options) -> Path:
    if options.recorded is not None:
        return options.recorded
    if data := os.environ.get(DATA_VARIABLE):
        return Path(data) / "locomo" / "recorded"
    raise InvalidInput("recorded", f"say where the recorded extractions are, or set {DATA_VARIABLE}")
