"""Secrets through the whole library: three ways in, and none in the folder, the logs, the traces or what an endpoint received."""

from __future__ import annotations

import base64
import json
import logging
import random
import re

import chaos
import pytest
from security.synthetic import MAKERS, secrets, sentence

from recollect import Memory
from recollect.model import Add, Evidence, Extraction, Fact, Kind, Reconciliation, Rejected
from recollect.testing import HashEmbedder, ModelEndpoint, ScriptedLanguage

COUNT = 300 if chaos.LONG else len(MAKERS)
TOGETHER = 8  # messages of one add
KEY = "AKIAIOSFODNN7EXAMPLE"
CARD = "4242 4242 4242 4242"
_LINE = re.compile(r"^\[(\d+)\] (.*)$", re.MULTILINE)


def echo(request):
    """A model that tells every line it is shown as a fact, and adds all of them."""
    question = request.body["messages"][1]["content"]
    if "New facts:" in question:
        asked = _LINE.findall(question.split("New facts:")[1])
        return {"decisions": [{"fact": int(n), "op": "ADD", "targets": [], "reason": line[:80]} for n, line in asked]}
    lines = _LINE.findall(question.split("New messages:")[1])
    told = [(int(n), line.split(": ", 1)[-1]) for n, line in lines]
    facts = [
        {"kind": "knowledge", "text": line[:1500], "evidence": [{"message": n, "quote": line[:1500]}]}
        for n, line in told
    ]
    return {"facts": facts}


class World:
    """A store whose model and embedder are an endpoint that keeps what it received; with all logs and traces."""

    def __init__(self, folder, caplog, **options):
        self.folder, self.caplog, self.events, self.shown = folder, caplog, [], []
        caplog.set_level(logging.DEBUG)
        self.endpoint = ModelEndpoint(echo)
        self.options = options

    def __enter__(self):
        self.endpoint.__enter__()
        key = {"llm": "openai/any", "api_base": self.endpoint.url, "api_key": "none", "embedder": "openai/hash"}
        hosted = {"embedder_api_base": self.endpoint.url, "embedder_api_key": "none", "on_event": self.events.append}
        self.memory = Memory(self.folder, **(key | hosted | self.options))
        return self

    def __exit__(self, *error):
        self.memory.close()
        self.endpoint.__exit__(*error)

    def places(self):
        """Every place where a secret could be, as bytes."""
        files = [(str(path.name), path.read_bytes()) for path in sorted(self.folder.rglob("*")) if path.is_file()]
        received = [
            json.dumps([one.headers, one.body], ensure_ascii=False, default=dict) for one in self.endpoint.requests
        ]
        logged = [f"{one.getMessage()} {one.args!r} {one.exc_text or ''}" for one in self.caplog.records]
        texts = {
            "endpoint": received,
            "logs": logged,
            "traces": map(repr, self.events),
            "results": map(repr, self.shown),
        }
        return [*files, *((place, "\n".join(parts).encode("utf-8", "replace")) for place, parts in texts.items())]


def forms(needle):
    """How a text may stand in a file: plain, in JSON, in UTF-16, in base64 at each of three offsets."""
    plain = needle.encode()
    yield plain
    yield json.dumps(needle)[1:-1].encode()
    yield json.dumps(json.dumps(needle))[3:-3].encode()
    yield needle.encode("utf-16-le")
    yield needle.encode("utf-16-be")
    yield needle.casefold().encode()
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + plain)
        whole = encoded[(0, 2, 3)[offset] : len(encoded) - (0, 3, 2)[(offset + len(plain)) % 3]]
        yield whole
        yield whole.translate(bytes.maketrans(b"+/", b"-_"))


def left(places, needles):
    """(place, needle) of all that is found."""
    everything = b"\0".join(data for _, data in places)
    there = [(needle, form) for needle in needles for form in set(forms(needle)) if form in everything]
    return [(name, needle) for needle, form in there for name, data in places if form in data]


def ways(memory, way, texts):
    """Hand the texts in by one of the three ways; the results."""
    for start in range(0, len(texts), TOGETHER):
        some = texts[start : start + TOGETHER]
        messages = [{"role": "user", "name": "Ann", "content": one} for one in some]
        if way == "metadata":
            nested = {
                "notes": [{"deep": {one: i}} for i, one in enumerate(some)],
                **{f"k{i}": one for i, one in enumerate(some)},
            }
            yield memory.add(f"What I noted on day {start}, see there.", user_id="u", metadata=nested)
        else:
            yield memory.add(messages, user_id="u", infer=way == "messages")


@pytest.mark.parametrize("way", ["messages", "metadata", "infer=False"])
def test_no_secret_is_left_anywhere(way, tmp_path, caplog):
    rng = random.Random(way)
    made = secrets(len(way), COUNT)
    texts = [sentence(rng, one) for one in made]
    with World(tmp_path / "store", caplog) as world:
        for result in ways(world.memory, way, texts):
            world.shown.append(result)
        found = [one.kind for result in world.shown for one in result.redacted]
        world.shown.append(world.memory.get_all(user_id="u"))
        for text in texts[:: max(1, COUNT // 20)]:
            world.shown += [
                world.memory.search(text, user_id="u", include=("memories", "turns")),
                world.memory.context(text, user_id="u"),
            ]
        world.memory.verify()
        assert world.memory.count(user_id="u") > 0, "nothing was stored, so nothing was tried"
        open_places = world.places()
    with chaos.tries(f"a secret by {way}") as tried:
        for one in made:
            with tried.one(one.kind):
                assert one.kind in found, "not reported"
                assert not left(open_places, one.needles)
    if way == "messages":
        flat = [one for result in world.shown[: -(-COUNT // TOGETHER)] for one in result.redacted]
        assert all(0 <= one.message < TOGETHER for one in flat)
    if way == "metadata":
        assert {one.message for result in world.shown[: -(-COUNT // TOGETHER)] for one in result.redacted} == {None}


def test_the_scan_finds_what_is_there(tmp_path, caplog):
    """The same without redaction: the store, the endpoint and the traces have it all, in the forms that are looked for."""
    made = secrets(5, 10)
    needles = [needle for one in made for needle in one.needles[:1]]
    with World(tmp_path / "store", caplog, redact=False) as world:
        results = list(ways(world.memory, "messages", [f"Keep {one.written} safe" for one in made]))
        assert all(result.redacted == () for result in results)
        found = left(world.places(), needles)
    assert {needle for _, needle in found} >= set(needles)
    assert {"endpoint", "traces"} <= {place for place, _ in found} and any("ledger" in place for place, _ in found)
    assert all(next(iter(left([("x", form)], [needle])), None) for needle in needles for form in forms(needle))


def test_every_other_way_in_is_redacted_too(tmp_path, caplog):
    with World(tmp_path / "store", caplog, instructions=f"Never keep {KEY}.") as world:
        memory = world.memory
        added = memory.add(f"I bank with {CARD} in Bonn", user_id="u", metadata={f"k {KEY}": [KEY]})
        assert [(one.kind, one.message) for one in added.redacted] == [
            ("card_number", 0), ("aws_access_key", None), ("aws_access_key", None)
        ]  # fmt: skip
        item = added.changes[0].memory
        assert "[REDACTED:card_number]" in item.text
        assert item.metadata == {"k [REDACTED:aws_access_key]": ["[REDACTED:aws_access_key]"]}
        memory.add(
            [{"role": "user", "name": f"Ann {KEY}", "content": "I like tea from Assam"}], user_id="u", wait=False
        )
        memory.flush()
        updated = memory.update(item.id, f"Banks with {CARD} now", {"n": {"m": CARD}}, user_id="u")
        assert updated.text == "Banks with [REDACTED:card_number] now" and updated.metadata["n"] == {
            "m": "[REDACTED:card_number]"
        }
        world.shown += [
            memory.search(f"is it {CARD}?", user_id="u"),
            memory.context(KEY, user_id="u"),
            memory.retell(user_id="u"),
        ]
        world.shown += [memory.history(item.id), memory.sources(item.id)]
        assert memory.verify().ok
        assert not left(world.places(), [KEY, CARD, CARD.replace(" ", "")])


def test_an_earlier_result_still_tells_what_was_kept_out(memory):
    first = memory.add(f"card {CARD}", user_id="u", idempotency_key="once")
    again = memory.add("something else", user_id="u", idempotency_key="once")
    assert first.redacted == again.redacted and [one.kind for one in again.redacted] == ["card_number"]


def test_quotes_stand_in_the_turns_that_are_kept(tmp_path, caplog):
    with World(tmp_path / "store", caplog) as world:
        added = world.memory.add(f"Anna pays with {CARD} in Rome, since 2021", user_id="u")
        (source,) = world.memory.sources(added.changes[0].memory.id)
        assert source.quote == "Anna pays with [REDACTED:card_number] in Rome, since 2021" and added.rejected == ()
        assert world.memory.verify().ok


class Leaking(ScriptedLanguage):
    """An extractor and reconciler of a caller's, which put secrets together from somewhere."""

    async def extract(self, chunk):
        turn = chunk.turns[0]
        quoted = (Evidence(turn.id, turn.content),)
        facts = tuple(Fact(f"{word} has {KEY}", Kind.KNOWLEDGE, quoted, value=CARD) for word in ("Ann", "Bob"))
        return Extraction(facts, (Rejected(f"{KEY} is doubtful", f"no quote of {KEY}"),))

    async def reconcile(self, cases):
        return Reconciliation(tuple(Add(reason=f"because of {KEY}") for _ in cases))


def test_what_an_extractor_puts_together_is_redacted_before_it_is_journalled(tmp_path, caplog):
    with World(tmp_path / "store", caplog, llm=Leaking()) as world:
        for _ in range(2):
            world.shown.append(world.memory.add("Guess what", user_id="u", session_id="s"))
        assert "Ann has [REDACTED:aws_access_key]" in {item.text for item in world.memory.get_all(user_id="u")}
        assert world.shown[0].rejected[0].text == "[REDACTED:aws_access_key] is doubtful"
        world.shown.append(world.memory.get_all(user_id="u"))
        assert not left(world.places(), [KEY, CARD, CARD.replace(" ", "")])


def test_redaction_can_be_switched_off_and_is_no_mere_word(tmp_path):
    from recollect.errors import InvalidInput

    with pytest.raises(InvalidInput, match="redact"):
        Memory(tmp_path / "a", redact="no")
    with Memory(tmp_path / "b", llm=ScriptedLanguage(), embedder=HashEmbedder(), redact=False) as memory:
        added = memory.add(f"pin = {CARD}", user_id="u")
        assert added.redacted == () and CARD in added.changes[0].memory.text


def test_identifiers_are_left_as_they_are(memory):
    """Ids are the caller's names for things: what is stored under one must be found under it."""
    memory.add("home = Rome", user_id=KEY, session_id=CARD, idempotency_key=KEY)
    assert memory.count(user_id=KEY, session_id=CARD) == 1
