"""Reports on runs, scored: several side by side, as Markdown or as one self-contained HTML page. The same records give the same
text, to the letter."""

from __future__ import annotations

from collections.abc import Sequence

from ..results import Result
from . import document, in_html, in_markdown
from .measured import decisions, halumem, judge
from .values import Section

__all__ = ["decisions", "halumem", "html", "judge", "markdown"]


def markdown(runs: Sequence[Result], further: Sequence[Section] = (), *, by_conversation: bool = False) -> str:
    """All tables. `further`: sections of other measurements; `by_conversation`: as the runs were scored."""
    return in_markdown.write(document.report(runs, further, by_conversation=by_conversation))


def html(runs: Sequence[Result], further: Sequence[Section] = (), *, by_conversation: bool = False) -> str:
    """All tables, plots, and the cases to look through."""
    return in_html.write(document.report(runs, further, by_conversation=by_conversation))
