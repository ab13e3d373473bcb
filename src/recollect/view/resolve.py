"""Who is who: which of a user's entities are one, worked out of their names, of what holds, and of what a caller said.

Conservative, for two that were taken for one cannot be told apart by any answer that follows. Two names are one entity

1. where a caller said so (`merge_entities`), or where they are the same but for case, spaces, article and possessive ending;
2. where a fact says so: *(Anna) —also known as→ (Annie)*, and nobody else is known by that name;
3. where one is the other with a title, or ends it ("Dr. Smith", "Smith", "Anna Smith"; not "Smithson"): both are people,
   exactly one fits, titles do not contradict each other, and no fact names the two side by side;
4. where one is a part of which one has one ("my sister", "the user's sister", "Tom's wife"), and facts that hold name exactly
   one.

Never where a caller told them apart (`separate_entities`): that wins over everything. Two people of the very same name are one
entity here, as they are in what was said. Nothing of this but a caller's word is stored: when a second Dr. Smith turns up, or the
fact goes, the names are two again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..records import Identity

USER, UNKNOWN = "user", "thing"  # the kind of what a relation alone names
_ARTICLES = {"the", "a", "an"}
_TITLES = {
    "dr", "doctor", "prof", "professor", "mr", "mister", "mrs", "ms", "miss", "mx", "sir", "madam", "herr", "frau", "señor",
    "señora", "monsieur", "madame", "rev", "reverend", "father", "judge", "captain", "officer", "coach",
}  # fmt: skip
_SELF = {"i", "me", "myself", "user", "the user"}
# Parts of which one has one, mostly, and other words for them. "My kids" is nobody's name, and "my cousin" any of several.
_PARTS: Mapping[str, str] = {
    **{part: part for part in (
        "sister", "brother", "mother", "father", "wife", "husband", "partner", "girlfriend", "boyfriend", "fiancé", "daughter",
        "son", "grandmother", "grandfather", "stepmother", "stepfather", "twin", "best friend", "boss", "manager", "flatmate",
        "therapist", "doctor", "dentist", "landlord", "dog", "cat", "horse",
    )},
    "mom": "mother", "mum": "mother", "mommy": "mother", "mama": "mother", "dad": "father", "daddy": "father", "papa": "father",
    "grandma": "grandmother", "granny": "grandmother", "grandpa": "grandfather", "granddad": "grandfather", "sis": "sister",
    "bro": "brother", "spouse": "partner", "fiance": "fiancé", "fiancée": "fiancé", "fiancee": "fiancé", "roommate": "flatmate",
}  # fmt: skip
_MARRIED, _WED = "married to", {"wife", "husband", "partner"}  # each of them may be meant
_ALIASES = {
    "alias", "aka", "a.k.a", "also known as", "also called", "known as", "called", "nickname", "nicknamed", "goes by",
    "full name", "real name", "same as",
}  # fmt: skip
_COPULA = re.compile(r"^(?:(?:is|was|has|have|the|a|an|my) )+")
_POSSESSIVE = re.compile(r"(?:['’]s|(?<=s)['’])$")
_OWNED = re.compile(r"^(?:(?P<mine>my|our)|(?P<whose>.{1,150}?)(?:['’]s|(?<=s)['’])) (?P<part>[^'’]{1,49})$")


@dataclass(frozen=True)
class Name:
    """An entity's name, read. `words`: without title, article and possessive ending; `title`: "dr" of "Dr. Smith"."""

    number: int
    name: str
    kind: str

    @cached_property
    def _words(self) -> tuple[str, ...]:
        words = [word.rstrip(".,") for word in _POSSESSIVE.sub("", plain(self.name)).split()]
        words = [word for word in words if word]
        return tuple(words[1:] if len(words) > 1 and words[0] in _ARTICLES else words)

    @cached_property
    def title(self) -> str | None:
        """A leading title, without its point."""
        return self._words[0] if len(self._words) > 1 and self._words[0] in _TITLES else None

    @cached_property
    def words(self) -> tuple[str, ...]:
        """What is left of the name."""
        return self._words[1:] if self.title else self._words

    @cached_property
    def key(self) -> tuple[str | None, tuple[str, ...]]:
        """Names of the same key are one name. The user's own all have one; "my mum" is "the user's mother"."""
        if self.is_user:
            return None, (USER,)
        return ("'s", self.owned) if self.owned else (_of_title(self.title), self.words)

    @property
    def is_user(self) -> bool:
        """Whether it is the user, by no name of theirs."""
        return plain(self.name) in _SELF

    @property
    def is_person(self) -> bool:
        """Whether it is somebody, by its kind, or by its title where nobody said of what kind it is."""
        return self.kind == "person" or (self.title is not None and self.kind == UNKNOWN)

    @cached_property
    def owned(self) -> tuple[str, str] | None:
        """(owner, part) of "Tom's wife"; the owner of "my sister" is the user."""
        match = _OWNED.match(plain(self.name))
        part = _PARTS.get(match["part"]) if match else None
        whose = match["whose"] if match else None
        return (USER if whose is None or whose in _SELF else whose, part) if part else None

    def extends(self, short: Name) -> bool:
        """Whether a shorter name may be this one's: its words are the last of this one's, or all of them and only this one has a
        title. Titles that both have must be the same."""
        if short.words == self.words:
            return self.title is not None and short.title is None
        if self.title and short.title and _of_title(self.title) != _of_title(short.title):
            return False
        return 0 < len(short.words) < len(self.words) and self.words[-len(short.words) :] == short.words


class Doubles:
    """The `numbers` of names that may be one with another one, found as names come: the others need no look."""

    def __init__(self) -> None:
        self.numbers: set[int] = set()
        self._alike: dict[object, list[int]] = {}

    def add(self, one: Name) -> None:
        """A further name."""
        if one.owned:
            self.numbers.add(one.number)
        if not one.words:
            return
        alike: list[object] = [one.key]
        if one.is_person and one.owned is None:
            alike.append(one.words[-1])
        for key in alike:
            same = self._alike.setdefault(key, [])
            same.append(one.number)
            if len(same) > 1:
                self.numbers.update(same if len(same) == 2 else same[-1:])


@dataclass(frozen=True, slots=True)
class Told:
    """What a fact that holds says of two entities."""

    subject: int
    predicate: str
    object: int


def plain(name: str) -> str:
    """Without regard to case and spacing."""
    return " ".join(name.casefold().split())


def says_who(predicate: str) -> bool:
    """Whether a relation of this label may tell who somebody is."""
    label = _label(predicate)
    return label == _MARRIED or label in _ALIASES or label.removesuffix(" of") in _PARTS


def _label(predicate: str) -> str:
    """ "is the sister of" → "sister of"."""
    return _COPULA.sub("", plain(predicate)).rstrip(".")


def _of_title(title: str | None) -> str | None:
    return {"doctor": "dr", "professor": "prof", "mister": "mr", "reverend": "rev"}.get(title or "", title)


class Groups:
    """Entities that are one, by their smallest number. Two that were told apart are never joined."""

    def __init__(self, numbers: Iterable[int], apart: Iterable[tuple[int, int]] = ()) -> None:
        self._head = {number: number for number in numbers}
        self._apart: dict[int, set[int]] = {}
        for one, other in apart:
            self._apart.setdefault(one, set()).add(other)
            self._apart.setdefault(other, set()).add(one)

    def head(self, number: int) -> int:
        """The group's number."""
        while self._head[number] != number:
            self._head[number] = number = self._head[self._head[number]]
        return number

    def may_join(self, one: int, other: int) -> bool:
        """Whether nobody told the two groups apart."""
        return self.head(other) not in {self.head(foe) for foe in self._apart.get(self.head(one), ())}

    def join(self, one: int, other: int) -> bool:
        """Make two groups one, where that may be."""
        first, second = sorted((self.head(one), self.head(other)))
        if first == second:
            return True
        if not self.may_join(first, second):
            return False
        self._head[second] = first
        self._apart.setdefault(first, set()).update(self._apart.pop(second, ()))
        return True

    def heads(self) -> dict[int, int]:
        """entity → its group's number."""
        return {number: self.head(number) for number in self._head}


def by_word(numbers: Iterable[int], identities: Iterable[Identity]) -> Groups:
    """As far as callers said: those told apart, and then, in the order in which they were said, those merged."""
    said = [one for one in identities if one.retired is None]
    known = {*numbers, *(end for one in said for end in (one.one, one.other))}
    groups = Groups(known, [(one.one, one.other) for one in said if not one.same])
    for one in sorted((one for one in said if one.same), key=lambda one: (one.origin, one.one, one.other)):
        groups.join(one.one, one.other)
    return groups


def resolved(
    names: Sequence[Name],
    told: Sequence[Told],
    identities: Iterable[Identity] = (),
    beside: Callable[[int, int], bool] = lambda _one, _other: False,
) -> dict[int, int]:
    """entity → the smallest number of those that are one with it. `told`: what facts that hold say; `beside`: whether a
    fact names two of them side by side. The order of the arguments' items does not matter."""
    groups = by_word(
        [one.number for one in names], identities
    )  # a third that nothing names any more joins two all the same
    names = sorted(names, key=lambda one: one.number)
    known = {one.number for one in names}
    told = [one for one in told if {one.subject, one.object} <= known]
    _same_names(groups, names)
    _by_alias(groups, told)
    _shorter(groups, names, beside)
    _parts(groups, names, told)
    return groups.heads()


def _same_names(groups: Groups, names: Sequence[Name]) -> None:
    """Of the same kind, or of a kind that nobody said where there is no choice: "The Office" is not the office."""
    alike: dict[object, list[Name]] = {}
    for one in names:
        if one.words:
            alike.setdefault(one.key, []).append(one)
    for same in alike.values():
        kinds = {one.kind for one in same} - {UNKNOWN}
        first: dict[str, int] = {}
        for one in same:
            kind = one.kind if len(kinds) > 1 else ""
            groups.join(first.setdefault(kind, one.number), one.number)


def _by_alias(groups: Groups, told: Sequence[Told]) -> None:
    """A name that two are known by is nobody's."""
    said = [one for one in told if _label(one.predicate) in _ALIASES]
    whose: dict[int, set[int]] = {}
    for one in said:
        whose.setdefault(groups.head(one.object), set()).add(groups.head(one.subject))
    for alias, subjects in sorted(whose.items()):
        if len(subjects) == 1:
            groups.join(subjects.pop(), alias)


def _shorter(groups: Groups, names: Sequence[Name], beside: Callable[[int, int], bool]) -> None:
    """The longest first, and with a title before without: "Dr. Smith" finds "Anna Smith" before "Smith" looks for either."""
    people = [one for one in names if one.is_person and one.words and one.owned is None]
    ending: dict[str, list[Name]] = {}
    for one in people:
        ending.setdefault(one.words[-1], []).append(one)
    for short in sorted(people, key=lambda one: (-len(one.words), one.title is None, one.number)):
        longer = [one for one in ending[short.words[-1]] if one.extends(short)]
        if len({groups.head(one.number) for one in longer}) != 1 or _rivalled(short, longer, ending[short.words[-1]]):
            continue
        if not any(beside(one.number, short.number) for one in longer):
            groups.join(longer[0].number, short.number)


def _rivalled(short: Name, longer: Sequence[Name], others: Sequence[Name]) -> bool:
    """Whether another title claims the same untitled name: is Anna Smith Dr. Smith, or Mrs. Smith?"""
    claimed = short.title is not None and any(one.title is None for one in longer)
    same = (one for one in others if one.title and one.words == short.words)
    return claimed and any(_of_title(one.title) != _of_title(short.title) for one in same)


def _parts(groups: Groups, names: Sequence[Name], told: Sequence[Told]) -> None:
    """Those with fewer owners in them first: "my sister" before "my sister's husband"."""
    of_name = {plain(one.name): one.number for one in names}
    of_name.update((USER, one.number) for one in names if one.is_user)
    owned = [one for one in names if one.owned]
    for one in sorted(owned, key=lambda one: (len(plain(one.name)), one.number)):
        owner, part = one.owned or ("", "")
        if (whose := of_name.get(owner)) is None:
            continue
        alike = {
            other.number for other in owned if other.owned == one.owned
        }  # "Tom is married to Tom's wife" tells nothing
        fitting = _holders(groups, [fact for fact in told if not alike & {fact.subject, fact.object}], whose, part)
        if len(fitting) == 1:
            groups.join(fitting.pop(), one.number)


def _holders(groups: Groups, told: Sequence[Told], owner: int, part: str) -> set[int]:
    """Who is told to be an owner's part, as group numbers: by *(owner) —sister→ (Anna)* or *(Anna) —sister of→ (owner)*."""
    head, found = groups.head(owner), set()
    for one in told:
        label = _label(one.predicate)
        subject, other = groups.head(one.subject), groups.head(one.object)
        if label == _MARRIED and part in _WED and head in (subject, other):
            found.add(other if head == subject else subject)
        elif _PARTS.get(label) == part and subject == head:
            found.add(other)
        elif label.endswith(" of") and _PARTS.get(label.removesuffix(" of")) == part and other == head:
            found.add(subject)
    return found
