"""A model's schema as a tree of nodes: what each place of params wants. Compiled once per model, walked per job.

Places are reached by `properties`, `items`, a `$ref` into the same file, and `allOf`; conditions describe none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from kirin_batch.models.images import ImageRule
from kirin_batch.models.paths import EACH, Pattern, pattern_of
from kirin_batch.source import PlainScalar, Value, scalar_text

__all__ = ["Node", "Schema", "coerced", "facets", "node_of", "places"]

Schema: TypeAlias = dict[str, Any]
"""A JSON Schema (2020-12) that is an object, as `json.loads` gives it."""

Wanted: TypeAlias = Literal["string", "integer", "anything"]


@dataclass(frozen=True, slots=True)
class Node:
    """A place of params: the scalar it wants, the places inside it, and our own keywords about it.

    `properties` are the keys that the schema names, `others` is any further key (`additionalProperties`).
    `options` are the values of its `enum`; `placeholders` is where the images stand that its text may name.
    """

    wanted: Wanted = "anything"
    properties: Mapping[str, "Node"] = field(default_factory=dict)
    others: "Node | None" = None
    items: "Node | None" = None
    options: tuple[Any, ...] | None = None
    image: ImageRule | None = None
    placeholders: Pattern | None = None


_ANY = Node()


def facets(schema: Schema | bool, *, root: Schema) -> Iterator[Schema]:  # noqa: FBT001 - a schema may be a boolean
    """The schema itself and those that hold at the same place in any case: behind `$ref`, and in `allOf`."""
    if isinstance(schema, bool):
        return
    yield schema
    if "$ref" in schema:
        yield from facets(_target(schema["$ref"], root), root=root)
    for part in schema.get("allOf", ()):
        yield from facets(part, root=root)


def node_of(schema: Schema, *, root: Schema) -> Node:
    """Compile a schema; `root` holds its `$defs`. Raises RecursionError where a schema contains itself."""
    parts = list(facets(schema, root=root))
    properties = {
        name: node_of(inner, root=root)
        for part in parts
        for name, inner in part.get("properties", {}).items()
        if isinstance(inner, dict)
    }
    lists = [part["items"] for part in parts if isinstance(part.get("items"), dict)]
    others = [part["additionalProperties"] for part in parts if isinstance(part.get("additionalProperties"), dict)]
    image = _first(parts, "x-image")
    placeholders = _first(parts, "x-placeholders")
    options = _first(parts, "enum")
    return Node(
        wanted=_wanted(parts),
        properties=properties,
        others=node_of(others[0], root=root) if others else None,
        items=node_of(lists[0], root=root) if lists else None,
        options=None if options is None else tuple(options),
        image=None if image is None else ImageRule(**{**image, "formats": tuple(image["formats"])}),
        placeholders=None if placeholders is None else pattern_of(placeholders["image"]),
    )


def places(node: Node, base: Pattern = ()) -> Iterator[tuple[Pattern, Node]]:
    """Every place inside a node with the pattern that leads to it, outer ones first."""
    yield base, node
    for name, inner in node.properties.items():
        yield from places(inner, (*base, name))
    if node.items:
        yield from places(node.items, (*base, EACH))


def coerced(value: Value, node: Node) -> Any:  # noqa: ANN401 - any JSON
    """The value as a request carries it: a plain scalar as its text where a string is wanted, else as its value.

    An integral number is an integer where an integer is wanted. Strings and null stay as they are: a quoted number is
    never turned into one.
    """
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, dict):
        inner, others = node.properties, node.others or _ANY
        # Most values are texts: a call for each would double the time.
        return {
            key: item if isinstance(item, str) else coerced(item, inner.get(key, others)) for key, item in value.items()
        }
    if isinstance(value, list):
        return [coerced(item, node.items or _ANY) for item in value]
    return _coerced_scalar(value, node.wanted)


def _coerced_scalar(value: PlainScalar | float | bool, wanted: Wanted) -> Any:  # noqa: ANN401, FBT001 - any scalar
    if wanted == "string":
        return scalar_text(value)
    value = value.value if isinstance(value, PlainScalar) else value
    if wanted == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _wanted(parts: list[Schema]) -> Wanted:
    kind = _first(parts, "type")
    if kind is None and (options := _first(parts, "enum")):
        return "string" if all(isinstance(option, str) for option in options) else "anything"
    # Of several types the first is the one that is wanted: `["string", "number"]` takes `25.00` as it was written.
    kind = kind[0] if isinstance(kind, list) else kind
    return kind if kind in {"string", "integer"} else "anything"


def _first(parts: list[Schema], keyword: str) -> Any:  # noqa: ANN401 - whatever the keyword holds
    return next((part[keyword] for part in parts if keyword in part), None)


def _target(reference: str, root: Schema) -> Schema:
    target: Any = root
    for step in pattern_of(reference.removeprefix("#")):
        target = target[step]
    return target  # type: ignore[no-any-return] # the meta-schema allows references to `$defs` only
