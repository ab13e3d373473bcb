"""What common statements are about: a table from first-person sentences to slots, values, kinds and relations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..model import Kind

RELATIVES = (
    "mother|mom|mum|father|dad|sister|brother|son|daughter|wife|husband|partner|girlfriend|boyfriend|fiancée|fiancee|fiancé|fiance"
    "|spouse|cousin|uncle|aunt|niece|nephew|grandmother|grandma|granny|grandfather|grandpa|stepmother|stepfather|roommate|flatmate"
    "|best friend|friend|boss|manager|colleague|coworker|neighbor|neighbour|mentor|teacher|coach|doctor|therapist|twin|mother-in-law"
    "|father-in-law|sister-in-law|brother-in-law|ex-wife|ex-husband|ex|kid|child"
)
_SINGLE_RELATIVES = frozenset(
    "mother mom mum father dad wife husband partner girlfriend boyfriend fiancée fiancee fiancé fiance spouse boss".split()
)
_SAME_RELATIVE = {
    "mom": "mother", "mum": "mother", "dad": "father", "wife": "partner", "husband": "partner", "girlfriend": "partner",
    "boyfriend": "partner", "fiancée": "partner", "fiancee": "partner", "fiancé": "partner", "fiance": "partner", "spouse": "partner",
    "son": "child", "daughter": "child", "kid": "child", "brother": "sibling", "sister": "sibling", "grandma": "grandmother",
    "granny": "grandmother", "grandpa": "grandfather", "neighbour": "neighbor", "best friend": "friend", "manager": "boss",
}  # fmt: skip
PETS = (
    "dog|cat|puppy|kitten|hamster|rabbit|bunny|parrot|horse|pony|turtle|tortoise|goldfish|guinea pig|snake|lizard|bird|ferret"
    "|golden retriever|labrador|poodle|beagle|corgi|husky|dogs|cats|pups|puppies|kittens|rabbits|horses|chickens"
)
_ADV = (
    r"(?:(?:also|now|currently|still|really|just|actually|already|absolutely|definitely|always|totally|both|only|recently"
    r"|finally|mostly|usually|even|officially)\s+){0,3}"
)
_BE = r"(?:I['’]m|I am|i['’]m|i am)"
_HAVE = r"(?:I['’]ve got|I have got|I have|I got|I own)"
_PERFECT = r"(?:I['’]ve|I have)"
_NAME = r"(?P<v>[A-Z][\w'’-]+(?:\s+[A-Z][\w'’-]+){0,3})"
_REST = r"(?P<v>[^,;.!?–—]{2,80}?)"
_STOP = (
    r"(?=\s*(?:[,;.!?–—]|$|\s-\s|\b(?:and|but|because|since|so|now|for|when|while|who|which|where|these|at the moment|any\s?more"
    r"|any longer|right now|currently|with|in order|though|although|as|too|as well|today|yesterday|last|next|this)\b))"
)
_PLACE = rf"(?P<v>(?:the\s+)?[A-Z][\w.'’-]+(?:[\s,]+(?:de\s|la\s|of\s)?[A-Z][\w.'’-]+){{0,4}})"


@dataclass(frozen=True, slots=True)
class Filled:
    """A slot of the speaker's that a sentence fills."""

    attribute: str | None  # None: only a relation is named in passing
    value: str
    many: bool
    kind: Kind
    relation: tuple[str, str, str] | None = None  # predicate, object, its entity kind
    strong: bool = True  # the statement is worth keeping for this alone


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    attribute: str
    kind: Kind
    many: bool = False
    predicate: str | None = None
    entity: str = "thing"
    strong: bool = True


def _rule(
    pattern: str, attribute: str, kind: Kind, many: bool = False, predicate: str | None = None, entity: str = "thing",
    strong: bool = True,
) -> _Rule:  # fmt: skip
    return _Rule(re.compile(pattern), attribute, kind, many, predicate, entity, strong)


_P, _LIKE, _EVENT, _PLAN, _KIN = Kind.PROFILE, Kind.PREFERENCE, Kind.EVENT, Kind.PLAN, Kind.RELATIONSHIP
_SUBJECT = r"(?:^|\b(?:and|but|so|that|,)\s+)"
_RULES: tuple[_Rule, ...] = (
    _rule(rf"\b[Mm]y (?:full |first |last )?name is (?:actually |now )?{_NAME}", "name", _P),
    _rule(rf"\b(?:I['’]m|I am) called {_NAME}|\b(?:[Cc]all me|I go by) (?P<w>[A-Z][\w'’-]+)", "name", _P),
    _rule(rf"\b{_BE} {_ADV}(?P<v>\d{{1,3}}|(?:twenty|thirty|forty|fifty|sixty)(?:[- ]\w+)?)(?: years old| now|(?=[,.!]|$))", "age", _P),
    _rule(r"\b(?:I|i) (?:just |recently )?turned (?P<v>\d{1,3})\b", "age", _P),
    _rule(r"\b[Mm]y birthday is (?:on )?(?P<v>[^,;.!?]{3,40})", "birthday", _P),
    _rule(r"\bI was born (?:on|in) (?P<v>[^,;.!?]{3,40})", "birthday", _P),
    _rule(rf"\bI {_ADV}(?:moved|relocated)\b[^,;.!?]{{0,60}}?\bto {_PLACE}", "home", _P, False, "lives in", "place"),
    _rule(rf"\bI {_ADV}(?:live|reside|am based|am living|['’]m living) in {_PLACE}", "home", _P, False, "lives in", "place"),
    _rule(rf"\b{_BE} {_ADV}(?:based|living) in {_PLACE}", "home", _P, False, "lives in", "place"),
    _rule(rf"\b{_PERFECT} {_ADV}(?:lived|been living) in {_PLACE}", "home", _P, False, "lives in", "place"),
    _rule(rf"\bI {_ADV}(?:come|am|hail) from {_PLACE}|\b{_BE} {_ADV}(?:originally )?from (?P<w>[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)?)",
          "origin", _P, False, "is from", "place"),
    _rule(rf"\bI {_ADV}(?:grew up|was raised) in {_PLACE}", "hometown", _P, False, "grew up in", "place"),
    _rule(rf"\bI {_ADV}(?:work|worked|am working|started working|started) (?:as an? [\w -]{{2,40}}? )?(?:at|for) {_NAME}",
          "employer", _P, False, "works at", "organisation"),
    _rule(rf"\b(?:{_BE} {_ADV}working|{_PERFECT} {_ADV}(?:been working|worked)) (?:as an? [\w -]{{2,40}}? )?(?:at|for) {_NAME}",
          "employer", _P, False, "works at", "organisation"),
    _rule(rf"\b(?:I {_ADV}(?:joined|left)|I (?:got|took|have|quit|lost|left) (?:a |my |the )?(?:new )?job (?:at|with)) {_NAME}",
          "employer", _P, False, "works at", "organisation"),
    _rule(rf"\b(?:I {_ADV}work|{_BE} {_ADV}working|{_PERFECT} been working) as (?:an? |the )?{_REST}{_STOP}", "occupation", _P),
    _rule(
        rf"\b{_BE} {_ADV}an? (?P<v>(?:[\w-]+ ){{0,2}}(?:engineer|developer|programmer|teacher|nurse|doctor|lawyer|designer|writer|artist"
        r"|student|chef|cook|accountant|consultant|manager|scientist|researcher|therapist|counsell?or|musician|photographer|architect|driver"
        r"|analyst|journalist|professor|dentist|vet|veterinarian|pilot|mechanic|electrician|plumber|barista|painter|dancer|actor|actress"
        r"|librarian|paramedic|firefighter|coach|freelancer|translator|pharmacist|psychologist|social worker|carpenter|farmer|waiter"
        r"|waitress|salesperson|streamer|blogger|youtuber|banker|entrepreneur|veteran|physicist|biologist|chemist))\b", "occupation", _P),
    _rule(rf"\bI {_ADV}(?:study|studied|go to|attend|graduated from|am enrolled at) (?:[\w ]{{0,30}}? at )?(?P<v>[A-Z][\w'’-]+(?: [A-Z][\w'’-]+){{0,3}}"
          r"(?: University| College| School| Institute)?)", "school", _P, False, "studies at", "organisation", False),
    _rule(rf"\bI {_ADV}(?:study|am studying|major in|am majoring in) (?P<v>(?!at\b|for\b|in\b|with\b)[\w ]{{3,40}}?){_STOP}", "field of study", _P),
    _rule(rf"\b{_BE} {_ADV}(?:studying|majoring in) (?P<v>(?!at\b|for\b|in\b|with\b|hard\b)[\w ]{{3,40}}?){_STOP}", "field of study", _P),
    _rule(rf"\b(?:{_BE} {_ADV}(?:severely |highly )?allergic|I have an allergy) to (?P<v>[\w ,-]{{2,60}}?)(?=[.!?;–—]|$| so\b| and I\b| but\b)",
          "allergies", _P, True, "is allergic to"),
    _rule(rf"\b(?:{_BE}|I['’]ve gone|I went|I became|I['’]ve become) {_ADV}(?:a |an )?(?P<v>strict vegan|vegan|vegetarian|pescatarian|gluten[- ]free|lactose[- ]intolerant"
          r"|keto|celiac|coeliac)\b", "diet", _P),
    _rule(r"\bI (?:don['’]t|do not) (?:eat|drink) (?P<v>[\w ]{2,40}?)(?=[.,!?;–—]|$| because\b| since\b)", "diet", _P, True),
    _rule(r"\bI {adv}speak (?P<v>(?:a little |some |fluent |basic )?[A-Z]\w+(?:(?:, | and |, and )[A-Z]\w+){{0,5}})".replace("{adv}", _ADV).replace("{{", "{").replace("}}", "}"),
          "languages", _P, True),
    _rule(rf"\b(?:{_BE}|I got|I just got|we got|we just got) {_ADV}(?P<v>single|married|engaged|divorced|widowed|separated|pregnant)\b", "relationship status", _KIN),
    _rule(rf"\b(?:{_HAVE}|I suffer from|I was diagnosed with|{_PERFECT} been diagnosed with) {_ADV}(?:an? )?(?P<v>(?:type [12] |chronic |mild |severe )?(?:diabetes|asthma|arthritis|anxiety|depression"
          r"|adhd|ADHD|autism|migraines?|epilepsy|hypertension|high blood pressure|insomnia|back pain|PTSD|dyslexia|cancer|celiac disease|IBS))\b", "health", _P, True),
)  # fmt: skip
_MORE: tuple[_Rule, ...] = (
    _rule(rf"\b(?:I|[Ww]e) {_ADV}(?:adopted|have|got|own|bought|rescued) (?P<v>(?:an? |two |three |\d )(?:[\w-]+ ){{0,3}}(?:{PETS})"
          r"(?:,? (?:called|named) [A-Z]\w+(?: and [A-Z]\w+)?)?)", "pets", _P, True, "has pet", "animal"),
    _rule(rf"\b(?:I['’]ve got|[Ww]e['’]ve got|I lost|I miss) (?P<v>(?:an? |two |three |\d |my )(?:[\w-]+ ){{0,3}}(?:{PETS})"
          r"(?:,? (?:called|named) [A-Z]\w+)?)", "pets", _P, True, "has pet", "animal"),
    _rule(rf"\b(?:{_HAVE}|[Ww]e have) (?P<v>(?:an?|one|two|three|four|five|six|\d) (?:[\w-]+ ){{0,2}}(?:kids?|children|sons?|daughters?))\b", "children", _KIN, False),
    _rule(rf"\b{_HAVE} (?P<v>(?:an?|one|two|three|four|\d) (?:[\w-]+ ){{0,2}}(?:brothers?|sisters?|siblings?))\b", "siblings", _KIN, True),
    _rule(rf"\bI {_ADV}(?:bought|own|purchased) (?:myself )?(?P<v>(?:an?|my|our) (?:[\w-]+ ){{0,3}}(?:car|house|apartment|flat|bike|bicycle|motorcycle|boat|guitar|piano"
          r"|violin|laptop|camera|van|truck|phone|telescope|console|tesla|Tesla|Prius|Honda|Toyota|Ford|BMW)(?: \w*\d\w*)?)\b", "possessions", _P, True, "owns"),
    _rule(rf"\b{_HAVE} (?P<v>an? (?:[\w-]+ ){{0,3}}(?:car|house|apartment|flat|bike|bicycle|motorcycle|boat|guitar|piano|violin|laptop|camera|van|truck|telescope))\b",
          "possessions", _P, True, "owns"),
    _rule(rf"\bI {_ADV}(?:play|am learning|started playing|started learning) (?:the )?(?P<v>guitar|piano|violin|drums|cello|flute|clarinet|saxophone|ukulele|bass|trumpet|harp|tennis|football|soccer"
          r"|basketball|chess|golf|volleyball|badminton|hockey|baseball)\b", "hobbies", _LIKE, True),
    _rule(rf"\b{_BE} {_ADV}(?:into|a (?:big |huge )?fan of|keen on|fond of|passionate about|obsessed with|crazy about) {_REST}{_STOP}", "likes", _LIKE, True, "likes"),
    _rule(rf"\bI {_ADV}(?:don['’]t|do not|never) {_ADV}(?:like|enjoy|love|care for) {_REST}{_STOP}", "dislikes", _LIKE, True, "dislikes"),
    _rule(rf"\bI {_ADV}(?:hate|dislike|can['’]t stand|detest|can not stand) {_REST}{_STOP}", "dislikes", _LIKE, True, "dislikes"),
    _rule(rf"\bI {_ADV}(?:like|love|enjoy|adore|prefer) (?P<v>(?!to\b|it\b|that\b|this\b|how\b|the way\b|when\b|you|him\b|her\b|them\b|those\b|what\b|being\b)[^,;.!?–—]{{2,80}}?){_STOP}",
          "likes", _LIKE, True, "likes"),
    _rule(rf"\b(?:I|[Ww]e)(?:['’]m| am|['’]re| are) {_ADV}(?:planning|thinking of|thinking about|going to|gonna|hoping|looking to|saving (?:up )?for|preparing for|training for|looking forward to) "
          r"(?P<v>[^;.!?–—]{4,120})", "plans", _PLAN, True, None, "thing", False),
    _rule(rf"\b(?:I|[Ww]e) {_ADV}(?:plan|intend|want|hope|aim|decided|will|need|have) (?:to|on) (?P<v>[^;.!?–—]{{4,120}})", "plans", _PLAN, True, None, "thing", False),
    _rule(r"\b(?:I|[Ww]e)(?:['’]ll| will) (?P<v>[^;.!?–—]{4,120})", "plans", _PLAN, True, None, "thing", False),
)  # fmt: skip
_FAVOURITE = re.compile(
    r"\b[Mm]y (?:all-time |current |new )?(?:favou?rite|fave) (?P<what>[\w -]{2,40}?)(?: ever)?(?: (?:is|are|was|would be|has to be)|['’]s) "
    r"(?:now |actually |definitely |probably |currently )?(?P<v>[^,;.!?–—]{1,80}?)(?: now| these days| anymore)?(?=\s*(?:[,;.!?–—]|$|\s-\s| because\b| and (?:I|my)\b| but\b))"
)
_IS_FAVOURITE = re.compile(
    r"^(?P<v>[A-Z][\w ]{1,40}) (?:is|are) my (?:all-time )?favou?rite (?P<what>[\w ]{2,30}?)(?=[,;.!?–—]|$)"
)
_KIN_NAMED = re.compile(
    rf"\b[Mm]y (?:\w+ )?(?P<kin>{RELATIVES})(?P<is>['’]s name is|,? (?:is )?(?:called|named)| is)?,? (?P<v>[A-Z][a-z]+)\b(?! (?:is )?(?:University|Street|Day))"
)
_PET_NAMED = re.compile(
    rf"\b[Mm]y (?:[\w-]+ ){{0,2}}(?P<pet>{PETS})(?P<is>['’]s name is|['’]s names are|,? (?:is |are )?(?:called|named)| is| are)?,? (?P<v>[A-Z][a-z]+(?:,? (?:and|&) [A-Z][a-z]+)?)\b"
)
_PRONOUN = re.compile(r"\b(?:it|that|this|them|him|her|you|he|she|they|those|these)\b", re.IGNORECASE)
_EDGES = " \t'\"“”’‘,:"


def fill(sentence: str) -> Filled | None:
    """The slot that a first-person sentence fills, the most telling one first."""
    return next(_fills(sentence), None)


def fill_all(sentence: str) -> list[Filled]:
    """All slots that it fills, by attribute and value once."""
    seen: dict[str, Filled] = {}
    for filled in _fills(sentence):
        seen.setdefault(filled.attribute or "", filled)
    return list(seen.values())


def _fills(sentence: str) -> Iterator[Filled]:
    yield from _favourites(sentence)
    for rule in _RULES:
        yield from _apply(rule, sentence)
    yield from _named(sentence)
    for rule in _MORE:
        yield from _apply(rule, sentence)


def _favourites(sentence: str) -> Iterator[Filled]:
    if match := _FAVOURITE.search(sentence) or _IS_FAVOURITE.search(sentence):
        value = match["v"].strip(_EDGES)
        if value and not _PRONOUN.fullmatch(value):
            yield Filled(f"favorite {match['what'].strip().casefold()}", value, False, Kind.PREFERENCE)


def _named(sentence: str) -> Iterator[Filled]:
    if match := _KIN_NAMED.search(sentence):
        kin = match["kin"].casefold()
        attribute = _SAME_RELATIVE.get(kin, kin) if match["is"] else None
        many = kin not in _SINGLE_RELATIVES
        yield Filled(attribute, match["v"], many, Kind.RELATIONSHIP, (kin, match["v"], "person"), attribute is not None)
    if match := _PET_NAMED.search(sentence):
        value = f"a {match['pet']} called {match['v']}" if " " not in match["v"] else f"{match['pet']} {match['v']}"
        attribute = "pets" if match["is"] else None
        yield Filled(attribute, value, True, Kind.PROFILE, ("has pet", match["v"], "animal"), attribute is not None)


def _apply(rule: _Rule, sentence: str) -> Iterator[Filled]:
    match = rule.pattern.search(sentence)
    if not match:
        return
    groups = match.groupdict()
    value = (groups.get("v") or groups.get("w") or "").strip(_EDGES)
    if not value or _PRONOUN.match(value) or (rule.attribute in ("likes", "dislikes") and _PRONOUN.search(value)):
        return
    relation = (rule.predicate, _bare(value), rule.entity) if rule.predicate and len(value.split()) <= 4 else None
    yield Filled(rule.attribute, value, rule.many, rule.kind, relation, rule.strong)


def _bare(value: str) -> str:
    if called := re.search(r"(?:called|named) ([A-Z]\w+)", value):
        return called[1]
    return re.sub(r"^(?:an?|the|my|our)\s+", "", value)
