"""In which language a text is, as far as its words are stemmed: told by function words and letters, alike for the same text.

English unless something speaks for another one. A text that is too short to tell counts as English; it is found all the same,
for a query asks for each of its words as every language that the user's texts are in would write it down (`terms.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

ENOUGH = 2  # different signs of a language, to take a text for it

# Function words, accents folded, that no English text is full of; some are of several languages. The query's own words for
# "who", "what", "when" are among them: questions are short.
_FUNCTION_WORDS: Mapping[str, str] = {
    "spanish": "el la los las un una unos unas de del al y o pero porque que quien quienes cual cuales como cuando donde cuanto"
    " cuantos cuanta cuantas con sin para por en es son esta estan estoy este esto ese eso era eran fue fui ser soy eres somos"
    " estaba tengo tiene tienes tenia hay mi mis tu tus su sus se le les lo te nos yo ella ellos nosotros ya muy mas tambien si"
    " ayer hoy manana ahora desde hasta sobre nada algo todo todos cada otro otra hace han ha he hemos habia",
    "german": "der das den dem des ein eine einen einem einer eines und oder aber weil dass ob wenn wer wie wo wann warum wen"
    " wem welche welcher welches ich du er sie es wir ihr mich dich sich mir dir ihm ihn ihnen uns euch mein meine meinen meinem"
    " meiner dein deine deinen sein seine seinen seiner ihre ihren ihrer unser unsere ist sind bin bist waren habe haben hatte"
    " wird werde werden wurde kann nicht kein keine keinen auch noch schon nur sehr mit von vom zu zum zur bei beim nach aus auf"
    " im ins fur uber unter seit bis da dann jetzt heute gestern morgen immer viele wieviele gibt",
    "french": "le la les un une des du de et ou mais parce que qui quoi quel quelle quels quelles comment quand avec sans pour"
    " dans sur sous chez est sont suis sommes etait etaient ete ai avons avez ont avait je tu il elle nous vous ils elles mon ma"
    " mes ton ta tes son sa ses notre nos votre leur leurs ce cette ces ca ne pas plus tres aussi au aux y se lui deja hier"
    " aujourd'hui demain toujours c'est j'ai qu'il n'est",
    "italian": "il lo la gli le un uno una di del della dello dei delle degli da dal dalla al alla ai alle nel nella nei e ma"
    " perche che chi quale quali come quando dove quanto quanti con senza per tra fra sono sei siamo siete era erano stato ho hai"
    " ha abbiamo hanno aveva mi ti si ci vi mio mia miei tuo tua suo sua nostro loro questo questa quello quella anche piu molto"
    " gia oggi ieri domani sempre non io lui lei noi",
    "portuguese": "o os um uma uns umas de do da dos das no na nos nas ao aos e ou mas porque que quem qual quais como quando"
    " onde quanto quantos com sem para por em sao sou somos era eram foi estou esta estava tenho tem tinha meu minha meus minhas"
    " teu tua seu sua seus suas nosso ele ela eles elas voce voces eu nao muito mais tambem ja hoje ontem amanha isso isto este"
    " essa pelo pela",
    "dutch": "de het een en of maar omdat dat die wie wat waar wanneer waarom hoe welke ik jij je hij zij ze wij jullie mijn jouw"
    " zijn haar onze ons ben bent hebt heeft hebben hadden wordt worden werd kan niet geen ook nog al zeer met van voor naar bij"
    " uit op onder sinds tot dan nu vandaag gisteren morgen altijd er deze dit hem",
    "swedish": "och eller men att det en ett den de som vem vad var nar varfor hur vilken vilket jag du han hon vi ni mig dig sig"
    " min mitt mina din ditt dina sin sitt hans hennes ar hade har blev blir kan inte ingen ocksa mycket med av till fran pa hos"
    " om sedan nu idag igar imorgon alltid",
}
# What is an everyday English word says nothing for another language, unless it is the other language's most usual one.
_ENGLISH = frozenset(
    (
        "a all am an and any are as at be been but by can could did do does for from get got had has have he her"
        " here him his how i if in into is it its just like me more my no not of off on or our out she so some that"
        " the their them then there they this to too up us was we were what when where which while who why will with"
        " would you your about after because dan hat die war will also man nun bin ton son sin fur den van son once"
        " come pan con sale mine men sat era ha y o e on het hans under die var of hem op dig"
    ).split()
)
_COUNT_FOR_ENGLISH = frozenset(
    (
        "and are because been could did does for from get had has have her his how into is it its just like my not"
        " of our she that the their them then there they this to was we were what when where which who why with"
        " would you your about i"
    ).split()
)
_LETTERS: Mapping[str, str] = {"spanish": "ñ¿¡", "german": "ß", "portuguese": "ãõ", "swedish": "å"}  # of that one alone
_OFTEN: Mapping[str, str] = {
    "spanish": "éóíáú",
    "german": "äöü",
    "french": "éèêàçœî",
    "italian": "òèù",
    "swedish": "äö",
}
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


def _known() -> dict[str, tuple[str, ...]]:
    known: dict[str, tuple[str, ...]] = {}
    for language, words in _FUNCTION_WORDS.items():
        for word in set(words.split()) - _ENGLISH:
            known[word] = (*known.get(word, ()), language)
    for word in _COUNT_FOR_ENGLISH:
        known[word] = (*known.get(word, ()), "english")
    return known


LANGUAGES: tuple[str, ...] = tuple(_FUNCTION_WORDS)
_SIGNS = _known()
# What is left out of what a text is found by. Negations do matter.
_NEGATIONS = frozenset(
    ("nicht kein keine keinen pas ne n'est non nao niet geen inte ingen sin sem sans senza nada").split()
)
STOP_WORDS: Mapping[str, frozenset[str]] = {
    name: frozenset(words.split()) - _NEGATIONS for name, words in _FUNCTION_WORDS.items()
}


def language_of(words: Iterable[str], text: str, enough: int = ENOUGH) -> str:
    """Of a text with these words (folded): one of `LANGUAGES` of which there are `enough` signs, or "english"."""
    told = _SIGNS.keys() & words
    signs: dict[str, int] = {}
    for word in told:
        for language in _SIGNS[word]:
            signs[language] = signs.get(language, 0) + 1
    english = signs.pop("english", 0)
    if not text.isascii():
        _add_letters(signs, text)
    if not signs:
        return "english"
    best = max(LANGUAGES, key=lambda one: signs.get(one, 0))  # of equals the first
    return best if signs[best] >= enough and signs[best] > english else "english"


def _add_letters(signs: dict[str, int], text: str) -> None:
    letters = set(_NOT_ASCII.findall(text.casefold()))
    if "ß" in text:  # casefold makes "ss" of it
        letters.add("ß")
    for language, own in _LETTERS.items():
        if not letters.isdisjoint(own):
            signs[language] = signs.get(language, 0) + 2
    for language, own in _OFTEN.items():
        if not letters.isdisjoint(own):
            signs[language] = signs.get(language, 0) + 1
