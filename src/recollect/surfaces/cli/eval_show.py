"""What the harness shows: a run's numbers, two systems beside each other, reports, and what there is to choose from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.measure import Measurement
from rich.table import Table

from recollect_evals import datasets, report, systems
from recollect_evals.errors import DataSetInvalid, RunMismatch
from recollect_evals.model import DataSet, Spent
from recollect_evals.results import Result, rescore
from recollect_evals.run import Run
from recollect_evals.scores import OVERALL, Compared, Scores, compare
from recollect_evals.statistics import Estimate

from ...errors import InvalidInput
from .common import FAULT, Common, put, say
from .safe import count, plain, words

WIDEST = 1000  # columns of a table
# Metric → the head of its column. A column is shown where any system has a number in it.
SHOWN = {
    "recall@10": "recall@10",
    "hit@10": "hit@10",
    "ndcg@10": "nDCG@10",
    "mrr": "MRR",
    "coverage": "in context",
    "accuracy": "right",
    "nuggets": "nuggets",
    "abstention_recall": "abstains",
    "squad_f1": "F1",
}


def scored(folder: Path, source: str | None, *, by_conversation: bool) -> Result:
    """A run's numbers. `source`: where its data set is now; None: where it was."""
    run = Run.read(folder)
    return rescore(run, loaded(run, source), by_conversation=by_conversation)


def loaded(run: Run, source: str | None) -> DataSet:
    """A run's data set. Raises DataSetInvalid, which says how to tell where it is now."""
    if source is not None:
        return datasets.load(source)
    try:
        return datasets.load(run.manifest.source)
    except DataSetInvalid as error:
        raise DataSetInvalid(f"the data of {run.folder}: {error}; or say with --data where it is now") from None


# --- numbers -----------------------------------------------------------------------------------------------------------


def show_numbers(common: Common, folder: Path, source: str | None, *, by_conversation: bool) -> None:
    """`recollect eval rescore`."""
    result = scored(folder, source, by_conversation=by_conversation)
    if common.json:
        common.answer(result.document())
    else:
        show_result(common, result)


def show_result(common: Common, result: Result) -> None:
    """A table of systems, and what was paid."""
    rows = {slug: one for slug, one in result.scores.items() if one.rows}
    if not rows:
        say("No question was asked yet.")
        return
    shown = [name for name in SHOWN if any(name in one.tables["released"][OVERALL] for one in rows.values())]
    table = Table(box=None, pad_edge=False)
    table.add_column("system", overflow="fold")
    for head in (*(SHOWN[name] for name in shown), "silent", "tokens", "p50", "p95"):
        table.add_column(head, justify="right", no_wrap=True)
    for slug, one in rows.items():
        numbers = [percent(one.tables["released"][OVERALL].get(name)) for name in shown]
        table.add_row(words(result.system(slug)), *numbers, percent(one.unrelated), *costs(one))
    show_table(common, table)
    asked = len({question for one in rows.values() for question in one.rows})
    say(
        f"{result.manifest.data}: {count(asked, 'question')}. In %, but tokens of a context, milliseconds of a search; silent: of"
    )
    say(
        "questions about somebody else. Intervals, categories and the corrected key: --json, or `recollect eval report`."
    )
    if result.spent.calls:
        say(f"paid: {money(result.spent)}")
    for problem in result.problems:
        say(f"not read: {plain(problem)}", stderr=True)


def money(spent: Spent) -> str:
    """ "12 calls, $0.0210", "12 calls, price not known"; "" where nothing was called."""
    price = "price not known" if spent.usd is None else f"${spent.usd:.4f}"
    return f"{count(spent.calls, 'call')}, {price}" if spent.calls else ""


def show_table(common: Common, table: Table) -> None:
    """A table at its full width, however wide the terminal is: numbers that are cut say nothing."""
    console = common.console()
    console.width = max(
        console.width, Measurement.get(console, console.options.update(max_width=WIDEST), table).maximum
    )
    console.print(table)


def percent(estimate: Estimate | None) -> str:
    """ "71.5"; "–" where nobody takes part."""
    return "–" if estimate is None or estimate.mean is None else f"{100 * estimate.mean:.1f}"


def costs(one: Scores) -> list[str]:
    """Tokens of a context, median and 95th percentile of a search."""
    tokens, seconds = one.cost.context_tokens.mean, one.cost.search_seconds
    return [
        "–" if tokens is None else f"{tokens:,.0f}",
        *("–" if s is None else f"{1000 * s:.1f}" for s in (seconds.p50, seconds.p95)),
    ]


# --- comparing ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pair:
    """Two runs, and which system of each."""

    a: Path
    b: Path
    system: str | None
    against: str | None
    data: str | None


def show_comparison(common: Common, pair: Pair, *, corrected: bool, by_conversation: bool, categories: bool) -> None:
    """`recollect eval compare`."""
    first, second = (scored(one, pair.data, by_conversation=by_conversation) for one in (pair.a, pair.b))
    if first.manifest.checksum != second.manifest.checksum:
        raise RunMismatch(f"the runs are of different data: {first.manifest.data} and {second.manifest.data}")
    found = []
    for a, b in paired(first, second, pair):
        key = "corrected" if corrected else "released"
        compared = compare(first.scores[a], second.scores[b], key, by_conversation=by_conversation)  # type: ignore[arg-type]
        found.append((first.system(a), second.system(b), compared))
    if common.json:
        told = [
            {"a": a, "b": b, "metrics": {m: as_dicts(one) for m, one in compared.items()}} for a, b, compared in found
        ]
        common.answer({"a": str(pair.a), "b": str(pair.b), "pairs": told})
        return
    for a, b, compared in found:
        say(f"{plain(b)} ({pair.b}) against {plain(a)} ({pair.a})")
        show_differences(common, compared, categories=categories)


def as_dicts(groups: Mapping[str, Compared]) -> dict[str, Any]:
    """As JSON has it."""
    return {group: asdict(one) for group, one in groups.items()}


def paired(a: Result, b: Result, pair: Pair) -> list[tuple[str, str]]:
    """Slugs to compare. Raises InvalidInput."""
    mine, theirs = list(a.scores), list(b.scores)
    if pair.system is None and pair.against is None:
        both = [slug for slug in mine if slug in theirs]
        if both and pair.a != pair.b:
            return [(slug, slug) for slug in both]
        if len(mine) == len(theirs) == 1 and pair.a != pair.b:
            return [(mine[0], theirs[0])]
        raise InvalidInput(
            "--system", f"say which: the first run has {named(a)}; and --with: the second has {named(b)}"
        )
    first = slug_in(a, pair.system, "--system")
    return [(first, slug_in(b, pair.against, "--with") if pair.against or first not in theirs else first)]


def slug_in(result: Result, name: str | None, option: str) -> str:
    """A system by its name or slug; the only one where none is named."""
    if name is None and len(result.scores) == 1:
        return next(iter(result.scores))
    for slug in result.scores:
        if name in (slug, result.system(slug)):
            return slug
    raise InvalidInput(option, f"{name!r} is not in {result.name}; there are {named(result)}")


def named(result: Result) -> str:
    """The systems of a run."""
    return "; ".join(result.system(slug) for slug in result.scores)


def show_differences(common: Common, compared: Mapping[str, Mapping[str, Compared]], *, categories: bool) -> None:
    """A row a metric; of each category too."""
    table = Table(box=None, pad_edge=False)
    table.add_column("metric", overflow="fold")
    for head in ("difference", "95 % interval", "p", "n"):
        table.add_column(head, justify="right", no_wrap=True)
    for metric, groups in compared.items():
        for group, one in groups.items():
            if group == OVERALL or categories:
                place = metric if group == OVERALL else f"  {group}"
                table.add_row(words(place, ""), *difference(one))
    show_table(common, table)
    say(
        "In points of a hundred; p by McNemar's test where a question is right or wrong, else by a paired bootstrap; Holm's over"
        " categories."
    )


def difference(one: Compared) -> list[str]:
    """A row's figures."""
    d = one.difference
    if d.mean is None or d.low is None or d.high is None:
        return ["–", "–", "–", f"{d.n:,}"]
    p = "–" if one.adjusted is None else f"{one.adjusted:.3f}"
    return [f"{100 * d.mean:+.1f}", f"{100 * d.low:+.1f} … {100 * d.high:+.1f}", p, f"{d.n:,}"]


# --- reports -----------------------------------------------------------------------------------------------------------


def write_report(
    common: Common, runs: Sequence[Path], out: Path | None, source: str | None, *, by_conversation: bool
) -> None:
    """`recollect eval report`."""
    if out is not None and out.suffix not in (".html", ".md"):
        raise InvalidInput("--out", "must end in .html or .md")
    results = [scored(one, source, by_conversation=by_conversation) for one in runs]
    if common.json and out is None:
        common.answer([one.document() for one in results])
        return
    write = report.html if out is not None and out.suffix == ".html" else report.markdown
    page = write(results, by_conversation=by_conversation)
    if out is None:
        put(page)
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(page, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise InvalidInput("--out", f"{out} cannot be written: {error.strerror}") from None
    common.answer({"report": str(out)}) if common.json else say(f"{out}: {count(len(results), 'run')}")


# --- what there is -----------------------------------------------------------------------------------------------------


def list_datasets(common: Common) -> None:
    """The sets that the project ships, and the formats that it reads."""
    formats = {name: one.description for name, one in datasets.FORMATS.items()}
    if common.json:
        common.answer({"shipped": list(datasets.SHIPPED), "formats": formats})
        return
    say("Shipped, by name:")
    for name in datasets.SHIPPED:
        say(f"  {name}")
    say("Read from a file or a folder, as it stands or below $RECOLLECT_DATA:")
    for name, description in formats.items():
        say(f"  {name:<12} {description}")


def look_into(common: Common, source: str, format_name: str | None) -> int:
    """What is in a data set. The exit code is 1 where something of it could not be read."""
    data = datasets.load(source, format_name)
    talks = turns = 0
    categories: Counter[str] = Counter()
    doubted = 0
    for one in data.conversations:
        talks, turns = talks + 1, turns + len(one.turns)
        categories.update(question.category for question in one.questions)
        doubted += sum(bool(question.doubts) for question in one.questions)
    if common.json:
        told = {"conversations": talks, "turns": turns, "questions": dict(categories), "doubted": doubted}
        common.answer({"name": data.name, "checksum": data.checksum, **told, "problems": list(data.problems)})
    else:
        say(
            f"{plain(data.name)}: {count(talks, 'conversation')}, {count(turns, 'turn')}, {count(categories.total(), 'question')}"
        )
        for category, number in categories.most_common():
            say(f"  {number:>6,}  {plain(category)}")
        if doubted:
            say(f"  {doubted:>6,}  of these with a key or evidence that an audit doubts")
        say(f"checksum {data.checksum}")
        for problem in data.problems:
            say(f"not read: {plain(problem)}", stderr=True)
    return FAULT if data.problems else 0


def list_systems(common: Common) -> None:
    """By name, with what they do."""
    if common.json:
        common.answer({"systems": dict(systems.NAMES), "variants": dict(systems.VARIANTS)})
        return
    for name, description in systems.NAMES.items():
        say(f"{name:<22} {description}")
    say("Variants of recollect's, behind its name and a colon, as in recollect-rules:turns:")
    for name, description in systems.VARIANTS.items():
        say(f"  {name:<20} {description}")
