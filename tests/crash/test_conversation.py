"""A conversation of 200 turns with changes of mind, killed ten times on the way, leaves what an undisturbed one leaves."""

from __future__ import annotations

import random
import signal

import pytest
from operations import image, opened

KILLS = 10
TURNS = 200


def conversation(seed):
    """Statements of the scripted language, taken back and changed, and small talk."""
    chance = random.Random(seed)
    turns = []
    for n in range(TURNS):
        thing = f"thing{chance.randrange(12)}"
        asked = chance.choice(
            (f"home = City{n}", f"likes += {thing}", f"likes -= {thing}", f"job = job{n % 7}", f"well {n}")
        )
        turns.append([asked, f"reply {n}"])
    return turns


def last(lines, first):
    """The last turn that was acknowledged; the one before `first` where none was."""
    return max((int(line) for line in lines if line.isdigit()), default=first - 1)


@pytest.mark.parametrize("seed", [1])
def test_ten_kills_leave_the_memories_of_an_undisturbed_conversation(tmp_path, zygote, seed):
    chance, talk, options = random.Random(seed), conversation(seed), {"close_idle": None}
    case = {"task": "converse", "talk": talk, "options": options}
    code, lines = zygote.run(**case, folder=str(tmp_path / "undisturbed"), first=0)
    assert code == 0 and lines[-1] == "learnt"
    first, killed = 0, str(tmp_path / "killed")
    for _ in range(KILLS):
        heard = 2 + chance.randrange(15)
        again = [{**case, "folder": killed, "first": first, "until": first + heard + 3}]
        ((code, lines),) = zygote.run_all(again, kill_after=[chance.random() * 0.05], lines=heard)
        assert code == -signal.SIGKILL
        first = (
            last(lines, first) + 1
        )  # what was acknowledged is not said again; the next one may be there, unacknowledged
    assert 10 < first < TURNS
    code, lines = zygote.run(**case, folder=killed, first=first)
    assert code == 0 and lines[-1] == "learnt"
    assert image(tmp_path / "killed") == image(tmp_path / "undisturbed")
    with opened(tmp_path / "killed") as memory:
        assert memory.verify().problems == () and memory.pending() == []
        assert 10 < memory.count(user_id="u") < 40 and memory.stats(user_id="u").turns == 2 * TURNS
