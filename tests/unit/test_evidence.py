"""What a proposed fact must show: quotes that stand in their turns, dates that fit the words, and no fact twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from recollect.model import (
    EventTime,
    Evidence,
    Extraction,
    Fact,
    Kind,
    Precision,
    Role,
    Scope,
    Slot,
    Turn,
)
from recollect.ports import Chunk
from recollect.writing.evidence import holds, once, placed, rightly_dated, verify


def turn(identifier, content, at="2023-05-08T12:00:00"):
    said_at = datetime.fromisoformat(at)
    said_at = said_at if said_at.tzinfo else said_at.replace(tzinfo=UTC)
    return Turn(identifier, int(identifier[1:]), Scope("u"), "b", Role.USER, content, "Ann", said_at, True)


def fact(text="Ann moved.", quotes=(("t2", "moved"),), **more):
    return Fact(text, Kind.EVENT, tuple(Evidence(*quote) for quote in quotes), **more)


def days(first, last=None, precision=Precision.DAY):
    """An event from one calendar day to another."""
    start, end = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (first, last or first))
    return EventTime(start, end + timedelta(days=1) - timedelta(microseconds=1), precision)


# --- quotes ------------------------------------------------------------------------------------------------------------

SAID = "Well… I moved to “Rome” — the *Eternal* City — in 2019, didn’t I?  And I’m\nglad I did: it’s great!"


@pytest.mark.parametrize(
    "quote",
    [
        SAID,
        "I moved to Rome",
        'i moved to "rome" - the *eternal* city',
        "I moved to 'Rome'",
        "the Eternal City",
        "didn't I? And I'm glad",
        "I'm glad I did",
        "I moved to Rome … glad I did",
        "I moved to Rome ... in 2019 ... it's great",
        "I moved [...] in 2019",
        "...I moved to Rome, the Eternal City...",
        "  Rome  ",
        "ｉ moved to rome",
    ],
)
def test_a_quote_holds_whatever_the_typography(quote):
    assert holds(Evidence("t1", quote), turn("t1", SAID))


@pytest.mark.parametrize(
    "quote",
    [
        "",
        "…",
        " ?! ",
        "I moved to Paris",
        "I have moved to Rome",
        "I moved to Rome in 2018",
        "glad I did … I moved to Rome",
        "Rome moved",
        "x" * 5000,
    ],
)
def test_a_quote_that_does_not_stand_there(quote):
    assert not holds(Evidence("t1", quote), turn("t1", SAID))


def test_a_quote_of_another_message_is_put_where_it_stands():
    chunk = Chunk((turn("t2", "I moved to Rome last year."), turn("t3", "It is hot there.")), (turn("t1", "Hello!"),))
    assert placed(Evidence("t3", "moved to Rome last year"), chunk) == Evidence("t2", "moved to Rome last year")
    assert placed(Evidence("t9", "It is hot there"), chunk) == Evidence("t3", "It is hot there")
    assert placed(Evidence("t3", "to Rome"), chunk) is None  # too short to tell


def test_a_quote_that_stands_in_two_other_messages_is_in_neither():
    chunk = Chunk((turn("t1", "I moved to Rome."), turn("t2", "Yes, I moved to Rome!"), turn("t3", "When?")))
    assert placed(Evidence("t3", "I moved to Rome"), chunk) is None
    assert placed(Evidence("t2", "I moved to Rome"), chunk) == Evidence("t2", "I moved to Rome")


# --- dates -------------------------------------------------------------------------------------------------------------

WRONG_ANCHOR = [
    # said on Monday, 8 May 2023: the words, the text and the event that a model gave, and what they should be
    (
        "I adopted a dog yesterday",
        ("Ann adopted a dog on 23 November 2026.", days("2026-11-23")),
        ("Ann adopted a dog on 7 May 2023.", days("2023-05-07")),
    ),
    (
        "I adopted a dog yesterday",
        ("Ann adopted a dog on 9 May 2023.", days("2023-05-09")),
        ("Ann adopted a dog on 7 May 2023.", days("2023-05-07")),
    ),
    (
        "I fly to Oslo tomorrow",
        ("Ann flies to Oslo on 25 November 2026.", days("2026-11-25")),
        ("Ann flies to Oslo on 9 May 2023.", days("2023-05-09")),
    ),
    (
        "we met three days ago",
        ("Ann and Bob met on 21 November 2026.", days("2026-11-21")),
        ("Ann and Bob met on 5 May 2023.", days("2023-05-05")),
    ),
]


@pytest.mark.parametrize(("words", "given", "right"), WRONG_ANCHOR)
def test_a_date_worked_out_against_another_day_is_put_right(words, given, right):
    chunk = Chunk((turn("t2", f"Guess what: {words}!"),))
    mended = rightly_dated(fact(given[0], [("t2", words)], event=given[1]), chunk)
    assert (mended.text, mended.event) == right


def test_a_text_without_the_wrong_date_is_left_alone():
    chunk = Chunk((turn("t2", "I adopted a dog yesterday."),))
    mended = rightly_dated(fact("Ann adopted a dog.", [("t2", "a dog yesterday")], event=days("2026-11-23")), chunk)
    assert (mended.text, mended.event) == ("Ann adopted a dog.", days("2023-05-07"))


@pytest.mark.parametrize(
    ("words", "event"),
    [
        ("I adopted a dog yesterday", days("2023-05-07")),  # right
        ("I adopted a dog last Friday", days("2023-05-05")),  # two readings of "last Friday"
        ("I adopted a dog last Friday", days("2023-04-28")),
        ("I adopted a dog last week", days("2023-05-01", "2023-05-07", Precision.WEEK)),
        ("I adopted a dog last week", days("2023-05-02")),
        ("Last year or yesterday, I adopted a dog", days("2026-11-23")),  # two expressions: which one is meant?
        ("I adopted a dog", days("2026-11-23")),  # none
        ("I have had a dog since yesterday", days("2026-11-23")),  # it begins something
    ],
)
def test_what_may_be_meant_is_left_alone(words, event):
    chunk = Chunk((turn("t2", f"{words}."),))
    given = fact("Ann adopted a dog.", [("t2", words)], event=event)
    assert rightly_dated(given, chunk) == given


def test_a_date_that_another_message_explains_is_left_alone():
    chunk = Chunk((turn("t2", "We booked it yesterday."), turn("t3", "We go to Oslo on 3 June 2023.")))
    given = fact("Ann goes to Oslo on 3 June 2023.", [("t2", "booked it yesterday")], event=days("2023-06-03"))
    assert rightly_dated(given, chunk) == given


def test_yesterday_is_counted_on_the_speakers_own_calendar():
    chunk = Chunk((turn("t2", "I moved yesterday.", "2023-05-08T00:30:00+09:00"),))
    given = fact("Ann moved on 20 June 2024.", [("t2", "I moved yesterday")], event=days("2024-06-20"))
    assert chunk.turns[0].said_at.tzinfo == timezone(timedelta(hours=9))
    assert rightly_dated(given, chunk).event == days("2023-05-07")


# --- the same fact twice -----------------------------------------------------------------------------------------------

HOME, PET = Slot("Ann", "home"), Slot("Ann", "pet", many=True)


def lives(place, quote="x", text=None, **more):
    return fact(text or f"Ann lives in {place}.", [("t2", quote)], slot=HOME, value=place, **more)


def test_the_same_text_is_one_fact_with_all_its_evidence():
    (one,) = once([lives("Rome", "a"), lives("Rome", "b", "ann lives in  Rome"), lives("Rome", "a")])
    assert one.text == "Ann lives in Rome."
    assert one.evidence == (Evidence("t2", "a"), Evidence("t2", "b"))


def test_the_longer_of_two_texts_that_say_the_same_stays():
    (one,) = once([lives("Rome"), lives("Rome", "y", "Ann lives in Rome with her cat.")])
    assert one.text == "Ann lives in Rome with her cat." and len(one.evidence) == 2


@pytest.mark.parametrize(
    "others",
    [
        [lives("Rome"), lives("Oslo")],
        [lives("Rome"), lives("Oslo"), lives("Rome")],  # there and back again
        [lives("Rome", text="Ann lives in Rome with Bob."), lives("Rome", text="Ann lives in Rome with Eva.")],
        [lives("Rome"), lives("Rome", event=days("2023-05-07"))],
        [lives("Rome"), lives("Rome", retracts=True)],
        [lives("Rome", event=days("2023-05-07")), lives("Rome", event=days("2024-05-07"))],
        [lives("Rome"), fact("Ann lives in Rome with Bob.", slot=PET, value="Rome")],
        [fact("Ann likes tea."), fact("Ann likes green tea.")],
    ],
)
def test_what_is_not_the_same_is_kept_apart(others):
    assert once(others) == others


def test_a_word_of_another_slot_in_between_does_not_keep_the_same_apart():
    pet = fact("Ann has a dog.", slot=PET, value="dog")
    assert once([lives("Rome"), pet, lives("Rome")]) == [lives("Rome"), pet]


# --- all of it ---------------------------------------------------------------------------------------------------------


def test_what_fails_is_reported_and_nothing_else_is_lost():
    chunk = Chunk((turn("t2", "I moved to Rome, and my cat is called Pixel."),), (turn("t1", "Where do you live?"),))
    good = fact("Ann moved to Rome.", [("t2", "moved to Rome"), ("t2", "and never looked back")])
    context = fact("Ann was asked where she lives.", [("t1", "Where do you live")])
    made_up = fact("Ann has a yacht.", [("t2", "my yacht")])
    verified = verify(Extraction((context, good, made_up)), chunk)
    assert [one.text for one in verified.facts] == ["Ann moved to Rome."]
    assert verified.facts[0].evidence == (Evidence("t2", "moved to Rome"),)
    assert {one.text: one.reason for one in verified.rejected} == {
        context.text: "it quotes context only",
        made_up.text: "no quote of it stands in its turn",
    }
