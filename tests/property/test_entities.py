"""Who is who against a naive model: any sequence of facts, deletions, erasures, words of callers, and undoings of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import machines
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from naming import Naming

from recollect import Memory
from recollect.errors import InvalidInput, NotFound, UndoConflict
from recollect.testing import HashEmbedder

START = datetime(2024, 1, 1, tzinfo=UTC)
SMITHS, SISTERS = ["Dr. Smith", "Mrs. Smith", "Anna Smith"], ["my sister", "the user's sister"]
NAMES = ["Smith", *SMITHS, *SISTERS, "Eva"]
FACTS = [f"meet {name}" for name in NAMES]
FACTS += ["meet Smith & Dr. Smith", "meet Eva & Anna Smith"]
FACTS += [f"the user --sister--> {name}" for name in ("Eva", "Anna Smith")]
ENDS = {fact: fact.removeprefix("meet ").replace(" --sister--> ", " & ").split(" & ") for fact in FACTS}


@dataclass(eq=False)
class Word:
    """What a caller said of two: on top of which pair it stands or does not."""

    pair: frozenset[str]
    same: bool
    stands: bool = True


@dataclass(eq=False)
class Step:
    """What a change of words brought and ended; it is undone while one of its undoings is not."""

    brought: list[Word] = field(default_factory=list)
    ended: list[Word] = field(default_factory=list)
    undoings: list[Step] = field(default_factory=list)
    erased: bool = False

    @property
    def undone(self):
        return any(not one.undone for one in self.undoings)


class Naive:
    """Blocks of names, by the plainest code that says the rule for these few."""

    def __init__(self):
        self.facts: dict[str, bool] = {}  # every one that is not erased, and whether it is believed
        self.words: list[Word] = []
        self.steps: list[Step] = []

    def names(self, *, believed):
        return {name for fact, holds in self.facts.items() if holds or not believed for name in ENDS[fact]}

    def said(self):
        return [word for word in self.words if word.stands]

    def blocks(self, words=None, by_facts=True):
        words = self.said() if words is None else words
        present = self.names(believed=True)
        blocks = [{name} for name in present | {name for word in words for name in word.pair}]
        apart = [word.pair for word in words if not word.same]

        def block(name):
            return next(one for one in blocks if name in one)

        def join(one, other):
            first, second = block(one), block(other)
            if first is not second and not any(pair & first and pair & second for pair in apart):
                first |= second
                blocks[:] = [found for found in blocks if found is not second]

        for word in words:
            if word.same:
                join(*word.pair)
        if by_facts:
            self.join_by_facts(present, block, join)
        return {frozenset(one & present) for one in blocks if one & present}

    def join_by_facts(self, present, block, join):
        if set(SISTERS) <= present:
            join(*SISTERS)
        titled = [name for name in ("Dr. Smith", "Mrs. Smith") if name in present]
        if "Anna Smith" in present and len(titled) == 1:
            join(titled[0], "Anna Smith")
        fitting = [name for name in SMITHS if name in present]
        one_fits = bool(fitting) and all(block(name) is block(fitting[0]) for name in fitting)
        side_by_side = "Dr. Smith" in fitting and self.facts.get("meet Smith & Dr. Smith")
        if "Smith" in present and one_fits and not side_by_side:
            join("Smith", fitting[0])
        who = [fact.split("> ")[1] for fact, holds in self.facts.items() if holds and "sister-->" in fact]
        for sister in SISTERS:
            if sister in present and who and all(block(name) is block(who[0]) for name in who):
                join(sister, who[0])

    def say(self, one, other, same):
        """The step, or None where it is refused."""
        pair = frozenset((one, other))
        ended = [word for word in self.said() if word.pair == pair]
        others = [word for word in self.said() if word.pair != pair]
        held = Naive()
        blocks = {name: block for block in held.everyone(others) for name in block}
        first, second = blocks.get(one, {one}), blocks.get(other, {other})
        if any(word.same == same for word in ended):
            return None
        together = one in second
        if same and not together and any(not w.same and w.pair & first and w.pair & second for w in others):
            return None
        if together and not same:
            return None
        word = Word(pair, same)
        self.words.append(word)
        for old in ended:
            old.stands = False
        return self.keep(Step([word], ended))

    def everyone(self, words):
        """Blocks by words alone, of names that nothing tells of any more too."""
        self.facts = {f"meet {name}": True for word in words for name in word.pair}
        return self.blocks(words, by_facts=False)

    def keep(self, step):
        self.steps.append(step)
        return step

    def undo(self, step):
        if step.undone or step.erased:
            return None
        done = Step([word for word in step.ended if not word.stands], [word for word in step.brought if word.stands])
        done.brought += [word for word in step.ended if word.stands]
        for word in step.brought:
            word.stands = False
        for word in step.ended:
            word.stands = True
        step.undoings.append(done)
        return self.keep(done)

    def erase(self, fact):
        del self.facts[fact]
        left = self.names(believed=False)
        gone = [word for word in self.words if not word.pair <= left]
        for step in self.steps:
            step.erased |= any(word in gone for word in (*step.brought, *step.ended))
        self.words = [word for word in self.words if word not in gone]


class Entities(machines.Machine):
    def __init__(self):
        super().__init__()
        self.folder = machines.folder()
        self.open()
        self.naive = Naive()
        self.changes: dict[str, Step] = {}
        self.memory.add([{"role": "user", "content": one} for one in FACTS], user_id="other", timestamp=START)
        self.others = self.found("other")

    def open(self):
        self.memory = Memory(self.folder.name, llm=Naming(), embedder=HashEmbedder(16))

    @initialize(facts=st.lists(st.sampled_from(FACTS), min_size=2, max_size=4, unique=True))
    def tell_first(self, facts):
        for fact in facts:
            self.tell(fact)

    @rule(fact=st.sampled_from(FACTS))
    def tell(self, fact):
        if fact not in self.naive.facts:  # what was deleted comes back by `restore`
            self.memory.add(fact, user_id="u", timestamp=START, allow_erased=True)
            self.naive.facts[fact] = True

    def item(self, fact):
        text = fact.replace(" --sister--> ", " sister ")
        return next(one for one in self.memory.get_all(user_id="u") if one.text == text)

    @precondition(lambda self: any(self.naive.facts.values()))
    @rule(data=st.data(), comes_back=st.booleans())
    def delete(self, data, comes_back):
        fact = data.draw(st.sampled_from(sorted(one for one, holds in self.naive.facts.items() if holds)))
        item = self.item(fact)
        self.memory.delete(item.id)
        self.naive.facts[fact] = False
        if comes_back:
            self.look()
            self.memory.undo(self.memory.history(item.id)[-1].id)
            self.naive.facts[fact] = True

    @precondition(lambda self: any(self.naive.facts.values()))
    @rule(data=st.data())
    def erase(self, data):
        fact = data.draw(st.sampled_from(sorted(one for one, holds in self.naive.facts.items() if holds)))
        self.memory.erase(self.item(fact).id)
        self.naive.erase(fact)

    @rule(pair=st.lists(st.sampled_from(NAMES), min_size=2, max_size=2, unique=True), same=st.booleans())
    def say(self, pair, same):
        verb = self.memory.merge_entities if same else self.memory.separate_entities
        if not set(pair) <= self.naive.names(believed=False):
            with pytest.raises(NotFound):
                verb(*pair, user_id="u")
        elif (step := self.naive.say(*pair, same)) is None:
            with pytest.raises(InvalidInput):
                verb(*pair, user_id="u")
        else:
            self.changes[verb(*pair, user_id="u").id] = step

    @precondition(lambda self: self.changes)
    @rule(data=st.data())
    def undo(self, data):
        change_id = data.draw(st.sampled_from(list(self.changes)))
        step = self.naive.undo(self.changes[change_id])
        if step is None:
            with pytest.raises(UndoConflict):
                self.memory.undo(change_id)
        else:
            (change,) = self.memory.undo(change_id)
            self.changes[change.id] = step

    @rule()
    def reopen(self):
        self.memory.close()
        self.open()

    def found(self, user):
        graph = self.memory.entity_graph(user_id=user)
        named = [told["names"] for _, told in graph.nodes(data=True) if told["type"] == "entity"]
        return {frozenset(names) - {"the user"} for names in named} - {frozenset()}

    def look(self):
        expected = {block - {"the user"} for block in self.naive.blocks()} - {frozenset()}
        assert self.found("u") == expected
        assert self.found("other") == self.others
        store = self.memory._memory._store
        if (space := store.ledger.space("u")) is not None:
            assert store.partitions.get(space).snapshot() == store.partitions.fresh(space).snapshot()

    def teardown(self):
        super().teardown()
        assert self.memory.verify().problems == ()
        self.memory.close()
        self.folder.cleanup()


@pytest.mark.parametrize("seed", machines.seeds(4))
def test_entities_are_those_of_the_naive_model(seed):
    machines.run(Entities, seed, quick=(12, 14))
