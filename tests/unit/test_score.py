"""The score says how sure it is, whatever the order; below the floor nothing is returned."""

from __future__ import annotations

import numpy as np
import pytest

from recollect import Memory
from recollect.adapters.minilm import MiniLM
from recollect.retrieval.calibration import BACKGROUND, FLOOR, Scale, calibrated
from recollect.testing import ScriptedLanguage

FACTS = """Anna's favourite colour is blue.
Anna is planning a trip to Japan in March.
Tom works as a nurse at the city hospital.
Tom adopted a grey cat called Miso.
Anna is allergic to peanuts.
Anna's brother studies law in Vienna.
Tom plays the cello in an amateur orchestra.
Anna moved from Hamburg to Lisbon in 2019.
Tom is learning to bake sourdough bread.
Anna runs a small bookshop near the harbour.
Tom's parents keep bees.
Anna broke her wrist while skiing.""".splitlines()
RELATED = {
    "What travel plans does Anna have?": FACTS[1],
    "Which instrument does Tom play?": FACTS[6],
    "Does Anna have any food allergies?": FACTS[4],
    "What pets does Tom have?": FACTS[3],
    "Where does Tom work?": FACTS[2],
}
REWORDED = {  # not a word in common but names
    "Which hue does Anna like best?": FACTS[0],
    "What is Tom's profession?": FACTS[2],
    "Is there anything Anna must not eat?": FACTS[4],
    "Has Tom got an animal at home?": FACTS[3],
    "What kind of business does Anna own?": FACTS[9],
}
STRANGERS = ["What travel plans does Caroline have?", "Which instrument does Jun-ho play?"]
UNRELATED = [
    "How do I undo the last commit in git?",
    "What is the boiling point of nitrogen?",
    "Explain the difference between TCP and UDP.",
    "Who won the football world cup in 1974?",
    "Write a regular expression for IPv4 addresses.",
]


class Squeezed(MiniLM):
    """MiniLM with every vector pulled in one direction: to it all texts are alike, as to many embedders."""

    id, dim = "squeezed-minilm", 385

    def embed(self, texts):
        return np.column_stack([super().embed(texts), np.full(len(texts), 1.5, dtype=np.float32)])


@pytest.fixture(scope="module", params=[MiniLM, Squeezed], ids=["calibrated", "by its own background"])
def told(request, tmp_path_factory):
    embedder = request.param()
    with Memory(tmp_path_factory.mktemp("score"), llm=ScriptedLanguage(), embedder=embedder) as memory:
        memory.add([{"role": "user", "content": fact} for fact in FACTS], user_id="u", infer=False)
        yield memory


@pytest.mark.parametrize("query", RELATED)
def test_a_related_query_finds_its_memory(told, query):
    first = told.search(query, user_id="u")[0]
    assert first.text == RELATED[query] and FLOOR < first.score <= 1


@pytest.mark.parametrize("query", REWORDED)
def test_a_paraphrase_is_answered(told, query):
    assert REWORDED[query] in [hit.text for hit in told.search(query, user_id="u")]


@pytest.mark.parametrize("query", UNRELATED)
@pytest.mark.parametrize("include", [("memories",), ("memories", "turns")])
def test_an_unrelated_query_returns_nothing(told, query, include):
    assert told.search(query, user_id="u", include=include) == []
    assert str(told.context(query, user_id="u")) == ""


def test_the_floor_is_off_where_a_filter_or_min_score_selects(told):
    assert len(told.search(UNRELATED[0], user_id="u", min_score=0, limit=50)) == len(FACTS)
    assert len(told.search(UNRELATED[0], user_id="u", metadata_filter={"kind": "knowledge"}, limit=50)) == len(FACTS)
    assert told.search("Which instrument does Tom play?", user_id="u", min_score=1.0) == []
    assert {hit.text for hit in told.search(UNRELATED[0], user_id="u", min_score=1e-9, limit=50)} == set(FACTS)


def test_equal_texts_are_alike_to_every_embedder():
    for usual in (0.0, 0.3, 0.8, 1.0):
        scale = Scale.of_background(usual, 10_000)
        assert scale(1.0) == pytest.approx(1) and scale(None) is None
        assert usual > 0.99 or scale(usual) == pytest.approx(BACKGROUND, abs=0.02)
    few = Scale.of_background(0.8, 1)
    assert few(0.5) == pytest.approx(0.5, abs=0.01)


def test_score_grows_with_both_and_words_alone_tell_too():
    assert calibrated(0.2, 0.0) < calibrated(0.4, 0.0) < calibrated(0.4, 0.5) < calibrated(0.8, 1.0) <= 1
    assert 0 < calibrated(None, 0.0) < calibrated(None, 0.5) < calibrated(None, 1.0) < 1


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("I live in Berlin.", "Where do I live?"),
        ("I work as a nurse.", "What is my job?"),
        ("I'm allergic to peanuts.", "Which food allergies do I have?"),
        ("My dog is called Rex.", "Who is Rex?"),
    ],
)
def test_on_the_first_day_what_is_there_is_found_and_nothing_else(said, asked, tmp_path):
    with Memory(tmp_path, llm="rules", embedder=MiniLM()) as memory:
        memory.add(said, user_id="u", infer=False)
        assert [hit.text for hit in memory.search(asked, user_id="u")] == [said]
        for query in [*UNRELATED, *STRANGERS, "Who is Anthony?"]:
            assert memory.search(query, user_id="u") == []


class Down(MiniLM):
    """Never there."""

    def embed(self, texts):
        raise ConnectionError("no route")


def test_by_words_alone_the_floor_still_tells(tmp_path):
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=Down()) as memory:
        memory.add([{"role": "user", "content": fact} for fact in FACTS], user_id="u", infer=False)
        assert memory.search("allergic to peanuts?", user_id="u")[0].text == FACTS[4]
        assert memory.search("git commit hash", user_id="u") == []
