"""Extracting kept turns anew with a model: what the rules stored gives way, what the caller did stays, and all can be undone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from recollect import Memory
from recollect.errors import ModelUnavailable
from recollect.testing import HashEmbedder, ModelEndpoint, Reply

TELLS = {
    "I live in Oslo": {"text": "Ann's home is Oslo.", "subject": "Ann", "attribute": "home", "many": False},
    "I have a dog called Rex": {"text": "Ann owns the dog Rex.", "subject": "Ann", "attribute": "pet"},
    "I work at Acme": {"text": "Ann is employed by Acme.", "subject": "Ann", "attribute": "employer"},
    "I like green tea": {"text": "Ann enjoys green tea.", "subject": "Ann", "attribute": "drink"},
    "I moved to Rome": {"text": "Ann settled in Rome.", "subject": "Ann", "attribute": "home", "many": False},
    "My sister Eva is a nurse": {"text": "Eva, Ann's sister, works as a nurse.", "subject": "Eva", "attribute": "work"},
}
TOLD = sorted(one["text"] for one in TELLS.values())
BOTH = ("memories", "turns")


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr("recollect.adapters.retry.FIRST_WAIT", 0.01)


@pytest.fixture
def model(knowing):
    return knowing(TELLS)


@pytest.fixture
def endpoint(model):
    with ModelEndpoint(model) as running:
        yield running


def by_model(folder, endpoint):
    return Memory(folder, llm="openai/any", api_base=endpoint.url, api_key="none", embedder=HashEmbedder())


def by_rules(folder):
    return Memory(folder, llm="rules", embedder=HashEmbedder())


def fill(memory, user="ann"):
    """Three batches, differently added; each message is a fact to the rules too."""

    def said(*texts):
        return [{"role": "user", "name": "Ann", "content": f"{text}."} for text in texts]

    one, two, *rest = TELLS
    memory.add(
        said(one, two), user_id=user, session_id="a", agent_id="x", metadata={"topic": "home"}, timestamp="2024-01-01"
    )
    memory.add(
        said(*rest[:2]),
        user_id=user,
        session_id="b",
        metadata={"topic": "work"},
        expires_at="2099-01-01",
        timestamp="2024-02-01",
    )
    memory.add(said(*rest[2:]), user_id=user, timestamp="2024-03-01")


def items(memory, user="ann", **narrow):
    """What is live, but for when it was recorded."""
    found = memory.get_all(user_id=user, **narrow)
    return sorted((one.model_dump(exclude={"updated_at", "created_at"}) for one in found), key=lambda one: one["id"])


def texts(memory, user="ann"):
    return sorted(item.text for item in memory.get_all(user_id=user))


def turns(memory, user="ann"):
    """Ids of the turns that search finds, each as often as it does."""
    hits = memory.search("Oslo Rex Acme tea Rome Eva", user_id=user, include=("turns",), limit=50, min_score=0)
    return sorted(hit.id for hit in hits)


@pytest.fixture
def before(tmp_path):
    """The folder of a conversation that rules ingested."""
    with by_rules(tmp_path) as memory:
        fill(memory)
        fill(memory, "bob")
        assert memory.count(user_id="ann") >= 5
    return tmp_path


def test_nothing_of_the_old_extraction_is_live_and_no_turn_stands_twice(before, endpoint):
    with by_model(before, endpoint) as memory:
        old, bob = memory.get_all(user_id="ann"), items(memory, "bob")
        history = {item.id: memory.history(item.id) for item in old}
        stats, shown = memory.stats(user_id="ann"), turns(memory)
        result = memory.retell(user_id="ann")
        assert result.status == "done" and texts(memory) == TOLD
        assert not {item.id for item in old} & {item.id for item in memory.get_all(user_id="ann")}
        assert memory.stats(user_id="ann").turns == stats.turns and turns(memory) == shown
        assert len(shown) == len(set(shown)) == 6
        for item in old:
            *earlier, last = memory.history(item.id)
            assert [one.id for one in earlier] == [one.id for one in history[item.id]]
            assert (last.op, last.reason, last.batch_id) == ("DELETE", "told anew", result.batch_id)
        assert items(memory, "bob") == bob and memory.verify().problems == ()
        assert result.usage.llm_calls == endpoint.calls and endpoint.calls <= 2 * 3


def test_undoing_it_restores_exactly_what_was_live(before, endpoint):
    with by_model(before, endpoint) as memory:
        old, shown = items(memory), turns(memory)
        result = memory.retell(user_id="ann")
        memory.undo(result.batch_id)
        assert items(memory) == old and turns(memory) == shown and memory.verify().problems == ()


def test_metadata_expiry_agents_and_sessions_are_those_of_the_turns(before, endpoint):
    with by_model(before, endpoint) as memory:
        memory.retell(user_id="ann")
        found = {item.text: item for item in memory.get_all(user_id="ann")}
        rex, tea, eva = (next(one for text, one in found.items() if word in text) for word in ("Rex", "tea", "Eva"))
        assert (rex.session_ids, rex.agent_ids, dict(rex.metadata)) == (("a",), ("x",), {"topic": "home"})
        assert (tea.session_ids, tea.agent_ids, dict(tea.metadata)) == (("b",), (), {"topic": "work"})
        assert (eva.session_ids, eva.agent_ids, dict(eva.metadata)) == ((), (), {})
        assert tea.expires_at == datetime(2099, 1, 1, tzinfo=UTC) and rex.expires_at is None
        assert [item.valid_from.month for item in (rex, tea, eva)] == [1, 2, 3]
        (source,) = memory.sources(tea.id)
        assert source.quote == "I like green tea" and source.session_id == "b"


def test_what_was_believed_before_can_still_be_asked_for(before, endpoint):
    with by_model(before, endpoint) as memory:
        moment = datetime.now(UTC)
        old = items(memory)

        def found(**when):
            hits = memory.search("Where does Ann live? Rex", user_id="ann", include=BOTH, limit=50, min_score=0, **when)
            return [(hit.kind, hit.text) for hit in hits]

        seen = found()
        memory.retell(user_id="ann")
        assert items(memory, known_at=moment) == old and found(known_at=moment) == seen != found()


def test_a_second_time_replaces_the_first(before, endpoint, model):
    with by_model(before, endpoint) as memory:
        old = items(memory)
        first = memory.retell(user_id="ann")
        once = items(memory)
        model.facts = {said: {**one, "text": one["text"].replace("Ann", "Anna")} for said, one in TELLS.items()}
        second = memory.retell(user_id="ann")
        assert texts(memory) == sorted(text.replace("Ann", "Anna") for text in TOLD) and len(turns(memory)) == 6
        memory.undo(second.batch_id)
        assert items(memory) == once
        memory.undo(first.batch_id)
        assert items(memory) == old and memory.verify().problems == ()


def test_the_same_again_leaves_each_fact_once(before, endpoint):
    with by_model(before, endpoint) as memory:
        for _ in range(3):
            memory.retell(user_id="ann")
            assert texts(memory) == TOLD and len(turns(memory)) == 6
        assert memory.verify().problems == ()


@pytest.mark.parametrize("user", ["nobody", None])
def test_a_user_without_turns(before, endpoint, user):
    with by_model(before, endpoint) as memory:
        result = memory.retell(user_id=user)
        assert (result.status, result.changes, result.usage.llm_calls) == ("done", (), 0) and endpoint.requests == []
        assert memory.pending() == []


# --- what the caller did stays -----------------------------------------------------------------------------------------


def find(memory, word):
    return next(item for item in memory.get_all(user_id="ann") if word in item.text)


def corrected(memory):
    memory.update(find(memory, "Rex").id, text="The dog's name is Max.")
    return {"The dog's name is Max."}, {"Ann owns the dog Rex."}


def corrected_in_its_metadata(memory):
    rex = memory.update(find(memory, "Rex").id, metadata={"checked": True})
    return {rex.text}, {"Ann owns the dog Rex."}


def deleted(memory):
    memory.delete(find(memory, "tea").id)
    return set(), {"Ann enjoys green tea."}


def stored_whole(memory):
    memory.add("I live in Oslo and like it whole.", user_id="ann", infer=False)
    return {"I live in Oslo and like it whole."}, set()


def hidden(memory):
    memory.delete_all(user_id="ann", session_id="b")
    return set(), {"Ann is employed by Acme.", "Ann enjoys green tea."}


@pytest.mark.parametrize("deed", [corrected, corrected_in_its_metadata, deleted, stored_whole, hidden])
def test_what_the_caller_did_is_left_as_it_is(before, endpoint, deed):
    with by_rules(before) as memory:
        stays, gone = deed(memory)
        old = items(memory)
    with by_model(before, endpoint) as memory:
        shown = turns(memory)
        result = memory.retell(user_id="ann")
        assert set(texts(memory)) == (set(TOLD) - gone) | stays and turns(memory) == shown
        kept = [one for one in items(memory) if one["text"] in stays]
        assert kept == [one for one in old if one["text"] in stays] and len(kept) == len(stays)
        assert memory.verify().problems == ()
        memory.undo(result.batch_id)
        assert items(memory) == old and turns(memory) == shown


def test_a_deletion_that_was_undone_does_not_keep_its_turn_back(before, endpoint):
    with by_rules(before) as memory:
        tea = find(memory, "tea")
        memory.delete(tea.id)
        memory.undo(memory.history(tea.id)[-1].id)
    with by_model(before, endpoint) as memory:
        memory.retell(user_id="ann")
        assert texts(memory) == TOLD


def test_a_deletion_whose_undoing_was_undone_does(before, endpoint):
    with by_rules(before) as memory:
        tea = find(memory, "tea")
        memory.delete(tea.id)
        memory.undo(memory.history(tea.id)[-1].id)
        memory.undo(memory.history(tea.id)[-1].id)
    with by_model(before, endpoint) as memory:
        memory.retell(user_id="ann")
        assert texts(memory) == sorted(set(TOLD) - {"Ann enjoys green tea."})


# --- when something fails ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["Oslo", "Acme", "Eva"])
def test_a_failure_before_all_is_extracted_changes_nothing_and_is_finished(before, endpoint, model, word):
    with by_model(before, endpoint) as memory:
        old, shown = items(memory), turns(memory)

        def odd(request):
            question = request.body["messages"][1]["content"]
            failing = word in question.split("New messages:")[1]
            return Reply(status=503) if failing else {"facts": list(model.told(question))}

        model.odd = odd
        with pytest.raises(ModelUnavailable) as caught:
            memory.retell(user_id="ann")
        assert items(memory) == old and turns(memory) == shown and memory.verify().problems == ()
        assert [one.batch_id for one in memory.pending()] == [caught.value.batch_id]
        model.odd, before_resume = None, endpoint.calls
        assert memory.resume().finished == (caught.value.batch_id,) and memory.resume().finished == ()
        assert texts(memory) == TOLD and memory.verify().problems == ()
        assert endpoint.calls - before_resume <= 1 + 3  # only what was not answered is extracted again
        memory.undo(caught.value.batch_id)
        assert items(memory) == old


def test_a_failure_while_deciding_is_finished(before, endpoint, model):
    with by_model(before, endpoint) as memory:
        old = items(memory)
        model.odd_decisions = Reply(status=503)
        with pytest.raises(ModelUnavailable) as caught:
            memory.retell(user_id="ann")
        model.odd_decisions = None
        assert memory.resume().finished == (caught.value.batch_id,) and texts(memory) == TOLD
        memory.undo(caught.value.batch_id)
        assert items(memory) == old and memory.verify().problems == ()


def test_asked_for_while_one_is_pending_it_is_the_same(before, endpoint, model):
    with by_model(before, endpoint) as memory:
        waiting = memory.retell(user_id="ann", wait=False)
        assert waiting.status == "pending" and endpoint.requests == []
        done = memory.retell(user_id="ann")
        assert done.batch_id == waiting.batch_id and texts(memory) == TOLD and memory.pending() == []
