"""Answer metrics: values worked out by hand, and what must hold of any two texts."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from questions import question

from recollect_evals.metrics import ANSWERS, Asked
from recollect_evals.metrics.abstention import judged_unknown, says_unknown
from recollect_evals.metrics.bleu import bleu1
from recollect_evals.metrics.cost import Spread, cost, percentile, spread
from recollect_evals.metrics.exact import exact_match
from recollect_evals.metrics.f1 import locomo_f1, squad_f1
from recollect_evals.metrics.judge import accuracy, nuggets, versions
from recollect_evals.metrics.normalise import locomo_tokens, squad_tokens
from recollect_evals.model import Spent
from recollect_evals.stems import stem


def test_what_the_normalisations_leave():
    text = "The cat, and an Owl's self-care!"
    assert squad_tokens(text) == ["cat", "and", "owls", "selfcare"]
    assert locomo_tokens(text) == ["cat", "owl", "selfcar"]
    assert locomo_tokens("She is running as one of us") == [
        "she",
        "is",
        "run",
        "as",
        "on",
        "of",
        "us",
    ]  # Porter: one → on


def test_f1_by_hand():
    # 3 words given, 2 in the key. SQuAD: 1 shared, P 1/3, R 1/2; stemmed: 2 shared, P 2/3, R 1.
    asked = question(answer="an adoption agency")
    assert squad_f1(asked, "Researched adoption agencies.") == pytest.approx(0.4)
    assert locomo_f1(asked, "Researched adoption agencies.") == pytest.approx(0.8)


def test_f1_counts_repeated_words_as_often_as_both_have_them():
    assert squad_f1(question(answer="run run"), "run run run") == pytest.approx(2 * 2 / 5)


def test_locomo_takes_lists_apart_for_multi_hop():
    # pottery: 1 with "pottery"; camping trips: F1 of "camping" 2/3; swimming: 0 → (1 + 2/3 + 0) / 3
    asked = question(answer="pottery, camping trips, swimming", category="multi-hop")
    assert locomo_f1(asked, "camping, pottery") == pytest.approx(5 / 9)
    assert locomo_f1(question(answer="pottery, camping trips, swimming"), "camping, pottery") == pytest.approx(
        2 * 2 / 6
    )


def test_locomo_takes_the_first_alternative_for_open_domain():
    key = "Likely no; she wants to be a counselor"
    assert locomo_f1(question(answer=key, category="open-domain"), "likely no") == 1
    assert locomo_f1(question(answer=key), "likely no") < 1


def test_bleu_by_hand():
    # "the the cat" against "the cat sat": clipped 2 of 3, no penalty
    assert bleu1(question(answer="the cat sat"), "the the cat") == pytest.approx(2 / 3)
    # one right word of four: precision 1, penalty exp(1 - 4/1)
    assert bleu1(question(answer="on the 7th May"), "may") == pytest.approx(math.exp(-3))
    assert bleu1(question(answer="Rome"), "Paris") == 0
    assert bleu1(question(answer="Rome"), "") == 0


def test_exact_match_is_by_words_in_their_order():
    assert exact_match(question(answer="The 7 May, 2023"), "7 may 2023.") == 1
    assert exact_match(question(answer="7 May 2023"), "May 7 2023") == 0


def test_a_question_that_has_no_answer_takes_no_part_in_the_overlaps():
    assert {metric(question(answer=None), "x") for metric in (squad_f1, locomo_f1, bleu1, exact_match)} == {None}


@pytest.mark.parametrize(
    ("answer", "verdict", "expected"),
    [
        ("Rome", "right", 1),
        ("Rome", "wrong", 0),
        ("Rome", "abstained", 0),
        (None, "abstained", 1),
        (None, "right", 1),
        (None, "wrong", 0),
    ],
)
def test_accuracy(answer, verdict, expected):
    assert accuracy(question(answer=answer), {"verdict": verdict}) == expected


def test_nuggets_are_a_share():
    assert nuggets({"nuggets": [True, False, True, True]}) == 0.75
    assert nuggets({"nuggets": []}) is None and nuggets({}) is None


def test_the_judge_has_a_version():
    one, other = {"model": "gpt", "prompt": "judge@1#ab"}, {"model": "gpt", "prompt": "judge@2#cd"}
    assert versions([one, other, one]) == {"gpt judge@1#ab": 2, "gpt judge@2#cd": 1}


ABSTAIN = """Not mentioned in the conversation.
No information available
I don't know.
I do not know
Unknown
The conversation does not mention it.
It is not specified when she moved.
There is no mention of a dog.
The memories don't contain any information about Melanie's necklace.
I couldn't find any information about that.
This wasn't said.
It was never said.
That can't be determined from the context.
Cannot be determined
n/a
There is not enough information to answer.
I’m not sure.
Don't know
I have no record of that.
No date was given.
It isn't stated.
The context does not provide details on that, but Caroline has a dog named Oscar.
The year is unknown.
I can't answer that.
We cannot tell.
The provided context doesn't say what Melanie's necklace symbolizes.
No such event is mentioned.""".splitlines()
ANSWER = """7 May 2023
She does not know how to swim.
Tom didn't know.
Not stated, but probably Rome
No
No, she doesn't like it.
Nothing Else Matters
None of her friends came; she was sad.
It was not hot.
She's not sure about moving.
She cannot swim
Unknown Pleasures by Joy Division
She told no one.
He has no memory problems.""".splitlines()


@pytest.mark.parametrize("given", ["", *ABSTAIN])
def test_phrases_that_abstain(given):
    assert says_unknown(given)


@pytest.mark.parametrize("given", ANSWER)
def test_phrases_that_answer(given):
    assert not says_unknown(given)


def test_the_judge_tells_abstentions_apart():
    never, said = question(answer=None), question()
    assert judged_unknown(never, {"verdict": "right"}) and judged_unknown(said, {"verdict": "abstained"})
    assert not judged_unknown(said, {"verdict": "right"}) and not judged_unknown(never, {"verdict": "wrong"})


@pytest.mark.parametrize(
    ("answer", "given", "verdict", "expected"),
    [  # recall, precision, wrong
        (None, "Unknown", "right", (1, 1, None)),
        (None, "Rome", "wrong", (0, None, None)),
        ("Rome", "Unknown", "abstained", (None, 0, 1)),
        ("Rome", "Rome", "right", (None, None, 0)),
    ],
)
def test_abstention_by_judge_and_by_phrases(answer, given, verdict, expected):
    asked = Asked(question(answer=answer), answer=given, judgement={"verdict": verdict})
    for kind in ("abstention", "phrase_abstention"):
        assert tuple(ANSWERS[f"{kind}_{name}"](asked) for name in ("recall", "precision", "wrong")) == expected


texts = st.text(st.sampled_from("ab the,.; and!7"), max_size=30)
overlaps = st.sampled_from([squad_f1, locomo_f1, bleu1, exact_match])


@given(overlaps, texts, texts, st.sampled_from(["multi-hop", "open-domain", "temporal"]))
def test_overlaps_are_shares(metric, text, key, category):
    assert 0 <= metric(question(answer=key, category=category), text) <= 1 + 1e-12


@given(texts, texts)
def test_f1_is_symmetric_and_full_only_where_the_words_are_the_same(text, key):
    one, other = squad_f1(question(answer=key), text), squad_f1(question(answer=text), key)
    assert one == other
    same = sorted(squad_tokens(text)) == sorted(squad_tokens(key)) != []
    assert (one == 1) == same
    assert (
        not exact_match(question(answer=key), text)
        or squad_f1(question(answer=key), text) == 1
        or not squad_tokens(key)
    )


@given(texts, st.randoms(use_true_random=False))
def test_the_order_of_words_does_not_matter_to_f1_and_bleu(text, chance):
    words = text.split()
    chance.shuffle(words)
    for metric in (squad_f1, bleu1):
        assert metric(question(answer="a b 7"), " ".join(words)) == pytest.approx(
            metric(question(answer="a b 7"), text)
        )


def test_percentiles_lie_between_the_nearest_ranks():
    assert percentile([4, 1, 3, 2], 0.5) == 2.5
    assert percentile(range(1, 21), 0.95) == pytest.approx(19.05)  # numpy.percentile(range(1, 21), 95)
    assert percentile([7], 0.95) == 7


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_percentiles_are_within_the_values_and_in_their_order(values, one, other):
    low, high = percentile(values, min(one, other)), percentile(values, max(one, other))
    assert min(values) <= low <= high + 1e-6 and high <= max(values)


def test_cost_adds_up_and_failures_are_paid_for_but_not_timed():
    spent = {"calls": 2, "input_tokens": 100, "output_tokens": 10, "usd": 0.5, "seconds": 3.0}
    failed = {"question": "q9", "error": {"type": "ModelUnavailable", "message": "…"}}
    search = [
        {"question": f"q{n}", "context": {"tokens": 100 * n}, "search_seconds": n, "context_seconds": 2 * n}
        for n in (1, 2, 3)
    ]
    all_of_it = cost(
        [{"spent": spent}, {"spent": spent}],
        [*search, failed],
        [{"spent": spent}, failed | {"spent": spent | {"seconds": 99.0}}],
        [],
    )
    assert all_of_it.ingest == Spent(4, 200, 20, 1.0, 6.0) and all_of_it.answer == Spent(4, 200, 20, 1.0, 102.0)
    assert all_of_it.judge == Spent() and all_of_it.answer_seconds == Spread(1, 3, 3, 3)
    assert all_of_it.search_seconds == Spread(3, 2, 2, pytest.approx(2.9))
    assert all_of_it.context_tokens == Spread(3, 200, 200, pytest.approx(290))
    assert spread([]) == Spread(0, None, None, None)


def test_words_are_stemmed_right_in_many_threads():
    words = [
        f"{word}{ending}" for word in ("talk", "open", "visit", "plant", "hik") for ending in ("ing", "ed", "s")
    ] * 40
    alone = [stem.__wrapped__(word, "porter") for word in words]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda word: stem.__wrapped__(word, "porter"), words)) == alone
