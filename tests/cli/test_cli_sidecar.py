"""`sidecar: true`: beside each result a note of what it is, without secrets and images; a note, never a result."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from studio import Studio, draw_picture, open_studio, plain_picture

from kirin_batch.disk import sha256_of_file


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        (tmp_path / "kirin.yaml").write_text("sidecar: true\n")
        yield studio


def sidecar(studio: Studio, job: str = "film:one") -> Path:
    result = studio.result(job)
    return result.with_name(f"{result.name}.json")


def read(studio: Studio, job: str = "film:one") -> dict[str, Any]:
    document: dict[str, Any] = json.loads(sidecar(studio, job).read_bytes())
    return document


def test_a_sidecar_says_what_a_result_is(studio: Studio) -> None:
    studio.spec("  one: {params: {prompt: a fox, n: 2}}")
    assert studio.run("run").code == 0
    told, record = read(studio), studio.records["film:one"]
    assert (told["job"], told["spec"], told["model"]) == ("film:one", "specs/film.yaml", "kirin_v2_image")
    assert (told["digest"], told["task_id"], told["cost"]) == (record.digest, record.task_id, record.cost)
    assert (told["created_at"], told["finished_at"]) == (record.created_at, record.finished_at)
    assert told["params"] == {"prompt": "a fox", "n": 2}
    assert (told["result"], told["results"], told["sha256"]) == (1, 2, sha256_of_file(studio.result("film:one")))
    assert len(studio.outputs()) == 4
    assert [output.path for output in record.outputs if str(output.path).endswith(".json")] == []


def test_without_the_setting_there_is_none_and_with_it_the_next_run_adds_it(studio: Studio) -> None:
    settings = studio.root / "kirin.yaml"
    settings.write_text("sidecar: false\n")
    studio.prompts(one="a")
    studio.run("run")
    assert len(studio.outputs()) == 1
    settings.write_text("sidecar: true\n")
    assert studio.run("run").code == 0
    assert read(studio)["job"] == "film:one"
    assert studio.books.creates == 1


def test_no_secret_and_no_image_comes_into_a_sidecar(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_TOKEN", "hush-hush-42")
    (studio.root / "kirin.yaml").write_text("sidecar: true\nenv: [STUDIO_TOKEN]\n")
    inline = base64.b64encode(plain_picture("b.png")).decode()
    draw_picture(studio.root / "assets" / "fox.png")
    studio.spec(
        "  one:\n    model: kirin_v3_omni_image\n    params:\n"
        "      prompt: as ${{ env.STUDIO_TOKEN }} says\n"
        "      callback_url: https://me:pass@a.example/ring?token=abc\n"
        "      image_list:\n"
        f"        - image: {inline}\n"
        "        - image: ../assets/fox.png\n"
        "        - image: https://user:pw@b.example/1.png?X-Signature=abc\n"
    )
    assert studio.run("run").code == 0
    text = sidecar(studio).read_text()
    assert [part for part in ("hush", "pass", "token=", "Signature", "pw@", inline[:40]) if part in text] == []
    params = read(studio)["params"]
    assert params["prompt"] == "as [secret] says"
    embedded, local, url = (item["image"] for item in params["image_list"])
    assert embedded["bytes"] == len(plain_picture("b.png"))
    assert (local["file"], len(local["sha256"])) == ("../assets/fox.png", 64)
    assert url == "https://b.example/1.png"


def test_a_sidecar_goes_along_with_a_renamed_job_and_tells_its_new_name(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    before = sidecar(studio)
    studio.prompts(uno="a")
    assert studio.run("run").code == 0
    assert (before.exists(), read(studio, "film:uno")["job"]) == (False, "film:uno")
    assert len(studio.outputs()) == 2


def test_the_sidecar_of_an_earlier_take_stays_with_its_file(studio: Studio) -> None:
    for take in (1, 2):
        studio.spec(f"  one: {{take: {take}, params: {{prompt: a}}}}")
        assert studio.run("run").code == 0
    assert read(studio)["take"] == 2
    earlier = studio.root / str(studio.records["film:one"].earlier[0].outputs[0].path)
    assert json.loads(earlier.with_name(f"{earlier.name}.json").read_bytes())["take"] == 1


def test_prune_removes_sidecars_with_their_files_and_leaves_what_is_none(studio: Studio) -> None:
    studio.prompts(one="a", two="b")
    studio.run("run")
    own = sidecar(studio, "film:two")
    own.write_text('{"mine": true}')
    gone = sidecar(studio)
    studio.spec("  {}")
    assert studio.run("prune", "--outputs", "--yes").code == 0
    assert (gone.exists(), own.read_text()) == (False, '{"mine": true}')


def test_a_file_of_somebody_elses_is_not_covered(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    place = sidecar(studio)
    place.write_text("my notes")
    assert studio.run("run").code == 0
    assert place.read_text() == "my notes"


def test_a_sidecar_is_written_anew_only_where_it_would_say_something_else(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    before = sidecar(studio).stat().st_mtime_ns
    studio.run("run")
    assert sidecar(studio).stat().st_mtime_ns == before


def test_a_place_where_no_sidecar_can_be_written_is_told(studio: Studio) -> None:
    studio.prompts(one="a")
    (studio.root / "outputs/film/one/1.png.json").mkdir(parents=True)
    (studio.root / "outputs/film/one/1.jpg.json").mkdir(parents=True)
    ran = studio.run("run")
    assert (ran.code, studio.records["film:one"].status) == (0, "completed")
    assert "is no sidecar of ours" in ran.err
