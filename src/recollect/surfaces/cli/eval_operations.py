"""`recollect eval operations`: what a memory does with what it knows, on labelled decisions or HaluMem's memory points."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from rich.table import Table

from recollect_evals import datasets
from recollect_evals.datasets import decisions as labelled
from recollect_evals.metrics import halumem, operations
from recollect_evals.operations import ByJudge, decisions, extraction, opened, updates

from .common import Common, say
from .eval_parts import Heard, silent
from .eval_show import show_table
from .safe import count, plain

DECISIONS = "decisions"
HEADS = ("right", "operation", "targets", "mode", "harmless")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says. `judge`: a model that says which memory tells which point; None: by words."""

    data: str
    judge: str | None
    wrong: bool
    at_once: int


def run(common: Common, asked: Asked) -> int:
    """Measure, and show what came of it; the exit code."""
    if asked.data == DECISIONS:
        cases = labelled.load().cases
        records = asyncio.run(decided(common, cases, asked.at_once))
        common.answer(records) if common.json else show_decisions(common, cases, records, wrong=asked.wrong)
        return int(any("error" in one for one in records))
    told, extracted = asyncio.run(remembered(common, asked))
    if common.json:
        common.answer({"updates": told, "extraction": extracted})
    else:
        show_remembered(told, extracted)
    return 0


async def decided(
    common: Common, cases: Sequence[labelled.Labelled], at_once: int, heard: Heard = silent
) -> list[dict[str, Any]]:
    """Records of the labelled decisions, by the rules or by --llm."""
    done = itertools.count(1)
    async with opened(**language(common)) as reads:
        return await decisions(
            cases, reads.reconciler, at_once=at_once, keep=lambda _: heard("decide", next(done), len(cases))
        )


async def remembered(
    common: Common, asked: Asked, heard: Heard = silent
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Records of HaluMem's points: as updates, and as what an extraction should find."""
    told: list[dict[str, Any]] = []
    extracted: list[dict[str, Any]] = []
    server = {"api_base": common.value("api_base"), "api_key": common.key} if asked.judge else {}
    async with opened(asked.judge or "rules", **server) as judges:
        matching = ByJudge(judges.model) if judges.model is not None else None
        for conversation in datasets.load(asked.data).conversations:
            sessions = len(conversation.sessions)
            async with opened(**language(common)) as reads:
                told += await updates(
                    conversation, reads.reconciler, heard=partial(of_sessions, heard, "update", sessions)
                )
            extracted += await extraction(
                conversation,
                matching=matching,
                heard=partial(of_sessions, heard, "extract", sessions),
                **language(common),
            )
    return told, extracted


def of_sessions(heard: Heard, what: str, total: int, done: int) -> None:
    """Tell how many sessions of a user are done."""
    heard(what, done, total)


def show_remembered(updates: Sequence[dict[str, Any]], extracted: Sequence[dict[str, Any]]) -> None:
    """A line a figure."""
    for name, value in {**halumem.updating(updates), **halumem.extracting(extracted)}.items():
        say(f"{name:<36}{str(value) if isinstance(value, int) else percent(value):>8}")


def language(common: Common) -> dict[str, Any]:
    """Who extracts and decides."""
    named = (
        {"api_base": common.value("api_base"), "api_key": common.key, "mode": common.value("mode")}
        if common.model
        else {}
    )
    return {"llm": common.model or "rules", **named}


def show_decisions(
    common: Common, cases: Sequence[labelled.Labelled], records: Sequence[dict[str, Any]], *, wrong: bool
) -> None:
    """A row a kind, what was taken for what, and the wrong ones."""
    table = Table(box=None, pad_edge=False)
    table.add_column("kind")
    for head in ("n", *HEADS):
        table.add_column(head, justify="right")
    for name, share in {**operations.per_kind(records), "all": operations.shares(records)}.items():
        if share is not None:
            shares = (share.right, share.op, share.targets, share.mode, share.harmless)
            table.add_row(name, str(share.n), *map(percent, shares))
    show_table(common, table)
    for (right, got), number in sorted(operations.confusion(records).items()):
        say(f"{right:<18} -> {got:<18}{number:>5}")
    missed = [pair for pair in zip(cases, records, strict=True) if not operations.judged(pair[1]).whole]
    say(f"{count(len(missed), 'decision')} not right{'' if wrong or not missed else ': --wrong lists them'}")
    for case, record in missed if wrong else ():
        right, got = operations.told(case.right.model_dump()), operations.told(record.get("got"))
        say(f"\n{case.id}: right {right}, got {got}")
        say(f"  new  {plain(case.fact.text)}   [{record.get('reason')}; {record.get('flag') or record.get('error')}]")
        for place, known in enumerate(case.known, start=1):
            say(f"  {place:>3}  {plain(known.text)}")


def percent(share: float | None) -> str:
    """ "93.1"; "–" where none takes part."""
    return "–" if share is None else f"{100 * share:.1f}"
