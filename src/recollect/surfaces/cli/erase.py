"""`recollect erase`: what it is about to destroy, whether that is wanted, and the receipt."""

from __future__ import annotations

import shutil
import sys
from typing import Any

import typer

from ...results import Receipt
from .common import ENDLESS, FAULT, Common, folded, say
from .safe import count, plain


def run(
    common: Common, memory_id: str | None, session: str | None, before: str | None, *, shared: bool, yes: bool
) -> int:
    """Ask, erase, and show the receipt; the exit code."""
    whose = owner(common, memory_id, shared=shared)
    confirm(meant(common, memory_id, session, before), common, yes=yes)
    with common.existing() as memory:
        named = memory_id and common.whole_id(memory, memory_id)
        receipt = memory.erase(named, session_id=session, before=before, **whose)
    if common.json:
        common.answer(receipt.model_dump(mode="json"))
    else:
        show(receipt)
    return 0 if receipt.complete else FAULT


def owner(common: Common, memory_id: str | None, *, shared: bool) -> dict[str, Any]:
    """Whose it is. What destroys has no default user."""
    if shared and common.user is not None:
        raise typer.BadParameter("goes without --user", param_hint="--shared")
    if shared:
        return {"user_id": None}
    if memory_id is None and common.user is None:
        raise typer.BadParameter("say which: a memory's id, --user, or --shared", param_hint="ID")
    return common.owner


def meant(common: Common, memory_id: str | None, session: str | None, before: str | None) -> str:
    """What is to be destroyed, in words."""
    if memory_id is not None:
        return f"the memory {memory_id}, with its history and the words that it rests on"
    whose = "in the shared space" if common.user is None else f"by {common.user}"
    where = "" if session is None else f" in the session {session}"
    when = "" if before is None else f" before {before}"
    return f"everything said {whose}{where}{when}, and all that came of it"


def confirm(what: str, common: Common, *, yes: bool) -> None:
    """Raises Abort where it is not wanted; a script has to say --yes."""
    agreed(f"Destroy {plain(what)}? There is no undo", common, yes=yes)


def agreed(question: str, common: Common, *, yes: bool) -> None:
    """Ask. Raises Abort where the answer is no."""
    if yes:
        return
    if common.json:
        raise typer.BadParameter("say it, for there is nobody to ask under --json", param_hint="--yes")
    columns = shutil.get_terminal_size().columns if sys.stderr.isatty() else ENDLESS
    typer.confirm(folded(question, columns - len(" [y/N]: ")), abort=True, err=True)


def show(receipt: Receipt) -> None:
    """What went, and whether anything is left."""
    say(f"erased: {count(receipt.memories, 'memory', 'memories')}, {count(receipt.turns, 'turn')}")
    if receipt.blanked:
        say(f"{count(receipt.blanked, 'turn')} blanked where other memories rest on them")
    if receipt.kept_quotes:
        say(f"{count(receipt.kept_quotes, 'quote')} kept: other memories quote the same words")
    if receipt.restored:
        say(f"{count(receipt.restored, 'earlier version')} hold again")
    if not receipt.complete:
        say(f"not complete: {plain(receipt.reason or '')}. `recollect resume` completes it.", stderr=True)
