"""What a file can do that is imported: damaged, cut off, made to harm, with secrets, of what was erased, under another name."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
import threading
import tracemalloc
from contextlib import closing

import chaos
import numpy as np
import pytest
from naming import Naming

from recollect import AsyncMemory, Memory, trace
from recollect.errors import ImportInvalid, InvalidInput, NotFound, TargetExists
from recollect.testing import HashEmbedder

CARD = "4242 4242 4242 4242"
BOTH = ("memories", "turns")


def opened(folder, **options):
    return Memory(folder, llm=Naming(), embedder=HashEmbedder(16), **options)


def lived(folder, users=("alice", "bob"), **options):
    """A store with something of every type of line, of each user."""
    with opened(folder, **options) as memory:
        for user in users:
            memory.add("home = Rome", user_id=user, session_id="s", timestamp="2024-01-01", metadata={"n": 1})
            memory.add("home = Oslo", user_id=user, session_id="s", timestamp="2024-02-01", idempotency_key="k")
            memory.add("Ann --sister--> Eva", user_id=user, timestamp="2024-02-02")
            memory.merge_entities("Ann", "Eva", user_id=user)
            memory.update(memory.get_all(user_id=user)[0].id, "home is Kiel", user_id=user)
            memory.delete_all(user_id=user, session_id="s")
            memory.add("likes += tea", user_id=user, timestamp="2024-03-01", wait=False)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("import")
    lived(folder / "store")
    with opened(folder / "store") as memory:
        memory.export_all(folder / "all.jsonl")
    return folder / "all.jsonl"


@pytest.fixture
def lines(file):
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


@pytest.fixture
def target(tmp_path):
    with opened(tmp_path / "target") as memory:
        memory.add("home = Bern", user_id="carl")
        yield memory


def put(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def contents(memory):
    """Everything in every table, but for how often it was committed to."""
    folder = memory._memory._store.folder
    with closing(sqlite3.connect(folder / "ledger.sqlite3")) as db:
        names = [one for (one,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: sorted(map(repr, db.execute(f"SELECT * FROM {name}"))) for name in names if name != "store"}


def test_a_line_of_each_type_is_in_the_file(lines):
    assert {line["type"] for line in lines} == {
        "header", "user", "batch", "chunk", "turn", "change", "entity", "statement", "version", "source", "hiding",
        "identity", "user_end", "end",
    }  # fmt: skip


# --- damage ------------------------------------------------------------------------------------------------------------


def test_a_file_that_is_cut_anywhere_is_noticed_and_nothing_is_written(file, target, tmp_path):
    whole, before = file.read_bytes(), contents(target)
    ends = [i + 1 for i, byte in enumerate(whole) if byte == 10]
    cuts = [*ends[:-1], *range(1, len(whole) - 1, max(1, len(whole) // 40)), 0, len(whole) - 1]
    with chaos.tries("import: a file that was cut off") as tries:
        for cut in cuts:
            with tries.one(str(cut)):
                (tmp_path / "cut.jsonl").write_bytes(whole[:cut])
                with pytest.raises(ImportInvalid) as caught:
                    target.import_file(tmp_path / "cut.jsonl")
                assert caught.value.line == whole[:cut].count(b"\n") + 1
    assert contents(target) == before


def test_a_damaged_line_is_named_by_its_number_and_never_shown(file, lines, target, tmp_path):
    before = contents(target)
    with chaos.tries("import: a damaged line") as tries:
        for n in range(len(lines)):
            for damage in (
                b'{"type":"turn"',
                b"\xff\xfe secret words",
                b"[]",
                b'{"type":"nothing","x":"secret words"}',
                b"",
            ):
                with tries.one(f"line {n + 1}: {damage!r}"):
                    told = file.read_bytes().splitlines()
                    told[n] = damage
                    (tmp_path / "damaged.jsonl").write_bytes(b"\n".join(told) + b"\n")
                    with pytest.raises(ImportInvalid, match=f"^line {n + 1}: ") as caught:
                        target.import_file(tmp_path / "damaged.jsonl")
                    assert "secret" not in str(caught.value)
    assert contents(target) == before


def test_a_line_too_many_or_too_few_or_elsewhere_is_noticed(lines, target, tmp_path):
    before = contents(target)
    inner = [i for i, line in enumerate(lines) if line["type"] not in ("header", "user", "user_end", "end")]
    with chaos.tries("import: lines that are missing, twice or elsewhere") as tries:
        for i in inner:
            for what, changed in (
                ("missing", [*lines[:i], *lines[i + 1 :]]),
                ("twice", [*lines[:i], lines[i], *lines[i:]]),
                ("first", [lines[i], *lines[:i], *lines[i + 1 :]]),
                ("last", [*lines[:i], *lines[i + 1 :], lines[i]]),
            ):
                with tries.one(f"line {i + 1} {what}"), pytest.raises(ImportInvalid):
                    target.import_file(put(tmp_path / "moved.jsonl", changed))
    assert contents(target) == before


# --- files that mean harm ----------------------------------------------------------------------------------------------

NUMBERS = (0, -1, 2**40 + 1, 2**63, 2**70, 1.5, "1", True, None, [], {})
TEXTS = ("", "\x00", "a\x00b", "x" * 1_000_001, 7, None, ["a"], {"a": 1})
FIELDS = {
    "batch": {"id": ("batch_1", "mem_" + "0" * 32, 7), "status": ("over", None), "metadata": ({"a": float("inf")}, "x", 7, None),
              "infer": ("yes", 1), "digest": ("../x",), "error": ("a b", "'; DROP")},
    "chunk": {"first_turn": (*NUMBERS, 10**9), "last_turn": (*NUMBERS, 10**9), "state": ("gone", "open"), "n": (-1, 1.5, "0", 7),
              "committed": (0, -1, 10**9, "1"), "erased": (-1, 5), "batch_id": ("batch_" + "0" * 32,)},
    "turn": {"number": (*NUMBERS, 10**9), "content": TEXTS, "role": ("god", 7), "said_at": ("yesterday", 7e30, None),
             "id": ("turn_x",), "batch_id": ("batch_" + "0" * 32,), "committed": (10**9, 0), "vector": ("", "AAAA", "!", 7),
             "metadata": ([], "x", {"a": {"b": "\x00"}})},
    "change": {"number": (*NUMBERS, 10**9), "row": (10**9, 0, "1"), "op": ("DROP",), "recorded_at": ("2999-01-01T00:00:00Z",),
               "undoes": ("chg_" + "0" * 32,)},
    "entity": {"number": NUMBERS, "name": TEXTS},
    "statement": {"number": (*NUMBERS, 99), "text": TEXTS, "kind": ("nothing", 7), "source": ("god",),
                  "entities": ([10**9], [0], "x"),
                  "event_from": ("2024-01-01T00:00:00Z",), "subject": ("only",), "vector": ("AAAA", "x")},
    "version": {"number": NUMBERS, "statement": (*NUMBERS, 99), "valid_from": ("never", None),
                "valid_to": ("1999-01-01T00:00:00Z",), "quarantined": ("x",), "recorded": (*NUMBERS, 10**9),
                "retired": (10**9, 0), "memory_id": ("mem_x", "turn_" + "0" * 32)},
    "source": {"number": NUMBERS, "statement": (*NUMBERS, 99), "turn": (*NUMBERS, 10**9), "quote": (*TEXTS, "never said"),
               "added": (*NUMBERS, 10**9)},
    "hiding": {"turn": (*NUMBERS, 10**9), "added": (*NUMBERS, 10**9), "origin": NUMBERS},
    "identity": {"one": (*NUMBERS, 10**9), "other": NUMBERS, "added": (*NUMBERS, 10**9), "same": ("x",)},
    "user": {"user_id": ("", "a\x00", "x" * 513, 7, "a\nb"), "revision": (0, -1, 2, 2**70, "3")},
    "header": {"version": (0, 2, "1"), "format": ("other",), "embedder": ({"id": "x"}, "hash-16"), "more": (1,)},
}  # fmt: skip


def test_values_that_cannot_be_are_refused_and_nothing_is_written(lines, target, tmp_path):
    """Every such value, one at a time: either it is refused with its line or place, or what was taken in is whole."""
    before, refused = contents(target), 0
    with chaos.tries("import: values that mean harm") as tries:
        for kind, fields in FIELDS.items():
            place = next(i for i, line in enumerate(lines) if line["type"] == kind)
            for name, values in fields.items():
                for value in values:
                    changed = [*lines[:place], {**lines[place], name: value}, *lines[place + 1 :]]
                    with tries.one(f"{kind}.{name} = {str(value)[:40]!r}"):
                        try:
                            target.import_file(put(tmp_path / "hostile.jsonl", changed))
                        except (ImportInvalid, InvalidInput) as error:
                            refused += 1
                            assert "never said" not in str(error)
                        else:
                            assert target.verify().problems == (), "taken in, and broken"
                            assert target.get_all(user_id="carl")[0].text == "home is Bern"
                            for user in ("alice", "bob"):
                                target.erase(user_id=user)
    assert refused > 150
    assert before["turns"] == contents(target)["turns"]


def test_numbers_as_large_as_they_may_be_cost_nothing(lines, target, tmp_path):
    """What is searched is kept in arrays by its number. What could be as large as it likes there is refused."""
    far = 2**39
    for kind, name in (
        ("version", "number"),
        ("source", "number"),
        ("statement", "number"),
        ("turn", "number"),
        ("chunk", "last_turn"),
    ):
        place = next(i for i, line in enumerate(lines) if line["type"] == kind)
        changed = [*lines[:place], {**lines[place], name: lines[place][name] + far}, *lines[place + 1 :]]
        with pytest.raises(ImportInvalid, match=f"line {place + 1}: .*number"):
            target.import_file(put(tmp_path / "far.jsonl", changed))
    moved = []
    for line in lines:
        numbered = {"recorded", "retired", "added", "origin", "committed", "revision", "one", "other"}
        numbered |= {"number"} if line["type"] in ("change", "entity") else set()
        fields = {name: value + far if name in numbered else value for name, value in line.items()}
        if line["type"] == "statement":
            fields["entities"] = [one + far for one in line["entities"]]
            fields["relations"] = [[one + far, predicate, other + far] for one, predicate, other in line["relations"]]
        moved.append(fields)
    report = target.import_file(put(tmp_path / "far.jsonl", moved))
    assert [one.status for one in report.users] == ["imported", "imported"]
    target.resume()
    assert [hit.text for hit in target.search("likes tea", user_id="alice")] == ["likes is tea"]
    assert target.timeline(user_id="alice", entity="user").entries and target.verify().ok


def test_a_file_of_a_vector_that_is_none_is_refused(lines, target, tmp_path):
    place = next(i for i, line in enumerate(lines) if line["type"] == "turn")
    for bad in (np.zeros(16), np.full(16, np.nan), np.full(16, 1e30), np.ones(16)):
        vector = base64.b64encode(bad.astype("<f4").tobytes()).decode()
        changed = [*lines[:place], {**lines[place], "vector": vector}, *lines[place + 1 :]]
        with pytest.raises(ImportInvalid, match=rf"line {place + 1}: vector"):
            target.import_file(put(tmp_path / "vector.jsonl", changed))


def test_users_are_told_apart_whatever_the_ids_in_a_file(lines, target, tmp_path):
    """A file with the ids of what others have gets others; an id by which another user could be reached is never taken over."""
    carl = target.get_all(user_id="carl")[0]
    theirs = target.history(carl.id)[0]
    mine = json.dumps(lines)
    for line in lines:
        if line["type"] == "version":
            mine = mine.replace(line["memory_id"], carl.id)
        if line["type"] == "change":
            mine = mine.replace(line["id"], theirs.id)
    changed = json.loads(mine)
    ids = {line["memory_id"] for line in changed if line["type"] == "version"}
    assert ids == {carl.id}
    with pytest.raises(ImportInvalid):  # one id for all changes of a user
        target.import_file(put(tmp_path / "same.jsonl", changed))
    renamed = json.dumps(lines)
    first = next(line for line in lines if line["type"] == "version")
    renamed = json.loads(renamed.replace(first["memory_id"], carl.id))
    target.import_file(put(tmp_path / "taken.jsonl", renamed))
    assert target.get(carl.id).text == "home is Bern" and target.history(carl.id) == [theirs]
    with pytest.raises(NotFound):
        target.get(carl.id, user_id="alice")
    assert target.verify().ok and target.get_all(user_id="carl") == [carl]


def test_a_users_own_import_tells_nothing_of_the_ids_of_others(lines, target, tmp_path):
    """Under a name given, no id stays: whether one is another's cannot be seen."""
    of_alice = lines[: next(i for i, line in enumerate(lines) if line["type"] == "user_end") + 1]
    end = {"type": "end", "users": 1, "counts": of_alice[-1]["counts"]}
    path = put(tmp_path / "alice.jsonl", [*of_alice, end])
    dora = target.scoped(user_id="dora")
    assert dora.import_file(path).users[0].user_id == "dora"
    ids = {line[name] for line in of_alice for name in ("id", "memory_id") if name in line}
    assert not ids & {value for one in dora.audit() for value in (one.change_id, one.memory_id)}
    assert [one.status for one in dora.import_file(path).users] == ["there"]
    assert [one.status for one in target.import_file(path).users] == ["imported"]
    assert target.get_all(user_id="dora") != [] and target.verify().ok
    with pytest.raises(InvalidInput, match="one user"):
        dora.import_file(put(tmp_path / "all.jsonl", lines))
    with pytest.raises(TypeError):
        dora.import_file(path, user_id="carl")


def test_user_text_is_never_sql_nor_a_path(target, tmp_path):
    """What harms where it becomes code, in every text of a file and in the user's name."""
    nasty = "'); DROP TABLE turns; --"
    with opened(tmp_path / "store") as memory:
        memory.add(f"home = {nasty}", user_id=nasty, session_id=nasty, metadata={nasty: nasty}, idempotency_key=nasty)
        memory.add("../../etc/passwd", user_id="../x", infer=False)
        memory.export_all(tmp_path / "n.jsonl")
    target.import_file(tmp_path / "n.jsonl")
    assert target.get_all(user_id=nasty, metadata_filter={nasty: nasty})[0].text == f"home is {nasty}"
    assert target.get_all(user_id="../x")[0].text == "../../etc/passwd" and target.verify().ok


# --- what is there already -----------------------------------------------------------------------------------------------


def test_histories_are_not_mixed(file, target):
    target.add("home = Graz", user_id="bob")
    before = contents(target)
    assert [one.status for one in target.import_file(file, dry_run=True).users] == ["new", "refused"]
    with pytest.raises(TargetExists, match="1 of 2 users"):
        target.import_file(file)
    assert contents(target) == before
    report = target.import_file(file, skip_existing=True)
    assert [one.status for one in report.users] == ["imported", "skipped"]
    assert [one.text for one in target.get_all(user_id="bob")] == ["home is Graz"] and target.verify().ok


@pytest.mark.parametrize("bad", [{"path": 7}, {"path": ""}, {"dry_run": 1}, {"skip_existing": None}, {"user_id": ""}])
def test_arguments_are_checked(file, target, bad):
    with pytest.raises(InvalidInput):
        target.import_file(**{"path": file, **bad})
    for nowhere in (file.parent, file.parent / "nothing"):
        with pytest.raises(ImportInvalid, match="cannot be read"):
            target.import_file(nowhere)
    for options in ({"format": "xml"}, {"format": "jsonl"}, {"vectors": False}):
        with pytest.raises(InvalidInput):
            target.export(user_id="carl", **options)


# --- what was erased, and secrets ----------------------------------------------------------------------------------------


def test_what_was_erased_does_not_come_back(tmp_path):
    lived(tmp_path / "store", ["alice"])
    with opened(tmp_path / "store") as memory:
        memory.export_all(file := tmp_path / "alice.jsonl")
    with opened(tmp_path / "target") as memory:
        memory.import_file(file)
        memory.resume()
        memory.erase(user_id="alice")
        assert memory.import_file(file, dry_run=True).users[0].status == "new"
        report = memory.import_file(file)
        alice = report.users[0]
        assert alice.status == "imported" and alice.erased == alice.turns == 5
        assert memory.stats(user_id="alice").turns == memory.stats(user_id="alice").rows == 0
        assert memory.search("home Oslo", user_id="alice", include=BOTH, min_score=0) == []
        files = [path.read_bytes() for path in (tmp_path / "target").rglob("*") if path.is_file()]
        assert memory.verify().ok and not any(b"sister" in one for one in files)
        memory.import_file(file, allow_erased=True)
        assert memory.stats(user_id="alice").turns == 5 and memory.verify().ok


def test_of_a_user_some_of_whom_was_erased_the_rest_comes_back(tmp_path):
    """As if it had never been said: what it ended holds, and what came after it is found by its own words alone."""
    with opened(tmp_path / "store") as memory:
        memory.add("home = Rome", user_id="u", session_id="s", timestamp="2024-01-01")
        memory.add("home = Oslo", user_id="u", session_id="s", timestamp="2024-02-01")
        memory.add("likes += tea", user_id="u", session_id="s", timestamp="2024-03-01")
        memory.export(user_id="u", path=tmp_path / "u.jsonl", format="jsonl")
    with opened(tmp_path / "target") as memory:
        memory.add("home = Oslo", user_id="u", timestamp="2024-02-01")
        memory.erase(user_id="u")
        report = memory.import_file(tmp_path / "u.jsonl")
        assert report.users[0].erased == 1 and report.embedded == 1
        assert {one.text for one in memory.get_all(user_id="u")} == {"likes is tea", "home is Rome"}
        assert memory.verify().ok and not memory.search("Oslo", user_id="u", include=BOTH)
        assert not any(b"Oslo" in path.read_bytes() for path in (tmp_path / "target").rglob("*") if path.is_file())
        assert [one.status for one in memory.import_file(tmp_path / "u.jsonl").users] == ["there"]


def test_secrets_of_a_file_are_left_out(tmp_path):
    with opened(tmp_path / "store", redact=False) as memory:
        memory.add(f"my card is {CARD} indeed", user_id="u", infer=False, metadata={"card": CARD})
        memory.add(f"home = {CARD}", user_id="u")
        item = memory.get_all(user_id="u")[0]
        memory.update(item.id, f"my new card is {CARD}")
        memory.export(user_id="u", path=tmp_path / "u.jsonl", format="jsonl")
    with opened(tmp_path / "target") as memory:
        report = memory.import_file(tmp_path / "u.jsonl")
        assert report.users[0].redacted >= 6
        assert not any(
            CARD.encode() in path.read_bytes() for path in (tmp_path / "target").rglob("*") if path.is_file()
        )
        assert "[REDACTED:card_number]" in memory.get_all(user_id="u")[0].text and memory.verify().ok
    with opened(tmp_path / "kept", redact=False) as memory:
        memory.import_file(tmp_path / "u.jsonl")
        assert CARD in memory.get_all(user_id="u")[0].text and memory.verify().ok


def test_a_quote_that_ends_within_a_secret_becomes_its_turn(tmp_path):
    with opened(tmp_path / "store", redact=False) as memory:
        memory.add(f"my card is {CARD} indeed", user_id="u", infer=False)
        memory.export(user_id="u", path=tmp_path / "u.jsonl", format="jsonl")
    lines = [json.loads(line) for line in (tmp_path / "u.jsonl").read_text("utf-8").splitlines()]
    for line in lines:
        if line["type"] == "source":
            line["quote"] = line["quote"][:20]
    with opened(tmp_path / "target") as memory:
        memory.import_file(put(tmp_path / "v.jsonl", lines))
        assert memory.sources(memory.get_all(user_id="u")[0].id)[0].quote == "my card is [REDACTED:card_number] indeed"
        assert memory.verify().ok


# --- how it goes -----------------------------------------------------------------------------------------------------------


def test_an_import_takes_memory_that_does_not_grow_with_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr("recollect.adapters.sqlite_export._AT_ONCE", 25)  # two such windows are held while one is read
    peaks = {}
    for size in (100, 100, 400):  # the first time fills caches
        with opened(tmp_path / f"from{size}") as memory:
            if not (tmp_path / f"{size}.jsonl").exists():
                said = [{"role": "user", "content": f"a whole line {n}"} for n in range(size)]
                memory.add(said, user_id="u", infer=False)
            tracemalloc.start()
            memory.export_all(tmp_path / f"{size}.jsonl", overwrite=True)
            peaks[size] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        with opened(tmp_path / f"to{len(list(tmp_path.iterdir()))}-{size}") as memory:
            tracemalloc.start()
            assert memory.import_file(tmp_path / f"{size}.jsonl").users[0].status == "imported"
            peaks[size] = max(peaks[size], tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    grown = (tmp_path / "400.jsonl").stat().st_size - (tmp_path / "100.jsonl").stat().st_size
    assert grown > 250_000 and peaks[400] - peaks[100] < grown / 10, (peaks, grown)


def test_an_import_that_is_stopped_leaves_whole_users_and_goes_on(tmp_path):
    """Stopped in the middle of the second of three."""
    with opened(tmp_path / "store") as memory:
        for user in ("a", "b", "c"):
            memory.add(
                [{"role": "user", "content": f"line {n} of {user}"} for n in range(200)], user_id=user, infer=False
            )
        memory.export_all(tmp_path / "x.jsonl")
    reached, go_on = threading.Event(), threading.Event()

    def wait(event):
        if isinstance(event, trace.Imported) and event.step == "importing" and event.done > event.of * 0.5:
            reached.set()
            go_on.wait(60)

    async def stopped():
        memory = AsyncMemory(tmp_path / "target", llm=Naming(), embedder=HashEmbedder(16), on_event=wait)
        task = asyncio.create_task(memory.import_file(tmp_path / "x.jsonl"))
        assert await asyncio.to_thread(reached.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        await memory.close()

    asyncio.run(stopped())
    events = []
    with opened(tmp_path / "target", on_event=events.append) as memory:
        assert memory.verify().ok
        there = {user: memory.count(user_id=user) for user in ("a", "b", "c")}
        assert there["a"] == 200 and there["c"] == 0 and set(there.values()) <= {0, 200}
        assert {one.status for one in memory.import_file(tmp_path / "x.jsonl").users} == {"there", "imported"}
        assert [memory.count(user_id=user) for user in ("a", "b", "c")] == [200] * 3 and memory.verify().ok
    told = [one for one in events if isinstance(one, trace.Imported)]
    assert {one.step for one in told} == {"checking", "importing"} and told[-1].done == told[-1].of


def test_others_are_read_and_searched_while_users_come(tmp_path, file):
    """A view that another memory holds of the store sees what came."""
    with opened(tmp_path / "target") as one, opened(tmp_path / "target") as other:
        one.add("home = Bern", user_id="alice2")
        assert other.search("home", user_id="alice2") and other.search("home", user_id="alice", min_score=0) == []
        one.import_file(file)
        one.resume()
        assert [hit.text for hit in other.search("likes tea", user_id="alice")] == ["likes is tea"]
