"""The plots of a data set, drawn from the same numbers as its tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..attribution import STAGES
from ..scores import OVERALL
from ..statistics import Estimate
from . import svg
from .names import headlines, label, recall_ks
from .numbers import interval, percent
from .subjects import Group, Subject
from .values import Figure, Size

_MANY = 6.0  # an axis whose values differ more than that much is logarithmic


@dataclass(frozen=True, slots=True)
class Point:
    """A system's place in a plot, in x's unit and in %, with its interval."""

    subject: Subject
    x: float
    y: Estimate


def figures(group: Group) -> list[Figure]:
    """Those for which there are numbers."""
    metric = quality(group)
    values = [(one, one.estimate(metric)) for one in group.subjects] if metric else []
    overall = _bars(metric, OVERALL, values, "middle") if metric else None
    drawn = [overall, recall_by_k(group), against_tokens(group), against_cost(group)]
    return [one for one in drawn if one is not None]


def recall_by_k(group: Group) -> Figure | None:
    """Recall against k, a line for each system."""
    ks = recall_ks(group.metrics)
    lines = [(one, points) for one in group.subjects if (points := _recalls(one, ks))]
    if not lines or len(ks) < 2:
        return None
    width, height, left, right, top, bottom = 620.0, 380.0, 44.0, 420.0, 30.0, 340.0
    values = [_mean(e) for _, points in lines for _, e in points]
    y = svg.around(values, bottom, top, most=(0, 100))
    x = svg.Axis(0, len(ks) - 1, left + 14, right - 8)
    parts = _grid(y, left, right) + [svg.text(x.at(i), bottom + 18, str(k), "tick", "middle") for i, k in enumerate(ks)]
    parts += [
        svg.text((left + right) / 2, bottom + 36, "first k distinct turns", "axis", "middle"),
        _unit(left, top, "recall"),
    ]
    ends = svg.spread([y.at(_mean(points[-1][1])) for _, points in lines], 15, top + 4, bottom)
    for (one, points), end in zip(lines, ends, strict=True):
        places = [(x.at(ks.index(k)), y.at(_mean(e)), k, e) for k, e in points]
        way = " ".join(f"{px:.1f},{py:.1f}" for px, py, _, _ in places)
        parts.append(svg.tag("polyline", points=way, cls=f"line {svg.system(one.place)}"))
        parts += [svg.mark(one.place, px, py, f"{one.label}: R@{k} {_told(e)}") for px, py, k, e in places]
        px, py = places[-1][:2]
        parts.append(svg.tag("path", d=f"M{px + 7:.1f} {py:.1f}L{right + 12:.1f} {end:.1f}", cls="leader"))
        parts.append(_name(one, right + 16, end + 4, width - right - 16))
    return Figure("Evidence recall against k", svg.picture(width, height, "Evidence recall against k", parts))


def _recalls(one: Subject, ks: Sequence[int]) -> list[tuple[int, Estimate]]:
    found = ((k, one.estimate(f"recall@{k}")) for k in ks)
    return [(k, estimate) for k, estimate in found if estimate is not None]


def against_tokens(group: Group) -> Figure | None:
    """Quality against the size of contexts."""
    caption = "What a context of that size is worth: up and to the left is better. Bars are 95 % intervals."
    points = _points(group, lambda one: one.scores.cost.context_tokens.mean)
    return _scatter(group, "Quality against context size", "context tokens, mean", points, caption)


def against_cost(group: Group) -> Figure | None:
    """Quality against money; where nothing was paid, against time."""
    title = "Cost against quality"
    if any(map(_paid, group.subjects)):
        points = _points(group, _per_thousand)
        unpriced = [one.label for one in group.subjects if _paid(one) is None]
        missing = f" Not here, for a price is not known: {', '.join(unpriced)}." if unpriced else ""
        caption = f"Memory and reader, without the judge; left is cheaper.{missing}"
        return _scatter(group, title, "US dollars per 1,000 questions", points, caption)
    points = _points(group, _waited)
    why = "Nothing was paid" if all(_paid(one) == 0 for one in group.subjects) else "Prices are not known"
    caption = f"{why}, so the cost is time: search and context, median; left is faster."
    return _scatter(group, title, "milliseconds per question", points, caption)


def _paid(one: Subject) -> float | None:
    """US dollars; None where a price is not known."""
    return (one.scores.cost.ingest + one.scores.cost.answer).usd


def _per_thousand(one: Subject) -> float | None:
    paid, asked = _paid(one), len(one.scores.rows)
    return 1000 * paid / asked if paid is not None and asked else None


def _waited(one: Subject) -> float | None:
    spreads = (one.scores.cost.search_seconds.p50, one.scores.cost.context_seconds.p50)
    known = [seconds for seconds in spreads if seconds is not None]
    return 1000 * sum(known) if known else None


def quality(group: Group) -> str | None:
    """The metric that stands for quality: the judge's accuracy, else what is in the context, else recall."""
    measured = headlines(group.metrics)
    recall = next((one for one in measured if one.startswith("recall@")), None)
    return next((one for one in ("accuracy", "coverage", recall) if one in measured), None)


def _points(group: Group, x: Callable[[Subject], float | None]) -> list[Point]:
    metric = quality(group)
    found = [(one, x(one), one.estimate(metric) if metric else None) for one in group.subjects]
    return [Point(one, at, y) for one, at, y in found if at is not None and y is not None and y.mean is not None]


def _scatter(group: Group, title: str, x_name: str, points: Sequence[Point], caption: str) -> Figure | None:
    metric = quality(group)
    if not points or metric is None:
        return None
    width, height, left, right, top, bottom = 620.0, 380.0, 44.0, 606.0, 30.0, 340.0
    xs = [one.x for one in points]
    log = min(xs) > 0 and max(xs) / min(xs) > _MANY
    x = svg.around(xs, left + 16, right - 16, log=log)
    if not log and x.low < 0:
        x = svg.Axis(0, x.high, left + 16, right - 16)
    y = svg.around([100 * v for one in points for v in (one.y.low or 0, one.y.high or 0)], bottom, top, most=(0, 100))
    parts = _grid(y, left, right) + [svg.text(x.at(t), bottom + 18, f"{t:,.10g}", "tick", "middle") for t in x.ticks()]
    parts += [svg.text((left + right) / 2, bottom + 36, x_name + (", logarithmic" if log else ""), "axis", "middle")]
    parts.append(_unit(left, top, label(metric)))
    labels = svg.Labels(left + 4, right)
    for one in points:
        labels.keep_off(x.at(one.x), y.at(100 * (one.y.high or 0)), y.at(100 * (one.y.low or 0)))
    for one in sorted(points, key=lambda p: (-_mean(p.y), p.subject.place)):
        px, py = x.at(one.x), y.at(_mean(one.y))
        whisker = f"M{px:.1f} {y.at(100 * (one.y.low or 0)):.1f}V{y.at(100 * (one.y.high or 0)):.1f}"
        parts.append(svg.tag("path", d=whisker, cls=f"whisker {svg.system(one.subject.place)}"))
        parts.append(svg.mark(one.subject.place, px, py, f"{one.subject.label}: {_told(one.y)}, {one.x:,.4g} {x_name}"))
        parts.append(labels.put(px, py, svg.cut(one.subject.label, 190)))
    return Figure(title, svg.picture(width, height, title, parts), caption)


def lost(group: Group) -> Figure | None:
    """At which stage questions were lost, as shares of those asked."""
    shown = [one for one in group.subjects if one.cases]
    if not shown:
        return None
    width, left, right, step, top = 960.0, 250.0, 940.0, 28.0, 8.0
    bottom = top + step * len(shown)
    x = svg.Axis(0, 100, left, right)
    parts = [svg.tag("path", d=f"M{x.at(t):.1f} {top}V{bottom + 4}", cls="grid") for t in x.ticks()]
    parts += [svg.text(x.at(t), bottom + 20, f"{t:g} %", "tick", "middle") for t in x.ticks()]
    for row, one in enumerate(shown):
        y = top + row * step
        parts.append(svg.mark(one.place, 10, y + step / 2))
        parts.append(_name(one, 22, y + step / 2 + 4, left - 30))
        parts += _stack(one, x, y + 4, step - 8)
    seen = {case.stage for one in shown for case in one.cases}
    legend = [(f"stage g{STAGES.index(stage)}", stage) for stage in STAGES if stage in seen] + [
        ("stage kept", "not lost")
    ]
    title = "Where questions were lost"
    caption = "Share of the questions asked, by the first stage at which a piece of evidence was lost."
    return Figure(title, svg.picture(width, bottom + 30, title, parts), caption, legend, size="wide")


def _stack(one: Subject, x: svg.Axis, y: float, height: float) -> list[str]:
    asked = len({*one.scores.rows, *(case.question.id for case in one.cases)})
    counts = [(stage, sum(case.stage == stage for case in one.cases)) for stage in STAGES]
    kept = asked - sum(n for _, n in counts)
    parts, start = [], 0.0
    for name, cls, n in [(s, f"g{STAGES.index(s)}", n) for s, n in counts] + [("not lost", "kept", kept)]:
        if not n:
            continue
        share = 100 * n / asked
        px, wide = x.at(start), x.at(start + share) - x.at(start)
        told = svg.title(f"{one.label}: {name}, {n:,} of {asked:,} ({share:.1f} %)")
        parts.append(svg.tag("rect", told, x=px, y=y, width=max(wide, 0.5), height=height, cls=f"stage {cls}"))
        if wide > 26:
            parts.append(svg.text(px + wide / 2, y + height / 2 + 4, f"{n:,}", f"inside on-{cls}", "middle"))
        start += share
    return parts


def by_category(group: Group, metric: str) -> list[Figure]:
    """A small figure per category: a bar with its interval for each system."""
    names = [OVERALL, *group.categories]
    found = ((name, [(one, one.estimate(metric, name)) for one in group.subjects]) for name in names)
    return [figure for name, values in found if (figure := _bars(metric, name, values)) is not None]


def _bars(
    metric: str, name: str, values: Sequence[tuple[Subject, Estimate | None]], size: Size = "small"
) -> Figure | None:
    shown = [(one, e) for one, e in values if e is not None and e.mean is not None]
    if not shown:
        return None
    width, left, step, top = (400.0, 160.0, 20.0, 4.0) if size == "small" else (620.0, 230.0, 26.0, 4.0)
    right = width - 50
    x = svg.Axis(0, 100, left, right)
    bottom = top + step * len(shown)
    parts = [svg.tag("path", d=f"M{x.at(t):.1f} {top}V{bottom}", cls="grid") for t in (0.0, 50.0, 100.0)]
    for row, (one, e) in enumerate(shown):
        y, mean = top + row * step, _mean(e)
        told = svg.title(f"{one.label}: {_told(e)}, n = {e.n:,}")
        parts.append(_name(one, 2, y + step / 2 + 4, left - 8))
        wide = max(x.at(mean) - left, 0.5)
        cls = f"bar {svg.system(one.place)}"
        parts.append(svg.tag("rect", told, x=left, y=y + 3, width=wide, height=step - 6, cls=cls))
        ends = f"M{x.at(100 * (e.low or 0)):.1f} {y + step / 2}H{x.at(100 * (e.high or 0)):.1f}"
        parts.append(svg.tag("path", d=ends, cls="interval"))
        parts.append(svg.text(width - 4, y + step / 2 + 4, percent(e.mean or 0), "number", "end"))
    sizes = {e.n for _, e in shown}
    n = f"n = {sizes.pop():,}" if len(sizes) == 1 else f"n = {min(sizes):,} to {max(sizes):,}"
    return Figure(
        f"{label(metric)}, {name}", svg.picture(width, bottom + 4, f"{label(metric)}, {name}", parts), n, size=size
    )


def _grid(y: svg.Axis, left: float, right: float) -> list[str]:
    parts = []
    for tick in y.ticks():
        parts.append(svg.tag("path", d=f"M{left} {y.at(tick):.1f}H{right}", cls="grid"))
        parts.append(svg.text(left - 8, y.at(tick) + 4, f"{tick:g}", "tick", "end"))
    return parts


def _unit(left: float, top: float, name: str) -> str:
    return svg.text(left - 24, top - 16, f"{name}, %", "axis")


def _name(one: Subject, x: float, y: float, width: float) -> str:
    short = svg.cut(one.label, width)
    told = svg.text(x, y, short, "label")
    return told if short == one.label else svg.tag("g", svg.title(one.label) + told)


def _mean(estimate: Estimate) -> float:
    """In %."""
    return 100 * (estimate.mean or 0.0)


def _told(estimate: Estimate) -> str:
    return f"{percent(estimate.mean or 0)} % ({interval(estimate.low, estimate.high)})"
