"""What common statements are about: a table from first-person sentences to slots, values, kinds and relations.

The patterns are written with the words of `_WORDS` in braces: "{am} allergic to {things}". A statement about somebody
else ("My sister Anna lives in Rome", "Anna's job title is director") is put into the first person first, by `about`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..model import Kind
from .statement import KIN, PET

_WORDS = {
    "adv": r"(?:(?:also|now|currently|still|really|just|actually|already|absolutely|definitely|always|totally|both|only|recently|finally"
           r"|mostly|usually|even|officially|super|so|very|pretty|severely|originally) ){0,3}",
    "am": r"\bI(?:['’]m| am) {adv}",
    "been": r"\bI(?:['’]ve| have) {adv}",
    "have": r"\b(?:I|[Ww]e)(?:['’]ve got| have got| have| got| own) {adv}",
    "I": r"\b(?:I|[Ww]e) {adv}",
    "we": r"\b(?:I|[Ww]e)(?:['’]m|['’]re|['’]ve| am| are| have)? {adv}",
    "a": r"(?:an?|the|my|our|some) ",
    "n": r"(?:an?|one|two|three|four|five|six|\d) ",
    "Name": r"(?P<v>[A-Z][\w&'’-]*(?: (?:of |the |de )?[A-Z][\w&'’-]*){0,3})",
    "Place": r"(?P<v>(?:the )?[A-Z][\w.'’-]+(?:,? (?:de |la |of )?[A-Z][\w.'’-]+){0,4})",
    "rest": r"(?P<v>[^,;.!?–—]{2,60}?)(?=\s*(?:[,;.!?–—]|$|\s-\s|\b(?:and|but|because|since|so|now|for|when|while|who|which|where|these"
            r"|any ?more|any longer|right now|currently|with|in order|though|although|as|too|at|in|on|today|yesterday|last|next|this)\b))",
    "line": r"(?P<v>[^;.!?–—]{4,120})",
    "list": r"(?P<v>[\w ,'’&-]{2,80}?)(?=[.!?;–—]|$| so\b| and I\b| but\b| because\b)",
    "short": r"(?P<v>[^,;.!?]{2,40})",
    "kin": KIN,
    "pet": PET + "s?",
    "role": r"(?:engineer|developer|programmer|teacher|nurse|doctor|lawyer|designer|writer|artist|student|chef|cook|accountant|consultant|manager"
            r"|scientist|researcher|therapist|counsell?or|musician|photographer|architect|driver|analyst|journalist|professor|dentist|vet"
            r"|veterinarian|pilot|mechanic|electrician|plumber|barista|painter|dancer|actor|actress|librarian|paramedic|firefighter|coach"
            r"|freelancer|translator|pharmacist|psychologist|social worker|carpenter|farmer|waiter|waitress|salesperson|streamer|blogger"
            r"|banker|entrepreneur|veteran|physicist|biologist|chemist|director|president|officer|intern|administrator|editor|producer|baker)",
    "thing": r"(?:car|house|apartment|flat|condo|bike|bicycle|motorcycle|motorbike|boat|guitar|piano|keyboard|violin|laptop|computer|camera|van|truck"
             r"|phone|telescope|console|tablet|scooter|drone|Tesla|Prius|Honda|Toyota|Ford|BMW)",
    "play": r"(?:(?:acoustic |electric |bass )?guitar|piano|violin|drums|cello|flute|clarinet|saxophone|ukulele|bass|trumpet|harp|tennis|football|soccer"
            r"|basketball|chess|golf|volleyball|badminton|hockey|baseball|video games|board games)",
    "illness": r"(?:diabetes|asthma|arthritis|anxiety|depression|adhd|ADHD|autism|migraines?|epilepsy|hypertension|high blood pressure|insomnia"
               r"|back pain|PTSD|dyslexia|cancer|celiac disease|IBS|anemia|eczema)",
    "no_pronoun": r"(?:also )?(?!(?:to|the|all|every|some|any|so|it|that|this|how|the way|when|you\w*|him|her|them|those|these|what|being|seeing|hearing)\b)",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filled:
    """A slot that a sentence fills. `strong`: the statement is worth keeping for this alone."""

    attribute: str | None  # None: only a relation is named in passing
    value: str
    many: bool
    kind: Kind
    relation: tuple[str, str, str] | None = None  # predicate, object, its entity kind
    strong: bool = True


@dataclass(frozen=True, slots=True)
class _Rule:
    attribute: str
    pattern: re.Pattern[str]
    kind: Kind
    many: bool
    predicate: str | None
    entity: str
    strong: bool


def _compiled(pattern: str) -> re.Pattern[str]:
    while found := re.search(r"\{([A-Za-z_]{2,}|[aIn])\}", pattern):
        pattern = pattern.replace(found[0], _WORDS[found[1]])
    return re.compile(pattern)


def _rule(
    attribute: str, pattern: str, kind: Kind = Kind.PROFILE, *, many: bool = False, says: str | None = None,
    entity: str = "thing", strong: bool = True,
) -> _Rule:  # fmt: skip
    return _Rule(attribute, _compiled(pattern), kind, many, says, entity, strong)


_LIKE, _PLAN, _KIN = Kind.PREFERENCE, Kind.PLAN, Kind.RELATIONSHIP
_RULES: tuple[_Rule, ...] = (
    _rule("name", r"\b[Mm]y (?:full |first |last |real )?name is (?:actually |now )?{Name}|{am}called {Name2}|\bI go by {Name3}".replace("{Name2}", r"(?P<w>[A-Z]\w+)").replace("{Name3}", r"(?P<x>[A-Z]\w+)")),
    _rule("age", r"{am}(?P<v>\d{1,3}|(?:twenty|thirty|forty|fifty|sixty|seventy)(?:[- ]\w+)?)(?: years old| now|(?=[,.!]|$))|{I}turned (?P<w>\d{1,3})\b"),
    _rule("birthday", r"\b[Mm]y birthday is (?:on )?{short}|{I}was born on (?P<w>[^,;.!?]{3,40})"),
    _rule("birth year", r"{I}was born in (?P<v>\d{4})"),
    _rule("home", r"\bI(?:['’]m|['’]ve|['’]ve been| am| have| have been)? {adv}(?:moved|relocated)\b[^,;.!?]{0,40}? to {Place}", says="lives in", entity="place"),
    _rule("home", r"(?:{I}(?:live|reside)|{am}(?:based|living)|{been}(?:lived|been living)) in {Place}", says="lives in", entity="place"),
    _rule("origin", r"(?:{I}(?:come|hail)|{am}) ?from {Place}", says="is from", entity="place"),
    _rule("hometown", r"{I}(?:grew up|was raised|was born) in (?P<v>(?!\d)[A-Z][\w.'’-]+(?:,? [A-Z][\w.'’-]+){0,3})|\b[Mm]y hometown is (?P<w>[A-Z]\w+)", says="grew up in", entity="place"),
    _rule("employer", r"{we}(?:work|worked|been working|working|started working|started|volunteer full[- ]time) (?:as an? [\w -]{2,40}? )?(?:at|for) {Name}", says="works at", entity="organisation"),
    _rule("employer", r"(?:{I}joined|{we}(?:got|took|accepted|have|started) (?:{a})?(?:new )?(?:job|position|role)(?: as an? [\w -]{2,40}?)? (?:at|with)) {Name}", says="works at", entity="organisation"),
    _rule("occupation", r"{we}(?:work|working|been working) as (?:an? |the ){rest}"),
    _rule("occupation", r"{am}an? (?P<v>(?:[\w-]+ ){0,2}{role})\b|\b(?:got|been|was) (?:just )?promoted to {rest2}".replace("{rest2}", r"(?P<w>[^,;.!?]{3,50}?)(?=[,;.!?]|$| at\b| last\b| this\b)")),
    _rule("school", r"{I}(?:study|studied|go to|attend|graduated from|{am}enrolled) (?:[\w ]{0,30}? at )?(?P<v>(?:the )?[A-Z][\w'’-]+(?: (?:of )?[A-Z][\w'’-]+){0,3})", says="studies at", entity="organisation", strong=False),
    _rule("field of study", r"(?:{I}(?:study|major in)|{am}(?:studying|majoring in)) (?P<v>(?!(?:at|for|in|with|hard|to)\b)[\w ]{3,40}?)(?=\s*(?:[,;.!?]|$|\b(?:and|at|but|in|so|because|for|with|to)\b))"),
    _rule("allergies", r"(?:{am}allergic|{have}an allergy) to {list}", many=True, says="is allergic to"),
    _rule("diet", r"(?:{am}|{been}gone |{I}went |{I}became |{been}become )(?:a |an )?(?P<v>(?:strict )?(?:vegan|vegetarian|pescatarian|keto|celiac|coeliac)|(?:gluten|lactose)[- ](?:free|intolerant))\b"),
    _rule("avoids", r"\bI (?:(?:don['’]t|do not|never) (?:eat|drink)|can['’]t (?:eat|drink|have)) (?P<v>[\w ]{2,40}?)(?=[.,!?;–—]|$| because\b| since\b)", many=True),
    _rule("languages", r"{I}(?:speak|know) (?P<v>(?:a little |some |fluent |basic )?(?:English|Spanish|French|German|Italian|Portuguese|Chinese|Mandarin|Japanese|Korean|Russian|Arabic|Hindi|Dutch|Swedish|Turkish|Polish|Greek)(?:[ ,and]+[A-Z]\w+){0,5})", many=True),
    _rule("languages", r"(?:{am}|{been}been )(?:learning|studying) (?P<v>English|Spanish|French|German|Italian|Portuguese|Chinese|Mandarin|Japanese|Korean|Russian|Arabic|Hindi|Dutch|Swedish|Turkish|Polish|Greek)\b", many=True),
    _rule("relationship status", r"(?:{am}|{I}got |\b(?:I|[Ww]e)(?:['’]re|['’]ve been| are| have been) ){adv}(?P<v>single|married|engaged|divorced|widowed|separated)\b", _KIN),
    _rule("family news", r"{we}expecting (?P<v>(?:{a}|our )?(?:[\w-]+ )?(?:baby|child|twins|boy|girl)(?: in \w+)?)|{am}(?P<w>pregnant)\b", _KIN),
    _rule("health", r"(?:{have}|{I}suffer from |{been}been diagnosed with |{I}(?:was|got) diagnosed with )(?:an? )?(?P<v>(?:type [12] |chronic |mild |severe )?{illness})\b", many=True),
    _rule("{attribute}", r"^(?:\w+ )?[Mm]y (?:current |new )?(?P<a>job title|title|occupation|profession|(?:monthly |annual )?(?:income|salary|budget)|phone number|e-?mail(?: address)?|address|height|weight"
          r"|blood type|shoe size|(?:mental |physical )?health status|nickname|pronouns|religion|timezone|time zone|nationality|gender|marital status|major|commute|star sign|zodiac sign)(?: is|:| are) (?:now |actually )?(?P<v>[^;!?]{1,80})"),
    _rule("pets", r"{we}(?:adopted|have|got|own|bought|rescued) (?P<v>(?:{n})(?!stuffed|toy|plush)(?:[\w-]+ ){0,3}{pet}(?:,? (?:called|named) [A-Z]\w+(?: and [A-Z]\w+)?)?(?![- ]\w*(?:shelter|show|park|food)))", many=True, says="has pet", entity="animal"),
    _rule("children", r"{have}(?P<v>(?:{n})(?:[\w-]+ ){0,2}(?:kids?|children|sons?|daughters?))\b", _KIN),
    _rule("siblings", r"{have}(?P<v>(?:{n})(?:[\w-]+ ){0,2}(?:brothers?|sisters?|siblings?))\b", _KIN, many=True),
    _rule("possessions", r"(?:{we}(?:bought|purchased|own)|{have})(?: myself)? ?(?P<v>an? (?:[\w-]+ ){0,3}{thing}(?: \w*\d\w*)?)\b(?! (?:accident|show|game|lesson|class|crash)|-)", many=True, says="owns"),
    _rule(
        "hobbies",
        r"^(?P<v>[A-Z][\w ,-]{3,60}?) (?:is|are) (?:one of )?my (?:main |biggest |favou?rite )?(?:hobby|hobbies|pastimes?)\b",
        many=True,
    ),
    _rule("hobbies", r"\bI(?:['’]m|['’]ve| am| have)? {adv}(?:play|learning|been learning|been playing|playing|started playing|started learning|started) (?:the |to play (?:the )?)?(?P<v>{play})\b", _LIKE, many=True),
    _rule("dislikes", r"(?:{I}|\bI['’]m (?=not))(?:hate|dislike|can['’]t stand|detest|(?:don['’]t|do not) (?:really |much )?(?:like|enjoy|care for)|(?:am )?not (?:really |much )?(?:into|keen on|fond of|a (?:big |huge )?fan of)) {no_pronoun}{rest}", _LIKE, many=True, says="dislikes"),
    _rule("likes", r"(?:{am}|{been}been )(?:into|drawn to|a (?:big |huge |die-hard )?fan of|keen on|fond of|passionate about|obsessed with|crazy about) {no_pronoun}{rest}", _LIKE, many=True, says="likes"),
    _rule("likes", r"{I}(?:like|love|enjoy|adore|prefer) {no_pronoun}{rest}", _LIKE, many=True, says="likes"),
    _rule("plans", r"{we}(?:planning|thinking of|thinking about|going to|gonna|hoping|looking to|saving (?:up )?for|preparing for|training for|looking forward to) {line}", _PLAN, many=True, strong=False),
    _rule("plans", r"{I}(?:plan|intend|want|hope|aim|decided|will|need) (?:to|on) {line}|\b(?:I|[Ww]e)(?:['’]ll| will) (?P<w>[^;.!?–—]{4,120})", _PLAN, many=True, strong=False),
)  # fmt: skip
_FAVOURITE = re.compile(
    r"\b[Mm]y (?:all-time |current |new |absolute )?(?:favou?rite|fave) (?P<what>[\w -]{2,30}?)(?: ever)?(?: (?:is|are|has to be)|['’]s) "
    r"(?:now |actually |definitely |probably |currently )?(?P<v>[^,;.!?–—]{1,80}?)(?: now| these days| anymore)?(?=\s*(?:[,;.!?–—]|$|\s-\s| because\b| and (?:I|my)\b| but\b))"
)
_IS_FAVOURITE = re.compile(
    r"^(?P<v>[A-Z][\w ]{1,40}) (?:is|are) my (?:all-time )?favou?rite (?P<what>[\w ]{2,30}?)(?=[,;.!?–—]|$)"
)
_KIN_NAMED = re.compile(
    rf"\b[Mm]y (?:\w+ )??(?P<kin>{KIN})(?P<is>['’]s name is|,? (?:is )?(?:called|named)| is)?,? (?P<v>[A-Z][a-z]+)\b(?! (?:is )?(?:University|Street|Day))"
)
_PET_NAMED = re.compile(
    rf"\b[Mm]y (?:[\w-]+ ){{0,2}}(?P<pet>{PET})s?(?P<is>['’]s? names? (?:is|are)|,? (?:is |are )?(?:called|named)| is| are)?,? (?P<v>[A-Z][a-z]+(?:,? (?:and|&) [A-Z][a-z]+)?)\b"
)
_PARTNERS = frozenset("wife husband girlfriend boyfriend fiancée fiancee fiancé fiance spouse partner".split())
_SAME_KIN = {"mom": "mother", "mum": "mother", "dad": "father", "son": "child", "daughter": "child", "kid": "child", "brother": "sibling",
             "sister": "sibling", "grandma": "grandmother", "granny": "grandmother", "grandpa": "grandfather", "neighbour": "neighbor",
             "manager": "boss", "auntie": "aunt"}  # fmt: skip
_SINGLE = frozenset(("mother", "father", "partner", "boss", "best friend"))
_SAME_ATTRIBUTE = {
    "title": "occupation",
    "job title": "occupation",
    "profession": "occupation",
    "fave": "favorite",
    "nickname": "name",
}
_PRONOUN = re.compile(r"\b(?:it|that|this|them|him|her|you|he|she|they|those|these|there)\b", re.IGNORECASE)
_EDGES = " \t'\"“”’‘,:."
_ABOUT_KIN = re.compile(
    rf"^(?P<poss>[Mm]y|[Oo]ur) (?P<what>(?:[\w-]+ )?(?:{KIN}|{PET}))(?P<name>,? [A-Z][a-z]+)?,?(?P<s>['’]s)? (?P<rest>.+)$"
)
_ABOUT_NAME = re.compile(r"^(?P<name>[A-Z][\w-]+(?: [A-Z][\w-]+)?)(?P<s>['’]s)? (?P<rest>[a-z].+)$")
_TO_FIRST = {"is": "am", "has": "have", "does": "do", "was": "was", "isn't": "am not", "doesn't": "don't", "goes": "go"}


def fill_all(sentence: str) -> list[Filled]:
    """All slots that a first-person sentence fills, the most telling one first, each attribute once."""
    seen: dict[str, Filled] = {}
    for filled in _fills(sentence):
        seen.setdefault(filled.attribute or "", filled)
    return list(seen.values())


def about(sentence: str, speaker: str, names: frozenset[str] | None = None) -> tuple[str, str] | None:
    """Whom a sentence about somebody else tells of, and how that one would say it: "My sister Anna lives in Rome" →
    ("Anna", "I live in Rome"), "My mother is a nurse" of Tom's → ("Tom's mother", "I am a nurse"). `names` are those
    that may begin it (None: any)."""
    if match := _ABOUT_KIN.match(sentence):
        name = (match["name"] or "").strip(" ,")
        return name or f"{speaker}'s {match['what'].casefold()}", _first(match["s"], match["rest"])
    match = _ABOUT_NAME.match(sentence)
    if match and (names is None or match["name"] in names):
        return match["name"], _first(match["s"], match["rest"])
    return None


def introduced(text: str) -> frozenset[str]:
    """The names of the speakers' people and animals that a text tells: "my sister Clara"."""
    return frozenset(match["v"] for pattern in (_KIN_NAMED, _PET_NAMED) for match in pattern.finditer(text))


def _first(possessive: str | None, rest: str) -> str:
    if possessive:
        return f"My {rest}"
    verb, _, more = re.sub(r"\b(?:I|[Ww]e)\b", "", rest).partition(" ")  # what the speaker does is not theirs
    plain = _TO_FIRST.get(verb) or (re.sub(r"(?<=[sxzh])es$|(?<!s)s$", "", verb) if verb.endswith("s") else verb)
    return f"I {plain} {more}"


def _fills(sentence: str) -> Iterator[Filled]:
    yield from _favourites(sentence)
    yield from _named(sentence)
    for rule in _RULES:
        yield from _apply(rule, sentence)


def _favourites(sentence: str) -> Iterator[Filled]:
    if match := _FAVOURITE.search(sentence) or _IS_FAVOURITE.search(sentence):
        value = match["v"].strip(_EDGES)
        if value and not _PRONOUN.match(value) and match["what"] not in ("thing", "part", "one", "time", "place"):
            yield Filled(f"favorite {match['what'].strip().casefold()}", value, False, Kind.PREFERENCE)


def _named(sentence: str) -> Iterator[Filled]:
    if match := _KIN_NAMED.search(sentence):
        kin = match["kin"].casefold()
        attribute = "partner" if kin in _PARTNERS else _SAME_KIN.get(kin, kin)
        many = attribute not in _SINGLE
        told = bool(match["is"])
        yield Filled(
            attribute if told else None, match["v"], many, Kind.RELATIONSHIP, (kin, match["v"], "person"), told
        )
    if match := _PET_NAMED.search(sentence):
        value = f"a {match['pet']} called {match['v']}" if " " not in match["v"] else f"{match['pet']}s {match['v']}"
        told = bool(match["is"])
        yield Filled("pets" if told else None, value, True, Kind.PROFILE, ("has pet", match["v"], "animal"), told)


def _apply(rule: _Rule, sentence: str) -> Iterator[Filled]:
    match = rule.pattern.search(sentence)
    if not match:
        return
    groups = match.groupdict()
    value = (groups.get("v") or groups.get("w") or groups.get("x") or "").strip(_EDGES)
    if not value or _PRONOUN.match(value) or (rule.attribute in ("likes", "dislikes") and _PRONOUN.search(value)):
        return
    attribute = groups["a"].casefold() if "a" in groups else rule.attribute
    relation = (rule.predicate, _bare(value), rule.entity) if rule.predicate and len(value.split()) <= 4 else None
    yield Filled(_SAME_ATTRIBUTE.get(attribute, attribute), value, rule.many, rule.kind, relation, rule.strong)


def _bare(value: str) -> str:
    if called := re.search(r"(?:called|named) ([A-Z]\w+)", value):
        return called[1]
    return re.sub(r"^(?:an?|the|my|our)\s+", "", value)
