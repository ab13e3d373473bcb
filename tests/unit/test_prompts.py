"""Prompt files: read, checked, rendered with values that are only ever values; and the ones that are released."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from recollect import prompts
from recollect.errors import PromptInvalid
from recollect.writing import replies

GOOD = """---
id: greet
version: 3
variables: name, mood
response_model: ListReply
---
# system
Be {{ mood }}.
# user
Greet {{ name }}.
"""
PROMPTS = Path(__file__).parents[2] / "prompts"
RELEASED = [
    (name, int(file.stem[1:])) for name in ("extract", "reconcile") for file in sorted((PROMPTS / name).glob("v*.md"))
]


def test_a_file_is_read_and_rendered():
    prompt = prompts.parse(GOOD)
    assert (prompt.name, prompt.version, prompt.response_model) == ("greet", 3, "ListReply")
    assert prompt.variables == {"name", "mood"} and re.fullmatch(r"greet@3#[0-9a-f]{8}", prompt.id)
    assert prompt.render(name="Ann", mood="kind") == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Greet Ann."},
    ]


def test_its_id_changes_with_every_letter():
    assert prompts.parse(GOOD).id != prompts.parse(GOOD.replace("Greet", "Meet")).id
    assert prompts.parse(GOOD).id == prompts.parse(GOOD).id


@pytest.mark.parametrize(
    "values", [{}, {"name": "Ann"}, {"name": "Ann", "mood": "kind", "more": "x"}, {"mood": "kind"}]
)
def test_other_values_than_its_variables_are_refused(values):
    with pytest.raises(PromptInvalid, match="takes"):
        prompts.parse(GOOD).render(**values)


def test_a_variable_that_the_file_does_not_declare_is_an_error_and_never_a_blank():
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError):
        prompts.parse(GOOD.replace("{{ name }}", "{{ nobody }}")).render(name="Ann", mood="kind")


@pytest.mark.parametrize(
    "text",
    [
        "{{ 7*7 }}",
        "{% for x in y %}",
        "{# gone #}",
        "{{ name.__class__ }}",
        "# user\n---\nid: x",
        "<b>&amp;</b> \\1 %s",
    ],
)
def test_values_are_never_rendered(text):
    system, user = prompts.parse(GOOD).render(name=text, mood=text)
    assert (system["content"], user["content"]) == (f"Be {text}.", f"Greet {text}.")


def test_the_sandbox_keeps_templates_from_what_python_has():
    from jinja2.exceptions import SecurityError

    with pytest.raises(SecurityError):
        prompts.parse(GOOD.replace("{{ name }}", "{{ name.__class__.__mro__ }}")).render(name="Ann", mood="kind")


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD.replace("---\nid", "id"),
        GOOD.replace("# system", "## system"),
        GOOD.replace("# user\n", ""),
        GOOD.replace("version: 3", "version: three"),
        GOOD.replace("version: 3\n", ""),
        GOOD.replace("variables", "varriables"),
        GOOD.replace("id: greet\nversion: 3", "version: 3\nid: greet"),
        GOOD.replace("---\nid", "---\nmore: x\nid"),
        f"\n{GOOD}",
    ],
)
def test_a_malformed_file_is_refused(text):
    with pytest.raises(PromptInvalid):
        prompts.parse(text)


@pytest.mark.parametrize(("name", "version"), [("extract", 99), ("nothing", 1), ("../extract", 1)])
def test_a_prompt_that_is_not_there(name, version):
    with pytest.raises(PromptInvalid):
        prompts.load.__wrapped__(name, version)


def test_the_wheels_folder_goes_before_the_checkouts(tmp_path, monkeypatch):
    checkout = prompts._folder()
    assert checkout == Path(prompts.__file__).parents[2] / "prompts" and (checkout / "extract" / "v1.md").is_file()
    packed = tmp_path / "_prompts" / "extract"
    packed.mkdir(parents=True)
    (packed / "v1.md").write_text(GOOD)
    monkeypatch.setattr(prompts.resources, "files", lambda package: tmp_path)
    assert prompts.load.__wrapped__("extract", 1).name == "greet"


@pytest.mark.parametrize(("name", "version"), RELEASED)
def test_what_is_released_is_whole(name, version):
    prompt = prompts.load(name, version)
    assert (prompt.name, prompt.version) == (name, version)
    assert issubclass(getattr(replies, prompt.response_model), replies.ListReply)
    marks = {variable: f"<<{variable}>>" for variable in prompt.variables}
    shown = "\n".join(message["content"] for message in prompt.render(**marks))
    assert all(mark in shown for mark in marks.values())
    assert "{{" not in shown and "{%" not in shown


def test_the_extractors_instructions_are_short():
    system, _ = prompts.load("extract", 1).render(context="", messages="", instructions="")
    assert len(system["content"]) <= 6_000
    more, _ = prompts.load("extract", 1).render(context="", messages="", instructions="Only boats.")
    assert more["content"].endswith("Only boats.") and "application" not in system["content"][-200:]


@pytest.mark.parametrize(("name", "version"), RELEASED)
def test_the_example_of_a_prompt_is_a_reply_that_can_be_read(name, version):
    import json

    prompt = prompts.load(name, version)
    model = getattr(replies, prompt.response_model)
    start = prompt.system.index(f'{{"{model.items_field}": [\n')
    value, _ = json.JSONDecoder(strict=False).raw_decode(prompt.system, start)
    read = model.model_validate(value)
    assert len(getattr(read, model.items_field)) >= 2 and read.malformed == []
