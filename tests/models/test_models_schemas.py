"""The bundled schemas themselves, and those of the project's own files."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kirin_batch.models import schema_text, shape_of

SCHEMAS = Path(__file__).parents[2] / "schemas"
SHA = "0" * 64
TASK: dict[str, Any] = {
    "status": "completed",
    "digest": SHA,
    "take": 1,
    "attempt": 1,
    "external_task_id": "kb-1",
    "task_id": "42",
    "cost": "0.0280",
    "error": None,
    "element_id": None,
    "outputs": [{"path": "outputs/a.png", "sha256": SHA, "bytes": 3, "type": "image", "url": "https://example.com"}],
    "created_at": "2026-01-31T12:00:00Z",
    "finished_at": None,
}
LINE = {"job": "launch:hero", "model": "kirin_v2_image", **TASK}
JOB = {
    "job": "launch:hero",
    "spec": "launch",
    "model": "kirin_v2_image",
    "kind": "image",
    "slots": 1,
    "params": {"prompt": "a fox"},
    "needs": [],
    "tags": [],
    "take": 1,
    "digest": SHA,
    "external_task_id": "kb-1",
}


@pytest.mark.parametrize("path", sorted(SCHEMAS.rglob("*.json")), ids=lambda path: path.name)
def test_every_schema_is_valid_2020_12_and_names_itself(path: Path) -> None:
    schema = json.loads(path.read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    folder = "models/" if path.parent.name == "models" else ""
    assert schema["$id"] == f"kirin-batch:{folder}{path.name.removesuffix('.schema.json')}"


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("models/*.json")), ids=lambda path: path.name)
def test_every_model_satisfies_the_schema_of_models_and_describes_its_parameters(path: Path) -> None:
    schema = json.loads(path.read_bytes())
    assert shape_of("model").check(schema) == []
    assert all(part["description"] for part in schema["properties"].values())


@pytest.mark.parametrize(
    "line",
    [
        {"kirin_lock": 1},
        LINE,
        {**LINE, "status": "failed", "cost": None, "error": {"code": "006001094", "message": "busy"}, "outputs": []},
        {**LINE, "element_id": 2**62, "sandbox": True, "earlier": [TASK, {**TASK, "sandbox": True}]},
        {**LINE, "outputs": [{"path": None, "sha256": None, "bytes": None, "type": "video", "url": ""}]},
    ],
)
def test_a_line_of_the_lockfile_is_described(line: dict[str, Any]) -> None:
    assert shape_of("lock").check(line) == []


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"kirin_lock": 2},
        {**LINE, "kirin_lock": 1},
        TASK,
        {**LINE, "status": "blocked"},
        {**LINE, "more": 1},
        {**LINE, "digest": "x"},
        {**LINE, "cost": 0.028},
        {**LINE, "sandbox": False},
        {**LINE, "created_at": None},
        {**LINE, "finished_at": "2026-01-31 12:00:00"},
        {**LINE, "outputs": [{"path": None}]},
        {**LINE, "earlier": [LINE]},
        {name: value for name, value in LINE.items() if name != "take"},
    ],
)
def test_what_is_no_line_of_the_lockfile_is_refused(line: dict[str, Any]) -> None:
    assert shape_of("lock").check(line) != []


def test_the_manifest_is_described() -> None:
    shape = shape_of("manifest")
    assert shape.check({"version": 1, "jobs": [JOB]}) == []
    assert shape.check({"version": 2, "jobs": [JOB]}) != []
    assert shape.check({"version": 1, "jobs": [{**JOB, "slots": 0}]}) != []


def test_the_defaults_of_the_settings_are_settings() -> None:
    schema = json.loads(schema_text("project"))
    defaults = {name: part["default"] for name, part in schema["properties"].items() if "default" in part}
    for group in ("gateway", "limits", "poll", "timeout"):
        parts = schema["properties"][group]["properties"].items()
        defaults[group] = {name: part["default"] for name, part in parts}
    assert shape_of("project").check(defaults) == []
    assert defaults["limits"] == {"image": 10, "video": 5, "requests_per_second": None, "downloads": 16}


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"api_key": "x"}, "additionalProperties"),
        ({"version": 2}, "const"),
        ({"max_cost": "-1"}, "pattern"),
        ({"max_cost": -1}, "minimum"),
        ({"prices": {"kirin_v2_image": None}}, "type"),
        ({"limits": {"image": 0}}, "minimum"),
        ({"gateway": {"base_url": "cloud.vtrix.ai"}}, "pattern"),
        ({"store": "bucket"}, "pattern"),
        ({"env": ["KIRIN_API_KEY"]}, "not"),
        ({"env": ["A B"]}, "pattern"),
        ({"specs": "specs"}, "type"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], rule: str) -> None:
    assert [violation.rule for violation in shape_of("project").check(settings)] == [rule]
