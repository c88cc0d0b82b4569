"""The examples show what users come for, keep every rule, and stay small; the README's spec runs as it stands."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from PIL import Image

from kirin_batch.cli.main import run_command_line
from kirin_batch.documents import Document, read_document
from kirin_batch.jobs import Job
from kirin_batch.models import Catalog, schema_text
from kirin_batch.project import Project, Settings
from kirin_batch.source import unwrap
from kirin_batch.specs.loading import load_specs

CHECKOUT = Path(__file__).resolve().parent.parent
EXAMPLES = CHECKOUT / "specs" / "examples"
ASSETS = CHECKOUT / "specs" / "assets"
SPEC_FILES = sorted(EXAMPLES.glob("*.yaml"))
IMAGE_FILES = sorted(ASSETS.iterdir())
MODELINE = re.compile(r"# yaml-language-server: \$schema=(?P<schema>\S+)\n# \S")
SPEC_IN_README = re.compile(r"```yaml\n(?P<spec>.*?)```", re.DOTALL)

by_file_name = pytest.mark.parametrize("path", SPEC_FILES, ids=lambda path: path.name)
by_image_name = pytest.mark.parametrize("path", IMAGE_FILES, ids=lambda path: path.name)


@pytest.fixture(scope="module")
def jobs() -> Mapping[str, Job]:
    project = Project(CHECKOUT, Settings(specs=("specs/examples/*.yaml",)))
    return load_specs(project, Catalog.load(), environ={}).jobs


def spec_value(path: Path) -> Any:  # noqa: ANN401 - any YAML value
    document = read_document(path, path.name)
    assert isinstance(document, Document), document
    return unwrap(document.value)


def validate(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    code = run_command_line(["validate", "--format", "json", *arguments])
    return code, json.loads(capsys.readouterr().out)


def test_the_examples_are_valid_without_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = validate("--project", str(CHECKOUT), str(EXAMPLES), capsys=capsys)
    assert (code, told["valid"], told["problems"]) == (0, True, [])


def test_the_examples_are_few_enough_for_a_quick_demo(jobs: Mapping[str, Job]) -> None:
    seconds = sum(int(job.params.get("duration", 5)) for job in jobs.values() if job.kind == "video")
    assert 15 <= len(jobs) <= 25
    assert seconds <= 30


@by_file_name
def test_an_editor_finds_the_schema_and_nothing_to_complain_of(path: Path) -> None:
    opening = MODELINE.match(path.read_text(encoding="utf-8"))
    assert opening, "the first line names the schema, the second says what the file shows"
    assert (path.parent / opening["schema"]).resolve() == CHECKOUT / "schemas" / "spec.schema.json"
    schema = json.loads(schema_text("spec"))
    assert [error.message for error in Draft202012Validator(schema).iter_errors(spec_value(path))] == []


def test_the_examples_use_every_model(jobs: Mapping[str, Job]) -> None:
    assert {job.model for job in jobs.values()} == set(Catalog.load().names())


def test_the_examples_use_every_key_of_a_job_and_of_a_spec() -> None:
    specs = [spec_value(path) for path in SPEC_FILES]
    keys = {key for spec in specs for job in spec["jobs"].values() for key in job}
    assert keys >= {"matrix", "model", "needs", "params", "take"}
    assert {key for spec in specs for key in spec} == {"defaults", "jobs", "vars", "version"}
    assert all("tags" in spec["defaults"] for spec in specs)


def test_a_matrix_is_shaped_by_include_and_exclude(jobs: Mapping[str, Job]) -> None:
    posters = [job for id_, job in jobs.items() if id_.startswith("examples/launch:poster[")]
    assert len(posters) == 2 * 3 - 1
    assert "harbour" in jobs["examples/launch:poster[place=harbour,ratio=16:9]"].params["prompt"]
    assert not any("${{" in job.params["prompt"] for job in posters)
    assert all("autumn" in job.params["prompt"] for job in posters), "the file's var stands in each prompt"


def test_a_null_removes_what_the_defaults_give(jobs: Mapping[str, Job]) -> None:
    assert jobs["examples/tea-house:banner"].params["negative_prompt"]
    assert "negative_prompt" not in jobs["examples/tea-house:shelf"].params


def test_results_come_in_numbers_and_in_series(jobs: Mapping[str, Job]) -> None:
    assert jobs["examples/tea-house:shelf"].result_count == 3
    pages = jobs["examples/storybook:pages"]
    assert (pages.params["result_type"], pages.result_count) == ("series", 3)
    assert {"<<<image_1>>>", "<<<image_2>>>"} <= set(re.findall(r"<<<\w+>>>", pages.params["prompt"]))


def test_a_film_has_several_shots_from_the_first_page_to_the_last(jobs: Mapping[str, Job]) -> None:
    film = jobs["examples/storybook:film"]
    shots = film.params["multi_prompt"]
    assert sum(int(shot["duration"]) for shot in shots) == int(film.params["duration"])
    assert [shot["index"] for shot in shots] == [1, 2, 3]
    assert {film.params["image"], film.params["image_tail"]} == {f"${{{{ jobs.pages.urls[{n}] }}}}" for n in (0, 2)}
    assert film.params["sound"] == "on"


def test_a_subject_becomes_a_poster_and_the_poster_a_film(jobs: Mapping[str, Job]) -> None:
    clip = jobs["examples/launch:clip[place=forest,ratio=16:9]"]
    poster = jobs["examples/launch:poster[place=forest,ratio=16:9]"]
    assert clip.needs == (poster.id,)
    assert str(clip.links["image",]) == f"${{{{ jobs.{poster.id}.url }}}}"
    assert str(poster.links["element_list", 0, "element_id"]) == "${{ jobs.examples/characters:fox.element_id }}"
    assert set(poster.needs) == {"examples/characters:fox", "examples/characters:tin"}


def test_a_film_is_made_from_two_files_one_of_them_a_result(jobs: Mapping[str, Job]) -> None:
    story = jobs["examples/launch:story"]
    assert str(story.links["image",]).endswith("[place=forest,ratio=9:16].file }}")
    assert story.files["image_tail",].path == ASSETS / "end-card.jpg"


def test_a_job_waits_for_another_without_taking_anything_of_it(jobs: Mapping[str, Job]) -> None:
    cover, film = jobs["examples/storybook:cover"], jobs["examples/storybook:film"]
    assert film.id in cover.needs
    assert not any(film.id in str(linked) for linked in cover.links.values())


def test_every_image_is_used_and_both_formats_are(jobs: Mapping[str, Job]) -> None:
    used = {file.path for job in jobs.values() for file in job.files.values()}
    assert used == set(IMAGE_FILES)
    assert {path.suffix for path in used} == {".png", ".jpg"}


@by_image_name
def test_an_image_is_what_its_name_says_and_small(path: Path) -> None:
    with Image.open(path) as image:
        image.load()
        assert image.format == {".png": "PNG", ".jpg": "JPEG"}[path.suffix]
        assert min(image.size) >= 300
        assert max(image.size) <= 2.5 * min(image.size)
    assert path.stat().st_size < 120_000


def test_the_images_stay_small_together() -> None:
    assert sum(path.stat().st_size for path in IMAGE_FILES) < 600_000


def test_the_spec_in_the_readme_is_valid_beside_the_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = SPEC_IN_README.findall((CHECKOUT / "README.md").read_text(encoding="utf-8"))
    assert len(found) == 1
    shutil.copytree(ASSETS, tmp_path / "specs" / "assets")
    (tmp_path / "specs" / "fox.yaml").write_text(found[0], encoding="utf-8")
    code, told = validate(capsys=capsys)
    assert (code, told["jobs"], told["problems"]) == (0, 1 + 4 + 2, [])


def test_the_readme_counts_the_jobs_of_the_examples(jobs: Mapping[str, Job]) -> None:
    counts = re.findall(r"(\d+) (?:jobs|completed)", (CHECKOUT / "README.md").read_text(encoding="utf-8"))
    assert set(counts) == {str(len(jobs))}
