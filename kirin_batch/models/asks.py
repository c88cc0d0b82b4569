"""What a request asks of its results: ratio, resolution class and length, by the parameters that `x-asks` names.

A parameter that is left out asks for its documented default; a value that says none of these (`auto`) asks for nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Asked", "Resolution", "asked_of"]

_RATIO = re.compile(r"[1-9][0-9]{0,4}:[1-9][0-9]{0,4}")
_NUMBER = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")


@dataclass(frozen=True, slots=True)
class Resolution:
    """A class of resolution, `1k` say: `pixels` are the `side` (`long` or `short`) of each class there is."""

    name: str
    side: str
    pixels: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Asked:
    """What results should be; None where a request does not say. `ratio` is width to height, as `16:9`."""

    ratio: str | None = None
    seconds: float | None = None
    resolution: Resolution | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to hold results against."""
        return self == Asked()


def asked_of(keyword: Mapping[str, Any], params: Mapping[str, Any], defaults: Mapping[str, Any]) -> Asked:
    """What valid `params` ask for, by the `x-asks` of their model."""

    def value(name: str | None) -> str:
        return str(params.get(name, defaults.get(name, ""))) if name else ""

    ratio, seconds = value(keyword.get("ratio")), value(keyword.get("duration"))
    resolution = keyword.get("resolution")
    name = value(resolution["param"]) if resolution else ""
    return Asked(
        ratio if _RATIO.fullmatch(ratio) else None,
        float(seconds) if _NUMBER.fullmatch(seconds) else None,
        Resolution(name, resolution["side"], resolution["pixels"])
        if resolution and name in resolution["pixels"]
        else None,
    )
