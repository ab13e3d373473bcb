"""A report as Markdown: all tables; figures and cases are the page's."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .values import Block, Cases, Cell, Code, Fold, Items, Report, Row, Section, Table, Text, shown

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~&$!])")


def write(report: Report) -> str:
    """The text, ending with a line break."""
    lines = [f"# {_plain(report.title)}", ""]
    for section in report.sections:
        lines += _section(section)
    return "\n".join(lines).rstrip() + "\n"


def _section(section: Section) -> list[str]:
    lines = [f"{'#' * section.level} {_plain(section.title)}", ""]
    for block in section.blocks:
        lines += _block(block, section.level + 1)
    return lines


def _block(block: Block, level: int) -> list[str]:
    match block:
        case Text(told):
            return [_plain(told), ""]
        case Items(pairs):
            return [*(f"- **{_plain(term)}**: {_plain(told)}" for term, told in pairs), ""]
        case Code(told):
            return [*_fenced(shown(told)), ""]
        case Table():
            return _table(block, level)
        case Fold(title, blocks):
            inner = (line for one in blocks for line in _block(one, level + 1))
            return [f"{'#' * min(level, 6)} {_plain(title)}", "", *inner]
        case Cases(items):
            return [f"{len(items):,} questions were lost by at least one system; the HTML report lists them.", ""]
        case _:
            return []  # a figure shows what the tables have


def _table(told: Table, level: int) -> list[str]:
    lines = [f"{'#' * min(level, 6)} {_plain(told.title)}", ""]
    lines += [_line([told.first, *told.columns]), _rule(len(told.columns))]
    lines += [_line([one.head, *map(_cell, one.cells)], escaped=one) for one in told.rows]
    return [*lines, "", *([_plain(told.note), ""] if told.note else [])]


def _line(cells: list[str], escaped: Row | None = None) -> str:
    first, *others = cells
    others = others if escaped is not None else [_plain(one) for one in others]
    return f"| {' | '.join([_plain(first), *others])} |"


def _rule(columns: int) -> str:
    return f"| --- |{' ---: |' * columns}"


def _cell(cell: Cell) -> str:
    told = _plain(cell.text)
    told = f"**{told}**" if cell.best else told
    return f"{told} ({_plain(cell.detail)})" if cell.detail else told


def _fenced(told: str) -> Iterator[str]:
    """As it is, between marks that do not occur in it."""
    longest = max((len(one) for one in re.findall(r"`+", told)), default=0)
    fence = "`" * max(3, longest + 1)
    yield from (f"{fence}sh", told, fence)


def _plain(told: str) -> str:
    """One line, in which nothing is markup."""
    return _MARKUP.sub(r"\\\1", " ".join(shown(told).split()))
