"""What code checks in texts is checked in Chinese, Spanish and German too: quotes, numbers, contradictions, secrets."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from recollect import Memory
from recollect.model import Candidate, Evidence, Fact, Kind, SourceClass
from recollect.retrieval.rank import Telling, marks
from recollect.safety.redact import Redactor
from recollect.testing import HashEmbedder
from recollect.tokens import estimate_tokens
from recollect.upkeep.erase import without
from recollect.writing.evidence import quoted
from recollect.writing.guard import invented, overlap


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("咖啡店在玉林西路。", "我的咖啡店在玉林西路，昨天开业。"),
        ("签到2026年", "先答应了，签到２０２６年。"),
        ("「半日闲」", "店名叫“半日闲”。"),
        ("我喜欢茶 咖啡", "我喜欢茶，咖啡也行"),
        ("喜欢茶……咖啡", "我喜欢茶，也喜欢咖啡"),
        ("喜欢茶...咖啡", "我喜欢茶，也喜欢咖啡"),
        ("¿Qué cumpleaños?", "Me preguntó qué cumplean\u0303os celebramos."),
        ("die STRASSE", "Ich mag die Straße sehr."),
        ("„Guten Abend“", 'Er sagte "guten Abend" und ging.'),
    ],
)
def test_a_quote_is_found(quote, text):
    assert quoted(quote, text)


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("我住在上海", "我住在北京"),
        ("咖啡……茶", "我喜欢茶，也喜欢咖啡"),
        ("签到2025年", "签到２０２６年"),
        ("。", "我住在北京。"),
    ],
)
def test_what_was_not_said_is_no_quote(quote, text):
    assert not quoted(quote, text)


def test_what_is_quoted_with_words_left_out_can_be_blanked():
    left = without("我喜欢茶，也喜欢咖啡，住在北京", ["喜欢茶……咖啡"], [])
    assert "茶" not in left and "咖啡" not in left and "北京" in left


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("我住在北京", "我住在上海"),
        ("我喜欢咖啡", "我不喜欢咖啡"),
        ("他有三只猫", "他有四只猫"),
        ("Me mudé en mayo", "Me mudé en junio"),
        ("Tengo dos perros", "Tengo tres perros"),
        ("Vivo con Ana", "Nunca vivo con Ana"),
        ("Ich mag Kaffee", "Ich mag keinen Kaffee"),
        ("Ich habe zwei Hunde", "Ich habe drei Hunde"),
        ("أعيش في القاهرة", "أعيش في دمشق"),
    ],
)
def test_what_contradicts_is_no_near_duplicate(one, other):
    assert Telling("memory", one).contradicts(Telling("memory", other))


@pytest.mark.parametrize("text", ["我住在北京", "Vivo en una casa vieja", "Ich wohne am See", "я живу в Москве"])
def test_the_same_but_for_its_end_is_one(text):
    assert marks(text) == marks(f"{text}.") == marks(f"{text}！")


def test_an_update_cannot_make_up_a_number_in_chinese():
    fact = Fact("合同签到２０２６年", Kind.KNOWLEDGE, (Evidence("t", "签到"),))
    target = Candidate(
        1,
        "房租九千元，合同到2024年",
        Kind.KNOWLEDGE,
        None,
        None,
        None,
        (),
        datetime(2024, 1, 1, tzinfo=UTC),
        SourceClass.USER,
    )
    assert invented("合同从2024年签到2026年", fact, [target]) == set()
    assert invented("合同签到2027年，在MacBook上", fact, [target]) == {"2027", "macbook"}


def test_words_in_common_are_counted_in_chinese():
    assert overlap("我喜欢咖啡", "我不喜欢咖啡") > 0.8 > 0.2 > overlap("我喜欢咖啡", "他在北京工作")


@pytest.mark.parametrize("secret", ["DE89370400440532013000", "4111111111111111", "AKIAIOSFODNN7EXAMPLE"])
@pytest.mark.parametrize("around", ["密钥是{}请记住", "鍵は{}です", "кл{}юч", "clave: {}, gracias", "Schlüssel „{}“"])
def test_a_secret_is_found_beside_letters_of_any_script(secret, around):
    assert secret not in Redactor(True).text(around.format(secret))


@pytest.mark.parametrize(
    "text", ["我住在北京，喜欢喝茶。", "Ich wohne in Görlitz.", "ผมอาศัยอยู่ที่กรุงเทพ", "أعيش في القاهرة"]
)
def test_tokens_are_not_taken_for_fewer_than_words(text):
    assert estimate_tokens(text) >= max(len(text.split()), len(text) // 4)


SAID = (
    "我叫王小明，我住在北京。我喜欢吃饺子！",
    "Soy Ana y vivo en Madrid con mi hermana.",
    "Ich heiße Jörg und wohne in Görlitz.",
    "ผมชื่อสมชาย ผมอาศัยอยู่ที่กรุงเทพ",
    "أنا أحمد وأعيش في القاهرة",
    "Меня зовут Иван, я живу в Москве.",
)


def test_the_rules_make_nothing_of_what_they_cannot_read_and_it_is_found_all_the_same(tmp_path):
    with Memory(tmp_path, llm="rules", embedder=HashEmbedder()) as memory:
        for text in SAID:
            result = memory.add(text, user_id="u")
            assert (result.changes, result.rejected) == ((), ())
        for word, text in zip(("饺子", "hermanas", "wohnen", "กรุงเทพ", "القاهرة", "Москва"), SAID, strict=True):
            hits = memory.search(word, user_id="u", include=("turns",), min_score=0)
            assert hits[0].text == text, word
        context = str(memory.context("饺子", user_id="u", min_score=0))
        assert SAID[0] in context and context.count("<memory id=") == 1
