"""Where the values and keys of a YAML text are written; found by `spots`, for files with problems only."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from kirin_batch.source.errors import Place
from kirin_batch.source.texts import MAX_BYTES, MAX_DEPTH

__all__ = ["Inside", "Places", "Spot", "pack", "unpack"]

_COLUMNS: Final = 1 << 32  # more than a line can have

Spot: TypeAlias = "int | Inside"
"""The place of a value; of a mapping or list with the places in it."""


@dataclass(slots=True)
class Inside:
    """The places in a mapping or list; a place is one integer, which costs the garbage collector nothing."""

    start: int
    keys: dict[str | int, int] = field(default_factory=dict)
    items: dict[str | int, Spot] = field(default_factory=dict)

    @property
    def listed(self) -> "list[Spot]":
        """The items of a list; none for a mapping, whose keys are texts."""
        return list(self.items.values()) if 0 in self.items else []


class Places:
    """The places in one text, by path: `("jobs", "hero", "params", 0)`.

    Through an alias or `<<`, a place is where the thing is really written. Where a path leads nowhere, the answer is
    the place of its nearest parent that exists.
    """

    def __init__(self, root: Spot) -> None:
        self._root = root

    @classmethod
    def of(cls, data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> "Places":
        """The places in a text that `load_yaml` takes; `YamlError` for what is no YAML."""
        # Measured: PyYAML and what stands on it take a sixth of the time to validate a small project; see `load_yaml`.
        from kirin_batch.source.spots import read_spots  # noqa: PLC0415 - see above

        return cls(read_spots(data, max_bytes=max_bytes, max_depth=max_depth))

    def value(self, path: Sequence[str | int]) -> Place:
        """Where the value at a path starts."""
        spot = self._root
        for step in path:
            if isinstance(spot, int) or step not in spot.items:
                break
            spot = spot.items[step]
        return unpack(spot if isinstance(spot, int) else spot.start)

    def key(self, path: Sequence[str | int]) -> Place:
        """Where the key at the end of a path starts; for an item of a list, and for the root, where the value does."""
        spot = self._root
        found = spot if isinstance(spot, int) else spot.start
        for step in path:
            if isinstance(spot, int) or step not in spot.items:
                break
            found = spot.keys[step]
            spot = spot.items[step]
        return unpack(found)


def pack(line: int, column: int) -> int:
    """A place as one integer; both count from 1."""
    return line * _COLUMNS + column


def unpack(packed: int) -> Place:
    """The place that was packed."""
    return Place(*divmod(packed, _COLUMNS))
