"""A page that is one file: its style and its script are in it, and its own policy lets nothing else run and nothing be loaded."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape


def page(title: str, style: str, script: str, body: Iterable[str]) -> str:
    """The page, in HTML. `title` is text; `body` is markup, in which whatever users said must be escaped already."""
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
            *body,
            f"<script>{script}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _hash(told: str) -> str:
    """As a page's policy names what may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(told.encode()).digest()).decode()
