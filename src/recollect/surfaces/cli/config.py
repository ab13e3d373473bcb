"""`recollect config`: every setting, its value, and which of flag, environment and file won."""

from __future__ import annotations

import typer

from .common import Common, say
from .safe import plain, words
from .settings import KINDS, Won, file_of, make, masked, read


def config(common: Common, *, path: bool, init: bool) -> None:
    """Show the settings; or the file's path; or make the file."""
    if path and init:
        raise typer.BadParameter("goes without --path", param_hint="--init")
    if path or init:
        place = make(common.config) if init else file_of(common.config)[0]
        where = plain(place) if path else f"{plain(place)}: made; every setting stands in it, each as a comment"
        common.answer({"path": str(place)}) if common.json else say(where)
        return
    file = read(common.config)
    shown = {name: (masked(name, held(common, name, won)), won) for name, won in common.settings.items()}
    if common.json:
        told = {
            name: {"value": value, "from": won.origin, "where": won.where or None, "unused": won.unused}
            for name, (value, won) in shown.items()
        }
        common.answer({"path": str(file.path), "exists": file.exists, "settings": told, "warnings": file.warnings})
        return
    show(common, shown)
    note = "" if file.exists else "; there is none yet, and `recollect config --init` makes it"
    say(f"\nsettings file: {plain(file.path)}{note}")
    say("A flag wins over the environment, the environment over the file. `Memory()` in Python does not read the file.")
    for warning in file.warnings:
        say(f"warning: {plain(warning)}", stderr=True)


def held(common: Common, name: str, won: Won) -> object:
    """A setting's value as it is used: of the store's folder, where it is."""
    return str(common.folder()) if name == "store" else won.value


def show(common: Common, shown: dict[str, tuple[object, Won]]) -> None:
    """A table."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("setting", "value", "from"):
        table.add_column(column, no_wrap=column == "setting", overflow="fold")
    for name, (value, won) in shown.items():
        said = KINDS[name].default if value is None else as_written(value)
        place = won.where if won.origin in ("flag", "environment") else won.origin
        if won.unused:
            place = f"default (not used: {won.unused})"
        table.add_row(name, words(said, "dim" if won.origin == "default" else ""), words(place, "dim"))
    common.console().print(table)


def as_written(value: object) -> str:
    """A value as a settings file has it, without the quotation marks."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
