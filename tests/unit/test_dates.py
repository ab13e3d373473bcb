"""English date expressions, relative and absolute, against the moment they were said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect import dates
from recollect.dates import day, find_dates, resolve, shortly_before
from recollect.model import Precision

MONDAY, FRIDAY, SUNDAY = (datetime(2023, 5, day, 13, tzinfo=UTC) for day in (8, 12, 14))
LEAP = datetime(2024, 3, 1, 9, tzinfo=UTC)
NEW_YEAR = datetime(2024, 1, 1, 0, 30, tzinfo=UTC)
D, W, M, S, Y, R = (
    Precision.DAY, Precision.WEEK, Precision.MONTH, Precision.SEASON, Precision.YEAR, Precision.RANGE,
)  # fmt: skip

CASES = [
    # said, when, first day, last day, precision
    ("I ran yesterday", MONDAY, "2023-05-07", "2023-05-07", D),
    ("I ran yesterday", NEW_YEAR, "2023-12-31", "2023-12-31", D),
    ("I ran yesterday", LEAP, "2024-02-29", "2024-02-29", D),
    ("I ran last night", MONDAY, "2023-05-07", "2023-05-07", D),
    ("I ran the day before yesterday", LEAP, "2024-02-28", "2024-02-28", D),
    ("I will run tomorrow", datetime(2024, 2, 28, tzinfo=UTC), "2024-02-29", "2024-02-29", D),
    ("I will run the day after tomorrow", FRIDAY, "2023-05-14", "2023-05-14", D),
    ("I ran last Friday", FRIDAY, "2023-05-05", "2023-05-05", D),  # said on a Friday: a week ago
    ("I ran last Friday", MONDAY, "2023-05-05", "2023-05-05", D),
    ("I ran last Fri", MONDAY, "2023-05-05", "2023-05-05", D),
    ("I will run next Friday", FRIDAY, "2023-05-19", "2023-05-19", D),
    ("I ran on Friday", FRIDAY, "2023-05-12", "2023-05-12", D),
    ("I ran on Monday", FRIDAY, "2023-05-08", "2023-05-08", D),
    ("I'm going to run on Monday", FRIDAY, "2023-05-15", "2023-05-15", D),
    ("I ran two Fridays ago", MONDAY, "2023-04-28", "2023-04-28", D),
    ("I ran three days ago", LEAP, "2024-02-27", "2024-02-27", D),
    ("I ran last week", MONDAY, "2023-05-01", "2023-05-07", W),
    ("I ran last week", SUNDAY, "2023-05-01", "2023-05-07", W),
    ("I ran two weeks ago", MONDAY, "2023-04-24", "2023-04-30", W),
    ("I will run next week", SUNDAY, "2023-05-15", "2023-05-21", W),
    ("I ran last weekend", MONDAY, "2023-05-06", "2023-05-07", R),
    ("I will run this weekend", FRIDAY, "2023-05-13", "2023-05-14", R),
    ("I ran last month", NEW_YEAR, "2023-12-01", "2023-12-31", M),
    ("I ran last month", LEAP, "2024-02-01", "2024-02-29", M),
    ("I will run next month", datetime(2023, 12, 31, tzinfo=UTC), "2024-01-01", "2024-01-31", M),
    ("I ran in March", MONDAY, "2023-03-01", "2023-03-31", M),
    ("I ran in June", MONDAY, "2022-06-01", "2022-06-30", M),
    ("I'm going to run in June", MONDAY, "2023-06-01", "2023-06-30", M),
    ("I'm going to run in March", MONDAY, "2024-03-01", "2024-03-31", M),
    ("Remind me to run on Monday", FRIDAY, "2023-05-15", "2023-05-15", D),
    ("I need to run on 3 June", MONDAY, "2023-06-03", "2023-06-03", D),
    ("I have the biology exam on 3 June", MONDAY, "2023-06-03", "2023-06-03", D),
    ("I had the biology exam on 3 June", MONDAY, "2022-06-03", "2022-06-03", D),
    ("I ran last summer", MONDAY, "2022-06-01", "2022-08-31", S),
    ("I will run next winter", MONDAY, "2023-12-01", "2024-02-29", S),
    ("I ran this winter", datetime(2024, 1, 20, tzinfo=UTC), "2023-12-01", "2024-02-29", S),
    ("I ran last year", NEW_YEAR, "2023-01-01", "2023-12-31", Y),
    ("I ran five years ago", MONDAY, "2018-01-01", "2018-12-31", Y),
    ("I ran in 2019", MONDAY, "2019-01-01", "2019-12-31", Y),
    ("I ran on 29 February 2024", MONDAY, "2024-02-29", "2024-02-29", D),
    ("I ran on July 4th, 2021", MONDAY, "2021-07-04", "2021-07-04", D),
    ("I ran on 3 June", MONDAY, "2022-06-03", "2022-06-03", D),
    ("I'm going to run on 3 June", MONDAY, "2023-06-03", "2023-06-03", D),
    ("I ran on 2023-01-31", MONDAY, "2023-01-31", "2023-01-31", D),
    ("I ran on 25/12/2022", MONDAY, "2022-12-25", "2022-12-25", D),
    ("I ran on Christmas", MONDAY, "2022-12-25", "2022-12-25", D),
    ("I will run on Christmas", MONDAY, "2023-12-25", "2023-12-25", D),
    ("I ran a few days ago", MONDAY, "2023-05-02", "2023-05-06", R),
    ("I ran recently", MONDAY, "2023-04-24", "2023-05-08", R),
]


@pytest.mark.parametrize(
    ("said", "anchor", "first", "last", "precision"), CASES, ids=[f"{c[0]} ({c[1]:%d %b})" for c in CASES]
)
def test_what_words_speak_of_which_days(said, anchor, first, last, precision):
    (mention,) = find_dates(said, anchor)
    event = mention.event
    assert (f"{event.start:%Y-%m-%d}", f"{event.end:%Y-%m-%d}", event.precision) == (first, last, precision)


@pytest.mark.parametrize(
    "said",
    [
        "I ran on 3/4/2023",  # April or March?
        "I ran once, some day",
        "You may march on",
        "It took 200 people",
        "I ran on 31 February 2023",
        "the second time",
    ],
)
def test_what_is_ambiguous_or_vague_is_left_alone(said):
    assert find_dates(said, MONDAY) == []
    assert resolve(said, MONDAY) == (said, ())


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("I ran yesterday.", "I ran on 7 May 2023."),
        ("Yesterday I ran.", "On 7 May 2023 I ran."),
        ("I ran last week.", "I ran in the week of 1 May 2023."),
        ("I have lived here since 2019.", "I have lived here since 2019."),
        ("I have lived here for three years.", "I have lived here since 2020."),
        ("Last week's class was long.", "The week of 1 May 2023's class was long."),
        ("I met Bob two weekends ago.", "I met Bob on the weekend of 29 April 2023."),
        ("I recently met Bob.", "I shortly before 8 May 2023 met Bob."),
        ("I went in early 2020.", "I went in early 2020."),
    ],
)
def test_dates_are_written_out(said, written):
    text, mentions = resolve(said, MONDAY)
    assert mentions and text == written


def test_a_stated_start_is_since_and_no_event_of_its_own():
    (mention,) = find_dates("I have lived in Rome for three years", MONDAY)
    assert mention.since and mention.event.start == datetime(2020, 1, 1, tzinfo=UTC)


def test_days_begin_at_midnight_of_the_speakers_zone():
    event = day(MONDAY)
    assert event.start == datetime(2023, 5, 8, tzinfo=UTC) and event.end - event.start == timedelta(
        days=1, microseconds=-1
    )


def test_just_now_is_within_two_weeks_before():
    told = shortly_before(MONDAY)
    assert told.words == "shortly before 8 May 2023" and told.event.precision is Precision.RANGE
    assert told.event.start <= MONDAY <= told.event.end


PIECES = "I ran last next this week Friday May 2023 31 three ago in on since for years yesterday fall 12/13/2020 , ."
WORDS = st.lists(st.sampled_from(PIECES.split(" "))).map(" ".join)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=120) | WORDS, st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)))
def test_any_text_at_any_time_gives_ordered_mentions_inside_it(text, moment):
    anchor = moment.replace(tzinfo=UTC)
    mentions = find_dates(text, anchor)
    assert mentions == find_dates(text, anchor)
    ends = 0
    for mention in mentions:
        assert ends <= mention.start < mention.end <= len(text)
        assert text[mention.start : mention.end] == mention.text and mention.event.start <= mention.event.end
        ends = mention.end


ALL_KINDS = (
    "on in last next this the two three 5 12 of early mid weeks day days months year ago back now MAY May june Sept. Mon Fridays"
    " Tues, Thurs Sunday's winter fall 2023 New Year's Eve Christmas Valentine’s Day weekend's yrs from until since morning"
    " yesterday tonight recently other long while 2024-05-06 5/6/2024"
)


@settings(deadline=None, max_examples=400)
@given(st.lists(st.sampled_from(ALL_KINDS.split(" ")), max_size=9).map(" ".join))
def test_rows_are_left_out_only_where_they_would_find_nothing(text):
    found = find_dates(text, MONDAY)
    with pytest.MonkeyPatch.context() as patched:
        whole = tuple(row._replace(needs=frozenset()) for row in dates._table())
        patched.setattr(dates, "_table", lambda: whole)
        patched.setattr(dates, "_kinds", lambda _: {"all"})
        assert find_dates(text, MONDAY) == found


def test_every_row_needs_something():
    assert all(row.needs for row in dates._table())
