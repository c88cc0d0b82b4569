"""Ways to values inside nested objects and lists. Knows no schema and no file."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Pointer", "json_pointer", "put_at", "value_at"]

Pointer = tuple[str | int, ...]
"""The way to a value inside nested objects and lists: `("image_list", 0, "image")`; `()` is the whole."""


def json_pointer(pointer: Sequence[str | int]) -> str:
    """`("image_list", 0, "image")` as `/image_list/0/image` (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in pointer)


def value_at(params: Mapping[str, Any], pointer: Pointer) -> Any:  # noqa: ANN401 - any JSON value
    """The value at a place that params have."""
    value: Any = params
    for step in pointer:
        value = value[step]
    return value


def put_at(params: dict[str, Any], pointer: Pointer, value: object) -> None:
    """Set the value at a place that params have."""
    value_at(params, pointer[:-1])[pointer[-1]] = value
