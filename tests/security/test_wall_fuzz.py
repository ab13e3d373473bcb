"""Hostile strings wherever a string may stand: no leak, no foreign exception, and no file but the store's own."""

from __future__ import annotations

import inspect
import json
import unicodedata
from pathlib import Path

import chaos
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from surroundings import NASTY, exact, files
from typer.testing import CliRunner

from recollect import Memory
from recollect.errors import InvalidInput, NotFound, RecollectError
from recollect.surfaces.cli.commands import app
from recollect.testing import HashEmbedder, ScriptedLanguage

SECRET = "xyzzy"  # in everything of a's, and in nothing that is asked for
OWN_FILES = {"ledger.sqlite3", "ledger.sqlite3-wal", "ledger.sqlite3-shm", "ledger.sqlite3-mark"}
BOTH = ("memories", "turns")
EXAMPLES = 1_000 if chaos.LONG else 60
BUSY = {"deadline": None, "suppress_health_check": list(HealthCheck)}


class Place:
    """A store with a's secret in it, in surroundings of its own: home, working directory and temporary files beside it."""

    def __init__(self, root, monkeypatch):
        self.root, self.store = root, root / "store"
        for name in ("home", "work", "temporary", "data"):
            (root / name).mkdir()
        for variable, name in (("HOME", "home"), ("TMPDIR", "temporary"), ("XDG_DATA_HOME", "data")):
            monkeypatch.setenv(variable, str(root / name))
        monkeypatch.chdir(root / "work")
        self.memory = Memory(self.store, llm=ScriptedLanguage(), embedder=HashEmbedder())
        said = {"user_id": "a", "agent_id": SECRET, "session_id": SECRET, "metadata": {SECRET: SECRET}}
        self.theirs = self.memory.add(f"home = {SECRET}", **said, idempotency_key=SECRET).changes[0].memory.id
        self.memory.add(f"a {SECRET} line", **said, infer=False)
        self.examples = 0
        self.before, self.around = self.secret(), files(root, [self.store])

    def secret(self):
        """All that a has."""
        memory = self.memory
        hits = memory.search(SECRET, user_id="a", include=BOTH, min_score=0)
        return exact([memory.get_all(user_id="a"), hits, memory.history(self.theirs), memory.stats(user_id="a")])

    def attempt(self, verb, **arguments):
        """One call: its answer, or how it was refused. Whatever comes of it tells nothing of a's."""
        try:
            answer = getattr(self.memory, verb)(**arguments)
        except RecollectError as error:
            assert isinstance(error, InvalidInput | NotFound), repr(error)
            answer = error
        told = repr(answer) if isinstance(answer, RecollectError) else exact(answer)
        assert SECRET not in told
        return answer

    def unharmed(self):
        """A has what a had, and there is no file that was not there before."""
        assert self.secret() == self.before
        assert files(self.root, [self.store]) == self.around
        assert {path.name for path in self.store.iterdir()} <= OWN_FILES


@pytest.fixture
def place(tmp_path, monkeypatch):
    one = Place(tmp_path, monkeypatch)
    with one.memory:
        yield one


GOOD = {
    "messages": "home = Oslo", "query": "home", "user_id": "b", "memory_id": "mem_" + "0" * 32, "text": "home is Oslo",
    "change_or_batch_id": "chg_" + "0" * 32,
}  # fmt: skip
TRIED = ("add", "search", "context", "get_all", "count", "delete_all", "get", "update", "delete", "history", "sources",
         "undo", "stats", "estimate", "estimate_retelling", "retell")  # fmt: skip
STRINGS = ("messages", "query", "user_id", "agent_id", "session_id", "idempotency_key", "memory_id", "change_or_batch_id",
           "text", "after", "timestamp", "as_of", "known_at", "since", "until", "now", "expires_at", "include")  # fmt: skip


def calls(value):
    """Every verb with the value at every place where a string may stand, once each."""
    for verb in TRIED:
        taken = inspect.signature(getattr(Memory, verb)).parameters
        good = {name: told for name, told in GOOD.items() if name in taken}
        for name in taken:
            if name in STRINGS:
                yield verb, {**good, name: value}
            if name == "metadata":
                yield verb, {**good, name: {value: value, "deep": [{value: [value]}]}}
            if name == "metadata_filter":
                for operator in ("eq", "ne", "gt", "in", "nin", "contains"):
                    operand = [value] if operator in ("in", "nin") else value
                    yield verb, {**good, name: {value: {operator: operand}}}
                    yield (
                        verb,
                        {**good, name: {"OR": [{"text": {operator: operand}}, {"session_id": {operator: operand}}]}},
                    )
                yield verb, {**good, name: {value: value, "AND": [{"metadata.k": {value: value}}]}}
            if name == "messages":
                yield verb, {**good, name: [{"role": value, "content": "x"}]}
                yield verb, {**good, name: [{"role": "user", "content": value, "name": value, "timestamp": value}]}
                yield verb, {**good, name: [{"role": "user", "content": "x", value: value}]}


def test_hostile_strings_at_every_place(place):
    chosen = NASTY if chaos.LONG else NASTY[::4]
    with chaos.tries("the wall: hostile strings at every place of every verb") as tries:
        for value in chosen:
            for verb, arguments in calls(value):
                if not ("user_id" in arguments and arguments["user_id"] in ("a", "á")):
                    with tries.one(f"{verb} {value[:20]!r}"):
                        place.attempt(verb, **arguments)
        with tries.one("what was there before"):
            place.unharmed()


def test_unknown_keywords_are_type_errors(place):
    for verb in TRIED:
        good = {name: GOOD[name] for name in inspect.signature(getattr(Memory, verb)).parameters if name in GOOD}
        for name in NASTY[:40]:
            with pytest.raises(TypeError):
                getattr(place.memory, verb)(**{**good, name: 1})
    place.unharmed()


WILD = st.one_of(
    st.sampled_from(NASTY),
    st.text(max_size=20),
    st.text(st.characters(), max_size=8),  # surrogates too
    st.text("'\"%_*?./\\{}$\x00\ud800 ab", min_size=1, max_size=12),
    st.builds("".join, st.lists(st.sampled_from(NASTY[:60]), max_size=3)),
)


@settings(max_examples=EXAMPLES, **BUSY)
@given(user=WILD, session=WILD, agent=WILD, key=WILD, field=WILD, value=WILD, text=WILD)
def test_what_is_stored_under_a_hostile_name_is_found_under_that_name_alone(
    place, user, session, agent, key, field, value, text
):
    if unicodedata.normalize("NFC", user) == "a":
        return
    chaos.record("the wall: a hostile user, session, agent, key, field and text at once", 1, 0)
    scope = {"user_id": user, "session_id": session, "agent_id": agent}
    place.examples += 1
    key = f"{key}{place.examples}"  # one that was seen before, with what came of it deleted since, adds nothing
    added = place.attempt("add", messages=text, **scope, idempotency_key=key, metadata={field: value}, infer=False)
    place.attempt("search", query=text, **scope, min_score=0, include=BOTH, metadata_filter={field: value})
    if isinstance(added, InvalidInput):
        return
    same = {"user_id": user, "agent_id": agent}
    try:
        assert place.attempt("count", **same, session_id=session) >= 1
        assert place.attempt("count", **same, session_id=session + "x") == 0
        assert place.attempt("count", user_id=user + "x") == 0
        again = place.attempt("add", messages=text, **scope, idempotency_key=key, infer=False)
        assert again.batch_id == added.batch_id
    finally:
        place.attempt("delete_all", user_id=user)
    assert place.attempt("count", user_id=user) == 0 and place.memory.count(user_id="a") == 2


def plain(text):
    """A sentence's capital letter and spacing aside."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def test_names_of_speakers_are_no_templates(tmp_path):
    """With the rules, which put the speaker's name in the place of "I"."""
    said = "My sister and I went to Rome. Anna and I like green tea. I moved to Oslo last week."
    with (
        Memory(tmp_path, llm="rules", embedder=HashEmbedder()) as memory,
        chaos.tries("the wall: hostile names of speakers") as tries,
    ):
        for n, name in enumerate(one for one in NASTY if one not in ("I", "i")):
            with tries.one(repr(name[:20])):
                try:
                    memory.add([{"role": "user", "name": name, "content": said}], user_id=f"u{n}")
                except InvalidInput:
                    continue
                told = [plain(item.text) for item in memory.get_all(user_id=f"u{n}")]
                assert f"{plain(name)} and their sister went to rome." in told


# --- paths -------------------------------------------------------------------------------------------------------------


def new_files(place, before):
    return {Path(path) for path in files(place.root, [place.store])} - {Path(path) for path in before}


def test_a_store_is_in_the_folder_that_was_named_and_nowhere_else(place):
    with chaos.tries("the wall: hostile paths of stores") as tries:
        for name in NASTY:
            if name.startswith(("/", "~root")) or ".." in name:
                continue  # absolute ones are beside the surroundings that are looked at; see below
            with tries.one(repr(name[:20])):
                before = files(place.root, [place.store])
                try:
                    with Memory(name, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
                        memory.add("home = Oslo", user_id="b")
                        folder = memory._memory._store.folder.absolute()
                except RecollectError:
                    folder = None
                made = new_files(place, before)
                assert folder is not None or not made
                assert all(path in (folder, *folder.parents) or folder in path.parents for path in made)
        for name in ("../work2/x", str(place.root / "absolute" / "x")):
            with tries.one(name):
                Memory(name, llm=ScriptedLanguage(), embedder=HashEmbedder()).close()
                assert (Path(name).resolve() / "ledger.sqlite3").is_file()
    assert place.secret() == place.before


def test_a_backup_is_the_file_that_was_named_and_nothing_else(place):
    with chaos.tries("the wall: hostile paths of backups") as tries:
        for name in NASTY:
            if name.startswith(("/etc", "~root", "C:", "file:")) or ".." in name:
                continue
            with tries.one(repr(name[:20])):
                before = files(place.root, [place.store])
                try:
                    place.memory.backup(name)
                    made = {Path(name).expanduser().absolute()}
                except RecollectError:
                    made = set()
                assert new_files(place, before) == made
    assert {path.name for path in place.store.iterdir()} <= OWN_FILES and place.secret() == place.before


def test_a_store_stays_where_it_was_opened_when_the_process_goes_elsewhere(place, monkeypatch):
    with Memory("relative", llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
        memory.add("home = Oslo", user_id="b")
        monkeypatch.chdir(place.root / "home")
        before = files(place.root, [place.root / "work" / "relative"])
        memory.add("home = Rome", user_id="b")
        assert memory.search("home", user_id="b") and memory.verify().ok
        assert files(place.root, [place.root / "work" / "relative"]) == before


# --- the command line --------------------------------------------------------------------------------------------------


def test_hostile_words_on_the_command_line(place):
    runner = CliRunner()
    chosen = [one for one in (NASTY if chaos.LONG else NASTY[::7]) if one != "--store"]  # that names another store
    sayings = [
        ["add", "{}", "--user", "b"], ["add", "x", "--user", "{}", "--whole"], ["add", "x", "--user", "b", "--session", "{}"],
        ["search", "{}", "--user", "b", "--turns"], ["list", "--user", "{}"], ["list", "--user", "b", "--filter", "{}=x"],
        ["list", "--user", "b", "--filter", "k={}"], ["show", "{}", "--user", "b"], ["history", "{}", "--user", "b"],
        ["delete", "{}", "--user", "b"], ["undo", "{}", "--user", "b"], ["ingest", "{}", "--user", "b"],
        ["stats", "--user", "{}"], ["pending", "--user", "{}"], ["list", "--user", "b", "--as-of", "{}"], ["{}"],
    ]  # fmt: skip
    with chaos.tries("the wall: hostile words on the command line") as tries:
        for value in chosen:
            for words in sayings:
                filled = [word.replace("{}", value) for word in words]
                with tries.one(f"{words} {value[:20]!r}"):
                    done = runner.invoke(app, ["--store", str(place.store), "--json", *filled])
                    assert done.exit_code in (0, 1, 2, 3) and SECRET not in done.output, done.output
                    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
                    if done.exit_code == 1:
                        assert "unexpected" not in done.output, done.output
        with tries.one("what was there before"):
            assert place.secret() == place.before and files(place.root, [place.store]) == place.around


def test_names_in_ingested_files_become_no_paths(place):
    runner = CliRunner()
    lines = [
        json.dumps({"role": "user", "content": "I live in Rome.", "conversation": name, "session": name, "name": name})
        for name in NASTY
    ]
    file = place.root / "work" / "talk.jsonl"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    around = files(place.root, [place.store])
    done = runner.invoke(app, ["--store", str(place.store), "--json", "ingest", str(file)])
    told = json.loads(done.stdout)
    assert done.exit_code == 1 and told["turns"] > 50 and told["stopped"] is None
    assert len(told["problems"]) == len(NASTY) - told["turns"]
    assert files(place.root, [place.store]) == around
    chaos.record("the wall: hostile names in ingested files", len(NASTY), 0)
