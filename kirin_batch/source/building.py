"""A parser's events to values. Built for speed: it keeps neither nodes nor places.

Aliases share what their anchor built, and merges copy references. Their cost is bounded all the same: `max_nodes`
limits the values that aliases stand for beyond what is written, and `max_depth` counts levels through aliases.
"""

from dataclasses import dataclass
from functools import partial
from sys import intern
from typing import cast

from yaml import (
    AliasEvent,
    CollectionStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
)

from kirin_batch.source.errors import AnyMark, place_of
from kirin_batch.source.events import NextEvent, parse
from kirin_batch.source.rules import (
    check_depth,
    check_tag,
    duplicate,
    fault,
    find_anchor,
    key_text,
    merge_into,
    merge_sources,
    single_document,
    unfit_key,
)
from kirin_batch.source.scalars import MAYBE_NO_STRING, resolve_plain, resolve_tagged
from kirin_batch.source.texts import MAX_DEPTH, MAX_NODES
from kirin_batch.source.values import Value

__all__ = ["parse_yaml", "read_value"]


def parse_yaml(data: bytes, *, max_bytes: int, max_depth: int, max_nodes: int) -> Value:
    """The value of any YAML text; see `load_yaml`."""
    return parse(data, partial(read_value, max_depth=max_depth, max_nodes=max_nodes), max_bytes=max_bytes)


def read_value(next_event: NextEvent, *, max_depth: int = MAX_DEPTH, max_nodes: int = MAX_NODES) -> Value:
    """The value of the only document in a stream of events."""
    return single_document(next_event, _Builder(next_event, max_depth=max_depth, max_nodes=max_nodes).build)


@dataclass(frozen=True, slots=True)
class _Anchored:
    """What an anchor names: its value, how many values that is in all, how many levels deep, and a scalar's text."""

    value: Value
    nodes: int = 1
    levels: int = 0
    text: str | None = None


class _Builder:
    __slots__ = ("_aliased", "_anchors", "_deepest", "_level", "_max_depth", "_max_nodes", "_next_event", "_nodes")

    def __init__(self, next_event: NextEvent, *, max_depth: int, max_nodes: int) -> None:
        self._next_event = next_event
        self._max_depth = max_depth
        self._max_nodes = max_nodes
        self._anchors: dict[str, _Anchored | None] = {}  # None while the anchored collection is still open
        self._level = self._deepest = 0  # levels that are open; the most since the innermost open anchor
        self._nodes = self._aliased = 0  # values in closed collections, seen through aliases; those behind aliases

    def build(self, event: Event) -> Value:
        if type(event) is ScalarEvent:
            return self._scalar(event)
        if isinstance(event, CollectionStartEvent):
            if event.anchor is not None:
                return self._anchored(event, event.anchor)
            return self._mapping(event) if type(event) is MappingStartEvent else self._sequence(event)
        return self._alias(cast("AliasEvent", event))

    def _scalar(self, event: ScalarEvent) -> Value:
        text = event.value
        value: Value = text
        try:
            if event.tag is not None:
                value = resolve_tagged(text, tag=event.tag)
            elif event.implicit[0] and text[:1] in MAYBE_NO_STRING:
                value = resolve_plain(text)
        except ValueError as error:
            raise fault(str(error), event) from error
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(value, text=text)
        return value

    def _sequence(self, start: CollectionStartEvent) -> list[Value]:
        self._open(start)
        next_event = self._next_event
        built: list[Value] = []
        while type(event := next_event()) is not SequenceEndEvent:
            built.append(self._scalar(event) if type(event) is ScalarEvent else self.build(event))
        self._close(len(built))
        return built

    def _mapping(self, start: CollectionStartEvent) -> dict[str, Value]:
        self._open(start)
        next_event = self._next_event
        built: dict[str | None, Value] = {}  # what `<<` names is under None until the end
        keys: list[AnyMark | None] = []
        while type(event := next_event()) is not MappingEndEvent:
            if type(event) is ScalarEvent and event.tag is event.anchor is None and event.value != "<<":
                key: str | None = intern(event.value)
            else:
                key = self._key(event)
            if key in built:
                raise duplicate(key, event, keys[list(built).index(key)])
            keys.append(event.start_mark)
            event = next_event()
            built[key] = self._scalar(event) if type(event) is ScalarEvent else self.build(event)
        if None in built:
            place = place_of(keys[list(built).index(None)])
            merge_into(built, merge_sources(built.pop(None), dict, place))
        self._close(len(built))
        return cast("dict[str, Value]", built)

    def _key(self, event: Event) -> str | None:
        if isinstance(event, ScalarEvent):
            if event.tag is not None or event.anchor is not None:
                self._scalar(event)
            return key_text(event)
        text = find_anchor(self._anchors, event).text if isinstance(event, AliasEvent) else None
        if text is None:
            raise unfit_key(event)
        return text

    def _open(self, start: CollectionStartEvent) -> None:
        if start.tag is not None:
            check_tag(start)
        self._level = level = self._level + 1
        if level > self._deepest:
            self._deepest = level
            check_depth(level, start, max_depth=self._max_depth)

    def _close(self, items: int) -> None:
        self._nodes += items
        self._level -= 1

    def _anchored(self, start: CollectionStartEvent, name: str) -> Value:
        """Build a collection and remember what its aliases will stand for."""
        self._anchors[name] = None
        nodes_before, deepest_before = self._nodes, self._deepest
        self._deepest = self._level
        value = self._mapping(start) if isinstance(start, MappingStartEvent) else self._sequence(start)
        self._anchors[name] = _Anchored(value, 1 + self._nodes - nodes_before, self._deepest - self._level)
        self._deepest = max(self._deepest, deepest_before)
        return value

    def _alias(self, event: AliasEvent) -> Value:
        anchored = find_anchor(self._anchors, event)
        self._aliased += anchored.nodes
        if self._aliased > self._max_nodes:
            raise fault(f"aliases expand to more than {self._max_nodes} values", event)
        check_depth(self._level + anchored.levels, event, max_depth=self._max_depth)
        self._deepest = max(self._deepest, self._level + anchored.levels)
        self._nodes += anchored.nodes - 1
        return anchored.value
