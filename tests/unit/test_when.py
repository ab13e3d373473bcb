"""What a query says of time: windows, events to count from, orders; and what it does not say."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.dates import MONTHS, WEEKDAYS
from recollect.retrieval.when import DAY, NOTHING, PARTLY, Offset, closeness, read
from recollect.times import from_micros, to_micros
from recollect.view.intervals import BEGINNING, OPEN, Window

WEDNESDAY = datetime(2023, 5, 10, 13, tzinfo=UTC)
NEW_YEAR = datetime(2024, 1, 1, 0, 30, tzinfo=UTC)
LEAP = datetime(2024, 3, 1, 9, tzinfo=UTC)
AUTUMN = datetime(2023, 10, 22, 9, 55, tzinfo=UTC)


def days(window):
    """A window as its first and last day, "" where it is open."""
    return [
        f"{from_micros(one):%Y-%m-%d}" if one not in (BEGINNING, OPEN) else "" for one in (window.since, window.until)
    ]


WINDOWS = [
    # asked, when, first day, last day
    ("What did I do in May?", WEDNESDAY, "2023-05-01", "2023-05-31"),
    ("What did I do in May?", LEAP, "2023-05-01", "2023-05-31"),
    ("What did I do in June?", WEDNESDAY, "2022-06-01", "2022-06-30"),
    ("what did i do in may", WEDNESDAY, "2023-05-01", "2023-05-31"),
    ("what happened in december 2022", WEDNESDAY, "2022-12-01", "2022-12-31"),
    ("What will I do in June?", WEDNESDAY, "2023-06-01", "2023-06-30"),
    ("What are my plans for the trip in March?", WEDNESDAY, "2024-03-01", "2024-03-31"),
    ("What did we plan in March?", WEDNESDAY, "2023-03-01", "2023-03-31"),
    ("Which spot did Joanna visit in May 2022?", WEDNESDAY, "2022-05-01", "2022-05-31"),
    ("What did Maria do on 7 May?", WEDNESDAY, "2023-05-07", "2023-05-07"),
    ("What did Maria do on 11 May?", WEDNESDAY, "2022-05-11", "2022-05-11"),
    ("Who did Maria have dinner with on May 3, 2023?", AUTUMN, "2023-05-03", "2023-05-03"),
    ("What did they give him on Aug 15th?", AUTUMN, "2023-08-15", "2023-08-15"),
    ("on the 7th of may", WEDNESDAY, "2023-05-07", "2023-05-07"),
    ("the entry of 2023-01-31", WEDNESDAY, "2023-01-31", "2023-01-31"),
    ("What did I say yesterday?", NEW_YEAR, "2023-12-31", "2023-12-31"),
    ("What did I eat last night?", LEAP, "2024-02-29", "2024-02-29"),
    ("What did I do last week?", WEDNESDAY, "2023-05-01", "2023-05-07"),
    ("What did I do last week?", NEW_YEAR, "2023-12-25", "2023-12-31"),
    ("What did I do two weeks ago?", WEDNESDAY, "2023-04-24", "2023-04-30"),
    ("three days ago", LEAP, "2024-02-27", "2024-02-27"),
    ("What did I do last weekend?", WEDNESDAY, "2023-05-06", "2023-05-07"),
    ("What did I do last month?", NEW_YEAR, "2023-12-01", "2023-12-31"),
    ("What shall I do next month?", NEW_YEAR, "2024-02-01", "2024-02-29"),
    ("Where was I last spring?", WEDNESDAY, "2022-03-01", "2022-05-31"),
    ("Where was I last spring?", AUTUMN, "2023-03-01", "2023-05-31"),
    ("What did I do last summer?", WEDNESDAY, "2022-06-01", "2022-08-31"),
    ("When did she go to a parade during the summer?", AUTUMN, "2023-06-01", "2023-08-31"),
    ("When did she go to a parade during the summer?", WEDNESDAY, "2022-06-01", "2022-08-31"),
    ("What will I do in the winter?", AUTUMN, "2023-12-01", "2024-02-29"),
    ("What did I do in summer 2021?", WEDNESDAY, "2021-06-01", "2021-08-31"),
    ("What did I do last year?", NEW_YEAR, "2023-01-01", "2023-12-31"),
    ("How often was I at the beach in 2023?", NEW_YEAR, "2023-01-01", "2023-12-31"),
    ("What did I do on Monday?", WEDNESDAY, "2023-05-08", "2023-05-08"),
    ("What did I do last Friday?", WEDNESDAY, "2023-05-05", "2023-05-05"),
    ("What did I get for Christmas?", WEDNESDAY, "2022-12-25", "2022-12-25"),
    ("What did I do over the last two years?", WEDNESDAY, "2021-05-10", "2023-05-10"),
    ("Where was John between August 11 and August 15 2023?", NEW_YEAR, "2023-08-11", "2023-08-15"),
    ("between 11 and 15 August 2023", NEW_YEAR, "2023-08-11", "2023-08-15"),
    ("between the 3rd and 5 May", WEDNESDAY, "2023-05-03", "2023-05-05"),
    ("What did I do from May to July?", WEDNESDAY, "2022-05-01", "2022-07-31"),
    ("What did I do from November to February?", WEDNESDAY, "2022-11-01", "2023-02-28"),
    ("from November 2022 to February", AUTUMN, "2022-11-01", "2023-02-28"),
    ("What did Emil do from 1966 to 1969?", WEDNESDAY, "1966-01-01", "1969-12-31"),
    ("Which tournament did Nate win in the beginning of November 2022?", WEDNESDAY, "2022-11-01", "2022-11-13"),
    ("When was John in Seattle, early August 2023?", NEW_YEAR, "2023-08-01", "2023-08-13"),
    ("Who minds the dog at the end of August 2022?", WEDNESDAY, "2022-08-22", "2022-08-31"),
    ("Which country was Tim visiting in the second week of November?", NEW_YEAR, "2023-11-08", "2023-11-15"),
    ("the last week of August 2022", WEDNESDAY, "2022-08-24", "2022-08-31"),
    ("Was the first half of September 2022 good?", WEDNESDAY, "2022-09-01", "2022-09-16"),
    ("Where was Tim in the week before 16 November 2023?", NEW_YEAR, "2023-11-09", "2023-11-15"),
    ("What did Maria do last weekend before April 10, 2023?", AUTUMN, "2023-04-08", "2023-04-09"),
    ("on the Sunday before 25 October, 2022", WEDNESDAY, "2022-10-23", "2022-10-23"),
    ("the weekend after 3 June 2022", WEDNESDAY, "2022-06-04", "2022-06-05"),
    ("the puppy she got two weeks before August 11, 2023", AUTUMN, "2023-07-24", "2023-07-31"),
    ("the day after 28 February 2024", LEAP, "2024-02-29", "2024-02-29"),
    ("Where have I worked since 2022?", WEDNESDAY, "2022-01-01", "2023-05-10"),
    ("Who has cooked since last summer?", WEDNESDAY, "2022-06-01", "2023-05-10"),
    ("Where does Bruno work from October 2022 on?", WEDNESDAY, "2022-10-01", "2023-05-10"),
    ("Where will Bruno work from October 2023 on?", WEDNESDAY, "2023-10-01", ""),
    ("Where did I live before 2022?", WEDNESDAY, "", "2021-12-31"),
    ("What did I do before last week?", WEDNESDAY, "", "2023-04-30"),
    ("What did I do after May 2021?", WEDNESDAY, "2021-06-01", ""),
    ("Who recommended to wait until March?", WEDNESDAY, "", "2023-03-31"),
    ("How many had he won by July 10, 2022?", WEDNESDAY, "", "2022-07-10"),
    ("How long has he played, as of December 2022?", WEDNESDAY, "2022-12-01", "2022-12-31"),
    ("What did she paint recently, in May 2022?", WEDNESDAY, "2022-05-01", "2022-05-31"),
    ("in the week after next", WEDNESDAY, "2023-05-22", "2023-05-28"),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "now", "first", "last"), WINDOWS, ids=[f"{c[0]} ({c[1]:%d %b %y})" for c in WINDOWS])
def test_what_a_query_means(asked, now, first, last):
    reading = read(asked, now)
    assert [days(one) for one in reading.windows] == [[first, last]]
    assert reading.anchors == () and reading.order is None


def test_beside_a_date_what_is_relative_is_counted_from_there():
    reading = read("What was his issue last week, as mentioned on November 6, 2023?", NEW_YEAR)
    assert [days(one) for one in reading.windows] == [["2023-10-30", "2023-11-05"], ["2023-11-06", "2023-11-06"]]


ANCHORS = [
    # asked, relation, words, offset
    ("What did she do two weeks before her birthday?", "before", "her birthday", Offset(2, "week")),
    ("Where did Anna live before she moved to Oslo?", "before", "she moved to Oslo", None),
    ("What did I do right after the trip?", "after", "the trip", None),
    ("What did I do the day after the party?", "after", "the party", Offset(0, "day")),
    ("What happened a few weeks after the wedding?", "after", "the wedding", Offset(3, "week")),
    ("What happened the Sunday after the wedding?", "after", "the wedding", Offset(0, "sunday")),
    ("During his recovery from an injury, what did he read?", "during", "his recovery from an injury", None),
    ("Who lives with Aiko since Mio left?", "since", "Mio left", None),
    ("What did they do following the wedding?", "after", "the wedding", None),
    ("What did he do until the operation", "until", "the operation", None),
]


@pytest.mark.parametrize(("asked", "relation", "words", "offset"), ANCHORS, ids=[c[0] for c in ANCHORS])
def test_events_that_a_time_is_counted_from(asked, relation, words, offset):
    reading = read(asked, WEDNESDAY)
    assert [(one.relation, one.words, one.offset) for one in reading.anchors] == [(relation, words, offset)]
    assert reading.windows == ()


EVENT = Window(
    to_micros(datetime(2023, 5, 10, tzinfo=UTC)), to_micros(datetime(2023, 5, 11, tzinfo=UTC)) - 1
)  # a Wednesday


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("before the party", "", "2023-05-09"),
        ("after the party", "2023-05-11", ""),
        ("since the party", "2023-05-10", ""),
        ("until the party", "", "2023-05-10"),
        ("during the party", "2023-05-10", "2023-05-10"),
        ("the week before the party", "2023-05-03", "2023-05-09"),
        ("the month after the party", "2023-05-11", "2023-06-09"),
        ("two days before the party", "2023-05-08", "2023-05-08"),
        ("three days after the party", "2023-05-13", "2023-05-13"),
        ("two weeks before the party", "2023-04-22", "2023-04-29"),
        ("the Sunday before the party", "2023-05-07", "2023-05-07"),
        ("the Wednesday before the party", "2023-05-03", "2023-05-03"),
        ("two Sundays after the party", "2023-05-21", "2023-05-21"),
        ("the weekend before the party", "2023-05-06", "2023-05-07"),
        ("the weekend after the party", "2023-05-13", "2023-05-14"),
    ],
)
def test_what_an_anchor_means_once_its_event_is_known(asked, first, last):
    (anchor,) = read(asked, WEDNESDAY).anchors
    assert days(anchor.window(EVENT)) == [first, last]


def test_the_weekend_before_a_sunday_is_not_the_same_weekend():
    sunday = Window(EVENT.since + 4 * DAY, EVENT.until + 4 * DAY)
    (anchor,) = read("the weekend before the party", WEDNESDAY).anchors
    assert days(anchor.window(sunday)) == ["2023-05-06", "2023-05-07"]


@pytest.mark.parametrize(
    ("asked", "order"),
    [
        ("What was my first job?", "first"),
        ("When did John first organize a tournament?", "first"),
        ("What is the earliest you know of me?", "first"),
        ("When was the last time I ran?", "last"),
        ("When did I last see her? The last time?", "last"),
        ("What is my most recent address?", "last"),
        ("What is his latest plan?", "last"),
        ("What did Melanie paint recently?", "last"),
        ("Anna's last book", "last"),
        ("What was the first and what the latest?", None),
        ("What is his first name?", None),
        ("What is her last name?", None),
        ("How long did it last?", None),
        ("Who took a first aid course?", None),
        ("At first I was afraid", None),
        ("What did I do last week?", None),
        ("my last two jobs", None),
    ],
)
def test_orders(asked, order):
    assert read(asked, WEDNESDAY).order == order


@pytest.mark.parametrize(
    "asked",
    [
        "May I ask you something?",
        "What may happen?",
        "this may be wrong",
        "how far did they march in the rain",
        "Who does April live with?",
        "What does the Sunday Times say?",
        "What did I read on Sunday Times pages?",
        "songs by June Carter",
        "a party in May's honour",
        "Give me a second",
        "in a second",
        "Who came second?",
        "Who did John name his dog after?",
        "Who looks after her kids?",
        "What is he named after her uncle?",
        "After how many weeks did Tim reconnect?",
        "Since when has he smoked?",
        "What is she good at, after all?",
        "How many has he won till date?",
        "What does he say on following dreams?",
        "from 9 to 5",
        "Where does she work?",
        "Who is Anna?",
        "What costs 2023 dollars?",
        "fall asleep, spring a leak",
        "上周我做了什么",
        "",
        "?!",
    ],
)
def test_where_nothing_is_said_of_time_nothing_is_read(asked):
    assert read(asked, WEDNESDAY) == NOTHING and not read(asked, WEDNESDAY)


# --- properties --------------------------------------------------------------------------------------------------------

MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))
WORDS = st.sampled_from(
    "before after since until till by during from to between and in on the last next this first second two 3 2023 31 week weeks"
    f" day weekend year ago May may march June {' '.join(MONTHS)} {' '.join(WEEKDAYS)} spring fall early end of 3rd her birthday"
    " ; , ? 's recently Christmas 9999 0 12/31/2023 2023-02-30".split()
)


@given(st.text() | st.lists(WORDS, max_size=14).map(" ".join), MOMENTS)
def test_no_text_makes_it_fail(text, now):
    for window in read(text, now).windows:
        assert window.since <= window.until


@given(st.lists(WORDS, max_size=14).map(" ".join))
def test_it_does_not_fail_at_the_ends_of_the_calendar(text):
    read(text, datetime(1, 1, 1, tzinfo=UTC))
    read(text, datetime(9999, 12, 31, 23, 59, tzinfo=UTC))


@given(MOMENTS, st.integers(0, 11))
def test_a_month_is_the_last_that_has_begun(now, month):
    (window,) = read(f"What did I do in {MONTHS[month]}?", now).windows
    start = from_micros(window.since)
    assert (start.month, start.day) == (month + 1, 1) and start <= now < start.replace(year=start.year + 1)


@given(MOMENTS, st.integers(1, 40))
def test_days_ago_hold_the_moment_so_many_days_ago(now, number):
    (window,) = read(f"What did I do {number} days ago?", now).windows
    then = to_micros(now - timedelta(days=number))
    assert window.since <= then <= window.until and window.until - window.since == DAY - 1


@given(MOMENTS, st.sampled_from(["week", "month", "year"]))
def test_the_last_one_is_over_and_the_next_has_not_begun(now, unit):
    (last,), (this,), (coming,) = (read(f"the plan {which} {unit}", now).windows for which in ("last", "this", "next"))
    assert last.until + 1 == this.since <= to_micros(now) <= this.until == coming.since - 1


@given(MOMENTS, MOMENTS)
def test_a_day_with_its_year_means_that_day_whenever_it_is_asked(now, day):
    (window,) = read(f"What was on {day.day} {MONTHS[day.month - 1]} {day.year}?", now).windows
    assert window.since <= to_micros(day) <= window.until == window.since + DAY - 1


@given(MOMENTS, st.integers(-14 * 60, 14 * 60))
def test_the_calendar_is_that_of_the_asker(now, minutes):
    theirs = now.astimezone(timezone(timedelta(minutes=minutes)))
    assert read("yesterday", theirs) == read("yesterday", theirs.replace(tzinfo=UTC))


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the machine's timezone can be set on POSIX only")
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Adak", "Asia/Kathmandu"])
def test_the_machines_timezone_does_not_matter(zone, monkeypatch):
    asked = [*dict.fromkeys((one[0], one[1]) for one in WINDOWS), *((one[0], WEDNESDAY) for one in ANCHORS)]
    before = [read(*one) for one in asked]
    monkeypatch.setitem(os.environ, "TZ", zone)
    time.tzset()
    try:
        assert [read(*one) for one in asked] == before
    finally:
        monkeypatch.undo()
        time.tzset()


# --- how well a time fits ----------------------------------------------------------------------------------------------

PLACES = st.tuples(st.integers(-(10**17), 10**17), st.integers(0, 10**15)).map(lambda one: (one[0], sum(one)))


def fit(start, end, window):
    return float(closeness(np.array([start]), np.array([end]), window)[0])


@given(PLACES, PLACES)
def test_a_share_lies_between_0_and_1_and_what_overlaps_beats_what_lies_beside(event, window):
    share = fit(*event, Window(*window))
    overlaps = event[0] <= window[1] and window[0] <= event[1]
    assert 0 <= share <= 1 and (share >= PARTLY - 1e-9 if overlaps else share <= PARTLY)


@given(PLACES, st.integers(0, 10**15), st.integers(0, 10**15))
def test_what_lies_inside_fits_fully(event, before, after):
    assert fit(*event, Window(event[0] - before, event[1] + after)) == pytest.approx(1.0)


def test_in_an_open_window_what_is_nearer_fits_better():
    year = 365 * DAY
    shares = [fit(-days, -days, Window(BEGINNING, 0)) for days in (DAY, 30 * DAY, year, 10 * year)]
    assert shares == sorted(shares, reverse=True) and shares[0] > 0.95 and shares[-1] > 0.5
    assert fit(10 * year, 10 * year, Window(0, OPEN)) == pytest.approx(shares[-1])
