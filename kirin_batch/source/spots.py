"""A parser's events to the places of keys and values: the second parse of files with problems."""

from functools import partial
from typing import Final, cast

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

from kirin_batch.source.events import NextEvent, parse
from kirin_batch.source.places import Inside, Spot, pack, unpack
from kirin_batch.source.rules import (
    check_depth,
    find_anchor,
    key_text,
    merge_into,
    merge_sources,
    single_document,
    unfit_key,
)

__all__ = ["read_spots"]

_START: Final = pack(1, 1)


def read_spots(data: bytes, *, max_bytes: int, max_depth: int) -> Spot:
    """The places in a YAML text; of an empty one, its start. Raises YamlError."""
    return parse(data, partial(_read, max_depth=max_depth), max_bytes=max_bytes)


def _read(next_event: NextEvent, *, max_depth: int) -> Spot:
    root = single_document(next_event, _SpotBuilder(next_event, max_depth=max_depth).build)
    return _START if root is None else root


def _place(event: Event) -> int:
    mark = event.start_mark
    return pack(mark.line + 1, mark.column + 1) if mark else _START


class _SpotBuilder:
    """Events to spots; anchors keep the text of a scalar beside its spot, for aliases that are keys."""

    def __init__(self, next_event: NextEvent, *, max_depth: int) -> None:
        self._next_event = next_event
        self._max_depth = max_depth
        self._anchors: dict[str, tuple[Spot, str | None] | None] = {}
        self._level = 0

    def build(self, event: Event) -> Spot:
        if isinstance(event, AliasEvent):
            return find_anchor(self._anchors, event)[0]
        if isinstance(event, ScalarEvent):
            return self._remember(event, _place(event), event.value)
        return self._inside(cast("CollectionStartEvent", event))

    def _remember(self, event: NodeEvent, spot: Spot, text: str | None = None) -> Spot:
        if event.anchor is not None:
            self._anchors[event.anchor] = (spot, text)
        return spot

    def _inside(self, start: CollectionStartEvent) -> Spot:
        check_depth(self._level + 1, start, max_depth=self._max_depth)
        if start.anchor is not None:
            self._anchors[start.anchor] = None
        self._level += 1
        inside = Inside(_place(start))
        if isinstance(start, MappingStartEvent):
            self._fill_mapping(inside)
        else:
            self._fill_sequence(inside)
        self._level -= 1
        return self._remember(start, inside)

    def _fill_sequence(self, inside: Inside) -> None:
        while type(event := self._next_event()) is not SequenceEndEvent:
            index = len(inside.items)
            inside.keys[index] = _place(event)
            inside.items[index] = self.build(event)

    def _fill_mapping(self, inside: Inside) -> None:
        merged: list[Inside] = []
        while type(event := self._next_event()) is not MappingEndEvent:
            key, place = self._key(event), _place(event)
            spot = self.build(self._next_event())
            if key is None:
                value = spot.listed if isinstance(spot, Inside) and spot.listed else spot
                merged += merge_sources(value, Inside, unpack(place))
            else:
                inside.keys[key] = place
                inside.items[key] = spot
        merge_into(inside.keys, [source.keys for source in merged])
        merge_into(inside.items, [source.items for source in merged])

    def _key(self, event: Event) -> str | None:
        if isinstance(event, ScalarEvent):
            self._remember(event, _place(event), event.value)
            return key_text(event)
        text = find_anchor(self._anchors, event)[1] if isinstance(event, AliasEvent) else None
        if text is None:
            raise unfit_key(event)
        return text
