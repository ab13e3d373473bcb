"""A user's graph as a PNG, drawn by matplotlib (`pip install 'recollect[graph]'`). Every text is drawn as it is."""

from __future__ import annotations

import io
import math
import warnings
from typing import TYPE_CHECKING, Any

from .safe import cut, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {
    "person": "#2563eb", "place": "#059669", "organisation": "#7c3aed", "animal": "#b45309", "activity": "#db2777",
    "event": "#dc2626", "work": "#0891b2",
}  # fmt: skip
OTHER, INK, SOFT = "#64748b", "#23262b", "#9aa0a8"
INCHES, DPI = (16, 11), 110
POINTS = 8.5  # of a name


def draw(picture: dict[str, Any], title: str) -> bytes:
    """The bytes of a PNG. Raises ModuleNotFoundError where matplotlib is not installed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=INCHES, dpi=DPI, facecolor="#fbfaf8")
    axes = figure.add_axes((0.01, 0.01, 0.98, 0.93))
    axes.set_axis_off()
    figure.text(0.02, 0.96, title, fontsize=15, color=INK, parse_math=False)
    entities = picture["entities"]
    at = [(one["x"], -one["y"]) for one in entities]
    axes.set_xlim(-1.68, 1.68)
    axes.set_ylim(-1.15, 1.1)
    for one, other, times in picture["together"]:
        width = min(0.6 + times / 6, 2.5)
        axes.plot(*zip(at[one], at[other], strict=True), color=SOFT, alpha=0.25, linewidth=width, zorder=1)
    labels: dict[tuple[int, int], list[str]] = {}
    for edge in picture["relations"]:
        labels.setdefault((edge["from"], edge["to"]), []).append(edge["label"])
    boxes = _Boxes()
    sizes = [min(6 + 2.2 * math.sqrt(len(one["memories"])), 36) for one in entities]  # points across
    if entities:
        colours = [COLOURS.get(one["kind"], OTHER) for one in entities]
        squares = [size**2 for size in sizes]
        x, y = zip(*at, strict=True)
        axes.scatter(x, y, s=squares, c=colours, edgecolors="white", linewidths=1.2, zorder=3)
    for one, where, size in zip(entities, at, sizes, strict=True):
        _write(axes, boxes, cut(plain(one["name"]), 28), where, POINTS, INK, below=size / 2 + 2)
    for (one, other), told in labels.items():
        if one != other:
            _arrow(axes, at[one], at[other])
            middle = ((at[one][0] + at[other][0]) / 2, (at[one][1] + at[other][1]) / 2)
            _write(axes, boxes, cut(plain(", ".join(dict.fromkeys(told))), 22), middle, 6.5, "#6b7078")
    return _bytes(figure)


class _Boxes:
    """Where something is written already."""

    def __init__(self) -> None:
        self._taken: list[tuple[float, float, float, float]] = []

    def take(self, left: float, bottom: float, right: float, top: float) -> bool:
        """Whether it was free, and is taken now."""
        free = all(right < box[0] or left > box[2] or top < box[1] or bottom > box[3] for box in self._taken)
        if free:
            self._taken.append((left, bottom, right, top))
        return free


def _write(
    axes: Any, boxes: _Boxes, text: str, where: tuple[float, float], points: float, colour: str, below: float = 0.0
) -> None:
    """A text where there is room for it; `below` a place by so many points."""
    from matplotlib.patheffects import withStroke

    to_points = 72 * INCHES[0] * 0.98 / 3.36  # of a unit of the picture
    x, y = where[0] * to_points, where[1] * to_points - below
    half = len(text) * points * 0.29
    if not boxes.take(x - half, y - points, x + half, y + 1):
        return
    axes.annotate(
        text, where, xytext=(0, -below), textcoords="offset points", ha="center", va="top" if below else "center",
        fontsize=points, color=colour, zorder=4, parse_math=False,
        path_effects=[withStroke(linewidth=2.2, foreground="#fbfaf8")],
    )  # fmt: skip


def _arrow(axes: Any, one: tuple[float, float], other: tuple[float, float]) -> None:
    from matplotlib.patches import FancyArrowPatch

    arrow = FancyArrowPatch(
        one, other, arrowstyle="-|>", mutation_scale=8, connectionstyle="arc3,rad=0.1", shrinkA=4, shrinkB=6, color=SOFT,
        alpha=0.6, linewidth=0.9, zorder=2,
    )  # fmt: skip
    axes.add_patch(arrow)


def _bytes(figure: Figure) -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a glyph that no installed font has is drawn as a box
        figure.savefig(out, format="png")
    return out.getvalue()
