"""litellm's log of each call: of ours it is made only where somebody listens, and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys

from recollect.testing import ModelEndpoint, Reply

ONE = """
import asyncio, sys
from recollect import Memory
from recollect.testing import HashEmbedder
heard = []
if sys.argv[4] == "listener":
    import litellm
    from litellm.integrations.custom_logger import CustomLogger
    class Listener(CustomLogger):
        async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
            heard.append(kwargs["model"])
    litellm.callbacks = [Listener()]
options = {"llm": "openai/gpt-4o-mini", "api_base": sys.argv[1], "api_key": "none"}
with (
    Memory(sys.argv[2], embedder=HashEmbedder(), **options) as one,
    Memory(sys.argv[3], embedder=HashEmbedder(), **options) as other,
):
    for n in range(6):
        one.add(f"I have {n} boats", user_id="u")
        other.add(f"I have {n} boats", user_id="u")
print(len(heard) > 0, set(heard))
"""


def told(tmp_path, *how):
    """What a process printed that had two memories open, each with an event loop of its own."""
    with ModelEndpoint(lambda request: Reply({"facts": []})) as endpoint:
        command = [sys.executable, "-c", ONE, endpoint.url, str(tmp_path / "one"), str(tmp_path / "other"), *how]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert endpoint.calls == 12
    return done.returncode, done.stdout, done.stderr


def test_where_nobody_listens_nothing_is_left_behind(tmp_path):
    assert told(tmp_path, "nobody") == (0, "False set()\n", "")


def test_whoever_listens_hears_of_our_calls(tmp_path):
    code, printed, _ = told(tmp_path, "listener")
    assert (code, printed) == (0, "True {'gpt-4o-mini'}\n")
