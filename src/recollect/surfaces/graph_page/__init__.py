"""A user's graph as one page to explore: it needs nothing else, and no request leaves it.

What users said is data in it, and text wherever it is shown: it is written by `textContent` alone. Should a way around that be
found, the page's own policy lets no other script or style run than the ones here, and nothing be loaded.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any


def write(picture: Mapping[str, Any], title: str) -> str:
    """The page of a picture (`pictured` tells its shape)."""
    style, script = (files(__package__).joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    policy = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(title)}</title>",
            f"<style>{style}</style>",
            "</head>",
            "<body>",
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
            f"<script>{script}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )


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


def _hash(told: str) -> str:
    """As a page's policy names what may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(told.encode()).digest()).decode()
