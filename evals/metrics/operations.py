"""Operations: whether a decision has the right operation, the right targets and the right mode.

Functions of the records of `operations.decisions`. Each of the three is judged alone: one who updates the wrong memory has
the right operation. Where several answers are right, it is held against the one that it agrees with most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, TypeAlias

Record: TypeAlias = Mapping[str, Any]
Answer: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`targets` is None where no memory is to be named, `mode` where there is none to choose."""

    op: bool
    targets: bool | None
    mode: bool | None

    @property
    def whole(self) -> bool:
        """Right in all that counts."""
        return self.op and self.targets is not False and self.mode is not False


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of right ones, 0..1, each over the cases that take part (None: none did). `right`: operation, targets and mode
    together; `harmless`: nothing that is known was ended or reworded that should have stayed. `n`: cases; `failed`: those
    without a decision, which count as wrong, though not as harmful."""

    n: int
    right: float
    op: float
    targets: float | None
    mode: float | None
    harmless: float
    failed: int = 0


def judged(record: Record) -> Verdict:
    """What is right about the decision of a record. No decision is a wrong one."""
    if "got" not in record:
        return Verdict(op=False, targets=None, mode=None)
    verdicts = [_against(record["got"], answer) for answer in (record["right"], *record["also"])]
    return max(verdicts, key=lambda one: (one.whole, one.op, bool(one.targets), bool(one.mode)))


def _against(got: Answer, right: Answer) -> Verdict:
    """A decision held against one right answer. Nothing named where nothing is to be named is right with the operation alone."""
    named = set(got["targets"]) == set(right["targets"]) if right["targets"] else None
    if right["op"] == "NONE" and not right["targets"]:
        named = None if not got["targets"] else False
    return Verdict(got["op"] == right["op"], named, got["mode"] == right["mode"] if right["mode"] else None)


def shares(records: Iterable[Record]) -> Shares | None:
    """Over all records; None where there are none."""
    told = list(records)
    if not told:
        return None
    verdicts = [judged(record) for record in told]
    return Shares(
        n=len(told),
        right=fmean(one.whole for one in verdicts),
        op=fmean(one.op for one in verdicts),
        targets=_mean(one.targets for one in verdicts),
        mode=_mean(one.mode for one in verdicts),
        harmless=fmean(not record.get("harmed") for record in told),
        failed=sum("got" not in record for record in told),
    )


def _mean(values: Iterable[bool | None]) -> float | None:
    counted = [one for one in values if one is not None]
    return fmean(counted) if counted else None


def per_kind(records: Sequence[Record]) -> dict[str, Shares]:
    """The same of each kind, in the order in which kinds come up."""
    kinds = dict.fromkeys(record["kind"] for record in records)
    found = {kind: shares(one for one in records if one["kind"] == kind) for kind in kinds}
    return {kind: share for kind, share in found.items() if share is not None}


def confusion(records: Iterable[Record]) -> dict[tuple[str, str], int]:
    """(right, got) → how often, of operations with their modes, such as ("UPDATE supersede", "ADD"). Where another answer is as
    right and was given, it counts as the right one. "none" was got where there was no decision."""
    found: Counter[tuple[str, str]] = Counter()
    for record in records:
        got = _label(record["got"]) if "got" in record else "none"
        right = [_label(answer) for answer in (record["right"], *record["also"])]
        found[got if got in right else right[0], got] += 1
    return dict(found)


def told(answer: Answer | None) -> str:
    """An answer with its targets, for people: "UPDATE supersede 1, 2"."""
    if answer is None:
        return "none"
    return " ".join([_label(answer), ", ".join(map(str, answer["targets"]))]).strip()


def _label(answer: Answer) -> str:
    return f"{answer['op']} {answer['mode']}" if answer["mode"] else str(answer["op"])
