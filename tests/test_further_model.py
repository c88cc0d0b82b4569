"""A model is a schema file: dropped into a folder, it is checked, planned, sent, weighed, downloaded and completed."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from any_model_gateway import AnyModelGateway, open_gateway
from check_jsonschema import main as check_jsonschema  # type: ignore[import-untyped] # it has no types
from click.testing import CliRunner
from PIL import Image
from studio import CHECKOUT, KEY, Studio, draw_picture

ELEMENT_ID = 9_007_199_254_740_993  # no float holds it
PERSONA = {
    "type": "object",
    "description": "A subject from one portrait.",
    "additionalProperties": False,
    "required": ["name", "portrait"],
    "properties": {
        "name": {"description": "Its name.", "type": "string", "maxLength": 20},
        "portrait": {
            "description": "Its face.",
            "type": "string",
            "x-image": {"formats": ["png"], "max_bytes": 10_000, "min_side": 200, "max_ratio": 1.5},
        },
    },
    "x-kind": "image",
    "x-slots": [{"value": 3}],
    "x-result": {"type": "text", "count": [{"value": 1}], "fields": ["element_id"]},
}
SPEC = """
version: 1
defaults: {model: ink_v1, params: {paper: rough}}
jobs:
  hero: {model: persona_v1, params: {name: 007, portrait: ../assets/face.png}}
  scene:
    matrix: {place: [wood, city, pond]}
    params:
      prompt: <<<image_1>>> in the ${{ matrix.place }}
      pictures: [{picture: ../assets/fox.jpg}]
      subjects: [{element_id: "${{ jobs.hero.element_id }}"}]
      count: 2
  cover:
    params:
      prompt: <<<image_1>>> beside <<<image_2>>>
      paper: null
      pictures:
        - picture: ${{ jobs.scene[place=city].file }}
        - picture: ${{ jobs.scene[place=pond].urls[1] }}
"""


def example(name: str) -> str:
    """A fenced block of the page: the one behind `name` in backquotes."""
    page = (CHECKOUT / "docs" / "adding-a-model.md").read_text(encoding="utf-8")
    found = re.search(rf"`{re.escape(name)}`.*?```\w+\n(.*?)```", page, re.DOTALL)
    assert found
    return found[1]


def weigh(model: str, params: Mapping[str, Any]) -> int:
    return 3 if model == "persona_v1" else int(params.get("count", 1))


def yield_of(model: str, params: Mapping[str, Any]) -> list[dict[str, Any]] | int:
    subject = {"type": "text", "url": "", "text": json.dumps({"element_id": ELEMENT_ID})}
    return [subject] if model == "persona_v1" else weigh(model, params)


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[AnyModelGateway]:
    with open_gateway(weigh, yield_of) as gateway:
        monkeypatch.setenv("KIRIN_BASE_URL", gateway.url)
        monkeypatch.setenv("KIRIN_API_KEY", KEY)
        yield gateway


@pytest.fixture
def studio(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Studio:
    """A project with two further models: that of the page, and one that makes subjects."""
    studio = Studio(tmp_path, capsys)
    poll = "poll: {min: 0.02, max: 0.05}"
    (tmp_path / "kirin.yaml").write_text(f"version: 1\nschemas: [models]\nlimits: {{image: 4}}\n{poll}\n")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "ink_v1.schema.json").write_text(example("models/ink_v1.schema.json"))
    (tmp_path / "models" / "persona_v1.schema.json").write_text(json.dumps(PERSONA))
    for name in ("face.png", "fox.png", "fox.jpg"):
        draw_picture(tmp_path / "assets" / name)
    return studio


def as_base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def test_a_chain_of_further_models_runs_to_its_end(studio: Studio, gateway: AnyModelGateway) -> None:
    studio.spec(SPEC.strip())
    planned = {row["job"]: row for row in studio.run("plan", "--format", "json").json["jobs"]}
    ran = studio.run_json()
    assert (ran.code, set(ran.statuses.values()), len(ran.statuses)) == (0, {"completed"}, 5), ran.err
    assert {task.external_id for task in gateway.tasks.values()} == {
        row["external_task_id"] for row in planned.values()
    }
    assert gateway.slots_most == 4
    assert (gateway.slots_now, gateway.keys) == (0, {f"Bearer {KEY}"})
    assert len(gateway.downloads) == 7
    assert not any("Authorization" in headers for headers in gateway.downloads)
    assert studio.run("run").code == 0
    assert len(gateway.tasks) == 5


def test_what_is_sent_is_what_the_schema_says(studio: Studio, gateway: AnyModelGateway) -> None:
    studio.spec(SPEC.strip())
    assert studio.run("run").code == 0
    [hero] = gateway.of_model("persona_v1")
    assert hero.params == {"name": "007", "portrait": as_base64(studio.root / "assets/face.png")}
    *scenes, cover = gateway.of_model("ink_v1")
    fox = {"picture": as_base64(studio.root / "assets/fox.jpg")}
    sent = {str(task.params["prompt"]).rpartition(" ")[2]: task for task in scenes}
    assert set(sent) == {"wood", "city", "pond"}
    shared = {"pictures": [fox], "subjects": [{"element_id": ELEMENT_ID}], "count": 2, "paper": "rough"}
    assert all(task.params == shared | {"prompt": task.params["prompt"]} for task in scenes)
    assert cover.params == {
        "prompt": "<<<image_1>>> beside <<<image_2>>>",
        "pictures": [
            {"picture": as_base64(studio.result("film:scene[place=city]"))},
            {"picture": f"{gateway.results_url}/{sent['pond'].id}/1.png"},
        ],
    }


def test_what_is_recorded_is_what_the_schema_says(studio: Studio, gateway: AnyModelGateway) -> None:
    studio.spec(SPEC.strip())
    assert studio.run("run").code == 0
    rows = {row["job"]: row for row in studio.run("status", "--format", "json").json["jobs"]}
    assert (rows["film:hero"]["element_id"], rows["film:hero"]["outputs"]) == (ELEMENT_ID, [])
    assert {job: len(row["outputs"]) for job, row in rows.items()} == {
        "film:hero": 0,
        **{f"film:scene[place={place}]": 2 for place in ("wood", "city", "pond")},
        "film:cover": 1,
    }
    for path in studio.outputs():
        with Image.open(studio.root / path) as picture:
            picture.verify()
    assert len(studio.outputs()) == 7
    assert {task.model for task in gateway.tasks.values()} == {row["model"] for row in rows.values()}


def test_the_example_of_the_page_runs_as_it_stands(studio: Studio, gateway: AnyModelGateway) -> None:
    studio.spec(example("specs/ink.yaml").partition("\n")[2], "ink")
    ran = studio.run_json()
    assert (ran.code, ran.statuses) == (0, {"ink:sketch": "completed", "ink:print": "completed"}), ran.err
    assert [(task.slots, task.params.get("grain")) for task in gateway.tasks.values()] == [(2, None), (1, 3)]


def test_the_settings_of_the_page_are_settings(studio: Studio) -> None:
    (studio.root / "kirin.yaml").write_text(example("MODEL.schema.json"))
    assert "ink_v1" in studio.run("schema").out


@pytest.mark.parametrize(
    ("job", "rule", "parameter"),
    [
        ("params: {prompt: x, count: 5}", "maximum", "/count"),
        ("params: {prompt: x, cuont: 1}", "additionalProperties", "/cuont"),
        ("params: {prompt: x, paper: ruff}", "enum", "/paper"),
        ("params: {prompt: x, grain: 2}", "required", "/paper"),
        ("params: {prompt: <<<image_1>>>}", "x-placeholders", "/prompt"),
        ("params: {prompt: x, pictures: [{picture: ../assets/none.png}]}", "file", "/pictures/0/picture"),
        ("params: {prompt: x, pictures: [{picture: ../assets/wide.png}]}", "x-image", "/pictures/0/picture"),
        ("model: persona_v1, params: {name: x, portrait: ../assets/fox.jpg}", "x-image", "/portrait"),
        ("model: persona_v1, params: {name: x, portrait: 'data:image/png;base64,AA'}", "x-image", "/portrait"),
    ],
)
def test_jobs_of_a_further_model_are_checked(studio: Studio, job: str, rule: str, parameter: str) -> None:
    draw_picture(studio.root / "assets" / "wide.png", size=(1000, 300))
    model = "" if "model:" in job else "model: ink_v1, "
    studio.spec(f"version: 1\njobs:\n  a: {{{model}{job}}}")
    ran = studio.run("validate", "--format", "json")
    [problem] = ran.json["problems"]
    assert (ran.code, problem["rule"], problem["parameter"], problem["line"]) == (1, rule, parameter, 3)


def test_a_wrong_schema_ends_every_command_before_anything_is_sent(studio: Studio, gateway: AnyModelGateway) -> None:
    studio.spec(SPEC.strip())
    (studio.root / "models" / "persona_v1.schema.json").write_text(json.dumps({**PERSONA, "x-kinds": "image"}))
    for command in ("plan", "run", "schema"):
        ran = studio.run(command)
        assert (ran.code, ran.out) == (1, "")
        assert "models/persona_v1.schema.json, at /x-kinds: there is no keyword x-kinds here" in ran.err
    ran = studio.run("validate")
    assert ran.code == 1
    assert "error: at /x-kinds: there is no keyword x-kinds here" in ran.out
    assert (gateway.tasks, (studio.root / ".kirin").exists()) == ({}, False)


def test_a_folder_outside_the_project_is_read_only_where_that_is_allowed(studio: Studio) -> None:
    inner = studio.root / "inner"
    inner.mkdir()
    (inner / "kirin.yaml").write_text("version: 1\nschemas: [../models]\n")
    ran = studio.run("schema", "-C", str(inner))
    assert (ran.code, "is outside the project" in ran.err) == (2, True)
    (inner / "kirin.yaml").write_text("version: 1\nschemas: [../models, ../models]\nallow_outside: true\n")
    assert "persona_v1" in studio.run("schema", "-C", str(inner)).out


def test_the_models_of_the_project_are_told(studio: Studio) -> None:
    models = {entry["model"]: entry for entry in studio.run("schema", "--format", "json").json["models"]}
    assert models["persona_v1"] == {
        "model": "persona_v1",
        "kind": "image",
        "description": "A subject from one portrait.",
    }
    assert "kirin_v2_image" in models
    assert studio.run("schema", "persona_v1").json == PERSONA


@pytest.mark.parametrize(("name", "hint"), [("persona_v2", "persona_v1"), ("projct", "project")])
def test_a_name_that_is_no_schema_has_a_suggestion(studio: Studio, name: str, hint: str) -> None:
    ran = studio.run("schema", name)
    assert (ran.code, ran.out) == (2, "")
    assert f"there is no schema {name}: did you mean {hint}?" in ran.err


def test_outside_a_project_with_models_the_schema_of_specs_is_the_bundled_one(studio: Studio) -> None:
    (studio.root / "kirin.yaml").unlink()
    assert studio.run("schema", "spec").out == (CHECKOUT / "schemas" / "spec.schema.json").read_text(encoding="utf-8")


def test_editors_know_the_models_of_the_project(studio: Studio) -> None:
    schema, right = studio.root / "spec.schema.json", studio.spec(SPEC.strip())
    schema.write_text(studio.run("schema", "spec").out)
    page = studio.spec(example("specs/ink.yaml").partition("\n")[2], "ink")
    runner = CliRunner()
    assert runner.invoke(check_jsonschema, ["--schemafile", str(schema), str(right), str(page)]).exit_code == 0
    wrong = studio.spec("version: 1\njobs: {a: {model: ink_v1, params: {prompt: x, grain: 2, paper: smooth}}}", "wrong")
    assert runner.invoke(check_jsonschema, ["--schemafile", str(schema), str(wrong)]).exit_code == 1
    assert "ink_v1" in json.loads(schema.read_text())["$defs"]["model"]["anyOf"][0]["enum"]
