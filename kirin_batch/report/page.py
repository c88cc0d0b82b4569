"""The page: markup, style, script and content in one file, which asks for nothing but pictures and films beside it.

Its Content-Security-Policy names scripts and style by hash, so nothing that stands in the content can run; on
`file://` browsers would load neither from files of their own under such a policy.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

__all__ = ["MARK", "render_page"]

MARK = b'<meta name="generator" content="kirin-batch">'
"""What every page holds, and no file of others: such a folder may be written again."""

_SCRIPTS = ("elements.js", "views.js", "gallery.js")  # each uses what those before it made; the last begins
_SOURCES = Path(__file__).with_name("page")


def render_page(document: Mapping[str, Any]) -> bytes:
    """The HTML of a document that `content.describe` made."""
    style, *scripts = (_source(name) for name in ("gallery.css", *_SCRIPTS))
    html = (
        _environment()
        .get_template("gallery.html.j2")
        .render(
            title=document["title"],
            mark=Markup(MARK.decode()),  # noqa: S704 - a constant of this module
            policy=_policy(style, scripts),
            style=Markup(style),  # noqa: S704 - our own file
            scripts=[Markup(script) for script in scripts],  # noqa: S704 - our own files
            content=document,
        )
    )
    return html.encode()


def _policy(style: str, scripts: Iterable[str]) -> str:
    # `file:` is what 'self' ought to mean on disk: there some browsers take every file for an origin of its own.
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_hash, scripts))}",
            f"style-src {_hash(style)}",
            "img-src 'self' file: data:",
            "media-src 'self' file:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _source(name: str) -> str:
    # Newlines as browsers hash them, whatever a checkout made of them.
    return (_SOURCES / name).read_text(encoding="utf-8").replace("\r\n", "\n")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_SOURCES), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    # The filter `tojson` escapes what ends a script element.
    environment.policies["json.dumps_function"] = lambda value, **_: orjson.dumps(value).decode()
    return environment
