"""The core schema of YAML 1.2 (section 10.3.2): what an unquoted text means. It knows no places."""

import re
from functools import lru_cache
from typing import Final

from kirin_batch.source.values import PlainScalar, Scalar, scalar_text, shown

__all__ = ["MAYBE_NO_STRING", "resolve_plain", "resolve_tagged", "unsupported_tag"]

_NUMBER_STARTS: Final = frozenset("+-.0123456789")

MAYBE_NO_STRING: Final = frozenset(["", *"~nNtTfF"]) | _NUMBER_STARTS
"""First characters (none, for the empty text) of the plain scalars that may be something else than a string."""

_WORDS: Final[dict[str, bool | float | None]] = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"], None),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
    **dict.fromkeys([".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"], float("inf")),
    **dict.fromkeys(["-.inf", "-.Inf", "-.INF"], float("-inf")),
    **dict.fromkeys([".nan", ".NaN", ".NAN"], float("nan")),
}
_INTEGER: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
# Integers of at most so many characters still fit a float, even as hexadecimal: nothing later overflows, and Python's
# own limit of 4300 digits, which raises where an int is printed, is never met.
_MAX_NUMBER_CHARACTERS: Final = 250
_SHORT: Final = 16
_BASES: Final = {"0o": 8, "0x": 16}
_CORE_TAG: Final = "tag:yaml.org,2002:"
_TYPES: Final[dict[str, type]] = {
    "!": str,  # the non-specific tag (section 6.9.1): as if the text were quoted
    f"{_CORE_TAG}str": str,
    f"{_CORE_TAG}int": int,
    f"{_CORE_TAG}float": float,
    f"{_CORE_TAG}bool": bool,
    f"{_CORE_TAG}null": type(None),
}


def resolve_plain(text: str) -> Scalar:
    """What an unquoted text means: null, a boolean, a number, or else the text itself.

    Raises ValueError, with a sentence for people, for a number of too many digits.
    """
    return _resolve_short(text) if len(text) <= _SHORT else _resolve(text)


def _resolve(text: str) -> Scalar:
    if text in _WORDS:
        return _with_text(_WORDS[text], text)
    if text[:1] not in _NUMBER_STARTS:
        return text
    if _INTEGER.fullmatch(text):
        return _with_text(int(_checked(text), _BASES.get(text[:2], 10)), text)
    if _FLOAT.fullmatch(text):
        return _with_text(float(_checked(text)), text)
    return text


_resolve_short = lru_cache(maxsize=1024)(_resolve)  # the same few words and numbers stand in thousands of places


def resolve_tagged(text: str, *, tag: str) -> Scalar:
    """What a scalar with an explicit tag of the core schema means: `!!str 5` is "5", `!!float 5` is 5.0.

    Raises ValueError, with a sentence for people, where the text does not fit the tag or the tag is none of these.
    """
    if tag not in _TYPES:
        raise ValueError(unsupported_tag(tag))
    if _TYPES[tag] is str:
        return text
    value = resolve_plain(text)
    bare = value.value if isinstance(value, PlainScalar) else value
    if _TYPES[tag] is float and type(bare) is int:
        return _with_text(float(bare), text)
    if type(bare) is not _TYPES[tag]:
        raise ValueError(f"this text does not fit its tag `{_short(tag)}`: '{shown(text)}'")
    return value


def unsupported_tag(tag: str) -> str:
    """The sentence about a tag that we do not take."""
    return f"tags like `{_short(tag)}` are not supported: put the value in quotes if it is a text"


def _short(tag: str) -> str:
    return shown(tag.replace(_CORE_TAG, "!!"))


def _checked(text: str) -> str:
    if len(text) > _MAX_NUMBER_CHARACTERS:
        raise ValueError(
            f"a number of {len(text)} characters is too long (at most {_MAX_NUMBER_CHARACTERS}): "
            "put it in quotes if it is a text"
        )
    return text


def _with_text(value: float | bool | None, text: str) -> Scalar:  # noqa: FBT001 - the resolved value, not a switch
    return value if value is None or scalar_text(value) == text else PlainScalar(value, text)
