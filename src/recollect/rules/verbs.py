"""English verbs: enough to put "I go" into the third person, and to see whether a form is past."""

from __future__ import annotations

import re

MODALS = frozenset(
    "will would can could shall should may might must can't cannot won't wouldn't couldn't shouldn't mightn't mustn't "
    "'ll 'd did didn't had hadn't".split()
)
IRREGULAR_PAST = frozenset(
    "was were went had did said made got took came saw knew thought gave found told became left felt brought began kept "
    "held wrote stood heard let meant met ran paid sat spoke lay led read grew lost fell sent built understood drew broke "
    "spent cut rose drove bought wore chose ate sang won taught caught flew drank rode threw swam slept dealt fought hurt "
    "shut set put hit bit blew forgot forgave froze hid hung laid lent lit quit rang shook shot sold sought stole stuck struck "
    "swore woke wound bet cost burst bent bid spread tore hosted beat split stung sank sprang sped swung overcame "
    "undertook withdrew redid dreamt learnt burnt spoilt knit dug fed fled clung crept binge-watched rebuilt reread "
    "mistook mowed sewed wept".split()
)
PRESENT_ED = frozenset("need feed speed seed bleed breed exceed proceed succeed embed heed weed".split())
_SAME = frozenset("read let set put hit cut hurt shut quit bet cost spread split knit beat".split())
_THIRD = {"am": "is", "are": "is", "have": "has", "do": "does", "don't": "doesn't", "haven't": "hasn't", "go": "goes",
          "was": "was", "were": "was", "weren't": "wasn't", "aren't": "isn't", "'m": "is", "'re": "is", "'ve": "has",
          "gotta": "has to", "wanna": "wants to", "gonna": "is going to", "ain't": "isn't"}  # fmt: skip
ADVERBS = frozenset(
    "also shortly always never often sometimes usually just really still already recently finally actually currently mostly "
    "only even ever once now then definitely probably absolutely totally truly both all mainly generally normally "
    "typically occasionally rarely hardly simply quickly soon lately originally initially eventually first personally "
    "kinda sorta especially particularly seriously honestly literally basically almost nearly not deeply fully "
    "no longer completely strongly genuinely firmly highly greatly proudly happily regularly frequently constantly".split()
)
BASE = frozenset(
    "keep go make take get have eat read write listen teach learn meet try use enjoy love spend bring do watch cook bake sing swim hike run train".split()
)
_VOWELS = "aeiou"


def is_past(verb: str) -> bool:
    """Whether a form can only be (or most often is) a past one."""
    verb = verb.casefold()
    return (
        verb in IRREGULAR_PAST
        or (verb.startswith("re") and verb[2:] in IRREGULAR_PAST)
        or (verb.endswith("ed") and verb not in PRESENT_ED and len(verb) > 3)
    )


def third_person(verb: str) -> str:
    """A present form for "she"; past forms and modals stay."""
    low = verb.casefold().replace("’", "'")
    if low in _THIRD:
        return _THIRD[low]
    if low in MODALS or (is_past(low) and low not in _SAME) or low in _SAME:
        return verb
    if not re.fullmatch(r"[a-z]+(?:-[a-z]+)?", low):
        return verb
    if low.endswith(("s", "sh", "ch", "x", "z", "o")):
        return low + "es"
    if low.endswith("y") and low[-2:-1] not in _VOWELS:
        return low[:-1] + "ies"
    return low + "s"


PARTICIPLES = re.compile(
    r"^(?:been|gone|had|done|said|made|gotten|got|taken|come|seen|known|thought|given|found|told|become|left|felt|brought"
    r"|begun|kept|written|heard|met|run|paid|spoken|grown|lost|fallen|sent|built|spent|driven|bought|chosen|eaten|won|taught"
    r"|better|\w+ed|never|always|just|already)$"
)


def d_means_had(following: str) -> bool:
    """ "I'd been" is had, "I'd go" would."""
    return bool(PARTICIPLES.match(following.casefold()))
