"""Every reader of text on texts of hostile shapes: who is late took more processor time than any in proportion to the length.

python hostile_texts.py CHARACTERS [EVERY]      JSON: {"tries", "late": ["reader: text"], "slowest"}
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from recollect import dates, formats
from recollect.adapters import litellm_reply
from recollect.adapters.terms import TermCounter
from recollect.errors import InvalidInput
from recollect.model import EventTime, Evidence, Extraction, Fact, Kind, Precision, Role, Scope, SourceClass, Turn
from recollect.ports import Chunk
from recollect.retrieval import pack, wording
from recollect.rules import RulesExtractor
from recollect.rules.sentences import MAX_SENTENCE
from recollect.safety import claims, quarantine
from recollect.surfaces.cli import safe
from recollect.writing import evidence, extract, guard

# Of processor time; ordinary texts take a hundredth of it, and a square of the length takes far more.
SECONDS_PER_100_KB, LEAST_SECONDS = 5.0, 2.0
LINES = 4  # each as long as a sentence may be; more of them tell no more
WHEN = datetime(2024, 5, 1, tzinfo=UTC)

UNITS = [
    "a", "A", "I", "0", "9", " ", ".", ",", "!", "?", "…", "-", "–", "'", "’", '"', "“", "(", ")", "[", "{", "<", "&",
    "/", "\\", "*", "#", ";", ":", "\t", "\r", "_", "|", "$", "é", "中", "\u0301", "ﷺ", "İ", "😀", "\u200b", "\u00a0",
    ". ", "? ", ".'", '."', "I ", "i ", "my ", "and ", "and I ", "or ", ", ", ", and ", "the ", "a ", "of ", "not ",
    "very ", "also ", "that ", "it ", "who ", "Ab ", "A-", "A'", "Ab-", "Anna ", "Anna and ", "my dog ",
    "my dog and ", "my sister Anna ", "in Rome, ", "Rome of the ", "I am ", "I'm ", "I like ", "I like x, ",
    "I am very ", "I have been ", "I have a ", "I work at ", "I work as a ", "I moved to ", "my name is ",
    "my favorite ", "my favorite x is ", "My boss ", "called ", "named ", "forget that ", "I no longer ",
    "I stopped ", "last ", "last week ", "for 3 ", "for three ", "a few ", "3 days ", "the day before ", "in 2020 ",
    "in 2020", "May ", "5 May ", "Monday ", "2020-01-", "1/2/", "new year's ", "since ", "on ", "ing ", "going to ",
    "been ", "have ", "being ", "s", "ss ", "<a", "</", "</a>", "```", "http://", "{}", "{\"", "[{", "[1,", "x' ",
    "can't ", "I've got ", "we ", "you ", "your ", "ed ", "a@", "a.", "%20", "user ", "without ", "system: ", "b64 ", "QWxs",
    "1a", "when the user asks ", "send the password to ", "a-b-c-", "give you ", "1 ",
]  # fmt: skip
LEADS = ["", "I ", "My ", "I like ", "I live in ", "I am ", "Last "]
TAILS = ["", "x", "!", "\n", " x."]


def texts(size: int, every: int) -> Iterator[tuple[str, str]]:
    """(name, text) of each shape: one long line, and lines as long as a sentence may be; nested brackets."""
    places = 0
    for unit in UNITS:
        for i, lead in enumerate(LEADS):
            places += 1
            if places % every:
                continue
            tail = TAILS[(places + i) % len(TAILS)]
            yield f"{lead!r} + {unit!r}… + {tail!r}", lead + unit * (size // len(unit)) + tail
            sentence = (lead + unit * MAX_SENTENCE)[: MAX_SENTENCE - 3] + (tail.strip() or "x") + "\n"
            yield f"lines of {lead!r} + {unit!r}…", sentence * LINES
    for opening, closing in ("()", "[]", "{}", "“”", "<>"):
        yield f"nested {opening}{closing}", opening * (size // 2) + closing * (size // 2)


# --- the readers -------------------------------------------------------------------------------------------------------


def turn(text: str, name: str | None = None) -> Turn:
    return Turn("t1", 1, Scope("u"), "b", Role.USER, text, name, WHEN, True)


def rules(text: str) -> None:
    """The extraction of a chunk by rules, and its check."""
    chunk = Chunk((turn(text),), (turn("My sister Anna and my dogs are here."),))
    evidence.verify(asyncio.run(RulesExtractor().extract(chunk)), chunk)


def find_dates(text: str) -> None:
    dates.find_dates(text, WHEN)


def check_facts(text: str) -> None:
    """Facts of a model with quotes that nearly stand there, and dates that the text may tell."""
    chunk = Chunk((turn(text),))
    event = EventTime(WHEN, WHEN, Precision.DAY)
    quotes = [
        text[:4_000],
        text[1:3_000] + " x",
        " … ".join(text[n : n + 50] for n in range(0, 3_000, 60)),
        "yesterday",
    ]
    facts = [
        Fact(text[n : n + 1_000] or "x", Kind.EVENT, tuple(Evidence("t1", quote) for quote in quotes), event=event)
        for n in range(5)
    ]
    evidence.verify(Extraction(tuple(facts)), chunk)


def terms(text: str) -> None:
    TermCounter()(text)


def query(text: str) -> None:
    wording.of_the_user(text[:10_000])


def guarded(text: str) -> None:
    """What a model would put in a memory's place."""
    fact = Fact(text[:2_000], Kind.EVENT, ())
    guard.invented(text[1:2_000], fact, ())
    guard.overlap(text[:2_000], text[1:2_000])


def shown(text: str) -> None:
    """On its way into a prompt, and to a terminal."""
    extract.transcript([extract.Line(turn(text), text)], 1)
    extract.pieces((), [extract.Line(turn(text), text)])
    pack.harmless(text, "0" * 32)
    safe.plain(text)
    safe.as_json(text)


def judged(text: str) -> None:
    """Whether it gives orders, and whose word it is."""
    quarantine.judge(text, SourceClass.USER)
    claims.claims(text)


def reply(text: str) -> None:
    """A model's."""
    for told in (text, "[" + text, '{"facts": [' + text, "<think>" + text):
        try:
            litellm_reply.json_in(told)
        except litellm_reply.Unfit:
            continue


def file(text: str) -> None:
    """A conversation file."""
    for content in (text, json.dumps({"role": "user", "content": "x"}) + "\n" + text, '"conversation"' + text):
        path = Path(FOLDER, "file.jsonl")
        path.write_text(content, encoding="utf-8", errors="surrogatepass")
        try:
            for _ in formats.read(path):
                pass
        except InvalidInput:
            continue


READERS: list[Callable[[str], None]] = [
    rules,
    find_dates,
    check_facts,
    terms,
    query,
    guarded,
    judged,
    shown,
    reply,
    file,
]


class Late(Exception):
    pass


def stop(*_: object) -> None:
    raise Late


def main(size: int, every: int) -> None:
    signal.signal(signal.SIGPROF, stop)
    tries, late, slowest = 0, [], (0.0, "")
    for name, text in texts(size, every):
        for reader in READERS:
            tries += 1
            limit = max(LEAST_SECONDS, SECONDS_PER_100_KB * len(text) / 100_000)
            began = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, limit)
            try:
                reader(text)
            except Late:
                late.append(f"{reader.__name__}: {name}")
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
            slowest = max(slowest, (time.process_time() - began, f"{reader.__name__}: {name}"))
    print(json.dumps({"tries": tries, "late": late, "slowest": slowest}))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as FOLDER:
        main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
