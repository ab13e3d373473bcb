"""Loaders of dialogue data sets. Each reads its files as they are published, and knows their traps (docs/evals.md).

`load` finds a set by its name or path and recognises its format. `FORMATS` are those that it knows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path

from ..errors import DataSetInvalid
from ..model import DataSet
from . import beam, files, halumem, jsonl, locomo, longmemeval
from .files import located as located


@dataclass(frozen=True, slots=True)
class Format:
    """A known data set. `read` gets the path and the name that the set shall have, and raises DataSetInvalid."""

    name: str
    description: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, str], DataSet]


FORMATS: dict[str, Format] = {
    known.name: known
    for known in (
        Format("beam", "BEAM: folders with chat.json and probing_questions.json", beam.recognises, beam.read),
        Format("jsonl", "recollect's own JSON lines, one file or a folder of them", jsonl.recognises, jsonl.read),
        Format("halumem", "HaluMem: JSON lines, one user each", halumem.recognises, halumem.read),
        Format("longmemeval", "LongMemEval: one file of instances", longmemeval.recognises, longmemeval.read),
        Format("locomo", "LoCoMo: a list of conversations with their questions", locomo.recognises, locomo.read),
    )
}
SHIPPED = ("changes", "languages")  # sets of conversations that recollect brings along
_LABELLED = ("decisions",)  # what it brings along for other measurements


def load(source: str | Path, format: str | None = None) -> DataSet:  # noqa: A002 -- the word users know it by
    """A data set: one that recollect ships, by name, or a file or folder, as it stands or below `$RECOLLECT_DATA`.

    `format` is one of `FORMATS`; None: recognised by the content. What of a published set could not be read is in
    `problems` of the result, and the rest is there; our own format is read strictly.

    Raises DataSetInvalid, which says what to do, where nothing is there, it is cut off, or it is of no known format.
    """
    if source in _LABELLED:
        raise DataSetInvalid(
            f"{source} is no set of conversations: it is a list of labelled decisions, evaluated as operations"
        )
    path = shipped(str(source)) if source in SHIPPED else files.located(source)
    chosen = _chosen(path, format)
    stem = files.stem(path)
    return chosen.read(
        path, stem if chosen.name == "jsonl" or stem.startswith(chosen.name) else f"{chosen.name}-{stem}"
    )


def shipped(name: str) -> Path:
    """Where a file or folder of the package's own data is, such as "changes" or "decisions.jsonl"."""
    return Path(str(resources(__package__) / "data" / name))


def _chosen(path: Path, name: str | None) -> Format:
    if name is not None and name not in FORMATS:
        raise DataSetInvalid(f"format {name[:40]!r} is unknown; there are {', '.join(FORMATS)}")
    if name is not None:
        return FORMATS[name]
    found = next((known for known in FORMATS.values() if known.recognises(path)), None)
    if found is None:
        files.content(
            files.listed(path)[0]
        )  # of a packed file that is cut off there may be too little to tell its format
        raise DataSetInvalid(
            f"{path} is of no format that recollect knows; if you know better, name one of {', '.join(FORMATS)}"
        )
    return found
