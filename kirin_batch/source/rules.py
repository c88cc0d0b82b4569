"""What every reader of events refuses, in one wording: tags, keys, anchors, merges and second documents."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from yaml import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
    StreamEndEvent,
)

from kirin_batch.source.errors import AnyMark, Place, YamlError, place_of
from kirin_batch.source.events import NextEvent
from kirin_batch.source.scalars import unsupported_tag
from kirin_batch.source.values import shown

__all__ = [
    "check_depth",
    "check_tag",
    "duplicate",
    "fault",
    "find_anchor",
    "key_text",
    "merge_into",
    "merge_sources",
    "single_document",
    "unfit_key",
]

_T = TypeVar("_T")
_Key = TypeVar("_Key")
_MAPPING_TAGS: Final = frozenset([None, "!", "tag:yaml.org,2002:map"])
_SEQUENCE_TAGS: Final = frozenset([None, "!", "tag:yaml.org,2002:seq"])
_VERSIONS: Final = frozenset([None, (1, 1), (1, 2)])


def fault(message: str, event: Event) -> YamlError:
    """An error at the place where the event starts."""
    return YamlError(message, *place_of(event.start_mark))


def duplicate(key: str | None, event: Event, first: AnyMark | None) -> YamlError:
    """The error of a key that its mapping has already, with the line of the first; None is the merge key."""
    name = "<<" if key is None else shown(key)
    return fault(f"the key `{name}` stands here twice: the first is in line {place_of(first).line}", event)


def check_tag(start: CollectionStartEvent) -> None:
    """Refuse a mapping or list with any tag but its own."""
    if start.tag not in (_MAPPING_TAGS if isinstance(start, MappingStartEvent) else _SEQUENCE_TAGS):
        raise fault(unsupported_tag(start.tag or ""), start)


def check_depth(level: int, event: Event, *, max_depth: int) -> None:
    """Refuse a level beyond the limit, before anything recurses into it."""
    if level > max_depth:
        raise fault(f"mappings and lists nest deeper than {max_depth} levels here", event)


def key_text(event: ScalarEvent) -> str | None:
    """The text of a key as it is written; None for the merge key, an unquoted `<<`."""
    return None if event.value == "<<" and event.implicit[0] else event.value


def unfit_key(event: Event) -> YamlError:
    """The error of a key that is a mapping or a list."""
    return fault("a key must be a text, not a mapping or a list: put it in quotes if it is a text", event)


def find_anchor(anchors: Mapping[str, _T | None], event: AliasEvent) -> _T:
    """What an alias stands for; the anchor of a collection that is still open holds None."""
    name = event.anchor or ""
    if name not in anchors:
        raise fault(
            f"no anchor `&{shown(name)}` stands above this alias: put the value in quotes if it is a text", event
        )
    found = anchors[name]
    if found is None:
        raise fault(f"the alias `*{shown(name)}` stands inside its own anchor: a value cannot hold itself", event)
    return found


def merge_sources(value: object, kind: type[_T], place: Place) -> list[_T]:
    """The mappings, of the kind a reader builds, that the value of a `<<` at a place names: one, or a list of them."""
    candidates = value if isinstance(value, list) else [value]
    sources = [source for source in candidates if isinstance(source, kind)]
    if len(sources) < len(candidates):
        raise YamlError("`<<` merges a mapping or a list of mappings, nothing else", *place)
    return sources


def merge_into(mapping: dict[_Key, _T], sources: Iterable[Mapping[_Key, _T]]) -> None:
    """Add what `<<` merges: keys that are there win, and an earlier source wins over a later one."""
    for source in sources:
        for key, value in source.items():
            mapping.setdefault(key, value)


def single_document(next_event: NextEvent, build: Callable[[Event], _T]) -> _T | None:
    """What `build` makes of the root of the only document in a stream; None where there is no document."""
    next_event()  # the stream's start
    start = next_event()
    if isinstance(start, DocumentStartEvent) and start.version not in _VERSIONS:
        raise fault("only `%YAML 1.1` and `%YAML 1.2` are supported: remove this line", start)
    if isinstance(start, StreamEndEvent):
        return None
    built = build(next_event())
    next_event()  # the document's end
    second = next_event()
    if not isinstance(second, StreamEndEvent):
        raise fault("a second document starts here: a file holds one", second)
    return built
