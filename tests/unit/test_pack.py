"""A context uses its budget and never passes it, by whatever tokenizer; and how near the estimate is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect import Memory
from recollect.errors import InvalidInput
from recollect.model import SourceClass
from recollect.results import Hit, Source
from recollect.retrieval.pack import OWN_WORDS, Page, chosen, line, pack, states
from recollect.safety.fence import lines_like_ours
from recollect.testing import HashEmbedder, ScriptedLanguage
from recollect.tokens import estimate_tokens, fewest_tokens
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


def reply(n: int, text: str) -> Hit:
    return hit(n, text, "turn").model_copy(update={"source": SourceClass.ASSISTANT, "speaker": "The assistant"})


def hits_of(page: Page) -> list[Hit]:
    return [one.hit for one in page.kept]


def test_a_reply_that_only_says_memories_again_is_left_out_beside_them():
    home, dog = hit(1, "The user lives in Hamburg."), hit(2, "The user has a dog named Rex.")
    echo, both = reply(3, "You live in Hamburg."), reply(4, "You live in Hamburg. You have a dog named Rex.")
    assert hits_of(chosen([echo, home, both, dog], 1000, FENCE, len)) == [home, dog]
    assert hits_of(chosen([echo, both, dog], 1000, FENCE, len)) == [echo, both, dog]  # nothing else tells it


@pytest.mark.parametrize(
    "text",
    [
        "You live in Hamburg. Bring a coat.",
        "You don't live in Hamburg.",
        "Your sister lives in Hamburg.",
        "She lives in Hamburg.",
        "Ann lives in Hamburg.",
        "You live in Berlin.",
    ],
)
def test_a_reply_that_says_more_or_otherwise_stays(text):
    hits = [hit(1, "The user lives in Hamburg."), reply(2, text)]
    assert hits_of(chosen(hits, 1000, FENCE, len)) == hits


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
    hits = [dated(n, one, f"2024-05-{1 + n % 3:02}") if n % 2 else hit(n, one) for n, one in enumerate(texts)]
    text, kept, counted = pack(hits, budget, FENCE, tokenizer)
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


def test_a_memory_of_turns_that_are_told_waits_until_nothing_else_is_left():
    first = [hit(n, f"fact {n}", told_by=("turn0",)) for n in range(OWN_WORDS + 1)]
    new = hit(99, "something new", told_by=("turn1",))
    assert [one.id for one in hits_of(chosen([*first, new], 5000, FENCE, len))[-2:]] == [new.id, first[-1].id]


def dated(n: int, text: str, said: str, **more: object) -> Hit:
    said_at = datetime.fromisoformat(said).replace(tzinfo=UTC)
    source = Source(turn_id=f"turn{n}", quote="", role="user", speaker="Ann", said_at=said_at)
    return hit(n, text).model_copy(update={"sources": (source,), "valid_from": said_at, **more})


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_days_are_headings_in_the_order_of_time():
    hits = [
        dated(1, "third", "2024-05-03T09:00"),
        dated(2, "second", "2024-05-01T12:00"),
        dated(3, "first", "2024-05-01"),
    ]
    text = pack(hits, 500, FENCE)[0].splitlines()
    assert text[2:-1] == ["2024-05-01 Wed", "- first", "- second", "2024-05-03 Fri", "- third"]
    assert pack(hits[::-1], 500, FENCE)[0].splitlines() == text  # whatever the order in which they came


@pytest.mark.parametrize(
    ("text", "more", "notes"),
    [
        ("Ann ran.", {}, ""),
        ("Ann ran.", {"event_from": day("2024-04-30"), "event_to": day("2024-04-30T23:59:59")}, "[2024-04-30] "),
        ("Ann ran.", {"event_from": day("2024-05-02"), "event_to": day("2024-05-02T23:59:59")}, ""),  # the day itself
        ("Ann ran on 30 April 2024.", {"event_from": day("2024-04-30"), "event_to": day("2024-04-30T12:00")}, ""),
        ("Ann ran.", {"event_from": day("2024-04-22"), "event_to": day("2024-04-28")}, "[2024-04-22 to 2024-04-28] "),
        ("Ann is in Rome.", {"valid_from": day("2021-01-01")}, "[since 2021-01-01] "),
        ("Ann is in Rome.", {"valid_to": day("2024-06-01")}, "[until 2024-06-01] "),
        ("Ann ran.", {"source": "tool"}, "[from a tool] "),
        ("Ann ran.", {"event_from": day("2024-01-01"), "source": "claim"}, "[2024-01-01, the user claims] "),
    ],
)
def test_a_line_has_the_dates_that_heading_and_text_have_not(text, more, notes):
    assert line(dated(1, text, "2024-05-02", **more), FENCE) == f"- {notes}{text}"


@pytest.mark.parametrize(
    ("text", "first", "last", "told"),
    [
        ("on 7 May 2023", "2023-05-07", "2023-05-07", True),
        ("May 7th, 2023", "2023-05-07", "2023-05-07", True),
        ("am 2023-05-07", "2023-05-07", "2023-05-07", True),
        ("on 7 May", "2023-05-07", "2023-05-07", False),
        ("on 8 May 2023", "2023-05-07", "2023-05-07", False),
        ("in May 2023", "2023-05-01", "2023-05-31", True),
        ("in 2023", "2023-01-01", "2023-12-31", True),
        ("in 2023", "2023-05-01", "2023-05-31", False),
        ("in winter", "2022-12-01", "2023-02-28", False),
    ],
)
def test_whether_a_text_has_its_date(text, first, last, told):
    assert states(text, first, last) is told


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


def test_what_is_relevant_brings_the_rest_of_the_budget_and_nothing_brings_nothing(memory):
    assert memory.context("zebras", user_id="u").hits == ()
    found = memory.context("home Rome", user_id="u")
    assert {one.text for one in found.hits} >= {"home is Rome", "likes is tea"}
    assert {one.text for one in memory.search("home Rome", user_id="u")} == {"home is Rome"}


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


@settings(deadline=None)
@given(st.text(max_size=300) | st.text("aÉ1_ .\u00e9\u0301½٣漢🎉<\n\t-", max_size=60))
def test_the_fewest_tokens_are_never_more_than_the_estimate(text):
    assert fewest_tokens(text) <= estimate_tokens(text)
    assert fewest_tokens(" ".join(text.split())) == fewest_tokens(text)


def test_what_cannot_fit_is_left_out_as_if_it_had_been_counted():
    hits = [hit(n, "word " * (n % 23)) for n in range(60)]
    counted = pack(hits, 150, FENCE, estimate_tokens)
    assert pack(hits, 150, FENCE) == counted and 100 < counted[2] <= 150


def test_lines_of_a_context_are_known_again_and_a_list_of_the_users_own_is_not_taken_for_one(memory):
    text = str(memory.context("home likes", user_id="u", min_score=0))
    body = "\n".join(text.splitlines()[2:-1])
    assert {"home is rome", "likes is tea"} <= set(lines_like_ours(body).values())
    assert lines_like_ours("Buy:\n- home is Rome\n- likes is tea") == {}
    assert list(lines_like_ours("- [since 2024-05-01, from a tool] home is Rome").values()) == ["home is rome"]
