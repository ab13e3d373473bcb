"""The store against a naive model: any sequence of verbs, late and back-dated facts included, on both time axes."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime, timedelta

import machines
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from recollect import Memory
from recollect.errors import InvalidInput, NotFound, UndoConflict
from recollect.testing import HashEmbedder, ScriptedLanguage
from recollect.times import to_micros
from recollect.view.intervals import Moment

START = datetime(2024, 1, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


@dataclass(eq=False)
class Version:
    """A believed version in the naive model. `root`: the version that it was copied from by undos."""

    memory: int
    text: str
    start: datetime
    end: datetime | None
    root: Version | None = None

    @property
    def identity(self) -> Version:
        return self.root or self


def overlap(one: Version, other: Version) -> bool:
    """Whether there is a moment at which both hold."""
    ends = [end for end in (one.end, other.end) if end is not None]
    return not ends or max(one.start, other.start) < min(ends)


@dataclass
class Step:
    """What one change brought and took."""

    brought: list[Version] = field(default_factory=list)
    took: list[Version] = field(default_factory=list)
    hid: set[tuple[int, int]] = field(default_factory=set)  # (turn, deletion that first hid it)
    showed: set[tuple[int, int]] = field(default_factory=set)
    undoers: list[Step] = field(default_factory=list)

    @property
    def undone(self) -> bool:
        """Some undoing of it stands."""
        return any(not step.undone for step in self.undoers)


class Naive:
    """What the store should believe, by the plainest code that says it: a list of versions, and snapshots of it."""

    def __init__(self) -> None:
        self.believed: list[Version] = []
        self.memories = 0
        self.turns: list[str] = []
        self.hidings: set[tuple[int, int]] = set()
        self.deletions = 0

    def chunk(self, messages: list[str], at: datetime) -> list[Step]:
        """What the messages of one add do. What is said twice in one breath is one fact, unless another word on the same
        matter stands between. What is over by an earlier word of that breath is not over once more."""
        steps: list[Step] = []
        last: dict[str, str] = {}
        self.spoken_of: dict[str, int] = {}
        self.over: set[str] = set()
        self.turns += messages
        for message in messages:
            if message.startswith("chat"):
                continue
            attribute = message.split(" ", 1)[0]
            if last.get(attribute) != message:
                steps.append(self.say(message, at))
            last[attribute] = message
        return steps

    def say(self, message: str, at: datetime) -> Step:
        attribute, operator, value = message.split(" ", 2)
        text = f"{attribute} is {value}"
        live = [v for v in self.believed if v.end is None]
        same = [v for v in live if v.text == text]
        if operator == "-=" and same:
            self.over.add(text)
            return self.end(same[-1].memory, at)
        if operator == "-=":
            return Step() if text in self.over else self.say_new(f"{attribute} is not {value}", at)
        if same:
            self.spoken_of[attribute] = same[-1].memory
            return Step()
        of_slot = [v for v in live if v.text.startswith(f"{attribute} is ")]
        if operator == "=" and of_slot:
            # Where several live rows share the slot, the one that was just spoken of is meant.
            meant = [v.memory for v in of_slot if v.memory == self.spoken_of.get(attribute)]
            return self.supersede((meant or [of_slot[-1].memory])[0], text, at)
        return self.say_new(text, at)

    def say_new(self, text: str, at: datetime) -> Step:
        if any(v.text == text and v.end is None for v in self.believed):
            return Step()
        self.memories += 1
        return self.change([], [Version(self.memories, text, at, None)])

    def of(self, memory: int) -> list[Version]:
        return sorted((v for v in self.believed if v.memory == memory), key=lambda v: v.start)

    def closed(self, memory: int, at: datetime) -> tuple[list[Version], list[Version]]:
        took = [v for v in self.of(memory) if v.start <= at and (v.end is None or v.end > at)]
        return took, [Version(memory, v.text, v.start, at) for v in took if v.start < at]

    def end(self, memory: int, at: datetime) -> Step:
        return self.change(*self.closed(memory, at))

    def supersede(self, memory: int, text: str, at: datetime) -> Step:
        later = [v.start for v in self.of(memory) if v.start > at]
        took, brought = self.closed(memory, at)
        return self.change(took, [*brought, Version(memory, text, at, later[0] if later else None)])

    def change(self, took: list[Version], brought: list[Version]) -> Step:
        for version in took:
            self.believed.remove(version)
        self.believed += brought
        return Step(brought, took)

    def undo(self, step: Step) -> Step | None:
        """None: a conflict."""
        if step.undone:
            return None
        standing = []
        for version in step.brought:
            now = [v for v in self.believed if v.identity is version.identity]
            if not now:
                return None
            standing += now
        left = [v for v in self.believed if v not in standing]
        back = [Version(v.memory, v.text, v.start, v.end, v.identity) for v in step.took]
        if any(b.end is None and v.end is None and v.text == b.text for b in back for v in left):
            return None
        if any(v.memory == b.memory and overlap(v, b) for b in back for v in left):
            return None
        done = self.change(standing, back)
        done.showed, done.hid = step.hid & self.hidings, step.showed
        self.hidings = (self.hidings - done.showed) | done.hid
        step.undoers.append(done)
        return done

    def delete_all(self) -> tuple[dict[int, Step], Step]:
        """memory → the step that took it back; and the one that hid the turns."""
        taken = {memory: self.change(self.of(memory), []) for memory in {v.memory for v in self.believed}}
        self.deletions += 1
        hidden = {turn for turn, _ in self.hidings}
        hiding = Step(hid={(turn, self.deletions) for turn in range(len(self.turns)) if turn not in hidden})
        self.hidings |= hiding.hid
        return taken, hiding

    def shown(self) -> list[str]:
        """The turns that are not hidden; those of which a memory came are served only with it."""
        hidden = {turn for turn, _ in self.hidings}
        return [text for turn, text in enumerate(self.turns) if turn not in hidden]

    def holds(self, at: datetime) -> list[str]:
        return sorted(v.text for v in self.believed if v.start <= at and (v.end is None or v.end > at))


MESSAGES = st.one_of(
    st.builds("{} = {}".format, st.sampled_from(["home", "job"]), st.sampled_from(["A", "B", "C"])),
    st.builds("likes {} {}".format, st.sampled_from(["+=", "-="]), st.sampled_from(["tea", "rum"])),
    st.just("chat about nothing"),  # no memory comes of it
)


class History(machines.Machine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = machines.folder()
        self.open()
        self.naive = Naive()
        self.steps: dict[str, Step] = {}
        self.snapshots: list[tuple[datetime, dict[int, list[str]], list[str]]] = []
        self.memory_of: dict[str, int] = {}  # the store's id → the naive model's
        self.batches: dict[str, list[str]] = {}  # a delete_all's batch → its changes
        # Another user whose memories must never be seen.
        self.memory.add("home = elsewhere", user_id="other", timestamp=day(0))

    def open(self) -> None:
        self.memory = Memory(self.folder.name, llm=ScriptedLanguage(), embedder=HashEmbedder(16))

    def remember(self, changes, steps) -> None:
        for change, step in zip(changes, steps, strict=True):
            self.steps[change.id] = step
            if change.memory is not None and step.brought:
                self.memory_of[change.memory.id] = step.brought[-1].memory
        if changes:
            held = {n: self.naive.holds(day(n)) for n in (0, 7, 14, 30)}
            self.snapshots.append((changes[-1].recorded_at, held, self.chat(self.naive.shown())))

    @initialize(messages=st.lists(MESSAGES, min_size=1, max_size=3), at=st.integers(0, 14))
    def add_first(self, messages, at):
        """So that there is something to do to, where hypothesis leaves adding out."""
        self.add(messages, at)

    @rule(messages=st.lists(MESSAGES, min_size=1, max_size=3), at=st.integers(0, 14))
    def add(self, messages, at):
        said = [{"role": "user", "content": one} for one in messages]
        result = self.memory.add(said, user_id="u", timestamp=day(at))
        self.remember(result.changes, self.naive.chunk(messages, day(at)))

    @precondition(lambda self: self.naive.holds(datetime.now(UTC)))
    @rule(data=st.data())
    def delete(self, data):
        item = data.draw(st.sampled_from(self.memory.get_all(user_id="u")))
        with pytest.raises(NotFound):
            self.memory.delete(item.id, user_id="other")
        self.memory.delete(item.id, user_id="u")
        live = [v for v in self.naive.believed if v.text == item.text and v.end is None]
        step = self.naive.change(self.naive.of(live[0].memory), [])
        self.remember(self.last_change(), [step])

    @precondition(lambda self: self.naive.holds(datetime.now(UTC)))
    @rule(data=st.data(), value=st.sampled_from(["D", "E"]))
    def update(self, data, value):
        item = data.draw(st.sampled_from(self.memory.get_all(user_id="u")))
        text = f"{item.attribute} is {value}"
        live = [v for v in self.naive.believed if v.text == item.text and v.end is None]
        twin = any(v.text == text and v.end is None and v.memory != live[0].memory for v in self.naive.believed)
        if twin:
            with pytest.raises(InvalidInput):
                self.memory.update(item.id, text)
            return
        assert self.memory.update(item.id, text).text == text
        self.naive.turns.append(text)
        new = Version(live[0].memory, text, live[0].start, None)
        self.remember(self.last_change(), [self.naive.change([live[0]], [new])])

    def last_change(self):
        """The newest change of the user."""
        store = self.memory._memory._store
        newest = max(store.ledger.changes(store.ledger.space("u")), key=lambda change: change.number)
        return [change for change in self.memory.history(newest.memory_id) if change.id == newest.id]

    @precondition(lambda self: self.steps)
    @rule(data=st.data())
    def undo(self, data):
        change_id = data.draw(st.sampled_from(sorted(self.steps, key=list(self.steps).index)))
        expected = self.naive.undo(self.steps[change_id])
        if expected is None:
            with pytest.raises(UndoConflict):
                self.memory.undo(change_id)
        else:
            self.remember(self.memory.undo(change_id), [expected])

    @rule()
    def delete_all(self):
        if self.naive.believed:
            self.look_again()
        memories = len({v.memory for v in self.naive.believed})
        deleted = self.memory.delete_all(user_id="u")
        assert deleted == memories
        taken, hiding = self.naive.delete_all()
        if deleted.batch_id is not None:
            store = self.memory._memory._store
            changes = store.ledger.changes(store.ledger.space("u"), batch_id=deleted.batch_id)
            steps = [taken.pop(self.memory_of[c.memory_id]) if c.memory_id else hiding for c in changes]
            for change, step in zip(changes, steps, strict=True):
                self.steps[change.id] = step
            self.batches[deleted.batch_id] = [change.id for change in changes]
        assert not taken and self.memory.count(user_id="u") == 0

    @precondition(lambda self: self.batches)
    @rule(data=st.data())
    def undo_delete_all(self, data):
        batch_id = data.draw(st.sampled_from(list(self.batches)))
        before = copy.copy(self.naive.believed), set(self.naive.hidings)
        steps = [self.steps[change_id] for change_id in reversed(self.batches[batch_id])]
        standing = [step for step in steps if not step.undone]
        undoings = [self.naive.undo(step) for step in standing]
        if None in undoings:
            self.naive.believed, self.naive.hidings = before
            for step, undoing in zip(standing, undoings, strict=True):
                if undoing is not None:
                    step.undoers.remove(undoing)
            with pytest.raises(UndoConflict):
                self.memory.undo(batch_id)
        else:
            self.remember(self.memory.undo(batch_id), undoings)

    @rule()
    def reopen(self):
        self.memory.close()
        self.open()

    def look(self):
        self.equals_the_naive_model()
        self.search_equals_brute_force()
        self.the_partition_equals_its_rebuild()

    def equals_the_naive_model(self):
        for number in (0, 7, 14, 30):
            found = self.memory.get_all(user_id="u", as_of=day(number))
            assert sorted(item.text for item in found) == self.naive.holds(day(number))

    @precondition(lambda self: self.snapshots)
    @rule(data=st.data())
    def what_was_known(self, data):
        known_at, held, shown = data.draw(st.sampled_from(self.snapshots))
        for number, texts in held.items():
            found = self.memory.get_all(user_id="u", known_at=known_at, as_of=day(number))
            assert sorted(item.text for item in found) == texts
        hits = self.memory.search("chat", user_id="u", known_at=known_at, include=["turns"], min_score=0, limit=200)
        # Chat that was told after the last change and before the next one cannot be told apart.
        assert len(self.chat(hit.text for hit in hits)) >= len(shown)

    @staticmethod
    def chat(texts):
        return [text for text in texts if text.startswith("chat")]

    def search_equals_brute_force(self):
        """With the floor off and room for all, search finds what holds now, and all chat that is not hidden."""
        shown = self.naive.shown()
        for query in ("home A", "likes tea or chat"):
            hits = self.memory.search(query, user_id="u", include=("memories", "turns"), min_score=0, limit=200)
            told = sorted(hit.text for hit in hits if hit.kind == "memory")
            said = Counter(hit.text for hit in hits if hit.kind == "turn")
            assert told == self.naive.holds(datetime.now(UTC))
            assert said["chat about nothing"] == len(self.chat(shown))
            assert said <= Counter(shown)
        assert [hit.text for hit in self.memory.search("home", user_id="other", min_score=0)] == ["home is elsewhere"]

    def the_partition_equals_its_rebuild(self):
        """One that followed every step, and one that is read anew."""
        partitions = self.memory._memory._store.partitions
        space = self.memory._memory._store.ledger.space("u")
        if space is not None:
            followed = partitions.get(space)
            fresh = partitions._make(space, followed.embedder)
            fresh.catch_up()
            assert followed.snapshot() == fresh.snapshot()
            now = to_micros(datetime.now(UTC))
            for moment in (Moment(now, None, now), Moment(to_micros(day(7)), 3, now)):
                ours, theirs = followed.served(moment), fresh.served(moment)
                assert all(map(np.array_equal, astuple(ours), astuple(theirs)))

    def teardown(self):
        super().teardown()
        report = self.memory.verify()
        assert report.ok, report.problems
        self.memory.close()
        self.folder.cleanup()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", machines.seeds(52))
def test_any_history_equals_the_naive_model(seed):
    machines.run(History, seed, quick=(40, 25))
