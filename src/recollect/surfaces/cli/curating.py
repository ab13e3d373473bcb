"""`recollect update`, `delete-all` and `entity`: memories put right by hand. All of it can be undone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .common import Common, say, with_common
from .safe import count, plain
from .scopes import Agent, Filters, MemoryId, Metadata, Session, mapping

if TYPE_CHECKING:
    from ...results import Change

entity = typer.Typer(
    name="entity",
    no_args_is_help=True,
    help="Say who is who, where names and facts do not: that two names are one person or thing, or that they are not.\n\n"
    "`recollect graph` lists the names.",
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="As memories have it")]


@with_common
def update(
    common: Common,
    memory_id: MemoryId,
    text: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="What it shall say")] = None,
    metadata: Metadata = None,
) -> None:
    """Correct a memory's text, or add to its metadata. The old version stays in the history, and can be undone.

    Example: recollect update mem_01234567 "Her favorite color is green." --metadata topic=colors
    """
    extra = mapping(metadata, "--metadata")
    if text is None and extra is None:
        raise typer.BadParameter("say a TEXT, --metadata or both", param_hint="TEXT")
    with common.existing() as memory:
        item = memory.update(common.whole_id(memory, memory_id), text, extra, **common.owner)
        change = memory.history(item.id, **common.owner)[-1]
    if common.json:
        common.answer(item.model_dump(mode="json"))
        return
    from .showing import short, show_change

    show_change(common, change)
    say(f"To take it back:  recollect undo {short(change.id)}")


@with_common
def delete_all(
    common: Common,
    session: Session = None,
    agent: Agent = None,
    filters: Filters = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
) -> None:
    """Take back all memories of a user, or those that fit. They stay in the history; one undo brings them all back.

    Example: recollect delete-all --user alice --session trip-2024
    """
    from .erase import agreed

    chosen = mapping(filters, "--filter")
    if common.user is None:
        raise typer.BadParameter("say whose, for so much is not taken back by default", param_hint="--user")
    which = "those that fit" if session or agent or chosen else "all memories"
    agreed(f"Take back {which} of {plain(common.user)}? `recollect undo` brings them back", common, yes=yes)
    with common.existing() as memory:
        gone = memory.delete_all(user_id=common.user, session_id=session, agent_id=agent, metadata_filter=chosen)
    if common.json:
        common.answer({"deleted": int(gone), "batch_id": gone.batch_id})
        return
    say(f"{count(gone, 'memory', 'memories')} taken back")
    if gone.batch_id:
        from .showing import short

        say(f"To take that back:  recollect undo {short(gone.batch_id)}")


@entity.command()
@with_common
def merge(common: Common, one: Name, other: Name) -> None:
    """Say that two names are one person or thing.

    Example: recollect entity merge Mel Melanie --user alice
    """
    with common.existing() as memory:
        _tell(common, memory.merge_entities(one, other, user_id=common.user_id), f"{one} and {other} are one")


@entity.command()
@with_common
def separate(common: Common, one: Name, other: Name) -> None:
    """Say that two names are not one, whatever memories say.

    Example: recollect entity separate "Anna Meyer" Anna --user alice
    """
    with common.existing() as memory:
        _tell(common, memory.separate_entities(one, other, user_id=common.user_id), f"{one} and {other} are two")


def _tell(common: Common, change: Change, done: str) -> None:
    if common.json:
        common.answer(change.model_dump(mode="json"))
        return
    from .showing import short

    say(f"{plain(done)}. To take it back:  recollect undo {short(change.id)}")
