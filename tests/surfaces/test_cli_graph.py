"""`recollect graph`: lines, JSON, a page that needs nothing else and a picture; whatever the names are."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import stat
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from naming import Naming
from typer.testing import CliRunner

from recollect import Memory
from recollect.surfaces.cli.commands import app
from recollect.surfaces.cli.graph import pictured
from recollect.surfaces.graph_page import write
from recollect.testing import HashEmbedder

CHROMIUM = shutil.which("chromium")
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")
drawn = pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed")
HOSTILE = [
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=document.title='owned'>",
    "<!--<script>",
    "]]>&lt;b&gt;${document.title='owned'}",
    "$\\frac{1}{0$ %s {0} {{7*7}}",
    "constructor",
    "__proto__",
    "\u202egnp.live\u2028\u2029 日本 שלום 👩‍👩‍👧",
    "x" * 150,
]


def fill(folder, *texts, user="u"):
    with Memory(folder, llm=Naming(), embedder=HashEmbedder(384)) as memory:
        memory.add([{"role": "user", "content": one} for one in texts], user_id=user, timestamp="2024-05-01")
        return memory.entity_graph(user_id=user)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graph")
    told = [
        "Anna --works at--> Acme (organisation)",
        "Anna --lives in--> Rome (place)",
        "Bob --friend of--> Anna",
        "meet Bob & Eva",
    ]
    fill(folder, *told, "Eva --knows--> Dan", "Dan --knows--> Zoe")
    fill(folder, "Mallory --hates--> Anna", user="other")
    return folder


@pytest.fixture
def run(store, monkeypatch):
    """The command over the store, as its embedder is not at hand for a name: it is not needed."""

    def call(*words, user="u"):
        return CliRunner().invoke(app, ["--store", str(store), "--user", user, "graph", *map(str, words)])

    return call


def test_lines(run):
    done = run()
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "Anna (person): 3 memories" and "  —works at→ Acme" in lines and lines[-1] == "7 entities"
    assert "Mallory" not in done.stdout


def test_json_is_the_whole_picture(run):
    told = json.loads(run("--json").stdout)
    names = [one["name"] for one in told["entities"]]
    assert names[0] == "Anna" and set(names) == {"Anna", "Acme", "Rome", "Bob", "Eva", "Dan", "Zoe"}
    edges = {(names[e["from"]], e["label"], names[e["to"]]) for e in told["relations"]}
    assert ("Bob", "friend of", "Anna") in edges and len(edges) == 5
    assert {told["memories"][at]["text"] for at in told["entities"][0]["memories"]} == {
        "Anna works at Acme (organisation)",
        "Anna lives in Rome (place)",
        "Bob friend of Anna",
    }
    assert told["centre"] is None and told["left_out"] == 0
    assert json.loads(run("--json").stdout) == told  # the same graph, the same picture


@pytest.mark.parametrize(
    ("depth", "names"), [(1, {"Zoe", "Dan"}), (2, {"Zoe", "Dan", "Eva"}), (3, {"Zoe", "Dan", "Eva", "Bob"})]
)
def test_around_one(run, depth, names):
    told = json.loads(run("--json", "--entity", " zoe", "--depth", depth).stdout)
    assert {one["name"] for one in told["entities"]} == names
    assert told["entities"][told["centre"]]["name"] == "Zoe"


def test_the_most_named_stay_and_it_says_how_many_do_not(run, tmp_path):
    told = json.loads(run("--json", "--most", 2).stdout)
    assert [one["name"] for one in told["entities"]] == ["Anna", "Bob"] and told["left_out"] == 5
    kept = json.loads(run("--json", "--entity", "Zoe", "--depth", 5, "--most", 1).stdout)
    assert [one["name"] for one in kept["entities"]] == ["Zoe"]
    assert "5 more left out" in run("--most", 2, "--out", tmp_path / "g.html").stdout
    assert "5 of them not shown" in run("--most", 2).stdout


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--out", "g.pdf"], 2, "must end in .html"),
        (["--out", "nowhere/g.html"], 2, "there is no folder"),
        (["--entity", "Nobody"], 3, "no entity"),
        (["--most", "0"], 2, "from 1 to 499"),
        (["--most", "500"], 2, "from 1 to 499"),
        (["--depth", "0", "--entity", "Anna"], 2, "from 1 to 10"),
    ],
)
def test_what_cannot_be_is_said(run, words, code, says):
    done = run(*words)
    assert done.exit_code == code and says in done.stderr


def test_a_file_is_readable_for_its_owner_alone_and_never_replaced_unasked(run, tmp_path):
    out = tmp_path / "g.html"
    assert run("--out", out).exit_code == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    before = out.read_bytes()
    done = run("--out", out, "--entity", "Anna")
    assert done.exit_code == 1 and "TargetExists" in done.stderr and out.read_bytes() == before
    done = run("--out", out, "--entity", "Anna", "--overwrite", "--json")
    assert json.loads(done.stdout)["path"] == str(out) and out.read_bytes() != before
    assert [one.name for one in tmp_path.iterdir()] == ["g.html"]


def test_no_store_is_made_and_nothing_is_an_answer(tmp_path):
    def call(folder, *words):
        return CliRunner().invoke(app, ["--store", str(folder), "graph", *words])

    assert call(tmp_path / "none").exit_code == 2 and not (tmp_path / "none").exists()
    fill(tmp_path / "some", "small talk")
    done = call(tmp_path / "some", "--user", "u")
    assert (done.exit_code, done.stdout) == (0, "0 entities\n")
    assert call(tmp_path / "some", "--out", str(tmp_path / "g.html")).exit_code == 0


def test_without_matplotlib_it_says_what_to_install(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    done = run("--out", tmp_path / "g.png")
    assert done.exit_code == 2 and "pip install 'recollect[graph]'" in done.stderr
    assert list(tmp_path.iterdir()) == []


@drawn
def test_a_picture(run, tmp_path):
    out = tmp_path / "g.png"
    assert run("--out", out).exit_code == 0
    assert out.read_bytes().startswith(b"\x89PNG") and out.stat().st_size > 30_000


@drawn
def test_a_picture_of_hostile_names_and_of_nothing(tmp_path):
    from recollect.surfaces.cli.graph_png import draw

    assert draw(pictured(hostile(tmp_path)), HOSTILE[4]).startswith(b"\x89PNG")
    assert draw(pictured(fill(tmp_path / "none", "small talk")), "").startswith(b"\x89PNG")


# --- the page ----------------------------------------------------------------------------------------------------------


def hostile(folder):
    return fill(folder, *(f"{one} --{one[:80]}--> Anna" for one in HOSTILE), f"meet {' & '.join(HOSTILE)}")


class Reader(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.elements, self.data = [], {}
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        if self.elements and self.elements[-1][0] == "script":
            self.data.setdefault(self.elements[-1][1].get("id", ""), data)


def test_names_are_data_and_cannot_leave_it(tmp_path):
    picture = pictured(hostile(tmp_path))
    page = write(picture, HOSTILE[0])
    reader = Reader(page)
    assert [name for name, _ in reader.elements].count("script") == 2  # the data and our own
    assert json.loads(reader.data["data"]) == picture  # every name is there, to the letter
    assert {one["name"] for one in picture["entities"]} >= set(HOSTILE[:4])
    assert not any(name in ("img", "b") for name, _ in reader.elements)
    held = page[page.index("<script id=data") : page.index("</script>")]
    assert not re.search(r"[<>&\u2028\u2029]", held.split(">", 1)[1])
    policy = next(one["content"] for name, one in reader.elements if one.get("http-equiv"))
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)


FLAGS = [
    *["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
    *["--disable-component-update", "--disable-sync", "--disable-extensions", "--enable-logging=stderr", "--hide-scrollbars"],
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]  # fmt: skip


def browse(folder, page, *options):
    """The page opened in a browser of its own."""
    file = folder / "page.html"
    file.write_text(page, encoding="utf-8")
    command = [
        CHROMIUM,
        *FLAGS,
        f"--user-data-dir={folder / 'browser'}",
        "--window-size=1200,800",
        *options,
        file.as_uri(),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)


def faults(done):
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def shown(done):
    """Names that are drawn, and what the panel tells."""
    drawn = re.findall(r'<text class="name"[^>]*>(.*?)</text>', done.stdout, re.S)
    return drawn, re.sub(r"<[^>]+>", " ", done.stdout[done.stdout.index('<div id="told"') :].split("</aside>")[0])


@in_a_browser
def test_hostile_names_are_shown_as_they_are_and_nothing_runs_or_is_asked_for(tmp_path):
    log = tmp_path / "net.json"
    page = write(pictured(hostile(tmp_path / "store"), "anna"), "names")
    done = browse(tmp_path, page, f"--log-net-log={log}", "--dump-dom")
    assert faults(done) == [] and "<title>names</title>" in done.stdout
    names, panel = shown(done)
    assert len(names) == len(HOSTILE) + 1 and "Anna" in names and "&lt;img src=x" in done.stdout
    assert "constructor" in panel and "__proto__" in panel and "Memories" in panel
    events = json.loads(log.read_text(encoding="utf-8"))["events"]
    asked = [one["params"] for one in events if "initiator" in one.get("params", {})]
    urls = [one["url"] for one in asked if one["initiator"] != "not an origin" and not one["url"].startswith("file:")]
    assert urls == []


# What a reader does, and what it must lead to; the last word is the page's title.
ACTS = """<script>
{
  const seen = [];
  const told = () => document.getElementById("told").textContent;
  const titled = (name) => (one) => one.querySelector("title").textContent.startsWith(name);
  const node = (name) => [...document.querySelectorAll(".node")].find(titled(name));
  const type = (words) => {
    find.value = words;
    find.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const point = (kind, clientX, clientY) => svg.dispatchEvent(new PointerEvent(kind, { clientX, clientY, bubbles: true }));
  const where = () => svg.querySelector("g").getAttribute("transform");
  node("Anna").dispatchEvent(new MouseEvent("click", { bubbles: true }));
  seen.push(told().includes("Anna works at Acme"), document.querySelectorAll(".chosen").length === 1);
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
  seen.push(told().startsWith("Entities"), document.querySelectorAll(".chosen").length === 0);
  type("rome");
  seen.push(told().includes("Anna lives in Rome") && !told().includes("Bob"));
  type("nothing like it");
  seen.push(told() === "Nothing fits.");
  const before = where();
  svg.dispatchEvent(new WheelEvent("wheel", { deltaY: -300, clientX: 300, clientY: 300, bubbles: true, cancelable: true }));
  const zoomed = where();
  point("pointerdown", 300, 300);
  point("pointermove", 360, 340);
  point("pointerup", 360, 340);
  seen.push(zoomed !== before, where() !== zoomed);
  document.title = seen.every(Boolean) ? "all as it should be" : JSON.stringify(seen);
}
</script>"""


@in_a_browser
def test_one_can_choose_find_zoom_and_move(store, tmp_path):
    with Memory(store, llm=Naming(), embedder=HashEmbedder(384)) as memory:
        page = write(pictured(memory.entity_graph(user_id="u")), "names")
    free = re.sub(r"<meta http-equiv[^>]*>", "", page).replace("</body>", f"{ACTS}</body>")
    done = browse(tmp_path, free, "--dump-dom")
    assert "<title>all as it should be</title>" in done.stdout, re.search(r"<title>.*?</title>", done.stdout)[0]
    assert faults(done) == []


@in_a_browser
def test_the_policy_lets_no_other_script_run(tmp_path):
    page = write(pictured(fill(tmp_path / "store", "meet Anna")), "names")
    done = browse(tmp_path, page.replace("</body>", "<script>document.title = 'in'</script></body>"), "--dump-dom")
    assert "<title>names</title>" in done.stdout and any("Content Security Policy" in line for line in faults(done))


@in_a_browser
def test_a_picture_of_the_page_can_be_taken(store, tmp_path):
    with Memory(store, llm=Naming(), embedder=HashEmbedder(384)) as memory:
        page = write(pictured(memory.entity_graph(user_id="u")), "names")
    shot = tmp_path / "shot.png"
    browse(tmp_path, page, f"--screenshot={shot}")
    assert shot.stat().st_size > 20_000  # an empty page has some 5,000
