"""The commands. Each opens the store, calls one verb, and shows what it answers; heavy imports wait until then."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from . import curating, looking
from .common import Common, Group, listen_for_termination, say, with_common
from .evals import evals
from .reviews import reviews
from .safe import count, plain
from .scopes import (
    Agent,
    AsOf,
    Filters,
    KnownAt,
    MemoryId,
    Metadata,
    MinScore,
    NoGraph,
    Now,
    Session,
    Since,
    Until,
    mapping,
)

if TYPE_CHECKING:
    from ...results import AddResult

app = typer.Typer(
    cls=Group,
    name="recollect",
    pretty_exceptions_enable=False,  # its tracebacks show local variables, keys among them
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A memory layer for LLM applications: facts from conversations, with their evidence, kept current.\n\n"
    "Try `recollect demo` first. Every command has an example in its --help, and takes the options below, those of models and"
    " some more, which stand there. docs/cli.md is the guide.\n\n"
    "With --json the answer is one JSON document on standard output, an error one on standard error.\n\n"
    "Exit codes: 0 done, 1 a fault, 2 bad input, 3 not found, 130 interrupted, 143 terminated.",
)

app.add_typer(reviews)
app.add_typer(evals)


def main() -> None:
    """The entry point."""
    listen_for_termination()
    app()


def show_version(wanted: bool) -> None:
    """Print the version, and end."""
    if wanted:
        from importlib.metadata import version

        say(f"recollect {version('recollect')}")
        raise typer.Exit


@app.callback()
@with_common
def before(
    common: Common,
    version: Annotated[bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show it")] = False,
) -> None:
    """The common options may stand before the command too."""


@app.command()
@with_common
def setup(common: Common) -> None:
    """Get the default embedder's weights (84 MB), and check them.

    Example: recollect setup
    """
    from ...adapters.weights import install_weights

    folder = install_weights((lambda _: None) if common.json else say)
    if common.json:
        common.answer({"weights": str(folder)})


@app.command()
@with_common
def config(
    common: Common,
    path: Annotated[bool, typer.Option("--path", help="Only say where the settings file is")] = False,
    init: Annotated[
        bool, typer.Option("--init", help="Make the settings file, with every setting as a comment")
    ] = False,
) -> None:
    """Show every setting, its value, and what won: a flag, the environment, the settings file or the default.

    Keys are never shown. The file is TOML, with the names that stand in the first column.

    Example: recollect config --llm openai/gpt-5-mini
    """
    from .config import config as show_settings

    show_settings(common, path=path, init=init)


@app.command()
@with_common
def add(
    common: Common,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What was said; - reads it from standard input")],
    session: Annotated[str | None, typer.Option(metavar="ID", help="The session that it belongs to")] = None,
    agent: Annotated[str | None, typer.Option(metavar="ID", help="The agent that it was said to")] = None,
    at: Annotated[str | None, typer.Option(metavar="WHEN", help="When it was said (ISO 8601)")] = None,
    expires: Annotated[str | None, typer.Option(metavar="WHEN", help="Until when it is served")] = None,
    metadata: Metadata = None,
    whole: Annotated[bool, typer.Option("--whole", help="Keep the text as one memory, extract nothing")] = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Only take it in, safe on disk; `recollect resume` does the rest")
    ] = False,
) -> None:
    """Remember something.

    Example: recollect add "My favorite color is blue."
    """
    said = standard_input() if text == "-" else text
    with common.open() as memory:
        result = memory.add(
            said,
            user_id=common.user_id,
            session_id=session,
            agent_id=agent,
            timestamp=at,
            expires_at=expires,
            metadata=mapping(metadata, "--metadata"),
            infer=not whole,
            wait=not no_wait,
        )
    if common.json:
        common.answer(result.model_dump(mode="json"))
        return
    show_added(common, result)


def standard_input() -> str:
    """All that comes there. Raises BadParameter where it is no text."""
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError:
        raise typer.BadParameter("what comes by standard input is not UTF-8", param_hint="TEXT") from None


def show_added(common: Common, result: AddResult) -> None:
    """What came of it, what was left out, and what it cost."""
    from .cost import show_paid
    from .showing import show_change

    for change in result.changes:
        show_change(common, change)
    if result.status == "pending":
        say("Taken in, and safe on disk. `recollect resume` makes memories of it.")
    elif not result.changes:
        say("Nothing in it was a fact to remember; the words themselves are kept and searchable (search --turns).")
    if result.redacted:
        kinds = ", ".join(sorted({one.kind for one in result.redacted}))
        say(f"kept out: {count(len(result.redacted), 'secret')} ({kinds}); --no-redact keeps what looks like one")
    if result.erased:
        say(f"left out: {count(result.erased, 'message')} that had been erased")
    for one in result.rejected:
        say(f"not kept: {plain(one.text)} ({plain(one.reason)})")
    show_paid(result.usage)


@app.command()
@with_common
def search(
    common: Common,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What to look for")],
    limit: Annotated[int, typer.Option(help="At most so many hits")] = 10,
    turns: Annotated[bool, typer.Option("--turns", help="What was said, too")] = False,
    session: Session = None,
    agent: Agent = None,
    filters: Filters = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    since: Since = None,
    until: Until = None,
    now: Now = None,
    min_score: MinScore = None,
    no_graph: NoGraph = False,
    explain: Annotated[bool, typer.Option("--explain", help="How each hit was found")] = False,
) -> None:
    """Find memories.

    Example: recollect search "where does she work?" --turns
    """
    from .showing import show_hits

    with common.existing() as memory:
        hits = memory.search(
            query,
            user_id=common.user_id,
            limit=limit,
            session_id=session,
            agent_id=agent,
            metadata_filter=mapping(filters, "--filter"),
            as_of=as_of,
            known_at=known_at,
            since=since,
            until=until,
            now=now,
            min_score=min_score,
            include=("memories", "turns") if turns else ("memories",),
            graph=not no_graph,
            explain=explain,
        )
    if common.json:
        common.answer([hit.model_dump(mode="json") for hit in hits])
        return
    show_hits(common, hits)


@app.command("list")
@with_common
def list_(
    common: Common,
    limit: Annotated[int | None, typer.Option(help="At most so many")] = None,
    after: Annotated[str | None, typer.Option(metavar="ID", help="Go on behind this memory")] = None,
    session: Session = None,
    agent: Agent = None,
    filters: Filters = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
) -> None:
    """List memories in the order in which they were recorded.

    Example: recollect list --as-of 2024-03-01 --filter topic=travel
    """
    from .showing import show_items

    with common.existing() as memory:
        items = memory.get_all(
            user_id=common.user_id,
            limit=limit,
            after=after and common.whole_id(memory, after, "--after"),
            session_id=session,
            agent_id=agent,
            metadata_filter=mapping(filters, "--filter"),
            as_of=as_of,
            known_at=known_at,
        )
    if common.json:
        common.answer([item.model_dump(mode="json") for item in items])
        return
    show_items(common, items, limit)


@app.command()
@with_common
def timeline(
    common: Common,
    entity: Annotated[str | None, typer.Option(help="Of whom or what, such as Anna")] = None,
    slot: Annotated[str | None, typer.Option(help="Of what about them, such as employer")] = None,
    as_of: Annotated[str | None, typer.Option(help="As it was then (ISO 8601)")] = None,
) -> None:
    """Show what is known of somebody, or of one thing about them, in the order of time.

    Example: recollect timeline --entity Anna --slot employer
    """
    from .timeline import timeline as show_timeline

    show_timeline(common, entity, slot, as_of)


@app.command()
@with_common
def show(common: Common, memory_id: MemoryId) -> None:
    """Show a memory with its times and its sources.

    Example: recollect show mem_01234567
    """
    from .showing import described, show_properties

    with common.existing() as memory:
        item = memory.get(common.whole_id(memory, memory_id), **common.owner)
        sources = memory.sources(item.id, **common.owner)
    if common.json:
        common.answer({**item.model_dump(mode="json"), "sources": [one.model_dump(mode="json") for one in sources]})
        return
    show_properties(common, [("memory", item.text), *described(item, sources)])


@app.command()
@with_common
def history(common: Common, memory_id: MemoryId) -> None:
    """Show every change that a memory went through; their ids are what `undo` takes.

    Example: recollect history mem_01234567
    """
    from .showing import show_changes

    with common.existing() as memory:
        changes = memory.history(common.whole_id(memory, memory_id), **common.owner)
    if common.json:
        common.answer([change.model_dump(mode="json") for change in changes])
        return
    show_changes(common, changes)


@app.command()
@with_common
def delete(common: Common, memory_id: MemoryId) -> None:
    """Take a memory back. It stays in the history, and can be undone.

    Example: recollect delete mem_01234567
    """
    with common.existing() as memory:
        named = common.whole_id(memory, memory_id)
        memory.delete(named, **common.owner)
        change = memory.history(named, **common.owner)[-1]
    if common.json:
        common.answer({"deleted": named, "change_id": change.id})
        return
    from .showing import short, show_change

    show_change(common, change)
    say(f"To take that back:  recollect undo {short(change.id)}")


@app.command()
@with_common
def erase(
    common: Common,
    memory_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="A memory; without, say --user")] = None,
    session: Annotated[str | None, typer.Option(help="What the user said in this session")] = None,
    before: Annotated[str | None, typer.Option(help="What the user said before then (ISO 8601)")] = None,
    shared: Annotated[bool, typer.Option("--shared", help="The shared space, in the place of --user")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
) -> None:
    """Destroy a memory, or what a user said (all of it, a session, before a date), and all that came of it. There is no undo.

    Exit code 1 where remnants are left in the files because another process reads: run it again, or `recollect resume`.

    Example: recollect erase --user alice --before 2024-01-01
    """
    from .erase import run

    raise typer.Exit(run(common, memory_id, session, before, shared=shared, yes=yes))


@app.command()
@with_common
def retention(
    common: Common,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than", metavar="AGE", help="What was said longer ago: 365d, 52w, 12m, 1y, or before a date"
        ),
    ] = None,
    expired: Annotated[bool, typer.Option("--expired/--no-expired", help="What has expired")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go; nothing does")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
) -> None:
    """Destroy what is kept no longer, of all users or (--user) of one: what is too old, what has expired. There is no undo.

    Meant to be run every day. Stopped, what went is gone, and the same command goes on from there. Exit code 1 where remnants are
    left in the files because another process reads: run it again, or `recollect resume`.

    Example: recollect retention --older-than 365d --yes
    """
    from .retention import run

    raise typer.Exit(run(common, older_than, expired=expired, dry=dry_run, yes=yes))


@app.command()
@with_common
def undo(
    common: Common,
    change_or_batch_id: Annotated[
        str, typer.Argument(metavar="ID", help="A change's (chg_…) or an add's (batch_…), or its beginning")
    ],
) -> None:
    """Undo a change (chg_…), or all of an add (batch_…).

    Example: recollect undo chg_01234567
    """
    from .showing import show_change

    with common.existing() as memory:
        changes = memory.undo(common.whole_id(memory, change_or_batch_id), **common.owner)
    if common.json:
        common.answer([change.model_dump(mode="json") for change in changes])
        return
    for change in changes:
        show_change(common, change)


@app.command()
@with_common
def stats(common: Common) -> None:
    """Say how much is stored; with --user, of that user.

    Example: recollect stats --json
    """
    from .showing import show_properties

    with common.existing() as memory:
        found = memory.stats(**common.owner).model_dump(mode="json")
    if common.json:
        common.answer(found)
        return
    rows = [
        (name.replace("_", " "), f"{value:,}" if isinstance(value, int) else value) for name, value in found.items()
    ]
    nobody = ("schema version", "0")  # that of the store is told with those of somebody
    show_properties(common, [(name, value) for name, value in rows if value is not None and (name, value) != nobody])


@app.command()
@with_common
def doctor(
    common: Common,
    mend: Annotated[
        bool, typer.Option("--mend", help="Put right what follows from the rest of the store; history is never touched")
    ] = False,
) -> None:
    """Check that the store and its surroundings are well, and say what to do where they are not.

    Every text against its digest, every quote against its turn, every index against its table. Exit code 1 where problems remain.

    Example: recollect doctor --mend
    """
    from .doctor import run

    raise typer.Exit(run(common, mend=mend))


@app.command()
@with_common
def ingest(
    common: Common,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE…", help="Files, folders or patterns such as 'talks/*.json'; - is standard input"),
    ],
    format: Annotated[
        str | None,
        typer.Option(help="chat, chatgpt, claude, sharegpt, locomo, longmemeval, csv or text (default: recognised)"),
    ] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="FIELD=COLUMN,…", help="Of a CSV file, such as content=text,role=who")
    ] = None,
    conversation: Annotated[str | None, typer.Option(help="Only this conversation")] = None,
    concurrency: Annotated[int, typer.Option(help="Calls of the model at once")] = 8,
    report: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write the summary there, in JSON")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would cost; near once 20 chunks are in. Send nothing")
    ] = False,
) -> None:
    """Remember whole conversations; each is a user of its own unless --user is given. Run again, it goes on.

    The exports of ChatGPT and Claude are one person's: they go to the user 'default', as in the other commands.

    Example: recollect ingest talks.jsonl --llm openai/gpt-5-mini --budget cost=1.50
    """
    from .ingest import run

    raise typer.Exit(
        run(common, files, format, conversation, columns, concurrency=concurrency, report=report, dry=dry_run)
    )


@app.command()
@with_common
def pending(common: Common) -> None:
    """List what was accepted and is not finished, and why; with --user, of that user.

    Example: recollect pending
    """
    from .unfinished import pending as show

    show(common)


@app.command()
@with_common
def resume(
    common: Common,
    include_failed: Annotated[
        bool, typer.Option("--include-failed", help="Also what was given up after five attempts")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for what other processes are working on")] = False,
) -> None:
    """Finish what is pending, of all users.

    Example: recollect resume --llm openai/gpt-5-mini
    """
    from .unfinished import resume as finish

    if wait and include_failed:
        raise typer.BadParameter("goes without --include-failed", param_hint="--wait")
    raise typer.Exit(finish(common, include_failed=include_failed, wait=wait))


@app.command()
@with_common
def retell(
    common: Common,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would cost; send nothing")] = False,
) -> None:
    """Extract a user's kept turns anew, with the model named now, in place of what the rules or another model made of them.

    Example: recollect retell --user alice --llm openai/gpt-5-mini
    """
    from .retell import run

    run(common, dry=dry_run)


@app.command()
@with_common
def reembed(common: Common) -> None:
    """Change the store's embedder to the one that --embedder names: minilm, or a hosted one.

    Everything goes on meanwhile with the old one. Stopped, the same command goes on from there; with another name it begins
    anew, with the store's own it is called off. Other processes have to open the store anew when it is done.

    Example: recollect reembed --embedder openai/text-embedding-3-small
    """
    from .reembed import run

    run(common)


@app.command()
@with_common
def backup(
    common: Common,
    destination: Annotated[Path, typer.Argument(metavar="DESTINATION", help="The file to write; its folder is there")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file of that name")] = False,
) -> None:
    """Copy the whole store into one file while others go on writing. It is checked before it gets its name.

    Example: recollect backup /mnt/backups/memory.sqlite3 --overwrite
    """
    from .backup import backup as copy

    copy(common, destination, overwrite=overwrite)


@app.command()
@with_common
def restore(
    common: Common,
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A file that `recollect backup` wrote")],
    force: Annotated[
        bool, typer.Option("--force", help="Also where a store is: that one is set aside, in a folder beside it")
    ] = False,
) -> None:
    """Make a store of a backup, in the folder that --store names.

    Example: recollect restore /mnt/backups/memory.sqlite3 --store ./restored
    """
    from .backup import restore as make

    make(common, source, force=force)


@app.command()
@with_common
def export(
    common: Common,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The file to write (default: standard output)")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file of that name")] = False,
    format_name: Annotated[
        str, typer.Option("--format", help="json, one document to read; or jsonl, a file that `recollect import` reads")
    ] = "json",
    everyone: Annotated[bool, typer.Option("--all", help="Of all users, as jsonl")] = False,
    no_vectors: Annotated[
        bool, typer.Option("--no-vectors", help="Leave them out of jsonl: a smaller file, and they are made anew")
    ] = False,
) -> None:
    """Give out everything that is held on a user, as one JSON document; or, of one or all users, for another store.

    Example: recollect export --user alice --out alice.json

    Example: recollect export --all --format jsonl --out everybody.jsonl
    """
    from .export import export as give_out
    from .export import export_lines

    if format_name == "json" and not everyone and not no_vectors:
        give_out(common, out, overwrite=overwrite)
    else:
        export_lines(common, out, format_name, everyone=everyone, vectors=not no_vectors, overwrite=overwrite)


@app.command("import")
@with_common
def import_(
    common: Common,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="What `recollect export --format jsonl` wrote")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--from", metavar="NAME", help="Instead of a file, another memory: mem0")
    ] = None,
    mem0_python: Annotated[
        Path | None,
        typer.Option(
            "--mem0-python",
            metavar="PATH",
            help="The Python of an environment that has mem0 (default: $RECOLLECT_MEM0_PYTHON)",
        ),
    ] = None,
    mem0_config: Annotated[
        Path | None,
        typer.Option("--mem0-config", metavar="FILE", help="What mem0 is configured with, as JSON"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would come")] = False,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave out users who have other memories here")
    ] = False,
    allow_erased: Annotated[bool, typer.Option("--allow-erased", help="Also what was erased here before")] = False,
) -> None:
    """Take in everything of an export: memories with their history, times, quotes and reviews. Users keep their names; --user
    gives a file of one user another one. With --from mem0, --user is whose the memories of an agent or a run alone become.

    Example: recollect import everybody.jsonl --dry-run

    Example: recollect import --from mem0 --mem0-python ~/mem0-env/bin/python --mem0-config mem0.json
    """
    from .importing import from_file, from_mem0

    if source is not None:
        told = from_mem0(common, source, file, mem0_python, mem0_config, dry_run=dry_run, allow_erased=allow_erased)
        raise typer.Exit(told)
    raise typer.Exit(from_file(common, file, dry_run=dry_run, skip_existing=skip_existing, allow_erased=allow_erased))


@app.command()
@with_common
def graph(
    common: Common,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="FILE.html, a page to explore, or FILE.png, a picture (default: lines)"
        ),
    ] = None,
    entity: Annotated[str | None, typer.Option("--entity", metavar="NAME", help="Only what is around this one")] = None,
    depth: Annotated[int, typer.Option("--depth", help="With --entity: how many steps from it")] = 1,
    most: Annotated[int, typer.Option("--most", help="Entities at most: those that most memories name")] = 150,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file of that name")] = False,
) -> None:
    """Show who and what a user's memories name, and how they relate. The page needs no network, and is readable for you alone.

    Example: recollect graph --user alice --out alice.html
    """
    from .graph import graph as show

    show(common, out, entity, depth=depth, most=most, overwrite=overwrite)


@app.command()
@with_common
def audit(common: Common) -> None:
    """Show who changed what of a user's memories, and when. No content is shown; --actor says who acts.

    Example: recollect audit --user alice
    """
    from .audit import audit as show_all

    show_all(common)


@app.command()
@with_common
def demo(common: Common) -> None:
    """Ingest a conversation, watch the decisions, and get ten answers with their sources. No key, no network.

    Example: recollect demo
    """
    from .demo import run

    raise typer.Exit(run(common))


@app.command()
@with_common
def chat(
    common: Common,
    session: Annotated[
        str | None, typer.Option(metavar="ID", help="The conversation's name, to go on with one (default: a new one)")
    ] = None,
    system: Annotated[str | None, typer.Option(metavar="TEXT", help="The system prompt, in place of our own")] = None,
) -> None:
    """Talk with a model that remembers. Without --llm, memories themselves are quoted: no model, no network.

    /help lists what can be asked beside: why an answer came out so, what is remembered, forgetting and undoing. With --json each
    line of standard input is answered by a line of JSON.

    Example: recollect chat --llm openai/gpt-5-mini --user alice
    """
    from .chat import run

    raise typer.Exit(run(common, session, system))


app.command()(looking.context)
app.command()(looking.count)
app.command()(looking.users)
app.command()(looking.watch)
app.command()(curating.update)
app.command("delete-all")(curating.delete_all)
app.add_typer(curating.entity)

# In the order in which the help lists them.
PANELS = {
    "Begin here": ("demo", "setup", "config"),
    "Remember and ask": ("add", "search", "context", "list", "show", "count", "timeline", "graph", "watch", "chat"),
    "Put right": ("update", "history", "delete", "delete-all", "undo", "quarantine", "entity"),
    "Conversations": ("ingest", "pending", "resume", "retell"),
    "Destroy": ("erase", "retention"),
    "The store": ("users", "stats", "audit", "export", "import", "backup", "restore", "reembed", "doctor"),
    "Measure": ("eval",),
}


def arrange() -> None:
    """Put every command in its panel, in the panel's order, with the first sentence of its help."""
    names = {name: panel for panel, named in PANELS.items() for name in named}
    order = list(names)
    for command in app.registered_commands:
        command.name = str(command.name or getattr(command.callback, "__name__", ""))
        command.rich_help_panel = names[command.name]
        command.short_help = first_sentence(command.callback.__doc__ or "")
    app.registered_commands.sort(key=lambda command: order.index(str(command.name)))
    for group in app.registered_groups:
        info = cast("typer.Typer", group.typer_instance).info
        group.rich_help_panel, group.short_help = names[str(info.name)], first_sentence(str(info.help))


def first_sentence(text: str) -> str:
    """Up to the first full stop."""
    return " ".join(text.split()).split(". ")[0].removesuffix(".") + "."


arrange()
