"""The complaints of YAML parsers, each told as one sentence that says what to do.

libyaml and PyYAML's own parser word them differently: patterns match both. What no pattern knows keeps its wording.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from yaml import MarkedYAMLError, YAMLError

from kirin_batch.source.errors import Place, YamlError, place_at, place_of
from kirin_batch.source.values import shown

__all__ = ["explain"]

_UNPRINTABLE: Final = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_BREAK: Final = re.compile("\r\n|\r|\n")
_CONFLICT: Final = re.compile("^(?:<{7}|>{7}) ")
_MAX_KEY_CHARACTERS: Final = 1024  # libyaml's limit, and that of YAML 1.2 (section 7.4.2)


def explain(error: YAMLError, text: str) -> YamlError:
    """The complaint of a parser about this text as a `YamlError`."""
    if not isinstance(error, MarkedYAMLError):
        return _unprintable(text)
    lines = _LINE_BREAK.split(text)
    place = _inside(place_of(error.problem_mark), lines)
    opened = _inside(place_of(error.context_mark), lines) if error.context_mark else place
    complaint = _Complaint(f"{error.context or 'while parsing'}: {error.problem}", place, opened, lines)
    return complaint.conflict() or complaint.known() or YamlError(f"no valid YAML: {complaint.said}", *place)


def _inside(place: Place, lines: list[str]) -> Place:
    """The place, or the end of the text where libyaml names the line behind its last one."""
    return place if place.line <= len(lines) else Place(len(lines), len(lines[-1]) + 1)


def _unprintable(text: str) -> YamlError:
    """Parsers complain without a mark only about characters, at an offset that counts bytes or characters."""
    found = _UNPRINTABLE.search(text)
    name = f"U+{ord(found[0]):04X}" if found else "of some kind"
    return YamlError(
        f'a control character ({name}) is not allowed: remove it, or write it as an escape inside "…"',
        *place_at(text, found.start() if found else 0),
    )


@dataclass(frozen=True, slots=True)
class _Complaint:
    """What a parser said, where, where the construct begins that it was in, and the lines it was reading."""

    said: str
    place: Place
    opened: Place
    lines: list[str]

    @property
    def before(self) -> str:
        return self.line[: self.place.column - 1]

    @property
    def after(self) -> str:
        """The rest of the line: what the parser stumbled over; empty at the end of the text."""
        return self.line[self.place.column - 1 :]

    @property
    def line(self) -> str:
        return self.lines[self.place.line - 1]

    @property
    def line_above(self) -> str:
        """The last line above that is not empty."""
        return next((line for line in reversed(self.lines[: self.place.line - 1]) if line.strip()), "")

    @property
    def is_at_end(self) -> bool:
        return not self.after and not any(self.lines[self.place.line :])

    def conflict(self) -> YamlError | None:
        """Markers of a merge conflict break a text in many ways: they come before any other reason."""
        for number, line in enumerate(self.lines[: self.place.line + 1], start=1):
            if _CONFLICT.search(line):
                return YamlError(
                    "a merge conflict is left in this file: resolve it, then remove its markers", number, 1
                )
        return None

    def known(self) -> YamlError | None:
        for rule in _RULES:
            if rule.pattern.search(self.said):
                message = rule.message if isinstance(rule.message, str) else rule.message(self)
                return YamlError(message, *(self.opened if rule.at_opening or self.is_at_end else self.place))
        return None


def _cannot_start(complaint: _Complaint) -> str:
    first = complaint.after[:1]
    return _TABS if first == "\t" else f"a text cannot start with {shown(first)} (put it in quotes)"


def _unexpected_colon(complaint: _Complaint) -> str:
    before, above = complaint.before, complaint.line_above
    if re.search(r":(?:\s|$)", before):
        return "a text with `: ` in it must be in quotes"
    if len(before.strip()) > _MAX_KEY_CHARACTERS:
        return f"a key may have at most {_MAX_KEY_CHARACTERS} characters"
    if above and not re.search(r":(?:\s|$)", above):
        return "the line above is no `key: value`: put a `:` and a space (or nothing) after its key"
    if _indentation(above) < _indentation(before):
        return "this line is indented deeper than the one above, which has its value already: align the two"
    return "a `:` cannot stand here: a key takes one line"


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _unexpected_in_mapping(complaint: _Complaint) -> str:
    before, after = complaint.before.rstrip(), complaint.after
    if before.endswith(("'", '"')):
        return "nothing may follow a closing quote: inside '…' write '' for an apostrophe, inside \"…\" write \\\""
    if after.startswith(("]", "}")):
        return f"this `{after[0]}` closes nothing: remove it, or put the text in quotes"
    if before:
        return "a line break is missing before this, or quotes around the whole text"
    if after.startswith("-"):
        return "a list item cannot stand here: align it with its list, or indent the list under its key"
    return "the indentation of this line fits no line above: align it with the other keys of its mapping"


def _unexpected_in_flow(complaint: _Complaint) -> str:
    if complaint.before.endswith("$") and complaint.after.startswith("{"):
        return 'inside […] and {…} an expression must be in quotes: "${{ … }}"'
    opening, closing = "[]" if "flow sequence" in complaint.said else "{}"
    if complaint.is_at_end:
        return f"this `{opening}` is never closed: add `{closing}`"
    return f"a `,` or `{closing}` is missing before this: the `{opening}` stands in line {complaint.opened.line}"


def _missing_value(complaint: _Complaint) -> str:
    after = complaint.after
    if after.startswith("-"):
        return "a `- ` list cannot stand inside […] or {…}: write [a, b]"
    if not after:
        return "the text ends where a value or a closing bracket must stand"
    return f"a value cannot start with `{shown(after[0])}`: put it in quotes if it is a text"


@dataclass(frozen=True, slots=True)
class _Rule:
    """A sentence for all complaints that match; with `at_opening`, the mistake is where the construct begins."""

    pattern: re.Pattern[str]
    message: str | Callable[[_Complaint], str]
    at_opening: bool = False


def _rule(pattern: str, message: str | Callable[[_Complaint], str], *, at_opening: bool = False) -> _Rule:
    return _Rule(re.compile(pattern), message, at_opening)


_TABS: Final = "a tab cannot indent a line: use spaces"

# The first that matches counts. A rule's pattern sees "CONTEXT: PROBLEM".
_RULES: Final = (
    _rule("cannot start any token", _cannot_start),
    _rule("tab character", _TABS),
    _rule(
        "quoted scalar: found unexpected",
        "this quoted text is never closed: add the quote it ends with",
        at_opening=True,
    ),
    _rule(
        "invalid Unicode character",
        "this escape is no character: write the character itself, not the halves of a surrogate pair",
    ),
    _rule("tag", "tags are not supported: put what starts with `!` in quotes if it is a text"),
    _rule(
        "escape|hexdecimal",
        "inside \"…\" a backslash starts an escape: write \\\\ for a backslash, or put the text in '…'",
    ),
    _rule("mapping values are not allowed", _unexpected_colon),
    _rule("sequence entries are not allowed", "a list starts on a line of its own: break the line before this `- `"),
    _rule("plain scalar: found unexpected ':'", "inside […] and {…} a text with `:` in it must be in quotes"),
    _rule("mapping keys are not allowed", "a text that starts with `? ` must be in quotes"),
    _rule(
        "simple key",
        "this line is no `key: value`: add `: ` after a key, `- ` before an item, or quotes",
        at_opening=True,
    ),
    _rule("expected ',' or", _unexpected_in_flow),
    _rule("scanning an alias", "what starts with `*` is an alias: put it in quotes if it is a text", at_opening=True),
    _rule("scanning an anchor", "what starts with `&` is an anchor: put it in quotes if it is a text", at_opening=True),
    _rule(
        "block scalar: .*(?:line break|chomping)", "the text of a `|` or `>` block starts on the next line, indented"
    ),
    _rule("indentation indicator", "the number after `|` or `>` must be 1 to 9: leave it out"),
    _rule("node content", _missing_value),
    _rule("incompatible YAML", "only `%YAML 1.1` and `%YAML 1.2` are supported: remove this line"),
    _rule("directive", "a line that starts with `%` is a directive: put it in quotes if it is a text", at_opening=True),
    _rule("document start", "nothing may follow here: the text has ended above"),
    _rule("block mapping", _unexpected_in_mapping),
    _rule("block collection", "a list item, `- ` and a value, must stand here: align it with the items above"),
)
