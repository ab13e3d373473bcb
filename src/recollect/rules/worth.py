"""What is worth keeping: a statement with something definite in it. Positive evidence, no list of phrases to drop."""

from __future__ import annotations

import re

from .sentences import FUNCTION_WORDS, words
from .statement import Form, Statement
from .verbs import ADVERBS

MAYBE = re.compile(
    r"\b(?:if|whether|unless|maybe|perhaps|imagine|suppose|wish|hopefully|kidding|joking|(?:could|would|should)(?:['’]ve| have)"
    r"|might|probably|in case|was I|am I)\b",
    re.IGNORECASE,
)
REQUEST = re.compile(
    r"^(?:please|can|could|would|will|recommend|suggest|tell|give|show|help|explain|write|let'?s?|what|how|why|when did|where|who|which)\b",
    re.IGNORECASE,
)
# Verbs of the inner life: what they tell is a mood, an opinion or a courtesy.
MENTAL = frozenset(
    "feel felt feeling think thought thinking know knew known knowing believe believed hope hoped hoping wish guess guessed mean meant wonder "
    "wondered wondering realize realized realised realizing understand understood remember remembered remembering forget forgot agree agreed "
    "appreciate appreciated appreciating admire love loved loving like liked enjoy enjoyed enjoying want wanted need needed care cared matter "
    "suppose imagine imagined considering bet doubt see saw seen seeing look looked hear heard hearing sound seem seemed seems consider notice noticed "
    "noticing find found finding keep kept keeping try tried trying help helped helps getting say said says tell told telling talking get gets "
    "let lets bring brings brought bringing give gives got gave made took put came went make makes inspire inspired inspires motivate motivated support supported supporting "
    "learned learnt end ended looking contemplate contemplating continue continued continuing manage managed worry worried relate value valued values cherish thank thanked "
    "miss missed missing prioritize embrace embracing focus focused focusing focuses reflect reflecting reflected share sharing mentioned "
    "mention aim aiming deserve struggle struggled struggling changed change changing become became stay stayed staying strive striving "
    "navigating navigate balance balancing ensure ensuring enhance enhancing gained gain gaining feels loves had have having put putting "
    "show shows showed showing come came coming allowed allows did do done go noticed experienced encountered caught able "
    "explore exploring set setting happened leaning dealing deal dealt facing faced face treat treated grow growing grew".split()
)
# Of these, the ones that can tell of something definite, where the rest does.
_LIGHT = frozenset(
    "had have having got get did do done go came come made make makes gave give put see saw seen find found brought bring tell told talking "
    "learned learnt share sharing set stayed heard keep kept tried trying helped helping showed coming set catch caught become became explore "
    "exploring considering looking known loved enjoyed missed lost grew changed managed supported".split()
)
# Words that name nothing: too general, or an appraisal.
VAGUE = frozenset(
    "thing things stuff something anything everything nothing someone anyone everyone somebody lot lots bit kind sort way ways time times "
    "great good nice awesome amazing cool fun happy sad glad proud excited exciting wonderful lovely special important hard tough easy big "
    "little huge much many more most less really super pretty quite day days today one ones here there back even still yet already again "
    "always never ever all some any every each other others such own same too also life lives moment moments journey experience experiences "
    "support supportive positive positivity inspiring incredible blessed grateful thankful powerful meaningful difference world heart hope "
    "dream dreams better best worth strong people self change changes challenge challenges mind sense joy passion gonna wanna guys folks "
    "through under across along myself yourself ourselves ago difficult spot spots alright fine well details favorite favourite fave snag trouble level pic pics picture shot shots call amount decent offer milestone recommendations online mostly whole reminder project projects away idea ideas impact part place places situation step steps goal goals progress success skills skill knowledge "
    "opportunity opportunities blast luck care energy love vibe vibes vibrant atmosphere connection connections connect bond bonds memories "
    "memory growth wellbeing well-being balance mindset motivation inspiration creativity confidence perspective perspectives insights "
    "insight values strategies strategy approach potential sure new old different first next last able together around out off down up "
    "forward far long short enough hours busy ready couple few chance rough interesting tons ton bunch process feedback results result "
    "feeling feelings thoughts thought emotions emotional effort efforts focus quality truly deeply everyday daily lately past future "
    "person view views story stories learning ways reason reasons plan plans cute close full right wrong real extra crazy wild key "
    "beautiful gorgeous stunning fantastic unforgettable memorable rewarding fulfilling relaxing calming peaceful enjoyable refreshing "
    "breathtaking invaluable essential crucial various several certain overall particularly incredibly extremely productive effective "
    "towards becoming initiatives initiative practices activities boundaries resources guidance discussions collaboration collaborations environment "
    "aspects aspect options contribution contributions importance week weeks weekend month months year years yesterday today tonight tomorrow "
    "morning afternoon evening night surge purpose recent recently current currently adventure adventures path paths period room attitude power "
    "share learn learned helping help make making get getting go going take taking keep keeping let see seeing try trying come "
    "nature-inspired stress mental physical health healthy goodness kindness hard-earned responsibilities responsibility role".split()
)
_ACTIVITY = re.compile(
    r"(?:work|live|run|own|teach|volunteer|study|practi[cs]e|train|attend|coach|collect|drive|commute|write|play|paint|draw|cook|bake|bike|hike"
    r"|swim|dance|sing|read|watch|eat|drink|visit|wear|sell|rent|raise|meet|go|take|use|speak|own|lead|head|belong|walk|manage|sleep"
    r"|wake|get up|prefer|avoid|stream|code|garden|knit|sew|fish|camp|surf|ski|lift|jog|exercise|meditate|organi[sz]e|host|earn)s?"
)
_BEING = re.compile(
    r"(?:an?|the|my|our|in|at|on|from|full of|born|based|married|engaged|named|called|promoted|hired|diagnosed|invited|\d+)\b"
)
_PLANNED = re.compile(r"plan|going|gonna|decid|intend|sign")
_CONTENT = re.compile(
    r"(?:out )?(?:that|how|what|why|whether|I|we|it|there|to|sure|my \w+ (?:is|was))\b"
)  # what was thought
_GAP = re.compile(
    r"(?:on|with|for|about|to|at|of)(?:$| (?:for|since|lately|and|because)\b)"
)  # "[what] I was working on"
_OPEN = frozenset(
    "started finished began played worked used went ran called asked stopped happened was were".split()
)  # want an object
_SOMEBODY = re.compile(r"\b(?:someone|somebody|some (?:\w+ )?(?:people|friends|folks))\b(?! (?:named|called)\b)")
_OBJECT = re.compile(r"(?:an?|my|our|some|two|three|four|five|to|from|in|at|into)\b", re.IGNORECASE)
_OFTEN = re.compile(
    r"\b(?:every|each|once|twice|times|daily|weekly|monthly|on (?:mon|tues|wednes|thurs|fri|satur|sun)days?|weekends|mornings|since)\b",
    re.IGNORECASE,
)


def content_words(text: str) -> list[str]:
    """The words that name something."""
    return [
        word
        for word in words(text)
        if len(word) > 2 and not (word in FUNCTION_WORDS or word in VAGUE or word in MENTAL or word in ADVERBS)
    ]


def is_definite(statement: Statement, names: int, dates: int, pointed: bool = False) -> bool:
    """Whether a statement says something that a question could ask for. `names` and `dates` (or numbers) are what it
    can be held by; `pointed`: something in it was pointed at ("this one") and is not known further."""
    anchors = names + dates
    named = max(len(content_words(statement.rest)), names)
    if not named and not (anchors and statement.form is Form.PAST and statement.verb not in _OPEN):
        return False
    named += statement.form is not Form.STATE and statement.verb not in MENTAL
    named += statement.subject.casefold() not in ("i", "we")  # who it is about tells something too
    named -= pointed + bool(_SOMEBODY.search(statement.rest))
    if statement.subject.casefold() not in ("i", "we") and not content_words(statement.subject):
        return False
    general = statement.subject.casefold() == "we" and not anchors
    mental = statement.verb in MENTAL
    if statement.verb == "be" or (mental and (statement.verb not in _LIGHT or _CONTENT.match(statement.rest))):
        return False
    if _GAP.match(statement.rest) or (statement.rest.startswith("forward") and not anchors):
        return False
    match statement.form:
        case Form.POSSIBLE | Form.NEGATED:
            return False
        case Form.STATE:
            enough = named >= 2 if anchors else named >= 3 and statement.subject.casefold() not in ("i", "we")
            return enough and bool(_BEING.match(statement.rest))
        case Form.PRESENT:
            known = bool(_ACTIVITY.fullmatch(statement.verb)) or (anchors > 0 and statement.verb == "have")
            return known and named >= 3 - mental - (anchors > 0 or bool(_OFTEN.search(statement.rest)))
        case Form.FUTURE:
            wish = statement.verb in MENTAL or not _PLANNED.search(statement.intent)
            return named >= 2 + wish and (anchors > 0 or (named >= 3 + general and not wish))
        case Form.PAST | Form.PERFECT | Form.ONGOING:
            easy = anchors > 0 or (not mental and bool(_OBJECT.match(statement.rest) or statement.form is Form.ONGOING))
            return named >= 3 - mental - easy + general
