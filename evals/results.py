"""A run's numbers, computed from its records alone: no system, no model, no network. The same records give the same digits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .attribution import Case, attribute, table
from .errors import RunMismatch
from .metrics import KS
from .model import DataSet, Spent
from .records import Records
from .run import Manifest, Run
from .scores import Scores, score


@dataclass(frozen=True, slots=True)
class Result:
    """A run, scored. `name`: of its folder. `scores`, `cases`: by the systems' slugs, in the order of the manifest; a case is a
    question that was lost, with the stage. `spent`: all that was paid, attempts that failed among them. `problems`: what of the
    data set could not be read."""

    name: str
    manifest: Manifest
    scores: Mapping[str, Scores]
    cases: Mapping[str, Sequence[Case]]
    spent: Spent
    problems: tuple[str, ...] = ()

    def system(self, slug: str) -> str:
        """What reports call a system."""
        return str(self.manifest.systems[slug]["name"])

    def document(self) -> dict[str, Any]:
        """All numbers, as JSON has them; questions apart."""
        systems = {}
        for slug, one in self.scores.items():
            numbers = {name: value for name, value in asdict(one).items() if name != "rows"}
            systems[slug] = {"name": self.system(slug), **numbers, "lost": table(self.cases[slug])}
        head = {name: value for name, value in asdict(self.manifest).items() if name != "systems"}
        return {
            "run": self.name,
            **head,
            "spent": asdict(self.spent),
            "problems": list(self.problems),
            "systems": systems,
        }


def rescore(run: Run, data: DataSet, *, by_conversation: bool = False) -> Result:
    """Score every system of a run. Raises RunMismatch where the data set is not the run's, RunInvalid."""
    check_data(run.manifest, data)
    ks = [k for k in KS if k <= run.manifest.k] or [run.manifest.k]
    records = {slug: Records.of(run.records, slug) for slug in run.manifest.systems}
    return Result(
        run.folder.name,
        run.manifest,
        {slug: score(data, one, ks=ks, by_conversation=by_conversation) for slug, one in records.items()},
        {slug: attribute(data, one) for slug, one in records.items()},
        run.spent(),
        data.problems,
    )


def check_data(manifest: Manifest, data: DataSet) -> None:
    """Raises RunMismatch where a data set is not the one that a run is of."""
    if manifest.checksum != data.checksum:
        raise RunMismatch(
            f"the run is of {manifest.data} with the checksum {manifest.checksum[:12]}…, and {data.name} has"
            f" {data.checksum[:12]}…: name the files that it was made with"
        )
