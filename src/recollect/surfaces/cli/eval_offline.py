"""`recollect eval offline`, or `make eval`: everything that can be measured without a model, in one report."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from recollect_evals import datasets, report
from recollect_evals.datasets import decisions as labelled
from recollect_evals.errors import DataSetInvalid
from recollect_evals.report.values import Section
from recollect_evals.results import Result
from recollect_evals.run import Run, code_digest

from .common import FAULT, Common, say
from .eval_operations import DECISIONS, Asked, decided, remembered, show_decisions, show_remembered
from .eval_parts import Heard, Part, PartBars, side_by_side
from .eval_run import Chosen, interrupted, measure, plain_rivals
from .eval_show import show_result
from .safe import count

CHANGES, LOCOMO, RECORDED = "changes", "locomo/dev.json", "locomo/recorded"
HALUMEM = ("halumem/pilot_slice_user0.jsonl.gz", "halumem/pilot_slice_user3.jsonl.gz")
RULES = ("recollect-rules", "recollect-rules:memories")
RECORDINGS = ("recollect-recorded",)  # its memories alone find what both find, and take a minute
PHASES = ("ingest", "search")

Cases: TypeAlias = Sequence[labelled.Labelled]
Records: TypeAlias = list[dict[str, Any]]


def run(common: Common, data: Sequence[str], out: Path, at_once: int | None = None) -> int:
    """Measure all of it; the exit code. What is there already is not measured again. `data`: none is all that there is.
    `at_once`: parts, each on a processor of its own; None is as many as there are processors."""
    chosen, cases = [of_set(one, out) for one in data or found()], labelled.load().cases
    for one in chosen:
        forget_other_code(one.out)
    try:
        with redirect_stdout(sys.stderr) if common.json else nullcontext():  # tables are for people
            values = measured(replace(common, json=False), chosen, cases, at_once or os.cpu_count() or 1)
    except KeyboardInterrupt as stop:
        return interrupted(common, stop, out)
    results = [values[one.data][1] for one in chosen]
    pages = [str(page) for page in written(out, results, list(sections(values)))]
    if common.json:
        common.answer({"reports": pages, "runs": [one.document() for one in results]})
    else:
        say(f"\n{pages[0]}, and as text {pages[1]}: {count(len(results), 'run')}")
    return max(code for code, _ in values.values())


def measured(common: Common, chosen: Sequence[Chosen], cases: Cases, at_once: int) -> dict[str, tuple[int, Any]]:
    """Part by part, their tables as they end; of each, by name, its exit code and what it found."""
    values = {}
    bars = PartBars(common)
    with bars.progress:
        for ended in side_by_side(list(parts(common, chosen, cases)), at_once, bars.listen):
            bars.end(ended.part.name)
            say(f"\n{ended.part.name}\n{ended.said}".rstrip(), stderr=True)
            shown(common, cases, ended.value[1])
            values[ended.part.name] = ended.value
    return values


def parts(common: Common, chosen: Sequence[Chosen], cases: Cases) -> Iterator[Part[tuple[int, Any]]]:
    """What is to be done, the longest first."""
    for one in sorted(chosen, key=lambda one: one.data != LOCOMO):
        yield Part(one.data, partial(of_run, common, one))
    for name in HALUMEM:
        if there(name) is not None:
            yield Part(name, partial(of_halumem, common, name))
    yield Part(DECISIONS, partial(of_decisions, common, cases))


def of_run(common: Common, chosen: Chosen, heard: Heard) -> tuple[int, Result]:
    """A run's exit code and numbers."""
    results: list[Result] = []
    code = measure(common, chosen, dry=False, keep=results.append, heard=heard)
    return code, results[0]


def of_halumem(common: Common, name: str, heard: Heard) -> tuple[int, tuple[Records, Records]]:
    """A user's updates, and what was extracted."""
    return 0, asyncio.run(remembered(common, Asked(name, None, wrong=False, at_once=1), heard))


def of_decisions(common: Common, cases: Cases, heard: Heard) -> tuple[int, Records]:
    """What the rules decide."""
    records = asyncio.run(decided(common, cases, at_once=4, heard=heard))
    return FAULT if any("error" in one for one in records) else 0, records


def shown(common: Common, cases: Cases, value: Any) -> None:
    """The table of a part."""
    if isinstance(value, Result):
        show_result(common, value)
    elif isinstance(value, tuple):
        show_remembered(*value)
    else:
        show_decisions(common, cases, value, wrong=False)


def sections(values: Mapping[str, tuple[int, Any]]) -> Iterator[Section]:
    """What the report has beside runs."""
    yield report.decisions({"rules": values[DECISIONS][1]})
    users = {f"rules, {Path(name).name}": values[name][1] for name in HALUMEM if name in values}
    if users:
        updates, extraction = ({name: told[place] for name, told in users.items()} for place in (0, 1))
        yield report.halumem(updates, extraction)


def written(out: Path, results: Sequence[Result], sections: Sequence[Section]) -> Iterator[Path]:
    """The report, as a page and as text."""
    for name, write in (("report.html", report.html), ("report.md", report.markdown)):
        (out / name).write_text(write(results, sections), encoding="utf-8", errors="backslashreplace")
        yield out / name


def found() -> Iterator[str]:
    """`changes`, which is ours, and LoCoMo where it is."""
    yield CHANGES
    if there(LOCOMO) is not None:
        yield LOCOMO
    else:
        say(f"{LOCOMO} is not below $RECOLLECT_DATA: left out", stderr=True)


def of_set(data: str, out: Path) -> Chosen:
    """The run on one set: all plain rivals, the rules, and a recorded extraction where it is LoCoMo's."""
    recorded = there(RECORDED) if data == LOCOMO else None
    systems = (*plain_rivals(), *RULES, *(RECORDINGS if recorded is not None else ()))
    folder = out / re.sub(r"\W+", "-", Path(data).with_suffix("").as_posix()).strip("-")
    return Chosen(data, folder, systems, phases=PHASES, recorded=recorded)


def forget_other_code(folder: Path) -> None:
    """Remove a run that other code made: it says nothing about this one. Raises RunInvalid where it cannot be read."""
    if (folder / "run.json").exists() and Run.read(folder).manifest.code != code_digest():
        say(f"{folder}: of other code, measured anew", stderr=True)
        shutil.rmtree(folder)


def there(name: str) -> Path | None:
    """Where a data file or folder is; None where it is not."""
    try:
        return datasets.located(name)
    except DataSetInvalid:
        return None
