"""A context uses its budget and never passes it, by whatever tokenizer; and how near the estimate is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect import Memory
from recollect.errors import InvalidInput
from recollect.pack import OWN_WORDS, pack
from recollect.results import Hit, Source
from recollect.testing import HashEmbedder, ScriptedLanguage
from recollect.tokens import estimate_tokens
from recollect_evals import datasets, tokens

FENCE = "f" * 32
DAY = datetime(2024, 5, 1, tzinfo=UTC)


def hit(n: int, text: str, kind: str = "memory", told_by: tuple[str, ...] = ()) -> Hit:
    sources = tuple(Source(turn_id=one, quote="", role="user", speaker="Ann", said_at=DAY) for one in told_by)
    return Hit(
        kind=kind,
        id=f"{kind}{n}",
        text=text,
        score=0.5,
        metadata={},
        created_at=DAY,
        valid_from=DAY,
        source="user",
        sources=sources,
    )


def jumpy(text: str) -> int:
    """Not additive at all."""
    return len(text) // 3 + (40 if len(text) > 400 else 0)


@settings(deadline=None)
@given(
    st.lists(st.text(max_size=80), max_size=12),
    st.integers(1, 600),
    st.sampled_from([None, len, jumpy, tokens.count, lambda text: len(text.encode())]),
)
def test_a_context_never_passes_its_budget(texts, budget, tokenizer):
    text, kept, counted = pack([hit(n, one) for n, one in enumerate(texts)], budget, FENCE, tokenizer)
    assert counted == (tokenizer or estimate_tokens)(text) <= budget
    assert bool(text) == bool(kept) and len(kept) <= len(texts)


def test_the_best_hits_stay():
    hits = [hit(n, f"fact number {n}") for n in range(20)]
    _, kept, counted = pack(hits, 200, FENCE, tokens.count)
    assert {one.id for one in kept} == {one.id for one in hits[: len(kept)]} and 170 < counted <= 200


def test_a_turn_that_is_told_takes_no_place_but_among_the_best():
    told = [hit(n, f"fact {n}", told_by=(f"turn{n}",)) for n in range(OWN_WORDS)]
    others = [hit(n, f"said {n}", "turn", (f"turn{n}",)) for n in (1, 99)]
    behind = pack([*told, *others], 5000, FENCE)[1]
    among = pack([told[1], *others], 5000, FENCE)[1]
    assert {one.id for one in behind if one.kind == "turn"} == {"turn99"}
    assert {one.id for one in among if one.kind == "turn"} == {"turn1", "turn99"}


def test_what_is_of_one_time_is_told_best_first_whatever_it_is_called():
    """Ids are random: by their order a context would be another one in each store."""
    best, earlier, worse = (
        hit(9, "the best"),
        hit(5, "earlier").model_copy(update={"valid_from": DAY - timedelta(1)}),
        hit(1, "worse"),
    )
    assert [one.text for one in pack([best, earlier, worse], 500, FENCE)[1]] == ["earlier", "the best", "worse"]


@pytest.fixture
def memory(tmp_path):
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
        memory.add("home = Rome", user_id="u")
        memory.add("likes += tea", user_id="u")
        yield memory


def test_callers_name_their_tokenizer(memory):
    words = memory.context(
        "home likes", user_id="u", min_score=0, max_tokens=35, tokenizer=lambda text: len(text.split())
    )
    assert words.tokens == len(words.text.split()) <= 35 and words.hits


@pytest.mark.parametrize("wrong", [7, lambda text: "many", lambda text: -1, lambda text: 1 / 0, lambda text: True])
def test_a_tokenizer_that_counts_nothing_is_named(memory, wrong):
    with pytest.raises(InvalidInput, match="tokenizer"):
        memory.context("home", user_id="u", min_score=0, tokenizer=wrong)


def blocks() -> list[str]:
    """Twenty turns each, of our own conversations."""
    talks = datasets.load("changes").conversations
    lines = [f"- [2024-05-01] {turn.speaker}: {' '.join(turn.text.split())}" for talk in talks for turn in talk.turns]
    return ["\n".join(lines[at : at + 20]) for at in range(0, len(lines), 20)]


def test_the_estimate_is_near_and_hardly_ever_too_low_in_english():
    ratios = [estimate_tokens(block) / tokens.count(block) for block in blocks()]
    assert min(ratios) >= 0.98 and sum(ratios) / len(ratios) <= 1.10


@pytest.mark.parametrize(
    "text",
    [
        "我们昨天去了北京的故宫博物院，参观了很多展览。他说他明年想去上海工作。今天天气很好，适合散步。",
        "昨日は友達と東京タワーに行きました。とても楽しかったです。来年は京都へ旅行したいと思っています。",
        "어제 친구와 함께 서울에 갔습니다. 정말 재미있었어요. 내년에는 부산에서 일하고 싶습니다.",
        "Gestern bin ich mit meiner Schwester nach München gefahren. Wir haben die Frauenkirche besichtigt.",
        "Ayer fui con mi hermana a Barcelona. El próximo año quiere estudiar medicina en la universidad.",
        "Вчера мы с сестрой ездили в Санкт-Петербург. В следующем году она хочет изучать медицину.",
        "ذهبت أمس مع أختي إلى القاهرة. تريد أن تدرس الطب في العام القادم.",
        "def estimate(text: str) -> int:\n    return sum(_of_line(line) for line in text.splitlines(keepends=True))",
        "great 🎉🎉 see you 👍 😂😂😂",
    ],
)
def test_the_estimate_is_not_too_low_in_other_scripts(text):
    assert tokens.count(text) <= estimate_tokens(text) <= 2 * tokens.count(text)


@settings(deadline=None)
@given(st.text(max_size=300))
def test_whatever_the_text_the_estimate_is_at_least_a_third(text):
    assert estimate_tokens(text) * 3 + 3 >= tokens.count(text)
