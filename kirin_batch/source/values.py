"""What a YAML text becomes: plain Python values, and numbers that remember how they were written.

A scalar that is no string was written plain (unquoted), so `scalar_text` always has its text.
"""

from dataclasses import dataclass
from operator import is_
from typing import Final, TypeAlias, cast

__all__ = ["Json", "PlainScalar", "Scalar", "Value", "scalar_text", "shown", "unwrap"]

_MAX_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class PlainScalar:
    """A number or boolean whose text is not what JSON would print for its value: `007`, `1.50`, `0x1F`, `True`."""

    value: int | float | bool
    text: str


Scalar: TypeAlias = str | int | float | bool | PlainScalar | None
"""A value that is no mapping and no list."""

Value: TypeAlias = dict[str, "Value"] | list["Value"] | Scalar
"""What a YAML text becomes."""

Json: TypeAlias = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
"""A `Value` without any `PlainScalar`."""


def scalar_text(value: Scalar) -> str:
    """The text of a scalar as it was written (`007`), or as JSON prints it where that is the same."""
    if isinstance(value, str):
        return value
    if isinstance(value, PlainScalar):
        return value.text
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)


def shown(text: str) -> str:
    """A text as a message can quote it: on one line, and of at most 60 characters."""
    line = text if text.isprintable() else repr(text)[1:-1]
    return line if len(line) <= _MAX_SHOWN else f"{line[: _MAX_SHOWN - 1]}…"


def unwrap(value: Value) -> Json:
    """The same value with each `PlainScalar` replaced by its number or boolean; parts that hold none are shared."""
    if isinstance(value, PlainScalar):
        return value.value
    if isinstance(value, dict):
        mapping = {key: unwrap(item) for key, item in value.items()}
        return cast("Json", value) if all(map(is_, mapping.values(), value.values())) else mapping
    if isinstance(value, list):
        sequence = [unwrap(item) for item in value]
        return cast("Json", value) if all(map(is_, sequence, value)) else sequence
    return value
