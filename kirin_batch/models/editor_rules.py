"""Which params go together, told so that any standard validator holds it over a YAML file.

There, null is as good as absent, a number may stand for its text, and where an expression stands nothing is known. A
rule that cannot be told so is left out: the schema may take more than the program does, never less.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from kirin_batch.models.tree import Schema, facets

__all__ = ["combination", "combinations", "sure_conflicts", "with_scalars"]

_NULL: Schema = {"type": "null"}
_PRESENT: Schema = {"not": _NULL}
_UNKNOWN: Schema = {"anyOf": [{"$ref": "#/$defs/expression"}, {"type": ["object", "array"]}]}
_ONE = frozenset({"if", "then", "else", "not", "items", "contains"})
_MANY = frozenset({"anyOf", "oneOf"})
_SPELT_ELSEWHERE = frozenset({"$ref", "$defs", "allOf", "title", "description", "default", "examples", "$comment"})
_UNTOLD = frozenset(
    {"additionalProperties", "dependentRequired", "dependentSchemas", "maxProperties", "minProperties"}
    | {"patternProperties", "propertyNames", "unevaluatedItems", "unevaluatedProperties"}
)
# What these say holds of any expression too, which is a text of some length.
_TRUE_OF_EXPRESSIONS = frozenset({"minLength", "minimum", "maximum", "minItems", "maxItems", "x-message"})


def combinations(root: Schema) -> list[Schema]:
    """What a model's schema says of params together, each rule void where a value that it judges is not known."""
    return [_unless_unknown(rule, combination(rule, root), root) for rule in _rules(root)]


def sure_conflicts(root: Schema) -> list[Schema]:
    """What of it is certain where defaults may add to params: nothing that hangs on what is absent."""
    return [conflict for rule in _rules(root) if (conflict := _sure_conflict(rule, root))]


def combination(schema: Any, root: Schema) -> Any:  # noqa: ANN401 - a schema, which may be a boolean
    """A schema without references and keywords of ours; in its objects null counts as absent."""
    if isinstance(schema, bool):
        return schema
    parts = [part for facet in facets(schema, root=root) if (part := _facet(facet, root))]
    return parts[0] if len(parts) == 1 else {"allOf": parts} if parts else {}


def with_scalars(options: Iterable[Any]) -> list[Any]:
    """The options, and those that YAML reads as numbers or booleans where they stand without quotes."""
    options = list(options)
    return options + [value for option in options if isinstance(option, str) for value in _scalars(option)]


def _scalars(text: str) -> list[Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return []
    return [value] if isinstance(value, bool | int | float) else []


def _rules(root: Schema) -> list[Schema]:
    top = {keyword: root[keyword] for keyword in ("if", "then", "else", "anyOf", "oneOf", "not") if keyword in root}
    rules = [*root.get("allOf", ()), *([top] if top else [])]
    return [rule for rule in rules if isinstance(rule, dict) and not _has_untold(rule, root)]


def _has_untold(rule: Schema, root: Schema) -> bool:
    return any(_UNTOLD & set(part) for part in _parts(rule, root))


def _parts(schema: Any, root: Schema) -> Iterator[Schema]:  # noqa: ANN401 - a schema, which may be a boolean
    """The schemas inside a rule that judge the params themselves, itself among them."""
    for facet in facets(schema, root=root):
        yield facet
        for keyword in ("if", "then", "else", "not"):
            yield from _parts(facet.get(keyword, True), root)
        for keyword in _MANY:
            for part in facet.get(keyword, ()):
                yield from _parts(part, root)


def _facet(facet: Schema, root: Schema) -> Schema:
    made: Schema = {}
    for keyword, operand in facet.items():
        if keyword == "properties":
            made[keyword] = {name: _property(part, root) for name, part in operand.items()}
        elif keyword == "required":
            made |= {"required": operand, "allOf": [{"properties": dict.fromkeys(operand, _PRESENT)}]}
        elif keyword in {"const", "enum"}:
            made["enum"] = with_scalars(operand if keyword == "enum" else [operand])
        elif keyword in _ONE:
            made[keyword] = combination(operand, root)
        elif keyword in _MANY:
            made[keyword] = [combination(part, root) for part in operand]
        elif keyword == "type" and operand == "string":
            made[keyword] = ["string", "number", "boolean"]
        elif keyword not in _SPELT_ELSEWHERE and not keyword.startswith("x-"):
            made[keyword] = operand
    return made


def _property(part: Any, root: Schema) -> Any:  # noqa: ANN401 - a schema, which may be a boolean
    if isinstance(part, bool):
        return part or _NULL
    return {"anyOf": [_NULL, combination(part, root)]}


def _unless_unknown(rule: Schema, spelt: Schema, root: Schema) -> Schema:
    unknown = [{"required": [name], "properties": {name: _UNKNOWN}} for name in sorted(_judged(rule, root))]
    return {"anyOf": [*unknown, spelt]} if unknown else spelt


def _judged(rule: Any, root: Schema, *, is_asked: bool = False) -> set[str]:  # noqa: ANN401 - may be a boolean
    """The params whose values a rule looks at, in ways that an expression would not stand for.

    `is_asked`: the rule is a question, whose yes may forbid things. There nothing holds of expressions for certain.
    """
    harmless = {"x-message"} if is_asked else _TRUE_OF_EXPRESSIONS
    found: set[str] = set()
    for facet in facets(rule, root=root):
        inner = facet.get("properties", {}).items()
        found |= {name for name, part in inner if isinstance(part, dict) and set(part) - harmless}
        for keyword in ("if", "not", "then", "else"):
            found |= _judged(facet.get(keyword, True), root, is_asked=is_asked or keyword in {"if", "not"})
        for keyword in _MANY:
            found = found.union(*(_judged(part, root, is_asked=True) for part in facet.get(keyword, ())))
    return found


def _sure_conflict(rule: Schema, root: Schema) -> Schema | None:
    condition = list(facets(rule.get("if", False), root=root))
    present = {name for facet in condition for name in facet.get("required", ())}
    read = {name for facet in condition for name in facet.get("properties", ())}
    is_sure = (
        present >= read and present and not any({"not", "anyOf", "oneOf", "if"} & set(facet) for facet in condition)
    )
    then = [
        _facet({"properties": part["properties"]}, root)
        for part in facets(rule.get("then", True), root=root)
        if "properties" in part
    ]
    if not is_sure or not then:
        return None
    spelt = {"if": combination(rule["if"], root), "then": then[0] if len(then) == 1 else {"allOf": then}}
    return _unless_unknown({"if": rule["if"], "then": rule["then"]}, spelt, root)
