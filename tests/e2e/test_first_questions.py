"""What a newcomer asks first: some things are told, one of them changes, and the answer is the first hit. By rules and MiniLM.

The first six stores were at hand when weights were chosen, the next four were held back, and the last three ask in words that no
pattern of `attributes.py` knows, of turns one half of which is over.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from recollect import Memory


class Store(NamedTuple):
    """`said`: by the user, or somebody named, on a day; `asked`: with what the first hit says."""

    user: str
    name: str | None
    said: tuple[tuple[str, str], ...]
    asked: tuple[tuple[str, str], ...]


STORES = (
    Store(
        "nurse",
        None,
        (
            ("2025-01-11", "I live in Hamburg and I work as a nurse."),
            ("2025-02-02", "My favorite color is blue and I love hiking."),
            ("2025-03-10", "I have a dog called Rex."),
            ("2025-05-20", "I moved to Berlin last week."),
            ("2025-06-03", "My sister Clara lives in Vienna."),
        ),
        (
            ("Where do I live?", "Berlin"),
            ("What is my job?", "nurse"),
            ("What do I do for a living?", "nurse"),
            ("What is my dog's name?", "Rex"),
            ("Where does Clara live?", "Vienna"),
            ("What is my favorite color?", "blue"),
        ),
    ),
    Store(
        "nora",
        "Nora",
        (
            ("2025-01-11", "I work as a nurse at Elbe Clinic. I live in Hamburg."),
            ("2025-03-02", "I adopted a dog yesterday."),
            ("2025-05-20", "I moved to Berlin last week."),
            ("2025-06-03", "I work at Spree Hospital now."),
            ("2025-09-14", "My dog is called Rex. I went to Oslo with Anna in August."),
        ),
        (
            ("Where does Nora live?", "Berlin"),
            ("Where does Nora live now?", "Berlin"),
            ("Where does Nora work?", "Spree Hospital"),
            ("What is Nora's dog called?", "Rex"),
            ("Where did Nora go in August?", "Oslo"),
        ),
    ),
    Store(
        "food",
        None,
        (
            ("2025-01-05", "I'm vegetarian and I'm allergic to peanuts."),
            ("2025-01-09", "I love Thai food. My favorite restaurant is Chao Phraya."),
            ("2025-02-01", "I can't stand mushrooms."),
            ("2025-03-15", "I'm not vegetarian anymore, I became vegan."),
            ("2025-04-01", "I have a cat called Miso and I play the piano."),
        ),
        (
            ("What am I allergic to?", "peanuts"),
            ("What is my diet?", "vegan"),
            ("Which restaurant do I like best?", "Chao Phraya"),
            ("What food do I dislike?", "mushrooms"),
            ("Do I play an instrument?", "piano"),
        ),
    ),
    Store(
        "tom",
        "Tom",
        (
            ("2024-10-01", "I work at Acme as a software engineer and I live in Leeds with my wife Anna."),
            ("2024-11-12", "My birthday is on 4 May. We have two kids."),
            ("2025-02-01", "I joined Globex as a product manager."),
            ("2025-02-20", "I bought a red Toyota."),
            ("2025-04-03", "I'm training for the London marathon in October."),
        ),
        (
            ("Where does Tom work?", "Globex"),
            ("Who is Tom married to?", "Anna"),
            ("When is Tom's birthday?", "May"),
            ("What car does Tom drive?", "Toyota"),
            ("Where does Tom live?", "Leeds"),
        ),
    ),
    Store(
        "student",
        None,
        (
            ("2025-01-03", "I study physics at Heidelberg University."),
            ("2025-01-20", "My name is Lena and I'm 22 years old."),
            ("2025-02-14", "I'm planning a trip to Japan in March with my friend Yuki."),
            ("2025-04-02", "I switched to chemistry, physics was too dry. My favorite professor is Dr. Weber."),
            ("2025-05-01", "I speak German and a little Spanish. I hate getting up early."),
        ),
        (
            ("What is my name?", "Lena"),
            ("How old am I?", "22"),
            ("What languages do I speak?", "Spanish"),
            ("Where do I study?", "Heidelberg"),
            ("Where am I travelling in March?", "Japan"),
        ),
    ),
    Store(
        "phone",
        None,
        (
            ("2025-01-10", "I use an old Nokia phone. My email is kim@example.org."),
            ("2025-02-10", "I bought a laptop. I prefer tea to coffee."),
            ("2025-03-10", "My brother Max is getting married in June."),
            ("2025-03-20", "I started learning the guitar and I go swimming every Tuesday."),
            ("2025-05-10", "I moved from Porto to Lisbon because I started working at Farfetch."),
        ),
        (
            ("Where do I live?", "Lisbon"),
            ("Where do I work?", "Farfetch"),
            ("What is my email address?", "kim@example.org"),
            ("Who is getting married?", "Max"),
            ("Do I prefer tea or coffee?", "tea"),
        ),
    ),
    Store(
        "gardener",
        None,
        (
            ("2025-02-01", "I live in Bristol and I work at Rolls-Royce."),
            ("2025-02-07", "I'm a vegetarian and my favorite dish is lasagne."),
            ("2025-03-04", "My daughter Mia plays the violin."),
            ("2025-04-20", "I quit Rolls-Royce and joined Airbus."),
            ("2025-05-05", "I have a rabbit called Pip and I collect stamps."),
        ),
        (
            ("Where do I work?", "Airbus"),
            ("Where do I live?", "Bristol"),
            ("What is my favorite dish?", "lasagne"),
            ("Who plays the violin?", "Mia"),
            ("What pet do I have?", "Pip"),
        ),
    ),
    Store(
        "ben",
        "Ben",
        (
            ("2025-01-02", "I live in Madrid. I teach maths at a high school."),
            ("2025-01-15", "I'm allergic to cats and I hate flying."),
            ("2025-03-01", "I got engaged to Laura last Saturday."),
            ("2025-06-01", "We moved to Valencia in May."),
            ("2025-07-07", "I sold my car and bought a bicycle."),
        ),
        (
            ("Where does Ben live?", "Valencia"),
            ("Who is Ben engaged to?", "Laura"),
            ("What is Ben allergic to?", "cats"),
            ("What does Ben teach?", "maths"),
            ("How does Ben get around?", "bicycle"),
        ),
    ),
    Store(
        "writer",
        None,
        (
            ("2025-01-02", "My name is Ada. I'm from Lagos but I live in London."),
            ("2025-02-03", "I'm a writer and I drink far too much coffee."),
            ("2025-03-03", "I moved to Edinburgh for the quiet."),
            ("2025-04-04", "My partner Sam is a chef at Noma House."),
            ("2025-05-05", "My favorite author is Toni Morrison. I go running with my neighbor Bea on Sundays."),
        ),
        (
            ("Where do I live?", "Edinburgh"),
            ("Where am I from?", "Lagos"),
            ("What is my profession?", "writer"),
            ("Who is my favorite author?", "Toni Morrison"),
            ("What does my partner do?", "chef"),
        ),
    ),
    Store(
        "kofi",
        "Kofi",
        (
            ("2025-01-02", "I'm 34 years old and I work as a taxi driver in Accra."),
            ("2025-02-03", "My wife Esi is a doctor and we have three children."),
            ("2025-03-03", "I started a new job at Bolt as a dispatcher."),
            ("2025-04-04", "I support Arsenal and my favorite player is Saka."),
            ("2025-05-05", "We're going to visit my mother in Kumasi in December."),
        ),
        (
            ("Where does Kofi work?", "Bolt"),
            ("How old is Kofi?", "34"),
            ("What team does Kofi support?", "Arsenal"),
            ("Who is Kofi's wife?", "Esi"),
            ("How many children does Kofi have?", "three"),
        ),
    ),
    Store(
        "again",
        None,
        (
            ("2025-01-11", "I live in Hamburg and I work as a nurse."),
            ("2025-05-20", "I moved to Berlin last week."),
        ),
        (
            ("Whereabouts do I live these days?", "Berlin"),
            ("Do I still live in Hamburg?", "Berlin"),
            ("Remind me which city I'm living in", "Berlin"),
            ("Which place do I call home?", "Berlin"),
            ("live where?", "Berlin"),
            ("Am I working?", "nurse"),
        ),
    ),
    Store(
        "Jo",
        "Jo",
        (
            ("2025-01-11", "I work at Acme and I have a dog called Rex."),
            ("2025-02-11", "I'm vegetarian and I play the piano."),
            ("2025-05-20", "I joined Globex as a designer."),
            ("2025-06-20", "I became vegan."),
        ),
        (
            ("Does Jo still work at Acme?", "Globex"),
            ("Tell me about Jo's work", "Globex"),
            ("Is Jo vegetarian?", "vegan"),
            ("Which firm does Jo work at these days?", "Globex"),
            ("Where's Jo working?", "Globex"),
        ),
    ),
    Store(
        "Kim",
        "Kim",
        (
            ("2025-01-11", "I live in Porto with my cat Miso. I work at Sonae as an engineer."),
            ("2025-02-11", "I love surfing and I live for coffee."),
            ("2025-05-20", "I moved to Lisbon in May."),
            ("2025-06-20", "I joined Farfetch as a manager."),
        ),
        (
            ("Where would I find Kim's flat, where does Kim live?", "Lisbon"),
            ("Does Kim live in Porto?", "Lisbon"),
            ("Which company is Kim an engineer at?", "Farfetch"),
            ("In which town might Kim live?", "Lisbon"),
            ("Kim's work?", "Farfetch"),
        ),
    ),
)
NOW = "2025-11-01"
RIGHT = 57  # of 67. Five of the others ask for what the rules did not keep, or not in its slot


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """All that was said, each on its day."""
    with Memory(tmp_path_factory.mktemp("store")) as memory:
        for store in STORES:
            for day, text in store.said:
                message = {"role": "user", "content": text, "timestamp": f"{day}T18:00:00"}
                memory.add(message | ({"name": store.name} if store.name else {}), user_id=store.user)
        yield memory


def first(memory, user, question):
    """The text of the first hit."""
    hits = memory.search(question, user_id=user, now=NOW)
    return hits[0].text if hits else ""


def test_the_answer_is_the_first_hit(told):
    asked = [(store.user, *one) for store in STORES for one in store.asked]
    wrong = [one for one in asked if one[2].casefold() not in first(told, *one[:2]).casefold()]
    print(*wrong, sep="\n")
    assert len(asked) - len(wrong) >= RIGHT, wrong


@pytest.mark.parametrize(
    ("user", "question", "answer"),
    [
        ("nurse", "Where do I live?", "Berlin"),
        ("nora", "Where does Nora live?", "Berlin"),
        ("again", "Whereabouts do I live these days?", "Berlin"),
        ("nurse", "Where does Clara live?", "Vienna"),
        ("writer", "What does my partner do?", "chef"),
    ],
)
def test_where_somebody_is_known_to_be_comes_before_what_else_was_said_there(told, user, question, answer):
    assert answer in first(told, user, question)


def test_a_slot_that_was_asked_for_is_told(told):
    hit = told.search("Where do I live?", user_id="nurse", now=NOW, explain=True)[0]
    assert "asked" in {channel.name for channel in hit.channels}
