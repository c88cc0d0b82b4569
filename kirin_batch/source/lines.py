"""The plainest YAML read line by line, in a third of the time that a parser takes to tell what it sees.

Nearly all specs are mappings and lists, a key and a text to a line. A text in which anything else stands (text over
several lines, anchors, tags, tabs, escapes, faults) is left unread, for the parser to read or to refuse: no message
comes from here. A test holds that both read the same.
"""

import re
from functools import lru_cache
from sys import intern
from typing import Final

from kirin_batch.source.scalars import MAYBE_NO_STRING, resolve_plain
from kirin_batch.source.values import Value

__all__ = ["read_lines"]

_KEY: Final = r"[A-Za-z_][A-Za-z0-9_-]{0,99}"
_WORD: Final = r'"[^"\\]*"|[A-Za-z0-9_./](?:[A-Za-z0-9_./-]|:(?=[A-Za-z0-9_./]))*'  # `16:9` is one, `a:` is none
_LINE: Final = re.compile(rf"^( *)(?:(- )?({_KEY}):(?: +(\S.*))?|- (\S.*)|(?:#.*)?|(.+))$", re.MULTILINE)
_QUOTED: Final = re.compile(r"""\"[^"\\]*\"|'[^']*'""")
_LIST: Final = re.compile(rf"\[(?:{_WORD})(?:, *(?:{_WORD}))*\]")
_MAPPING: Final = re.compile(rf"\{{{_KEY}: +(?:{_WORD})(?:, *{_KEY}: +(?:{_WORD}))*\}}")
_WORDS: Final = re.compile(_WORD)
_ENTRIES: Final = re.compile(rf"({_KEY}): +({_WORD})")
_LEVELS_OF_LINE: Final = 3  # of `- a: [b]` below its key
_SHORT: Final = 60
_STARTS: Final = frozenset("$._/(<")  # of texts, beside letters and digits; other signs may mean something to YAML


class _UnreadError(ValueError):
    """Here stands what is the parser's to read."""


def read_lines(text: str, *, max_depth: int) -> Value:
    """The mapping that a text of the plainest form is; None for any other text."""
    if not text.replace("\n", "").isprintable():  # other line breaks and spaces, and what no YAML may hold
        return None
    try:
        return _read(text, max_depth) or None
    except ValueError:
        return None


_Open = list[tuple[int, dict[str, Value] | list[Value]]]  # mappings and lists with the column of what is in them


def _read(text: str, max_depth: int) -> Value:
    root: dict[str, Value] = {}
    opened: _Open = [(0, root)]
    waiting = ""  # the key whose value begins on another line, if any
    for spaces, dash, key, value, item, other in _LINE.findall(text):
        if not key and not item:
            if other:
                raise _UnreadError
            continue  # a blank line or a comment
        at, inside = opened[-1]
        if waiting or dash or item or at != len(spaces) or type(inside) is list:
            if len(opened) + _LEVELS_OF_LINE > max_depth:
                raise _UnreadError
            inside = _find(opened, len(spaces), is_item=not key or dash != "", waiting=waiting)
        waiting = ""
        if isinstance(inside, list):
            if item:
                inside.append(_value(item))
                continue
            within: dict[str, Value] = {}
            inside.append(within)
            opened.append((len(spaces) + 2, within))
            inside = within
        if key in inside:
            raise _UnreadError
        inside[intern(key)] = _value(value) if value else None
        waiting = "" if value else key
    return root


def _find(opened: _Open, column: int, *, is_item: bool, waiting: str) -> dict[str, Value] | list[Value]:
    """The mapping or list that a line at a column goes on with, or begins; what ends above the line is closed."""
    at, inside = opened[-1]
    if waiting and isinstance(inside, dict) and (column > at or (is_item and column == at)):
        begun: dict[str, Value] | list[Value] = [] if is_item else {}
        inside[waiting] = begun
        opened.append((column, begun))
        return begun
    while column < at or (column == at and not is_item and isinstance(inside, list)):
        opened.pop()
        at, inside = opened[-1]
    if column != at or is_item != isinstance(inside, list):
        raise _UnreadError
    return inside


def _value(text: str) -> Value:
    """What stands behind `key: ` or `- ` on one line."""
    first = text[0]
    if first.isalnum() or first in _STARTS:
        if ": " in text or " #" in text or text[-1] in ": ":
            raise _UnreadError
        return resolve_plain(text) if first in MAYBE_NO_STRING else text
    if _QUOTED.fullmatch(text):
        return text[1:-1]
    return _short_flow(text) if len(text) <= _SHORT else _flow(text)


def _flow(text: str) -> Value:
    """What `[…]` or `{…}` is."""
    if text[0] == "[" and _LIST.fullmatch(text):
        return [_word(word) for word in _WORDS.findall(text)]
    if text[0] == "{" and _MAPPING.fullmatch(text):
        entries = _ENTRIES.findall(text)
        mapping = {intern(key): _word(word) for key, word in entries}
        if len(mapping) == len(entries):
            return mapping
    raise _UnreadError


_short_flow = lru_cache(maxsize=1024)(_flow)  # the same tags and defaults stand in thousands of files


def _word(text: str) -> Value:
    if text[0] == '"':
        return text[1:-1]
    return resolve_plain(text) if text[0] in MAYBE_NO_STRING else text
