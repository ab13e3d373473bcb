"""The store against a naive model: any sequence of verbs, late and back-dated facts included, on both time axes."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from recollect import Memory
from recollect.errors import InvalidInput, NotFound, UndoConflict
from recollect.testing import HashEmbedder, ScriptedLanguage

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


@dataclass
class Step:
    """What one change brought and took."""

    brought: list[Version] = field(default_factory=list)
    took: list[Version] = field(default_factory=list)
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

    def chunk(self, messages: list[str], at: datetime) -> list[Step]:
        """What the messages of one add do. What is said twice in one breath is one fact, unless another word on the same
        matter stands between."""
        steps: list[Step] = []
        last: dict[str, str] = {}
        self.spoken_of: dict[str, int] = {}
        for message in messages:
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
        if operator == "-=":
            return self.end(same[-1].memory, at) if same else self.say_new(f"{attribute} is not {value}", at)
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
        done = self.change(standing, back)
        step.undoers.append(done)
        return done

    def holds(self, at: datetime) -> list[str]:
        return sorted(v.text for v in self.believed if v.start <= at and (v.end is None or v.end > at))


MESSAGES = st.one_of(
    st.builds("{} = {}".format, st.sampled_from(["home", "job"]), st.sampled_from(["A", "B", "C"])),
    st.builds("likes {} {}".format, st.sampled_from(["+=", "-="]), st.sampled_from(["tea", "rum"])),
)


class History(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.open()
        self.naive = Naive()
        self.steps: dict[str, Step] = {}
        self.snapshots: list[tuple[datetime, dict[int, list[str]]]] = []
        # Another user whose memories must never be seen.
        self.memory.add("home = elsewhere", user_id="other", timestamp=day(0))

    def open(self) -> None:
        self.memory = Memory(self.folder.name, llm=ScriptedLanguage(), embedder=HashEmbedder(16))

    def remember(self, changes, steps) -> None:
        for change, step in zip(changes, steps, strict=True):
            self.steps[change.id] = step
        if changes:
            self.snapshots.append((changes[-1].recorded_at, {n: self.naive.holds(day(n)) for n in (0, 7, 14, 30)}))

    @rule(messages=st.lists(MESSAGES, min_size=1, max_size=3), at=st.integers(0, 14))
    def add(self, messages, at):
        said = [{"role": "user", "content": one} for one in messages]
        result = self.memory.add(said, user_id="u", timestamp=day(at))
        self.remember(result.changes, self.naive.chunk(messages, day(at)))

    @precondition(lambda self: self.memory.count(user_id="u"))
    @rule(data=st.data())
    def delete(self, data):
        item = data.draw(st.sampled_from(self.memory.get_all(user_id="u")))
        with pytest.raises(NotFound):
            self.memory.delete(item.id, user_id="other")
        self.memory.delete(item.id, user_id="u")
        live = [v for v in self.naive.believed if v.text == item.text and v.end is None]
        step = self.naive.change(self.naive.of(live[0].memory), [])
        self.remember(self.last_change(), [step])

    @precondition(lambda self: self.memory.count(user_id="u"))
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
        new = Version(live[0].memory, text, live[0].start, None)
        self.remember(self.last_change(), [self.naive.change([live[0]], [new])])

    def last_change(self):
        """The newest change of the user, found through the history of all that is known."""
        known = {c.id: c for m in self.all_ids() for c in self.memory.history(m)}
        return [max(known.values(), key=lambda c: c.number)]

    def all_ids(self):
        store = self.memory._memory._store
        space = store.ledger.space("u")
        return {row.memory_id for row in store.partitions.get(space).rows.values()}

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
    def reopen(self):
        self.memory.close()
        self.open()

    @invariant()
    def equals_the_naive_model(self):
        for number in (0, 7, 14, 30):
            found = self.memory.get_all(user_id="u", as_of=day(number))
            assert sorted(item.text for item in found) == self.naive.holds(day(number))

    @precondition(lambda self: self.snapshots)
    @rule(data=st.data())
    def what_was_known(self, data):
        known_at, held = data.draw(st.sampled_from(self.snapshots))
        for number, texts in held.items():
            found = self.memory.get_all(user_id="u", known_at=known_at, as_of=day(number))
            assert sorted(item.text for item in found) == texts

    @rule(query=st.sampled_from(["home A", "likes tea", "job"]))
    def search(self, query):
        hits = self.memory.search(query, user_id="u", min_score=0, limit=50)
        assert {hit.text for hit in hits} <= set(self.naive.holds(datetime.now(UTC)))
        assert [hit.text for hit in self.memory.search(query, user_id="other", min_score=0)] == ["home is elsewhere"]

    def teardown(self):
        report = self.memory.verify()
        assert report.ok, report.problems
        self.memory.close()
        self.folder.cleanup()


TestHistory = History.TestCase
TestHistory.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
