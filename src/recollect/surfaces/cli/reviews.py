"""`recollect quarantine`: what waits for somebody to look at it, and their word on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .common import Common, say, with_common
from .safe import count, cut, moment, plain
from .showing import short

if TYPE_CHECKING:
    from ...results import Change, Quarantined

reviews = typer.Typer(
    name="quarantine",
    no_args_is_help=True,
    help="Look at what was put aside, for it gives orders to later readers and is not the user's, or looks like an attack; bring"
    " it in or take it away.\n\nUntil then it is not served, compared with or counted.",
)
Id = Annotated[str, typer.Argument(metavar="ID", help="A memory's (mem_…) or a message's (turn_…)")]


@reviews.command("list")
@with_common
def list_(common: Common) -> None:
    """List what waits, oldest first: where it is from, why it waits, and what it says.

    Example: recollect quarantine list --user alice
    """
    with common.existing() as memory:
        waiting = memory.quarantine(user_id=common.user_id)
    if common.json:
        common.answer([item.model_dump(mode="json") for item in waiting])
        return
    for item in waiting:
        show(item)
    say(f"{count(len(waiting), 'item')} waiting for a review" if waiting else "Nothing waits for a review.")


@reviews.command()
@with_common
def approve(common: Common, identifier: Id) -> None:
    """Bring in a memory, with the messages that were hidden with it, or a message. `recollect undo` puts it back.

    Example: recollect quarantine approve mem_0123456789abcdef0123456789abcdef
    """
    with common.existing() as memory:
        tell(common, memory.approve(common.whole_id(memory, identifier), **common.owner), f"approved {identifier}")


@reviews.command()
@with_common
def drop(common: Common, identifier: Id) -> None:
    """Take away a memory or a message. It stays in the history; `recollect undo` puts it back.

    Example: recollect quarantine drop mem_0123456789abcdef0123456789abcdef
    """
    with common.existing() as memory:
        tell(common, memory.drop(common.whole_id(memory, identifier), **common.owner), f"dropped {identifier}")


def tell(common: Common, change: Change, done: str) -> None:
    """What a review did."""
    if common.json:
        common.answer(change.model_dump(mode="json"))
    else:
        say(f"{done}. To take it back:  recollect undo {short(change.id)}")


def show(item: Quarantined) -> None:
    """One item on three lines."""
    say(plain(cut(item.text, 300)))
    say(f"  {short(item.id)}, {item.source.value}: {plain(item.speaker)}, {moment(item.said_at)}")
    say(f"  waits because: {plain(item.reason)}")
