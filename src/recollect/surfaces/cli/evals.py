"""`recollect eval`: the eval harness. Runs are folders of their own; no store of a user's is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .common import Common, with_common

evals = typer.Typer(
    name="eval",
    no_args_is_help=True,
    help="Find out how good a memory system is on dialogues, at what price, and at which stage an answer was lost.\n\n"
    "`eval baseline` needs no model; `eval run` goes through all phases: ingest, search, answer (by --reader), judge (by"
    " --judge). A run is a folder of records: stopped, killed or over its budget, the same command goes on from there.\n\n"
    "Example: recollect eval baseline changes --out runs/baseline, then: recollect eval report runs/baseline --out r.html",
)

Data = Annotated[str, typer.Argument(metavar="DATA", help="A set by name (see `eval datasets`), or its file or folder")]
Runs = Annotated[list[Path], typer.Argument(metavar="RUN…", help="Folders of runs")]
Out = Annotated[Path, typer.Option("--out", metavar="RUN", help="The run's folder: a new one, or one to go on with")]
Format = Annotated[str | None, typer.Option("--format", help="The data's format (default: recognised)")]
Conversations = Annotated[
    list[str] | None, typer.Option("--conversation", metavar="ID", help="Only this one; may be repeated")
]
Limit = Annotated[
    int | None, typer.Option(help="At most so many questions, drawn by the seed; a higher limit asks the same and more")
]
K = Annotated[int | None, typer.Option("--k", help="Results asked of a search (default: 50)")]
MaxTokens = Annotated[int | None, typer.Option(help="Of a context (default: 1000)")]
Unrelated = Annotated[
    int | None,
    typer.Option(help="Questions of other conversations asked in each (default: 20); nothing should be found"),
]
Seed = Annotated[int | None, typer.Option(help="Of everything that is drawn (default: 0)")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what it would cost; send and write nothing")]
ByConversation = Annotated[
    bool, typer.Option("--by-conversation", help="Intervals over conversations in place of questions, from some 30 on")
]
OtherData = Annotated[
    str | None, typer.Option("--data", help="Where the data set is now (default: where it was when the run was made)")
]


@evals.command()
@with_common
def run(
    common: Common,
    data: Data,
    out: Out,
    system: Annotated[
        list[str] | None,
        typer.Option("--system", metavar="NAME", help="See `eval systems`; may be repeated (default: recollect-rules)"),
    ] = None,
    phase: Annotated[
        list[str] | None,
        typer.Option("--phase", help="ingest, search, answer or judge; may be repeated (default: all)"),
    ] = None,
    conversation: Conversations = None,
    limit: Limit = None,
    k: K = None,
    max_tokens: MaxTokens = None,
    unrelated: Unrelated = None,
    seed: Seed = None,
    reader: Annotated[str | None, typer.Option(metavar="MODEL", help="Answers from the contexts")] = None,
    judge: Annotated[str | None, typer.Option(metavar="MODEL", help="Judges the answers")] = None,
    reader_api_base: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The reader's (default: --api-base); key in $RECOLLECT_READER_API_KEY"),
    ] = None,
    judge_api_base: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The judge's (default: --api-base); key in $RECOLLECT_JUDGE_API_KEY"),
    ] = None,
    concurrency: Annotated[int, typer.Option(help="Calls of models at once")] = 4,
    search_concurrency: Annotated[
        int, typer.Option(help="Searches at once; with more than 1 their latency is that of a queue")
    ] = 1,
    last: Annotated[int, typer.Option(help="Turns of last-turns")] = 20,
    recorded: Annotated[
        Path | None, typer.Option(help="Folder of recorded extractions, for recollect-recorded")
    ] = None,
    mem0_python: Annotated[Path | None, typer.Option(help="Python of an environment with mem0")] = None,
    format: Format = None,
    dry_run: DryRun = False,
) -> None:
    """Measure systems on a data set: ingest, search, answer, judge; then the numbers. Run again, it goes on where it stopped.

    --llm is the model of the memory (recollect-model), --reader answers, --judge judges: three models, or one. Without a reader
    or a judge their phases are left out. --budget counts what all sittings of the run paid.

    Exit code 1 where something failed or is left; the same command tries it again.

    Example: recollect eval run changes --system bm25 --reader openai/gpt-5-mini --judge openai/gpt-5 --budget cost=2 --out runs/1
    """
    from .eval_run import Chosen, measure

    chosen = Chosen(
        data, out, tuple(system or ["recollect-rules"]), format_name=format, conversations=tuple(conversation or ()), limit=limit,
        k=k, max_tokens=max_tokens, unrelated=unrelated, seed=seed, phases=tuple(phase or ()), reader=reader, judge=judge,
        reader_api_base=reader_api_base, judge_api_base=judge_api_base, concurrency=concurrency,
        search_concurrency=search_concurrency, last=last, recorded=recorded, mem0_python=mem0_python,
    )  # fmt: skip
    raise typer.Exit(measure(common, chosen, dry=dry_run))


@evals.command()
@with_common
def baseline(
    common: Common,
    data: Data,
    out: Out,
    conversation: Conversations = None,
    limit: Limit = None,
    k: K = None,
    max_tokens: MaxTokens = None,
    unrelated: Unrelated = None,
    seed: Seed = None,
    format: Format = None,
) -> None:
    """Measure how far searching goes without a memory: full context, last turns, BM25, MiniLM and their sums. No model, no cost.

    Example: recollect eval baseline changes --out runs/baseline
    """
    from .eval_run import Chosen, measure, plain_rivals

    chosen = Chosen(
        data, out, plain_rivals(), format_name=format, conversations=tuple(conversation or ()), limit=limit, k=k,
        max_tokens=max_tokens, unrelated=unrelated, seed=seed, phases=("ingest", "search"),
    )  # fmt: skip
    raise typer.Exit(measure(common, chosen, dry=False))


@evals.command()
@with_common
def probe(
    common: Common,
    data: Data,
    out: Out,
    judge: Annotated[str, typer.Option(metavar="MODEL", help="The judge to look at")],
    per_kind: Annotated[int, typer.Option(help="Replies of each kind")] = 25,
    seed: Annotated[int, typer.Option(help="Of the questions that are drawn")] = 0,
    concurrency: Annotated[int, typer.Option(help="Calls of the judge at once")] = 4,
    format: Format = None,
) -> None:
    """Find out how far a judge can be trusted: replies that are right, vague, incomplete or wrong, made from the key by code.

    Example: recollect eval probe changes --judge openai/gpt-5-mini --out runs/probe
    """
    from .eval_probe import Probed, run

    raise typer.Exit(run(common, Probed(data, out, judge, format, per_kind, seed, concurrency)))


@evals.command()
@with_common
def operations(
    common: Common,
    data: Annotated[
        str, typer.Argument(metavar="DATA", help='"decisions", which is shipped, or a file of HaluMem')
    ] = "decisions",
    judge: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Says which memory tells which point (default: by words)")
    ] = None,
    wrong: Annotated[bool, typer.Option("--wrong", help="List the decisions that were not right")] = False,
    at_once: Annotated[int, typer.Option(min=1, help="Decisions at once")] = 1,
) -> None:
    """Measure what a memory does with new facts beside old ones: add, update, delete or nothing, to the right memory.

    Labelled decisions go through the real write path; of HaluMem's gold memories it is told which updates were right, wrong or
    omitted, and what an extraction finds. By the rules, or by --llm.

    Example: recollect eval operations decisions --wrong
    """
    from .eval_operations import Asked, run

    raise typer.Exit(run(common, Asked(data, judge, wrong, at_once)))


@evals.command()
@with_common
def offline(
    common: Common,
    data: Annotated[
        list[str] | None, typer.Argument(metavar="[DATA]…", help="Sets to search in (default: changes, and LoCoMo's)")
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="For runs and reports")] = Path("eval-report"),
    at_once: Annotated[
        int | None,
        typer.Option("--at-once", min=1, help="Parts, each on a processor of its own (default: as many as there are)"),
    ] = None,
) -> None:
    """Measure all that needs no model, and write one report: retrieval on `changes`, and on LoCoMo where $RECOLLECT_DATA has it,
    beside all plain rivals; decisions; HaluMem. What this code has measured already is not measured again.

    Example: recollect eval offline --out eval-report
    """
    from .eval_offline import run

    raise typer.Exit(run(common, tuple(data or ()), out, at_once))


@evals.command()
@with_common
def rescore(
    common: Common,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run")],
    data: OtherData = None,
    by_conversation: ByConversation = False,
) -> None:
    """Compute a run's numbers anew from its records. Nothing is asked of a system or a model.

    Example: recollect eval rescore runs/first --json
    """
    from .eval_show import show_numbers

    show_numbers(common, run, data, by_conversation=by_conversation)


@evals.command()
@with_common
def compare(
    common: Common,
    run_a: Annotated[Path, typer.Argument(metavar="RUN_A", help="The folder of a run")],
    run_b: Annotated[Path, typer.Argument(metavar="RUN_B", help="The folder of another, or of the same")],
    system: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of the first run (default: each one that both have, or the only one)"),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--with", metavar="NAME", help="Of the second run (default: the same, or the only one)"),
    ] = None,
    corrected: Annotated[
        bool, typer.Option("--corrected", help="Leave out questions whose key or evidence an audit doubts")
    ] = False,
    by_conversation: ByConversation = False,
    categories: Annotated[bool, typer.Option("--categories", help="Each category, too")] = False,
    data: OtherData = None,
) -> None:
    """Test whether two systems differ: on the questions that both were asked, McNemar's test and a paired bootstrap.

    Example: recollect eval compare runs/first runs/first --system bm25 --with "recollect, rules"
    """
    from .eval_show import Pair, show_comparison

    pair = Pair(run_a, run_b, system, against, data)
    show_comparison(common, pair, corrected=corrected, by_conversation=by_conversation, categories=categories)


@evals.command()
@with_common
def report(
    common: Common,
    runs: Runs,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="An .html or .md file (default: Markdown on standard output)"),
    ] = None,
    data: OtherData = None,
    by_conversation: ByConversation = False,
) -> None:
    """Write a report on one or several runs, side by side: tables, plots, and where answers were lost.

    Example: recollect eval report runs/first runs/second --out report.html
    """
    from .eval_show import write_report

    write_report(common, runs, out, data, by_conversation=by_conversation)


@evals.command()
@with_common
def datasets(
    common: Common,
    data: Annotated[str | None, typer.Argument(metavar="[DATA]", help="Look into this one")] = None,
    format: Format = None,
) -> None:
    """List the data sets that there are and the formats that are read; or look into one: what is in it, what could not be read.

    Example: recollect eval datasets locomo/dev.json
    """
    from .eval_show import list_datasets, look_into

    if data is None:
        list_datasets(common)
    else:
        raise typer.Exit(look_into(common, data, format))


@evals.command()
@with_common
def systems(common: Common) -> None:
    """List what can be measured, by the names that --system takes.

    Example: recollect eval systems
    """
    from .eval_show import list_systems

    list_systems(common)
