"""A model's params as they stand in a YAML file: expressions, numbers for text, null for "no default".

Makes schemas from a model's schema for any standard validator; knows nothing of the file around params.
"""

from collections.abc import Iterable
from typing import Any

from kirin_batch.models.editor_rules import combination, combinations, sure_conflicts, with_scalars
from kirin_batch.models.model import Model
from kirin_batch.models.tree import Schema, facets, node_of

__all__ = ["added_params", "given_params", "whole_params"]

_EXPRESSION: Schema = {"$ref": "#/$defs/expression"}
_WHOLE_EXPRESSION: Schema = {"type": "string", "$ref": "#/$defs/whole_expression"}
_NULL: Schema = {"type": "null"}
_SCALAR_TYPES = ("string", "number", "boolean")
_NO_DATA_URI: Schema = {"pattern": "^[Dd][Aa][Tt][Aa]:"}
_OF_TEXT = ("minLength", "maxLength", "pattern")
_OF_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")


def given_params(model: Model) -> Schema:
    """Params each of which is right by itself, as in a file's defaults."""
    root = model.schema
    return {
        "type": ["object", "null"],
        "description": root.get("description", model.name),
        "additionalProperties": _NULL,  # takes away a default that is meant for jobs of other models
        "properties": {name: _param(part, root) for name, part in root["properties"].items()},
    }


def added_params(model: Model, *, given: Schema) -> Schema:
    """Params of a job over the defaults: nothing is missing, but what is there may contradict itself."""
    return _with_rules(given, sure_conflicts(model.schema))


def whole_params(model: Model, *, given: Schema) -> Schema:
    """Params to which nothing is added: what is required must be there, and combinations must fit."""
    required = _kept(model.schema, ("required",))
    return _with_rules({"type": "object", **given, **required}, combinations(model.schema))


def _with_rules(params: Schema, rules: list[Schema]) -> Schema:
    return {**params, **({"allOf": rules} if rules else {})}


def _param(schema: Any, root: Schema) -> Schema:  # noqa: ANN401 - a schema, which may be a boolean
    inner = _value(schema, root)
    return {**inner, "anyOf": [*inner["anyOf"], _NULL]}


def _value(schema: Any, root: Schema) -> Schema:  # noqa: ANN401 - a schema, which may be a boolean
    """A value, or an expression in its place."""
    merged = _merged(schema, root)
    is_text = isinstance(schema, dict) and node_of(schema, root=root).wanted == "string"
    plain = _text(merged, root) if is_text else _plain(merged, root)
    return {
        **_kept(merged, ("description", "default")),
        "anyOf": [plain, _EXPRESSION if is_text else _WHOLE_EXPRESSION],
    }


def _merged(schema: Any, root: Schema) -> Schema:  # noqa: ANN401 - a schema, which may be a boolean
    """One schema of all that hold at a place, outer ones over inner ones."""
    merged: Schema = {}
    for facet in reversed(list(facets(schema, root=root))):
        properties = {**merged.get("properties", {}), **facet.get("properties", {})}
        merged |= facet
        if properties:
            merged["properties"] = properties
    if "const" in merged:
        merged.setdefault("enum", [merged["const"]])
    return merged


def _plain(merged: Schema, root: Schema) -> Schema:
    match merged.get("type"):
        case "object":
            return {"type": "object", **_object(merged, root)}
        case "array":
            items = {} if "prefixItems" in merged else {"items": _value(merged.get("items", {}), root)}
            return {"type": "array", **items, **_kept(merged, ("minItems", "maxItems"))}
        case _:
            return _kept(merged, ("type", "enum", *_OF_NUMBERS))


def _object(merged: Schema, root: Schema) -> Schema:
    made: Schema = {"properties": {name: _value(part, root) for name, part in merged.get("properties", {}).items()}}
    if "patternProperties" not in merged and "additionalProperties" in merged:
        others = merged["additionalProperties"]
        made["additionalProperties"] = _value(others, root) if isinstance(others, dict) else others
    return {**made, **_kept(merged, ("required",))}


def _text(merged: Schema, root: Schema) -> Schema:
    if isinstance(merged.get("type"), list):
        return {"type": sorted({*merged["type"], *_SCALAR_TYPES} - {"integer"})}
    if "enum" in merged:
        return {"enum": with_scalars(merged["enum"])}
    refused = [_NO_DATA_URI] if "x-image" in merged else []
    refused += [combination(merged["not"], root)] if "not" in merged else []
    banned: Schema = {"not": {"anyOf": refused} if len(refused) > 1 else refused[0]} if refused else {}
    return {"type": list(_SCALAR_TYPES), **_kept(merged, _OF_TEXT), **banned}


def _kept(schema: Schema, keywords: Iterable[str]) -> Schema:
    return {keyword: schema[keyword] for keyword in keywords if keyword in schema}
