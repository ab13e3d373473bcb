"""What the offline extractor keeps, how it words it, and what it drops."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect.model import Kind, Role, Scope, Turn
from recollect.ports import Chunk
from recollect.rules import RulesExtractor
from recollect.writing.evidence import holds

SAID = datetime(2026, 11, 24, 12, tzinfo=UTC)  # a Tuesday


def turn(content, name=None, role=Role.USER, number=1):
    return Turn(f"turn{number}", number, Scope("u"), "b", role, content, name, SAID, True)


def extract(*turns, context=()):
    chunk = Chunk(tuple(turns), tuple(context))
    facts = asyncio.run(RulesExtractor().extract(chunk)).facts
    assert all(holds(evidence, chunk.turn(evidence.turn_id)) for fact in facts for evidence in fact.evidence)
    return facts


def told(said, name="Ann", other="Bob"):
    """The facts of one message of Ann's to Bob."""
    return extract(turn(said, name), context=(turn("Hi!", other, number=2),))


def only(said, name="Ann"):
    (fact,) = told(said, name)
    return fact


SLOTS = [
    # said to an assistant, the fact, attribute, value, many
    ("My favorite color is blue.", "The user's favorite color is blue.", "favorite color", "blue", False),
    ("My name is Ada.", "The user's name is Ada.", "name", "Ada", False),
    ("I'm 34 years old.", "The user is 34 years old.", "age", "34", False),
    ("My birthday is on 3 May.", "The user's birthday is on 3 May.", "birthday", "3 May", False),
    ("I live in Rome.", "The user lives in Rome.", "home", "Rome", False),
    ("I moved to Oslo yesterday.", "The user moved to Oslo on 23 November 2026.", "home", "Oslo", False),
    ("I've moved to Berlin.", "The user has moved to Berlin.", "home", "Berlin", False),
    ("I grew up in Leeds.", "The user grew up in Leeds.", "hometown", "Leeds", False),
    ("I work at Acme.", "The user works at Acme.", "employer", "Acme", False),
    ("I work as a nurse at St Mary.", "The user works as a nurse at St Mary.", "employer", "St Mary", False),
    ("I'm a software engineer.", "The user is a software engineer.", "occupation", "software engineer", False),
    ("My job title is director.", "The user's job title is director.", "occupation", "director", False),
    ("I'm studying biology.", "The user is studying biology.", "field of study", "biology", False),
    ("I'm allergic to peanuts.", "The user is allergic to peanuts.", "allergies", "peanuts", True),
    ("I'm vegetarian now.", "The user is vegetarian now.", "diet", "vegetarian", False),
    ("I don't eat pork.", "The user doesn't eat pork.", "avoids", "pork", True),
    ("I speak Spanish.", "The user speaks Spanish.", "languages", "Spanish", True),
    ("I'm learning Italian.", "The user is learning Italian.", "languages", "Italian", True),
    ("I was diagnosed with asthma.", "The user was diagnosed with asthma.", "health", "asthma", True),
    ("I have a dog.", "The user has a dog.", "pets", "a dog", True),
    ("I adopted a cat named Miso.", "The user adopted a cat named Miso.", "pets", "a cat named Miso", True),
    ("I bought a red bicycle.", "The user bought a red bicycle.", "possessions", "a red bicycle", True),
    ("I play the piano.", "The user plays the piano.", "hobbies", "piano", True),
    ("I love hiking.", "The user loves hiking.", "likes", "hiking", True),
    ("I hate mushrooms.", "The user hates mushrooms.", "dislikes", "mushrooms", True),
    ("I'm not into hiking.", "The user is not into hiking.", "dislikes", "hiking", True),
    ("I can't stand mushrooms.", "The user can't stand mushrooms.", "dislikes", "mushrooms", True),
    ("Hi, I'm Carl!", "The user is Carl.", "name", "Carl", False),
    ("My name's Carl.", "The user's name's Carl.", "name", "Carl", False),
    ("My wife's name is Sue.", "The user's wife's name is Sue.", "partner", "Sue", False),
    ("My best friend is called Ines.", "The user's best friend is called Ines.", "best friend", "Ines", False),
    ("I have two kids.", "The user has two kids.", "children", "two kids", False),
    ("I'm married.", "The user is married.", "relationship status", "married", False),
    ("We're expecting a baby in May.", "The user and others are expecting a baby in May 2027.", "family news", "a baby", False),
    ("I'm planning a trip to Japan next month.", "The user is planning a trip to Japan in December 2026.", "plans",
     "a trip to Japan", True),
]  # fmt: skip


@pytest.mark.parametrize(("said", "text", "attribute", "value", "many"), SLOTS, ids=[row[0] for row in SLOTS])
def test_common_slots(said, text, attribute, value, many):
    (fact,) = extract(turn(said))
    assert fact.text == text and fact.slot is not None
    assert (fact.slot.subject, fact.slot.attribute, fact.value, fact.slot.many) == ("The user", attribute, value, many)


KEPT = [
    # said by Ann to Bob, the facts
    ("I went to a poetry reading last Fri!", ["Ann went to a poetry reading on 20 November 2026."]),
    ("Thanks, Bob! I joined a gym last week.", ["Ann joined a gym in the week of 16 November 2026."]),
    ("I just adopted a rabbit, it's so cute!", ["Ann adopted a rabbit shortly before 24 November 2026."]),
    ("I took a cooking class recently, and it was super fun!",
     ["Ann took a cooking class shortly before 24 November 2026."]),
    ("Went to the Louvre in May - amazing!", ["Ann went to the Louvre in May 2026."]),
    ("I'm so excited to tell you I started a yoga class with a colleague.", ["Ann started a yoga class with a colleague."]),
    ("I've been volunteering at a homeless shelter.", ["Ann has been volunteering at a homeless shelter."]),
    ("I painted this lake sunrise last year.", ["Ann painted a lake sunrise in 2025."]),
    ("I like hiking and swimming.", ["Ann likes hiking.", "Ann likes swimming."]),
    ("My kids and I finished another painting.", ["Ann and their kids finished another painting."]),
    ("Last weekend my husband and I hiked, swam, and made great memories.",
     ["On the weekend of 21 November 2026 Ann and their husband hiked, swam."]),
    ("I watch tutorials and keep a diary.", ["Ann watches tutorials and keeps a diary."]),
    ("When I was younger, my family and I went on a road trip to Oregon.",
     ["When Ann was younger, Ann and their family went on a road trip to Oregon."]),
    ("Oscar, my guinea pig.", ["Ann's guinea pig is called Oscar."]),
    ("I've been reading that book you recommended.", ["Ann has been reading a book Bob recommended."]),
    ("Hi, my name is Ann and I live in Rome.", ["Ann's name is Ann.", "Ann lives in Rome."]),
    ("I moved to Oslo and my sister moved to Rome.", ["Ann moved to Oslo.", "Ann's sister moved to Rome."]),
    ("I'm working on a novel, can you help me?", ["Ann is working on a novel."]),
]  # fmt: skip


@pytest.mark.parametrize(("said", "texts"), KEPT, ids=[row[0] for row in KEPT])
def test_facts_stand_alone(said, texts):
    assert [fact.text for fact in told(said)] == texts


DROPPED = {
    "greeting": ["Hi there!", "Long time no see, Bob!", "Talk to you soon!"],
    "courtesy": ["Thanks, that's awesome!", "I appreciate your support.", "I'm so proud of you!", "I can't wait to hear more!"],
    "question": ["How are you?", "Do I live in Rome?", "I live in Rome, right?"],
    "request": ["Recommend some travel destinations.", "Tell me about my flat in Rome."],
    "mood": ["I felt so happy.", "It was great.", "I'm feeling great today.", "My heart is full of love.", "I'm doing alright."],
    "vague": ["We had a blast.", "I learned a lot.", "I'm working on something.", "I made some progress."],
    "opinion": ["I think kindness matters.", "I believe that art heals people.", "I found that sharing helps people."],
    "maybe": ["Maybe I will go to Rome.", "If I move to Rome, I will be happy.", "I wish I lived in Rome.", "I might buy a car."],
    "no name": ["I'm German.", "I'm Brazilian.", "I'm ADHD.", "I'm Sagittarius."],
    "could": ["I would love to visit Japan.", "I could have bought a house in Rome.", "I should call my sister Anna."],
    "advice": ["You should drink more water.", "Your painting of Rome is lovely."],
    "joke": ["I'm moving to Mars. Just kidding!", "I bought a castle in Spain, joking!"],
    "others' words": ["My friend said I should move to Berlin.", "My boss thinks I live in Rome."],
    "what did not happen": ["I didn't buy the car.", "I never visited Rome.", "I haven't been to Rome."],
    "points elsewhere": ["She gave it to me yesterday.", "I bought that last week.", "I saw another one in Rome.",
                         "I went there last week.", "He lives in Rome.", "I did the same in 2019."],
    "other language": ["Ich wohne seit drei Jahren in der schönen Stadt Köln."],
    "code": ["def f(x): return x + 1", "I tried `x => {}` => y;"],
}  # fmt: skip


@pytest.mark.parametrize("said", [one for group in DROPPED.values() for one in group])
def test_what_is_not_worth_keeping(said):
    assert told(said) == ()


THIRD_PERSONS = [
    # said, fact, the slot's subject, attribute, value
    ("My sister Anna lives in Rome.", "Ann's sister Anna lives in Rome.", "Anna", "home", "Rome"),
    ("My mother is a nurse.", "Ann's mother is a nurse.", "Ann's mother", "occupation", "nurse"),
    ("My mom's birthday is on 3 May.", "Ann's mom's birthday is on 3 May.", "Ann's mom", "birthday", "3 May"),
    ("My brother Emil got married last week.", "Ann's brother Emil got married in the week of 16 November 2026.",
     "Emil", "relationship status", "married"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "text", "subject", "attribute", "value"), THIRD_PERSONS)
def test_third_persons_keep_their_own_slots(said, text, subject, attribute, value):
    fact = only(said)
    assert fact.text == text and fact.slot is not None
    assert (fact.slot.subject, fact.slot.attribute, fact.value) == (subject, attribute, value)


def test_she_is_who_was_just_named():
    assert [fact.text for fact in told("My sister Anna is a doctor. She lives in Rome.")] == [
        "Ann's sister Anna is a doctor.",
        "Ann's sister Anna lives in Rome.",
    ]
    assert [fact.text for fact in told("My brother Tom met my boss. He lives in Rome.")] == [
        "Ann's brother Tom met Ann's boss."
    ]


def test_my_is_the_speakers_own():
    facts = extract(turn("My dog is called Rex.", "Ann"), turn("My dog is called Max.", "Bob", number=2))
    assert [(fact.slot.subject, fact.value) for fact in facts if fact.slot] == [
        ("Ann", "a dog called Rex"),
        ("Bob", "a dog called Max"),
    ]


@pytest.mark.parametrize(
    ("said", "text", "kind", "attribute"),
    [
        ("Remind me to call Anna tomorrow.", "The user wants to be reminded to call Anna on 25 November 2026.",
         Kind.PLAN, "reminders"),
        ("Remind me to send the form on Friday.", "The user wants to be reminded to send the form on 27 November 2026.",
         Kind.PLAN, "reminders"),
        ("Call me Liz.", "The user asks the assistant to call the user Liz.", Kind.INSTRUCTION, "instructions"),
        ("Don't call me Charlie.", "The user asks the assistant not to call the user Charlie.", Kind.INSTRUCTION, "instructions"),
        ("Always answer briefly.", "The user asks the assistant to always answer briefly.", Kind.INSTRUCTION, "instructions"),
    ],
)  # fmt: skip
def test_wishes_of_the_user_to_an_assistant(said, text, kind, attribute):
    (fact,) = extract(turn(said))
    assert (fact.text, fact.kind, fact.slot.attribute) == (text, kind, attribute)


RETRACTIONS = [
    # said, attribute, value
    ("I no longer work at Acme.", "employer", "Acme"),
    ("I quit my job at Acme.", "employer", "Acme"),
    ("I don't like sushi any more.", "likes", "sushi"),
    ("I'm not vegetarian anymore.", "diet", "vegetarian"),
    ("I sold my car.", "possessions", "a car"),
    ("My trip to Rome is off.", "plans", "trip to Rome"),
    ("I cancelled my trip to Norway.", "plans", "trip to Norway"),
    ("We broke up.", "partner", None),
    ("I broke up with my girlfriend Eve.", "partner", "Eve"),
    ("I stopped playing tennis.", "hobbies", "tennis"),
    ("I no longer live in Rome.", "home", "Rome"),
]


@pytest.mark.parametrize(("said", "attribute", "value"), RETRACTIONS, ids=[row[0] for row in RETRACTIONS])
def test_retractions(said, attribute, value):
    (fact,) = extract(turn(said))
    assert fact.retracts and not fact.bare_forget and fact.slot is not None
    assert (fact.slot.attribute, fact.value) == (attribute, value)


@pytest.mark.parametrize(
    ("said", "attribute"),
    [
        ("Forget that I live in Rome.", "home"),
        ("Please forget my address.", "home"),
        ("Forget my favorite color.", "favorite color"),
    ],
)
def test_forgetting_is_asked_for_and_states_nothing(said, attribute):
    (fact,) = extract(turn(said))
    assert fact.retracts and fact.bare_forget and fact.slot is not None and fact.slot.attribute == attribute


@pytest.mark.parametrize("role", [Role.SYSTEM, Role.TOOL, Role.ASSISTANT])
def test_only_people_tell_facts(role):
    assert extract(turn("I live in Rome.", role=role)) == ()


PIECES = "I I'm my we love live in Rome last week 2019 no longer and , . ! - that this sister Anna she it bought a car so which"
WORDS = st.sampled_from(PIECES.split(" "))
NAMES = st.sampled_from([None, "Ann", "I", "Ann-Sophie O'Neil"])


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=300) | st.lists(WORDS, max_size=40).map(" ".join),
    st.sampled_from([None, "Ann", "I", "Ann-Sophie O'Neil"]),
)
def test_any_text_is_taken_the_same_way_twice_and_quoted(text, name):
    if text.strip():
        assert extract(turn(text, name)) == extract(turn(text, name))


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "piece", ["I ", "a", "my my ", "last ", "I live in ", "and, ", "'", "1 ", "no longer ", "When I, ", "my a-"]
)
def test_long_texts_end(piece):
    extract(turn(piece * (60_000 // len(piece))))
