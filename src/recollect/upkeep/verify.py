"""Does everything in the store fit together? Every invariant of the design that can be checked from what is on disk; and
putting right what follows from the rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..build import Store
from ..embedding import key_of
from ..errors import EmbeddingModelMismatch, StoreCorrupt
from ..model import Row
from ..records import Fault, PassageRecord, Space
from ..results import Problem, Rebuilt, VerifyReport
from ..times import now
from ..view.partition import Partition
from ..writing.evidence import quoted

if TYPE_CHECKING:
    from ..ports import Vectors

SHOWN = 5  # places that a problem names; the rest is counted
TRIES = 3  # to see a partition and its rebuild at the same number
Told = Callable[[int, int], None]
"""Called with how many users are checked, and how many there are."""


def verify_store(store: Store, told: Told) -> VerifyReport:
    """Check everything. Problems name the invariant and the place, never content."""
    problems: list[Problem] = []
    spaces: list[Space] = []
    checked = {"users": 0, "turns": 0, "rows": 0, "changes": 0}
    try:
        problems += named("", store.audit.of_store())
        spaces = [space for space, _ in store.ledger.spaces()]
        checked = {name: store.ledger.counts(None)[name] for name in checked}
    except StoreCorrupt as error:
        problems.append(Problem(what="stored values that cannot be read", where=str(error)))
    for done, space in enumerate(spaces, 1):
        problems += of_user(store, space)
        told(done, len(spaces))
    loaded = store.partitions.loaded()
    return VerifyReport(checked={**checked, "partitions": len(loaded)}, problems=tuple(problems))


def mend_store(store: Store, told: Told) -> Rebuilt:
    """Mend what can be, user by user, and let go of all views. History is never touched; what cannot be mended is told."""
    before = verify_store(store, told)
    after = before
    if any(problem.mendable for problem in before.problems):
        dim = dimension(store)
        if any(problem.where.startswith("index ") for problem in before.problems):
            mend_indexes(store)
        for space, _ in store.ledger.spaces():
            if any(problem.mendable and problem.where.startswith(place(space)) for problem in before.problems):
                store.audit.mend_user(space, dim)
        store.partitions.clear()
        after = verify_store(store, told)
    store.partitions.clear()
    mended = tuple(problem for problem in before.problems if problem not in after.problems)
    return Rebuilt(mended=mended, problems=after.problems)


def mend_indexes(store: Store) -> None:
    """Where the tables under them cannot be read, they stay as they are, and stay in the report."""
    try:
        store.audit.mend_indexes()
    except StoreCorrupt:
        return


def of_user(store: Store, space: Space) -> list[Problem]:
    """What is wrong with a user's memories and with the view of them."""
    problems: list[Problem] = []
    for where, check in (("ledger", ledger_of), ("memory", partition_of)):
        try:
            problems += check(store, space)
        except StoreCorrupt:
            problems.append(Problem(what="stored values that cannot be read", where=f"{place(space)}{where}"))
    return problems


def ledger_of(store: Store, space: Space) -> Iterator[Problem]:
    """What is wrong with a user's memories."""
    with store.ledger.snapshot():  # vectors and embedder of one state: a reembed exchanges both
        yield from named(place(space), store.audit.of_user(space, dimension(store)))
    yield from named(place(space), false_quotes(store, space))
    yield from named(place(space), twins(store, space))


def place(space: Space) -> str:
    """How a user is named in a problem: by its key, for the id may be a name."""
    return f"space {space}: "


def named(where: str, faults: Iterable[Fault]) -> Iterator[Problem]:
    """Faults of one kind as one problem that names the first places."""
    kinds: dict[tuple[str, str, bool], list[str]] = {}
    more: dict[tuple[str, str, bool], int] = {}
    for fault in faults:
        kind = (fault.what, fault.noun, fault.mends)
        if len(places := kinds.setdefault(kind, [])) < SHOWN:
            places.append(fault.place)
        else:
            more[kind] = more.get(kind, 0) + 1
    for kind, places in kinds.items():
        what, noun, mends = kind
        rest = f" and {more[kind]} more" if kind in more else ""
        shown = ", ".join(dict.fromkeys(one for one in places if one))
        yield Problem(what=what, where=f"{where}{noun} {shown}{rest}".rstrip(), mendable=mends)


def dimension(store: Store) -> int | None:
    """Of the store's vectors; None where nothing was embedded yet."""
    recorded = store.ledger.setting("embedder")
    try:
        return None if recorded is None else int(json.loads(recorded)["dim"])
    except (ValueError, KeyError, TypeError):
        raise StoreCorrupt("the store's record of its embedder cannot be read") from None


def false_quotes(store: Store, space: Space) -> Iterator[Fault]:
    """Quotes that do not occur in their turns, typography aside."""
    for source, quote, text in store.audit.doubtful_quotes(space):
        if not quoted(quote, text):
            yield Fault("a quote that does not stand in its turn", "source", str(source))


def twins(store: Store, space: Space) -> Iterator[Fault]:
    """Live rows that say the same of the same time, with the same metadata."""
    for row in alike(store.ledger.rows(space, store.audit.twins(space)).values()):
        yield Fault("two live versions that say the same", "row", str(row.number))


def alike(rows: Iterable[Row]) -> Iterator[Row]:
    """Of believed rows those that say what one before them says."""
    seen: dict[tuple[object, ...], list[Row]] = {}
    moment = now()
    for row in rows:
        if row.is_live(moment):
            key = (row.statement.text_key, row.statement.event, str(sorted(row.metadata.items(), key=str)))
            if any(overlap(row, other) for other in seen.get(key, ())):
                yield row
            seen.setdefault(key, []).append(row)


def overlap(one: Row, other: Row) -> bool:
    """Whether there is a time at which both hold. Messages dated ahead of our clock leave versions that are yet to end."""
    starts, ends = max(one.valid_from, other.valid_from), [row.valid_to for row in (one, other) if row.valid_to]
    return all(starts < end for end in ends)


# --- views -------------------------------------------------------------------------------------------------------------


def partition_of(store: Store, space: Space) -> Iterator[Problem]:
    """A view that is in memory equals its rebuild from the ledger."""
    for partition in store.partitions.loaded():
        if partition.space == space and differs(store, partition):
            yield Problem(
                what="a partition that differs from its rebuild", where=f"{place(space)}memory", mendable=True
            )


def differs(store: Store, partition: Partition) -> bool:
    """Whether a partition is another than its rebuild, at a number that both are at. Without one, writers are too busy; one of
    an embedder that a `reembed` exchanged meanwhile is used no more.

    Raises EmbeddingModelMismatch where that was another process, or another memory of this one.
    """
    try:
        for _ in range(TRIES):
            partition.catch_up()
            fresh = store.partitions.fresh(partition.space, partition.embedder)
            asked = Probe.of(store.ledger.passages(partition.space), partition.embedder.dim)
            mine, right = view_of(partition, asked), view_of(fresh, asked)
            if mine[0] == right[0]:
                return mine != right
    except EmbeddingModelMismatch:
        if key_of(store.in_use.settled()) == partition.embedder:
            raise
    return False


class Probe(NamedTuple):
    """What a user's views are asked to be compared: about these passages, with all of their words and a vector at random."""

    keys: list[int]
    words: dict[str, int]
    vector: Vectors

    @classmethod
    def of(cls, parts: Iterable[Sequence[PassageRecord]], dim: int) -> Probe:
        """By a user's passages, some at a time."""
        import numpy as np

        keys: list[int] = []
        words: set[str] = set()
        for part in parts:
            keys += [one.number for one in part]
            words.update(term for one in part for term in one.terms)
        vector = np.random.default_rng(1).standard_normal(dim).astype(np.float32)
        return cls(keys, dict.fromkeys(sorted(words), 1), vector)


def view_of(partition: Partition, asked: Probe) -> tuple[object, ...]:
    """A partition's number and all that it would answer: each passage's cosine to the vector, and the scores of a query of all
    words."""
    import numpy as np

    before, keys = partition.snapshot(), asked.keys
    by_words = partition.search(None, asked.words, len(keys), np.ones(max(keys, default=0) + 1, dtype=bool)).text
    cosines = [cosine for cosine, _ in partition.relevance(asked.vector, {}, keys)]
    near = [None if cosine is None else round(cosine, 4) for cosine in cosines]
    scores = sorted((key, round(score, 6)) for key, score in by_words.pairs())
    return (*before, near, scores) if partition.snapshot() == before else (-1, None)
