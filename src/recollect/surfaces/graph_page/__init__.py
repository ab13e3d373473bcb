"""A user's graph as one page to explore: it needs nothing else, and no request leaves it.

What users said is data in it, and text wherever it is shown: it is written by `textContent` alone. Should a way around that be
found, the page's own policy lets no other script or style run than the ones here, and nothing be loaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any

from ..page import page


def write(picture: Mapping[str, Any], title: str) -> str:
    """The page of a picture (`pictured` tells its shape)."""
    style, script = (files(__package__).joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    body = [
        f"<header><h1>{escape(title)}</h1><p id=counts></p></header>",
        "<main>",
        '<svg id=picture role=img aria-label="Entities and how they relate"></svg>',
        "<aside>",
        '<label>Find <input id=find type=search autocomplete=off placeholder="a name, or a word of a memory"></label>',
        "<div id=told aria-live=polite></div>",
        "</aside>",
        "</main>",
        "<noscript>This picture is drawn by the script of this page.</noscript>",
        f'<script id=data type="application/json">{_data(picture)}</script>',
    ]
    return page(title, style, script, body)


def _data(picture: Mapping[str, Any]) -> str:
    """JSON in which no character can end the element that it stands in."""
    dumped = json.dumps(picture, ensure_ascii=False, separators=(",", ":"))
    return (
        dumped.replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("&", "\\u0026")
        .replace("\u2028", "\\u2028")
        .replace("\u2029", "\\u2029")
    )
