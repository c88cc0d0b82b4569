"""The page: markup, style, script and content in one file, which asks for nothing but pictures and films beside it.

Its Content-Security-Policy names scripts and style by hash, so nothing that stands in the content can run; on
`file://` browsers would load neither from files of their own under such a policy.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

__all__ = ["MARK", "page_policy", "render_page"]

MARK = b'<meta name="generator" content="kirin-batch">'
"""What every page holds, and no file of others: such a folder may be written again."""

_SCRIPTS = ("elements.js", "views.js", "gallery.js")  # each uses what those before it made; the last begins
_LIVE_SCRIPT = "live.js"  # after them: takes over what the page's server sends
_SOURCES = Path(__file__).with_name("page")


def render_page(document: Mapping[str, Any], *, is_live: bool = False) -> bytes:
    """The HTML of a document that `content.describe` made; `is_live`: a server sends after it what changes."""
    style, *scripts = _sources(is_live=is_live)
    html = (
        _environment()
        .get_template("gallery.html.j2")
        .render(
            title=document["title"],
            mark=Markup(MARK.decode()),  # noqa: S704 - a constant of this module
            policy=page_policy(is_live=is_live),
            style=Markup(style),  # noqa: S704 - our own file
            scripts=[Markup(script) for script in scripts],  # noqa: S704 - our own files
            content=document,
        )
    )
    return html.encode()


@cache
def page_policy(*, is_live: bool) -> str:
    """The Content-Security-Policy of a page: what it may load, and from where."""
    style, *scripts = _sources(is_live=is_live)
    # `file:` is what 'self' ought to mean on disk: there some browsers take every file for an origin of its own.
    own = "'self'" if is_live else "'self' file:"
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_hash, scripts))}",
            f"style-src {_hash(style)}",
            f"img-src {own} data:",
            f"media-src {own}",
            *(["connect-src 'self'"] if is_live else []),
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _sources(*, is_live: bool) -> Iterator[str]:
    """The style, then the scripts in their order."""
    return map(_source, ("gallery.css", *_SCRIPTS, *([_LIVE_SCRIPT] if is_live else [])))


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
