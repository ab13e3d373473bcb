"""python -m recollect_evals.operations decisions | HALUMEM [--llm NAME --api-base URL] [--wrong] [--json]"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from typing import Any

from ..datasets import load
from ..datasets.decisions import load as load_decisions
from ..metrics import halumem, operations
from . import decisions, extraction, opened, updates


def main() -> None:
    """Measure, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help='"decisions", or a file of HaluMem')
    parser.add_argument("--llm", default="rules")
    parser.add_argument("--api-base")
    parser.add_argument("--api-key")
    parser.add_argument("--mode")
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--wrong", action="store_true", help="list the wrong ones")
    parser.add_argument("--json", action="store_true", help="print the records, a line each")
    options = parser.parse_args()
    language = {name: value for name, value in vars(options).items() if name in ("llm", "api_base", "api_key", "mode")}
    measure = _decisions if options.data == "decisions" else _halumem
    asyncio.run(measure(options, language))


async def _decisions(options: argparse.Namespace, language: dict[str, Any]) -> None:
    cases = load_decisions().cases
    async with opened(**language) as reads:
        records = await decisions(cases, reads.reconciler, at_once=options.at_once)
    if options.json:
        return _print(records)
    for name, share in {**operations.per_kind(records), "all": operations.shares(records)}.items():
        if share is not None:
            figures = [_percent(one) for one in (share.right, share.op, share.targets, share.mode, share.harmless)]
            print(f"{name:<22}{share.n:>5}  {'  '.join(figures)}")
    for (right, got), number in sorted(operations.confusion(records).items()):
        print(f"{right:<18} -> {got:<18}{number:>5}")
    for case, record in zip(cases, records, strict=True):
        if options.wrong and not operations.judged(record).whole:
            print(
                f"\n{case.id} right {operations.told(case.right.model_dump())} got {operations.told(record.get('got'))}"
            )
            print(f"  + {case.fact.text}   [{record.get('reason')}; {record.get('flag') or record.get('error')}]")
            print("\n".join(f"  {place} {known.text}" for place, known in enumerate(case.known, start=1)))
    return None


async def _halumem(options: argparse.Namespace, language: dict[str, Any]) -> None:
    told: list[dict[str, Any]] = []
    extracted: list[dict[str, Any]] = []
    for conversation in load(options.data).conversations:
        async with opened(**language) as reads:
            told += await updates(conversation, reads.reconciler)
        extracted += await extraction(conversation, **language)
    if options.json:
        return _print([*told, *extracted])
    for name, value in {**halumem.updating(told), **halumem.extracting(extracted)}.items():
        print(f"{name:<36}{_percent(value) if isinstance(value, float) else value!s:>6}")
    return None


def _print(records: Sequence[dict[str, Any]]) -> None:
    for record in records:
        print(json.dumps(record, ensure_ascii=False))


def _percent(share: float | None) -> str:
    return "   -  " if share is None else f"{share:6.1%}"


if __name__ == "__main__":
    main()
