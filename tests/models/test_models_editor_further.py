"""The editors' schema of a project with models of its own: it takes what they take, and refuses usual mistakes."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from kirin_batch.models import Catalog, schema_text
from kirin_batch.models.editor import spec_schema
from kirin_batch.source import load_yaml, unwrap

NAME = {"type": "string"}
NUMBER = {"type": "integer"}


def validator_of(folder: Path, parts: dict[str, Any]) -> jsonschema_rs.Validator:
    """That of a project with a model `mine`; every reference in it leads somewhere."""
    schema = {"type": "object", "additionalProperties": False, "x-kind": "image", "x-slots": [{"value": 1}]}
    schema |= {"x-result": {"type": "image", "count": [{"value": 1}]}, **parts}
    (folder / "mine.schema.json").write_text(json.dumps(schema))
    made = json.loads(spec_schema(Catalog.load([folder])))
    assert set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(made))) <= set(made["$defs"])
    return jsonschema_rs.validator_for(made)


def judge(folder: Path, parts: dict[str, Any], params: str) -> tuple[bool, bool]:
    """What editors and what the program say of params."""
    validator = validator_of(folder, parts)
    spec: Any = load_yaml(f"{{version: 1, jobs: {{a: {{model: mine, params: {params}}}}}}}".encode())
    model = Catalog.load([folder]).model("mine")
    assert model
    given = {key: value for key, value in spec["jobs"]["a"]["params"].items() if value is not None}
    return validator.is_valid(unwrap(spec)), model.check(model.coerce(given)) == []


def one(schema: object, **definitions: object) -> dict[str, Any]:
    return {"properties": {"a": schema}, "$defs": definitions}


def two(**rules: object) -> dict[str, Any]:
    return {"properties": {"a": NAME, "b": NAME}, **rules}


def listed(**keywords: object) -> dict[str, Any]:
    return one({"type": "array", **keywords})


def mapped(**keywords: object) -> dict[str, Any]:
    return one({"type": "object", **keywords}, name=NAME)


REFERENCE = {"$ref": "#/$defs/name"}
ONLY_ONE = {"if": {"required": ["a"]}, "then": {"properties": {"b": {"const": "1"}}}}
GROUP = {"allOf": [{"$ref": "#/$defs/base"}], "type": "object", "properties": {"c": NAME}}


@pytest.mark.parametrize(
    ("parts", "right", "wrong"),
    [
        (one({"enum": ["1", "2"]}), "{a: 2}", "{a: 3}"),
        (one({"const": "x"}), "{a: x}", "{a: y}"),
        (one({"type": ["string", "array"]}), "{a: true}", "{a: {b: 1}}"),
        (one({"type": ["integer", "boolean"]}), "{a: 5}", "{a: '5'}"),
        (one({**NAME, "not": {"$ref": "#/$defs/x"}}, x={"enum": ["x"]}), "{a: y}", "{a: x}"),
        ({"properties": {"a": True, "b": {"type": "array", "items": True}}}, "{a: [1], b: [2]}", "{c: 1}"),
        (listed(prefixItems=[NAME], items=NUMBER), "{a: [x]}", "{a: x}"),
        (listed(items=NUMBER, minItems=1), "{a: [1]}", "{a: []}"),
        (mapped(additionalProperties=REFERENCE), "{a: {b: 1}}", "{a: {b: [1]}}"),
        (mapped(patternProperties={"^x": NAME}, additionalProperties=False), "{a: {x1: y}}", "{a: 1}"),
        (one(GROUP, base={"properties": {"b": NUMBER}}), "{a: {b: 1, c: x}}", "{a: {b: x}}"),
        (two(anyOf=[{"required": ["a"]}, {"required": ["b"]}]), "{b: x}", "{b: null}"),
        ({"properties": {"a": NAME, "b": NAME}, "not": {"required": ["a", "b"]}}, "{a: x, b: null}", "{a: x, b: x}"),
        (two(**ONLY_ONE), "{a: x, b: 1}", "{a: x, b: 2}"),
        (two(**ONLY_ONE), "{a: null, b: 2}", "{a: x, b: 2}"),
        (two(allOf=[{"if": {"required": ["a", "b"]}, "then": False}]), "{b: x}", "{a: x, b: x}"),
        (two(allOf=[True, {"properties": {"a": {"type": "string"}}}]), "{a: 1}", "{a: [1]}"),
        (two(allOf=[{"properties": {"b": True}, "if": {"required": ["a"]}}]), "{a: 1}", "{a: [1]}"),
    ],
)
def test_editors_and_the_program_agree_on_a_further_model(
    tmp_path: Path, parts: dict[str, Any], right: str, wrong: str
) -> None:
    assert judge(tmp_path, parts, right) == (True, True)
    assert judge(tmp_path, parts, wrong) == (False, False)


def test_a_model_is_one_of_the_project(tmp_path: Path) -> None:
    validator = validator_of(tmp_path, one(NAME))
    valid = [name for name in ("mine", "kirin_v2_image", "mina") if validator.is_valid(spec_of(name))]
    assert valid == ["mine"], "kirin_v2_image takes other params, and nothing is called mina"


def spec_of(model: str) -> dict[str, Any]:
    return {"version": 1, "jobs": {"a": {"model": model, "params": {"a": "x"}}}}


def test_a_rule_that_cannot_be_told_to_editors_is_left_to_the_program(tmp_path: Path) -> None:
    assert judge(tmp_path, two(allOf=[{"minProperties": 2}]), "{a: x, b: null}") == (True, False)


def test_where_an_expression_stands_no_combination_is_judged(tmp_path: Path) -> None:
    validator = validator_of(tmp_path, two(**ONLY_ONE))
    job = {"model": "mine", "params": {"a": "x", "b": "${{ vars.b }}"}}
    assert validator.is_valid({"version": 1, "jobs": {"a": job}})
    assert validator.is_valid({"version": 1, "defaults": {"params": {}}, "jobs": {"a": job}})


def test_a_question_about_the_length_of_an_expression_has_no_answer(tmp_path: Path) -> None:
    short = {"properties": {"a": {"minLength": 2}}}
    validator = validator_of(tmp_path, two(allOf=[{"not": short}, {"anyOf": [{"required": ["b"]}, {"not": short}]}]))
    jobs = {text: {"a": {"model": "mine", "params": {"a": text}}} for text in ("x", "long", "${{ vars.a }}")}
    valid = [text for text, job in jobs.items() if validator.is_valid({"version": 1, "jobs": job})]
    assert valid == ["x", "${{ vars.a }}"]


@pytest.mark.parametrize(
    ("rule", "is_told"),
    [
        (ONLY_ONE, True),
        ({**ONLY_ONE, "if": {"not": {"required": ["c"]}}}, False),
        ({**ONLY_ONE, "if": {"properties": {"c": {"const": "1"}}}}, False),
        ({"if": {"required": ["a"]}, "then": {"required": ["c"]}}, False),
        ({**ONLY_ONE, "then": {"allOf": [{"properties": {"b": False}}, {"properties": {"c": False}}]}}, True),
    ],
)
def test_over_defaults_only_what_is_certain_is_told(tmp_path: Path, rule: dict[str, Any], *, is_told: bool) -> None:
    validator = validator_of(tmp_path, {"properties": {"a": NAME, "b": NAME, "c": NAME}, "allOf": [rule]})
    job = {"model": "mine", "params": {"a": "x", "b": "2"}}
    assert validator.is_valid({"version": 1, "defaults": {"params": {"c": "2"}}, "jobs": {"a": job}}) is not is_told


def test_names_of_models_may_end_like_names_of_ours(tmp_path: Path) -> None:
    names = ("mine", "mine_alone", "over_defaults_of_mine")
    for name in names:
        (tmp_path / f"{name}.schema.json").write_text(schema_text("kirin_v2_image"))
    definitions = json.loads(spec_schema(Catalog.load([tmp_path])))["$defs"]
    made = [name for name in definitions if name.startswith("params_")]
    assert len(made) == 3 * len(Catalog.load([tmp_path]).names())
