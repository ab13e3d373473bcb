"""The worker's side of `external.py`: JSON objects, one a line. Standard library only, for the rival's own Python runs it.

in:   {"id": 1, "do": "open", …}           do: open, ingest, search, stored, close
out:  {"id": 1, "progress": 3}             any number, while it ingests: the worker is alive
      {"id": 1, "answer": …}  or  {"id": 1, "error": {"type": "…"}}

What a library prints goes to standard error, so that the answers stay whole; an error's own words do too.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any


def serve(worker: Any) -> None:
    """Answer requests by the methods of `worker` until the input ends or it is told to close. A method gets the request's other
    fields; `ingest` also `progress`, to be called now and then."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    sys.stdout = sys.stderr

    def say(**fields: Any) -> None:
        out.write(json.dumps(fields) + "\n")
        out.flush()

    for line in sys.stdin.buffer:
        request = json.loads(line)
        number, do = request.pop("id"), request.pop("do")
        if do == "ingest":
            request["progress"] = lambda done, number=number: say(id=number, progress=done)
        try:
            answer = getattr(worker, do)(**request)
        except Exception as error:  # noqa: BLE001 -- told to the other side, which decides
            traceback.print_exc()
            say(id=number, error={"type": type(error).__name__})
        else:
            say(id=number, answer=answer)
        if do == "close":
            return
