"""What becomes of a model's odd replies, through the whole library: real HTTP, SQLite and FAISS.

Whatever comes back: no odd reply is an empty success, nothing foreign is raised or touched, no well-formed fact is lost, every
answer is paid for once, and what had to stay pending is finished once by a model that answers well.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from recollect import Memory
from recollect.errors import ModelError, RecollectError
from recollect.testing import HashEmbedder, ModelEndpoint, Reply

SAID = ("I moved to Rome in May.", "My cat is called Pixel.", "We hike on Sundays.")
TEXTS = ("Ann moved to Rome in May.", "Ann's cat is called Pixel.", "Ann hikes on Sundays.")
ROME, CAT, HIKE = TEXTS
KNOWN = {said: {"text": text} for said, text in zip(SAID, TEXTS, strict=True)}
OF_BOB = (*TEXTS, "Bob's code word is xyzzy.")


def fact(text=ROME, **more):
    """A fact of the reply; the new messages have the numbers 2, 3 and 4, and 1 is context."""
    number = TEXTS.index(text) + 2 if text in TEXTS else 2
    return {
        "text": text,
        "kind": "profile",
        "evidence": [{"message": number, "quote": SAID[number - 2]}],
        **more,
    }


def without(key, **more):
    return {name: value for name, value in fact(**more).items() if name != key}


THREE = [fact(text) for text in TEXTS]
WHOLE = json.dumps({"facts": THREE})


@dataclass(frozen=True)
class Read:
    """The reply is read: what is stored of it, and why the rest of it is not."""

    stored: tuple[str, ...] = TEXTS
    rejected: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fails:
    """The reply is not read: asked again, halved; then a named error."""

    error: str = "ExtractionFailed"
    calls: int = 6  # three times for all messages, three times for the first half of them


ALL = Read()
TWO = (CAT, HIKE)


def but(rejected, **more):
    """One bad fact of three: it costs itself, and is reported."""
    return {"facts": [fact(**more), fact(CAT), fact(HIKE)]}, Read(TWO, (rejected,))


def quoting(*evidence):
    return {"evidence": list(evidence)}


ODD: dict[str, tuple[Any, Read | Fails]] = {
    # what surrounds the JSON
    "prose around it": (f"Sure! Here is what I found:\n{WHOLE}\nAnything else?", ALL),
    "a fence": (f"```json\n{WHOLE}\n```", ALL),
    "a fence, and prose": (f"Done.\n```\n{WHOLE}```\nI left [nothing] out.", ALL),
    "thoughts": (f'<think>Perhaps {{"facts": []}}?</think>{WHOLE}', ALL),
    "thoughts without a beginning": (f'Or {{"facts": []}}.</think>{WHOLE}', ALL),
    "trailing garbage": (f"{WHOLE}}}]}}<|im_end|>", ALL),
    "the same twice": (f"{WHOLE}\nAgain: {WHOLE}", ALL),
    # another form, of which there is one reading
    "a list at the top": (THREE, ALL),
    "a single fact at the top": (fact(), Read((ROME,))),
    "a fact for the list of one": ({"facts": fact()}, Read((ROME,))),
    "facts one after the other": ("\n".join(map(json.dumps, THREE)), ALL),
    "extra keys": ({"facts": [{**one, "confidence": 0.9} for one in THREE], "note": "x", "entities": 5}, ALL),
    "duplicated facts": ({"facts": THREE * 3}, ALL),
    "an unknown kind": ({"facts": [fact(kind="biography"), fact(CAT, kind=None), without("kind", text=HIKE)]}, ALL),
    "numbers of messages as text": (
        {
            "facts": [
                fact(**quoting({"message": "2", "quote": SAID[0]})),
                fact(CAT, **quoting({"message": "[3]", "quote": SAID[1]})),
                fact(HIKE, evidence={"message": 4.0, "quote": SAID[2]}),
            ]
        },
        ALL,
    ),
    "nulls everywhere": (
        {
            "facts": [
                {**one, **dict.fromkeys(("subject", "attribute", "value", "many", "entities", "relations"))}
                | dict.fromkeys(("event", "since", "retracts", "forget", "kind"))
                for one in THREE
            ]
        },
        ALL,
    ),
    "wrong types where a fact can do without": (
        {
            "facts": [
                fact(subject=5, attribute=["home"], value={"city": "Rome"}, many="perhaps", kind=7),
                fact(CAT, entities="Pixel", relations={"subject": "Ann"}, value=3.5),
                fact(HIKE, entities=[5, None, {"name": ""}, {"name": "Ann", "kind": 3}], relations=["x", {}]),
            ]
        },
        ALL,
    ),
    "empty strings where there is nothing": (
        {"facts": [fact(subject="", attribute="", value="", since="", event=""), fact(CAT), fact(HIKE)]},
        ALL,
    ),
    "dates with a time, an event without a date": (
        {
            "facts": [
                fact(event="2023-05-07T10:00:00Z", since="2023-05-07 10:00"),
                fact(CAT, event={"start": None, "end": None, "precision": None}),
                fact(HIKE, event={"start": "2023-05", "end": None, "precision": "about a month"}),
            ]
        },
        ALL,
    ),
    "NaN for a value": (json.dumps({"facts": [fact(value=float("nan"))]}), Read((ROME,))),
    "a fact in another language": (
        {"facts": [fact("安は五月にローマへ引っ越した。🎉")]},
        Read(("安は五月にローマへ引っ越した。🎉",)),
    ),
    # one bad fact of three
    "a number for a text": but("malformed: text: Input should be a valid string", text=5),
    "an empty text": but("malformed: text: String should have at least 1 character", text=""),
    "no text": ({"facts": [without("text"), fact(CAT), fact(HIKE)]}, Read(TWO, ("malformed: text: Field required",))),
    "a blank text": but("empty text", text="  \n "),
    "a lone surrogate": but("malformed: text: holds a NUL or a lone surrogate", text="Ann \ud800 moved"),
    "a NUL": but("malformed: text: holds a NUL or a lone surrogate", text="Ann \x00 moved"),
    "null for a fact": (
        {"facts": [None, fact(CAT), fact(HIKE)]},
        Read(TWO, ("malformed: it: Input should be a valid",)),
    ),
    "a string for a fact": ({"facts": [ROME, fact(CAT), fact(HIKE)]}, Read(TWO, ("malformed: it: Input should be a",))),
    "a list for a fact": ({"facts": [[fact()], fact(CAT), fact(HIKE)]}, Read(TWO, ("malformed: it: Input should be",))),
    "a date in words": but("malformed: event.start: String should match", event={"start": "last May"}),
    "no such day": but("2023-02-30 is no date", event={"start": "2023-02-30", "precision": "day"}),
    "the year 0": but("0000 is no date", since="0000"),
    "a number for a date": but("malformed: since: Input should be a valid string", since=2023),
    "an event that ends before it starts": but(
        "its event ends before it starts", event={"start": "2023-05-07", "end": "2023-05-01", "precision": "range"}
    ),
    "perhaps a retraction": but("malformed: retracts: Input should be a valid boolean", retracts="perhaps"),
    "no evidence": (
        {"facts": [without("evidence"), fact(CAT), fact(HIKE)]},
        Read(TWO, ("malformed: evidence: Field",)),
    ),
    "an empty list of evidence": but("no quote of it stands in its turn", evidence=[]),
    "evidence of which nothing can be read": but("malformed: evidence.0: Input should be a valid", evidence=["Rome"]),
    "evidence without a quote": but("malformed: evidence.0.quote: Field required", evidence=[{"message": 2}]),
    "an empty quote": but("malformed: evidence.0.quote: String", evidence=[{"message": 2, "quote": ""}]),
    "unknown messages": but(
        "no quote of it stands in its turn",
        evidence=[{"message": n, "quote": SAID[0]} for n in (0, -1, 5, 10**8)],
    ),
    "a fabricated quote": but("no quote of it stands", evidence=[{"message": 2, "quote": "I bought a boat"}]),
    "a paraphrased quote": but("no quote of it stands", evidence=[{"message": 2, "quote": "I have moved to Rome"}]),
    "a quote of context alone": but("it quotes context only", evidence=[{"message": 1, "quote": "Where do you live?"}]),
    "a quote from another message": (
        {"facts": [fact(evidence=[{"message": 4, "quote": SAID[0]}]), fact(CAT), fact(HIKE)]},
        ALL,
    ),
    "one good quote among bad ones": (
        {"facts": [fact(evidence=[5, {"message": 9, "quote": "x"}, {"message": 2, "quote": "moved to Rome"}])]},
        Read((ROME,)),
    ),
    "a text of a megabyte": but("text longer than 2000 characters", text="Ann moved. " * 100_000),
    "a quote of a megabyte": but("no quote of it stands", evidence=[{"message": 2, "quote": "Rome " * 200_000}]),
    "a thousand entities": but("more or longer names", entities=[{"name": f"Rome {n}"} for n in range(1000)]),
    "a thousand facts": (
        {"facts": [fact(text=f"Ann moved to Rome by way {n}.") for n in range(1000)]},
        Read(tuple(f"Ann moved to Rome by way {n}." for n in range(200)), ("too many facts in one chunk",) * 800),
    ),
    # nothing that can be read
    "cut in the first fact": (WHOLE[:30], Fails()),
    "cut in the second fact": (WHOLE[: len(WHOLE) // 2], Fails()),
    "cut after a fact": (WHOLE[: WHOLE.index("}]}") + 4], Fails()),
    "cut before the last brace": (WHOLE[:-1], Fails()),
    "cut in a fence": (f"```json\n{WHOLE[:-2]}\n```", Fails()),
    "cut by the limit of tokens": (Reply(WHOLE[:80], finish_reason="length"), Fails(calls=2)),
    "whole, and yet at the limit of tokens": (Reply(WHOLE, finish_reason="length"), Fails(calls=2)),
    "only thoughts": (f"<think>{WHOLE}", Fails()),
    "a wrong key": ({"memories": THREE}, Fails()),
    "the other prompt's key": ({"decisions": []}, Fails()),
    "an empty object": ({}, Fails()),
    "an empty object for the list": ({"facts": {}}, Fails()),
    "an empty list at the top": ([], Fails()),
    "null for the list": ({"facts": None}, Fails()),
    "a string for the list": ({"facts": "none"}, Fails()),
    "strings for all facts": ({"facts": list(TEXTS)}, Fails()),
    "numbers for all texts": ({"facts": [fact(text=n) for n in range(3)]}, Fails()),
    "no evidence for anything": ({"facts": [without("evidence", text=text) for text in TEXTS]}, Fails()),
    "two lists that differ": (f"{json.dumps({'facts': [fact()]})}\n{json.dumps({'facts': [fact(CAT)]})}", Fails()),
    "null": ("null", Fails()),
    "NaN for the list": ('{"facts": NaN}', Fails()),
    "infinity among the facts": ('{"facts": [Infinity, -Infinity]}', Fails()),
    "no content": (Reply(None), Fails()),
    "empty content": ("", Fails()),
    "prose": ("There is nothing worth keeping here.", Fails()),
    "HTML for content": ("<html><body>502 Bad Gateway</body></html>", Fails()),
    "an error for content": ({"error": {"message": "overloaded", "code": 529}}, Fails()),
    "nested deeply": ('{"facts": ' + "[" * 20_000 + "]" * 20_000 + "}", Fails()),
    "objects nested deeply": ('{"facts": ' + '{"facts": ' * 20_000 + "1" + "}" * 20_001, Fails()),
    "a megabyte of noise": ("na " * 350_000, Fails()),
    "lone surrogates for all": ({"facts": [{**one, "text": "\ud800"} for one in THREE]}, Fails()),
    "refused": (Reply(None, message={"refusal": "I will not."}), Fails("ModelRefused", 1)),
    "filtered": (Reply("", finish_reason="content_filter"), Fails("ModelRefused", 1)),
    "filtered, with an empty list": (Reply({"facts": []}, finish_reason="content_filter"), Fails("ModelRefused", 1)),
    "HTML for a body": (Reply(body="<html>hello</html>"), Fails("ModelUnavailable", 0)),
    "no body": (Reply(body=b""), Fails("ModelUnavailable", 0)),
    "half a body": (Reply(WHOLE, cut="half"), Fails("ModelUnavailable", 0)),
    "no choices": (Reply(WHOLE, extra={"choices": []}), Fails()),
}


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr("recollect.adapters.retry.FIRST_WAIT", 0.01)


@dataclass
class Scene:
    """Ann's memory, with Bob's beside it, and the endpoint of a model that becomes odd."""

    memory: Memory
    endpoint: ModelEndpoint
    model: Any
    bob: Any
    before: int

    def add(self, said):
        messages = [{"role": "user", "name": "Ann", "content": one} for one in said]
        return self.memory.add(messages, user_id="ann", session_id="s", idempotency_key="test")

    def texts(self):
        return sorted(item.text for item in self.memory.get_all(user_id="ann"))

    def calls(self):
        return self.endpoint.calls - self.before

    def hold_to_what_always_holds(self, *results):
        """Bob is neither touched nor shown; the store is whole; what was paid is what the endpoint answered."""
        assert dump(self.memory, "bob") == self.bob
        assert not any("xyzzy" in request.text for request in self.endpoint.requests)
        assert self.memory.verify().problems == ()
        for field, ours in (("llm_calls", "calls"), ("input_tokens",) * 2, ("output_tokens",) * 2):
            assert sum(getattr(one.usage, field) for one in results) == getattr(self.endpoint, ours)


def dump(memory, user):
    items = memory.get_all(user_id=user)
    return [(item, memory.history(item.id), memory.sources(item.id)) for item in items]


@pytest.fixture
def scene(tmp_path, knowing):
    model = knowing(KNOWN)
    with (
        ModelEndpoint(model) as endpoint,
        Memory(tmp_path, llm="openai/any", api_base=endpoint.url, api_key="none", embedder=HashEmbedder()) as memory,
    ):
        memory.add([{"role": "user", "content": text} for text in OF_BOB], user_id="bob", infer=False)
        yield Scene(memory, endpoint, model, dump(memory, "bob"), 0)


@pytest.fixture
def extracting(scene):
    scene.first = scene.memory.add("Where do you live?", user_id="ann", session_id="s")
    scene.before = scene.endpoint.calls
    return scene


@pytest.mark.parametrize(("odd", "outcome"), ODD.values(), ids=ODD)
def test_odd_extractions(extracting, odd, outcome):
    scene, scene.model.odd = extracting, odd
    if isinstance(outcome, Fails):
        with pytest.raises(ModelError) as caught:
            scene.add(SAID)
        error = caught.value
        (pending,) = scene.memory.pending()
        assert (type(error).__name__, scene.calls()) == (outcome.error, outcome.calls)
        assert (error.batch_id, pending.error, pending.status) == (pending.batch_id, outcome.error, "pending")
        assert scene.texts() == [] and "Rome" not in str(error)
        scene.model.odd = None
        assert scene.memory.resume().finished == (error.batch_id,) and scene.memory.resume().finished == ()
        outcome = ALL
    result = scene.add(SAID)  # the first result again, where it was pending
    assert result.status == "done" and scene.texts() == sorted(outcome.stored)
    assert [one.reason[: len(why)] for one, why in zip(result.rejected, outcome.rejected, strict=True)] == list(
        outcome.rejected
    )
    scene.hold_to_what_always_holds(scene.first, result)


@pytest.mark.parametrize(
    "odd", [pytest.param(odd, id=name) for name, (odd, end) in ODD.items() if isinstance(end, Fails)]
)
def test_an_odd_extraction_that_passes(extracting, odd):
    replies = iter([odd])

    def once(request):
        reply = next(replies, None)
        if reply is not None:
            return reply
        extracting.model.odd = None
        return extracting.model(request)

    extracting.model.odd = once
    try:
        result = extracting.add(SAID)
    except RecollectError as error:
        assert type(error).__name__ == "ModelRefused"  # the one that is not asked again
        extracting.memory.resume()
        result = extracting.add(SAID)
    assert extracting.texts() == sorted(TEXTS) and result.rejected == () and extracting.calls() <= 3
    extracting.hold_to_what_always_holds(extracting.first, result)


# --- decisions ---------------------------------------------------------------------------------------------------------

SEEDS = {
    "I live in Oslo.": {
        "text": "Ann lives in Oslo.",
        "subject": "Ann",
        "attribute": "home",
        "value": "Oslo",
        "many": False,
    },
    "I work at Acme.": {"text": "Ann works at Acme.", "subject": "Ann", "attribute": "employer", "value": "Acme"},
    "I like tea.": {"text": "Ann likes tea.", "subject": "Ann", "attribute": "drink", "value": "tea"},
}
NEWS = {
    "I moved to Rome.": {"text": "Ann lives in Rome.", "subject": "Ann", "attribute": "home", "value": "Rome"},
    "I left Acme.": {
        "text": "Ann no longer works at Acme.",
        "subject": "Ann",
        "attribute": "employer",
        "retracts": True,
    },
}
FORGET = {"Forget my shoe size.": {"text": "Forget Ann's shoe size.", "forget": True}}
OSLO, ACME, TEA = (one["text"] for one in SEEDS.values())
IN_ROME, LEFT = (one["text"] for one in NEWS.values())
BESIDE = (OSLO, ACME, TEA, IN_ROME, LEFT)  # nothing is changed, both facts are added


@dataclass(frozen=True)
class Decided:
    """What follows: what is live, and what the guard says of each fact ("" where it says nothing)."""

    live: tuple[str, ...]
    flags: tuple[str, ...] = ("", "")
    calls: int = 1


def rome(n, **more):
    """The right decision on the first fact, or a wrong one."""
    right = {"fact": n("lives in Rome"), "op": "UPDATE", "targets": [n("lives in Oslo")], "mode": "supersede"}
    return {**right, "text": IN_ROME, "reason": "moved", **more}


def left(n, **more):
    """The same of the second."""
    return {"fact": n("no longer"), "op": "DELETE", "targets": [n("works at Acme")], "mode": None, "text": None} | more


def every(n):
    return [n("lives in Oslo"), n("works at Acme"), n("likes tea")]


RIGHT = Decided((IN_ROME, TEA))
NO_ROME = (OSLO, IN_ROME, TEA)  # the first fact was added beside what it should have ended
NO_LEFT = (IN_ROME, ACME, LEFT, TEA)
TWICE = 3 + 1  # what cannot be read is asked again, at most twice each time: the whole, then what it left out


def refused(flag, live=NO_ROME, **more):
    """A decision on the first fact that may not stand: the fact is added, and flagged."""
    return (lambda n: [rome(n, **more), left(n)]), Decided(live, (flag, ""))


def unread(**more):
    """A decision on the first fact that cannot be read, however often it is asked for."""
    return (lambda n: [rome(n, **more), left(n)]), Decided(NO_ROME, ("no decision", ""), TWICE)


DECISIONS: dict[str, tuple[Any, Decided | Fails]] = {
    "right": (lambda n: [rome(n), left(n)], RIGHT),
    # another form, of which there is one reading
    "lower case": (lambda n: [rome(n, op=" update", mode="SUPERSEDE"), left(n, op="Delete")], RIGHT),
    "numbers as text": (
        lambda n: [
            rome(n, fact=str(n("lives in Rome")), targets=[f"[{n('lives in Oslo')}]"]),
            left(n, targets=str(n("works at Acme"))),
        ],
        RIGHT,
    ),
    "a number for the list of one": (
        lambda n: [rome(n, targets=n("lives in Oslo")), left(n, targets=float(n("works at Acme")))],
        RIGHT,
    ),
    "the facts in another order": (lambda n: [left(n), rome(n)], RIGHT),
    "too many decisions": (lambda n: [rome(n), left(n), rome(n, fact=99, op="DELETE"), rome(n, fact=1)], RIGHT),
    "the same decision twice": (lambda n: [rome(n), rome(n), left(n)], RIGHT),
    "extra keys, no reason, no mode": (
        lambda n: [{**rome(n, confidence=1, reason=None, mode=None)}, left(n, reason=["x"])],
        RIGHT,
    ),
    "an update without a text": (lambda n: [rome(n, text=None), left(n)], RIGHT),
    "an unreadable decision among good ones": (lambda n: [5, rome(n), None, "ADD", left(n), {}], RIGHT),
    # what the guard refuses
    "an unknown target": refused("unknown target", targets=[99]),
    "itself for a target": (
        (lambda n: [rome(n, targets=[n("lives in Rome")]), left(n)]),
        Decided(NO_ROME, ("unknown target", "")),
    ),
    "one target twice": (
        lambda n: [rome(n, targets=[n("lives in Oslo")] * 2), left(n)],
        Decided(NO_ROME, ("no target, or one twice", "")),
    ),
    "no target": refused("no target", targets=[]),
    "null for the targets": refused("no target", targets=None),
    "two operations on one target": (
        lambda n: [rome(n), left(n, targets=[n("lives in Oslo")])],
        Decided(NO_LEFT, ("", "two operations on one target")),
    ),
    "delete all": (
        lambda n: [rome(n, op="DELETE", targets=every(n)), left(n, targets=every(n))],
        Decided(BESIDE, ("a deletion without a retraction", "the target shares neither slot nor entity")),
    ),
    "delete what is not over": refused("a deletion without a retraction", op="DELETE", targets=[1]),
    "an update to nothing": refused("empty update", text=" "),
    "an invented name": refused("names or numbers that occur nowhere", text="Ann lives in Rome with Zoe."),
    "an invented number": refused("names or numbers that occur nowhere", text="Ann lives in Rome at 12 Via Appia."),
    "an invented date": refused("names or numbers that occur nowhere", text="Ann lives in Rome since 3 May 2019."),
    "NONE with a wrong target": refused("unknown target", op="NONE", targets=[99]),
    "NONE without a target": refused("nothing that says it was named", op="NONE", targets=[]),
    "NONE for a retraction, without a target": (
        lambda n: [rome(n), left(n, op="NONE", targets=None)],
        Decided(NO_LEFT, ("", "nothing that says it was named")),
    ),
    "a retraction that hits nothing": (lambda n: [rome(n), left(n, targets=[])], Decided(NO_LEFT, ("", "no target"))),
    "a retraction of something else": (
        lambda n: [rome(n), left(n, targets=[n("likes tea")])],
        Decided(NO_LEFT, ("", "the target shares neither slot nor entity")),
    ),
    # what is asked again, and then added
    "an unknown operation": unread(op="MERGE"),
    "no operation": unread(op=None),
    "an unknown mode": unread(mode="merge"),
    "an id for a target": unread(targets=["mem_00000000000000000000000000000000"]),
    "objects for targets": unread(targets=[{"number": 1}]),
    "true for a fact": unread(fact=True),
    "a number for a text": unread(text=5),
    "a NUL in the text": unread(text="Ann \x00 lives in Rome."),
    "a missing decision": (lambda n: [left(n)], Decided(NO_ROME, ("no decision", ""), 2)),
    "no decisions": (lambda n: [], Decided(BESIDE, ("no decision", "no decision"), 2)),
    "decisions on other facts": (
        lambda n: [rome(n, fact=77), left(n, fact=n("likes tea"))],
        Decided(BESIDE, ("no decision", "no decision"), 2),
    ),
    "two unlike decisions on one fact": (
        lambda n: [rome(n), rome(n, op="ADD"), left(n)],
        Decided(NO_ROME, ("no decision", ""), 2),
    ),
    # nothing that can be read
    "all of them unknown operations": (
        lambda n: [rome(n, op="MERGE"), left(n, op="DROP")],
        Fails("ReconciliationFailed"),
    ),
    "a wrong key": (Reply({"results": []}), Fails("ReconciliationFailed")),
    "the other prompt's key": (Reply({"facts": []}), Fails("ReconciliationFailed")),
    "null for the list of decisions": (Reply({"decisions": None}), Fails("ReconciliationFailed")),
    "null": (Reply("null"), Fails("ReconciliationFailed")),
    "prose": (Reply("Both are new."), Fails("ReconciliationFailed")),
    "cut": (Reply('{"decisions": [{"fact": 4, "op": "ADD", "targets": []}, {"fa'), Fails("ReconciliationFailed")),
    "cut by the limit of tokens": (Reply('{"decisions": [', finish_reason="length"), Fails("ReconciliationFailed", 2)),
    "nested deeply": (Reply('{"decisions": ' + "[" * 20_000), Fails("ReconciliationFailed")),
    "refused": (Reply(None, message={"refusal": "No."}), Fails("ModelRefused", 1)),
    "no body": (Reply(body=b""), Fails("ModelUnavailable", 0)),
}


@pytest.fixture
def reconciling(scene):
    scene.model.facts = {**SEEDS, **NEWS, **FORGET}
    talk = [{"role": "user", "content": said} for said in SEEDS]
    scene.first = scene.memory.add(talk, user_id="ann", session_id="t")
    scene.memory.add([{"role": "user", "content": one} for one in (OSLO, ACME)], user_id="bob", infer=False)
    scene.bob, scene.before = dump(scene.memory, "bob"), scene.endpoint.calls
    assert scene.calls() == 0 and scene.texts() == sorted((OSLO, ACME, TEA))
    return scene


def play(scene, odd):
    """Answer reconciliations with a reply, or with decisions."""
    if isinstance(odd, Reply):
        scene.model.odd_decisions = odd
    else:
        scene.model.decide = odd


@pytest.mark.parametrize(("odd", "outcome"), DECISIONS.values(), ids=DECISIONS)
def test_odd_decisions(reconciling, odd, outcome):
    scene = reconciling
    play(scene, odd)
    if isinstance(outcome, Fails):
        with pytest.raises(ModelError) as caught:
            scene.add(NEWS)
        (pending,) = scene.memory.pending()
        assert (type(caught.value).__name__, scene.calls() - 1) == (outcome.error, outcome.calls)
        assert caught.value.batch_id == pending.batch_id and pending.error == outcome.error
        assert scene.texts() == sorted((OSLO, ACME, TEA)) and "Rome" not in str(caught.value)
        scene.model.odd_decisions, scene.model.decide = None, DECISIONS["right"][0]
        before = scene.calls()
        assert scene.memory.resume().finished == (pending.batch_id,) and scene.memory.resume().finished == ()
        assert scene.calls() - before == 1  # the facts were journalled: they are not paid for again
        outcome = Decided(RIGHT.live, calls=scene.calls() - 1)
    result = scene.add(NEWS)
    assert scene.texts() == sorted(outcome.live) and scene.calls() - 1 == outcome.calls
    assert [(one.flag or "")[: len(flag)] for one, flag in zip(result.changes, outcome.flags, strict=True)] == list(
        outcome.flags
    )
    scene.hold_to_what_always_holds(scene.first, result)


@pytest.mark.parametrize(
    ("decision", "flag"),
    [
        ({"op": "DELETE", "targets": [99]}, "unknown target"),
        ({"op": "DELETE", "targets": []}, "no target"),
        ({"op": "ADD", "targets": []}, "a bare request to forget states nothing"),
        ({"op": "UPDATE", "targets": [1], "text": None}, "a bare request to forget states nothing"),
        ({"op": "NONE", "targets": []}, None),
    ],
    ids=lambda one: one["op"] if isinstance(one, dict) else "",
)
def test_a_bare_request_to_forget_that_hits_nothing(reconciling, decision, flag):
    reconciling.model.decide = lambda n: [{"fact": n("shoe size"), **decision}]
    result = reconciling.add(FORGET)
    (change,) = result.changes
    assert change.op == "NONE" and change.memory is None and (change.flag or "").startswith(flag or "")
    assert reconciling.texts() == sorted((OSLO, ACME, TEA))
    reconciling.hold_to_what_always_holds(reconciling.first, result)


def test_the_id_of_another_users_memory_is_no_target(reconciling):
    theirs = next(item.id for item in reconciling.memory.get_all(user_id="bob") if item.text == OSLO)
    reconciling.model.decide = lambda n: [rome(n, targets=[theirs]), left(n)]
    result = reconciling.add(NEWS)
    assert reconciling.texts() == sorted(NO_ROME)
    assert [change.flag for change in result.changes] == ["no decision", None]
    reconciling.hold_to_what_always_holds(reconciling.first, result)
