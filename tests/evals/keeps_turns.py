"""A worker for the tests: it keeps turns in a file, and ends once where a file `end` is beside that one."""

import json
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "evals" / "systems" / "workers"))
from worker_protocol import serve


class Keeper:
    def open(self, folder):
        self.folder = Path(folder)
        print("what a library prints")
        return {"version": "7"}

    def ingest(self, conversation, progress):
        turns = [turn for session in conversation["sessions"] for turn in session["turns"]]
        for number, _ in enumerate(turns):
            progress(number)
        (self.folder / f"{conversation['id']}.json").write_text(json.dumps(turns))
        spent = {"calls": len(turns), "input_tokens": 10 * len(turns), "output_tokens": 0}
        return {"memories": len(turns), "spent": spent}

    def search(self, conversation, question, asked_at, limit):
        if (self.folder / "end").exists():
            (self.folder / "end").unlink()
            os._exit(3)
        found = sorted(self._turns(conversation), key=lambda turn: -len(words(turn["text"]) & words(question)))
        return [{**as_item(turn), "score": 0.5} for turn in found[:limit]]

    def stored(self, conversation):
        return [{**as_item(turn), "live": True} for turn in self._turns(conversation)]

    def close(self):
        pass

    def _turns(self, conversation):
        return json.loads((self.folder / f"{conversation}.json").read_text())


def as_item(turn):
    return {"id": f"m-{turn['id']}", "text": turn["text"], "turns": [turn["id"]], "at": turn["at"]}


def words(text):
    return set(re.findall(r"\w+", text.casefold()))


if __name__ == "__main__":
    serve(Keeper())
