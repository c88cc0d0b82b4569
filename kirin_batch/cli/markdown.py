"""GitHub's Markdown: tables, folds, and texts of others as code. Knows nothing of jobs.

A text of others can be no link, picture, tag or mention. Markup and bare addresses are found in the source: there each
character that could begin one is an entity. Mentions, references and emoji are found in what is shown, where
a backslash would not help: but never within `code`.
"""

import re
from collections.abc import Iterable, Sequence

from kirin_batch.problems import one_line
from kirin_batch.word_diff import Mark, Span

__all__ = ["code", "fold", "size_of", "spans_code", "table", "wording"]

_MARKUP = re.compile(r"[&<>\"'\\`*_{}\[\]#!|~$@:./^=+-]")
_PLAIN = re.compile(r"[A-Za-z0-9 ,;()'-]*")  # what no reader takes for anything but words
_TAGS = {Mark.GONE: "del", Mark.NEW: "ins"}


def code(text: str) -> str:
    """A text as it is, within a line or a cell of a table."""
    return f"<code>{_escape(text)}</code>"


def wording(text: str) -> str:
    """A text that may be plain words, and is then shown as such; else as code."""
    return text if _PLAIN.fullmatch(text) else code(text)


def spans_code(spans: Iterable[Span]) -> str:
    """What changed in a text: struck out, and underlined."""
    parts = ((_TAGS.get(span.mark), _escape(span.text)) for span in spans)
    return f"<code>{''.join(f'<{tag}>{text}</{tag}>' if tag else text for tag, text in parts)}</code>"


def _escape(text: str) -> str:
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", one_line(text))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table; cells are Markdown already."""
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def fold(summary: str, lines: Sequence[str]) -> list[str]:
    """Lines that are shown when somebody opens them."""
    return [f"<details><summary>{summary}</summary>", "", *lines, "", "</details>"]


def size_of(text: str) -> int:
    """How long GitHub may take a text for: in the units of JavaScript, of which a few characters have two."""
    return len(text.encode("utf-16-le")) // 2
