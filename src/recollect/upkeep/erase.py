"""What goes when something is erased, and what is left otherwise than it was: pure planning on all of a user's ledger.

The rule: what is left is what would be there had it never been said.

- By session or date, the turns go. A version of a memory stays while one telling of it, the quotes that one change brought, is
  wholly outside of them and was not undone; or while it has other evidence and no word that only the erased turns told. What
  goes is as if it had never been told: the version before it, which it closed or reworded, is open again. What was retracted
  stays retracted. A correction, which stays, leaves the names and the slot that it took over, where only the erased turns told
  them.
- A memory goes with all its versions, with what it took over when it was merged, and with the turns that only it quotes; in
  those that other memories quote too its own quotes are blanked.
- What only says a memory again (an echo) is no telling of it, and keeps nothing: it goes with the memory, or is blanked in turns
  that other memories rest on, and in turns that were not asked for.
- What has expired goes like a memory: each version that has, and all of them where none is left to believe. Turns that were
  added with an expiry go too; of those that another memory rests on its quotes stay, and all the rest is blanked. What an
  expired version ended does not hold again: that it had ended stays true.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

from ..ids import new_id
from ..model import Op, Row, Slot
from ..ports import Tokenizer
from ..records import ERASED, ChangeRecord, Hiding, History, Removal, Retirement, SaidTurn, SourceRecord
from ..times import from_micros, to_micros
from ..writing.evidence import WORD, loosen

BEGINNING = datetime.min.replace(tzinfo=UTC)  # of the calendar
SPEAKER = "user"  # the subject of slots of whoever speaks, which nobody needs to tell
BLANK = "█████"  # of one length, whatever it stands for


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be erased: a memory; what has `expired` by then; else of all that a user said certain `turns`, what was said in
    a session, before a time, or all of it."""

    memory_id: str | None = None
    session_id: str | None = None
    before: datetime | None = None
    expired: datetime | None = None
    turns: frozenset[int] | None = None

    @property
    def by_turns(self) -> bool:
        """Whether what was said goes, and memories with it; else memories go, and what was said with them."""
        return self.memory_id is None and self.expired is None

    def has(self, turn: SaidTurn) -> bool:
        """Whether a turn is meant, by session and date."""
        among = self.turns is None or turn.number in self.turns
        return (
            among
            and self.session_id in (None, turn.session_id)
            and (self.before is None or turn.said_at < to_micros(self.before))
        )


def planned(history: History, wanted: Wanted, tokenizer: Tokenizer) -> Removal:
    """What an erasure does to a user's ledger."""
    if wanted == Wanted():
        return _everything(history)
    return _Planner(history, wanted, tokenizer).removal()


def outlived(history: History, wanted: Wanted, tokenizer: Tokenizer) -> Removal:
    """What a retention does to it: the same, but a user of whom nothing is left goes whole, and texts are known again in messages
    that are as old as those that went, not in every one until today."""
    planner = _Planner(history, wanted, tokenizer)
    whole = bool(planner.turns) and planner.turns == history.turns.keys()
    return replace(_everything(history) if whole else planner.removal(), dated_before=wanted.before)


def left_out(history: History, turns: frozenset[int], tokenizer: Tokenizer) -> Removal:
    """What an import does to turns that were erased before: the same, and no text is known again for longer than it was. Of a
    user of whom nothing is left, nothing came."""
    whole = turns == history.turns.keys()
    removal = _everything(history) if whole else _Planner(history, Wanted(turns=turns), tokenizer).removal()
    return replace(removal, dated_before=BEGINNING)


def _everything(history: History) -> Removal:
    return Removal(
        revision=history.state.revision + 1,
        everything=True,
        turns=frozenset(history.turns),
        statements=frozenset(history.words),
        sources=frozenset(history.sources),
    )


class _Planner:
    """One erasure, step by step; each step is a property that follows from those before it."""

    def __init__(self, history: History, wanted: Wanted, tokenizer: Tokenizer) -> None:
        self._history, self._wanted, self._tokenizer = history, wanted, tokenizer
        self._known: dict[str, frozenset[str]] = {}
        self._ops = {change.number: change.op for change in history.changes}
        self._sources_of: dict[int, list[SourceRecord]] = {}
        self._citing: dict[int, list[SourceRecord]] = {}
        self._echoes_of: dict[int, list[SourceRecord]] = {}
        for source in history.sources.values():
            if source.echo:
                self._echoes_of.setdefault(source.statement, []).append(source)
                continue
            self._sources_of.setdefault(source.statement, []).append(source)
            self._citing.setdefault(source.turn, []).append(source)
        self._rows_of: dict[int, list[Row]] = {}
        for row in history.rows.values():
            self._rows_of.setdefault(row.statement.number, []).append(row)

    def removal(self) -> Removal:
        """All steps, where there is anything to take."""
        if not (self.turns or self.statements or self.blanked):
            return Removal(revision=self._history.state.revision)
        again = _Again(self) if self._wanted.by_turns else None
        number = self._history.state.revision + (0 if again is None else len(again.changes)) + 1
        hidden = self._orphaned()
        hiding = ChangeRecord(new_id("chg"), number, Op.DELETE, reason=ERASED, flag=ERASED)
        return Removal(
            revision=number,
            turns=self.turns,
            statements=self.statements,
            sources=self.sources,
            blanked=self.blanked,
            echoes=frozenset(self._echoes()),
            talks=frozenset(turn.batch_id for turn in self._history.turns.values() if turn.talk in self._talks),
            altered=tuple(self.altered.values()),
            unnamed=frozenset(self._unnamed()),
            unslotted=frozenset(self._unslotted()),
            scrubbed=frozenset(self._scrubbed()),
            unexplained=frozenset(self._unexplained()),
            retired=() if again is None else tuple(again.retired),
            restored=() if again is None else tuple(again.restored.values()),
            hidings=tuple(Hiding(turn, number, number) for turn in sorted(hidden)),
            changes=(*(() if again is None else again.changes), *([hiding] if hidden else [])),
            kept_quotes=self._kept_quotes(),
        )

    def words(self, text: str) -> frozenset[str]:
        """The words of a text, as they are searched for."""
        if text not in self._known:
            self._known[text] = self._tokenizer.words(text)
        return self._known[text]

    def _said(self, turns: Iterable[int]) -> frozenset[str]:
        return frozenset[str]().union(*(self.words(self._history.turns[turn].content) for turn in turns))

    # --- statements and turns ------------------------------------------------------------------------------------------

    @cached_property
    def _merged(self) -> frozenset[str]:
        """The memory that is to go, and those that it took over for good."""
        ids, every = {self._wanted.memory_id or ""}, self._history.rows.values()
        believed = {row.memory_id for row in every if row.retired is None}
        found = True
        while found:
            updates = {one.number for one in self._history.changes if one.memory_id in ids and one.op is Op.UPDATE}
            taken = {row.memory_id for row in every if row.retired in updates} - believed - ids
            found = bool(taken)
            ids |= taken
        return frozenset(ids)

    @cached_property
    def statements(self) -> frozenset[int]:
        """Those that go, with all rows that say them."""
        if self._wanted.expired is not None:
            return self._expired(self._wanted.expired)
        if self._wanted.memory_id is not None:
            return frozenset(
                number for number, rows in self._rows_of.items() if any(row.memory_id in self._merged for row in rows)
            )
        return frozenset(number for number in self._history.words if not self._stays(number))

    def _expired(self, now: datetime) -> frozenset[int]:
        memories: dict[str, list[Row]] = {}
        for row in self._history.rows.values():
            memories.setdefault(row.memory_id, []).append(row)
        whole = [row.statement.number for rows in memories.values() if _have_expired(rows, now) for row in rows]
        return frozenset(whole) | {number for number, rows in self._rows_of.items() if _have_expired(rows, now)}

    def _stays(self, statement: int) -> bool:
        every = self._sources_of.get(statement, [])
        if not any(source.turn in self.turns for source in every):
            return True
        tellings = self._tellings(statement)
        if any(not turns & self.turns for turns in tellings.values()):
            return True
        cited = self._cited(statement)
        left = cited - self.turns
        only = self._said(cited & self.turns) - self._said(left)
        return bool(left) and not self.words(self._history.words[statement]) & only

    def _tellings(self, statement: int) -> dict[int, set[int]]:
        """The turns of each telling, by the change that brought it. Those of a retraction speak against it. What was taken back
        while the statement was believed tells it no longer, neither now nor where the statement comes back by an undo."""
        found: dict[int, set[int]] = {}
        until = self._believed_until(statement)
        for source in self._sources_of.get(statement, ()):
            stands = source.retired is None or (until is not None and source.retired >= until)
            if stands and self._ops.get(source.added) is not Op.DELETE:
                found.setdefault(source.added, set()).add(source.turn)
        return found

    def _believed_until(self, statement: int) -> int | None:
        """The change that took back the last row that says it; None where one is believed."""
        ends = [row.retired for row in self._rows_of.get(statement, ())]
        return max((end for end in ends if end is not None), default=None) if None not in ends else None

    def _cited(self, statement: int) -> frozenset[int]:
        return frozenset[int]().union(*self._tellings(statement).values())

    @cached_property
    def turns(self) -> frozenset[int]:
        """Those that go."""
        if self._wanted.by_turns:
            return frozenset(number for number, turn in self._history.turns.items() if self._wanted.has(turn))
        cited = {source.turn for source in self._telling}
        return frozenset(turn for turn in cited | self._lapsed if not self._needed(turn))

    @cached_property
    def _lapsed(self) -> frozenset[int]:
        """Turns that were added with an expiry that is past."""
        if self._wanted.expired is None:
            return frozenset()
        now = to_micros(self._wanted.expired)
        turns = self._history.turns.items()
        return frozenset(number for number, turn in turns if turn.expires_at is not None and turn.expires_at <= now)

    @property
    def _telling(self) -> Iterator[SourceRecord]:
        """Quotes of what goes, echoes too."""
        for number in self.statements:
            yield from self._sources_of.get(number, ())
            yield from self._echoes_of.get(number, ())

    def _needed(self, turn: int) -> list[str]:
        """Quotes by which memories that stay rest on a turn."""
        return [source.quote for source in self._citing.get(turn, ()) if source.statement not in self.statements]

    @cached_property
    def sources(self) -> frozenset[int]:
        """Quotes that go."""
        return frozenset(
            source.number
            for source in self._history.sources.values()
            if source.statement in self.statements or source.turn in self.turns
        )

    @cached_property
    def blanked(self) -> Mapping[int, str]:
        """Turns that stay for other memories, without the quotes of the one that goes; of those that have expired themselves
        nothing stays but what is quoted. Where turns are to go, others are left without what says again what goes with them."""
        taken = {turn: [self._history.turns[turn].content] for turn in self._lapsed - self.turns}
        for source in self._telling:
            if source.turn not in self.turns and (source.echo or not self._wanted.by_turns):
                taken.setdefault(source.turn, []).append(source.quote)
        contents = {turn: self._history.turns[turn].content for turn in taken}
        left = {turn: without(contents[turn], quotes, self._needed(turn)) for turn, quotes in taken.items()}
        return {turn: text for turn, text in left.items() if text != contents[turn]}

    def _kept_quotes(self) -> int:
        """Quotes of the memory that goes whose words, or some of them, other memories quote too."""
        if self._wanted.by_turns:
            return 0
        return sum(
            any(
                meets(source.quote, kept, self._history.turns[source.turn].content)
                for kept in self._needed(source.turn)
            )
            for source in self._telling
            if source.turn not in self.turns
        )

    # --- what tells of them --------------------------------------------------------------------------------------------

    @cached_property
    def _touched(self) -> frozenset[int]:
        """Turns that went, or are not what they were."""
        return self.turns | self.blanked.keys()

    @cached_property
    def _talks(self) -> frozenset[str]:
        return frozenset(self._history.turns[turn].talk for turn in self._touched)

    def _echoes(self) -> Iterator[int]:
        """A turn is found by its words after those of the turn before it, of those that were shown then."""
        talks: dict[str, list[int]] = {}
        for number in sorted(self._history.turns):
            if self._history.turns[number].talk in self._talks:
                talks.setdefault(self._history.turns[number].talk, []).append(number)
        for talk in talks.values():
            echoing = False
            for number in talk:
                if echoing and number not in self.turns and self._history.turns[number].searchable:
                    yield number
                echoing = number in self._touched or (echoing and number in self._history.hidden)

    @cached_property
    def altered(self) -> Mapping[int, Row]:
        """Rows that stay with what their turns that stay, or a caller, gave them: metadata, and where they hold from."""
        memories: dict[str, list[Row]] = {}
        for row in self._history.rows.values() if self._wanted.by_turns else ():
            memories.setdefault(row.memory_id, []).append(row)
        before = [row for rows in memories.values() for row in rows if self.stays(row)]
        after = [row for rows in memories.values() for row in self._altered(rows)]
        return {new.number: new for old, new in zip(before, after, strict=True) if new != old}

    def _altered(self, rows: Sequence[Row]) -> list[Row]:
        """The versions of a memory that stay, as they stay."""
        cited = {source.turn for row in rows for source in self._sources_of.get(row.statement.number, ())}
        gone, left = self._given(cited & self.turns), self._given(cited - self.turns)
        stays = [row for row in rows if self.stays(row)]
        if not cited & self.turns:
            return stays
        begun = {row.valid_from for row in rows}
        starts = {row.number: self._told_from(row, begun) or row.valid_from for row in stays}
        moved = {row.valid_from: starts[row.number] for row in stays}
        return [
            replace(
                row,
                metadata={k: v for k, v in row.metadata.items() if (k, repr(v)) not in gone or (k, repr(v)) in left},
                valid_from=starts[row.number],
                valid_to=row.valid_to and self._ended(row, rows, starts, moved.get(row.valid_to, row.valid_to)),
            )
            for row in stays
        ]

    def _ended(
        self, row: Row, versions: Sequence[Row], starts: Mapping[int, datetime], until: datetime
    ) -> datetime | None:
        """When a version ended, that ended where one began that begins at `until` now. One that was taken back, and that what is
        left did not end (it goes, or was told before), is left as if it had lasted until the next one that was believed beside
        it: an erasure of what took it back may bring it back."""
        start, begun = starts[row.number], {one.valid_from for one in versions if one.number not in starts}
        emptied = row.valid_to is not None and row.valid_to > row.valid_from and until <= start
        if row.retired is None or not (row.valid_to in begun or emptied):
            return max(until, start)
        return min(
            (
                starts[one.number]
                for one in versions
                if one.number in starts
                and starts[one.number] > start
                and one.recorded < row.retired
                and (one.retired is None or one.retired > row.recorded)
            ),
            default=None,
        )

    def _told_from(self, row: Row, begun: Set[datetime]) -> datetime | None:
        """Where a row holds from that holds from an erased telling: from the first one that stays. None for others. What was
        retracted (it ended where none of the memory's versions had `begun`) holds no longer for that."""
        said = {turn: self._history.turns[turn].said_at for turn in self._cited(row.statement.number)}
        if to_micros(row.valid_from) not in {time for turn, time in said.items() if turn in self.turns}:
            return None
        first = self.first_told(row)
        if first is None:
            return None
        start = from_micros(said[first])
        return start if row.valid_to is None or row.valid_to in begun else min(start, row.valid_to)

    def first_told(self, row: Row) -> int | None:
        """The first turn that stays of the first telling that has one."""
        tellings = sorted(self._tellings(row.statement.number).items())
        return next((min(turns - self.turns) for _, turns in tellings if turns - self.turns), None)

    def _given(self, turns: Iterable[int]) -> set[tuple[str, str]]:
        return {(key, repr(value)) for turn in turns for key, value in self._history.turns[turn].metadata.items()}

    # --- what a version that stays took over from one that goes ----------------------------------------------------------

    def _unnamed(self) -> Iterator[tuple[int, int]]:
        for (statement, entity), name in self._history.names.items():
            if statement in self._inherited and self.words(name) & self._taken_over(statement):
                yield statement, entity

    def _unslotted(self) -> Iterator[int]:
        for statement, slot in self._inherited.items():
            named = slot and self.words(f"{slot.subject} {slot.attribute}") - self.words(SPEAKER)
            if named and named & self._taken_over(statement):
                yield statement

    @cached_property
    def _inherited(self) -> Mapping[int, Slot | None]:
        """Statements that stay of memories of which others go, with their slots."""
        every = self._history.rows.values() if self._wanted.by_turns else ()
        memories = {row.memory_id for row in every if not self.stays(row)}
        return {
            row.statement.number: row.statement.slot
            for row in every
            if row.memory_id in memories and self.stays(row) and self._cited(row.statement.number) - self.turns
        }

    def _taken_over(self, statement: int) -> frozenset[str]:
        """Words that erased turns told, and neither its own text nor any turn that stays."""
        return self._only_erased - self.words(self._texts[statement])

    @cached_property
    def _texts(self) -> Mapping[int, str]:
        return {row.statement.number: row.statement.text for row in self._history.rows.values()}

    @cached_property
    def _only_erased(self) -> frozenset[str]:
        return self._said(self.turns) - self._said(self._history.turns.keys() - self.turns)

    # --- changes ---------------------------------------------------------------------------------------------------------

    def _scrubbed(self) -> Iterator[int]:
        """Changes that brought, ended or told of what goes."""
        rows = [row for number in self.statements for row in self._rows_of.get(number, ())]
        quotes = [self._history.sources[number] for number in self.sources]
        numbers = {one for row in rows for one in (row.recorded, row.retired)}
        numbers |= {one for source in quotes for one in (source.added, source.retired)}
        shown = {row.number for row in rows}
        left = {row.memory_id for row in self._history.rows.values() if row.statement.number not in self.statements}
        gone = {row.memory_id for row in rows} - left
        chunks: dict[tuple[str, int], Set[int]] = {
            (batch_id, n): frozenset(range(first, last + 1)) for batch_id, n, first, last in self._history.chunks
        }
        for change in self._history.changes:
            of = chunks.get((change.batch_id or "", -1 if change.chunk is None else change.chunk), frozenset())
            told = bool(of) and (of <= self.turns or (change.memory_id is None and bool(of & self._touched)))
            if change.number in numbers or change.memory_id in gone or change.row in shown or told:
                yield change.number

    def _unexplained(self) -> Iterator[int]:
        """Changes whose reason has words that only what goes had."""
        history = self._history
        gone = [history.turns[turn].content for turn in self._touched]
        taken = self._all(gone + [history.words[number] for number in self.statements])
        doubtful = [change for change in history.changes if self.words(change.reason) & taken]
        if not doubtful:  # most reasons are a few words of ours: no need to read all that is left
            return
        left = [self.blanked.get(n, turn.content) for n, turn in history.turns.items() if n not in self.turns]
        left += [words for number, words in history.words.items() if number not in self.statements]
        only = taken - self._all(left)
        yield from (change.number for change in doubtful if self.words(change.reason) & only)

    def _all(self, texts: Iterable[str]) -> frozenset[str]:
        return frozenset[str]().union(*map(self.words, texts))

    def _orphaned(self) -> set[int]:
        """Turns that were out of search because all that came of them was taken back, and of which nothing is left to tell it;
        and those that are blank."""
        found = {
            turn
            for turn, text in self.blanked.items()
            if not WORD.search(text) and turn not in self._history.hidden and not self._needed(turn)
        }
        for turn, citing in self._citing.items():
            if turn in self.turns or turn in self._history.hidden:
                continue
            rows = [row for source in citing for row in self._rows_of.get(source.statement, ())]
            believed = any(row.retired is None and not row.quarantined for row in rows)
            if not believed and all(source.number in self.sources for source in citing):
                found.add(turn)
        return found

    def stays(self, row: Row) -> bool:
        """Whether a row is not erased."""
        return row.statement.number not in self.statements

    @property
    def history(self) -> History:
        return self._history


class _Again:
    """Versions that hold again, for what closed or replaced them was erased. From the last change to the first."""

    def __init__(self, planner: _Planner) -> None:
        self._history = planner.history
        self.restored: dict[int, Row] = {}
        self.retired: list[Retirement] = []
        self.changes: list[ChangeRecord] = []
        self._place: dict[int, int] = {}  # a row → the restored one that stands for it
        self._row, self._number = self._history.state.last_row, self._history.state.revision
        self._rows = [planner.altered.get(row.number, row) for row in self._history.rows.values() if planner.stays(row)]
        self._gone = [row for row in self._history.rows.values() if not planner.stays(row)]
        brought = {row.recorded for row in self._gone}
        causes = [
            one for one in self._history.changes if one.op is Op.UPDATE and one.number in brought and not one.undoes
        ]
        self._causes = {change.number for change in causes}
        for number in sorted(self._causes, reverse=True):
            for row in [row for row in self._rows if row.retired == number]:
                self._again(row, number)
        self._lengthen()
        self._thread(planner)

    def _lengthen(self) -> None:
        """What ended where something that goes began lasts until the next that stays. An earlier erasure may have joined them."""
        begun = {(row.memory_id, row.valid_from) for row in self._gone if row.retired is None}
        for row in self._believed():
            if (row.memory_id, row.valid_to) not in begun:
                continue
            believed = self._believed()
            later = [
                one.valid_from for one in believed if one.memory_id == row.memory_id and one.valid_from > row.valid_from
            ]
            until = min(later, default=None)
            if until != row.valid_to and not (until is None and _said_by_another(row, believed)):
                self._restore(row, row, until)

    def _thread(self, planner: _Planner) -> None:
        """Where versions of a memory begin otherwise than they did, each lasts until the next one, as if it had been told so."""
        moved = {
            row.memory_id
            for row in planner.altered.values()
            if row.valid_from != self._history.rows[row.number].valid_from
        }
        for memory_id in sorted(moved):
            every = [row for row in self._history.rows.values() if row.memory_id == memory_id]
            begun = {row.valid_from for row in every} | {
                row.valid_from for row in self._rows if row.memory_id == memory_id
            }
            versions = [row for row in self._believed() if row.memory_id == memory_id]
            versions.sort(key=lambda row: (row.valid_from, planner.first_told(row) or 0))
            for row, later in zip(versions, [*versions[1:], None], strict=False):  # none, where the memory was deleted
                ends = [] if later is None else [later.valid_from]
                if row.valid_to is not None and row.valid_to not in begun:
                    ends.append(row.valid_to)  # retracted
                until = min(ends, default=None)
                if until != row.valid_to and not (until is None and _said_by_another(row, self._believed())):
                    self._restore(row, row, until)

    def _stood(self, number: int) -> bool:
        """Whether what a change brought, or what came in its place and goes too, is still believed."""
        said = {row.statement.number for row in self._gone if row.recorded == number}
        return any(
            row.retired is None or (row.retired in self._causes and row.retired > number and self._stood(row.retired))
            for row in self._gone
            if row.statement.number in said
        )

    def _believed(self) -> list[Row]:
        taken = {one.number for one in self.retired}
        return [
            *(row for row in self._rows if row.retired is None and row.number not in taken),
            *self.restored.values(),
        ]

    def _again(self, row: Row, number: int) -> None:
        """A row that the change retired: open as it was, as far as nothing else that is believed stands in its place."""
        closed = self._closed(row, number)
        believed = self._believed()
        standing = None if closed is None else next((one for one in believed if one.number == closed), None)
        if (standing is None) if closed is not None else not self._stood(number):
            return  # something later took it back
        others = [one for one in believed if one.memory_id == row.memory_id and one is not standing]
        if any(one.valid_from <= row.valid_from and _open_at(one, row.valid_from) for one in others):
            return
        ends = [one.valid_from for one in others if one.valid_from > row.valid_from]
        until = min([*ends, *([row.valid_to] if row.valid_to else [])], default=None)
        if (standing is not None and standing.valid_to == until) or (until is None and _said_by_another(row, believed)):
            return
        self._restore(row, standing, until)

    def _closed(self, row: Row, number: int) -> int | None:
        """The number of the copy of a row that the change closed, or of what stands for that now; None where it made none."""
        for one in self._rows:
            same = one.memory_id == row.memory_id and one.statement.number == row.statement.number
            if one.recorded == number and same and one.valid_from == row.valid_from:
                return self._place.get(one.number, one.number)
        return None

    def _restore(self, row: Row, standing: Row | None, until: datetime | None) -> None:
        if standing is not None and standing.number in self.restored:
            again = replace(self.restored[standing.number], valid_to=until)
        else:
            self._row += 1
            self._number += 1
            kept = row if standing is None else standing
            again = replace(
                kept,
                number=self._row,
                recorded=self._number,
                retired=None,
                valid_to=until,
                restores=row.identity,
            )
            if standing is not None:
                self.retired.append(Retirement(standing.number, self._number))
            self.changes.append(
                ChangeRecord(
                    new_id("chg"), self._number, Op.UPDATE, row.memory_id, again.number, reason=ERASED, flag=ERASED
                )
            )
        self.restored[again.number] = again
        self._place[row.number] = again.number


def _have_expired(versions: Sequence[Row], now: datetime) -> bool:
    """Whether those that are believed have; where none is, those that were believed last."""
    last = max((row.retired for row in versions if row.retired is not None), default=None)
    latest = [row for row in versions if row.retired is None] or [row for row in versions if row.retired == last]
    return all(row.expires_at is not None and row.expires_at <= now for row in latest)


def _open_at(row: Row, moment: datetime) -> bool:
    return row.valid_to is None or row.valid_to > moment


def _said_by_another(row: Row, believed: Iterable[Row]) -> bool:
    """Live rows are unique by text and event interval."""
    return any(
        one.memory_id != row.memory_id
        and one.valid_to is None
        and one.statement.text_key == row.statement.text_key
        and one.statement.event == row.statement.event
        for one in believed
    )


# --- blanking ----------------------------------------------------------------------------------------------------------


def without(text: str, taken: Iterable[str], kept: Iterable[str]) -> str:
    """A text with the quotes that are `taken` blanked, as far as they have no words of those that are `kept`. A quote that cannot
    be found again takes everything with it that is not kept."""
    blank = [False] * len(text)
    for quote in taken:
        for start, end in list(spans(quote, text)) or [(0, len(text))]:
            blank[start:end] = [True] * (end - start)
    for quote in kept:
        for start, end in spans(quote, text):
            blank[start:end] = [False] * (end - start)
    left, at = [], 0
    while at < len(text):
        end = at
        while end < len(text) and blank[end] == blank[at]:
            end += 1
        piece = text[at:end]
        left.append(BLANK if blank[at] and WORD.search(piece) else piece)
        at = end
    return "".join(left)


def meets(one: str, other: str, text: str) -> bool:
    """Whether two quotes share words of a text."""
    return any(
        max(start, first) < min(end, last) and bool(WORD.search(text[max(start, first) : min(end, last)]))
        for start, end in spans(one, text)
        for first, last in spans(other, text)
    )


def spans(quote: str, text: str) -> Iterator[tuple[int, int]]:
    """Where a quote stands in a text, everywhere: letter by letter, else by its words, as `evidence.holds` accepts them."""
    at = text.find(quote) if quote else -1
    exact = at >= 0
    while at >= 0:
        yield at, at + len(quote)
        at = text.find(quote, at + len(quote))
    if not exact:
        yield from _by_words(quote, text)


def _by_words(quote: str, text: str) -> Iterator[tuple[int, int]]:
    found = [(loosen(match[0]), match.span()) for match in WORD.finditer(text)]
    words = [word for word, _ in found]
    parts = [WORD.findall(loosen(part)) for part in re.split(r"\.{3,}|…|\[\.\.\.\]", quote)]
    for part in parts:
        size = len(part)
        for i in range(len(words) - size + 1) if part else ():
            if words[i : i + size] == part:
                yield found[i][1][0], found[i + size - 1][1][1]
