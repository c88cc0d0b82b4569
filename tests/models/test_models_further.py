"""Schemas of further models that are wrong: each is refused with its file, its place and what would be right."""

import json
from pathlib import Path
from typing import Any

import pytest

from kirin_batch.models import Catalog, SchemaError

IMAGE = {"formats": ["png"], "max_bytes": 9, "min_side": 1}
DIALECT = "https://json-schema.org/draft/2020-12/schema"
SOUND: dict[str, Any] = {
    "$schema": DIALECT,
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "text": {"type": "string"},
        "count": {"type": "integer", "default": 2},
        "images": {"type": "array", "items": {"$ref": "#/$defs/image"}},
    },
    "x-kind": "image",
    "x-slots": [{"param": "count"}],
    "x-result": {"type": "image", "count": [{"value": 1}]},
    "$defs": {"image": {"type": "string", "x-image": IMAGE}},
}


def load(folder: Path, schema: object, name: str = "mine") -> Catalog:
    folder.mkdir(exist_ok=True)
    data = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
    (folder / f"{name}.schema.json").write_bytes(data)
    return Catalog.load([folder])


def refusal(folder: Path, schema: object, name: str = "mine") -> str:
    with pytest.raises(SchemaError) as caught:
        load(folder, schema, name)
    message = str(caught.value)
    assert message.startswith(str(folder / f"{name}.schema.json"))
    assert "\n" not in message
    return message


def with_parameter(schema: object) -> dict[str, Any]:
    return {**SOUND, "properties": {**SOUND["properties"], "new": schema}}


def with_definition(schema: object, **further: object) -> dict[str, Any]:
    return {**SOUND, "$defs": {**SOUND["$defs"], "new": schema}, **further}


def test_a_sound_schema_passes(tmp_path: Path) -> None:
    model = load(tmp_path, {**SOUND, "$id": "mine", "properties": {**SOUND["properties"], "any": True}}).model("mine")
    assert model
    assert model.defaults() == {"count": 2}
    assert "marked" in load(tmp_path, b"\xef\xbb\xbf" + json.dumps(SOUND).encode(), "marked").names()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not valid JSON: Expecting value: line 1 column 1"),
        (b'{\n  "type": "object",\n}', "is not valid JSON: "),
        (b'{"x-kind": "image", "x-kind": "video"}', 'the key "x-kind" stands twice in one object: remove one of them'),
        (b'{"type": "object", "maximum": NaN}', "NaN is no number in JSON"),
        (b'{"type": "\xff"}', "is not UTF-8: save it as UTF-8 (byte 11 is none)"),
        (b"[" * 100_000, "nests too deep to be read"),
        (b"true", "at the top: the file holds true: a JSON Schema of an object is needed"),
    ],
)
def test_what_is_no_json_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    assert message in refusal(tmp_path, data)


def test_a_schema_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.schema.json").mkdir()
    with pytest.raises(SchemaError, match=r"mine\.schema\.json: cannot be read: Is a directory"):
        Catalog.load([tmp_path])


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (
            {**SOUND, "$schema": "http://json-schema.org/draft-07/schema#"},
            f'at /$schema: "http://json-schema.org/draft-07/schema#" is not the one that is used here: write {DIALECT}',
        ),
        (
            with_parameter({"type": "strin"}),
            'at /properties/new/type: is no JSON Schema: "strin" is no type: use string',
        ),
        (with_parameter({"minLength": "5"}), 'at /properties/new/minLength: is no JSON Schema: "5" is not of type'),
        (with_parameter({"pattern": "["}), 'at /properties/new/pattern: "[" is a pattern that cannot be used: '),
        (with_parameter({"pattern": r"\p{L}"}), "at /properties/new/pattern: "),
        (with_parameter({"pattern": r"(?P<a>1)\Z"}), "at the top: the schema cannot be used: "),
        (
            with_parameter({"$id": "https://a.example/b", "$ref": "#/$defs/image"}),
            "at /properties/new/$id: $id is not used here: let $ref lead to the $defs of the same file",
        ),
        (with_parameter({"$dynamicRef": "#image"}), "at /properties/new/$dynamicRef: $dynamicRef is not used here"),
        (
            {**SOUND, "x-slots": [{"when": {"required": False}, "value": 2}]},
            "at /x-slots/0/when/required: is no JSON Schema: false is not of type",
        ),
        ({**SOUND, "required": ["text", "txt"]}, "at /required/1: names txt, which properties do not have"),
        (
            with_parameter({"type": "integer", "default": "2"}),
            'at /properties/new/default: "2" is a default that new itself does not take: correct one of the two',
        ),
    ],
)
def test_what_is_no_json_schema_is_refused(tmp_path: Path, schema: object, message: str) -> None:
    assert message in refusal(tmp_path, schema)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (
            with_parameter({"type": "string", "maxLenght": 5}),
            "at /properties/new/maxLenght: there is no keyword maxLenght here: did you mean maxLength?",
        ),
        ({**SOUND, "proprties": {}}, "at /proprties: there is no keyword proprties here: did you mean properties?"),
        (with_parameter({"allOf": [{"items": {"enumm": [1]}}]}), "at /properties/new/allOf/0/items/enumm: there is"),
        (with_parameter({"patternProperties": {"a/b": {"typ": "null"}}}), "/patternProperties/a~1b/typ: there is no"),
        (with_parameter({"additionalProperties": {"typ": "null"}}), "/new/additionalProperties/typ: there is no"),
        (with_definition({"zzz": 1}), "there is no keyword zzz here: JSON Schema (2020-12) has none of that name"),
        (
            {**SOUND, "x-slots": [{"when": {"requird": ["text"]}, "value": 2}]},
            "at /x-slots/0/when/requird: there is no keyword requird here: did you mean required?",
        ),
    ],
)
def test_keywords_that_json_schema_does_not_have_are_refused(tmp_path: Path, schema: object, message: str) -> None:
    assert message in refusal(tmp_path, schema)


def test_every_keyword_of_json_schema_may_stand_and_names_and_values_are_no_keywords(tmp_path: Path) -> None:
    known = {
        "title": "t",
        "$comment": "c",
        "deprecated": True,
        "readOnly": False,
        "format": "uri",
        "examples": [{"a": 1}],
    }
    value = {
        **known,
        "enum": [{"maxLenght": 1}],
        "default": {"maxLenght": 1},
        "properties": {"maxLenght": {"minItems": 1}},
    }
    assert "mine" in load(tmp_path, with_parameter(value)).names()


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({**SOUND, "x-slot": []}, "at /x-slot: there is no keyword x-slot here: use one of x-kind, x-slots"),
        ({**SOUND, "x-slot": []}, "did you mean x-slots?"),
        ({**SOUND, "x-message": "a"}, "at /x-message: there is no keyword x-message here: use one of x-kind"),
        ({**SOUND, "x-kind": "sound"}, 'at /x-kind: x-kind is "sound": use one of image, video'),
        (
            with_parameter({"type": "string", "x-image": {**IMAGE, "min_sid": 1}}),
            "at /properties/new/x-image/min_sid: there is no keyword min_sid here: did you mean min_side?",
        ),
        (
            with_parameter({"type": "integer", "x-image": IMAGE}),
            "at /properties/new/type: x-image and x-placeholders go",
        ),
        (
            with_parameter({"$ref": "#/$defs/image", "type": "integer"}),
            "at /properties/new: x-image and x-placeholders go only with type: string",
        ),
        (
            with_parameter({"type": "array", "prefixItems": [{"type": "string", "x-image": IMAGE}]}),
            "at /properties/new/prefixItems/0/x-image: x-image is seen in properties and items only",
        ),
        ({**SOUND, "x-slots": [{"param": "n"}]}, "at /x-slots/0: leads to /n, which properties do not have"),
        (
            {**SOUND, "x-slots": [{"value": 1}, {"param": "text"}]},
            "at /x-slots/1: leads to /text, whose type is not integer: name a parameter of type integer",
        ),
        (
            {**SOUND, "x-result": {"type": "image", "count": [{"param": "images"}]}},
            "at /x-result/count/0: leads to /images, whose type is not integer",
        ),
        (
            {**SOUND, "x-total": [{"of": ["/text"], "max": 2, "label": "texts"}]},
            "at /x-total/0: leads to /text, which is no list: name a parameter of type array",
        ),
        ({**SOUND, "x-same-form": [["/images/*", "/count"]]}, "at /x-same-form/0: leads to /count, whose type is not"),
        ({**SOUND, "x-asks": {"ratio": "shape"}}, "at /x-asks/ratio: leads to /shape, which properties do not have"),
        (
            {**SOUND, "x-asks": {"length": "text"}},
            "there is no keyword length here: known are duration, ratio, resolution",
        ),
        (
            {**SOUND, "x-asks": {"resolution": {"param": "size", "side": "long", "pixels": {"1k": 1024}}}},
            "at /x-asks/resolution/param: leads to /size, which properties do not have",
        ),
        (
            {**SOUND, "x-asks": {"resolution": {"param": "count", "side": "long", "pixels": {"1k": 1024}}}},
            "at /x-asks/resolution/pixels/1k: 1k is no value that count takes",
        ),
        (
            {**SOUND, "x-warnings": [{"when": {}, "parameter": "/gone", "message": "m"}]},
            "at /x-warnings/0: leads to /gone, which properties do not have",
        ),
    ],
)
def test_keywords_of_ours_in_the_wrong_place_or_of_the_wrong_kind_are_refused(
    tmp_path: Path, schema: object, message: str
) -> None:
    assert message in refusal(tmp_path, schema)


@pytest.mark.parametrize(
    "schema",
    [
        with_definition({"$ref": "#/$defs/new"}),
        with_definition({"not": {"anyOf": [{"$ref": "#/$defs/image"}, {"$ref": "#/$defs/new"}]}}),
        with_definition({"properties": {"a": {"items": {"$ref": "#/$defs/new"}}}}),
    ],
)
def test_a_schema_that_contains_itself_is_refused(tmp_path: Path, schema: object) -> None:
    assert "a schema contains itself: write out as many levels as there are" in refusal(tmp_path, schema)


def test_a_case_may_hold_always_or_never(tmp_path: Path) -> None:
    cases = [{"when": False, "value": 9}, {"when": True, "value": 3}]
    model = load(tmp_path, {**SOUND, "x-slots": cases}).model("mine")
    assert model
    assert model.slots({}) == 3


def test_a_pattern_that_one_validator_lacks_is_refused_in_conditions_too(tmp_path: Path) -> None:
    case = {"when": {"properties": {"text": {"pattern": r"(?P<a>1)\Z"}}}, "value": 9}
    told = refusal(tmp_path, {**SOUND, "x-slots": [case, {"value": 1}]})
    assert ", at /x-slots/0/when: " in told


def test_definitions_may_lead_to_definitions(tmp_path: Path) -> None:
    schema = with_definition({"$ref": "#/$defs/image"}, allOf=[{"if": {"required": ["text"]}, "then": True}])
    schema["properties"] = {**SOUND["properties"], "new": {"$ref": "#/$defs/new"}}
    model = load(tmp_path, schema).model("mine")
    assert model
    assert [pointer for pointer, _ in model.image_pointers({"new": "a.png"})] == [("new",)]


def test_a_file_whose_name_no_model_can_have_is_refused(tmp_path: Path) -> None:
    assert "rename the file" in refusal(tmp_path / "a", SOUND, "my model")
    assert "rename the file" in refusal(tmp_path / "b", SOUND, "")
    told = refusal(tmp_path / "c", SOUND, "spec")
    assert told.endswith(": spec is a schema of the program itself, not a model: keep it in another folder")
