"""A report as one page that needs nothing else: no request leaves it, and it reads without its script.

What users said is text wherever it stands. Should a way around that be found, the page's own policy lets no other script or
style run than the ones here, and nothing be loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

from recollect.surfaces.page import page

from ..attribution import Case, Citing, Evidence
from ..model import Turn
from . import svg
from .values import (
    Block,
    CaseItem,
    Cases,
    Cell,
    Code,
    Figure,
    Fold,
    Items,
    Outcome,
    Report,
    Row,
    Section,
    Table,
    Text,
    shown,
)


def write(report: Report) -> str:
    """The page."""
    style, script = (files(__package__).joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    body = [
        f"<header><h1>{_text(report.title)}</h1></header>",
        _contents(report.sections),
        f"<main>{''.join(_section(place, one) for place, one in enumerate(report.sections))}</main>",
    ]
    return page(shown(_title(report)), style, script, body)


def _title(report: Report) -> str:
    first = next((one.title for one in report.sections), "")
    return f"{first} · {report.title}"


def _contents(sections: Sequence[Section]) -> str:
    """Links to the sections; those of a data set on its line."""
    lines: list[list[str]] = []
    for place, one in enumerate(sections):
        link = f'<a href="#s{place}">{_text(one.title)}</a>'
        if one.level == 2 or not lines:
            lines.append([f"<strong>{link}</strong>"])
        else:
            lines[-1].append(link)
    paragraphs = "".join(f"<p>{' '.join(line)}</p>" for line in lines)
    return f'<nav aria-label="Contents">{paragraphs}</nav>'


def _section(place: int, one: Section) -> str:
    title = f'<h{one.level} id="s{place}">{_text(one.title)}</h{one.level}>'
    return f"<section>{title}{_blocks(one.blocks)}</section>"


def _blocks(blocks: Iterable[Block]) -> str:
    """Figures that follow each other stand side by side where there is room."""
    parts: list[str] = []
    row: list[Figure] = []
    for block in blocks:
        goes_on = (
            isinstance(block, Figure) and block.size != "wide" and block.size == (row[0].size if row else block.size)
        )
        if not goes_on:
            parts.append(_figures(row))
            row = []
        if isinstance(block, Figure) and block.size != "wide":
            row.append(block)
        else:
            parts.append(_block(block))
    return "".join([*parts, _figures(row)])


def _figures(row: Sequence[Figure]) -> str:
    return f'<div class="figures {row[0].size}">{"".join(map(_figure, row))}</div>' if row else ""


def _figure(one: Figure) -> str:
    keys = "".join(f'<span class="key"><i class="{cls}"></i>{_text(told)}</span>' for cls, told in one.legend)
    legend = f'<div class="legend">{keys}</div>' if keys else ""
    caption = f"<p>{_text(one.caption)}</p>" if one.caption else ""
    head = f"<figcaption><b>{_text(one.title)}</b>{caption}</figcaption>{legend}"
    return f'<figure class="{one.size}">{head}<div>{one.svg}</div></figure>'


def _block(block: Block) -> str:
    match block:
        case Text(told):
            return f"<p>{_text(told)}</p>"
        case Items(pairs):
            return f"<dl>{''.join(f'<dt>{_text(term)}</dt><dd>{_text(told)}</dd>' for term, told in pairs)}</dl>"
        case Code(told):
            return f"<pre><code>{_text(told)}</code></pre>"
        case Table():
            return _table(block)
        case Fold(title, blocks):
            return f"<details><summary>{_text(title)}</summary>{_blocks(blocks)}</details>"
        case Cases():
            return _cases(block)
        case Figure():
            return _figure(block)


def _table(told: Table) -> str:
    heads = "".join(f'<th scope="col">{_text(one)}</th>' for one in (told.first, *told.columns))
    rows = "".join(map(_row, told.rows))
    note = f'<p class="note">{_text(told.note)}</p>' if told.note else ""
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    name = _text(told.title)
    scrolling = f'<div class="scroll" tabindex="0" role="region" aria-label="{name}">{table}</div>'
    return f"<h4>{name}</h4>{scrolling}{note}"


def _row(one: Row) -> str:
    swatch = "" if one.subject is None else svg.swatch(one.subject)
    kind = ' class="aside"' if one.aside else ""
    return f'<tr{kind}><th scope="row">{swatch}{_text(one.head)}</th>{"".join(map(_cell, one.cells))}</tr>'


def _cell(one: Cell) -> str:
    note = f' title="{_text(one.note)}"' if one.note else ""
    told = f"<b>{_text(one.text)}</b>" if one.best else _text(one.text)
    detail = f"<small>{_text(one.detail)}</small>" if one.detail else ""
    return f"<td{note}>{told}{detail}</td>"


# --- cases -------------------------------------------------------------------------------------------------------------


def _cases(told: Cases) -> str:
    stages = dict.fromkeys(one.word for item in told.items for one in item.outcomes if one.case is not None)
    categories = dict.fromkeys(item.question.category for item in told.items)
    choices = [
        _choice("category", "Category", [(name, name) for name in categories]),
        _choice("stage", "Stage", [(name, name) for name in stages]),
        _choice("system", "Lost by", [(str(place), name) for place, name in enumerate(told.labels)]),
    ]
    words = '<label>Text <input type="search" data-by="text" placeholder="question, answer, memory …"></label>'
    form = f'<form class="filter" hidden>{"".join(choices)}{words}<output></output></form>'
    lost = f"{len(told.items):,} questions were lost by at least one system."
    intro = f"<p>{lost} They quote the data set, whose licence goes for them too.</p>"
    return f'<div class="cases">{intro}{form}{"".join(map(_case, told.items))}</div>'


def _choice(by: str, name: str, options: Sequence[tuple[str, str]]) -> str:
    listed = "".join(f'<option value="{_text(value)}">{_text(told)}</option>' for value, told in options)
    return f'<label>{name} <select data-by="{by}"><option value="">all</option>{listed}</select></label>'


def _case(item: CaseItem) -> str:
    lost = [one for one in item.outcomes if one.case is not None]
    marks = "".join(svg.swatch(one.subject) for one in lost)
    data = f'data-category="{_text(item.question.category)}" data-lost="{_text(_pairs(lost))}"'
    head = (
        f"<summary><span>{_user(item.question.text)}</span>"
        f'<span class="lost" title="lost by {_text(", ".join(one.label for one in lost))}">{marks}</span></summary>'
    )
    outcomes = f'<div class="outcomes">{"".join(map(_outcome, lost))}</div>'
    fine = [one for one in item.outcomes if one.case is None]
    others = f'<p class="others">Not lost: {"".join(map(_fine, fine))}</p>' if fine else ""
    return f'<details class="case" {data}>{head}{_key(item)}{outcomes}{others}</details>'


def _pairs(lost: Sequence[Outcome]) -> str:
    """For the filter: "0:not retrieved|3:misread"."""
    return "|".join(f"{one.subject}:{one.word}" for one in lost)


def _key(item: CaseItem) -> str:
    question = item.question
    answer = "It was never said." if question.answer is None else question.answer
    facts = [("Right answer", _user(answer)), ("Category", _text(question.category))]
    facts += [("Question", f"{_text(question.id)}, conversation {_text(item.conversation)}")]
    if question.asked_at is not None:
        facts.append(("Asked", _text(f"{question.asked_at:%Y-%m-%d %H:%M}")))
    if question.doubts:
        facts.append(("Doubted", _text(f"an audit doubts its {' and '.join(sorted(question.doubts))}")))
    if question.nuggets:
        facts.append(("Nuggets", "<br>".join(map(_user, question.nuggets))))
    turns = "".join(f"<li>{_turn(one.turn)}</li>" for one in item.evidence)
    if turns or question.evidence:
        facts.append(("Evidence", f"<ul>{turns}</ul>" if turns else _text(", ".join(question.evidence))))
    return f'<dl class="facts">{"".join(f"<dt>{term}</dt><dd>{told}</dd>" for term, told in facts)}</dl>'


def _turn(turn: Turn) -> str:
    said = "" if turn.said_at is None else f"{turn.said_at:%Y-%m-%d %H:%M}, "
    return f'<span class="where">{_text(turn.id)} · {said}{_text(turn.speaker)}</span> {_user(turn.text)}'


def _outcome(one: Outcome) -> str:
    """How a system lost it."""
    head = f'<p class="who">{svg.swatch(one.subject)}<b>{_text(one.label)}</b> <em>{_text(one.word)}</em></p>'
    return f'<div class="outcome">{head}{"" if one.case is None else _lost(one.case)}</div>'


def _fine(one: Outcome) -> str:
    return f"<span>{svg.swatch(one.subject)}{_text(one.label)} <i>{_text(one.word)}</i></span> "


def _lost(case: Case) -> str:
    facts = []
    if case.error is not None:
        facts.append(("Error", _user(case.error)))
    if case.given is not None:
        facts.append(("Given answer", _user(case.given) if case.given else "<i>empty</i>"))
    if case.verdict is not None:
        reason = f": {_user(case.reason)}" if case.reason else ""
        facts.append(("Judge", f"{_text(case.verdict)}{reason}"))
    facts += [(f"Turn {one.turn.id}", _way(one)) for one in case.evidence]
    return (
        f'<dl class="facts">{"".join(f"<dt>{_text(term)}</dt><dd>{told}</dd>" for term, told in facts)}</dl>'
        if facts
        else ""
    )


def _way(one: Evidence) -> str:
    """How far a turn got, and by which memories."""
    rank = "" if one.rank is None else f", rank {one.rank:,}"
    missing = f"; missing: {_text(', '.join(one.missing))}" if one.missing else ""
    memories = "".join(map(_memory, one.memories))
    return f"{_text(one.stage)}{rank}{missing}{f'<ul>{memories}</ul>' if memories else ''}"


def _memory(one: Citing) -> str:
    gone = "" if one.live else " <i>(no longer live)</i>"
    lacks = f" <i>lacks {_text(', '.join(one.missing))}</i>" if one.missing else ""
    return f"<li{'' if one.live else ' class=gone'}>{_user(one.text)}{gone}{lacks}</li>"


def _user(told: str) -> str:
    """What somebody said: text, whose direction stays its own."""
    return f"<bdi>{_text(told)}</bdi>"


def _text(told: str) -> str:
    return escape(shown(told), quote=True)
