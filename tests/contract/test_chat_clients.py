"""The real clients with a memory: the openai package and litellm, sync, async, streamed and with tools, against a loopback
endpoint."""

from __future__ import annotations

import asyncio
import copy
import gc
import json
import threading
import time

import pytest
from openai import (
    APIError,
    APIStatusError,
    APITimeoutError,
    AsyncOpenAI,
    AuthenticationError,
    InternalServerError,
    OpenAI,
    RateLimitError,
)

from recollect import AsyncMemory, Memory
from recollect.adapters import litellm_setup
from recollect.chat import remembering, remembers, tools
from recollect.errors import InvalidInput
from recollect.testing import HashEmbedder, ModelEndpoint, Reply, ScriptedLanguage

HOME = [{"role": "user", "content": "Where is my home?"}]
OPTIONS = {"user_id": "u", "session_id": "s", "close_idle": None, "recall_seconds": None}


@pytest.fixture(scope="module")
def litellm():
    return litellm_setup.load()  # as the model's adapter imports it: its table of prices comes from the package


def user(content):
    return [{"role": "user", "content": content}]


def sent(endpoint, place=-1):
    return endpoint.requests[place].body["messages"][-1]["content"]


def openai_client(endpoint, kind=OpenAI):
    return kind(base_url=endpoint.url, api_key="none", max_retries=0)


def turns(memory):
    return [one["content"] for one in memory.export(user_id="u")["turns"]]


def opened(folder):
    return Memory(folder, llm=ScriptedLanguage(), embedder=HashEmbedder())


def async_opened(folder):
    return AsyncMemory(folder, llm=ScriptedLanguage(), embedder=HashEmbedder())


def test_openai(memory):
    memory.add("home = Rome", user_id="u")
    with (
        ModelEndpoint(["Your home is in Rome.", Reply(status=500), "hello"]) as endpoint,
        openai_client(endpoint) as bare,
    ):
        client = remembering(bare, memory, **OPTIONS)
        answer = client.chat.completions.create(model="any", messages=HOME)
        assert answer.choices[0].message.content == "Your home is in Rome."
        assert "home is Rome" in sent(endpoint) and sent(endpoint).endswith("\n\nWhere is my home?")
        assert [hit.text for hit in client.recollect.shown().hits if hit.kind == "memory"] == ["home is Rome"]
        with pytest.raises(APIStatusError):
            client.chat.completions.create(model="any", messages=user("home = Bonn"))
        assert turns(memory)[1:] == ["Where is my home?", "Your home is in Rome."], (
            "of a call that fails nothing is learnt"
        )
        assert isinstance(client, OpenAI) and client.base_url == bare.base_url and client.models is bare.models
        client.timeout = 7
        assert bare.timeout == 7 and "remembering(" in repr(client)
        client.with_options(timeout=60).chat.completions.create(model="any", messages=user("likes += tea"))
        assert client.recollect.flush() == [] and turns(memory)[-2:] == ["likes += tea", "hello"]
        assert memory.count(user_id="u") == 2


def test_openai_streamed(memory):
    memory.add("home = Rome", user_id="u")
    with ModelEndpoint(["Your home is in Rome."]) as endpoint, openai_client(endpoint) as bare:
        client = remembering(bare, memory, **OPTIONS)
        options = {"model": "any", "messages": HOME, "stream": True, "stream_options": {"include_usage": True}}
        with client.chat.completions.create(**options) as stream:
            assert stream.response.status_code == 200
            chunks = list(stream)
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Your home is in Rome."
        assert chunks[-1].usage.total_tokens > 0 and "home is Rome" in sent(endpoint)
        assert turns(memory)[1:] == ["Where is my home?", "Your home is in Rome."]


def test_a_stream_is_not_held_back(memory):
    """The first word is there while the endpoint still holds the rest."""
    hold = threading.Event()
    with ModelEndpoint([Reply("one two", hold=hold)]) as endpoint, openai_client(endpoint) as bare:
        stream = remembering(bare, memory, **OPTIONS).chat.completions.create(model="any", messages=HOME, stream=True)
        assert [next(stream).choices[0].delta.content for _ in range(2)] == ["", "one"]
        assert not hold.is_set()
        hold.set()
        assert [chunk.choices[0].delta.content for chunk in stream] == [" two", None]


@pytest.mark.parametrize("how", ["closed", "dropped", "broken"])
def test_of_an_abandoned_stream_the_question_is_learnt_and_the_answer_is_not(memory, how):
    cut = "half" if how == "broken" else None
    with (
        ModelEndpoint([Reply("You do not like tea at all", cut=cut), "fine"]) as endpoint,
        openai_client(endpoint) as bare,
    ):
        client = remembering(bare, memory, **OPTIONS)
        stream = client.chat.completions.create(model="any", messages=user("likes += tea"), stream=True)
        assert next(stream).choices[0].delta.content == ""
        if how == "closed":
            stream.close()
        elif how == "broken":
            with pytest.raises(Exception, match="incomplete"):
                list(stream)
        del stream
        gc.collect()
        assert client.recollect.flush() == [] and turns(memory) == ["likes += tea"]
        history = user("likes += tea") + user("home = Rome")
        client.chat.completions.create(model="any", messages=history)
        assert client.recollect.flush() == [] and turns(memory) == ["likes += tea", "home = Rome", "fine"]
        assert memory.count(user_id="u") == 2


def test_openai_with_tools(memory):
    """The model asks for its tools, streamed and not, and only what was said is learnt."""
    memory.add("home = Rome", user_id="u")
    box = tools(memory, user_id="u")

    def script(request):
        if request.body["messages"][-1]["role"] == "user":
            return Reply(json.dumps({"query": "home"}), finish_reason="tool_calls")
        return Reply("In Rome.", message={"content": "In Rome.", "tool_calls": None})

    with ModelEndpoint(script) as endpoint, openai_client(endpoint) as bare:
        client = remembering(bare, memory, **OPTIONS)
        for asked in ("Where is my home?", "And where is my home now?"):
            messages = user(asked)
            first = client.chat.completions.create(model="any", messages=messages, tools=box.schemas).choices[0].message
            messages += [first, *box.answer(first)]
            assert "home is Rome" in messages[-1]["content"]
            second = client.chat.completions.create(model="any", messages=messages, tools=box.schemas)
            assert second.choices[0].message.content == "In Rome."
        stream = client.chat.completions.create(model="any", messages=user("My home?"), tools=box.schemas, stream=True)
        assert any(chunk.choices[0].delta.tool_calls for chunk in stream)
        assert client.recollect.flush() == []
        expected = ["Where is my home?", "In Rome.", "And where is my home now?", "In Rome.", "My home?"]
        assert turns(memory)[1:] == expected and memory.count(user_id="u") == 1


def test_closing_the_client_learns_what_is_open(memory, tmp_path):
    with ModelEndpoint(["one", "two", "three"]) as endpoint:
        with remembering(openai_client(endpoint), memory, **OPTIONS) as client:
            client.chat.completions.create(model="any", messages=user("home = Rome"))
        assert memory.count(user_id="u") == 1 and client.is_closed()
        client = remembering(openai_client(endpoint), memory, **OPTIONS)
        client.chat.completions.create(model="any", messages=user("job = cook"))
        client.close()
        assert memory.count(user_id="u") == 2 and client.is_closed()

        async def chat():
            async with async_opened(tmp_path / "async") as memory:
                async with remembering(openai_client(endpoint, AsyncOpenAI), memory, **OPTIONS) as client:
                    await client.chat.completions.create(model="any", messages=user("home = Rome"))
                await client.close()
                return await memory.count(user_id="u"), client.is_closed()

        assert asyncio.run(chat()) == (1, True)


def test_of_several_choices_none_is_learnt(memory):
    def script(request):
        choices = [
            {"index": i, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            for i, text in enumerate(("likes += tea", "likes += milk"))
        ]
        return Reply("", extra={"choices": choices})

    with ModelEndpoint(script) as endpoint, openai_client(endpoint) as bare:
        client = remembering(bare, memory, **OPTIONS)
        client.chat.completions.create(model="any", messages=user("home = Rome"), n=2)
        list(client.chat.completions.create(model="any", messages=user("job = cook"), n=2, stream=True))
        assert client.recollect.flush() == [] and turns(memory) == ["home = Rome", "job = cook"]


def test_structured_outputs_are_replies_too(memory):
    from pydantic import BaseModel

    class Answer(BaseModel):
        city: str

    memory.add("home = Rome", user_id="u")
    with ModelEndpoint([{"city": "Rome"}]) as endpoint, openai_client(endpoint) as bare:
        client = remembering(bare, memory, **OPTIONS)
        answer = client.chat.completions.parse(model="any", messages=HOME, response_format=Answer)
        assert answer.choices[0].message.parsed == Answer(city="Rome") and "home is Rome" in sent(endpoint)
        assert turns(memory)[1:] == ["Where is my home?", '{"city": "Rome"}']


def test_the_helper_that_streams_events_and_beta_remember_too(memory):
    """`.stream()` is left by its `with`: what was answered whole is learnt, and of what was left half-way the question."""
    memory.add("home = Rome", user_id="u")
    replies = [
        "In Rome.",
        "likes tea, not",
        Reply("", body="data: [DONE]\n\n", headers={"Content-Type": "text/event-stream"}),
    ]
    with ModelEndpoint([*replies, "In Rome again."]) as endpoint, openai_client(endpoint) as bare:
        client = remembering(bare, memory, **OPTIONS)
        with client.chat.completions.stream(model="any", messages=HOME) as stream:
            assert [event.delta for event in stream if event.type == "content.delta"] == ["", "In", " Rome."]
            assert stream.get_final_completion().choices[0].message.content == "In Rome."
        assert "home is Rome" in sent(endpoint)
        with client.chat.completions.stream(model="any", messages=user("likes += milk")) as stream:
            next(event for event in stream if event.type == "content.delta" and event.delta)
        with client.chat.completions.stream(model="any", messages=user("job = cook")) as stream:
            assert list(stream) == []
        client.beta.chat.completions.create(model="any", messages=user("And my home?"))
        assert "home is Rome" in sent(endpoint) and client.beta.threads is not None
        assert client.recollect.flush() == []
        said = ["Where is my home?", "In Rome.", "likes += milk", "job = cook", "And my home?", "In Rome again."]
        assert turns(memory)[1:] == said


def test_the_helper_that_streams_events_awaited(tmp_path):
    async def chat(endpoint):
        async with async_opened(tmp_path) as memory, openai_client(endpoint, AsyncOpenAI) as bare:
            await memory.add("home = Rome", user_id="u")
            client = remembering(bare, memory, **OPTIONS)
            async with client.chat.completions.stream(model="any", messages=HOME) as stream:
                assert (await stream.get_final_completion()).choices[0].message.content == "In Rome."
            assert "home is Rome" in sent(endpoint)
            return [one["content"] for one in (await memory.export(user_id="u"))["turns"]]

    with ModelEndpoint(["In Rome."]) as endpoint:
        assert asyncio.run(chat(endpoint)) == ["home = Rome", "Where is my home?", "In Rome."]


def test_what_is_no_list_of_messages_is_for_the_server_to_refuse(memory):
    """The memory is in nobody's way: an error is the client's own, as it is without a memory."""
    with ModelEndpoint(lambda _: Reply(status=400)) as endpoint, openai_client(endpoint) as bare:
        client = remembering(bare, memory, **OPTIONS)
        for messages in ("hello", [{"content": "hello"}], 7, []):
            with pytest.raises(APIStatusError):
                client.chat.completions.create(model="any", messages=messages)
            with pytest.raises(APIStatusError), client.chat.completions.stream(model="any", messages=messages):
                pass
        assert turns(memory) == [] and client.recollect.flush() == []


def test_what_has_no_memory_passes_through(memory):
    """Raw responses, the Responses API and embeddings are the client's own, also on a shallow copy of it."""
    response = {"id": "r1", "object": "response", "created_at": 0, "model": "any", "output": []}

    def script(request):
        return Reply(body=json.dumps(response)) if request.path.endswith("/responses") else Reply("hello")

    with ModelEndpoint(script) as endpoint, openai_client(endpoint) as bare:
        client = copy.copy(remembering(bare, memory, **OPTIONS))
        raw = client.chat.completions.with_raw_response.create(model="any", messages=HOME)
        assert raw.parse().choices[0].message.content == "hello" and sent(endpoint) == "Where is my home?"
        with client.chat.completions.with_streaming_response.create(model="any", messages=HOME) as streamed:
            assert b"hello" in streamed.read()
        assert client.responses.create(model="any", input="hi").id == "r1"
        assert len(client.embeddings.create(model="any", input="hi").data) == 1
        assert turns(memory) == []
        client.chat.completions.create(model="any", messages=HOME)
        assert client.recollect.flush() == [] and turns(memory) == ["Where is my home?", "hello"]


def test_errors_reach_the_caller_as_they_are_and_nothing_is_learnt(memory, litellm):
    replies = [Reply(status=code, headers={"Retry-After": "1"}) for code in (401, 429, 500)]
    late = Reply("late", until=threading.Event())
    with ModelEndpoint([*replies, *replies, late]) as endpoint, openai_client(endpoint) as bare:
        client = remembering(bare, memory, **OPTIONS)
        for kind in (AuthenticationError, RateLimitError, InternalServerError):
            with pytest.raises(kind):
                client.chat.completions.create(model="any", messages=user("likes += tea"))
        completion = remembering(litellm.completion, memory, **OPTIONS)
        for code in (401, 429, 500):
            with pytest.raises(APIError) as caught:  # litellm's errors are openai's
                completion(
                    "openai/any",
                    user("likes += tea"),
                    api_base=endpoint.url,
                    api_key="none",
                    num_retries=0,
                    max_retries=0,
                )
            assert caught.value.status_code == code
        with pytest.raises(APITimeoutError):
            client.with_options(timeout=0.5).chat.completions.create(model="any", messages=user("likes += tea"))
        assert client.recollect.flush() == [] and turns(memory) == []


def test_a_stream_that_ends_in_an_error_tells_it_and_only_the_question_is_learnt(memory):
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "any"}
    chunk |= {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "You do not"}, "finish_reason": None}]}
    body = "".join(f"data: {json.dumps(one)}\n\n" for one in (chunk, {"error": {"message": "overloaded", "code": 500}}))
    reply = Reply(body=body, headers={"Content-Type": "text/event-stream"})
    with ModelEndpoint([reply]) as endpoint, openai_client(endpoint) as bare:
        client = remembering(bare, memory, **OPTIONS)
        with pytest.raises(APIError, match="overloaded"):
            list(client.chat.completions.create(model="any", messages=user("likes += tea"), stream=True))
        assert client.recollect.flush() == [] and turns(memory) == ["likes += tea"]


def test_legacy_functions_refusals_and_parts(memory):
    """A call of a function goes on with the turn; a refusal is no reply; pictures and sound pass through and leave their name."""
    memory.add("home = Rome", user_id="u")
    calling = Reply(None, message={"function_call": {"name": "f", "arguments": "{}"}}, finish_reason="function_call")
    refusing = Reply(None, message={"refusal": "I can't."})
    with ModelEndpoint([calling, "In Rome.", refusing, "A cat."]) as endpoint, openai_client(endpoint) as bare:
        client = remembering(bare, memory, **OPTIONS)
        create = client.chat.completions.create
        asked = create(model="any", messages=HOME, functions=[{"name": "f", "parameters": {}}]).choices[0].message
        create(model="any", messages=[*HOME, asked, {"role": "function", "name": "f", "content": "42"}])
        assert "home is Rome" in endpoint.requests[-1].body["messages"][0]["content"]
        assert create(model="any", messages=user("How do I lie?")).choices[0].message.refusal == "I can't."
        parts = [
            {"type": "text", "text": "What is at home?", "cache_control": {"type": "ephemeral"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}},
            {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
        ]
        messages = [{"role": "developer", "content": "Be kind."}, {"role": "user", "content": parts}]
        create(model="any", messages=messages, prompt_cache_key="k")
        first, last = endpoint.requests[-1].body["messages"]
        assert first == messages[0] and last["content"][1:] == parts and "home is Rome" in last["content"][0]["text"]
        assert endpoint.requests[-1].body["prompt_cache_key"] == "k"
        assert client.recollect.flush() == []
        said = ["Where is my home?", "In Rome.", "How do I lie?", "What is at home?\n[image]\n[audio]", "A cat."]
        assert turns(memory)[1:] == said


def test_async_openai(tmp_path):
    async def chat(endpoint):
        async with async_opened(tmp_path) as memory, openai_client(endpoint, AsyncOpenAI) as bare:
            await memory.add("home = Rome", user_id="u")
            client = remembering(bare, memory, **OPTIONS)
            assert isinstance(client, AsyncOpenAI)
            answer = await client.chat.completions.create(model="any", messages=HOME)
            assert answer.choices[0].message.content == "one" and "home is Rome" in sent(endpoint)
            async with await client.chat.completions.create(model="any", messages=HOME, stream=True) as stream:
                text = [chunk.choices[0].delta.content async for chunk in stream]
            assert text == ["", "two", None] and "home is Rome" in sent(endpoint)
            stream = await client.chat.completions.create(model="any", messages=user("job = cook"), stream=True)
            async for _ in stream:
                break
            assert await client.recollect.flush() == []
            return [one["content"] for one in (await memory.export(user_id="u"))["turns"]]

    with ModelEndpoint(["one", "two", "three"]) as endpoint:
        said = asyncio.run(chat(endpoint))
    assert said == ["home = Rome", "Where is my home?", "one", "two", "job = cook"]


def test_litellm(memory, litellm):
    memory.add("home = Rome", user_id="u")
    with ModelEndpoint(["one", "two three"]) as endpoint:
        where = {"api_base": endpoint.url, "api_key": "none"}
        completion = remembering(litellm.completion, memory, **OPTIONS)
        assert completion("openai/any", HOME, **where).choices[0].message.content == "one"
        assert "home is Rome" in sent(endpoint)
        stream = completion(model="openai/any", messages=user("My home?"), stream=True, **where)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "two three"
        assert "home is Rome" in sent(endpoint)
        assert completion.recollect.flush() == []
        assert turns(memory)[1:] == ["Where is my home?", "one", "My home?", "two three"]


def test_async_litellm(tmp_path, litellm):
    async def chat(endpoint):
        async with async_opened(tmp_path) as memory:
            await memory.add("home = Rome", user_id="u")
            completion = remembering(litellm.acompletion, memory, **OPTIONS)
            options = {"model": "openai/any", "api_base": endpoint.url, "api_key": "none"}
            assert (await completion(messages=HOME, **options)).choices[0].message.content == "one"
            stream = await completion(messages=user("My home?"), stream=True, **options)
            assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == "two three"
            assert "home is Rome" in sent(endpoint) and await completion.recollect.flush() == []
            return [one["content"] for one in (await memory.export(user_id="u"))["turns"]]

    with ModelEndpoint(["one", "two three"]) as endpoint:
        assert asyncio.run(chat(endpoint))[1:] == ["Where is my home?", "one", "My home?", "two three"]


def test_a_function_of_ones_own(memory, tmp_path):
    memory.add("home = Rome", user_id="u")

    @remembers(memory, **OPTIONS)
    def chat(messages):
        """Repeats what it is told."""
        return messages[-1]["content"].upper()

    assert "HOME IS ROME" in chat(HOME) and chat.__doc__ == "Repeats what it is told."
    assert chat.recollect.shown().turn == 1 and turns(memory)[1] == "Where is my home?"

    async def converse():
        async with async_opened(tmp_path / "async") as opened:

            @remembers(opened, **OPTIONS)
            async def chat(messages):
                return "ok"

            await chat(user("home = Rome"))
            assert await chat.recollect.flush() == []
            return await opened.count(user_id="u")

    assert asyncio.run(converse()) == 1


def test_what_is_asked_is_learnt_once_and_in_order_however_fast_the_next_turn_comes(memory, tmp_path):
    """While a reply comes in pieces, its question is learnt on the side: not once more behind the turns that follow."""
    said = ["home = Rome", "ok", "home = Bonn", "home = Oslo", "fine"]
    first, history = user(said[0]), [*user(said[0]), {"role": "assistant", "content": "ok"}, *user(said[2])]

    @remembers(memory, **OPTIONS)
    def chat(messages):
        yield from ("fine",) if messages[-1]["content"].endswith("Oslo") else ("o", "k")

    assert "".join(chat(first)) == "ok" and next(chat(history)) == "o"  # nobody waits for the rest of that one
    assert "".join(chat([*history, *user(said[3])])) == "fine"
    assert chat.recollect.flush() == [] and turns(memory) == said

    async def converse():
        async with async_opened(tmp_path / "async") as opened:

            @remembers(opened, **OPTIONS)
            async def chat(messages):
                for piece in ("fine",) if messages[-1]["content"].endswith("Oslo") else ("o", "k"):
                    yield piece

            assert "".join([piece async for piece in chat(first)]) == "ok" and await anext(chat(history)) == "o"
            assert [piece async for piece in chat([*history, *user(said[3])])] == ["fine"]
            assert await chat.recollect.flush() == []
            return [one["content"] for one in (await opened.export(user_id="u"))["turns"]]

    assert asyncio.run(converse()) == said


def test_replies_in_pieces_that_come_beside_each_other_bring_their_questions_once(memory, tmp_path):
    """Of two that come at a time, the first one's question stands before the other turn when its end is there."""
    asked = [user("home = Rome"), user("likes += tea")]
    said = ["home = Rome", "likes += tea", "likes += tea, fine", "home = Rome, fine"]

    @remembers(memory, **OPTIONS)
    def chat(messages):
        yield from (messages[-1]["content"].rpartition("\n")[2], ", fine")

    one, other = map(chat, asked)
    next(one)
    assert "".join(other) == said[2] and "".join(one) == ", fine"
    assert chat.recollect.flush() == [] and turns(memory) == said

    async def converse():
        async with async_opened(tmp_path / "async") as opened:

            @remembers(opened, **OPTIONS)
            async def chat(messages):
                for piece in (messages[-1]["content"].rpartition("\n")[2], ", fine"):
                    yield piece

            one, other = map(chat, asked)
            await anext(one)
            assert [len([piece async for piece in reply]) for reply in (other, one)] == [2, 1]
            assert await chat.recollect.flush() == []
            return [one["content"] for one in (await opened.export(user_id="u"))["turns"]]

    assert asyncio.run(converse()) == said


def test_a_question_is_learnt_while_its_reply_is_on_its_way(memory):
    @remembers(memory, **OPTIONS)
    def chat(messages):
        yield from ("o", "k")

    reply = chat(user("home = Rome"))
    assert next(reply) == "o"
    while not turns(memory):
        time.sleep(0.01)
    assert turns(memory) == ["home = Rome"] and list(reply) == ["k"]
    assert chat.recollect.flush() == [] and turns(memory) == ["home = Rome", "ok"]
    reply = chat(user("home = Rome"))  # asked once more, with the same reply
    assert next(reply) == "o" and chat.recollect.flush() == [] and list(reply) == ["k"]
    assert chat.recollect.flush() == [] and turns(memory) == ["home = Rome", "ok"]


def test_a_function_that_yields_its_reply(memory, tmp_path):
    memory.add("home = Rome", user_id="u")

    @remembers(memory, **OPTIONS)
    def chat(messages):
        yield from ("It is ", "home is Rome" in messages[-1]["content"] and "Rome.")

    assert list(chat(HOME)) == ["It is ", "Rome."]
    assert chat.recollect.flush() == [] and turns(memory)[1:] == ["Where is my home?", "It is Rome."]

    async def converse():
        async with async_opened(tmp_path / "async") as opened:

            @remembers(opened, **OPTIONS)
            async def chat(messages):
                for piece in ("It is ", "Rome."):
                    yield piece

            assert [piece async for piece in chat(HOME)] == ["It is ", "Rome."]
            assert await chat.recollect.flush() == []
            return [one["content"] for one in (await opened.export(user_id="u"))["turns"]]

    assert asyncio.run(converse()) == ["Where is my home?", "It is Rome."]


def test_a_memory_that_is_closed_meanwhile_does_not_lose_the_reply(tmp_path, caplog):
    with ModelEndpoint(["hello"]) as endpoint, openai_client(endpoint) as bare, opened(tmp_path) as memory:
        create = bare.chat.completions.create

        def closing(**keywords):
            memory.close()
            return create(**keywords)

        answer = remembering(closing, memory, **OPTIONS)(model="any", messages=HOME)
        assert answer.choices[0].message.content == "hello" and "closed" in caplog.text


def test_nor_a_reply_in_pieces(tmp_path, caplog):
    with opened(tmp_path) as memory:

        def closing(messages, stream):
            memory.close()
            return iter(("he", "llo"))

        reply = remembering(closing, memory, **OPTIONS)(HOME, stream=True)
        assert list(reply) == ["he", "llo"] and "closed" in caplog.text


def test_the_wrong_kind_of_memory_or_client_is_named(memory, tmp_path):
    with ModelEndpoint() as endpoint, openai_client(endpoint) as bare:
        with pytest.raises(InvalidInput, match="AsyncMemory"):
            remembering(openai_client(endpoint, AsyncOpenAI), memory, user_id="u")
        with pytest.raises(InvalidInput, match="needs a Memory"):
            remembering(bare, memory._memory, user_id="u")
        with pytest.raises(InvalidInput, match="client"):
            remembering(object(), memory, user_id="u")
        with pytest.raises(TypeError):
            remembering(bare, memory, user_id="u", colour="red")
        with pytest.raises(TypeError, match="messages"):
            remembering(bare, memory, user_id="u").chat.completions.create(model="any")
        assert endpoint.requests == []
