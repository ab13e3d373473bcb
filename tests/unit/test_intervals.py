"""What is kept of an answer is what would be answered anew, at every moment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect.records import PassageRecord, RowSpan, SourceSpan
from recollect.view.intervals import BEGINNING, OPEN, Intervals, Moment, Span, Window

TIMES = st.integers(0, 12)
ROWS = st.lists(st.tuples(TIMES, st.none() | TIMES, st.none() | TIMES), min_size=1, max_size=6)
MOMENTS = st.lists(st.builds(Moment, TIMES, st.none() | st.integers(0, 8), TIMES), min_size=1, max_size=12)


def history(rows):
    """A row of its own statement, told in a turn, for each (from, to, expires)."""
    intervals = Intervals()
    size = len(rows)
    intervals.put_passages([PassageRecord(n, None, {}, None) for n in range(1, size + 1)])
    intervals.put_passages([PassageRecord(size + n, n, {}, None, said_at=n, committed=n) for n in range(1, size + 1)])
    intervals.put_sources([SourceSpan(n, n, n, added=n) for n in range(1, size + 1)])
    spans = [
        RowSpan(n, n, since, until, n, None, expires, False) for n, (since, until, expires) in enumerate(rows, start=1)
    ]
    intervals.put_rows(spans)
    return intervals, spans


def same(one, other):
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("rows", "turns", "until"))


@settings(max_examples=150, deadline=None)
@given(ROWS, MOMENTS)
def test_what_is_kept_is_what_is_served_at_each_moment(rows, moments):
    intervals, _ = history(rows)
    for moment in moments:
        kept = intervals.served(moment)
        assert same(kept, intervals._served(moment, None, None, Window(), Window()))
        assert intervals.served(moment) is kept


def test_what_comes_or_is_retired_is_seen_at_once():
    intervals, spans = history([(0, None, None), (0, None, None)])
    moment = Moment(5, None, 5)
    assert intervals.served(moment).rows.tolist()[1:3] == [1, 2]
    intervals.put_rows([replace(spans[0], retired=3)])
    assert intervals.served(moment).rows.tolist()[1:3] == [0, 2]


def test_another_window_or_number_is_another_answer():
    intervals, _ = history([(0, None, None), (7, None, None)])
    moment = Moment(9, None, 9)
    whole = intervals.served(moment)
    assert whole.rows.tolist()[1:3] == [1, 2]
    assert intervals.served(moment, window=Window(since=5)).rows.tolist()[1:3] == [0, 2]
    assert intervals.served(replace(moment, number=1)).rows.tolist()[1:3] == [1, 0]


def test_nobody_writes_to_what_is_shared():
    served = history([(0, None, None)])[0].served(Moment(5, None, 5))
    columns = (served.rows, served.turns, served.until, served.row_mask, served.turn_mask)
    assert not any(column.flags.writeable for column in columns)
    fewer = served.without([1])
    assert fewer.rows[1] == 0 and served.rows[1] == 1


def test_a_span_lies_between_what_begins_and_ends():
    times = np.array([0, 3, 8, OPEN])
    assert Span.around(5, times) == (3, 8) and Span.around(3, times) == (3, 8)
    assert 3 in Span(3, 8) and 8 not in Span(3, 8)
    assert Span.around(-4, times) == (BEGINNING, 0) and Span.around(9, times) == (8, OPEN)


SOURCES = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(0, 6), st.none() | st.integers(0, 6)), max_size=12
)


@settings(deadline=None)
@given(SOURCES, st.lists(st.integers(1, 6), max_size=6), st.none() | st.integers(0, 6))
def test_what_turns_support_is_what_their_quotes_tell(told, turns, number):
    intervals = Intervals()
    sources = [SourceSpan(n, *one) for n, one in enumerate(told, start=1)]
    intervals.put_sources(sources[:5])
    intervals.quotes(np.array([1]))  # what is kept must not outlive what comes
    intervals.put_sources(sources[5:])
    places, statements = intervals.supported(np.array(turns, dtype=np.int64), Moment(0, number))
    assert list(zip(places.tolist(), statements.tolist(), strict=True)) == [
        (place, one.statement)
        for place, turn in enumerate(turns)
        for one in sources
        if one.turn == turn and Moment(0, number).believes(one.added, OPEN if one.retired is None else one.retired)
    ]
    counts = intervals.quotes(np.arange(1, 9)).tolist()
    assert counts == [sum(one.statement == key for one in sources) for key in range(1, 9)]
    assert intervals.told == len({one.turn for one in sources})
