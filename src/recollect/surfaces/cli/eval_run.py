"""`recollect eval run` and `baseline`: the phases in their order, with bars, a budget, an estimate, and a way on when stopped."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from recollect_evals import datasets, systems
from recollect_evals.model import DataSet
from recollect_evals.phases import answer, estimate, ingest, judge, search
from recollect_evals.phases.models import Model, meter_of
from recollect_evals.phases.selection import Selection, select
from recollect_evals.phases.subjects import Subject, described, subjects
from recollect_evals.phases.work import Abandoned, Outcome
from recollect_evals.phases.work import Progress as Done
from recollect_evals.results import Result, rescore
from recollect_evals.run import Manifest, Run, manifest_of

from ...budget import Limit, Meter
from ...errors import InvalidInput, RecollectError
from ...usage import Usage
from .common import FAULT, Common, console, describe, exit_code_of, limits_of, report, say, show_traceback
from .cost import in_words
from .eval_parts import Heard, silent
from .eval_show import money, show_result
from .safe import plain
from .settings import KINDS

PHASES = ("ingest", "search", "answer", "judge")
INSTEAD = "limit calls or tokens instead"
KEYS = {"reader": "RECOLLECT_READER_API_KEY", "judge": "RECOLLECT_JUDGE_API_KEY"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the command line says. None: as the run has it already, else the default."""

    data: str
    out: Path
    systems: tuple[str, ...]
    format_name: str | None = None
    conversations: tuple[str, ...] = ()
    limit: int | None = None
    k: int | None = None
    max_tokens: int | None = None
    unrelated: int | None = None
    seed: int | None = None
    phases: tuple[str, ...] = ()
    reader: str | None = None
    judge: str | None = None
    reader_api_base: str | None = None
    judge_api_base: str | None = None
    concurrency: int = 4
    search_concurrency: int = 1
    last: int = 20
    recorded: Path | None = None
    mem0_python: Path | None = None

    def checked(self) -> Chosen:
        """Itself. Raises InvalidInput."""
        for name in ("k", "max_tokens", "concurrency", "search_concurrency", "last"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise InvalidInput(f"--{name.replace('_', '-')}", "must be 1 or more")
        if self.unrelated is not None and self.unrelated < 0:
            raise InvalidInput("--unrelated", "must be 0 or more")
        if unknown := [one for one in self.phases if one not in PHASES]:
            raise InvalidInput("--phase", f"unknown: {unknown[0][:40]!r}; there are {', '.join(PHASES)}")
        if repeated := [one for n, one in enumerate(self.systems) if one in self.systems[:n]]:
            raise InvalidInput("--system", f"{repeated[0][:40]!r} is named twice")
        return self


def plain_rivals() -> tuple[str, ...]:
    """Every system that has no memory."""
    return tuple(name for name in systems.NAMES if not name.startswith(("recollect", "mem0")))


@dataclass(slots=True)
class Sitting:
    """Everything that the phases of one call work with."""

    chosen: Chosen
    run: Run
    data: DataSet
    selection: Selection
    subjects: list[Subject]
    meter: Meter
    models: dict[str, Model] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def wanted(self) -> Iterator[tuple[str, str]]:
        """Phases to do, each with why it is left out, "" where it is not."""
        for phase in PHASES:
            if phase not in (self.chosen.phases or PHASES):
                continue
            needs = {"answer": "reader", "judge": "judge"}.get(phase)
            missing = needs is not None and needs not in self.models
            yield phase, f"no --{needs} is named" if missing else ""


def measure(
    common: Common,
    chosen: Chosen,
    *,
    dry: bool,
    keep: Callable[[Result], None] = lambda _: None,
    heard: Heard = silent,
) -> int:
    """Do what is asked for; the exit code. `keep` gets the run's numbers, where there are any; `heard` how far each phase is."""
    with ExitStack() as stack:
        sitting = seated(common, chosen.checked(), stack, dry=dry)
        refuse_unpriced(common, sitting)
        if dry:
            return show_forecasts(common, sitting)
        return work(common, sitting, keep, heard)


def seated(common: Common, chosen: Chosen, stack: ExitStack, *, dry: bool) -> Sitting:
    """Data, run, systems and models, opened. Raises what is wrong with any of them, before anything is paid."""
    limit = run_limit(common.value("budget") or ())
    data = datasets.load(chosen.data, chosen.format_name)
    before = Run.read(chosen.out).manifest if (chosen.out / "run.json").exists() else None
    manifest = manifest_for(chosen, data, before)
    selection = select(data, conversations=chosen.conversations, limit=chosen.limit, seed=manifest.seed)
    run = stack.enter_context(Run.planned(chosen.out, manifest) if dry else Run.open(chosen.out, manifest))
    meter = meter_of(limit, run.spent())
    stores = Run(Path(stack.enter_context(tempfile.TemporaryDirectory())), manifest) if dry else run
    tested = made(common, chosen, stores, stack)
    run.admit(described(tested))
    sitting = Sitting(chosen, run, data, selection, tested, meter)
    for role, name, base in (
        ("reader", chosen.reader, chosen.reader_api_base),
        ("judge", chosen.judge, chosen.judge_api_base),
    ):
        if name is not None:
            sitting.models[role] = stack.enter_context(model(common, role, name, base, meter))
    return sitting


def manifest_for(chosen: Chosen, data: DataSet, before: Manifest | None) -> Manifest:
    """What the run is of. What is not said stays as it is, or is the default."""
    given = {name: getattr(chosen, name) for name in ("k", "max_tokens", "unrelated", "seed")}
    said = {name: value for name, value in given.items() if value is not None}
    kept = {} if before is None else {name: getattr(before, name) for name in given if name not in said}
    prompts = {
        phase: prompt.id
        for phase, prompt, name in (("answer", answer.prompt(), chosen.reader), ("judge", judge.prompt(), chosen.judge))
        if name is not None
    }
    return manifest_of(
        data,
        source=source_of(chosen.data),
        reader=chosen.reader,
        judge=chosen.judge,
        prompts=prompts,
        selection={"conversations": list(chosen.conversations), "limit": chosen.limit},
        **said,
        **kept,
    )


def source_of(data: str) -> str:
    """What a run records as the place of its data: a shipped set's name, or the whole path."""
    return data if data in datasets.SHIPPED else str(datasets.located(data).absolute())


def made(common: Common, chosen: Chosen, run: Run, stack: ExitStack) -> list[Subject]:
    """The systems. Those of recollect that differ in what they search for alone share a store."""
    options = systems.Options(
        access=systems.Access(
            common.model or "rules",
            common.value("api_base"),
            common.key,
            common.value("timeout") if common.model else None,
        ),
        last=chosen.last,
        recorded=chosen.recorded,
        mem0_python=chosen.mem0_python,
    )
    shared = systems.SharedEmbedder(systems.embedder_of(options))
    options = replace(options, embedder=shared)
    found, stores = [], []
    for name in chosen.systems:
        store = name.split(":")[0]
        found.append(stack.enter_context(closing(systems.make(name, folder=run.store(store), options=options))))
        stores.append(store)
    return subjects(found, stores)


@contextmanager
def closing(system: systems.System) -> Iterator[systems.System]:
    """Close a system in the end."""
    try:
        yield system
    finally:
        system.close()


def model(common: Common, role: str, name: str, base: str | None, meter: Meter) -> Model:
    """The reader or the judge."""
    key = os.environ.get(KEYS[role]) or common.api_key or os.environ.get(KINDS["api_key"].variable) or None
    address = base or common.api_base
    return Model(name, api_base=address, api_key=key, timeout=common.timeout, mode=common.mode, meter=meter)


def run_limit(said: Sequence[str]) -> Limit | None:
    """`--budget`, which is the run's here. Raises InvalidInput."""
    limits = limits_of(said)
    if limits is None:
        return None
    if set(limits) != {"run"}:
        raise InvalidInput("--budget", "an evaluation has one of the whole run: calls=200, tokens=2000000 or cost=1.50")
    return Limit(**limits["run"])  # type: ignore[arg-type]  # `limits_of` has checked them


def refuse_unpriced(common: Common, sitting: Sitting) -> None:
    """A budget in money is of calls whose price is known. Raises InvalidInput where one is not, before anything is done."""
    limit = run_limit(common.value("budget") or ())
    if limit is None or limit.cost_usd is None:
        return
    if sitting.run.spent().usd is None:
        raise InvalidInput("--budget", f"no cost can be kept to: the run has calls whose price is not known; {INSTEAD}")
    if unpriced := [one.phase for one in forecasts(sitting) if one.usage.cost_usd is None]:
        named = " and ".join(unpriced)
        raise InvalidInput(
            "--budget", f"no cost can be kept to: the price of the model of {named} is not known; {INSTEAD}"
        )


# --- the phases --------------------------------------------------------------------------------------------------------


def work(common: Common, sitting: Sitting, keep: Callable[[Result], None], heard: Heard) -> int:
    """Phase by phase; what came of it; the exit code."""
    if not common.json and sitting.models:
        show_lines(forecasts(sitting), stderr=True)
    bars = Bars(common, heard)
    try:
        with bars.progress:
            stopped = all_phases(common, sitting, bars)
    except KeyboardInterrupt as stop:
        return interrupted(common, stop, sitting.chosen.out)
    result = rescore(sitting.run, sitting.data)
    keep(result)
    told = show(common, sitting, result)
    if stopped is not None:
        if common.debug:
            show_traceback(stopped)
        name, message, _ = describe(stopped)
        say(
            f"Stopped: {name}: {plain(message)}. What was done is recorded; the same command goes on from there.",
            stderr=True,
        )
        return describe(stopped)[2]
    if told:
        say(f"{told}: the same command tries again.", stderr=True)
    return FAULT if told else 0


def interrupted(common: Common, stop: KeyboardInterrupt, out: Path) -> int:
    """Say that Ctrl-C or SIGTERM was heard, and how to go on; the exit code."""
    say(f"Stopped. What was done is recorded in {out}; the same command goes on from there.", stderr=True)
    report(*describe(stop), as_json=common.json)
    return ended_by(stop)


def ended_by(stop: KeyboardInterrupt) -> int:
    """The exit code. Whoever pressed Ctrl-C twice does not want to wait for a store to close whose add is under way: the process
    ends here, and what it held is as after a kill, which runs and stores are made for."""
    code = exit_code_of(stop.__cause__ if isinstance(stop.__cause__, KeyboardInterrupt) else stop)
    if isinstance(stop, Abandoned):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def all_phases(common: Common, sitting: Sitting, bars: Bars) -> RecollectError | None:
    """What stopped them, if anything did."""
    for phase, why_not in sitting.wanted():
        if why_not:
            say(f"{phase}: left out, for {why_not}", stderr=True)
            continue
        outcome = DO[phase](common, sitting, bars.listen)
        sitting.outcomes[phase] = outcome
        bars.end(phase, outcome)
        if outcome.stopped is not None:
            return outcome.stopped
    return None


def do_ingest(common: Common, at: Sitting, listen: Callable[[Done], None]) -> Outcome:
    """Several conversations at once only where a model is waited for."""
    width = at.chosen.concurrency if common.model else 1
    return ingest.ingest(at.run, at.selection, at.subjects, meter=at.meter, concurrency=width, progress=listen)


def do_search(common: Common, at: Sitting, listen: Callable[[Done], None]) -> Outcome:  # noqa: ARG001 -- as the others
    """See `phases.search`."""
    return search.search(at.run, at.selection, at.subjects, concurrency=at.chosen.search_concurrency, progress=listen)


def do_answer(common: Common, at: Sitting, listen: Callable[[Done], None]) -> Outcome:  # noqa: ARG001 -- as the others
    """See `phases.answer`."""
    slugs, width = [one.slug for one in at.subjects], at.chosen.concurrency
    return answer.answer(at.run, at.selection, slugs, at.models["reader"], concurrency=width, progress=listen)


def do_judge(common: Common, at: Sitting, listen: Callable[[Done], None]) -> Outcome:  # noqa: ARG001 -- as the others
    """See `phases.judge`."""
    slugs, width = [one.slug for one in at.subjects], at.chosen.concurrency
    return judge.judge(at.run, at.selection, slugs, at.models["judge"], concurrency=width, progress=listen)


DO = {"ingest": do_ingest, "search": do_search, "answer": do_answer, "judge": do_judge}


class Bars:
    """A bar for each phase on standard error: how many, how fast, how many failed, what it cost, how long still."""

    def __init__(self, common: Common, heard: Heard = silent) -> None:
        self.common, self.heard = common, heard
        self.progress = Progress(
            TextColumn("{task.description:<7}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[told]}"),
            TimeRemainingColumn(),
            console=console(stderr=True),
            disable=common.json or not sys.stderr.isatty(),
            transient=True,
        )
        self._tasks: dict[str, tuple[Any, float]] = {}
        self._stopping = False

    def listen(self, done: Done) -> None:
        """Move the bar of a phase."""
        if done.phase not in self._tasks:
            task = self.progress.add_task(done.phase, total=done.total, told="")
            self._tasks[done.phase] = (task, time.monotonic())
        task, began = self._tasks[done.phase]
        ended = done.done + done.failed
        self.heard(done.phase, ended, done.total)
        rate = f"{ended / max(time.monotonic() - began, 1e-9):.1f}/s"
        told = ", ".join(word for word in (rate, failures(done.failed), money(done.spent)) if word)
        self.progress.update(task, completed=ended, told=told)
        if done.stopping and not self._stopping:
            self._stopping = True
            say("Stopping: what is under way will be recorded. Ctrl-C again leaves it.", stderr=True)

    def end(self, phase: str, outcome: Outcome) -> None:
        """Say what a phase did, on one line."""
        if self.common.json:
            return
        done = outcome.progress
        words = [
            f"{done.done:,} done",
            failures(done.failed),
            f"{outcome.skipped:,} left out" if outcome.skipped else "",
        ]
        words += [f"{done.left:,} left" if done.left else "", money(done.spent)]
        say(f"{phase}: {', '.join(word for word in words if word)}", stderr=True)


def failures(number: int) -> str:
    """ "3 failed"; "" for none."""
    return f"{number:,} failed" if number else ""


# --- what is said ------------------------------------------------------------------------------------------------------


def forecasts(sitting: Sitting) -> list[estimate.Forecast]:
    """What is left of each phase, and its price."""
    at, slugs = sitting, [one.slug for one in sitting.subjects]
    found = []
    for phase, why_not in sitting.wanted():
        if why_not:
            continue
        match phase:
            case "ingest":
                found.append(estimate.of_ingest(at.run, at.selection, at.subjects))
            case "search":
                found.append(estimate.of_search(at.run, at.selection, at.subjects))
            case "answer":
                found.append(estimate.of_answer(at.run, at.selection, at.subjects, at.models["reader"]))
            case "judge":
                found.append(estimate.of_judge(at.run, at.selection, slugs, at.models["judge"]))
    return found


def show_forecasts(common: Common, sitting: Sitting) -> int:
    """The estimate, and nothing else."""
    found = forecasts(sitting)
    if common.json:
        phases = {one.phase: {"tasks": one.tasks, **asdict(one.usage)} for one in found}
        common.answer({"phases": phases, "total": asdict(total(found))})
        return 0
    show_lines(found)
    for phase, why_not in sitting.wanted():
        if why_not:
            say(f"{phase}: left out, for {why_not}")
    say("Nothing was sent, and nothing written.")
    return 0


def show_lines(found: Sequence[estimate.Forecast], *, stderr: bool = False) -> None:
    """One line a phase, and their sum."""
    for one in found:
        cost = f"at most about {words(one.usage)}" if one.usage.llm_calls else "no calls, no cost"
        say(f"estimate: {one.phase}: {one.tasks:,} to do, {cost}", stderr=stderr)
    if len([one for one in found if one.usage.llm_calls]) > 1:
        say(f"estimate: together at most about {words(total(found))}", stderr=stderr)


def words(usage: Usage) -> str:
    """As other commands tell what models cost."""
    from ...memory import add_usage

    return in_words(add_usage(usage))


def total(found: Sequence[estimate.Forecast]) -> Usage:
    """Of all phases."""
    return sum((one.usage for one in found), Usage())


def show(common: Common, sitting: Sitting, result: Result) -> str:
    """The numbers; what failed or is left, in words, "" where nothing is."""
    failed = sum(one.progress.failed for one in sitting.outcomes.values())
    skipped = sum(one.skipped for one in sitting.outcomes.values())
    if common.json:
        phases = {
            phase: {
                "done": one.progress.done,
                "failed": one.progress.failed,
                "skipped": one.skipped,
                "left": one.progress.left,
                "spent": asdict(one.progress.spent),
                "stopped": None
                if one.stopped is None
                else dict(zip(("error", "message"), describe(one.stopped), strict=False)),
            }
            for phase, one in sitting.outcomes.items()
        }
        common.answer({"phases": phases, "result": result.document()})
    else:
        show_result(common, result)
    told = [failures(failed), f"{skipped:,} left out for want of an earlier phase" if skipped else ""]
    return ", ".join(word for word in told if word)
