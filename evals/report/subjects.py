"""Who is in a report: the systems of all runs, those of one data set side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..attribution import Case
from ..results import Result
from ..run import slug_of
from ..scores import OVERALL, Key, Scores
from ..statistics import Estimate
from ..systems.plain import METHODS

OURS = "recollect"  # what the slugs of our own systems begin with
PLAIN = tuple(map(slug_of, (*(method.name for method in METHODS.values()), "last", "full context")))


@dataclass(frozen=True, slots=True)
class Subject:
    """A system in a run. `label` is unique in its group; `place` is its place there, by which it has its colour and its mark."""

    label: str
    slug: str
    run: str
    place: int
    scores: Scores
    cases: Sequence[Case]

    @property
    def rival(self) -> bool:
        """Whether it is something else than a system of recollect."""
        return not self.slug.startswith(OURS)

    def estimate(self, metric: str, group: str = OVERALL, key: Key = "released") -> Estimate | None:
        """Of a metric; None where nobody takes part."""
        return self.scores.tables[key].get(group, {}).get(metric)


@dataclass(frozen=True, slots=True)
class Group:
    """Runs of one data set, with their systems that were asked anything, or failed at it. `silent`: labels of the others."""

    name: str
    checksum: str
    runs: Sequence[Result]
    subjects: Sequence[Subject]
    silent: Sequence[str]

    @property
    def categories(self) -> list[str]:
        """In the order of the data set, without "overall"."""
        found = (group for one in self.subjects for group in one.scores.tables["released"] if group != OVERALL)
        return list(dict.fromkeys(found))

    @property
    def metrics(self) -> list[str]:
        """That any system has a value of, in their order."""
        found = (name for one in self.subjects for table in one.scores.tables["released"].values() for name in table)
        return list(dict.fromkeys(found))

    @property
    def doubted(self) -> bool:
        """Whether an audit doubts anything of the key of what was asked."""
        return any(row.doubts for one in self.subjects for row in one.scores.rows.values())

    @property
    def has_rivals(self) -> bool:
        """Whether any system keeps no memory."""
        return any(one.slug.startswith(PLAIN) for one in self.subjects)


def grouped(runs: Sequence[Result]) -> list[Group]:
    """By data set, in the order of the runs."""
    names = run_names(runs)
    sets = dict.fromkeys((run.manifest.data, run.manifest.checksum) for run in runs)
    return [_group(data, checksum, list(zip(runs, names, strict=True))) for data, checksum in sets]


def run_names(runs: Sequence[Result]) -> list[str]:
    """The runs' names; those that several have are numbered."""
    often, so_far, names = Counter(run.name for run in runs), Counter[str](), []
    for run in runs:
        so_far[run.name] += 1
        names.append(run.name if often[run.name] == 1 else f"{run.name} ({so_far[run.name]})")
    return names


def _group(data: str, checksum: str, named: Sequence[tuple[Result, str]]) -> Group:
    mine = [(run, name) for run, name in named if (run.manifest.data, run.manifest.checksum) == (data, checksum)]
    found = [(run, name, slug) for run, name in mine for slug in run.scores]
    often = Counter(run.system(slug) for run, _, slug in found)
    subjects: list[Subject] = []
    silent = []
    for run, name, slug in found:
        system = run.system(slug)
        label = system if often[system] == 1 else f"{system} · {name}"
        if run.scores[slug].rows or run.cases[slug] or run.scores[slug].failed:
            subjects.append(Subject(label, slug, name, len(subjects), run.scores[slug], run.cases[slug]))
        else:
            silent.append(label)
    return Group(data, checksum, [run for run, _ in mine], subjects, silent)
