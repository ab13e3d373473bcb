"""A sentence cut into clauses that may stand alone: greetings and comments off, elided subjects put in."""

from __future__ import annotations

import re

from .statement import KIN, PET, SUBORDINATE, parse
from .verbs import is_past

_SPLIT = re.compile(r"\s*[-–—]+\s+|\s*[–—;]\s*|\s*\.{3,}\s*|\s*…\s*|:\s+(?=I\b)|\s+\((?=[^)]*\))")
_OWN = r"(?:I|we|my|our)\b(?!\s*[,.!]|$)"
_COMMENT = r"(?:let['’]?s|take a look|check (?:it|this|that|them)|look at|how (?:can|do|should)|what (?:should|are|is|do)|(?:can|could|would|will) you|please|such an?|the [\w ]{2,20} (?:is|are|was|were|has|have)|it|its|that|this|they|he|she|you|your|there|these|those|everyone|wow|what|who knows|maybe|hopefully|can['’]t wait|thanks?|thank you)\b"
_JOIN = re.compile(
    rf",?\s+(?:and|but|so|plus|then|or|yet|and so|and now|and then|so now)\s+(?=(?:now |also |recently |lately |last \w+ )?{_OWN}|{_COMMENT})|,\s+(?={_COMMENT})|,\s+(?=which\b|(?:I|we)(?:['’]\w+)? |(?:my|our) \w+ (?:is|was|has|had|are|were|\w+ed|broke|got|went)\b)"
    r"|,?\s+(?:as|if|like|just like) (?:you|I) (?:know|said|mentioned)\b|,?\s+since (?:you|we)\b",
    re.IGNORECASE,
)
_FILLERS = frozenset(
    "woah woohoo yay yeah yep yes yup no nope nah wow whoa oh ooh aw aww ah ha haha hehe lol well so and but plus also anyway anyways hey hi hello ok okay sure "
    "thanks thank you thx cool nice great awesome true right exactly absolutely definitely totally of course for honestly actually to be "
    "honest tbh by the way btw in fact i mean know guess what worries problem sounds good idea point agreed congrats congratulations um hmm "
    "indeed luckily fortunately unfortunately sadly basically omg god goodness my gosh much not bad all man other than that it's there then "
    "personally as me a lot bunch remember please note fyi the record amazing interesting fantastic wonderful sorry pleasure big news "
    "glad asked hear see same here too bye on another different hand speaking which funny enough meanwhile meantime just wanted let".split()
)
_TO_TELL = re.compile(
    r"^I(?:['’]m| am| have| just| wanted| want)? ?(?:so |really |super |just )*(?:excited|happy|thrilled|glad|pleased|proud|wanted|want|have)? ?to "
    r"(?:tell|let|share with|inform) (?:you|ya) (?:know )?(?:that )?(?=(?:I|my|we)\b)",
    re.IGNORECASE,
)
_NAMED_LAST = re.compile(rf"^(?P<name>[A-Z][a-z]+),? my (?P<what>(?:[\w-]+ )?(?:{KIN}|{PET}))$")
_ALWAYS = re.compile(
    r"^(?:and|but|so|plus|also|well|anyway|yeah|yes|oh|actually|honestly|basically|personally|btw|by the way|in fact|luckily|unfortunately"
    r"|fortunately|sadly|wow|please (?:remember|note) that|remember that|just so you know|fyi|note that|you know|i mean|thankfully|i have to say|for the record"
    r"|except|good news|big news|guess what|it['’]s true that|surprisingly|just(?= (?:yesterday|last|today|this|the other)\b)|oh and|in the meantime|as for me)(?=[\s,:]|$)[\s,:]*",
    re.IGNORECASE,
)
_SINCE_CHAT = re.compile(
    r"^(?:since|from the last time|last time) (?:we|I|our) (?:last )?(?:had )?(?:chatted|spoke|talked|met|caught up|saw you|chat|talk|conversation)(?: last)?,?\s*|"
    r"\s+since (?:we|our) (?:last )?(?:chatted|spoke|talked|chat|talk|conversation)(?: last)?\b",
    re.IGNORECASE,
)
_ELIDED_GERUND = re.compile(
    r"^(?:Currently |Just |Still |Now |Also )?(?P<v>planning|working on|working as|thinking of|thinking about|researching|learning|trying to|going to"
    r"|looking for|looking into|studying|reading|training|preparing|saving|gonna|heading|hoping to|attending|volunteering)\b",
    re.IGNORECASE,
)
_FINITE = re.compile(
    r"\b(?:is|are|was|were|has|have|helps?|makes?|looks?|sounds?|seems?|can|will|gets?|takes?|feels?|does|did|gives?|means?|brings?|keeps?)\b"
)
_ELIDED_PAST = re.compile(
    r"^(?!took (?:a (?:bit|lot|while)|some|time|ages)\b)(?:(?:Just|Finally|Recently|Even|Already) )?(?P<v>[A-Z]?[a-z]+) (?=(?:a|an|my|our|some|to|in|on|at|up|out|back|the|two|three|new)\b)",
    re.IGNORECASE,
)
_SHARED_SUBJECT = re.compile(
    r"(?:^|\b(?:when|while|after|before|since|as|because|that|where)\b|,) ?(?:my|our) (?:(?!(?:is|are|was|were|has|have|had)\b)[\w-]+ ?){1,3}$",
    re.IGNORECASE,
)
_BEEN = re.compile(r"^(?P<v>(?:Just )?[Bb]een) (?=\w+ing\b|busy\b|to\b)")


def split_clauses(text: str) -> list[str]:
    """The parts between dashes and semicolons."""
    return [part.strip() for part in _SPLIT.split(text) if part and part.strip()]


def coordinated(clause: str) -> list[str]:
    """ "I moved to Oslo and it was great" → "I moved to Oslo", "it was great"; "my sister and I went" stays whole."""
    parts, start = [], 0
    for match in _JOIN.finditer(clause):
        left = clause[start : match.start()]
        if _stands(left, match[0]):
            parts.append(left)
            start = match.end()
    parts.append(clause[start:])
    return [part[0].upper() + part[1:] for part in (part.strip(" ,") for part in parts) if part]


def _stands(left: str, join: str) -> bool:
    """Whether what stands before a conjunction is a clause of its own, not a part of the subject or of the adverbial."""
    if _SHARED_SUBJECT.search(left) and "and" in join:
        return False
    if SUBORDINATE.match(left):
        return parse(left.partition(",")[2].strip()) is not None
    return parse(left) is not None or bool(re.search(r"\b(?:but|so|plus)\b", join)) or bool(_FINITE.search(left))


def strip_lead(text: str, vocatives: frozenset[str]) -> str:
    """The sentence without "Yeah, ", "Thanks, Anna! " and the like; and without a name called at its end."""
    text = _SINCE_CHAT.sub("", text)
    for _ in range(6):
        shorter = _strip_once(text, vocatives)
        if shorter == text:
            break
        text = shorter
    for name in vocatives:
        text = re.sub(rf",\s+{re.escape(name)}(?=[.!]*$)", "", text, flags=re.IGNORECASE)
    return text.strip()


def _strip_once(text: str, vocatives: frozenset[str]) -> str:
    text = _TO_TELL.sub("", _ALWAYS.sub("", text, count=1), count=1)
    match = re.match(r"([^,!:.]{1,40})[,!:.]+\s*(?=\S)", text)
    if match and all(word in _FILLERS or word in vocatives for word in match[1].casefold().replace("’", "'").split()):
        return text[match.end() :]
    return text


def with_subject(clause: str, opens: bool = False) -> str:
    """ "Went to a concert" → "I went to a concert"; where it `opens` a sentence, "Planning a trip" → "I'm planning …"."""
    clause = re.sub(r"\b(been|am|['’]m) busy (?=\w+ing\b)", r"\1 ", clause)
    clause = _NAMED_LAST.sub(r"My \g<what> is called \g<name>", clause)
    clause = re.sub(r"^The (?=(?:kids|dog|dogs|cats|puppy)\b)", "My ", clause)
    rest = clause[match.end() :].split(",")[0] if (match := _ELIDED_GERUND.match(clause)) and opens else ""
    if match and opens and not _FINITE.search(rest) and not rest.startswith(" be "):
        return "I'm " + clause[0].lower() + clause[1:]
    if match := _BEEN.match(clause):
        return "I've been " + clause[match.end() :]
    if (match := _ELIDED_PAST.match(clause)) and is_past(match["v"]):
        return "I " + clause[0].lower() + clause[1:]
    return clause
