"""What a report is made of, whatever it is written in: sections of text, tables, figures and cases. Texts are as they came; who
writes them out escapes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..attribution import Case, Evidence
from ..model import Question

# What would steer a page or a terminal: C0 but line ends and tabs, C1, direction overrides and isolates, lone surrogates.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
Size: TypeAlias = Literal["small", "middle", "wide"]
NONE = "–"  # nobody takes part


@dataclass(frozen=True, slots=True)
class Cell:
    """A number with its interval below it. `best`: of its column; `note`: more of it, for who asks."""

    text: str
    detail: str = ""
    best: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """`subject`: the place of the system that it is of, by which it has its mark; None where it is of none. `aside`: not one of
    the things that are told of, such as how many they are."""

    head: str
    cells: Sequence[Cell]
    subject: int | None = None
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """`columns`: the heads of all but the first column, which is headed `first`."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Row]
    note: str = ""
    first: str = "system"


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Items:
    """Terms with what is said of each."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Code:
    """Lines to be copied."""

    text: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing. `svg` is markup that `plots` made. `legend`: (class of the swatch, what it stands for)."""

    title: str
    svg: str
    caption: str = ""
    legend: Sequence[tuple[str, str]] = ()
    size: Size = "middle"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a question in one system. `stage` None: it was not lost, and `word` says what is known."""

    subject: int
    label: str
    word: str
    case: Case | None


@dataclass(frozen=True, slots=True)
class CaseItem:
    """A question that at least one system lost, with what became of it in each."""

    conversation: str
    question: Question
    evidence: Sequence[Evidence]
    outcomes: Sequence[Outcome]


@dataclass(frozen=True, slots=True)
class Cases:
    """Questions to look through."""

    items: Sequence[CaseItem]
    labels: Sequence[str]


@dataclass(frozen=True, slots=True)
class Fold:
    """What only some want to see."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Section:
    """`level` 2: of the report, 3: of a data set."""

    title: str
    blocks: Sequence[Block]
    level: int = 2


Block: TypeAlias = "Text | Items | Code | Table | Figure | Cases | Fold"


@dataclass(frozen=True, slots=True)
class Report:
    """A report, in its order."""

    title: str
    sections: Sequence[Section]


def shown(text: object) -> str:
    """A text in which nothing steers whoever shows it: control characters and direction overrides stand as escapes."""
    return _STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", str(text))
