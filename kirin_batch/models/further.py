"""Schemas of further models, from folders that a project names: read, and refused with the place of the first fault.

What passes here compiles everywhere: as a schema, in our own keywords, and with both validators' patterns.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from kirin_batch.errors import KirinError
from kirin_batch.models.messages import closest_name, shortened
from kirin_batch.models.paths import Pattern, pattern_of
from kirin_batch.models.shape import Shape, gate_of
from kirin_batch.models.tree import Node, Schema, Wanted, node_of, places
from kirin_batch.models.violations import Violation
from kirin_batch.problems import Pointer, json_pointer

__all__ = ["SchemaError", "SchemaFault", "read_schema"]

_Fault: TypeAlias = tuple[str, str]  # the JSON pointer of its place, and a message

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DEFS = "#/$defs/"
_TYPES = "string, integer, number, boolean, array, object or null"
_OF_PLACES = ("x-image", "x-placeholders")
_NO_PLACES = frozenset(
    {"additionalProperties", "contains", "dependentSchemas", "patternProperties", "prefixItems", "unevaluatedItems"}
    | {"unevaluatedProperties"}
)
_BY_NAME = frozenset({"$defs", "dependentSchemas", "patternProperties", "properties"})
_LISTED = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_ONE = frozenset(
    {"additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames", "then"}
    | {"unevaluatedItems", "unevaluatedProperties"}
)
_KEYWORDS = (  # those of JSON Schema 2020-12 that hold no schemas
    *("$anchor", "$comment", "$dynamicAnchor", "$dynamicRef", "$id", "$ref", "$schema", "$vocabulary"),
    *("const", "enum", "type", "exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum", "multipleOf"),
    *("format", "maxLength", "minLength", "pattern", "contentEncoding", "contentMediaType"),
    *("maxContains", "maxItems", "minContains", "minItems", "uniqueItems"),
    *("dependentRequired", "maxProperties", "minProperties", "required"),
    *("default", "deprecated", "description", "examples", "readOnly", "title", "writeOnly"),
)
_STANDARD = tuple(sorted({*_KEYWORDS, *_BY_NAME, *_LISTED, *_ONE}))
_NO_REFERENCES = frozenset({"$anchor", "$dynamicAnchor", "$dynamicRef", "$id"})


@dataclass(frozen=True, slots=True)
class SchemaFault:
    """What is wrong with a schema, or with a folder of schemas.

    `pointer` leads to the place in a schema that can be read; of one that cannot, line and column are known at most.
    """

    path: Path
    message: str
    pointer: Pointer | None = None
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        place = "" if self.pointer is None else f", at {json_pointer(self.pointer) or 'the top'}"
        return f"{self.path}{place}: {self.message}"


class SchemaError(KirinError):
    """Schemas cannot be had or used; `faults` holds all that is wrong with those of further models, one a file."""

    def __init__(self, message: str, faults: tuple[SchemaFault, ...] = ()) -> None:
        super().__init__(message)
        self.faults = faults

    @classmethod
    def of(cls, *faults: SchemaFault) -> "SchemaError":
        """The error of one or more faults; its message tells the first, with the file and the place in it."""
        more = len(faults) - 1
        rest = f" ({more} more: `kirin-batch validate` tells all)" if more else ""
        return cls(f"{faults[0]}{rest}", faults)


def read_schema(path: Path, *, shape: Shape) -> Schema:
    """The schema of a model. `shape` is that of such schemas. Raises SchemaError."""
    schema = _parsed(path)
    for place, message in _faults(schema, shape):
        raise SchemaError.of(SchemaFault(path, message, _steps(place, schema)))
    return schema


def _steps(place: str, schema: Schema) -> Pointer:
    """A JSON pointer as steps, those into lists as numbers."""
    steps: list[str | int] = []
    part: Any = schema
    for name in pattern_of(place):
        if isinstance(part, list):
            steps.append(int(name))
            part = part[int(name)]
        else:
            steps.append(name)
            part = part.get(name) if isinstance(part, dict) else None
    return tuple(steps)


def _parsed(path: Path) -> Schema:
    try:
        text = path.read_bytes().decode("utf-8-sig")
        schema = json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant)
    except OSError as error:
        raise SchemaError.of(SchemaFault(path, f"cannot be read: {error.strerror}")) from error
    except UnicodeDecodeError as error:
        told = f"is not UTF-8: save it as UTF-8 (byte {error.start + 1} is none)"
        raise SchemaError.of(SchemaFault(path, told)) from error
    except RecursionError as error:
        raise SchemaError.of(SchemaFault(path, "nests too deep to be read")) from error
    except json.JSONDecodeError as error:
        fault = SchemaFault(path, f"is not valid JSON: {error}", line=error.lineno, column=error.colno)
        raise SchemaError.of(fault) from error
    except ValueError as error:
        raise SchemaError.of(SchemaFault(path, f"is not valid JSON: {error}")) from error
    if not isinstance(schema, dict):
        told = f"the file holds {shortened(schema)}: a JSON Schema of an object is needed"
        raise SchemaError.of(SchemaFault(path, told, ()))
    return schema


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'the key "{twice}" stands twice in one object: remove one of them')
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def _faults(schema: Schema, shape: Shape) -> Iterator[_Fault]:
    """The faults. Only the first is to be asked for: each step relies on there being none before it."""
    if (dialect := schema.get("$schema", _DIALECT)) != _DIALECT:
        yield "/$schema", f"{shortened(dialect)} is not the one that is used here: write {_DIALECT}"
    yield from _faults_of_form(schema, "")
    for violation in shape.check(schema):
        yield json_pointer(violation.pointer), _told(violation)
    for place, condition in _conditions(schema):
        yield from _faults_of_form(condition, place)
    for place, part in (("", schema), *_conditions(schema)):
        yield from _unknown_keywords(part, place)
    yield from _broken_references(schema)
    yield from _broken_patterns(schema)
    yield from _stray_keywords(schema)
    yield from _broken_whole(schema)
    node = node_of(schema, root=schema)
    yield from _wrong_places(node)
    yield from _wrong_targets(schema, dict(places(node)))
    yield from _wrong_names(schema)


def _faults_of_form(schema: Any, place: str) -> Iterator[_Fault]:  # noqa: ANN401 - a schema, which may be a boolean
    # Measured: 25 ms, and only projects with further models come here.
    import jsonschema_rs  # noqa: PLC0415 - see above

    try:
        jsonschema_rs.meta.validate(schema)
    except jsonschema_rs.ValidationError as error:
        *_, last = error.instance_path or [""]
        told = f"{shortened(error.instance)} is no type: use {_TYPES}" if last == "type" else error.message
        yield place + json_pointer(error.instance_path), f"is no JSON Schema: {told}"


def _conditions(schema: Schema) -> Iterator[tuple[str, Any]]:
    """The schemas inside keywords of ours, with their places: JSON Schema itself does not look there."""
    lists = {"/x-slots": schema["x-slots"], "/x-result/count": schema["x-result"]["count"]}
    lists["/x-warnings"] = schema.get("x-warnings", ())
    for place, entries in lists.items():
        for index, entry in enumerate(entries):
            if "when" in entry:
                yield f"{place}/{index}/when", entry["when"]


def _unknown_keywords(schema: Any, place: str) -> Iterator[_Fault]:  # noqa: ANN401 - a schema, which may be a boolean
    """Keywords that JSON Schema skips because it has none of that name; those with `x-` are ours, or judged as ours."""
    for keyword, operand in schema.items() if isinstance(schema, dict) else ():
        inner = place + json_pointer((keyword,))
        if keyword in _ONE:
            yield from _unknown_keywords(operand, inner)
        elif keyword in _BY_NAME:
            for name, part in operand.items():
                yield from _unknown_keywords(part, inner + json_pointer((name,)))
        elif keyword in _LISTED:
            for index, part in enumerate(operand):
                yield from _unknown_keywords(part, f"{inner}/{index}")
        elif keyword not in _STANDARD and not keyword.startswith("x-"):
            closest = closest_name(keyword, _STANDARD)
            hint = f"did you mean {closest}?" if closest else "JSON Schema (2020-12) has none of that name: remove it"
            yield inner, f"there is no keyword {keyword} here: {hint}"


def _told(violation: Violation) -> str:
    """A message that speaks of keywords: `shape` judges schemas by the rules, and in the words, for parameters."""
    if violation.key and violation.rule in {"enum", "const", "additionalProperties"}:
        _, _, hint = violation.message.partition(": ")
        return f"there is no keyword {violation.pointer[-1]} here: {hint}"
    return violation.message


def _broken_references(schema: Schema) -> Iterator[_Fault]:
    defined: Mapping[str, Any] = schema.get("$defs", {})
    for place, name in _references(schema):
        if name not in defined:
            yield place, f"$defs has no {name}"
    for name in defined:
        if name in _reached(defined[name], defined, set()):
            yield f"/$defs{json_pointer((name,))}", "a schema contains itself: write out as many levels as there are"


def _reached(schema: Any, defined: Mapping[str, Any], known: set[str]) -> set[str]:  # noqa: ANN401 - a schema or a part
    """The names in `$defs` that a schema leads to, those of `known` included."""
    for _, name in _references(schema):
        if name not in known:
            known.add(name)
            _reached(defined[name], defined, known)
    return known


def _references(schema: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - a schema or a part of one
    for place, keyword, operand in _keywords(schema):
        if keyword == "$ref" and isinstance(operand, str):
            yield place, operand.removeprefix(_DEFS)


def _keywords(schema: Any, place: str = "") -> Iterator[tuple[str, str, Any]]:  # noqa: ANN401 - a schema or a part
    """Every key of every object in a schema: its place, itself, and what it holds."""
    entries: Iterable[tuple[Any, Any]] = ()
    if isinstance(schema, dict):
        entries = schema.items()
    elif isinstance(schema, list):
        entries = enumerate(schema)
    for key, part in entries:
        inner = place + json_pointer((key,))
        if isinstance(key, str):
            yield inner, key, part
        yield from _keywords(part, inner)


def _broken_patterns(schema: Schema) -> Iterator[_Fault]:
    for place, keyword, operand in _keywords(schema):
        if keyword == "pattern" and isinstance(operand, str):
            try:
                re.compile(operand)
            except re.error as error:
                yield place, f"{shortened(operand)} is a pattern that cannot be used: {error}"


def _stray_keywords(schema: Schema) -> Iterator[_Fault]:
    for place, keyword, operand in _keywords(schema):
        if keyword in _NO_REFERENCES and isinstance(operand, str) and place != "/$id":
            yield place, f"{keyword} is not used here: let $ref lead to the $defs of the same file"
        if keyword in _NO_PLACES:
            for inner, name, told in _keywords(operand, place):
                if name in _OF_PLACES and isinstance(told, dict):
                    yield inner, f"{name} is seen in properties and items only, and in the $defs and allOf behind them"


def _broken_whole(schema: Schema) -> Iterator[_Fault]:
    """What neither its form nor the checks above told: a foreign `$id` inside, a pattern that one validator lacks."""
    import jsonschema_rs  # noqa: PLC0415 - as in _faults_of_form

    for place, part in (("", schema), *_conditions(schema)):
        try:
            gate_of(part, root=schema)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            yield place, f"the schema cannot be used: {str(error).splitlines()[0]}"


def _wrong_places(node: Node) -> Iterator[_Fault]:
    for pattern, place in places(node):
        if (place.image or place.placeholders) and place.wanted != "string":
            yield _property(pattern), "x-image and x-placeholders go only with type: string"


def _property(pattern: Pattern) -> str:
    return f"/properties/{'/'.join(pattern)}"


def _wrong_targets(schema: Schema, nodes: Mapping[Pattern, Node]) -> Iterator[_Fault]:
    for place, pattern, wanted in _targets(schema, nodes):
        node = nodes.get(pattern)
        way = f"/{'/'.join(pattern)}"
        if node is None:
            yield place, f"leads to {way}, which properties do not have"
        elif wanted == "list" and node.wanted != "anything":
            yield place, f"leads to {way}, which is no list: name a parameter of type array"
        elif wanted in {"integer", "string"} and node.wanted != wanted:
            yield place, f"leads to {way}, whose type is not {wanted}: name a parameter of type {wanted}"


_Target: TypeAlias = tuple[str, Pattern, Wanted | str]


def _targets(schema: Schema, nodes: Mapping[Pattern, Node]) -> Iterator[_Target]:
    """Where keywords of ours point to, with the place of the keyword and the type that is needed there."""
    for keyword, needed in (("x-total", "list"), ("x-sum", ""), ("x-distinct-images", "string"), ("x-warnings", "")):
        for index, entry in enumerate(schema.get(keyword, ())):
            targets = [entry[key] for key in ("equals", "image", "from", "parameter") if key in entry]
            of = entry.get("of", ())
            targets += [of] if isinstance(of, str) else of
            yield from ((f"/{keyword}/{index}", pattern_of(target), needed) for target in targets)
    for index, group in enumerate(schema.get("x-same-form", ())):
        yield from ((f"/x-same-form/{index}", pattern_of(target), "string") for target in group)
    for place, cases in (("/x-slots", schema["x-slots"]), ("/x-result/count", schema["x-result"]["count"])):
        for index, case in enumerate(cases):
            if "param" in case:
                yield f"{place}/{index}", (case["param"],), "integer"
    for name, asked in schema.get("x-asks", {}).items():
        param, place = (asked, "") if isinstance(asked, str) else (asked["param"], "/param")
        yield f"/x-asks/{name}{place}", (param,), ""
    for pattern, node in nodes.items():
        if node.placeholders:
            yield _property(pattern), node.placeholders, "list"


def _wrong_names(schema: Schema) -> Iterator[_Fault]:
    """Parameters that are required and cannot be given, and defaults that their own parameters would refuse."""
    properties = schema["properties"]
    for index, name in enumerate(schema.get("required", ())):
        if name not in properties:
            yield f"/required/{index}", f"names {name}, which properties do not have"
    for name, part in properties.items():
        if isinstance(part, dict) and "default" in part and not gate_of(part, root=schema).is_valid(part["default"]):
            told = f"{shortened(part['default'])} is a default that {name} itself does not take: correct one of the two"
            yield f"/properties{json_pointer((name, 'default'))}", told
    resolution = schema.get("x-asks", {}).get("resolution")
    for name in resolution["pixels"] if resolution else ():
        if not gate_of(properties[resolution["param"]], root=schema).is_valid(name):
            place = json_pointer(("x-asks", "resolution", "pixels", name))
            yield place, f"{name} is no value that {resolution['param']} takes"
