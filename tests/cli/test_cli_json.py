"""The JSON forms and the exit codes that scripts rely on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from studio import SUBJECT, Studio, open_studio

PROBLEM = {"severity", "file", "line", "column", "job", "parameter", "rule", "message"}
PLANNED = {"job", "model", "action", "reason", "digest", "external_task_id", "estimated_cost"}
ROW = {
    *("job", "model", "status", "digest", "external_task_id", "task_id", "attempt", "cost", "error", "outputs"),
    "element_id",
}
OUTPUT = {"path", "sha256", "bytes", "type", "url"}


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


def test_validate_tells_every_problem_with_its_place(studio: Studio) -> None:
    studio.spec("  one: {params: {promt: a}}\n  two: {params: {prompt: b, n: 99}}")
    ran = studio.run("validate", "--format", "json")
    assert (ran.code, ran.json["valid"], ran.json["files"], ran.err) == (1, False, 1, "")
    assert all(set(problem) >= PROBLEM for problem in ran.json["problems"])
    last = ran.json["problems"][-1]
    told = (last["severity"], last["file"], last["line"], last["job"], last["parameter"], last["rule"])
    assert told == ("error", "specs/film.yaml", 5, "film:two", "/n", "maximum")


def test_validate_in_text_tells_place_job_and_rule(studio: Studio) -> None:
    studio.spec("  one: {params: {promt: a}}")
    ran = studio.run("validate")
    place, count = ran.out.splitlines()[0], ran.out.splitlines()[-1]
    assert place.startswith("specs/film.yaml:4:18: error: film:one: promt is not a parameter here")
    assert place.endswith("[additionalProperties]")
    assert count.startswith("1 job in 1 file: 1 error")
    assert studio.run("validate", "-q").out == count + "\n"


def test_validate_tells_of_a_wrong_kirin_yaml_in_its_own_form(studio: Studio) -> None:
    (studio.root / "kirin.yaml").write_text("version: 1\nlimits: {image: 0}\n")
    ran = studio.run("validate", "--format", "json")
    assert (ran.code, ran.json["valid"], ran.json["files"], ran.json["jobs"]) == (1, False, 0, 0)
    [problem] = ran.json["problems"]
    assert (problem["file"], problem["line"], problem["rule"]) == ("kirin.yaml", 2, "minimum")


@pytest.fixture
def wrong_schemas(studio: Studio) -> Studio:
    """A project whose further models have two wrong schemas, one of them no JSON, and a folder that is not there."""
    (studio.root / "kirin.yaml").write_text("version: 1\nschemas: [mine, gone]\n")
    (studio.root / "mine").mkdir()
    (studio.root / "mine" / "a.schema.json").write_text('{\n  "properties": {},\n  "x-kind": "sound"\n}')
    (studio.root / "mine" / "b.schema.json").write_text('{"a": 1,\n }')
    studio.prompts(one="a")
    return studio


def test_validate_tells_all_wrong_schemas_in_its_own_form(wrong_schemas: Studio) -> None:
    ran = wrong_schemas.run("validate", "--format", "json")
    assert (ran.code, ran.json["valid"], ran.json["files"], ran.json["jobs"]) == (1, False, 0, 0)
    keys = ("file", "line", "column", "rule", "message")
    assert all(set(problem) >= PROBLEM for problem in ran.json["problems"])
    assert [tuple(problem[key] for key in keys)[:4] for problem in ran.json["problems"]] == [
        ("mine/a.schema.json", 1, 1, "model"),
        ("mine/b.schema.json", 2, 2, "file"),
        ("kirin.yaml", 2, 10, "file"),
    ]
    assert ran.json["problems"][2]["message"] == "gone: is no folder: correct `schemas:` in kirin.yaml"


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("text", "mine/b.schema.json:2:2: error: is not valid JSON"),
        ("github", "::error file=mine/b.schema.json,line=2,col=2,title=file::is not valid JSON"),
        ("sarif", '"uri": "mine/b.schema.json"'),
    ],
)
def test_every_form_tells_a_wrong_schema(wrong_schemas: Studio, form: str, told: str) -> None:
    ran = wrong_schemas.run("validate", "--format", form)
    assert (ran.code, told in ran.out) == (1, True)


def test_validate_passes_with_a_warning(studio: Studio) -> None:
    studio.spec("version: 1\nvars: {unused: x}\njobs: {one: {model: kirin_v2_image, params: {prompt: a}}}")
    ran = studio.run("validate", "--format", "json")
    assert (ran.code, ran.json["valid"], ran.json["jobs"]) == (0, True, 1)
    assert [problem["severity"] for problem in ran.json["problems"]] == ["warning"]


def test_plan_tells_each_job_a_summary_and_a_cost(studio: Studio) -> None:
    (studio.root / "kirin.yaml").write_text('version: 1\nprices: {kirin_v2_image: "0.0140"}\n')
    studio.prompts(one="a", two="b")
    ran = studio.run("plan", "--format", "json")
    assert (ran.code, ran.json["summary"], ran.json["estimated_cost"], ran.err) == (0, {"create": 2}, "0.0280", "")
    assert all(set(row) >= PLANNED for row in ran.json["jobs"])
    assert {len(row["digest"]) for row in ran.json["jobs"]} == {64}
    assert studio.books.creates + studio.books.queries == 0


def test_plan_says_by_its_exit_code_whether_there_is_work_where_it_is_asked_to(studio: Studio) -> None:
    studio.prompts(one="a")
    assert (studio.run("plan").code, studio.run("plan", "--detailed-exitcode").code) == (0, 3)
    studio.run("run")
    assert studio.run("plan", "--detailed-exitcode").code == 0


@pytest.mark.parametrize("command", ["run", "status"])
def test_run_and_status_tell_each_job_alike(studio: Studio, command: str) -> None:
    studio.spec(f"  one: {{params: {{prompt: a}}}}\n  hero:{SUBJECT}")
    studio.run("run")
    ran = studio.run(command, "--format", "json")
    assert (ran.code, ran.json["summary"], ran.json["cost"]) == (0, {"completed": 2}, "0.0240")
    picture, hero = ran.json["jobs"]
    assert set(picture) >= ROW
    assert set(picture["outputs"][0]) >= OUTPUT
    assert (hero["outputs"], type(hero["element_id"]), picture["element_id"]) == ([], int, None)


def test_status_tells_a_changed_job_as_pending_and_not_as_what_it_was(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    studio.prompts(one="b")
    [row] = studio.run("status", "--format", "json").json["jobs"]
    assert (row["status"], row["task_id"], row["outputs"]) == ("pending", None, [])


def test_status_beside_nothing_is_pending(studio: Studio) -> None:
    studio.prompts(one="a")
    ran = studio.run("status", "--format", "json")
    [row] = ran.json["jobs"]
    assert (ran.code, row["status"], row["task_id"], row["attempt"], row["cost"]) == (0, "pending", None, 0, None)
    assert not (studio.root / ".kirin").exists()


def test_status_tells_what_is_recorded_where_the_specs_are_invalid(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    studio.spec("  one: {params: {promt: a}}")
    ran = studio.run("status")
    assert (ran.code, "completed  film:one" in ran.out, "no spec" in ran.out) == (0, True, False)
    assert "the specs have errors" in ran.err
    assert studio.run("show", "film:one").code == 0


def test_status_tells_of_jobs_that_no_spec_has_any_more(studio: Studio) -> None:
    studio.prompts(one="a", two="b")
    studio.run("run")
    studio.prompts(one="a")
    assert "film:two  $0.0140  (no spec has it any more)" in studio.run("status").out
    assert studio.run("plan", "--format", "json").actions == {"film:one": "none", "film:two": "orphan"}
    assert studio.run_json().statuses == {"film:one": "completed"}


def test_show_tells_all_of_a_job_that_is_named_by_its_id_or_its_name(studio: Studio) -> None:
    studio.spec("  one: {tags: [red], params: {prompt: a}}\n  two: {needs: [one], params: {prompt: forbidden-content}}")
    studio.run("run")
    shown = studio.run("show", "one", "--format", "json").json
    assert (shown["params"], shown["tags"], shown["spec"]) == ({"prompt": "a"}, ["red"], "specs/film.yaml")
    text = studio.run("show", "film:two").out
    assert "the prompt violates the content policy" in text
    assert "needs             film:one" in text
    assert studio.run("show", "film:one").out.count("outputs/film/one/1.") == 1


def test_show_keeps_values_apart_from_long_names(studio: Studio) -> None:
    studio.spec(
        "  hero: {model: kirin_custom_elements, params: {element_name: Kita, element_description: A fox,"
        " element_frontal_image: 'https://a.example/1.png', element_refer_list: [{image_url: 'https://a.example/2.png'}]}}"
    )
    lines = studio.run("show", "hero").out.splitlines()
    assert "  element_frontal_image  https://a.example/1.png" in lines
    assert "  element_name           Kita" in lines


def test_show_knows_a_job_by_its_old_name_until_a_run_has_moved_it(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    studio.prompts(uno="a")
    assert "film:one" in studio.run("show", "film:one").out
    assert "film:uno" in studio.run("show", "uno").out


def test_a_name_that_several_jobs_have_is_refused_with_their_ids(studio: Studio) -> None:
    studio.spec("  one: {matrix: {n: [1, 2]}, params: {prompt: 'a ${{ matrix.n }}'}}")
    ran = studio.run("show", "one")
    assert (ran.code, "film:one[n=1]" in ran.err) == (2, True)
    assert "did you mean film:one[n=1]" in studio.run("show", "film:one[n=11]").err
    assert "`status` lists all" in studio.run("show", "entirely-different").err


def test_schema_lists_the_models_and_prints_each(studio: Studio) -> None:
    models = studio.run("schema", "--format", "json").json["models"]
    assert {model["kind"] for model in models} == {"image", "video"}
    assert all(studio.run("schema", model["model"]).json["title"] == model["model"] for model in models)
    assert studio.run("schema", "lock").json["$id"] == "kirin-batch:lock"
    assert models[0]["model"] in studio.run("schema").out
    unknown = studio.run("schema", "kirin_v9")
    assert (unknown.code, "kirin_v9" in unknown.err) == (2, True)


@pytest.mark.parametrize("command", ["plan", "run"])
def test_invalid_specs_are_one_document_and_each_problem_is_told(studio: Studio, command: str) -> None:
    studio.spec("  one: {params: {promt: a}}")
    before = studio.files()
    ran = studio.run(command, "--format", "json")
    assert (ran.code, ran.json["jobs"], ran.json["problems"][0]["job"]) == (1, [], "film:one")
    assert "specs/film.yaml:4:18" in studio.run(command).err
    assert (studio.files(), studio.books.creates) == (before, 0)


def test_json_has_no_characters_that_a_terminal_obeys(studio: Studio) -> None:
    studio.spec('  one: {params: {prompt: a, "p\\x7f\\x9b31m\\x85é": 1}}')
    ran = studio.run("validate", "--format", "json")
    assert [char for char in ran.out if char != "\n" and not char.isprintable()] == []
    assert ran.json["problems"][0]["parameter"] == "/p\x7f\x9b31m\x85é"
    assert "é" in ran.out
