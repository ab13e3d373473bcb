"""README.zh.md says what README.md says: section by section the same commands, snippets, figures and links."""

from __future__ import annotations

import difflib
import re

import pages
import pytest

ENGLISH, CHINESE = pages.page("README.md"), pages.page("README.zh.md")


def sections(text):
    """The sections of a README, what stands before the first heading among them."""
    return re.split(r"^## ", text, flags=re.M)


def code(section):
    """What stands in fences, without the comments of commands and Python."""
    fenced = "\n".join(body for _, body in re.findall(r"^```(\w*)\n(.*?)^```$", section, re.M | re.S))
    return [re.sub(r"\s*#\s.*$", "", line) for line in fenced.splitlines()]


def spans(section):
    """Inline code and the targets of links, in the order of the alphabet: sentences have another order in Chinese."""
    prose = re.sub(r"^```.*?^```$", "", section, flags=re.M | re.S)
    found = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose) + re.findall(r"\]\(([^)]+)\)", prose)
    return sorted(one for one in found if not one.startswith("README"))


def numbers(text):
    """All numbers in digits, without what stands in code."""
    prose = re.sub(r"^```.*?^```$|`[^`\n]+`|\]\([^)]+\)", "", text, flags=re.M | re.S)
    return sorted(re.findall(r"\d+(?:[.,]\d+)*", prose))


def differences(ours, theirs):
    """The lines in which two lists differ, - for what README.md alone has, + for what README.zh.md alone has."""
    return [line for line in difflib.ndiff(ours, theirs) if line[0] in "+-"]


def test_the_sections_are_as_many():
    assert len(sections(CHINESE)) == len(sections(ENGLISH))
    assert [len(re.findall(r"^- |^\| ", one, re.M)) for one in sections(CHINESE)] == [
        len(re.findall(r"^- |^\| ", one, re.M)) for one in sections(ENGLISH)
    ]


@pytest.mark.parametrize("same", [code, spans, numbers], ids=["commands and snippets", "names and links", "numbers"])
@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        pytest.param(*pair, id=pair[0].splitlines()[0])
        for pair in zip(sections(ENGLISH), sections(CHINESE), strict=False)
    ],
)
def test_each_section_has_the_same(english, chinese, same):
    told = differences(same(english), same(chinese))
    assert told == [], "\n".join(told)


def figures(text, heading):
    return [(*numbers(" ".join(row[:2])), row[2]) for row in pages.rows(text, heading)]


def test_each_figure_is_the_same_in_its_own_row():
    ours, theirs = figures(ENGLISH, "Figures"), figures(CHINESE, "数字")
    told = [f"README.md {a}, README.zh.md {b}" for a, b in zip(ours, theirs, strict=True) if plain(a) != plain(b)]
    assert told == [], "\n".join(told)


def plain(row):
    """A row without the words between two commands."""
    return (*row[:-1], *re.findall(r"`([^`]+)`", row[-1]))


def test_the_two_lead_to_each_other():
    assert "README.zh.md" in pages.links(ENGLISH) and "README.md" in pages.links(CHINESE)


def test_it_is_chinese():
    prose = re.sub(r"^```.*?^```$|`[^`\n]+`|\]\([^)]+\)", "", CHINESE, flags=re.M | re.S)
    assert len(re.findall(r"[\u4e00-\u9fff]", prose)) > 2 * len(re.findall(r"[A-Za-z]+", prose))
