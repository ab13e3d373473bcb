"""The real clients with a memory: the openai package and litellm, sync, async, streamed and with tools, against a loopback
endpoint."""

from __future__ import annotations

import asyncio
import gc
import json
import threading

import pytest
from openai import APIStatusError, AsyncOpenAI, OpenAI

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


def test_a_memory_that_is_closed_meanwhile_does_not_lose_the_reply(tmp_path, caplog):
    with ModelEndpoint(["hello"]) as endpoint, openai_client(endpoint) as bare, opened(tmp_path) as memory:
        create = bare.chat.completions.create

        def closing(**keywords):
            memory.close()
            return create(**keywords)

        answer = remembering(closing, memory, **OPTIONS)(model="any", messages=HOME)
        assert answer.choices[0].message.content == "hello" and "closed" in caplog.text


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
