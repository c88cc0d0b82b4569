"""The manifest: every job resolved, in the form of its schema, the same wherever the project lies."""

import json
from pathlib import Path

from spec_projects import draw, load, spec_of

from kirin_batch.manifest import save_manifest
from kirin_batch.models import shape_of
from kirin_batch.outputs.sidecar import public_params

SPEC = spec_of(
    "poster: {model: kirin_v2_image, tags: [007, film], params: {prompt: a fox, image: ../assets/fox.png}}\n"
    'clip: {model: kirin_v3_i2v, take: 2, params: {prompt: go, image: "${{ jobs.poster.url }}"}}'
)


def saved(root: Path) -> bytes:
    draw(root / "assets" / "fox.png")
    path = root / "manifest.json"
    save_manifest(path, load(root, {"specs/a.yaml": SPEC}).jobs.values(), root, tell_params=public_params)
    return path.read_bytes()


def test_the_manifest_holds_every_job_by_id_in_the_form_of_its_schema(tmp_path: Path) -> None:
    document = json.loads(saved(tmp_path))
    assert shape_of("manifest").check(document) == []
    clip, poster = document["jobs"]
    assert [clip["job"], poster["job"]] == ["a:clip", "a:poster"]
    assert clip["links"] == {"/image": "${{ jobs.a:poster.url }}"}
    assert (clip["needs"], clip["take"], clip["kind"], clip["slots"]) == (["a:poster"], 2, "video", 1)
    assert poster["files"]["/image"]["path"] == "assets/fox.png"
    assert (poster["tags"], poster["outputs"]) == (["007", "film"], "outputs/a/poster/{index}{ext}")


def test_the_manifest_is_the_same_in_another_folder(tmp_path: Path) -> None:
    assert saved(tmp_path / "one") == saved(tmp_path / "another")


def test_a_file_outside_the_project_is_shown_with_its_whole_path(tmp_path: Path) -> None:
    root = tmp_path / "project"
    image = draw(tmp_path / "fox.png")
    spec = spec_of("hero: {model: kirin_v2_image, params: {prompt: a fox, image: ../../fox.png}}")
    jobs = load(root, {"specs/a.yaml": spec}, allow_outside=True).jobs
    save_manifest(tmp_path / "manifest.json", jobs.values(), root, tell_params=public_params)
    (line,) = json.loads((tmp_path / "manifest.json").read_bytes())["jobs"]
    assert line["files"]["/image"]["path"] == str(image.resolve())
