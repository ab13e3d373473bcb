"""`recollect eval offline`, or `make eval`: everything that can be measured without a model, in one report."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import replace
from pathlib import Path

from recollect_evals import datasets, report
from recollect_evals.datasets import decisions as labelled
from recollect_evals.errors import DataSetInvalid
from recollect_evals.report.values import Section
from recollect_evals.results import Result

from .common import FAULT, Common, say
from .eval_operations import DECISIONS, Asked, decided, remembered, show_decisions
from .eval_run import Chosen, measure, plain_rivals
from .safe import count

CHANGES, LOCOMO, RECORDED = "changes", "locomo/dev.json", "locomo/recorded"
HALUMEM = ("halumem/pilot_slice_user0.jsonl.gz", "halumem/pilot_slice_user3.jsonl.gz")
RULES = ("recollect-rules", "recollect-rules:memories")
RECORDINGS = ("recollect-recorded", "recollect-recorded:memories")
PHASES = ("ingest", "search")


def run(common: Common, data: Sequence[str], out: Path) -> int:
    """Measure all of it; the exit code. What is there already is not measured again. `data`: none is all that there is."""
    with redirect_stdout(sys.stderr) if common.json else nullcontext():  # tables are for people
        code, results, sections = measured(replace(common, json=False), [of_set(one, out) for one in data or found()])
    if code not in (0, FAULT):
        return code
    pages = [str(page) for page in written(out, results, sections)]
    if common.json:
        common.answer({"reports": pages, "runs": [one.document() for one in results]})
    else:
        say(f"\n{pages[0]}, and as text {pages[1]}: {count(len(results), 'run')}")
    return code


def measured(common: Common, chosen: Sequence[Chosen]) -> tuple[int, list[Result], list[Section]]:
    """Run by run, then the decisions. A run that was stopped ends it."""
    code, results = 0, list[Result]()
    for one in chosen:
        say(f"\n{one.data}", stderr=True)
        if (ended := measure(common, one, dry=False, keep=results.append)) not in (0, FAULT):
            return ended, [], []
        code = max(code, ended)
    return code, results, list(further(common))


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


def further(common: Common) -> Iterator[Section]:
    """What a memory decides."""
    cases = labelled.load().cases
    records = asyncio.run(decided(common, cases, at_once=4))
    say(f"\n{DECISIONS}", stderr=True)
    show_decisions(common, cases, records, wrong=False)
    yield report.decisions({"rules": records})
    updates, extraction = {}, {}
    for name in HALUMEM:
        if there(name) is not None:
            asked = Asked(name, None, wrong=False, at_once=1)
            updates[f"rules, {Path(name).name}"], extraction[f"rules, {Path(name).name}"] = asyncio.run(
                remembered(common, asked)
            )
    if updates:
        yield report.halumem(updates, extraction)


def there(name: str) -> Path | None:
    """Where a data file or folder is; None where it is not."""
    try:
        return datasets.located(name)
    except DataSetInvalid:
        return None
