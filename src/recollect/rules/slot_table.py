"""The table of common statements: which first-person sentences fill which slot.

A row names the attribute, then its patterns, each with the value in its group `v` (and, in one row, the attribute in `a`).
They are written with the words of `_WORDS` in braces: "{am}allergic to {list}".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..model import Kind
from .statement import KIN, PET

_WORDS = {
    # who, and the beginning of the verb
    "adv": r"(?:(?:also|now|currently|still|really|just|actually|already|absolutely|definitely|always|totally|both|only|recently|finally"
           r"|mostly|usually|even|officially|super|so|very|pretty|severely|originally) ){0,3}",
    "I": r"\b(?:I|[Ww]e) {adv}",
    "am": r"\bI(?:['’]m| am) {adv}",
    "been": r"\bI(?:['’]ve| have) {adv}",
    "have": r"\b(?:I|[Ww]e)(?:['’]ve got| have got| have| got| own) {adv}",
    "we": r"\b(?:I|[Ww]e)(?:['’]m|['’]re|['’]ve| am| are| have)? {adv}",
    "my": r"\b[Mm]y ",
    # the value
    "Name": r"(?P<v>[A-Z][\w&'’-]*(?: (?:of |the |de )?[A-Z][\w&'’-]*){0,3})",
    "Word": r"(?P<v>[A-Z][\w'’-]+)",
    "Place": r"(?P<v>(?:the )?[A-Z][\w.'’-]+(?:,? (?:de |la |of )?[A-Z][\w.'’-]+){0,4})",
    "oneself": r"(?! (?:my|our|his|her|their|the|an?|this|that|some|all) (?!family\b|kids\b|children\b|whole\b|entire\b|household\b))",
    "rest": r"(?P<v>[^,;.!?–—]{2,60}?)(?=\s*(?:[,;.!?–—]|$|\s-\s|\b(?:and|but|because|since|so|now|for|when|while|who|which|where|these"
            r"|any ?more|any longer|right now|currently|with|in order|though|although|as|too|at|in|on|today|yesterday|last|next|this)\b))",
    "line": r"(?P<v>[^;.!?–—]{4,120})",
    "list": r"(?P<v>[\w ,'’&-]{2,80}?)(?=[.!?;–—]|$| so\b| and I\b| but\b| because\b)",
    "short": r"(?P<v>[^,;.!?]{2,40})",
    "liked": r"(?:also )?(?!(?:to|the|all|every|some|any|so|it|that|this|how|the way|when|you\w*|him|her|them|those|these|what|being"
             r"|seeing|hearing)\b){rest}",
    # nouns
    "n": r"(?:an?|one|two|three|four|five|six|\d) ",
    "some": r"(?:[\w-]+ ){0,2}",
    "kin": KIN,
    "pet": PET + "s?",
    "job": r"(?:(?:a |my |the )?(?:new )?(?:job|position|role))",
    "role": r"(?:engineer|developer|programmer|teacher|nurse|doctor|lawyer|designer|writer|artist|student|chef|cook|accountant|consultant"
            r"|manager|scientist|researcher|therapist|counsell?or|musician|photographer|architect|driver|analyst|journalist|professor"
            r"|dentist|vet|veterinarian|pilot|mechanic|electrician|plumber|barista|painter|dancer|actor|actress|librarian|paramedic"
            r"|firefighter|coach|freelancer|translator|pharmacist|psychologist|social worker|carpenter|farmer|waiter|waitress|salesperson"
            r"|streamer|blogger|banker|entrepreneur|veteran|physicist|biologist|chemist|director|president|officer|intern|administrator"
            r"|editor|producer|baker)",
    "thing": r"(?:car|house|apartment|flat|condo|bike|bicycle|motorcycle|motorbike|boat|guitar|piano|keyboard|violin|laptop|computer"
             r"|camera|van|truck|phone|telescope|console|tablet|scooter|drone|Tesla|Prius|Honda|Toyota|Ford|BMW)",
    "play": r"(?:(?:acoustic |electric |bass )?guitar|piano|violin|drums|cello|flute|clarinet|saxophone|ukulele|bass|trumpet|harp|tennis"
            r"|football|soccer|basketball|chess|golf|volleyball|badminton|hockey|baseball|video games|board games)",
    "illness": r"(?:type [12] |chronic |mild |severe )?(?:diabetes|asthma|arthritis|anxiety|depression|adhd|ADHD|autism|migraines?|epilepsy"
               r"|hypertension|high blood pressure|insomnia|back pain|PTSD|dyslexia|cancer|celiac disease|IBS|anemia|eczema)",
    "language": r"(?:English|Spanish|French|German|Italian|Portuguese|Chinese|Mandarin|Japanese|Korean|Russian|Arabic|Hindi|Dutch|Swedish"
                r"|Turkish|Polish|Greek)",
    "diet": r"(?:(?:strict )?(?:vegan|vegetarian|pescatarian|keto|celiac|coeliac)|(?:gluten|lactose)[- ](?:free|intolerant))",
    # what one is that begins with a capital, and is no name: better no Brian than a name "Brazilian"
    "kind": r"(?:[A-Z]{2,}|OK|\w+(?:ish|ese|ian|ean|can|ic)|German|French|Greek|Dutch|Welsh|Swiss|Czech|Thai|Arab|Kurd|Turk|Swede|Dane|Finn"
            r"|Pole|Scot|Serb|Croat|Slovak|Iraqi|Israeli|Pakistani|Bengali|Punjabi|Tamil|Filipin[ao]|Latin[aox]|Hindu|Sikh|Muslim|Jewish"
            r"|Aries|Taurus|Gemini|Cancer|Leo|Virgo|Libra|Scorpio|Sagittarius|Capricorn|Aquarius|Pisces)",
    "datum": r"(?:job title|title|occupation|profession|(?:monthly |annual )?(?:income|salary|budget)|phone number|e-?mail(?: address)?"
             r"|address|height|weight|blood type|shoe size|(?:mental |physical )?health status|nickname|pronouns|religion|time ?zone"
             r"|nationality|gender|marital status|major|commute|star sign|zodiac sign)",
    "fan": r"(?:into|keen on|fond of|a (?:big |huge |die-hard )?fan of)",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """`many`: the slot holds several values at once; `says`, `entity`: the relation to the value, and what it is;
    `strong`: the statement is worth keeping for this alone."""

    attribute: str
    patterns: tuple[re.Pattern[str], ...]
    kind: Kind
    many: bool
    says: str | None
    entity: str
    strong: bool


def _compiled(pattern: str) -> re.Pattern[str]:
    while found := re.search(r"\{([A-Za-z]{2,}|[In])\}", pattern):
        pattern = pattern.replace(found[0], _WORDS[found[1]])
    return re.compile(pattern)


def _rule(
    attribute: str, *patterns: str, kind: Kind = Kind.PROFILE, many: bool = False, says: str | None = None, entity: str = "thing",
    strong: bool = True,
) -> Rule:  # fmt: skip
    return Rule(attribute, tuple(map(_compiled, patterns)), kind, many, says, entity, strong)


_LIKE, _PLAN, _KIN = Kind.PREFERENCE, Kind.PLAN, Kind.RELATIONSHIP
RULES: tuple[Rule, ...] = (
    _rule("name", r"{my}(?:full |first |last |real )?name(?: is|['’]s) (?:actually |now )?{Name}", r"{am}called {Word}", r"\bI go by {Word}",
          r"^I(?:['’]m| am) (?!{kind}\b){Word}$"),
    _rule("age", r"{am}(?P<v>\d{1,3}|(?:twenty|thirty|forty|fifty|sixty|seventy)(?:[- ]\w+)?)(?: years old| now|(?=[,.!]|$))",
          r"{I}turned (?P<v>\d{1,3})\b"),
    _rule("birthday", r"{my}birthday is (?:on )?{short}", r"{I}was born on {short}"),
    _rule("birth year", r"{I}was born in (?P<v>\d{4})"),
    _rule("home", r"\bI(?:['’]m|['’]ve|['’]ve been| am| have| have been)? {adv}(?:moved|relocated)\b{oneself}[^,;.!?]{0,40}? to {Place}",
          r"{I}(?:live|reside) in {Place}", r"{am}(?:based|living) in {Place}", r"{been}(?:lived|been living) in {Place}",
          says="lives in", entity="place"),
    _rule("origin", r"{I}(?:come|hail) from {Place}", r"{am}from {Place}", says="is from", entity="place"),
    _rule("hometown", r"{I}(?:grew up|was raised|was born) in {Place}", r"{my}hometown is {Place}", says="grew up in", entity="place"),
    _rule("employer", r"{we}(?:work|worked|been working|working|started working|started) (?:as an? [\w -]{2,40}? )?(?:at|for) {Name}",
          r"{I}joined {Name}", r"{we}(?:got|took|accepted|have|started) {job}(?: as an? [\w -]{2,40}?)? (?:at|with) {Name}",
          says="works at", entity="organisation"),
    _rule("occupation", r"{we}(?:work|working|been working) as (?:an? |the ){rest}", r"{am}an? (?P<v>{some}{role})\b",
          r"\b(?:got|been|was) (?:just )?promoted to (?P<v>[^,;.!?]{3,50}?)(?=[,;.!?]|$| at\b| last\b| this\b)"),
    _rule("school", r"{I}(?:study|studied|go to|attend|graduated from) (?:[\w ]{0,30}? at )?{Name}", says="studies at",
          entity="organisation", strong=False),
    _rule("field of study", r"{I}(?:study|major in) (?!(?:at|for|in|with|hard|to)\b){rest}",
          r"{am}(?:studying|majoring in) (?!(?:at|for|in|with|hard|to)\b){rest}"),
    _rule("allergies", r"{am}allergic to {list}", r"{have}an allergy to {list}", many=True, says="is allergic to"),
    _rule("diet", r"(?:{am}|{been}gone |{I}went |{I}became |{been}become )(?:a |an )?(?P<v>{diet})\b"),
    _rule("avoids", r"\bI (?:(?:don['’]t|do not|never) (?:eat|drink)|can['’]t (?:eat|drink|have)) {rest}", many=True),
    _rule("languages", r"{I}(?:speak|know) (?P<v>(?:a little |some |fluent |basic )?{language}(?:[ ,and]+[A-Z]\w+){0,5})",
          r"(?:{am}|{been}been )(?:learning|studying) (?P<v>{language})\b", many=True),
    _rule("relationship status", r"(?:{we}|{been}been |{I}got )(?P<v>single|married|engaged|divorced|widowed|separated)\b",
          r"\b[Ww]e(?:['’]ve| have) been {adv}(?P<v>married|engaged|divorced|separated)\b", kind=_KIN),
    _rule("family news", r"{we}expecting (?P<v>(?:a |our )?(?:[\w-]+ )?(?:baby|child|twins|boy|girl)(?: in \w+)?)",
          r"{am}(?P<v>pregnant)\b", kind=_KIN),
    _rule("health", r"{have}(?:an? )?(?P<v>{illness})\b", r"{I}suffer from (?P<v>{illness})\b",
          r"(?:{been}been|{I}was|{I}got) diagnosed with (?P<v>{illness})\b", many=True),
    _rule("", r"^(?:\w+ )?[Mm]y (?:current |new )?(?P<a>{datum})(?: is|:| are) (?:now |actually )?(?P<v>[^;!?]{1,80})"),
    _rule("pets", r"{we}(?:adopted|have|got|own|bought|rescued) (?P<v>{n}(?!stuffed|toy|plush)(?:[\w-]+ ){0,3}{pet}"
          r"(?:,? (?:called|named) [A-Z]\w+(?: and [A-Z]\w+)?)?(?![- ]\w*(?:shelter|show|park|food)))",
          many=True, says="has pet", entity="animal"),
    _rule("children", r"{have}(?P<v>{n}{some}(?:kids?|children|sons?|daughters?))\b", kind=_KIN),
    _rule("siblings", r"{have}(?P<v>{n}{some}(?:brothers?|sisters?|siblings?))\b", kind=_KIN, many=True),
    _rule("possessions", r"(?:{we}(?:bought|purchased|own)|{have})(?: myself)? ?(?P<v>an? (?:[\w-]+ ){0,3}{thing}(?: \w*\d\w*)?)\b"
          r"(?! (?:accident|show|game|lesson|class|crash)|-)", many=True, says="owns"),
    _rule("hobbies", r"^(?P<v>[A-Z][\w ,-]{3,60}?) (?:is|are) (?:one of )?my (?:main |biggest )?(?:hobby|hobbies|pastimes?)\b", many=True),
    _rule("hobbies", r"{we}(?:(?:started |been )?(?:playing|learning)|play|started) (?:to play )?(?:the )?(?P<v>{play})\b", kind=_LIKE,
          many=True),
    _rule("dislikes", r"{I}(?:hate|dislike|can['’]t stand|detest) {liked}",
          r"{I}(?:don['’]t|do not) (?:really |much )?(?:like|enjoy|care for) {liked}",
          r"\bI(?:['’]m| am) not (?:really |much )?{fan} {liked}", kind=_LIKE, many=True, says="dislikes"),
    _rule("likes", r"(?:{am}|{been}been )(?:{fan}|drawn to|passionate about|obsessed with|crazy about) {liked}",
          r"{I}(?:like|love|enjoy|adore|prefer) {liked}", kind=_LIKE, many=True, says="likes"),
    _rule("plans", r"{we}(?:planning|thinking of|thinking about|going to|gonna|hoping|looking to|saving (?:up )?for|preparing for"
          r"|training for|looking forward to) {line}", r"{I}(?:plan|intend|want|hope|aim|decided|will|need) (?:to|on) {line}",
          r"\b(?:I|[Ww]e)(?:['’]ll| will) {line}", kind=_PLAN, many=True, strong=False),
)  # fmt: skip
