"""Which rows and turns may be served at a moment, over a user's whole history at once: columns of integers, no loop.

A user's rows, quotes, turns and passages are numbered from 1 without gaps, so a number is the place in its column, and 0
stands for none. A place that was never filled has been retired at 0: it is believed at no moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from ..records import Hiding, PassageRecord, RowSpan, SourceSpan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Mask = NDArray[np.bool_]

OPEN = 2**63 - 1  # stands for None where None means "not yet", "until contradicted", "never"
BEGINNING = -(2**63)


@dataclass(frozen=True, slots=True)
class Moment:
    """From when the question is asked. Microseconds; `number` None: what is believed now."""

    as_of: int
    number: int | None = None
    now: int = 0

    def believes(self, added: Any, retired: Any) -> Any:
        """Whether what was added and retired at these numbers is believed at the moment."""
        return retired == OPEN if self.number is None else (added <= self.number) & (retired > self.number)


@dataclass(frozen=True, slots=True)
class Window:
    """Microseconds, both ends inclusive: what happened, or was said, between them."""

    since: int = BEGINNING
    until: int = OPEN

    def holds(self, start: Any, end: Any) -> Any:
        """Whether an interval overlaps it."""
        return (end >= self.since) & (start <= self.until)


EVER = Window()


class Columns:
    """Growable columns of integers; `columns["name"]` is one of them, by number."""

    def __init__(self, *names: str) -> None:
        import numpy as np

        self._place = {name: place for place, name in enumerate(names)}
        self._values = np.zeros((len(names), 16), dtype=np.int64)
        self._size = 1

    def __getitem__(self, name: str) -> Integers:
        return self._values[self._place[name], : self._size]

    def __len__(self) -> int:
        return self._size

    def at(self, name: str, numbers: Integers) -> Integers:
        """A column's values at some numbers, 0 beyond its end."""
        known = numbers < self._size
        values: Integers = self[name][numbers * known] * known
        return values

    def put(self, numbers: Sequence[int], values: Sequence[Sequence[int]]) -> None:
        """Write whole entries: `values[i]`, one per column, at `numbers[i]`."""
        import numpy as np

        if not numbers:
            return
        self._size = max(self._size, max(numbers) + 1)
        if (room := self._values.shape[1]) < self._size:
            grown = np.zeros((len(self._values), max(2 * room, self._size)), dtype=np.int64)
            grown[:, :room] = self._values  # the rest takes no memory before something is written there
            self._values = grown
        self._values[:, numbers] = np.asarray(values, dtype=np.int64).T

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return len(self._values) * self._size * 8

    def snapshot(self) -> tuple[bytes, ...]:
        """Its values, for comparison."""
        return tuple(self[name].tobytes() for name in self._place)


@dataclass(frozen=True)
class Served:
    """What may be served, by passage: the row's number, the turn's, and when all that came of the turn ended (else
    `BEGINNING`). Shared between searches: nothing of it is written to."""

    rows: Integers
    turns: Integers
    until: Integers

    @cached_property
    def row_mask(self) -> Mask:
        return _fixed(self.rows > 0)

    @cached_property
    def turn_mask(self) -> Mask:
        return _fixed(self.turns > 0)

    @cached_property
    def memories(self) -> int:
        """How many memories there are among it."""
        return int(self.row_mask.sum())

    @cached_property
    def spoken(self) -> int:
        """How many turns."""
        return int(self.turn_mask.sum())

    def without(self, passages: Sequence[int]) -> Served:
        """The same but for some passages."""
        rows, turns = self.rows.copy(), self.turns.copy()
        rows[passages] = turns[passages] = 0
        return Served(rows, turns, self.until)


class Span(NamedTuple):
    """Microseconds, from `start` to before `end`."""

    start: int
    end: int

    @classmethod
    def around(cls, moment: int, *turns: Integers) -> Span:
        """Between the last of the times at which something begins or ends, and the next of them."""
        past, coming = BEGINNING, OPEN
        for times in turns:
            past = max(past, int(times.max(initial=BEGINNING, where=times <= moment)))
            coming = min(coming, int(times.min(initial=OPEN, where=times > moment)))
        return cls(past, coming)

    def __contains__(self, moment: object) -> bool:
        return isinstance(moment, int) and self.start <= moment < self.end


class _Quotes(NamedTuple):
    """A user's quotes, those that were retired too: in the order of the turns that they are of (`turns`, `numbers`), how many of
    those there are, and by statement how many tell it."""

    turns: Integers
    numbers: Integers
    told: int
    by_statement: Integers


class _Kept(NamedTuple):
    """An answer of `served`, and when the same is to be answered again."""

    asked: tuple[int | None, Window, Window]
    as_of: Span
    now: Span
    served: Served


class Intervals:
    """A user's whole history as columns."""

    def __init__(self) -> None:
        self._rows = Columns(
            "statement",
            "valid_from",
            "valid_to",
            "recorded",
            "retired",
            "expires_at",
            "quarantined",
            "start",
            "end",
            "live_to",
        )
        self._sources = Columns("statement", "turn", "added", "retired", "echo")
        self._hidings = Columns("turn", "added", "retired")
        self._passages = Columns("turn", "said_at", "committed")
        self._hiding_places: dict[tuple[int, int], int] = {}
        self._kept: _Kept | None = None
        self._quotes: _Quotes | None = None  # made when they are first asked for

    def put_rows(self, rows: Iterable[RowSpan]) -> None:
        """Rows that came or were retired."""
        spans, self._kept = list(rows), None
        self._rows.put([row.number for row in spans], [_row_values(row) for row in spans])

    def put_sources(self, sources: Sequence[SourceSpan]) -> None:
        """Quotes that came or were retired."""
        self._kept = self._quotes = None
        self._sources.put(
            [one.number for one in sources],
            [(one.statement, one.turn, one.added, _open(one.retired), int(one.echo)) for one in sources],
        )

    def put_hidings(self, hidings: Sequence[Hiding]) -> None:
        """Turns that were taken out of search, or shown again."""
        places, self._kept = self._hiding_places, None
        numbers = [places.setdefault((one.turn, one.added), len(places) + 1) for one in hidings]
        self._hidings.put(numbers, [(one.turn, one.added, _open(one.retired)) for one in hidings])

    def put_passages(self, passages: Sequence[PassageRecord]) -> None:
        """Texts that became searchable."""
        self._kept = None
        self._passages.put(
            [one.number for one in passages], [(one.turn or 0, one.said_at, one.committed) for one in passages]
        )

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return sum(one.nbytes for one in (self._rows, self._sources, self._hidings, self._passages))

    def snapshot(self) -> tuple[tuple[bytes, ...], ...]:
        """All that a rebuild must reproduce; hidings are numbered as they come."""
        return self._rows.snapshot(), self._sources.snapshot(), self._passages.snapshot()

    @property
    def passages(self) -> int:
        """One more than the last passage's number: the length of whatever is by passage."""
        return len(self._passages)

    # --- asking --------------------------------------------------------------------------------------------------------

    def live_rows(self, now: int) -> Integers:
        """passage → the live row that says it. One that starts after `now` (a message dated ahead of our clock) is live too."""
        return self._by_passage(self._rows["live_to"] > now)

    def last_rows(self) -> Integers:
        """passage → the last row that said it, whatever became of it."""
        return self._by_passage(self._rows["statement"] > 0)

    def believed(self) -> Mask:
        """By passage: whether a row says it that is believed now, whether or not it holds still."""
        return self._by_passage(self._believed(Moment(0))) > 0

    def believed_rows(self) -> Integers:
        """The numbers of the rows that are not retired, put aside or not."""
        numbers: Integers = (self._rows["retired"] == OPEN).nonzero()[0]
        return numbers

    def unexpired_rows(self, moment: Moment) -> tuple[Integers, Integers]:
        """The numbers of the rows that are believed at the moment, live or ended, and have not expired; and their statements."""
        numbers = (self._believed(moment) & (self._rows["expires_at"] > moment.now)).nonzero()[0]
        return numbers, self._rows["statement"][numbers]

    def approved(self, statements: Sequence[int]) -> set[int]:
        """Those of the statements that a row ever said which was not put aside."""
        import numpy as np

        told = self._rows["statement"][self._rows["quarantined"] == 0]
        return set(told[np.isin(told, statements)].tolist())

    def shown_turns(self, turns: Sequence[int]) -> list[int]:
        """Those of the turns that are searchable and not hidden."""
        import numpy as np

        hidden = self._hidings["turn"][self._hidings["retired"] == OPEN]
        shown = np.setdiff1d(self._passages["turn"], hidden)
        return [turn for turn, is_shown in zip(turns, np.isin(turns, shown).tolist(), strict=True) if is_shown]

    @property
    def turns(self) -> int:
        """How many turns are among the passages."""
        return int((self._passages["turn"] > 0).sum())

    def supported(self, turns: Integers, moment: Moment) -> tuple[Integers, Integers]:
        """The statements that turns support at the moment: places among the turns, ascending, and statements."""
        import numpy as np

        quotes, sources = self._quotes_now(), self._sources
        first = np.searchsorted(quotes.turns, turns)
        counts = np.searchsorted(quotes.turns, turns, side="right") - first
        places = np.repeat(np.arange(len(turns)), counts)
        own = np.arange(len(places)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
        numbers = quotes.numbers[own]
        stands = moment.believes(sources["added"][numbers], sources["retired"][numbers])
        return places[stands], sources["statement"][numbers[stands]]

    def quotes(self, statements: Integers) -> Integers:
        """How many quotes tell statements, echoes left out, retired ones not; 0 for a passage that is none."""
        by_statement = self._quotes_now().by_statement
        known = statements < len(by_statement)
        counts: Integers = by_statement[statements * known] * known
        return counts

    @property
    def told(self) -> int:
        """Of how many turns something came."""
        return self._quotes_now().told

    def _quotes_now(self) -> _Quotes:
        import numpy as np

        if self._quotes is None:
            numbers = np.flatnonzero(self._sources["echo"] == 0)  # the others are no evidence
            turns, statements = self._sources["turn"], self._sources["statement"][numbers]
            numbers = numbers[np.argsort(turns[numbers], kind="stable")]
            by_statement = np.bincount(statements)
            by_statement[0] = 0
            told = int(np.count_nonzero(np.bincount(turns[numbers])[1:]))
            self._quotes = _Quotes(turns[numbers], numbers, told, by_statement)
        return self._quotes

    def served(
        self,
        moment: Moment,
        rows: Iterable[int] | None = None,
        turns: Iterable[int] | None = None,
        window: Window = EVER,
        said: Window = EVER,
    ) -> Served:
        """What may be served at the moment: among given rows and turns (None: all), what happened in one window and was
        said in the other. A turn may be while it supports a row that holds, with `until` while what it supports is
        believed but has ended, and where nothing ever came of it; never while it is hidden, nor where it says again what
        is believed no more (with `until`, where that is believed but has ended).

        Whole answers are kept: the same is served until something comes, or begins or ends."""
        if rows is not None or turns is not None:
            return self._served(moment, rows, turns, window, said)
        asked, kept = (moment.number, window, said), self._kept
        if kept is None or kept.asked != asked or moment.as_of not in kept.as_of or moment.now not in kept.now:
            served = self._served(moment, None, None, window, said)
            for column in (served.rows, served.turns, served.until):
                column.setflags(write=False)
            columns = self._rows
            as_of = Span.around(moment.as_of, columns["valid_from"], columns["valid_to"])
            kept = self._kept = _Kept(asked, as_of, Span.around(moment.now, columns["expires_at"]), served)
        return kept.served

    def _served(
        self, moment: Moment, rows: Iterable[int] | None, turns: Iterable[int] | None, window: Window, said: Window
    ) -> Served:
        believed = self._believed(moment)
        holding = believed & self._holds(moment)
        chosen = holding & window.holds(self._rows["start"], self._rows["end"])
        if rows is not None:
            chosen &= _mask(rows, len(self._rows))
        supported, until = self._support(moment, believed, holding)
        return Served(self._by_passage(chosen), *self._served_turns(moment, turns, said, supported, until))

    def spans(self, served: Served) -> tuple[Integers, Integers, Mask]:
        """By passage: from when to when what it tells happened, or holds since it was said; and whether it tells when."""
        import numpy as np

        rows, said = served.rows, self._passages["said_at"][: len(served.rows)]
        start = np.where(rows > 0, self._rows["start"][rows], said)
        end = np.where(rows > 0, self._rows["end"][rows], said)
        told: Mask = (rows > 0) & ((start != self._rows["valid_from"][rows]) | (end > start))
        return start, end, told

    def _believed(self, moment: Moment) -> Mask:
        rows = self._rows
        believed: Mask = moment.believes(rows["recorded"], rows["retired"]) & (rows["quarantined"] == 0)
        return believed

    def _holds(self, moment: Moment) -> Mask:
        """Rows that hold at the moment: begun, not ended, not expired."""
        rows = self._rows
        held: Mask = (
            (rows["valid_from"] <= moment.as_of) & (rows["valid_to"] > moment.as_of) & (rows["expires_at"] > moment.now)
        )
        return held

    def _by_passage(self, rows: Mask) -> Integers:
        """passage → the number of the chosen row that says it."""
        import numpy as np

        numbers = np.flatnonzero(rows)
        found = np.zeros(self.passages, dtype=np.int64)
        found[self._rows["statement"][numbers]] = numbers
        return found

    def _support(self, moment: Moment, believed: Mask, holding: Mask) -> tuple[Mask, Integers]:
        """By turn: whether it may be served for what came of it; and when the last of what is believed of it, and has not
        expired, ended."""
        import numpy as np

        rows, sources = self._rows, self._sources
        size = int(max(sources["turn"].max(), self._passages["turn"].max(), self._hidings["turn"].max())) + 1
        said = np.zeros(self.passages, dtype=bool)
        said[rows["statement"][holding]] = True
        ended = np.full(self.passages, BEGINNING)
        over = np.flatnonzero(believed & (rows["valid_to"] <= moment.as_of) & (rows["expires_at"] > moment.now))
        np.maximum.at(ended, rows["statement"][over], rows["valid_to"][over])
        stands, echo = moment.believes(sources["added"], sources["retired"]), sources["echo"] > 0
        repeating, repeated = sources["turn"][stands & echo], sources["statement"][stands & echo]
        turn, statement = sources["turn"][stands & ~echo], sources["statement"][stands & ~echo]
        until = np.full(size, BEGINNING)
        np.maximum.at(until, turn, ended[statement])
        supported = np.ones(size, dtype=bool)
        supported[sources["turn"][~echo]] = False  # something came of it …
        supported[turn[said[statement]]] = True  # … and holds
        until[supported] = BEGINNING
        supported |= until > BEGINNING
        past = ~said[repeated]  # all that it says again must hold, or have held
        np.maximum.at(until, repeating[past], ended[repeated[past]])
        supported[repeating[past & (ended[repeated] == BEGINNING)]] = False
        supported[self._hidings["turn"][moment.believes(self._hidings["added"], self._hidings["retired"])]] = False
        return supported, until

    def _served_turns(
        self, moment: Moment, turns: Iterable[int] | None, window: Window, supported: Mask, until: Integers
    ) -> tuple[Integers, Integers]:
        import numpy as np

        turn, said_at = self._passages["turn"], self._passages["said_at"]
        chosen = (turn > 0) & supported[turn] & window.holds(said_at, said_at)
        if moment.number is not None:
            chosen &= self._passages["committed"] <= moment.number
        if turns is not None:
            chosen &= _mask(turns, len(supported))[turn]
        return np.where(chosen, turn, 0), np.where(chosen, until[turn], BEGINNING)


def _row_values(row: RowSpan) -> tuple[int, ...]:
    start, end = (row.valid_from, row.valid_from) if row.event is None else row.event
    dead = row.retired is not None or row.quarantined
    return (
        row.statement,
        row.valid_from,
        _open(row.valid_to),
        row.recorded,
        _open(row.retired),
        _open(row.expires_at),
        int(row.quarantined),
        start,
        end,
        BEGINNING if dead else min(_open(row.valid_to), _open(row.expires_at)),  # what is live needs one look
    )


def _open(value: int | None) -> int:
    return OPEN if value is None else value


def _fixed(mask: Mask) -> Mask:
    """The same, which nobody can write to: an index may keep what it makes of it."""
    mask.setflags(write=False)
    return mask


def _mask(numbers: Iterable[int], size: int) -> Mask:
    import numpy as np

    mask = np.zeros(size, dtype=bool)
    mask[[number for number in numbers if number < size]] = True
    return mask
