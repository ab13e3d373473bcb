"""Drawing by hand: elements of SVG, axes, marks, and labels that stay out of each other's way.

Colours and fonts are the page's, by classes (`s0` … are systems); nothing has a style of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TypeAlias

from .values import shown

Area: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom, in px."""

COLOURS = 9  # of systems, in page.css; after them marks repeat the colours in other shapes
LETTER = 6.6  # average width of a letter at 11 px in a wide font, in px

_SHAPES = (  # around 0, 0, about 9 px wide
    "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
    "M-4 -4h8v8h-8z",
    "M0 -5.2L5 4H-5z",
    "M0 -5.6L5.6 0L0 5.6L-5.6 0z",
    "M0 5.2L5 -4H-5z",
    "M-1.7 -5h3.4v3.3h3.3v3.4h-3.3v3.3h-3.4v-3.3h-3.3v-3.4h3.3z",
    "M0 -5.5L5.2 -1.7L3.2 4.5H-3.2L-5.2 -1.7z",
)


def tag(name: str, content: str = "", **attributes: object) -> str:
    """An element. `content` is markup; attributes are escaped, `_` in their names is "-", and `cls` is the class."""
    told = "".join(
        f' {"class" if key == "cls" else key.replace("_", "-")}="{escape(_value(value))}"'
        for key, value in attributes.items()
    )
    return f"<{name}{told}>{content}</{name}>" if content else f"<{name}{told}/>"


def _value(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else shown(value)


def text(x: float, y: float, told: str, cls: str = "", anchor: str = "start") -> str:
    """A text, as it is."""
    return tag("text", escape(shown(told)), x=x, y=y, cls=cls, text_anchor=anchor)


def title(told: str) -> str:
    """What is shown to who points at an element."""
    return tag("title", escape(shown(told)))


def picture(width: float, height: float, name: str, parts: Iterable[str]) -> str:
    """The whole, with its name for who cannot see it."""
    return tag(
        "svg",
        title(name) + "".join(parts),
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        role="img",
        aria_label=name,
    )


def system(place: int) -> str:
    """The class by which a system has its colour, and after the last colour a broken line."""
    return f"s{place % COLOURS}" + (" again" if place >= COLOURS else "")


def mark(place: int, x: float, y: float, told: str = "") -> str:
    """The mark of a system."""
    shape = _SHAPES[(place + place // COLOURS) % len(_SHAPES)]
    return tag(
        "path",
        title(told) if told else "",
        d=shape,
        transform=f"translate({x:.2f} {y:.2f})",
        cls=f"mark {system(place)}",
    )


def swatch(place: int) -> str:
    """The mark alone, for a legend or a table."""
    return tag("svg", mark(place, 7, 7), viewBox="0 0 14 14", width=14, height=14, cls="swatch", aria_hidden="true")


def cut(told: str, width: float) -> str:
    """A text that is no wider than so many px."""
    letters = max(4, int(width / LETTER))
    told = " ".join(shown(told).split())
    return told if len(told) <= letters else f"{told[: letters - 1].rstrip()}…"


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places at least `gap` apart, near to those wanted and within `low` and `high` where there is room."""
    order = sorted(range(len(wanted)), key=lambda one: (wanted[one], one))
    places, floor = [0.0] * len(wanted), low
    for one in order:
        places[one] = floor = max(floor, wanted[one])
        floor += gap
    ceiling = high
    for one in reversed(order):
        places[one] = ceiling = min(ceiling, places[one])
        ceiling -= gap
    return places


@dataclass(frozen=True, slots=True)
class Axis:
    """From values to px. `log`: by their logarithm."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """Where a value stands."""
        low, high, value = (self._scaled(one) for one in (self.low, self.high, value))
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.log else value

    def ticks(self, number: int = 5) -> list[float]:
        """Round values along it."""
        if self.log:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            found = [m * 10.0**p for p in powers for m in (1, 2, 5)]
            within = [one for one in found if self.low <= one <= self.high]
            return within if len(within) <= 2 * number else [one for one in within if f"{one:e}"[0] == "1"]
        step = _step((self.high - self.low) / number)
        first = math.ceil(self.low / step - 1e-9)
        return [n * step for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _step(about: float) -> float:
    power = 10.0 ** math.floor(math.log10(about))
    return next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= about * 0.999)


def around(
    values: Sequence[float], start: float, end: float, *, log: bool = False, most: tuple[float, float] | None = None
) -> Axis:
    """An axis with room around the values. `most`: beyond these no value can be."""
    low, high = min(values), max(values)
    if log:
        return Axis(low / 1.5, high * 1.5, start, end, log=True)
    room = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    low, high = low - room, high + room
    if most is not None:
        low, high = max(most[0], low), min(most[1], high)
    return Axis(low, high, start, end)


@dataclass(slots=True)
class Labels:
    """Puts labels beside points, within `left` and `right`, where nothing stands yet; further off with a line to the point."""

    left: float
    right: float
    taken: list[Area] = field(default_factory=list)

    def keep_off(self, x: float, top: float, bottom: float) -> None:
        """Nothing is to be put on a point and its interval."""
        self.taken.append((x - 6, top, x + 6, bottom))

    def put(self, x: float, y: float, told: str) -> str:
        """A label for the point."""
        width = len(told) * LETTER
        offers = [_Offer.at(x, y, *where, width) for where in _WHERE]
        chosen = next((one for one in offers if self._free(one.area)), offers[0])
        self.taken.append(chosen.area)
        left, _, right, _ = chosen.area
        to = left - 2 if chosen.x > x else right + 2
        line = f"M{x:.1f} {y:.1f}L{to:.1f} {chosen.y - 4:.1f}"
        leader = tag("path", d=line, cls="leader") if chosen.far else ""
        return leader + text(chosen.x, chosen.y, told, "label", chosen.anchor)

    def _free(self, area: Area) -> bool:
        left, top, right, bottom = area
        inside = left >= self.left and right <= self.right
        return inside and not any(left < r and right > x and top < b and bottom > t for x, t, r, b in self.taken)


_NEAR = [(9, 4, "start"), (-9, 4, "end"), (0, -10, "middle"), (0, 18, "middle")]
_FAR = [(side * 26, 4 + sign * 13 * n, "start" if side > 0 else "end")
        for n in range(1, 12) for sign in (-1, 1) for side in (1, -1)]  # fmt: skip
_WHERE = [(x, y, anchor, False) for x, y, anchor in _NEAR] + [(x, y, anchor, True) for x, y, anchor in _FAR]


@dataclass(frozen=True, slots=True)
class _Offer:
    """A place for a label."""

    x: float
    y: float
    anchor: str
    far: bool
    area: Area

    @classmethod
    def at(cls, x: float, y: float, dx: float, dy: float, anchor: str, far: bool, width: float) -> _Offer:
        """So far from a point."""
        x, y = x + dx, y + dy
        left = {"start": x, "middle": x - width / 2, "end": x - width}[anchor]
        return cls(x, y, anchor, far, (left, y - 10, left + width, y + 3))
