"""`recollect chat`: a conversation that is remembered. Each turn is answered with what is known on it, and learnt afterwards."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ... import Hit, Memory
from ...chat import ChatMemory, PendingTurns
from ...errors import BudgetExceeded, InvalidInput, ModelError, RecollectError
from ...memory import add_usage
from ...results import Change, MemoryItem
from ...trace import Committed, Event
from .common import BAD_INPUT, FAULT, NOT_FOUND, Common, Terminated, describe, put, say
from .cost import show_paid
from .readers import SYSTEM, Quoting, Reader, reader_of
from .safe import as_json, count, cut, day, plain, words
from .showing import said_by, short, show_change, show_properties, show_table, told, who_else
from .terminal import Writer, lines

HISTORY = 40  # messages that the model reads again with each turn; what is older, memory tells
RECALL_S = 2.0  # a person waits longer than a server's clients do
LISTED = 50  # memories of one list
REASONS = 8  # of them /why lists, unless it is to list all
HELP = (
    ("/why [all]", "what was remembered for the last answer, and who said it when; the best first"),
    ("/memories [WORDS]", "what is remembered (that has to do with WORDS)"),
    ("/forget N", "take back a memory: its number in the last list, its id, or words that it says"),
    ("/undo", "take back the last thing that was learnt or forgotten; again, the one before"),
    ("/as-of DATE", "answer as of then, and learn nothing; /as-of now goes back"),
    ("/help, /quit", "Ctrl-C stops an answer, Ctrl-D ends"),
)


class Heard:
    """What was learnt in the background, and is not told yet."""

    def __init__(self) -> None:
        self._changes: deque[Change] = deque()

    def on_event(self, event: Event) -> None:
        """Keep what changed something."""
        if isinstance(event, Committed):
            self._changes.extend(change for change in event.changes if change.op.value != "NONE")

    def show(self, common: Common) -> None:
        """Tell it."""
        while self._changes:
            change = self._changes.popleft()
            if not common.json:
                show_change(common, change, "learnt:")


@dataclass(slots=True)
class Answer:
    """One turn: what was said, the reply, what was shown for it, and what was wrong."""

    message: str
    reply: str = ""
    hits: tuple[Hit, ...] = ()
    without: str | None = None  # why it was answered without memory
    stopped: bool = False
    error: RecollectError | None = None

    def told(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "message": self.message,
            "reply": self.reply,
            "stopped": self.stopped,
            "error": None if self.error is None else type(self.error).__name__,
            "without_memory": self.without,
            "shown": [hit.model_dump(mode="json") for hit in self.hits],
        }


@dataclass(slots=True)
class Talk:
    """A conversation, and where it is. `past`: the time that it looks back to; `listed`: ids in the order of the last list."""

    common: Common
    memory: Memory
    chat: ChatMemory
    reader: Reader
    heard: Heard
    system: str
    messages: list[dict[str, Any]] = field(default_factory=list)
    aside: list[dict[str, Any]] = field(default_factory=list)
    past: str | None = None
    last: Answer | None = None
    listed: list[str] = field(default_factory=list)
    began: int = 0
    failed: bool = False

    # --- a turn --------------------------------------------------------------------------------------------------------

    def turn(self, message: str) -> None:
        """Recall, answer, learn."""
        so_far = self.messages if self.past is None else self.aside
        so_far.append({"role": "user", "content": message})
        answer = self.last = Answer(message)
        try:
            self._answered(answer, self._recalled(answer, so_far[-HISTORY:]))
        finally:
            self._noted(answer, so_far)
        if self.common.json:
            put(as_json(answer.told(), indent=None))
        elif answer.error is not None:
            name, problem, _ = describe(answer.error)
            say(f"{name}: {plain(problem)}. What you said is kept, and will be learnt.", stderr=True)

    def _recalled(self, answer: Answer, so_far: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The conversation with what is remembered."""
        if self.past is None:
            told = self.chat.before(so_far)
            shown = self.chat.shown()
            answer.hits, answer.without = shown.hits, shown.error
            return told
        found = self.memory.context(answer.message, user_id=self.chat.user_id, as_of=self.past)
        answer.hits = found.hits
        content = f"{found.text}\n\n{answer.message}" if found.hits else answer.message
        return [*so_far[:-1], {"role": "user", "content": content}]

    def _answered(self, answer: Answer, told: Sequence[dict[str, Any]]) -> None:
        """Write the answer as it comes. Ctrl-C stops it; what is wrong with the model is noted."""
        writer = None if self.common.json else Writer()
        pieces = self.reader.reply([{"role": "system", "content": self.system}, *told], answer.message, answer.hits)
        try:
            for piece in pieces:
                answer.reply += piece
                if writer is not None:
                    writer.write(piece)
        except (ModelError, BudgetExceeded) as error:
            answer.error, self.failed = error, True
        except Terminated:
            raise
        except KeyboardInterrupt:
            answer.stopped = True
        if writer is not None and (answer.reply or answer.stopped):
            writer.write(" [stopped]" if answer.stopped else "")
            writer.end()

    def _noted(self, answer: Answer, so_far: list[dict[str, Any]]) -> None:
        """Learn it, unless it looks back. What was not answered stands alone: asked again, it is taken once."""
        if self.past is None:
            self.chat.after(so_far[-HISTORY:], answer.reply or None)
        if answer.reply:
            so_far.append({"role": "assistant", "content": answer.reply})
        else:
            so_far.pop()
        if self.past is None and isinstance(self.reader, Quoting):
            self.chat.flush()  # it costs nothing, and is seen at once

    # --- commands ------------------------------------------------------------------------------------------------------

    def command(self, line: str) -> bool:
        """Do what a line that begins with / says; whether the conversation goes on. Raises RecollectError."""
        name, _, rest = line[1:].partition(" ")
        if name in ("quit", "exit", "q"):
            return False
        known: dict[str, Callable[[str], None]] = {
            "why": self.why,
            "memories": self.memories,
            "forget": self.forget,
            "undo": self.undo,
            "as-of": self.as_of,
            "help": lambda _: show_properties(self.common, HELP),
        }
        if self.common.json or name not in known:
            where = "is not for --json" if name in known else "is no command: /help lists them"
            raise InvalidInput(f"/{name}", where)
        known[name](rest.strip())
        return True

    def why(self, wanted: str) -> None:
        """What was remembered for the last answer: what fits it best, or all of it."""
        if self.last is None:
            say("Nothing was answered yet.")
        elif self.last.without:
            say(f"It was answered without memory: {self.last.without}.")
        elif not self.last.hits:
            say("Nothing that is remembered has to do with it.")
        else:
            best = sorted(self.last.hits, key=lambda hit: -hit.score)
            shown = best if wanted == "all" else best[:REASONS]
            self._list([(hit.id, plain(told(hit)), behind(hit)) for hit in shown])
            if len(best) > len(shown):
                say(f"The best {len(shown)} of {len(best)}; /why all lists them all.")

    def memories(self, wanted: str) -> None:
        """What is remembered, all of it or on something."""
        self._learnt()
        whose = self.chat.user_id
        found: Sequence[MemoryItem | Hit]
        if wanted:
            found = self.memory.search(wanted, user_id=whose, as_of=self.past, limit=LISTED)
        else:
            found = self.memory.get_all(user_id=whose, as_of=self.past)
        if not found:
            say(f"Nothing is remembered{' that has to do with it' if wanted else ''}.{who_else(self.common)}")
            return
        shown = found[:LISTED] if wanted else found[-LISTED:]
        self._list([(one.id, one.text, f"since {day(one.valid_from)}") for one in shown])
        if len(found) > len(shown):
            say(f"The last {len(shown)} of {count(len(found), 'memory', 'memories')}; /memories WORDS looks for some.")

    def _list(self, rows: Sequence[tuple[str, str, str]]) -> None:
        """Numbered, for /forget."""
        from rich.table import Table

        self.listed = [identifier for identifier, _, _ in rows]
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(justify="right", style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for number, (identifier, text, note) in enumerate(rows, start=1):
            grid.add_row(str(number), words(text))
            grid.add_row("", words(f"{note} · {short(identifier)}", "dim"))
        show_table(self.common, grid)

    def forget(self, what: str) -> None:
        """Take back a memory. Raises NotFound, InvalidInput."""
        self._learnt()
        whose = self.chat.user_id
        identifier = self._named(what)
        if not identifier.startswith("mem_"):
            raise InvalidInput("/forget", "what was said is not forgotten by itself: `recollect erase` destroys it")
        self.memory.delete(identifier, user_id=whose)
        show_change(self.common, self.memory.history(identifier, user_id=whose)[-1], "forgotten:")
        say("/undo brings it back.")

    def _named(self, what: str) -> str:
        """The id of what is to be forgotten."""
        whose = self.chat.user_id
        if not what:
            raise InvalidInput("/forget", "say which: its number in the last list, its id, or words that it says")
        if what.isdecimal():
            if not 1 <= int(what) <= len(self.listed):
                raise InvalidInput("/forget", f"there is no {int(what)} in the last list: /memories makes one")
            return self.listed[int(what) - 1]
        if what.startswith(("mem_", "turn_")):
            return self.memory.find_id(what, user_id=whose)
        wanted = what.casefold()
        fits = [one for one in self.memory.get_all(user_id=whose) if wanted in one.text.casefold()]
        if len(fits) == 1:
            return fits[0].id
        if not fits:
            raise InvalidInput("/forget", f"no memory says “{cut(plain(what), 60)}”")
        self._list([(one.id, one.text, f"since {day(one.valid_from)}") for one in fits[:LISTED]])
        raise InvalidInput("/forget", f"{count(len(fits), 'memory', 'memories')} say that: name one by its number")

    def undo(self, _: str) -> None:
        """Take back the last change of this conversation that stands."""
        self._learnt()
        whose = self.chat.user_id
        changes = self.memory.changes(user_id=whose, after=self.began, limit=100_000)
        undone = {one.undoes for one in changes}
        stands = [one for one in changes if one.undoes is None and one.id not in undone and one.op.value != "NONE"]
        if not stands:
            say("Nothing of this conversation is left to be taken back.")
            return
        for one in self.memory.undo(stands[-1].id, user_id=whose):
            show_change(self.common, one, "undone:")

    def as_of(self, when: str) -> None:
        """Look back to a time, or come back to now. Raises InvalidInput."""
        from ...check import time

        if when in ("", "now"):
            say("Now." if self.past is not None else "It is now. /as-of 2024-03-01 looks back.")
            self.past = None
            return
        time("/as-of", when)
        self._learnt()
        self.past, self.aside = when, []
        say(f"As of {plain(when)}. Nothing that is said is learnt, until /as-of now.")

    def _learnt(self) -> None:
        """What was said so far, learnt now, so that it is seen."""
        show_waiting(self.chat.flush())
        self.heard.show(self.common)


def behind(hit: Hit) -> str:
    """Who said it when, in which words."""
    quotes = "; ".join(f"“{cut(one.quote, 80)}”" for one in hit.sources[-2:] if one.quote)
    ended = hit.until or hit.valid_to
    parts = [*said_by(hit.sources), *([quotes] if quotes else []), *([f"until {day(ended)}"] if ended else [])]
    return " · ".join(parts)


def run(common: Common, session: str | None, system: str | None) -> int:
    """Talk until the input ends; the exit code."""
    reader, heard = reader_of(common), Heard()
    if not common.debug:
        logging.getLogger("recollect").addHandler(
            logging.NullHandler()
        )  # what it would say is said in the conversation
    with common.open(heard.on_event) as memory:
        chat = ChatMemory(memory, user_id=common.user_id, session_id=session, recall_seconds=RECALL_S)
        talk = Talk(common, memory, chat, reader, heard, system or SYSTEM)
        talk.began = next((one.number for one in memory.users() if one.user_id == chat.user_id), 0)
        greet(talk)
        converse(talk)
        waiting = chat.close()
        heard.show(common)
        usage = add_usage(reader.used)
        spent = memory.spent
    if not common.json:
        show_waiting(waiting)
        show_paid(spent.model_copy(update={
            "llm_calls": spent.llm_calls + usage.llm_calls,
            "input_tokens": spent.input_tokens + usage.input_tokens,
            "output_tokens": spent.output_tokens + usage.output_tokens,
            "tokens": spent.tokens + usage.tokens,
            "cost_usd": None if spent.cost_usd is None or usage.cost_usd is None else spent.cost_usd + usage.cost_usd,
        }))  # fmt: skip
    return FAULT if talk.failed else 0


def greet(talk: Talk) -> None:
    """Who answers, of whom, and how to go on."""
    if not talk.common.json:
        known = talk.memory.count(user_id=talk.chat.user_id)
        whose = plain(talk.chat.user_id)
        say(
            f"{plain(talk.reader.name)} · {whose}, {count(known, 'memory', 'memories')} · /help lists the commands, Ctrl-D ends"
        )


def converse(talk: Talk) -> None:
    """Line by line. Ctrl-C, whatever it finds, ends no conversation."""
    for line in lines(Prompt(talk)):
        try:
            if not step(talk, line or ""):
                return
        except Terminated:
            raise
        except KeyboardInterrupt:
            say("stopped", stderr=True)


def step(talk: Talk, line: str) -> bool:
    """Do what a line says; whether the conversation goes on. What is wrong with it is said, and the next one is awaited."""
    goes_on = True
    talk.heard.show(talk.common)
    try:
        if line.startswith("/"):
            goes_on = talk.command(line)
        elif line.strip():
            talk.turn(line)
    except RecollectError as error:
        name, problem, code = describe(error)
        talk.failed = talk.failed or talk.common.json
        if talk.common.json:
            put(as_json({"error": name, "message": problem, "exit_code": code}, indent=None), stderr=True)
        else:
            say(plain(problem) if code in (BAD_INPUT, NOT_FOUND) else f"{name}: {plain(problem)}", stderr=True)
    if goes_on:
        talk.heard.show(talk.common)
    return goes_on


class Prompt:
    """What stands before what is typed."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk

    def __str__(self) -> str:
        past = self._talk.past
        return "> " if past is None else f"as of {plain(past)} > "


def show_waiting(waiting: Sequence[PendingTurns]) -> None:
    """What is not learnt, and how to go on."""
    for one in waiting:
        why = f" ({one.error})" if one.error else ""
        say(
            f"not learnt yet: {count(one.turns, 'message')}{why}. `recollect resume` learns what is safe on disk.",
            stderr=True,
        )
