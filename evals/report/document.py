"""The report as a whole: what stands in it, in which order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..model import Spent
from ..results import Result
from . import notes, plots, tables
from .cases import cases
from .comparisons import comparisons, in_a_line, reference
from .names import headlines, label
from .numbers import count, usd
from .repeat import commands
from .subjects import Group, Subject, grouped, run_names
from .values import Block, Code, Fold, Items, Report, Section, Text


def report(runs: Sequence[Result], further: Sequence[Section] = (), *, by_conversation: bool = False) -> Report:
    """Of runs; `further`: sections of other measurements, such as decisions. `by_conversation`: as the runs were scored."""
    groups = grouped(runs)
    sections = [section for group in groups for section in _data_set(group, by_conversation)]
    if not groups:
        sections = [Section("Nothing to report", [Text("No run was given.")])]
    return Report("Evaluation report", [*sections, *further, _method(by_conversation), *_manifests(runs)])


def _data_set(group: Group, by_conversation: bool) -> list[Section]:
    """Everything about one data set."""
    head = Section(group.name, _head(group, by_conversation))
    if not group.subjects:
        return [head]
    found = [
        head,
        _section("Retrieval baselines", _baselines(group)),
        _section("All metrics", _metrics(group)),
        _section("By category", _categories(group)),
        _section("Comparisons", _comparisons(group, by_conversation)),
        _section("Where answers are lost", _attribution(group)),
        _section("Costs", _costs(group)),
        _section("Cases", _cases(group)),
    ]
    return [one for one in found if one is not None]


def _section(title: str, blocks: Sequence[Block]) -> Section | None:
    return Section(title, blocks, level=3) if blocks else None


def _head(group: Group, by_conversation: bool) -> list[Block]:
    if not group.subjects:
        return [Text("No question was asked yet.")]
    told = f"{tables.asked_in(group)}; {len(group.subjects):,} system{'' if len(group.subjects) == 1 else 's'}"
    blocks: list[Block] = [Text(f"{told}. Checksum {group.checksum[:12]}…")]
    if group.silent:
        blocks.append(Text(f"Not asked anything yet: {', '.join(group.silent)}."))
    if not group.has_rivals:
        blocks.append(Text(notes.NO_RIVALS))
    if brief := _in_brief(group, by_conversation):
        blocks.append(Items(brief))
    problems = list(dict.fromkeys(problem for run in group.runs for problem in run.problems))
    if problems:
        blocks.append(Fold(f"What of the data set could not be read ({len(problems):,})", list(map(Text, problems))))
    return [*blocks, *plots.figures(group)]


def _in_brief(group: Group, by_conversation: bool) -> list[tuple[str, str]]:
    """Ours against the strongest rival, a line a metric."""
    lines = []
    for metric in headlines(group.metrics):
        measured = [one for one in group.subjects if one.estimate(metric)]
        best = _best(measured, metric)
        against = reference(measured, metric)
        if best is None or against is None or best is against:
            continue
        if line := in_a_line(against, best, metric, by_conversation=by_conversation):
            lines.append((label(metric), line))
    return lines


def _best(measured: Sequence[Subject], metric: str) -> Subject | None:
    """The best of ours; without any, of all."""
    ours = [one for one in measured if not one.rival] or list(measured)
    return max(ours, key=lambda one: getattr(one.estimate(metric), "mean", None) or 0.0, default=None)


def _baselines(group: Group) -> list[Block]:
    found = tables.baselines(group)
    return [] if found is None else [Text(notes.BASELINES), found]


def _metrics(group: Group) -> list[Block]:
    blocks: list[Block] = []
    if judges := tables.judges(group):
        blocks.append(Text(f"Judged by {judges}. Accuracies of different judges are not to be compared."))
    blocks += tables.by_family(group)
    if group.doubted:
        corrected = Fold("All metrics by the corrected key", tables.by_family(group, key="corrected"))
        blocks += [Text(notes.KEY), tables.both_keys(group), corrected]
    elif blocks:
        blocks.append(Text(notes.ONE_KEY))
    return blocks


def _categories(group: Group) -> list[Block]:
    if len(group.categories) < 2:
        return []
    blocks: list[Block] = []
    for place, metric in enumerate(headlines(group.metrics)):
        blocks.append(tables.per_category(group, metric))
        if place == 0:
            blocks += plots.by_category(group, metric)
        if group.doubted:
            blocks.append(
                Fold(f"{label(metric)} by the corrected key", [tables.per_category(group, metric, "corrected")])
            )
    for name in group.categories:
        if found := tables.by_family(group, name):
            blocks.append(Fold(f"All metrics: {name}", found))
    return blocks


def _comparisons(group: Group, by_conversation: bool) -> list[Block]:
    found = comparisons(group, by_conversation=by_conversation)
    if not found:
        return []
    blocks: list[Block] = [Text(notes.COMPARISONS), *found]
    if group.doubted:
        again = comparisons(group, "corrected", by_conversation=by_conversation)
        blocks.append(Fold("By the corrected key", again))
    return blocks


def _attribution(group: Group) -> list[Block]:
    drawn = plots.lost(group)
    if drawn is None:
        return [Text("No question was lost.")] if group.metrics else []
    folds = [Fold(f"By category: {one.label}", [tables.attribution_of(one)]) for one in group.subjects if one.cases]
    return [Text(notes.ATTRIBUTION), drawn, tables.attribution(group), *folds]


def _costs(group: Group) -> list[Block]:
    blocks: list[Block] = [tables.latency(group)]
    money = tables.money(group)
    blocks.append(Text("No model was called, and nothing was paid.") if money is None else money)
    stored = tables.stored(group)
    return blocks if stored is None else [*blocks, stored]


def _cases(group: Group) -> list[Block]:
    found = cases(group)
    return [found] if found.items else []


def _method(by_conversation: bool) -> Section:
    over = notes.OVER_CONVERSATIONS if by_conversation else notes.OVER_QUESTIONS
    return Section("What is measured", [Items(notes.MEASURES), Text(over)])


def _manifests(runs: Sequence[Result]) -> list[Section]:
    """What each run was of, and how to do it again."""
    if not runs:
        return []
    blocks: list[Block] = [
        Text(notes.REPEAT),
        Code(commands(runs)),
        Text(notes.ENDPOINTS),
    ]
    blocks += [
        Fold(f"Manifest of {name}", [Items(manifest(run))]) for run, name in zip(runs, run_names(runs), strict=True)
    ]
    return [Section("To repeat it", blocks)]


def manifest(run: Result) -> list[tuple[str, str]]:
    """A run's settings, in words."""
    of = run.manifest
    told: dict[str, object] = {
        "data set": of.data,
        "sha256 of its files": of.checksum,
        "read from": of.source,
        "recollect": of.recollect,
        "format of the folder": of.format,
        "started": of.started,
        "reader": of.reader,
        "judge": of.judge,
        **{f"prompt of {phase}": prompt for phase, prompt in of.prompts.items()},
        "results asked of a search": of.k,
        "tokens of a context, at most": of.max_tokens,
        "unrelated questions per conversation": of.unrelated,
        "seed": of.seed,
        "questions asked": _selection(of.selection),
        "paid in all": _paid(run.spent),
        **{f"system: {one['name']}": _json(one.get("settings", {})) for one in of.systems.values()},
    }
    return [(name, "none" if value in (None, "") else str(value)) for name, value in told.items()]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _paid(spent: Spent) -> str:
    tokens = f"{count(spent.input_tokens)} tokens in, {count(spent.output_tokens)} out"
    return f"{count(spent.calls)} calls, {tokens}, {usd(spent.usd)}" if spent.calls else ""


def _selection(selection: Mapping[str, Any]) -> str:
    talks, limit = selection.get("conversations") or (), selection.get("limit")
    told = f"of {', '.join(map(str, talks))}" if talks else "of all conversations"
    return f"{told}, at most {limit}" if limit else f"{told}, all of them"
