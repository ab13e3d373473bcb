"""`recollect doctor`: is everything well, what is not, and what to do about it."""

from __future__ import annotations

import platform
import sys
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ...errors import EmbedderError, SchemaTooNew, StorageError, StorageFull, StorageReadOnly, StoreBusy, StoreCorrupt
from ...results import PendingBatch, Problem
from ...trace import Checked, Event
from .common import FAULT, Common, console, say
from .safe import count
from .showing import show_properties

RESTORE = "restore a backup: its ledger.sqlite3 in an empty folder; keep the damaged folder until that is done"
ADVICE: tuple[tuple[type[StorageError], str], ...] = (
    (StoreCorrupt, RESTORE),
    (SchemaTooNew, "upgrade recollect"),
    (StorageReadOnly, "give yourself the right to write to the folder and its files"),
    (StorageFull, "make room on the disk, then try again"),
    (StoreBusy, "another process holds it: try again when that one is done"),
    (StorageError, "check the disk and the path, then try again"),
)


@dataclass(frozen=True, slots=True)
class Complaint:
    """One problem, and what to do."""

    what: str
    where: str
    advice: str
    mendable: bool = False


@dataclass(slots=True)
class Findings:
    """All that the doctor found."""

    store: str
    weights: str = "absent"
    checked: dict[str, int] = field(default_factory=dict)
    mended: list[str] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)
    problems: list[Complaint] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """For `--json`."""
        from importlib.metadata import version

        surroundings = {"recollect": version("recollect"), "python": platform.python_version()}
        return {**surroundings, **asdict(self), "ok": not self.problems}


def run(common: Common, *, mend: bool) -> int:
    """Examine, mend where that is wanted, tell; the exit code."""
    found = Findings(store=str(common.folder()))
    weights(found)
    try:
        examine(common, found, mend=mend)
    except StorageError as error:
        unopened(common, found, error)
    if common.json:
        common.answer(found.told())
    else:
        show(common, found)
    return FAULT if found.problems else 0


def weights(found: Findings) -> None:
    """Whether the default embedder is there and sound."""
    from ...adapters.weights import find_weights

    try:
        found.weights = str(find_weights())
    except EmbedderError as error:
        found.problems.append(Complaint(str(error), "weights", "`recollect setup` gets them"))


def examine(common: Common, found: Findings, *, mend: bool) -> None:
    """Open and verify the store, where there is one: asking makes none. Raises StorageError where that is not possible."""
    if not common.has_store() and not common.folder().is_file():
        return
    with Bar(common) as bar, common.open(bar.on_event) as memory:
        if mend:
            found.mended = [f"{one.what} ({one.where})" for one in memory.rebuild().mended]
        report = memory.verify()
        waiting = memory.pending()
    found.checked = report.checked
    found.problems += [complaint(problem) for problem in report.problems]
    found.problems += [unfinished(batch) for batch in waiting if batch.status != "open"]  # that is a talk under way


def complaint(problem: Problem) -> Complaint:
    """A problem of `verify()`, with what to do."""
    advice = "`recollect doctor --mend` puts it right" if problem.mendable else RESTORE
    return Complaint(problem.what, problem.where, advice, problem.mendable)


def unfinished(batch: PendingBatch) -> Complaint:
    """A batch that waits."""
    failed = batch.status == "failed"
    advice = f"`recollect resume{' --include-failed' if failed else ''}` finishes it"
    return Complaint(f"an add is {batch.status} ({batch.error or 'not begun'})", batch.batch_id, advice)


def unopened(common: Common, found: Findings, error: StorageError) -> None:
    """The store could not be opened or read: why, what to do, and what is left of it."""
    folder = common.folder()
    advice = next(told for kind, told in ADVICE if isinstance(error, kind))
    found.problems.append(Complaint(f"{type(error).__name__}: {error}", str(folder), advice))
    if folder.is_dir():
        found.files = {file.name: file.stat().st_size for file in sorted(folder.glob("ledger.sqlite3*"))}


def show(common: Common, found: Findings) -> None:
    """For people: what was checked, what was mended, what is wrong and what to do."""
    told = found.told()
    rows = [(name, str(told[name])) for name in ("recollect", "python", "store", "weights")]
    if not found.checked and not found.problems:
        rows.append(("", "there is no store yet: `recollect add` makes one"))
    if found.checked:
        rows.append(("checked", ", ".join(f"{what} {number:,}" for what, number in found.checked.items())))
    rows += [("there is", f"{name}, {count(size, 'byte')}") for name, size in found.files.items()]
    rows += [("mended", one) for one in found.mended]
    rows += [("problem", f"{one.what} ({one.where}): {one.advice}") for one in found.problems]
    show_properties(common, rows)
    if not found.problems:
        say("All is well.")


class Bar:
    """How far a check is, on a terminal, where there are users to go through."""

    def __init__(self, common: Common) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("users")
        quiet = common.json or not sys.stderr.isatty()
        self._progress = Progress(*columns, console=console(stderr=True), disable=quiet, transient=True)
        self._task = self._progress.add_task("checking", total=None)

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def on_event(self, event: Event) -> None:
        """Move on."""
        if isinstance(event, Checked):
            self._progress.update(self._task, completed=event.users, total=event.of)
