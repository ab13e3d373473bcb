"""Terms: the same word is found whatever its text and the query were taken for; languages are told apart by their signs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.adapters.bm25 import Bm25
from recollect.adapters.irregular import BASES
from recollect.adapters.languages import LANGUAGES, language_of
from recollect.adapters.terms import _STOP, TermCounter, _words
from recollect.records import words_of

SAID = {
    "english": "I moved to Berlin with my sister and we like the old houses.",
    "spanish": "Me mudé a Berlín con mi hermana y nos gustan las casas viejas.",
    "german": "Ich bin mit meiner Schwester nach Berlin gezogen, und wir mögen die alten Häuser.",
    "french": "J'ai déménagé à Berlin avec ma sœur et nous aimons les vieilles maisons.",
    "italian": "Mi sono trasferito a Berlino con mia sorella e ci piacciono le vecchie case.",
    "portuguese": "Eu me mudei para Berlim com minha irmã e gostamos das casas velhas.",
    "dutch": "Ik ben met mijn zus naar Berlijn verhuisd en wij houden van de oude huizen.",
    "swedish": "Jag flyttade till Berlin med min syster och vi gillar de gamla husen.",
}
count = TermCounter()


def language(text):
    return language_of(set(_words(text)), text)


def finds(query, *texts):
    """The texts in the order in which a query finds them."""
    index = Bm25()
    for key, text in enumerate(texts):
        index.upsert(key, count(text))
    return index.search(count.asked(query, index.__contains__), len(texts)).keys.tolist()


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("When did Nora go there?", "Nora went there."),
        ("What had she bought?", "I buy bread."),
        ("Whom has Tom taught?", "Tom teaches Anna."),
        ("her child", "three children"),
        ("Who goes?", "We've gone."),
    ],
)
def test_an_irregular_form_finds_its_word_and_is_found_by_it(query, text):
    assert finds(query, text) and finds(text, query)


def test_an_irregular_form_has_one_word():
    assert not BASES.keys() & BASES.values()


@pytest.mark.parametrize("name", SAID)
def test_a_sentence_tells_its_language(name):
    assert language(SAID[name]) == name
    assert name in ("english", *LANGUAGES)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ok",
        "Berlin",
        "San Francisco and Los Angeles",
        "The Van Gogh in Den Haag was great",
        "我住在北京",
        "no me",
    ],
)
def test_what_does_not_tell_counts_as_english(text):
    assert language(text) == "english"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("cumpleanos", "El cumpleaños de Ana es en mayo, y lo celebramos."),
        ("¿Cuándo celebrará Ana los cumpleaños?", "Celebramos el cumpleaños de Ana en mayo."),
        ("Welche Häuser?", "Wir haben ein Haus gekauft, und es ist groß."),
        ("Annas Schwestern", "Ich habe die Schwester von Anna getroffen."),
        ("Mueller", "Herr Müller hat uns nicht gesehen."),
        ("STRASSE", "Wir wohnen in der Straße am See."),
        ("Où est l'école ?", "Mes enfants sont dans une école avec un jardin."),
        ("привычки", "У меня есть привычка пить чай."),
        ("мой", "Это мой дом."),
        ("ISIK", "Kızımın adı Işık."),
        ("isik", "Kızımın adı Işık."),
        ("İstanbul", "istanbul güzel"),
        ("Lodz", "Mieszkam w Łodzi i lubię Łódź."),
        ("cafe", "cafe\u0301 con leche"),
        ("ＡＢＣ １２３", "abc 123"),
        ("𝐀bc", "abc"),
        ("猫", "我家的猫叫年糕。"),
        ("年糕在哪里", "我家的猫叫年糕。"),
        ("ﾈｺ", "うちのネコは寝ている"),
        ("東京タワー", "昨日、東京タワーに行った。"),
        ("서울", "나는 서울에 산다."),
        ("MacBook的价格", "我买了MacBook。"),
        ("กรุงเทพ", "ผมอาศัยอยู่ที่กรุงเทพ"),
        ("नमस्ते", "उसने नमस्ते कहा"),
        ("القاهرة", "أعيش في القَاهِرة منذ عام"),
        ("Αθήνα", "Μένω στην ΑΘΗΝΑ"),
    ],
)
def test_it_is_found(query, text):
    assert finds(query, "Something else entirely, of 1999.", text) == [1]


def test_a_query_of_one_word_finds_it_in_every_language_of_its_user():
    texts = ["Schneider called me and we had lunch.", "Ich habe Herrn Schneider nicht gesehen, und das war gut."]
    assert sorted(finds("Schneider", *texts)) == [0, 1]
    assert sorted(finds("Where did I see Schneider?", *texts)) == [0, 1]


def test_a_word_counts_once_however_many_languages_it_is_asked_in():
    index = Bm25()
    for key, text in enumerate(SAID.values()):
        index.upsert(key, count(text))
    asked = count.asked("schwestern", index.__contains__)
    assert len(asked) > 1 and len(words_of(asked)) == 1
    assert index.coverage(asked, [2]) == [1.0] and index.coverage(asked, [0]) == [0.0]


def test_a_question_without_content_asks_for_nothing():
    for text in ("what is it", "¿qué es?", "wer ist das", "的吗", "", "?!"):
        assert not count.asked(text, lambda _: False), text


ODD = (
    "北京", "猫", "東京タワー", "서울에", "Müllers", "l'école", "d'accord", "１２", "кофейня", "กรุงเทพ", "don't", "O’Neill's"
)  # fmt: skip
TEXTS = st.lists(
    st.one_of(
        st.sampled_from([word for said in SAID.values() for word in said.split()]),
        st.sampled_from(ODD),
        st.text(max_size=8),
    ),
    min_size=1,
    max_size=12,
).map(" ".join)


@given(TEXTS, st.lists(TEXTS, max_size=3))
def test_a_word_of_a_text_finds_it_whatever_the_two_were_taken_for(text, others):
    index = Bm25()
    for key, one in enumerate([text, *others]):
        index.upsert(key, count(one))
    stop, mine = _STOP[language(text)], count(text).keys()
    for word in _words(text):
        if word not in stop:
            for terms in words_of(count.asked(word, index.__contains__)):
                assert not mine.isdisjoint(terms), word


@given(st.text(max_size=60), st.text(max_size=60))
def test_lines_are_counted_apart(one, other):
    """What two texts have by `words` is what they have each: an erasure compares them so."""
    assert count.words(f"{one}\n{other}") == count.words(one) | count.words(other)


@pytest.mark.parametrize("query", ["¿Dónde vive María de la Cruz?", "Where does María de la Cruz live?", "cruz"])
def test_who_is_named_is_named_in_a_query_of_any_language(query):
    """Labels are compared by `words`, which a query has whatever it was taken for."""
    for held in (False, True):
        asked = count.asked(query, lambda _, held=held: held)
        assert not count.words("María de la Cruz").isdisjoint(asked)
