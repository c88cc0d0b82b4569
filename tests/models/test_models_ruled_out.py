"""What a schema rules out by `false` is told by keyword and place, wherever the `false` stands."""

from typing import Any

import pytest

from kirin_batch.models import Shape

IF_A = {"if": {"required": ["a"]}}
NO = {"$ref": "#/$defs/no"}
IF_A_IS_X = {"if": {"properties": {"a": {"const": "x"}}, "required": ["b"]}}


@pytest.mark.parametrize(
    ("schema", "rule", "message"),
    [
        ({**IF_A, "then": False}, "if", "a: this combination is not allowed"),
        ({**IF_A_IS_X, "then": False}, "if", "a, b: this combination is not allowed"),
        ({"if": {"required": ["c"]}, "else": False}, "if", "c: this combination is not allowed"),
        ({"allOf": [{**IF_A, "then": False, "x-message": "a is of another model"}]}, "if", "a is of another model"),
        (
            {**IF_A, "then": NO, "$defs": {"no": False}},
            "if",
            "a: this combination is not allowed",
        ),
        ({"properties": {"a": {"if": {"const": "x"}, "then": False}}}, "if", "a is not allowed here"),
        ({"properties": {"b": {"prefixItems": [False]}}}, "not", "b[0] is not allowed here"),
        ({"dependentSchemas": {"a": False}}, "not", "the whole is not allowed here"),
        ({"patternProperties": {"^a": False}}, "not", "a is not allowed here"),
        ({"properties": {"a": {"const": {"then": False}}}}, "const", 'a is "x": {"then": false} is the only value'),
    ],
)
def test_false_is_told_by_its_keyword_and_place(schema: dict[str, Any], rule: str, message: str) -> None:
    [violation] = Shape(schema).check({"a": "x", "b": [1]})
    assert (violation.rule, violation.message) == (rule, message)


def test_a_combination_that_is_ruled_out_hides_no_other_fault() -> None:
    schema = {**IF_A, "then": False, "properties": {"b": {"type": "string"}}}
    assert {violation.rule for violation in Shape(schema).check({"a": "x", "b": [1]})} == {"type", "if"}
