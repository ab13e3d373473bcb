"""A sentence made to stand on its own in the first person: its subject put in, its pronouns cleared, its loose end cut."""

from __future__ import annotations

import re

from .slots import RELATIVES
from .verbs import is_past

_SPLIT = re.compile(r"\s*[-–—]+\s+|\s*[–—;]\s*|\s*\.{3,}\s*|\s*…\s*|:\s+(?=I\b)|\s+\((?=[^)]*\))")
_ELIDED_GERUND = re.compile(
    r"^(?:Currently |Just |Still |Now |Also )?(?P<v>planning|working on|working as|thinking of|thinking about|researching|learning|trying to|going to"
    r"|looking for|looking into|studying|reading|training|preparing|saving|gonna|heading|hoping to|attending|volunteering)\b",
    re.IGNORECASE,
)
_FINITE = re.compile(
    r"\b(?:is|are|was|were|has|have|helps?|makes?|looks?|sounds?|seems?|can|will|gets?|takes?|feels?|does|did|gives?|means?|brings?|keeps?)\b"
)
_ELIDED_PAST = re.compile(
    r"^(?:Just|Finally|Recently|Even|Already) (?P<v>\w+)\b|^(?P<w>Went|Got|Took|Had|Bought|Saw|Met|Started|Finished|Spent|Visited|Made|Found|Joined)\b"
)
_BEEN = re.compile(r"^(?P<v>Been) (?=\w+ing\b|busy\b|to\b)")
_INTRO = (
    r"(?:last|next|this|these|yesterday|today|tonight|tomorrow|recently|lately|in|on|at|when|since|after|before|once|as|during|for|every"
    r"|sometimes|now|currently|two|three|four|five|a|an|one|back|growing|until|while|usually|normally|later|earlier|soon|over|from|with"
    r"|outside|besides|then|first|finally|apart|aside|other|by|each|most|because|around|afterwards|right|just|also|ever|even|the|some)"
)
_SUBJECT = re.compile(
    rf"^(?:(?:{_INTRO}\b[^.!?;]{{0,90}}?[\s,])?(?:I|we)|(?:{_INTRO}\b[^.!?;]{{0,90}}?,\s*)?(?:my|our))\b(?!\s*[,.!]|$)",
    re.IGNORECASE,
)
_NAMED = re.compile(r"^[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)? (?:is|was|and I|are) (?:.{0,30}\b)?(?:my|our|I)\b")
_PERSON = re.compile(
    rf"\b(?:[Mm]y|[Oo]ur) (?:[\w-]+ )?(?P<kin>{RELATIVES}|dog|cat|puppy|kitten)\b(?!s)(?:,? (?P<name>[A-Z][a-z]+))?"
)
_GROUP = re.compile(
    r"\b(?P<group>(?:[Mm]y|[Oo]ur) (?:[\w-]+ )?(?:kids|children|parents|sisters|brothers|friends|sons|daughters|grandparents|dogs|cats|students|colleagues|coworkers|pets|family))\b"
)
_HE_SHE = re.compile(r"^(?:He|She)(?=['’]s\b| )")
_THEY = re.compile(r"^They(?=['’](?:re|ve|ll|d)\b| )")

_POINTING = re.compile(
    r"\b(?:that|this|these|those)\b(?=\s*(?:[.,!;:?)]|$)|\s+(?:and|but|or|so|is|was|has|too|as|with|for|to|in|on|will|would|can|when|because|really|again"
    r"|together|yet|now|all|at|from|before|since|out|up|one|ones|way|kind|sort|though|made|means|helps?)\b)|\bthat['’](?:s|ll|d)\b|\bthis['’]s\b",
    re.IGNORECASE,
)
_RELATIVE_THAT = re.compile(r"(?:\w+)\s+that\s+(?:is|was|has|will|would|can|really|made|means|helps?)\b", re.IGNORECASE)
_IT = re.compile(r"\bits?\b(?:['’]\w+)?", re.IGNORECASE)
_ONE_PERSON = re.compile(r"\b(?:he|she|him|her|his|hers)\b(?:['’]\w+)?", re.IGNORECASE)
_SEVERAL = re.compile(r"\b(?:they|them|their|theirs)\b(?:['’]\w+)?", re.IGNORECASE)
_THERE = re.compile(r"\b(?:there|here)\b(?!['’]s| (?:is|are|was|were|have|has|will))", re.IGNORECASE)
_ONE = re.compile(
    r"\b(?:ones?|another|both|either|neither|the same|others?)\b(?=\s*(?:[.,!;]|$|\s(?:of (?:these|those|them)|too|and|as|with|in|on|from|for)\b))",
    re.IGNORECASE,
)
_THING = re.compile(
    r"\b(?:an?|the|my|our|this|that|some|new|to|in|of|with|playing|writing|reading|doing)\s+[a-z]{2,}|\b\w+ing\b|\b[A-Z]\w+",
    re.ASCII,
)
_SOMEBODY = re.compile(
    rf"\b(?:{RELATIVES}|guy|girl|boy|man|woman|lady|person|dog|cat|puppy|kitten|pup|\w+ called [A-Z]\w+)\b|(?<!^)(?<![.!?] )\b[A-Z][a-z]+"
)
_PLURAL = re.compile(
    r"\b(?:[a-z]{3,}[^s\W]s|people|children|family|team|group|kids|folks|parents|women|men|company|agency)\b"
)
_CUT = re.compile(
    r"(?:,\s*|\s+)(?:and|but|so|because|'cause|cause|since|which|as|though|although|while|where)\s+|,\s+|\s+-\s+"
)


def split_clauses(text: str) -> list[tuple[int, str]]:
    """The parts between dashes and semicolons, each with its place."""
    parts, start = [], 0
    for match in _SPLIT.finditer(text):
        parts.append((start, text[start : match.start()]))
        start = match.end()
    parts.append((start, text[start:]))
    return [(at, part) for at, part in parts if part.strip()]


def with_subject(clause: str) -> str:
    """ "Went to a concert" → "I went to a concert"; "Planning a trip" → "I'm planning a trip"."""
    clause = re.sub(r"^The (?=(?:kids|dog|dogs|cats|puppy)\b)", "My ", clause)
    rest = clause[match.end() :].split(",")[0] if (match := _ELIDED_GERUND.match(clause)) else ""
    if match and not _FINITE.search(rest) and not rest.startswith(" be "):
        return "I'm " + clause[0].lower() + clause[1:]
    if match := _BEEN.match(clause):
        return "I've been " + clause[match.end() :]
    if match := _ELIDED_PAST.match(clause):
        verb = match["v"] or match["w"]
        if is_past(verb):
            return "I " + clause[0].lower() + clause[1:]
    return clause


def has_subject(clause: str) -> bool:
    """Whether it tells about the speaker or somebody of theirs."""
    return bool(_SUBJECT.match(clause) or _NAMED.match(clause))


def resolve_subject(clause: str, before: str) -> str:
    """ "She …" after "My sister Anna …" → "My sister Anna …"; unchanged where it is not clear."""
    if _HE_SHE.match(clause):
        found = {match[0] for match in _PERSON.finditer(before)}
        if len(found) == 1 and not _GROUP.search(before):
            name = found.pop()
            return _HE_SHE.sub(lambda _: name[0].upper() + name[1:], clause)
    if _THEY.match(clause):
        groups = {match["group"] for match in _GROUP.finditer(before)}
        if len(groups) == 1:
            group = groups.pop()
            return _THEY.sub(lambda _: group[0].upper() + group[1:], clause)
    return clause


def company(text: str) -> str | None:
    """Who "we" are, where the text names them: "my kids" → "their kids"."""
    groups = {match["group"].split(" ", 1)[1] for match in _GROUP.finditer(text)}
    people = {match[0].split(" ", 1)[1] for match in _PERSON.finditer(text)}
    named = groups | people
    return f"their {named.pop()}" if len(named) == 1 else None


def trim(clause: str) -> str | None:
    """The clause up to its first pronoun that refers to nothing in it; None where too little is left."""
    at = _first_dangling(clause)
    if at is None:
        return clause
    cuts = [match for match in _CUT.finditer(clause) if match.start() < at]
    for cut in reversed(cuts):
        head = clause[: cut.start()].rstrip(" ,")
        if (
            len(head.split()) >= 5
            and _first_dangling(head) is None
            and not head.split()[-1].casefold() in ("and", "so", "but")
        ):
            return head
    return None


def _first_dangling(clause: str) -> int | None:
    """Where the first unclear pronoun stands."""
    places = [match.start() for match in _POINTING.finditer(clause) if not _is_relative(clause, match)]
    for pattern, antecedent in ((_IT, _THING), (_ONE_PERSON, _SOMEBODY), (_SEVERAL, _PLURAL)):
        places += [
            match.start() for match in pattern.finditer(clause) if not antecedent.search(clause[: match.start()])
        ]
    places += [match.start() for match in _THERE.finditer(clause)]
    places += [match.start() for match in _ONE.finditer(clause)]
    return min(places) if places else None


def _is_relative(clause: str, match: re.Match[str]) -> bool:
    """ "a book that is …" points back by itself."""
    if match[0].casefold() != "that":
        return False
    before = clause[: match.start()].split()
    return bool(before) and before[-1][0].isalpha() and not re.fullmatch(
        r"(?i)(?:do|did|like|love|of|to|with|about|for|and|but|after|before|at|on|in|by|from|see|know|made|make|try|hear|than|all|is|was|enjoy|said|get|got|I|we|doing|done)",
        before[-1],
    )  # fmt: skip
