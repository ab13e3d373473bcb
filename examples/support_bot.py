"""A support bot as a web service: each customer behind a wall, everything erased on request.

The one idea: who is asking comes from the session, never from the message or the model. `customer` is the wall of every verb
here; `agent_id="support"` keeps this bot's memories apart from those of other bots of the same customer.

    pip install 'recollect[examples]'
    python examples/support_bot.py                           # http://127.0.0.1:8000/docs
    curl -X POST localhost:8000/chat -H 'X-Customer: ann' -H 'Content-Type: application/json' \\
        -d '{"conversation": "c1", "messages": [{"role": "user", "content": "My router is a Fritz 7590."}]}'
    curl -X DELETE localhost:8000/me -H 'X-Customer: ann'    # the request to be forgotten, with a receipt

Offline by default; $RECOLLECT_LLM names any litellm model.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import anyio.to_thread
from answering import NoAnswer, reply
from fastapi import Depends, FastAPI, Header, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from recollect import AsyncMemory
from recollect.chat import AsyncChatMemory
from recollect.errors import NotFound

SYSTEM = {"role": "system", "content": "You answer customers of a shop for routers. Say so where you do not know."}
AGENT = "support"


class Talk(BaseModel):
    """A conversation so far, the customer's message last."""

    conversation: str
    messages: list[dict[str, Any]]


def signed_in(x_customer: Annotated[str, Header()]) -> str:
    """Who is asking. In place of this header: the session that your login made."""
    return x_customer


def memory_of(request: Request) -> AsyncMemory:
    """The memory that was opened with the service."""
    return request.app.state.memory


Customer = Annotated[str, Depends(signed_in)]
Store = Annotated[AsyncMemory, Depends(memory_of)]


@asynccontextmanager
async def opened(app: FastAPI) -> AsyncIterator[None]:
    """One memory for the whole service: all customers' chunks are learnt side by side, each one's in order."""
    async with AsyncMemory() as memory:
        app.state.memory = memory
        yield


app = FastAPI(title="Support", lifespan=opened)


@app.exception_handler(NotFound)
def absent(_request: Request, _error: NotFound) -> JSONResponse:
    """Another customer's memory and one that never was look the same."""
    return JSONResponse({"detail": "not found"}, status_code=404)


@app.exception_handler(NoAnswer)
def unanswered(_request: Request, error: NoAnswer) -> JSONResponse:
    """The model failed, and nothing was learnt: the same request may be sent again."""
    return JSONResponse({"detail": str(error)}, status_code=502)


@app.post("/chat")
async def chat(talk: Talk, customer: Customer, memory: Store) -> dict[str, Any]:
    """An answer, and what was remembered for it. The turn is on disk when this returns, and learnt in the background."""
    turn = AsyncChatMemory(
        memory,
        user_id=customer,
        agent_id=AGENT,
        session_id=talk.conversation,
        close_turns=2,  # learnt after each answer; the default, 8, is cheaper with a model
    )
    messages = await turn.before([SYSTEM, *talk.messages])
    hits = turn.shown().hits
    answer = await anyio.to_thread.run_sync(reply, messages, hits)
    await turn.after(talk.messages, answer)
    return {"reply": answer, "remembered": [hit.text for hit in hits if hit.kind == "memory"]}


@app.get("/me")
async def known(customer: Customer, memory: Store) -> list[dict[str, Any]]:
    """What is remembered of the one who asks, with the words that it rests on."""
    return [
        {
            "id": item.id,
            "text": item.text,
            "said": [one.quote for one in await memory.sources(item.id, user_id=customer)],
        }
        for item in await memory.get_all(user_id=customer, agent_id=AGENT)
    ]


@app.delete("/me/{memory_id}")
async def forget(memory_id: str, customer: Customer, memory: Store) -> dict[str, Any]:
    """Destroy one memory. Another customer's is not there: 404, as for one that never was."""
    return (await memory.erase(memory_id, user_id=customer)).model_dump(mode="json")


@app.delete("/me")
async def forget_all(customer: Customer, memory: Store) -> dict[str, Any]:
    """Destroy all that there is of the one who asks, for every agent, and give a receipt."""
    return (await memory.erase(user_id=customer)).model_dump(mode="json")


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app)
