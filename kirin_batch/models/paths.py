"""Ways to values inside params: patterns with `*`, selection, and names for people. Knows no schema."""

from typing import Any, TypeAlias

from kirin_batch.problems import Pointer

__all__ = ["EACH", "Pattern", "named", "pattern_of", "select"]

EACH = "*"
"""The step of a pattern that stands for every item of a list."""

Pattern: TypeAlias = tuple[str, ...]
"""A way through objects by key, and through lists by `EACH`: `("image_list", "*", "image")`."""


def pattern_of(text: str) -> Pattern:
    """`/image_list/*/image` as a pattern: a JSON pointer (RFC 6901) in which `*` is every item of a list."""
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:])


def select(value: Any, pattern: Pattern) -> list[tuple[Pointer, Any]]:  # noqa: ANN401 - any JSON
    """Every value that is there at `pattern`, with its pointer, in the order of the lists."""
    found: list[tuple[Pointer, Any]] = [((), value)]
    for step in pattern:
        found = [inner for pointer, outer in found for inner in _inside(outer, step, pointer)]
    return found


def _inside(value: Any, step: str, pointer: Pointer) -> list[tuple[Pointer, Any]]:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return [((*pointer, step), value[step])] if step in value else []
    if isinstance(value, list) and step == EACH:
        return [((*pointer, index), item) for index, item in enumerate(value)]
    return []


def named(pointer: Pointer) -> str:
    """A pointer for people: `image_list[0].image`; the whole has no name of its own."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in pointer)
    return text.removeprefix(".") or "the whole"
