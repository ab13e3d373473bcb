"""`recollect eval probe`: how far a judge can be trusted, before anything is measured by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.table import Table

from recollect_evals import datasets, probe
from recollect_evals.model import DataSet
from recollect_evals.phases import judge
from recollect_evals.phases.models import meter_of
from recollect_evals.phases.selection import select
from recollect_evals.phases.work import Outcome
from recollect_evals.run import Manifest, Record, Run, manifest_of, slug_of
from recollect_evals.statistics import Estimate

from ...errors import InvalidInput
from .common import FAULT, Common, describe, report, say
from .eval_run import Bars, ended_by, model, run_limit, source_of
from .eval_show import show_table
from .safe import count, plain, words


@dataclass(frozen=True, slots=True)
class Probed:
    """What the command line says."""

    data: str
    out: Path
    judge: str
    format_name: str | None
    per_kind: int
    seed: int
    concurrency: int


def run(common: Common, chosen: Probed) -> int:
    """Have replies of known worth judged; the exit code."""
    if chosen.per_kind < 1 or chosen.concurrency < 1:
        raise InvalidInput("--per-kind" if chosen.per_kind < 1 else "--concurrency", "must be 1 or more")
    data = datasets.load(chosen.data, chosen.format_name)
    made = probe.answers(probe.probes(data, per_kind=chosen.per_kind, seed=chosen.seed))
    with Run.open(chosen.out, manifest(chosen, data, made)) as folder:
        put_in(folder, made)
        say(f"estimate: judge: at most {count(sum(map(len, made.values())), 'call')}", stderr=True)
        try:
            ended = judged(common, chosen, data, folder, made)
        except KeyboardInterrupt as stop:
            say("Stopped. What was judged is recorded; the same command goes on from there.", stderr=True)
            report(*describe(stop), as_json=common.json)
            return ended_by(stop)
        verdicts = {kind: folder.good("judgements", slug_of(kind)).values() for kind in made}
    show(common, probe.accepted(data, verdicts))
    if ended.stopped is not None:
        name, message, code = describe(ended.stopped)
        say(f"Stopped: {name}: {plain(message)}. The same command goes on from there.", stderr=True)
        return code
    return FAULT if ended.progress.failed else 0


def manifest(chosen: Probed, data: DataSet, kinds: Iterable[str]) -> Manifest:
    """Of a run in which each kind of reply stands for a system."""
    return manifest_of(
        data,
        source=source_of(chosen.data),
        systems={slug_of(kind): {"name": kind, "settings": {"probe": probe.PROMPT}} for kind in kinds},
        judge=chosen.judge,
        prompts={"judge": judge.prompt().id},
        seed=chosen.seed,
    )


def put_in(folder: Run, made: Mapping[probe.Kind, Sequence[Record]]) -> None:
    """Record the replies as an answer phase would; those that are there already are the same."""
    for kind, records in made.items():
        there = folder.records("answers", slug_of(kind))
        for record in records:
            if record["question"] not in there:
                folder.append("answers", record, slug_of(kind))


def judged(common: Common, chosen: Probed, data: DataSet, folder: Run, kinds: Iterable[str]) -> Outcome:
    """The judge's phase. (What it leaves out are the questions of which no reply of a kind can be made.)"""
    bars, slugs = Bars(common), [slug_of(kind) for kind in kinds]
    meter = meter_of(run_limit(common.value("budget") or ()), folder.spent())
    with model(common, "judge", chosen.judge, None, meter) as by, bars.progress:
        width = chosen.concurrency
        return judge.judge(folder, select(data), slugs, by, concurrency=width, progress=bars.listen)


def show(common: Common, accepted: Mapping[probe.Kind, Estimate]) -> None:
    """Of each kind of reply, how many the judge took for right."""
    if common.json:
        common.answer({"accepted": {kind: asdict(one) for kind, one in accepted.items()}})
        return
    table = Table(box=None, pad_edge=False)
    for head in ("reply", "taken for right", "95 % interval", "n"):
        table.add_column(head, justify="left" if head == "reply" else "right", no_wrap=True)
    for kind, one in accepted.items():
        mean, low, high = ("–" if share is None else f"{100 * share:.0f}" for share in (one.mean, one.low, one.high))
        table.add_row(words(kind), f"{mean} %", f"{low} … {high}", f"{one.n:,}")
    show_table(common, table)
    say('Of "right" all should be, of every other kind none.')
