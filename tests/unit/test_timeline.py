"""Timelines: states and events in the order of time, what was told twice counted once; and queries that want all of a kind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect import Memory
from recollect.errors import InvalidInput
from recollect.model import EventTime, Kind, Precision, Row, Slot, SourceClass, Statement
from recollect.results import Timeline
from recollect.testing import HashEmbedder
from recollect.view.timeline import KINDS, asks_for_all, entries, of_a_kind

START = datetime(2023, 1, 1, tzinfo=UTC)
END = START + timedelta(days=400)


def on(day, length=1):
    start = START + timedelta(days=day)
    return EventTime(start, start + timedelta(days=length) - timedelta(microseconds=1), Precision.DAY)


def row(number, text, *, event=None, kind=Kind.EVENT, slot=None, value=None, said=None, ended=None):
    statement = Statement(number, text, kind, slot, value, event, SourceClass.USER)
    valid_from = START + timedelta(days=number if said is None else said)
    valid_to = None if ended is None else START + timedelta(days=ended)
    return Row(number, f"mem_{number}", statement, valid_from, valid_to, number)


def texts(rows, at=END):
    return [one.text for one in entries(rows, at)]


def test_what_happened_comes_in_the_order_in_which_it_happened_however_it_was_told():
    rows = [
        row(1, "third", event=on(50)),
        row(2, "first", event=on(-400)),
        row(3, "told then"),
        row(4, "last", event=on(60)),
    ]
    assert texts(rows) == ["first", "told then", "third", "last"]


def test_states_have_their_intervals_and_stay_when_they_are_over():
    job = {"kind": Kind.PROFILE, "slot": Slot("Ann", "employer")}
    old, new = entries([row(1, "at Acme", ended=30, **job), row(30, "at Globex", **job)], END)
    assert (old.what, old.start, old.end) == ("state", START + timedelta(days=1), START + timedelta(days=30))
    assert old.ended == old.end and (new.start, new.end, new.ended) == (old.end, None, None)
    found = Timeline(entries=(old, new))
    assert found.states == (old, new) and found.count == 0 and found.first == new == found.last
    assert found.before(new.start) == old and found.after(old.start) == new and found.before(old.start) is None


def test_a_state_begins_with_the_event_that_it_tells():
    (moved,) = entries([row(9, "moved to Oslo", kind=Kind.PROFILE, event=on(7))], END)
    assert (moved.what, moved.start, moved.end) == ("state", START + timedelta(days=7), None)


def test_at_a_time_what_came_later_is_not_known_yet():
    job = {"kind": Kind.PROFILE, "slot": Slot("Ann", "employer")}
    (then,) = entries([row(1, "at Acme", ended=30, **job), row(30, "at Globex", **job)], START + timedelta(days=20))
    assert then.text == "at Acme" and then.end is None and then.ended is None


WON, SEEN = Slot("Nate", "tournament won"), Slot("Nate", "seen")
TWICE = [
    # one, other, how many events
    (row(1, "Nate won the spring cup", event=on(5)), row(2, "Nate won the big spring cup", event=on(5)), 1),
    (row(1, "Nate won the spring cup", event=on(5)), row(2, "Nate won the spring cup", event=on(6)), 2),
    (row(1, "Nate won the spring cup", event=on(5)), row(2, "Nate adopted a turtle", event=on(5)), 2),
    (row(1, "He came first", event=on(5), slot=WON, value="Cup"), row(2, "Gold!", event=on(5), slot=WON, value="cup"), 1),
    (row(1, "He came first", event=on(5), slot=WON, value="Cup"), row(2, "Gold!", event=on(5), slot=WON, value="bowl"), 2),
    (row(1, "Won a cup", event=on(5), slot=WON, value="cup"), row(2, "Saw it", event=on(5), slot=SEEN, value="cup"), 2),
    (row(1, "Nate lost the game to Ann", event=on(5)), row(2, "Nate lost the game to Bob", event=on(5)), 2),
    (row(1, "Nate lost the game", event=on(5)), row(2, "Nate lost the game to Bob", event=on(5)), 1),
    (row(1, "Nate lost 3 games"), row(2, "Nate lost 3 games", said=1), 1),
    (row(1, "Nate lost 3 games"), row(2, "Nate lost 3 games", said=2), 2),
    (row(1, "Nate lost 3 games"), row(2, "Nate lost 4 games", said=1), 2),
    (row(1, "Nate won the spring cup", event=on(5)), row(2, "Nate won the spring cup", event=on(5), ended=9), 1),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "events"), TWICE)
def test_two_tellings_of_one_event_count_once(one, other, events):
    found = Timeline(entries=entries([one, other], END))
    assert found.count == events
    assert sorted(name for entry in found.entries for name in entry.tellings) == ["mem_1", "mem_2"]


def test_an_event_that_was_contradicted_is_shown_and_not_counted():
    found = Timeline(entries=entries([row(1, "Nate won the cup", event=on(5), ended=9)], END))
    assert found.count == 0 and found.entries[0].ended == START + timedelta(days=9) and found.first is None


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["Nate won the spring cup", "Nate adopted another turtle", "Ann"]),
        st.none() | st.integers(0, 3).map(on),
        st.sampled_from(list(Kind)),
        st.none() | st.integers(20, 25),
    ),
    max_size=8,
)


@given(ROWS, st.randoms(use_true_random=False))
def test_a_timeline_is_ordered_loses_nothing_and_does_not_depend_on_the_order_of_its_rows(told, random):
    rows = [
        row(n, text, event=event, kind=kind, said=4, ended=ended)
        for n, (text, event, kind, ended) in enumerate(told, 1)
    ]
    found = entries(rows, END)
    assert [one.start for one in found] == sorted(one.start for one in found)
    assert sorted(name for one in found for name in one.tellings) == sorted(one.memory_id for one in rows)
    random.shuffle(rows)
    assert entries(rows, END) == found


# --- the verb ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def memory(tmp_path):
    with Memory(tmp_path, llm="rules", embedder=HashEmbedder()) as memory:
        yield memory


def test_the_verb_tells_of_a_slot_an_entity_or_both(memory):
    memory.add("I work at Acme.", user_id="u", timestamp="2023-06-22")
    changed = memory.add("I work at Globex now.", user_id="u", timestamp="2023-08-22").changes[0]
    memory.add("I ran a marathon in Oslo on 14 May 2023.", user_id="u", timestamp="2023-05-20")
    memory.add("I work at Initech.", user_id="other", timestamp="2023-08-22")
    jobs = memory.timeline(user_id="u", slot="Employer")
    assert [one.value for one in jobs.entries] == ["Acme", "Globex"] and jobs.entries[0].end == jobs.entries[1].start
    assert [one.value for one in memory.timeline(user_id="u", slot="employer", as_of="2023-07-01").entries] == ["Acme"]
    before = changed.recorded_at - timedelta(microseconds=1)
    assert [one.ended for one in memory.timeline(user_id="u", slot="employer", known_at=before).entries] == [None]
    assert [one.what for one in memory.timeline(user_id="u", entity="the  user").entries] == ["event", "state", "state"]
    assert memory.timeline(user_id="u", entity="oslo").count == 1
    assert memory.timeline(user_id="u", entity="oslo", slot="employer").entries == ()
    assert memory.timeline(user_id="nobody", entity="oslo") == Timeline(entity="oslo")
    assert memory.scoped(user_id="other").timeline(entity="Globex").entries == ()
    with pytest.raises(InvalidInput, match="entity"):
        memory.timeline(user_id="u")


def test_what_was_deleted_expired_or_erased_is_in_no_timeline(memory):
    def places():
        return [one.value for one in memory.timeline(user_id="u", slot="home").entries]

    first = memory.add("I live in Rome.", user_id="u", timestamp="2023-01-01").changes[0]
    memory.add("I live in Oslo.", user_id="u", timestamp="2023-02-01", expires_at="2023-03-01")
    assert places() == ["Rome"]
    memory.delete(first.memory.id)
    assert places() == []
    memory.erase(user_id="u")
    assert memory.timeline(user_id="u", entity="the user").entries == ()


# --- in search ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "How many times has Melanie gone to the beach?",
        "How often did I run?",
        "Which cities has Jon visited?",
        "What has Melanie painted?",
        "Where has Melanie camped?",
        "What books has Tim read?",
        "List my allergies",
        "Tell me all the places",
        "What are the names of John's children?",
        "What kind of art does Caroline make?",
        "What do Melanie's kids like?",
        "What subject have they both painted?",
        "When did Nate win his third tourney?",
        "In what order did he live there?",
    ],
)
def test_a_query_that_wants_all_of_a_kind(query):
    assert asks_for_all(query)


@pytest.mark.parametrize(
    "query",
    [
        "Where does Anna live?",
        "When did Caroline go to the support group?",
        "What is his address?",
        "Who is Anna?",
        "What happened yesterday?",
        "Which class was this?",
        "",
    ],
)
def test_a_query_that_wants_one_thing(query):
    assert not asks_for_all(query)


FOUND = st.dictionaries(st.integers(1, 40), st.floats(0, 1), max_size=20)
SLOTS = st.dictionaries(st.text("abc", min_size=1, max_size=3), st.lists(st.integers(1, 40), min_size=1, unique=True))


@given(SLOTS, FOUND)
def test_lifts_lie_between_0_and_1_for_members_alone_and_the_best_slot_is_lifted_whole(slots, found):
    lifts = of_a_kind(slots, found)
    assert all(0 < lift <= 1 for _, lift in lifts) and [lift for _, lift in lifts] == sorted(
        (lift for _, lift in lifts), reverse=True
    )
    assert {key for key, _ in lifts} <= {key for members in slots.values() for key in members}
    if not any(found.get(key) for members in slots.values() for key in members):
        assert lifts == []


def test_all_of_a_kind_come_and_what_is_behind_many_better_kinds_does_not():
    slots = {f"{n:02}": [n, 100 + n] for n in range(KINDS + 2)}
    lifts = dict(of_a_kind(slots, {n: 1 - n / 100 for n in range(KINDS + 2)}))
    assert lifts[100] == 0.5 and lifts[0] == 1.0 and lifts[101] < lifts[100] and 100 + KINDS not in lifts


def found(memory, query, **options):
    hits = memory.search(query, user_id="u", min_score=0, explain=True, **{"now": "2023-09-01", **options})
    return {hit.text: {one.name: one for one in hit.channels} for hit in hits}


def test_a_time_in_the_query_lifts_what_happened_then_and_explain_says_so(memory):
    for said, text in (("2023-03-06", "I visited Rome last Saturday."), ("2023-06-20", "I visited Paris last week.")):
        memory.add(text, user_id="u", timestamp=said)
    for month, place in (("March", "Rome"), ("June", "Paris")):
        hits = found(memory, f"What did I visit in {month}?")
        assert place in next(iter(hits)) and hits[next(iter(hits))]["time"].rank == 1, hits
        assert len(hits) == 2  # a preference, no filter
    assert not any("time" in channels for channels in found(memory, "What did I visit?").values())


def test_the_same_words_asked_at_another_time_mean_another_time(memory):
    for said, text in (("2022-06-20", "I visited Rome last week."), ("2023-06-20", "I visited Paris last week.")):
        memory.add(text, user_id="u", timestamp=said)
    assert "Rome" in next(iter(found(memory, "What did I visit in June?", now="2022-09-01")))
    assert "Paris" in next(iter(found(memory, "What did I visit in June?", now="2023-09-01")))


def test_a_time_is_counted_from_an_event_that_a_memory_tells(memory):
    for said, text in (
        ("2023-05-08", "I moved to Oslo yesterday."),
        ("2023-03-06", "I visited Rome last Saturday."),
        ("2023-06-20", "I visited Paris last week."),
    ):
        memory.add(text, user_id="u", timestamp=said)
    for how, place in (("before", "Rome"), ("after", "Paris")):
        timed = {
            text: channels["time"].score
            for text, channels in found(memory, f"What did I visit {how} I moved to Oslo?").items()
            if "time" in channels
        }
        assert place in max(timed, key=lambda text: timed[text]), timed
    assert not any("time" in one for one in found(memory, "What did I visit before the war ended?").values())


def test_a_time_in_the_query_works_within_the_filters(memory):
    for said, text in (
        ("2022-03-20", "I visited Bern last week."),
        ("2022-06-20", "I visited Rome last week."),
        ("2023-06-20", "I visited Paris last week."),
        ("2023-08-20", "I visited Lima last week."),
    ):
        memory.add(text, user_id="u", timestamp=said)
    june = "What did I visit in June?"
    assert [text.split()[3] for text in found(memory, june, since="2023-07-01")] == ["Lima"]
    assert {text.split()[3] for text in found(memory, june, until="2022-12-31")} == {"Rome", "Bern"}
    assert next(iter(found(memory, june, since="2023-01-01", until="2023-12-31"))).split()[3] == "Paris"
    early = found(memory, june, as_of="2022-07-01", now="2022-07-01")
    assert [text.split()[3] for text in early] == ["Rome", "Bern"] and "time" in early[next(iter(early))]


def test_the_first_and_the_last_come_first(memory):
    for month in ("02", "04", "06", "08"):
        memory.add(f"I visited a museum on 2023-{month}-10.", user_id="u", timestamp=f"2023-{month}-11")
    for word, place in (("first", "February"), ("most recent", "August")):
        hits = found(memory, f"What was my {word} visit to a museum?")
        best = max(hits, key=lambda text: hits[text]["order"].score)
        assert place in best and next(iter(hits)) == best, hits


@pytest.mark.parametrize("kind", ["memory", "turn"])
def test_only_what_is_asked_for_comes_with_a_time(memory, kind):
    include = {"memory": "memories", "turn": "turns"}[kind]
    for said, text in (("2023-03-06", "I visited Rome last Saturday."), ("2023-06-20", "I visited Paris last week.")):
        memory.add(text, user_id="u", timestamp=said)
    for query in ("in June", "before I visited Paris", "Which cities have I visited first?"):
        hits = memory.search(query, user_id="u", include=[include], now="2023-09-01", min_score=0)
        assert {hit.kind for hit in hits} == {kind}


def test_turns_are_found_by_when_they_were_said(memory):
    for month in ("05", "06", "07"):
        memory.add("What about lunch?", user_id="u", timestamp=f"2023-{month}-10", session_id=month)
    hits = memory.search("lunch in June", user_id="u", include=["turns"], now="2023-09-01", min_score=0, explain=True)
    assert hits[0].sources[0].session_id == "06" and "time" in {one.name for one in hits[0].channels}
