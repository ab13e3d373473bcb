"""What all commands share: the options, the store, standard output, and how errors end a command."""

from __future__ import annotations

import functools
import inspect
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from rich.console import Console

    from ... import Memory
    from ...trace import Listener

DEFAULT_USER = "default"
FAULT, BAD_INPUT, NOT_FOUND, INTERRUPTED, TERMINATED = 1, 2, 3, 130, 143
ClickException = cast(type[Exception], typer.BadParameter.__mro__[2])  # public under no name that all versions share

_PANEL = "Common options"
StoreOption = Annotated[
    Path | None,
    typer.Option("--store", metavar="PATH", help="The store's folder (default: $RECOLLECT_HOME or the data folder)",
                 rich_help_panel=_PANEL),
]  # fmt: skip
UserOption = Annotated[
    str | None, typer.Option("--user", help="Whose memories (default: default)", rich_help_panel=_PANEL)
]
LlmOption = Annotated[
    str | None,
    typer.Option("--llm", help="The language model; 'rules' is offline (default: $RECOLLECT_LLM or rules)",
                 rich_help_panel=_PANEL),
]  # fmt: skip
JsonOption = Annotated[bool, typer.Option("--json", help="Answer in JSON", rich_help_panel=_PANEL)]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error", rich_help_panel=_PANEL)]


@dataclass(frozen=True, slots=True)
class Common:
    """The common options of one call: those after the command win over those before it."""

    store: Path | None = None
    user: str | None = None
    llm: str | None = None
    json: bool = False
    debug: bool = False

    @property
    def user_id(self) -> str:
        """Whose memories a verb that needs a user works on."""
        return DEFAULT_USER if self.user is None else self.user

    @property
    def owner(self) -> dict[str, str]:
        """For verbs by id: without `--user` the caller is the operator, and any user's id is good."""
        return {} if self.user is None else {"user_id": self.user}

    def over(self, before: Common) -> Common:
        """These options, filled up with those that stood before the command."""
        return Common(
            self.store or before.store,
            before.user if self.user is None else self.user,
            self.llm or before.llm,
            self.json or before.json,
            self.debug or before.debug,
        )

    def folder(self) -> Path:
        """Where the store is, or would be."""
        from ...build import folder_of

        return folder_of(self.store)

    def open(self, on_event: Listener | None = None) -> Memory:
        """The store, made where there is none."""
        from ... import Memory

        return Memory(self.store, llm=self.llm, on_event=on_event)

    def console(self) -> Console:
        """Where people read: nothing in what is printed becomes markup, an emoji or a highlighted number by itself."""
        return console()

    def answer(self, value: Any) -> None:
        """The one JSON document of a command."""
        from .safe import as_json

        say(as_json(value))


def console(*, stderr: bool = False) -> Console:
    """A rich console that shows text as it is."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=False)


def say(line: str, *, stderr: bool = False) -> None:
    """A line of bare output, whatever the terminal's encoding."""
    stream = sys.stderr if stderr else sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)


# --- options on every command ------------------------------------------------------------------------------------------

_OPTIONS: dict[str, Any] = {
    "store": StoreOption,
    "user": UserOption,
    "llm": LlmOption,
    "json": JsonOption,
    "debug": DebugOption,
}
_DEFAULTS: dict[str, Any] = {"store": None, "user": None, "llm": None, "json": False, "debug": False}
Command = TypeVar("Command", bound=Callable[..., Any])


def with_common(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the common options; it takes them as its first argument, a `Common`."""
    inner = inspect.signature(command, eval_str=True)
    own = list(inner.parameters.values())[1:]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_DEFAULTS[name], annotation=kind)
        for name, kind in _OPTIONS.items()
    ]
    context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)

    @functools.wraps(command)
    def run(**given: Any) -> None:
        before = given.pop("ctx").find_root().obj or Common()
        common = Common(**{name: given.pop(name) for name in _OPTIONS}).over(before)
        command(common, **given)

    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own] + added + [context]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


# --- errors ------------------------------------------------------------------------------------------------------------


class Terminated(KeyboardInterrupt):
    """SIGTERM: ends a command as Ctrl-C does, with an exit code of its own."""


def listen_for_termination() -> None:
    """Let SIGTERM release what the command holds before it ends."""

    def stop(*_: object) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, stop)


def exit_code_of(error: KeyboardInterrupt) -> int:
    """128 and the signal's number, as shells have it."""
    return TERMINATED if isinstance(error, Terminated) else INTERRUPTED


class Group(TyperGroup):
    """Ends every error in one clear line and an exit code; under `--json` in one JSON document on standard error."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """As click's `main`, with our own ending."""
        words = list(sys.argv[1:] if args is None else args) or ["--help"]
        extra["standalone_mode"] = False
        try:
            code = super().main(words, *rest, **extra)
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 -- the outermost place: everything ends here
            code = end(error, words)
        sys.exit(code if isinstance(code, int) else 0)


def end(error: BaseException, arguments: Sequence[str]) -> int:
    """Report an error; the exit code that goes with it."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if "--debug" in options and not isinstance(error, ClickException | typer.Abort):
        import traceback

        say("".join(traceback.format_exception(error)).rstrip(), stderr=True)
    if isinstance(error, BrokenPipeError):
        # The reader of our output has seen enough (`| head`): nobody is there to be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAULT
    name, message, code = describe(error)
    report(name, message, code, as_json="--json" in options, error=error)
    return code


def describe(error: BaseException) -> tuple[str, str, int]:
    """An error's name, its message for people, and its exit code."""
    from ...errors import InvalidInput, NotFound, RecollectError

    if isinstance(error, InvalidInput):
        return "InvalidInput", str(error), BAD_INPUT
    if isinstance(error, NotFound):
        return "NotFound", str(error), NOT_FOUND
    if isinstance(error, RecollectError):
        return type(error).__name__, str(error), FAULT
    if isinstance(error, ClickException):
        return "UsageError", error.format_message() + _where(error), BAD_INPUT  # type: ignore[attr-defined]
    if isinstance(error, typer.Abort | KeyboardInterrupt):
        code = exit_code_of(error) if isinstance(error, KeyboardInterrupt) else INTERRUPTED
        return "Interrupted", "stopped; everything that was committed is kept", code
    return type(error).__name__, f"unexpected: {error} (run it again with --debug to see where)", FAULT


def _where(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return f" (see {context.command_path} --help)" if context is not None else ""


def report(name: str, message: str, code: int, *, as_json: bool, error: BaseException | None = None) -> None:
    """An error on standard error: `{"error", "message", "exit_code", …}` or one line."""
    from .safe import as_json as dump
    from .safe import plain

    if as_json:
        document: dict[str, Any] = {"error": name, "message": message, "exit_code": code}
        for field in ("argument", "stage", "batch_id", "retryable"):
            if (value := getattr(error, field, None)) is not None and not callable(value):
                document[field] = value
        say(dump(document, indent=None), stderr=True)
        return
    stays = getattr(error, "batch_id", None)
    hint = f" (the messages are kept as {stays}; run the same command again)" if stays else ""
    say(f"{name}: {plain(message)}{hint}", stderr=True)
