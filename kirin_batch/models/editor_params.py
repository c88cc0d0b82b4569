"""A model's params as they stand in a YAML file: expressions, numbers for text, null for "no default".

Makes schemas from a model's schema for any standard validator; knows nothing of the file around params.
"""

import json
from collections.abc import Iterable
from typing import Any

from kirin_batch.models.model import Model
from kirin_batch.models.tree import Schema, facets

__all__ = ["added_params", "given_params", "whole_params"]

_EXPRESSION: Schema = {"$ref": "#/$defs/expression"}
_WHOLE_EXPRESSION: Schema = {"type": "string", "$ref": "#/$defs/whole_expression"}
_NULL: Schema = {"type": "null"}
_NO_DATA_URI: Schema = {"pattern": "^[Dd][Aa][Tt][Aa]:"}
_KEPT_OF_TEXT = ("minLength", "maxLength", "pattern", "not")
_KEPT_OF_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")


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
    rules = [rule for part in model.schema.get("allOf", ()) if (rule := _sure_conflict(part, model.schema))]
    return {**given, **({"allOf": rules} if rules else {})}


def whole_params(model: Model, *, given: Schema) -> Schema:
    """Params to which nothing is added: what is required must be there, and combinations must fit."""
    root = model.schema
    rules = [_unless_expression(part, root) for part in root.get("allOf", ())]
    return {
        "type": "object",
        **given,
        **({"required": root["required"]} if "required" in root else {}),
        **({"allOf": rules} if rules else {}),
    }


def _param(schema: Schema, root: Schema) -> Schema:
    inner = _value(schema, root)
    return {**_annotations(schema), "anyOf": [*inner["anyOf"], _NULL]}


def _value(schema: Schema, root: Schema) -> Schema:
    """A value, or an expression in its place."""
    merged: Schema = {}
    for facet in reversed(list(facets(schema, root=root))):
        merged |= facet
    kind = merged.get("type")
    expression = _EXPRESSION if kind == "string" else _WHOLE_EXPRESSION
    return {**_annotations(schema), "anyOf": [_plain(merged, kind, root), expression]}


def _plain(merged: Schema, kind: Any, root: Schema) -> Schema:  # noqa: ANN401 - the operand of `type`
    if kind == "string":
        return _text(merged)
    if kind == "object":
        properties = {name: _value(part, root) for name, part in merged.get("properties", {}).items()}
        return {"type": "object", "properties": properties, **_kept(merged, ("required", "additionalProperties"))}
    if kind == "array":
        items = _value(merged.get("items", {}), root)
        return {"type": "array", "items": items, **_kept(merged, ("minItems", "maxItems"))}
    return _kept(merged, ("type", "enum", *_KEPT_OF_NUMBERS))


def _text(merged: Schema) -> Schema:
    if "enum" in merged:
        return {"enum": _with_scalars(merged["enum"])}
    kept = _kept(merged, _KEPT_OF_TEXT)
    no_data_uri = {"not": _NO_DATA_URI} if "x-image" in merged else {}
    return {"type": ["string", "number", "boolean"], **kept, **no_data_uri}


def _with_scalars(options: Iterable[Any]) -> list[Any]:
    """The options, and those that YAML reads as numbers or booleans where they stand without quotes."""
    options = list(options)
    return options + [value for option in options if isinstance(option, str) for value in _scalars(option)]


def _scalars(text: str) -> list[Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return []
    return [value] if isinstance(value, bool | int | float) else []


def _annotations(schema: Schema) -> Schema:
    return _kept(schema, ("description", "default"))


def _kept(schema: Schema, keywords: Iterable[str]) -> Schema:
    return {keyword: schema[keyword] for keyword in keywords if keyword in schema}


def _unless_expression(rule: Schema, root: Schema) -> Schema:
    """A combination, void where a value that its condition reads is an expression."""
    read = sorted(_names_read(rule.get("if", {}), root))
    unknown = [{"required": [name], "properties": {name: _EXPRESSION}} for name in read]
    combination = _combination(rule, root)
    return {"anyOf": [*unknown, combination]} if unknown else combination


def _sure_conflict(rule: Schema, root: Schema) -> Schema | None:
    """What a combination says for certain where defaults may add to params: nothing that hangs on absence."""
    condition = _combination(rule.get("if", {}), root)
    then = _combination(rule.get("then", {}), root)
    then.pop("required", None)
    is_of_presence = "required" in condition and not {"not", "anyOf", "oneOf", "if"} & set(condition)
    return {"if": condition, "then": then} if then and is_of_presence else None


def _combination(schema: Any, root: Schema) -> Any:  # noqa: ANN401 - a schema or a part of one
    """A condition without references and keywords of ours; null counts as absent, a number as its text."""
    if isinstance(schema, list):
        return [_combination(part, root) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made: Schema = {}
    for facet in facets(schema, root=root):
        for keyword, operand in facet.items():
            if keyword == "properties":
                made[keyword] = {name: _combined_property(part, root) for name, part in operand.items()}
            elif keyword in {"const", "enum"}:
                made["enum"] = _with_scalars(operand if keyword == "enum" else [operand])
            elif keyword != "$ref" and not keyword.startswith("x-"):
                made[keyword] = _combination(operand, root)
    return made


def _combined_property(part: Any, root: Schema) -> Schema:  # noqa: ANN401 - a schema, which may be a boolean
    return _NULL if part is False else _combination(part, root)


def _names_read(condition: Schema, root: Schema) -> set[str]:
    return {name for facet in facets(condition, root=root) for name in facet.get("properties", ())}
