"""What people read when a keyword of JSON Schema fails: what is wrong, the value, what would be right."""

import difflib
import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from kirin_batch.models.paths import named
from kirin_batch.problems import Pointer

__all__ = ["closest_name", "message_of", "shortened", "unknown_message"]

_SHOWN_LENGTH = 60
_LONGEST_NAME = 100  # characters; nobody mistypes a longer one
_MOST_NAMES, _MOST_COMPARED = 5000, 200
_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}


def message_of(keyword: str, *, pointer: Pointer, value: Any, limit: Any) -> str | None:  # noqa: ANN401 - any JSON
    """The message for a failed keyword whose operand is `limit`; None for keywords that have no sentence of ours."""
    sentence = _SENTENCES.get(keyword)
    return None if sentence is None else f"{named(pointer)} {sentence(value, limit)}"


def unknown_message(name: str, *, at: Pointer, known: Iterable[str], noun: str = "parameter") -> str:
    """The message for a parameter, or another key, that the schema does not have."""
    known = list(known)
    suggestion = closest_name(name, known)
    hint = f"did you mean {suggestion}?" if suggestion else f"known are {', '.join(sorted(known)) or 'none'}"
    return f"{named((*at, name))} is not a {noun} here: {hint}"


def closest_name(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like `name`, if one is: case, `-` and `_` do not count, a common beginning does."""
    return _closest(name, tuple(_comparable(name, known)))


@lru_cache(maxsize=256)  # a mistake is seldom made once: thousands of files are copies of each other
def _closest(name: str, options: tuple[str, ...]) -> str | None:
    plain = {_plain(option): option for option in options}
    wanted = _plain(name)
    # A letter that is wrong in the midst of a long name leaves no doubt, whatever begins with as much.
    near = difflib.get_close_matches(wanted, plain, cutoff=0.9) or difflib.get_close_matches(wanted, plain, cutoff=0.6)
    # `16:10` is for difflib nearer to `1:1` than to `16:9`: people mistype ends more often than beginnings.
    ranked = sorted(near, key=lambda option: -len(_common(wanted, option)))
    return plain[ranked[0]] if ranked else None


def _comparable(name: str, known: Iterable[str]) -> list[str]:
    """The names worth a comparison: each costs, and a file may have thousands of wrong names and of right ones."""
    if len(name) > _LONGEST_NAME:
        return []
    options = list(itertools.islice(known, _MOST_NAMES))
    if len(options) > _MOST_COMPARED:
        first = name[:1].casefold()
        options = [option for option in options if option[:1].casefold() == first]
    return options[:_MOST_COMPARED]


def _common(one: str, other: str) -> list[str]:
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return [letter for letter, _ in pairs]


def shortened(value: Any) -> str:  # noqa: ANN401 - any JSON
    """A value as JSON, short enough for a line."""
    # Only the start is shown: a picture as Base64 has millions of characters.
    text = json.dumps(value[: 2 * _SHOWN_LENGTH] if isinstance(value, str) else value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[: _SHOWN_LENGTH - 1]}…"


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "")


def _type(value: Any, limit: Any) -> str:  # noqa: ANN401 - any JSON
    kinds = [limit] if isinstance(limit, str) else list(limit)
    wanted = " or ".join(_TYPES[kind] for kind in kinds)
    if isinstance(value, str) and _is_written_as(value, kinds):
        return f"is the text {shortened(value)}: write it without quotes, {wanted} is needed"
    if value is None:
        return f"is null: {wanted} is needed"
    return f"is {shortened(value)}: {wanted} is needed"


def _is_written_as(text: str, kinds: list[str]) -> bool:
    if "boolean" in kinds and text in {"true", "false"}:
        return True
    return bool({"integer", "number"} & set(kinds)) and text.removeprefix("-").isdecimal()


def _enum(value: Any, limit: list[Any]) -> str:  # noqa: ANN401 - any JSON
    shown = ", ".join(option if isinstance(option, str) else shortened(option) for option in limit)
    names = [option for option in limit if isinstance(option, str)]
    suggestion = closest_name(value, names) if isinstance(value, str) and not value.isdecimal() else None
    hint = f"; did you mean {suggestion}?" if suggestion else ""
    only = f"{shown} is the only value" if len(limit) == 1 else f"use one of {shown}"
    return f"is {shortened(value)}: {only}{hint}"


def _min_length(value: str, limit: int) -> str:
    return "is empty" if not value else f"has {_counted(len(value), 'character')}: at least {limit}"


def _min_items(value: list[Any], limit: int) -> str:
    return (
        f"is an empty list: at least {limit}" if not value else f"has {_counted(len(value), 'item')}: at least {limit}"
    )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


_SENTENCES: Mapping[str, Callable[[Any, Any], str]] = {
    "type": _type,
    "enum": _enum,
    "const": lambda value, limit: f"is {shortened(value)}: {shortened(limit)} is the only value",
    "minimum": lambda value, limit: f"is {shortened(value)}: at least {limit}",
    "maximum": lambda value, limit: f"is {shortened(value)}: at most {limit}",
    "exclusiveMinimum": lambda value, limit: f"is {shortened(value)}: more than {limit}",
    "exclusiveMaximum": lambda value, limit: f"is {shortened(value)}: less than {limit}",
    "multipleOf": lambda value, limit: f"is {shortened(value)}: a multiple of {limit} is needed",
    "minLength": _min_length,
    "maxLength": lambda value, limit: f"has {_counted(len(value), 'character')}: at most {limit}",
    "pattern": lambda value, limit: f"is {shortened(value)}: it must match {limit}",
    "minItems": _min_items,
    "maxItems": lambda value, limit: f"has {_counted(len(value), 'item')}: at most {limit}",
    "uniqueItems": lambda _value, _limit: "has an item twice: each may stand once",
    "minProperties": lambda value, limit: f"has {_counted(len(value), 'key')}: at least {limit}",
    "maxProperties": lambda value, limit: f"has {_counted(len(value), 'key')}: at most {limit}",
    "not": lambda _value, _limit: "is not allowed here",
    "required": lambda _value, _limit: "is missing",
    "anyOf": lambda value, _limit: f"fits none of the allowed forms: {shortened(value)}",
    "oneOf": lambda value, _limit: f"fits none of the allowed forms, or more than one: {shortened(value)}",
}
