"""Where the values and keys of a YAML text are written: a second parse, for files with problems only."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeAlias, cast

from yaml import (
    AliasEvent,
    CollectionStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
)

from kirin_batch.source.errors import Place
from kirin_batch.source.events import MAX_BYTES, NextEvent, parse
from kirin_batch.source.loading import MAX_DEPTH
from kirin_batch.source.rules import (
    check_depth,
    find_anchor,
    key_text,
    merge_into,
    merge_sources,
    single_document,
    unfit_key,
)

__all__ = ["Places"]

_COLUMNS: Final = 1 << 32  # more than a line can have
_START: Final = _COLUMNS + 1  # line 1, column 1
_Spot: TypeAlias = "int | _Inside"


@dataclass(slots=True)
class _Inside:
    """The places in a mapping or list; a place is one integer, which costs the garbage collector nothing."""

    start: int
    keys: dict[str | int, int] = field(default_factory=dict)
    items: dict[str | int, _Spot] = field(default_factory=dict)

    @property
    def listed(self) -> "list[_Spot]":
        """The items of a list; none for a mapping, whose keys are texts."""
        return list(self.items.values()) if 0 in self.items else []


class Places:
    """The places in one text, by path: `("jobs", "hero", "params", 0)`.

    Through an alias or `<<`, a place is where the thing is really written. Where a path leads nowhere, the answer is
    the place of its nearest parent that exists.
    """

    def __init__(self, root: _Spot) -> None:
        self._root = root

    @classmethod
    def of(cls, data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> "Places":
        """The places in a text that `load_yaml` takes; `YamlError` for what is no YAML."""
        return cls(parse(data, partial(_read_spots, max_depth=max_depth), max_bytes=max_bytes))

    def value(self, path: Sequence[str | int]) -> Place:
        """Where the value at a path starts."""
        spot = self._root
        for step in path:
            if isinstance(spot, int) or step not in spot.items:
                break
            spot = spot.items[step]
        return _unpack(spot if isinstance(spot, int) else spot.start)

    def key(self, path: Sequence[str | int]) -> Place:
        """Where the key at the end of a path starts; for an item of a list, and for the root, where the value does."""
        spot = self._root
        found = spot if isinstance(spot, int) else spot.start
        for step in path:
            if isinstance(spot, int) or step not in spot.items:
                break
            found = spot.keys[step]
            spot = spot.items[step]
        return _unpack(found)


def _pack(event: Event) -> int:
    mark = event.start_mark
    return (mark.line + 1) * _COLUMNS + mark.column + 1 if mark else _START


def _unpack(packed: int) -> Place:
    return Place(*divmod(packed, _COLUMNS))


def _read_spots(next_event: NextEvent, *, max_depth: int) -> _Spot:
    root = single_document(next_event, _SpotBuilder(next_event, max_depth=max_depth).build)
    return _START if root is None else root


class _SpotBuilder:
    """Events to spots; anchors keep the text of a scalar beside its spot, for aliases that are keys."""

    def __init__(self, next_event: NextEvent, *, max_depth: int) -> None:
        self._next_event = next_event
        self._max_depth = max_depth
        self._anchors: dict[str, tuple[_Spot, str | None] | None] = {}
        self._level = 0

    def build(self, event: Event) -> _Spot:
        if isinstance(event, AliasEvent):
            return find_anchor(self._anchors, event)[0]
        if isinstance(event, ScalarEvent):
            return self._remember(event, _pack(event), event.value)
        return self._inside(cast("CollectionStartEvent", event))

    def _remember(self, event: NodeEvent, spot: _Spot, text: str | None = None) -> _Spot:
        if event.anchor is not None:
            self._anchors[event.anchor] = (spot, text)
        return spot

    def _inside(self, start: CollectionStartEvent) -> _Spot:
        check_depth(self._level + 1, start, max_depth=self._max_depth)
        if start.anchor is not None:
            self._anchors[start.anchor] = None
        self._level += 1
        inside = _Inside(_pack(start))
        if isinstance(start, MappingStartEvent):
            self._fill_mapping(inside)
        else:
            self._fill_sequence(inside)
        self._level -= 1
        return self._remember(start, inside)

    def _fill_sequence(self, inside: _Inside) -> None:
        while type(event := self._next_event()) is not SequenceEndEvent:
            index = len(inside.items)
            inside.keys[index] = _pack(event)
            inside.items[index] = self.build(event)

    def _fill_mapping(self, inside: _Inside) -> None:
        merged: list[_Inside] = []
        while type(event := self._next_event()) is not MappingEndEvent:
            key, place = self._key(event), _pack(event)
            spot = self.build(self._next_event())
            if key is None:
                value = spot.listed if isinstance(spot, _Inside) and spot.listed else spot
                merged += merge_sources(value, _Inside, _unpack(place))
            else:
                inside.keys[key] = place
                inside.items[key] = spot
        merge_into(inside.keys, [source.keys for source in merged])
        merge_into(inside.items, [source.items for source in merged])

    def _key(self, event: Event) -> str | None:
        if isinstance(event, ScalarEvent):
            self._remember(event, _pack(event), event.value)
            return key_text(event)
        text = find_anchor(self._anchors, event)[1] if isinstance(event, AliasEvent) else None
        if text is None:
            raise unfit_key(event)
        return text
