"""`recollect eval probe`: how far a judge can be trusted, before anything is measured by it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.table import Table

from recollect_evals import datasets, probe
from recollect_evals.phases import judge
from recollect_evals.phases.models import meter_of
from recollect_evals.phases.selection import select
from recollect_evals.run import Run, manifest_of, slug_of
from recollect_evals.statistics import Estimate

from ...errors import InvalidInput
from .common import FAULT, Common, describe, exit_code_of, report, say
from .eval_run import Bars, model, run_limit
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
    limit = run_limit(common.budget or ())
    data = datasets.load(chosen.data, chosen.format_name)
    made = probe.answers(probe.probes(data, per_kind=chosen.per_kind, seed=chosen.seed))
    slugs = {kind: slug_of(kind) for kind in made}
    manifest = manifest_of(
        data,
        source=chosen.data if chosen.data in datasets.SHIPPED else str(datasets.located(chosen.data).absolute()),
        systems={slugs[kind]: {"name": kind, "settings": {"probe": probe.PROMPT}} for kind in made},
        judge=chosen.judge,
        prompts={"judge": judge.prompt().id},
        seed=chosen.seed,
    )
    bars = Bars(common)
    with ExitStack() as stack:
        folder = stack.enter_context(Run.open(chosen.out, manifest))
        by = stack.enter_context(model(common, "judge", chosen.judge, None, meter_of(limit, folder.spent())))
        for kind, records in made.items():
            there = folder.records("answers", slugs[kind])
            for record in records:
                if record["question"] not in there:
                    folder.append("answers", record, slugs[kind])
        say(f"estimate: judge: at most {count(sum(map(len, made.values())), 'call')}", stderr=True)
        stack.enter_context(bars.progress)
        try:
            ended = judge.judge(
                folder, select(data), list(slugs.values()), by, concurrency=chosen.concurrency, progress=bars.listen
            )
        except KeyboardInterrupt as stop:
            say("Stopped. What was judged is recorded; the same command goes on from there.", stderr=True)
            report(*describe(stop), as_json=common.json)
            return exit_code_of(stop)
        accepted = probe.accepted(data, {kind: folder.good("judgements", slugs[kind]).values() for kind in made})
    show(common, accepted)
    if ended.stopped is not None:
        name, message, code = describe(ended.stopped)
        say(f"Stopped: {name}: {plain(message)}. The same command goes on from there.", stderr=True)
        return code
    return FAULT if ended.progress.failed else 0


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
