"""Reports: their numbers are the scores, what users said stays text, the same records give the same page."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reports import SYSTEMS, Made, doubted, made, result
from typer.testing import CliRunner

from recollect.surfaces.cli.commands import app
from recollect.testing import HashEmbedder
from recollect_evals import datasets, report, systems
from recollect_evals.attribution import STAGES
from recollect_evals.model import Conversation, DataSet, Question, Session, Turn
from recollect_evals.operations.decisions import label as labelled
from recollect_evals.probe import KINDS
from recollect_evals.records import Records
from recollect_evals.report.comparisons import compared, reference
from recollect_evals.report.names import families, label
from recollect_evals.report.numbers import percent, signed
from recollect_evals.report.repeat import run_commands, system_name
from recollect_evals.report.subjects import grouped
from recollect_evals.report.svg import Labels, around, spread
from recollect_evals.report.values import shown
from recollect_evals.scores import OVERALL, compare
from recollect_evals.statistics import wilson

ROOT = Path(__file__).parents[2]
CHANGES = datasets.load("changes")
DATA = doubted(replace(CHANGES, conversations=CHANGES.conversations[:2]))
THREE = (SYSTEMS[2], SYSTEMS[5], SYSTEMS[7])
RUN = made("first", DATA, THREE)
MARKDOWN, PAGE = report.markdown([RUN]), report.html([RUN])

Grid = list[list[str]]


def tables(markdown: str) -> dict[str, Grid]:
    """Heading, or headings of a fold and a table in it, → rows of cells, without the rule below the heads."""
    found: dict[str, Grid] = {}
    heads: dict[int, str] = {}
    for line in markdown.splitlines():
        if match := re.match(r"(#+) (.*)", line):
            heads = {n: told for n, told in heads.items() if n < len(match[1])} | {len(match[1]): match[2]}
        elif line.startswith("| ") and not line.startswith("| ---"):
            name = " / ".join(told for n, told in sorted(heads.items()) if n > 2)
            cells = [one.strip() for one in re.split(r"(?<!\\)\|", line)[1:-1]]
            found.setdefault(name, []).append([re.sub(r"\\(.)", r"\1", one) for one in cells])
    return found


def number(cell: str) -> str:
    """The number of a cell, without emphasis and interval."""
    return cell.replace("**", "").split(" (")[0]


def column(grid: Grid, head: str) -> dict[str, str]:
    place = grid[0].index(head)
    return {row[0]: row[place] for row in grid[1:]}


class Reader(HTMLParser):
    """A page as a browser reads it: elements with their attributes, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.texts.append("")

    def handle_endtag(self, tag):
        self.texts.append("")

    def handle_data(self, data):
        self.texts[-1:] = [self.texts[-1] + data] if self.texts else [data]


# --- numbers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["released", "corrected"])
def test_every_metric_of_every_system_stands_there_with_its_interval(key):
    found, checked = tables(MARKDOWN), 0
    where = "All metrics" if key == "released" else "All metrics / All metrics by the corrected key"
    for slug, scores in RUN.scores.items():
        overall = scores.tables[key][OVERALL]
        for family, metrics in families(overall).items():
            for metric in metrics:
                cell = column(found[f"{where} / {family}"], label(metric))[RUN.system(slug)]
                assert number(cell) == percent(overall[metric].mean), metric
                assert f"({percent(overall[metric].low)}–{percent(overall[metric].high)}" in cell, metric
                checked += 1
    assert checked > 60


def test_every_category_has_them():
    found = tables(MARKDOWN)
    for slug, scores in RUN.scores.items():
        for category, table in scores.tables["released"].items():
            if category != OVERALL:
                for family, metrics in families(table).items():
                    grid = found[f"By category / All metrics: {category} / {family}"]
                    told = [number(column(grid, label(one))[RUN.system(slug)]) for one in metrics]
                    assert told == [percent(table[one].mean) for one in metrics]


def test_released_and_corrected_key_stand_side_by_side():
    grid = tables(MARKDOWN)["All metrics / The released and the corrected key"]
    different = 0
    for slug, scores in RUN.scores.items():
        for key in ("released", "corrected"):
            told = number(column(grid, f"R@10, {key}")[RUN.system(slug)])
            assert told == percent(scores.tables[key][OVERALL]["recall@10"].mean)
        different += scores.tables["released"][OVERALL]["recall@10"] != scores.tables["corrected"][OVERALL]["recall@10"]
    assert different
    assert "the released key is the corrected one" in report.markdown([made("first", CHANGES_OF_ONE, THREE[:1])])


CHANGES_OF_ONE = replace(CHANGES, conversations=CHANGES.conversations[:1])


def test_the_baselines_are_told_with_their_method():
    grid = tables(MARKDOWN)["Retrieval baselines / Retrieval, by the baselines' method"]
    assert grid[0][:7] == ["system", "R@5", "R@10", "R@20", "R@50", "hit@10", "nDCG@10"]
    bm25 = RUN.scores["turns-bm25"].tables["released"]
    assert number(column(grid, "nDCG@10")["turns, BM25"]) == percent(bm25[OVERALL]["ndcg@10"].mean)
    assert number(column(grid, "R@10 update")["turns, BM25"]) == percent(bm25["update"]["recall@10"].mean)
    assert "first k distinct turns in rank order" in MARKDOWN


def test_unrelated_questions_costs_and_what_was_stored():
    found = tables(MARKDOWN)
    for slug, scores in RUN.scores.items():
        name = RUN.system(slug)
        assert number(column(found["All metrics / Evidence found"], "silent on unrelated")[name]) == percent(
            scores.unrelated.mean
        )
        latency = found["Costs / Time and context size"]
        assert column(latency, "search p95, ms")[name] == f"{1000 * scores.cost.search_seconds.p95:.1f}"
        assert column(latency, "context tokens")[name] == f"{scores.cost.context_tokens.mean:,.0f}"
        paid = [row for row in found["Costs / Calls and money"] if row[0] == name and row[1] == "answer"]
        assert paid == [[name, "answer", f"{scores.cost.answer.calls:,}", f"{scores.cost.answer.input_tokens:,}",
                         f"{scores.cost.answer.output_tokens:,}", f"${scores.cost.answer.usd:.4f}"]]  # fmt: skip
    stored = found["Costs / Stored, rejected, failed"]
    ours = RUN.scores["recollect-rules"]
    assert column(stored, "memories")["recollect, rules"] == str(ours.memories)
    assert column(stored, "facts rejected, by reason")["recollect, rules"] == "date unclear 2, no evidence 4"


def test_systems_are_compared_with_the_strongest_plain_rival():
    subjects = grouped([RUN])[0].subjects
    assert reference(subjects, "recall@10").label == "previous + turn, BM25 + MiniLM"
    assert reference(subjects[:1], "recall@10") is None
    assert reference(subjects[:2], "recall@10") is subjects[0]  # nobody but rivals
    grid = tables(MARKDOWN)["Comparisons / judged right against previous + turn, BM25 + MiniLM"]
    rival, ours = (RUN.scores[slug] for slug in ("previous-turn-bm25-minilm", "recollect-rules"))
    whole = compare(rival, ours)["accuracy"]
    assert compared(rival, ours, "accuracy") == whole  # one metric alone gives the same as all of them
    row = dict(zip(grid[0], next(row for row in grid if row[0] == "recollect, rules"), strict=True))
    assert number(row["difference"]) == signed(whole[OVERALL].difference.mean)
    assert row["p"] == f"{whole[OVERALL].exact.p:.3f}"
    assert row["right alone"] == f"{whole[OVERALL].exact.only_b} : {whole[OVERALL].exact.only_a}"
    assert number(row["update"]) == signed(whole["update"].difference.mean)


def test_a_system_of_two_runs_is_compared_with_itself():
    second = made("second", DATA, THREE[2:], seed=1)
    found = tables(report.markdown([RUN, second]))
    grid = found["Comparisons / R@10 against recollect, rules · first"]
    difference = compare(RUN.scores["recollect-rules"], second.scores["recollect-rules"])["recall@10"][
        OVERALL
    ].difference
    assert [row[0] for row in grid[1:]] == ["recollect, rules · second"]
    assert number(grid[1][1]) == signed(difference.mean)


def test_lost_questions_add_up_by_stage_and_category():
    found = tables(MARKDOWN)
    grid = found["Where answers are lost / Questions lost, by stage"]
    for slug, cases in RUN.cases.items():
        name = RUN.system(slug)
        counted = {stage: sum(case.stage == stage for case in cases) for stage in STAGES}
        told = {stage: column(grid, stage)[name] for stage in STAGES if stage in grid[0]}
        assert told == {stage: str(counted[stage]) if counted[stage] else "–" for stage in told}
        assert {stage for stage in STAGES if counted[stage]} <= set(told)
        assert column(grid, "lost")[name] == str(len(cases)) and column(grid, "asked")[name] == str(
            len(RUN.scores[slug].rows)
        )
        by_category = found[f"Where answers are lost / By category: {name} / {name}"]
        lost = [int(row[2]) for row in by_category[1:]]
        assert sum(lost[:-1]) == lost[-1] == len(cases)


def test_the_page_has_the_tables_of_the_markdown():
    reader = Reader(PAGE)
    cells = [" ".join(told.split()) for told in reader.texts]
    for grid in tables(MARKDOWN).values():
        heads, *rows = grid
        for one in [*heads, *(number(cell) for row in rows for cell in row)]:
            assert one in cells, one
    assert sum(name == "table" for name, _ in reader.elements) == len(tables(MARKDOWN))


def test_the_page_lists_every_case_with_what_became_of_it():
    reader = Reader(PAGE)
    lost = [
        (attributes, told)
        for told, attributes in reader.elements
        if told == "details" and attributes.get("class") == "case"
    ]
    questions = {case.question.id for cases in RUN.cases.values() for case in cases}
    assert len(lost) == len(questions)
    told = sum(attributes["data-lost"].count(":") for attributes, _ in lost)
    assert told == sum(map(len, RUN.cases.values()))
    case = next(case for case in RUN.cases["recollect-rules"] if case.evidence and case.evidence[0].memories)
    for said in (
        case.question.text,
        case.question.answer,
        case.evidence[0].turn.text,
        case.evidence[0].memories[0].text,
    ):
        assert said in reader.texts, said


# --- hostile text ------------------------------------------------------------------------------------------------------

HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "javascript:alert(1)",
    "</style><style>*{display:none}", "</title></head><body onload=alert(1)>", "' autofocus onfocus='alert(1)",
    "[x](javascript:alert(1))", "<!-- ", "]]>", "&lt;b&gt; &amp;", "| a | b |\n| --- | --- |", "`` ``` ````", "# heading",
    "\u202egnp.exe", "\x00\x1b[31m\x07", "\ud800", "{{ 7*7 }} ${7*7}", "a\nb", "</bdi></dd></details></main>",
    "<svg/onload=alert(1)>", "$x$ **bold** ~~no~~",
)  # fmt: skip


def hostile_data(text: str) -> DataSet:
    turns = tuple(Turn(f"t{n} {text}", text, "user", text) for n in range(3))
    questions = tuple(
        Question(f"q{n} {text}", f"{text} {n}", text, f"{text} {n % 2}", (turns[n].id,), nuggets=(text,))
        for n in range(3)
    )
    return DataSet(text, (Conversation(text, (Session(text, turns),), questions),), text, (text,))


def hostile_run(text: str):
    data = hostile_data(text)
    system = Made(f"x {text}", 0.5, settings={"llm": text, text: text})
    records = Records({}, {}, {}, {}, {}, {})
    (talk,) = data.conversations
    said = {"spent": {"calls": 1, "seconds": 1.0}, "model": text, "prompt": text}
    records.ingest[talk.id] = {"conversation": talk.id, "memories": 1, "rejected": {text: 1}, "spent": {}}
    for n, question in enumerate(talk.questions):
        key = question.id
        packed = {"text": text, "tokens": 3, "turns": []}
        memory = {"conversation": talk.id, "id": f"m{n}", "text": text, "turns": [*question.evidence], "live": n > 0}
        records.stored[talk.id, f"m{n}"] = memory
        records.search[key] = {
            "question": key,
            "found": [],
            "context": packed,
            "search_seconds": 0.1,
            "context_seconds": 0.1,
        }
        records.answers[key] = {"question": key, "answer": text, **said}
        records.judgements[key] = {"question": key, "verdict": "wrong", "reason": text, **said}
    records.answers[talk.questions[2].id] = {"question": "", "error": {"type": text, "message": text}}
    return result(text, data, {"x": records}, {"x": system}, source=text)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_users_said_is_text_wherever_it_stands(text):
    run = hostile_run(text)
    page = report.html([run])
    page.encode()
    reader = Reader(page)
    known = Reader(PAGE)
    assert {name for name, _ in reader.elements} <= {name for name, _ in known.elements} | {"g", "i"}
    once = ("html", "head", "body", "main", "style", "script", "form")
    assert [sum(name == one for name, _ in reader.elements) for one in once] == [1] * len(once)
    names = {name for _, attributes in reader.elements for name in attributes}
    assert names <= {name for _, attributes in known.elements for name in attributes}
    assert not [name for name in names if name.startswith("on") or name in ("src", "style", "srcdoc", "action")]
    links = {attributes["href"] for _, attributes in reader.elements if "href" in attributes}
    assert all(re.fullmatch(r"#s\d+", one) for one in links)
    assert reader.texts.count(shown(text)) >= 10  # answers, turns, memories, verbatim
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", page)


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_keeps_its_form_whatever_is_said(text):
    told = report.markdown([hostile_run(text)])
    outside, fence = [], None
    for line in told.splitlines():
        marks = re.match(r"`{3,}", line)
        if fence is None and marks and line.endswith("sh"):
            fence = marks[0]
        elif fence is not None and line == fence:
            fence = None
        elif fence is None:
            outside.append(line)
    assert fence is None
    assert not [line for line in outside if re.search(r"(?<!\\)[<`\[]", re.sub(r"\\\\", "", line))]
    for grid in tables("\n".join(outside)).values():
        assert {len(row) for row in grid} == {len(grid[0])}
    heads = [line for line in outside if line.startswith("#")]
    assert len(heads) == len(
        [line for line in report.markdown([hostile_run("plain")]).splitlines() if line.startswith("#")]
    )


@settings(deadline=None, max_examples=40)
@given(st.text(max_size=30))
def test_any_text_comes_back_from_the_page(text):
    question = f"<{text}>"
    case = replace(RUN.cases["turns-bm25"][0], given=question)
    page = report.html([replace(ONE, cases={"turns-bm25": [case]})])
    told = shown(question).replace("\r", "\n")
    assert any(told == one.replace("\r", "\n") for one in Reader(page).texts)


ONE = made("one", CHANGES_OF_ONE, THREE[:1], phases=("search",))


def test_the_page_loads_nothing_and_allows_nothing_else():
    for sign in ("http:", "https:", "url(", "@import", "<link", "<iframe", "<img", "fetch(", "innerHTML", "eval("):
        assert sign not in re.sub(r"gpt-5-mini|&#x27;|&quot;", "", PAGE), sign
    policy = next(a["content"] for name, a in Reader(PAGE).elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy


# --- what may be missing -----------------------------------------------------------------------------------------------


def test_no_run_and_a_run_of_nothing():
    assert "No run was given" in report.markdown([]) and "No run was given" in report.html([])
    nothing = result("empty", DATA, {"x": Records()}, {"x": Made("x", 0.0)}, ())
    for told in (report.markdown([nothing]), report.html([nothing])):
        assert "No question was asked yet." in told and "Manifest of empty" in told
    assert tables(report.markdown([nothing])) == {}


def test_a_system_that_was_not_asked_is_named():
    run = result("half", DATA, {"x": Records(), "y": RECORDS_OF_ONE}, {"x": Made("x", 0.0), "y": Made("y", 0.0)}, ())
    assert "Not asked anything yet: x." in report.markdown([run])


RECORDS_OF_ONE = Records(
    search={DATA.conversations[0].questions[0].id: {"error": {"type": "SystemFailed", "message": "down"}}},
    ingest={DATA.conversations[1].id: {"error": {"type": "SystemFailed", "message": "full disk"}}},
)


def test_failures_are_told():
    run = result("failed", DATA, {"y": RECORDS_OF_ONE}, {"y": Made("y", 0.0)}, ())
    found = tables(report.markdown([run]))
    assert column(found["Costs / Stored, rejected, failed"], "records that failed")["y"] == "ingest 1, search 1"
    lost = found["Where answers are lost / Questions lost, by stage"]
    assert column(lost, "failed")["y"] == str(1 + len(DATA.conversations[1].questions))
    assert "SystemFailed: full disk" in Reader(report.html([run])).texts


@pytest.mark.parametrize("phases", [(), ("search",), ("answer",), ("answer", "judge"), ("search", "answer")])
def test_phases_that_were_not_run_are_left_out(phases):
    run = made("some", CHANGES_OF_ONE, THREE[1:], phases=phases)
    told, page = report.markdown([run]), report.html([run])
    found = tables(told)
    assert ("All metrics / Answers" in found) == ("answer" in phases)
    assert ("All metrics / Evidence found" in found) == ("search" in phases)
    assert ("Evidence recall against k" in page) == ("search" in phases)
    assert ("Judged by" in told) == ("judge" in phases)
    assert ("Comparisons" in told) == bool(phases)


def test_one_system_is_compared_with_nobody():
    told = report.markdown([ONE])
    assert "### Comparisons" not in told and "**" not in told.split("## What is measured")[0]
    assert "Cases" in report.html([ONE])


def test_a_report_without_a_plain_rival_says_what_is_missing():
    assert "recollect eval baseline" in report.markdown(
        [made("ours", CHANGES_OF_ONE, SYSTEMS[6:8], phases=("search",))]
    )
    assert "recollect eval baseline" not in MARKDOWN


def test_runs_of_two_data_sets_and_of_one_name():
    other = made("first", replace(CHANGES_OF_ONE, name="other", checksum="ff"), THREE)
    told = report.markdown([RUN, other, RUN])
    assert re.findall(r"^## (.*)", told, re.M) == ["changes", "other", "What is measured", "To repeat it"]
    assert "recollect, rules · first (1)" in told and "recollect, rules · first (3)" in told
    assert "Manifest of first \\(2\\)" in told or "Manifest of first (2)" in told


# --- the same again ----------------------------------------------------------------------------------------------------

AGAIN = """
import hashlib, sys
sys.path[:0] = ["tests"]
from dataclasses import replace
from reports import SYSTEMS, doubted, made
from recollect_evals import datasets, report
data = datasets.load("changes")
run = made("first", doubted(replace(data, conversations=data.conversations[:1])), SYSTEMS[7:8])
print(hashlib.sha256((report.html([run]) + report.markdown([run])).encode()).hexdigest())
"""


def test_the_same_records_give_the_same_report_in_any_process():
    told = set()
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", AGAIN]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
        told.add(done.stdout)
    assert len(told) == 1
    assert report.html([made("first", DATA, THREE)]) == PAGE


# --- commands ----------------------------------------------------------------------------------------------------------

PLAIN = [name for name in systems.NAMES if not name.startswith(("recollect", "mem0"))]
OURS = ["recollect-rules", "recollect-rules:turns", "recollect-rules:memories:no-graph", "recollect-rules:no-graph"]


@pytest.mark.parametrize("name", [*PLAIN, *OURS])
def test_a_report_names_systems_as_the_command_line_does(name, tmp_path):
    system = systems.make(name, folder=tmp_path, options=systems.Options(embedder=HashEmbedder()))
    try:
        assert system_name({"name": system.name, "settings": system.settings}) == name
    finally:
        system.close()


def test_a_manifest_becomes_the_commands_that_make_the_run_again():
    model = {"llm": "openai/a", "include": ["memories"], "graph": True}
    named = {
        "x": Made("turns, BM25", 0.0),
        "y": Made("last 7 turns", 0.0, settings={"last": 7}),
        "z": Made("recollect, openai/a, memories only", 0.0, settings=model),
        "w": Made("recollect, openai/b", 0.0, settings={"llm": "openai/b", "include": ["memories", "turns"], "graph": True}),
    }  # fmt: skip
    run = result("it's", DATA, {slug: Records() for slug in named}, named, ("answer",), source="my data.json")
    manifest = replace(run.manifest, selection={"conversations": ["a b"], "limit": 5}, k=30, seed=3)
    first, second = (shlex.split(one.replace("\\\n", "")) for one in run_commands(manifest, "it's"))
    assert first == [
        *["recollect", "eval", "run", "my data.json", "--system", "bm25", "--system", "last-turns"],
        *["--system", "recollect-model:memories", "--last", "7", "--llm", "openai/a", "--reader", "openai/gpt-5-mini"],
        *["--conversation", "a b", "--limit", "5", "--k", "30", "--max-tokens", "1000", "--unrelated", "20"],
        *["--seed", "3", "--out", "runs/it's"],
    ]
    assert second[4:8] == ["--system", "recollect-model", "--llm", "openai/b"] and second[-1] == "runs/it's"
    whole = report.markdown([replace(run, manifest=manifest)])
    assert manifest.checksum in whole and "answer@1\\#0123abcd" in whole


def test_the_commands_of_a_report_are_understood_and_lead_to_the_same_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = [
        "--system",
        "bm25",
        "--system",
        "last-turns",
        "--last",
        "7",
        "--conversation",
        "offers",
        "--limit",
        "6",
        "--k",
        "20",
    ]
    called("run", "changes", *asked, "--out", "runs/first")
    told = called("report", "runs/first")
    fenced = re.search(r"^```sh\n(.*?)\n```$", told, re.M | re.S)[1]
    again, page = (shlex.split(line) for line in fenced.replace("\\\n", "").splitlines())
    assert "search: 0 to do" in called(*again[2:], "--dry-run")  # a run of other settings would be refused
    called(*page[2:])
    assert "turns, BM25" in Path("report.html").read_text(encoding="utf-8")


def called(*words: str) -> str:
    """What a command of `recollect eval` says."""
    done = CliRunner().invoke(app, ["eval", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


# --- drawing -----------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 100), min_size=1, max_size=8))
def test_labels_of_lines_keep_their_distance_and_their_order(wanted):
    places = spread(wanted, 10, 0, 100)
    ordered = sorted(zip(wanted, range(len(wanted)), places, strict=True))
    gaps = [b[2] - a[2] for a, b in itertools.pairwise(ordered)]
    assert all(gap >= 10 - 1e-9 for gap in gaps)
    assert min(places) >= -1e-9 and max(places) <= 100 + 1e-9


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=6), st.booleans())
def test_an_axis_holds_its_values_and_has_marks(values, log):
    values = [max(one, 1e-3) for one in values] if log else values
    axis = around(values, 10, 200, log=log)
    assert all(10 - 1e-6 <= axis.at(one) <= 200 + 1e-6 for one in values)
    assert 1 <= len(axis.ticks()) <= 12 or log


@given(st.floats(1e-3, 1e3), st.floats(6.1, 1e6))
def test_a_logarithmic_axis_has_marks(low, times):
    axis = around([low, low * times], 10, 200, log=True)
    assert 2 <= len(axis.ticks()) <= 14
    assert all(10 - 1e-6 <= axis.at(one) <= 200 + 1e-6 for one in axis.ticks())


def test_labels_of_points_stay_off_each_other():
    labels = Labels(0, 600)
    for n in range(9):
        labels.keep_off(300 + n, 94 + n, 106 + n)
    for n in range(9):
        labels.put(300 + n, 100 + n, f"a system's name {n}")
    put = labels.taken[9:]
    clashes = [
        (a, b)
        for a in put
        for b in labels.taken
        if a != b and a[0] < b[2] and a[2] > b[0] and a[1] < b[3] and a[3] > b[1]
    ]
    assert len(put) == 9 and clashes == []


# --- other measurements ------------------------------------------------------------------------------------------------


def test_decisions_halumem_and_the_probe_have_their_sections():
    case = datasets.decisions.load().cases[0]
    known = labelled(case)
    records = [{**known, "got": known["right"], "harmed": []}, {**known, "error": {"type": "X", "message": ""}}]
    updates = [{"is_update": True, "outcome": "right", "stored": True, "shown": True}] * 3
    judged = {"judge@1": {kind: wilson(3, 4) for kind in KINDS}}
    further = [report.decisions({"rules": records}), report.halumem({"rules": updates}, {}), report.judge(judged)]
    told = report.markdown([RUN], further)
    found = tables(told)
    assert [number(one) for one in found["Decisions"][1][:3]] == ["rules", "2", "50.0"]
    assert [number(one) for one in found["Updates"][1][:3]] == ["rules", "3", "100.0"]
    assert {number(one) for one in found["Accepted, by kind of reply"][1][1:]} == {"75.0"}
    assert re.findall(r"^## (.*)", told, re.M)[1:4] == ["Decisions", "HaluMem", "The judge, probed"]
    assert "Resistance" in told or "updates, right" in told
    assert Reader(report.html([RUN], further)).texts.count("Decisions") >= 2


def test_what_has_no_price_is_not_drawn_as_free():
    slug = next(iter(RUN.scores))
    one = RUN.scores[slug]
    unpriced = replace(one, cost=replace(one.cost, answer=replace(one.cost.answer, usd=None)))
    run = replace(RUN, scores={**RUN.scores, slug: unpriced}, spent=replace(RUN.spent, usd=None))
    page, text = report.html([run]), report.markdown([run])
    name = run.system(slug)
    assert f"Not here, for a price is not known: {name}." in page and "Not here, for a price" not in PAGE
    assert re.search(rf"\| {name} +\| answer .*\| unpriced +\|", text) and "unpriced" not in MARKDOWN


# --- in a browser ------------------------------------------------------------------------------------------------------

CHROMIUM = shutil.which("chromium")
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")
FLAGS = [
    *["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
    *["--disable-component-update", "--disable-sync", "--disable-extensions", "--enable-logging=stderr", "--hide-scrollbars"],
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # it would call home
]  # fmt: skip
# Opens everything, and tells what stands out of the page without a container of its own that scrolls.
MEASURE = """<script>
for (const one of document.querySelectorAll("details")) one.open = true;
const out = [...document.body.querySelectorAll("*")].filter((one) =>
  one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".scroll table, figure svg, figure.wide > div"));
document.title = JSON.stringify({
  scroll: document.documentElement.scrollWidth, width: innerWidth,
  out: out.slice(0, 5).map((one) => one.outerHTML.slice(0, 200))});
</script>"""


def browse(folder: Path, page: str, *options: str) -> subprocess.CompletedProcess[str]:
    """The page opened in a browser of its own."""
    file = folder / "page.html"
    file.write_text(page, encoding="utf-8")
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={folder / 'browser'}", *options, file.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)


def said_on_the_console(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def requested(log: Path) -> list[str]:
    """Addresses that a page asked for, by the browser's own log; what the browser itself wants has no origin."""
    events = json.loads(log.read_text(encoding="utf-8"))["events"]
    asked = [one["params"] for one in events if "initiator" in one.get("params", {})]
    return [one["url"] for one in asked if one["initiator"] != "not an origin" and not one["url"].startswith("file:")]


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    """With all there is, and hostile text."""
    runs = [RUN, made("second", DATA, THREE[2:], seed=1), hostile_run(HOSTILE[0]), hostile_run(HOSTILE[1] + "x" * 400)]
    yield report.html(runs)


@in_a_browser
def test_the_page_opens_without_a_fault_or_a_request(page, tmp_path):
    log = tmp_path / "net.json"
    done = browse(tmp_path, page, "--window-size=1400,2000", f"--log-net-log={log}", "--dump-dom")
    assert said_on_the_console(done) == [] and requested(log) == []
    reader = Reader(done.stdout)
    sections = [told for told in reader.texts if told in SECTIONS]
    assert set(sections) == SECTIONS
    forms = [attributes for name, attributes in reader.elements if name == "form"]
    assert forms and all("hidden" not in one for one in forms)  # the page's own script may run, and did
    counted = sum(name == "details" and attributes.get("class") == "case" for name, attributes in reader.elements)
    outputs = re.findall(r"<output>(\d+) of \1</output>", done.stdout)
    assert sum(map(int, outputs)) == counted


SECTIONS = {"Retrieval baselines", "All metrics", "By category", "Comparisons", "Where answers are lost", "Costs", "Cases",
            "What is measured", "To repeat it", "Evidence recall against k", "Quality against context size",
            "Cost against quality", "Where questions were lost"}  # fmt: skip


@in_a_browser
def test_the_watch_sees_faults_and_requests(tmp_path):
    log = tmp_path / "net.json"
    bad = "<p>x</p><script>nothing()</script><img src='http://127.0.0.1:9/x.png'>"
    done = browse(tmp_path, bad, f"--log-net-log={log}", "--dump-dom")
    assert said_on_the_console(done) and any("127.0.0.1:9/x.png" in url for url in requested(log))
    blocked = page_with(PAGE, "<script>document.title = 'in'</script><img src='http://127.0.0.1:9/x.png'>")
    done = browse(tmp_path, blocked, f"--log-net-log={log}", "--dump-dom")
    assert "<title>in</title>" not in done.stdout
    assert requested(log) == []  # the page's policy holds
    assert len([line for line in said_on_the_console(done) if "Content Security Policy" in line]) == 2


def page_with(page: str, more: str) -> str:
    return page.replace("</main>", f"</main>{more}")


@in_a_browser
@pytest.mark.parametrize("width", [1400, 800, 500])
def test_nothing_stands_out_of_the_page(page, tmp_path, width):
    free = page_with(re.sub(r"<meta http-equiv[^>]*>", "", page), MEASURE)
    done = browse(tmp_path, free, f"--window-size={width},2000", "--dump-dom")
    told = json.loads(
        re.search(r"<title>(.*?)</title>", done.stdout, re.S)[1]
        .replace("&gt;", ">")
        .replace("&lt;", "<")
        .replace("&amp;", "&")
    )
    assert told["width"] == width and told["scroll"] <= width and told["out"] == []


@in_a_browser
@pytest.mark.parametrize("width", [1400, 800])
def test_a_picture_of_it_can_be_taken(page, tmp_path, width):
    shot = tmp_path / "shot.png"
    browse(tmp_path, page, f"--window-size={width},2000", f"--screenshot={shot}")
    assert shot.read_bytes().startswith(b"\x89PNG") and shot.stat().st_size > 50_000  # an empty page has some 10,000
