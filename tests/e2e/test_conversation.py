"""A scripted conversation of 200 turns with changes of mind, by the openai client against an endpoint, as it stands offline: what
is injected is what is current, and the number of memories is that of the things told."""

from __future__ import annotations

import random
import time

from openai import OpenAI

from recollect import Memory
from recollect.chat import remembering
from recollect.testing import ModelEndpoint
from recollect.trace import Recalled, Unheard, Unlearnt

TURNS = 200
WINDOW = 8  # messages of history that the caller hands in: as many as a chunk has
CITIES = ("Berlin", "Madrid", "Oslo", "Dublin", "Vienna", "Prague", "Lisbon", "Athens", "Helsinki", "Warsaw")
FIRMS = (
    "Acme",
    "Globex",
    "Initech",
    "Umbrella",
    "Hooli",
    "Vandelay",
    "Stark Industries",
    "Cyberdyne",
    "Tyrell",
    "Soylent",
)
COLOURS = ("blue", "green", "purple", "orange", "yellow", "crimson", "teal", "beige", "magenta", "turquoise")
SLOTS = {
    "I live in {}.": ("Which city do I live in?", CITIES),
    "I work at {}.": ("Which company do I work at?", FIRMS),
    "My favorite color is {}.": ("What is my favorite color?", COLOURS),
}
CHAT = (
    "Thanks, that helps.",
    "Tell me a joke, please.",
    "How does photosynthesis work?",
    "What is the capital of Peru?",
    "Can you shorten that?",
    "Good morning!",
)


def script(seed):
    """(said, question, what its answer is now, what it was before) of each turn; a question or "" where it is none."""
    chance, values = random.Random(seed), {told: list(slot[1]) for told, slot in SLOTS.items()}
    now, before = {}, {told: [] for told in SLOTS}
    for n in range(TURNS):
        told = list(SLOTS)[n // 2 % 3]
        if n % 20 < 6 and n % 2 == 0 and values[told]:
            if told in now:
                before[told].append(now[told])
            now[told] = values[told].pop(0)
            yield told.format(now[told]), None, ()
        elif n % 20 >= 14 and told in now:
            yield SLOTS[told][0], now[told], tuple(before[told])
        else:
            yield chance.choice(CHAT), None, ()


def answer(request):
    return f"Let me see. ({len(request.body['messages'])})"


def test_what_is_injected_is_current_and_nothing_that_was_superseded(tmp_path):
    events, asked = [], 0
    with (
        ModelEndpoint(answer) as endpoint,
        Memory(tmp_path, llm="rules", embedder="minilm", on_event=events.append) as memory,
        OpenAI(base_url=endpoint.url, api_key="none") as bare,
    ):
        client = remembering(bare, memory, user_id="u", session_id="s", close_idle=None, recall_seconds=None)
        history = []
        for said, current, superseded in script(7):
            while any(one.status == "pending" for one in client.recollect.pending()):
                time.sleep(0.01)  # people type more slowly than this
            history.append({"role": "user", "content": said})
            reply = client.chat.completions.create(
                model="any", messages=[{"role": "system", "content": "Be brief."}, *history[-WINDOW:]]
            )
            history.append({"role": "assistant", "content": reply.choices[0].message.content})
            block = client.recollect.shown().text
            assert endpoint.requests[-1].body["messages"][-1]["content"] == (f"{block}\n\n{said}" if block else said)
            if current is not None:
                asked += 1
                assert current in block, (said, block)
                assert [old for old in superseded if old in block] == [], (said, block)
        assert client.recollect.close() == []
        assert asked > 50 and memory.stats(user_id="u").turns == 2 * TURNS
        told = [item.text for item in memory.get_all(user_id="u")]
        assert len(told) == len(SLOTS), told
        assert memory.verify().ok
    assert [
        event
        for event in events
        if isinstance(event, Unheard | Unlearnt) or (isinstance(event, Recalled) and event.error)
    ] == []
