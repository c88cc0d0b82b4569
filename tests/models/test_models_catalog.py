"""Where models come from: the bundled schemas, further folders, and what is refused there."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kirin_batch.models import Catalog, SchemaError, schema_text, shape_of

SMALL: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "text": {"$ref": "#/$defs/text"},
        "count": {"type": "integer", "default": 2},
        "images": {"type": "array", "items": {"allOf": [{"$ref": "#/$defs/image"}]}},
    },
    "x-kind": "image",
    "x-slots": [{"param": "count"}],
    "x-result": {"type": "image", "count": [{"param": "count"}]},
    "x-total": [{"of": ["/images"], "max": 2, "label": "images"}],
    "$defs": {
        "text": {"type": "string", "x-placeholders": {"image": "/images"}},
        "image": {"type": "string", "x-image": {"formats": ["png"], "max_bytes": 9, "min_side": 1}},
    },
}


def folder_with(tmp_path: Path, schema: object, name: str = "my_model") -> Path:
    tmp_path.mkdir(exist_ok=True)
    text = schema if isinstance(schema, str) else json.dumps(schema)
    (tmp_path / f"{name}.schema.json").write_text(text)
    return tmp_path


def test_a_new_model_is_a_new_schema_file_and_no_code(tmp_path: Path) -> None:
    catalog = Catalog.load([folder_with(tmp_path, SMALL)])
    model = catalog.model("my_model")
    assert model
    assert "my_model" in catalog.names()
    assert (model.slots({}), model.coerce({"images": [5]})) == (2, {"images": ["5"]})
    params = {"text": "<<<image_4>>>", "images": ["https://example.com"] * 3}
    assert [violation.rule for violation in model.check(params)] == ["x-placeholders", "x-total"]
    assert [pointer for pointer, _ in model.image_pointers(params)] == [("images", i) for i in range(3)]


def test_sums_conditions_and_options_of_a_new_model_hold(tmp_path: Path) -> None:
    parts = {"type": "array", "items": {"type": "string"}}
    schema = with_property(parts) | {
        "x-sum": [{"of": "/new/*", "equals": "/count"}],
        "x-slots": [{"when": {"required": ["text"]}, "param": "count"}],
    }
    schema["properties"]["size"] = {"enum": ["1", "2"]}
    model = Catalog.load([folder_with(tmp_path, schema)]).model("my_model")
    assert model
    told = [violation.message for violation in model.check({"new": ["0.5", "1"]})]
    assert told == ["new: the parts take 1.5 of 2: give the parts 2 in all or set count: 1.5"]
    assert model.check({"new": ["half", "1"]}) == []
    assert model.check({"new": ["inf"]}) == []
    assert (model.slots({"text": "x"}), model.slots({}), model.coerce({"size": 2})) == (2, 1, {"size": "2"})


def test_a_schema_of_the_project_replaces_the_bundled_one(tmp_path: Path) -> None:
    model = Catalog.load([folder_with(tmp_path, SMALL, "kirin_v2_image")]).model("kirin_v2_image")
    assert model
    assert model.defaults() == {"count": 2}


def test_a_model_that_is_not_there_has_a_suggestion() -> None:
    catalog = Catalog.load()
    assert catalog.model("kirin_v3_omni") is None
    assert catalog.suggest("kirin_v3_omni") == "kirin_v3_omni_image"
    assert catalog.suggest("zzz") is None


def without(key: str) -> dict[str, Any]:
    return {name: part for name, part in SMALL.items() if name != key}


def with_property(schema: object) -> dict[str, Any]:
    return {**SMALL, "properties": {**SMALL["properties"], "new": schema}}


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("{", "is not valid JSON"),
        ("[]", "at the top: the file holds []"),
        ({**SMALL, "type": 5}, "at /type: is no JSON Schema: 5 is no type: use string"),
        (without("x-kind"), "at /x-kind: x-kind is missing"),
        ({**SMALL, "x-kind": "sound"}, 'at /x-kind: x-kind is "sound": use one of image, video'),
        ({**SMALL, "x-totl": []}, "at /x-totl: there is no keyword x-totl here: use one of x-kind"),
        ({**SMALL, "x-total": [{"of": ["/images"], "max": 0, "label": "x"}]}, "at /x-total/0/max: x-total[0].max is 0"),
        ({**SMALL, "x-total": [{"of": ["/imags"], "max": 1, "label": "x"}]}, "at /x-total/0: leads to /imags"),
        ({**SMALL, "x-sum": [{"of": "/images/*", "equals": "/cnt"}]}, "at /x-sum/0: leads to /cnt"),
        ({**SMALL, "x-same-form": [["/text", "/x"]]}, "at /x-same-form/0: leads to /x"),
        ({**SMALL, "x-slots": [{"param": "n"}]}, "at /x-slots/0: leads to /n"),
        ({**SMALL, "x-slots": [{"param": "count", "value": 1}]}, "at /x-slots/0: a case has either param or value"),
        (
            {**SMALL, "x-result": {"type": "image", "count": [{"value": 1}], "fields": ["element_id"]}},
            "fields go only with type: text",
        ),
        (
            with_property({"x-image": {"formats": ["png"], "max_bytes": 9, "min_side": 1}}),
            "x-image and x-placeholders go only with type: string",
        ),
        (with_property({"type": "string", "x-message": 5}), "at /properties/new/x-message: "),
        (with_property({"type": "string", "x-placeholders": {"image": "/no"}}), "at /properties/new: leads to /no"),
        (with_property({"$ref": "#/$defs/none"}), "at /properties/new/$ref: $defs has no none"),
        (with_property({"$ref": "https://example.com/schema"}), "$ref leads to the $defs of the same file only"),
        (
            {**SMALL, "$defs": {**SMALL["$defs"], "text": {"items": {"$ref": "#/$defs/text"}}}},
            "at /$defs/text: a schema contains itself",
        ),
        ({**SMALL, "allOf": [{"if": {"x-image": {}}}]}, "at /allOf/0/if/x-image: "),
        ({**SMALL, "allOf": [{"not": {"required": [], "x-kind": "image"}}]}, "at /allOf/0/not/x-kind: "),
    ],
)
def test_a_wrong_schema_is_refused_with_its_file_and_place(tmp_path: Path, schema: object, message: str) -> None:
    with pytest.raises(SchemaError) as caught:
        Catalog.load([folder_with(tmp_path, schema)])
    assert "my_model.schema.json" in str(caught.value)
    assert message in str(caught.value)


def test_a_folder_without_schemas_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"has no MODEL\.schema\.json"):
        Catalog.load([tmp_path])
    with pytest.raises(SchemaError, match="is no folder"):
        Catalog.load([tmp_path / "none"])


def test_all_wrong_schemas_are_told_at_once_each_with_its_place(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, {**SMALL, "x-kind": "sound"})
    (folder / "other.schema.json").write_text(json.dumps({**SMALL, "x-slots": [{"value": 0}]}))
    with pytest.raises(SchemaError, match="1 more: `kirin-batch validate` tells all") as caught:
        Catalog.load([folder])
    assert [(fault.path.name, fault.pointer) for fault in caught.value.faults] == [
        ("my_model.schema.json", ("x-kind",)),
        ("other.schema.json", ("x-slots", 0, "value")),
    ]


def test_two_folders_with_one_model_are_refused(tmp_path: Path) -> None:
    folders = [folder_with(tmp_path / name, SMALL) for name in ("a", "b")]
    with pytest.raises(SchemaError, match="describes the model my_model too"):
        Catalog.load(folders)


def test_the_text_of_a_schema_is_had_by_name() -> None:
    assert json.loads(schema_text("kirin_v3_i2v"))["x-kind"] == "video"
    assert json.loads(schema_text("lock"))["$id"] == "kirin-batch:lock"
    with pytest.raises(SchemaError, match="did you mean project"):
        schema_text("projct")
    with pytest.raises(SchemaError, match="there are kirin_custom_elements, "):
        schema_text("zzz")


def test_importing_and_checking_good_requests_loads_neither_jsonschema_nor_pillow() -> None:
    code = """
import sys
from kirin_batch.models import Catalog
assert not {"jsonschema", "PIL", "jsonschema_rs"} & set(sys.modules)
model = Catalog.load().model("kirin_v2_image")
assert model.check({"prompt": "a fox"}) == []
assert not {"jsonschema", "PIL"} & set(sys.modules)
"""
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)  # noqa: S603 - our own code


def test_a_setting_is_converted_and_judged_by_its_schema() -> None:
    shape = shape_of("project")
    settings = shape.coerce({"max_cost": 25.5, "prices": {"kirin_v2_image": 1}, "retries": 2.0})
    assert settings == {"max_cost": "25.5", "prices": {"kirin_v2_image": "1"}, "retries": 2}
    assert shape.check(settings) == []
    assert shape.check({"env": ["KIRIN_API_KEY"]})[0].message.startswith("env lists names")
