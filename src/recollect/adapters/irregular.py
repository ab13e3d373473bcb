"""Irregular English forms → the word that they are forms of: stemmers take off endings, and do not know that "went" is of "go".

Left out are forms that are as often another word ("rose", "bit", "lives", "bound"), and those that are stop words anyway.
"""

from __future__ import annotations

from collections.abc import Mapping

# The word first, then its forms that differ in more than an ending which the stemmer takes off.
_VERBS = """arise arose arisen|awake awoke awoken|become became|begin began begun|bend bent|bleed bled|blow blew blown
break broke broken|breed bred|bring brought|build built|burn burnt|buy bought|catch caught|choose chose chosen|cling clung
come came|creep crept|deal dealt|dig dug|draw drew drawn|dream dreamt|drink drank drunk|drive drove driven|eat ate eaten
fall fell fallen|feed fed|feel felt|fight fought|find found|flee fled|fling flung|fly flew flown|forbid forbade forbidden
forget forgot forgotten|forgive forgave forgiven
freeze froze frozen|get got gotten|give gave given|go went gone goes|grow grew grown
hang hung|hear heard|hide hid hidden|hold held|keep kept|kneel knelt|know knew known|lay laid|lead led|leap leapt|learn learnt
leave left|lend lent|light lit|lose lost|make made|mean meant|meet met|mistake mistook mistaken|overcome overcame|pay paid
prove proven|rebuild rebuilt|ride rode ridden|ring rang rung|rise risen|run ran|say said|see saw seen|seek sought|sell sold
send sent|sew sewn|shake shook shaken|shine shone|shoot shot|show shown|shrink shrank shrunk|sing sang sung|sink sank sunk
sit sat|sleep slept|slide slid|speak spoke spoken|speed sped|spend spent|spin spun|spring sprang sprung|stand stood
steal stole stolen|stick stuck|sting stung|strike struck|strive strove striven|swear swore sworn|sweep swept|swim swam swum
swing swung|take took taken|teach taught|tear tore torn|tell told|think thought|throw threw thrown|undergo underwent undergone
understand understood|undertake undertook undertaken|wake woke woken|wear wore worn|weave wove woven|weep wept|win won
withdraw withdrew withdrawn|write wrote written"""
_NOUNS = """child children|foot feet|goose geese|half halves|knife knives|loaf loaves|man men|mouse mice|person people
scarf scarves|shelf shelves|thief thieves|tooth teeth|wife wives|wolf wolves|woman women"""

BASES: Mapping[str, str] = {
    form: base
    for entry in f"{_VERBS}|{_NOUNS}".replace("\n", "|").split("|")
    for base, *forms in [entry.split()]
    for form in forms
}
