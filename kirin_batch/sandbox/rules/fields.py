"""Building blocks of the pages' rules: what one parameter may be, and a model's parameters together."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from kirin_batch.sandbox.refusals import wrong_parameter

__all__ = [
    "Check",
    "ModelRules",
    "address",
    "boolean",
    "choice",
    "integer",
    "is_address",
    "list_of",
    "object_of",
    "shared_fields",
    "text",
]

Check: TypeAlias = Callable[[str, object], None]
"""Takes a parameter's name and value; raises RequestRefusedError, naming it, where the value is not allowed."""

Combination: TypeAlias = Callable[[Mapping[str, object]], None]

LONGEST_WHOLE = 2**63 - 1
# RFC 3986, 3.2: an authority ends at "/", "?" or "#" and holds user, host and port; brackets stand around an IP literal
# alone. Whether a name can be resolved is for those who call it to find out.
_AUTHORITY = re.compile(r"([^\[\]@]*@)?([^\[\]@:]+|\[[0-9a-f:.]+\])(:[0-9]+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ModelRules:
    """A page: its parameters, those that must be there, those it says it does not take, and what they mean together."""

    fields: Mapping[str, Check]
    required: Sequence[str]
    unsupported: frozenset[str] = frozenset()
    combinations: Sequence[Combination] = field(default_factory=tuple)

    def check(self, params: Mapping[str, object]) -> None:
        """Raise RequestRefusedError, naming the parameter, where `params` break the page."""
        for name in params:
            if name in self.unsupported:
                raise wrong_parameter(name, "is not supported by this model")
        _check_members(params, self.fields, self.required, prefix="")
        for combination in self.combinations:
            combination(params)


def shared_fields() -> dict[str, Check]:
    """The two parameters that every page has."""
    return {"callback_url": address(), "external_task_id": text(at_least=1)}


def text(*, at_least: int = 0, at_most: int | None = None) -> Check:
    """A string; its length counts in characters, not bytes."""

    def check(name: str, value: object) -> None:
        string = _string(name, value)
        if len(string) < at_least:
            raise wrong_parameter(name, "must not be empty")
        if at_most is not None and len(string) > at_most:
            raise wrong_parameter(name, f"has {len(string)} characters, more than {at_most}")

    return check


def choice(*options: str) -> Check:
    """One of some strings."""

    def check(name: str, value: object) -> None:
        if _string(name, value) not in options:
            raise wrong_parameter(name, f"must be one of {', '.join(options)}")

    return check


def integer(low: int = -LONGEST_WHOLE - 1, high: int = LONGEST_WHOLE) -> Check:
    """A whole number of 64 bits within a range."""

    def check(name: str, value: object) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong_parameter(name, "must be an integer")
        if not low <= value <= high:
            raise wrong_parameter(name, f"must be from {low} to {high}")

    return check


def boolean() -> Check:
    """True or false."""

    def check(name: str, value: object) -> None:
        if not isinstance(value, bool):
            raise wrong_parameter(name, "must be true or false")

    return check


def address() -> Check:
    """An absolute URL of http or https."""

    def check(name: str, value: object) -> None:
        if not is_address(_string(name, value)):
            raise wrong_parameter(name, "must be a URL of http or https")

    return check


def is_address(string: str) -> bool:
    """Whether the string is an absolute URL of http or https; whether it can be reached is not asked."""
    scheme, found, rest = string.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    has_form = scheme.lower() in {"http", "https"} and found and _AUTHORITY.fullmatch(authority)
    return bool(has_form) and not any(character.isspace() for character in string)


def object_of(members: Mapping[str, Check], *, required: Sequence[str] = ()) -> Check:
    """An object with these members and no others."""

    def check(name: str, value: object) -> None:
        if not isinstance(value, dict):
            raise wrong_parameter(name, "must be an object")
        _check_members(value, members, required, prefix=f"{name}.")

    return check


def list_of(item: Check, *, at_least: int = 0, at_most: int | None = None) -> Check:
    """A list of values that each pass `item`."""

    def check(name: str, value: object) -> None:
        if not isinstance(value, list):
            raise wrong_parameter(name, "must be a list")
        if len(value) < at_least:
            raise wrong_parameter(name, f"has {len(value)} items, fewer than {at_least}")
        if at_most is not None and len(value) > at_most:
            raise wrong_parameter(name, f"has {len(value)} items, more than {at_most}")
        for index, member in enumerate(value):
            item(f"{name}[{index}]", member)

    return check


def _check_members(
    members: Mapping[str, object], checks: Mapping[str, Check], required: Sequence[str], *, prefix: str
) -> None:
    for name in required:
        if name not in members:
            raise wrong_parameter(prefix + name, "is required")
    for name, value in members.items():
        if name not in checks:
            raise wrong_parameter(prefix + name, "is not a parameter of this model")
        checks[name](prefix + name, value)


def _string(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise wrong_parameter(name, "must be a string")
    return value
