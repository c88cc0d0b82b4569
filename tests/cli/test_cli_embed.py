"""`embed: true`: pictures say what they are, and stay the results that were recorded."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from studio import Studio, open_studio


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        (tmp_path / "kirin.yaml").write_text("embed: true\n")
        yield studio


def note_in(file: Path) -> dict[str, Any] | None:
    with Image.open(file) as image:
        said = image.info.get("kirin-batch")
    note: dict[str, Any] | None = json.loads(said) if said else None
    return note


def test_a_picture_tells_what_it_is_and_not_what_it_cost(studio: Studio) -> None:
    studio.prompts(one="a fox")
    assert studio.run("run").code == 0
    record, told = studio.records["film:one"], note_in(studio.result("film:one"))
    assert told is not None
    assert (told["job"], told["params"], told["task_id"]) == ("film:one", {"prompt": "a fox"}, record.task_id)
    assert "cost" not in told
    assert studio.run("verify").code == 0
    assert studio.run("whence", str(studio.result("film:one"))).code == 0


def test_a_result_that_is_fetched_again_is_the_same_file(studio: Studio) -> None:
    studio.prompts(one="a fox")
    studio.run("run")
    file, before = studio.result("film:one"), studio.records["film:one"]
    content = file.read_bytes()
    file.unlink()
    assert studio.run("fetch").code == 0
    assert (file.read_bytes(), studio.records["film:one"].outputs) == (content, before.outputs)
    assert studio.run("verify").code == 0


def test_what_was_made_without_a_note_is_fetched_as_it_was(studio: Studio) -> None:
    (studio.root / "kirin.yaml").write_text("embed: false\n")
    studio.prompts(one="a fox")
    studio.run("run")
    file = studio.result("film:one")
    content = file.read_bytes()
    file.unlink()
    (studio.root / "kirin.yaml").write_text("embed: true\n")
    assert studio.run("fetch").code == 0
    assert (file.read_bytes(), note_in(file)) == (content, None)


def test_a_renamed_job_s_picture_is_still_held_against_what_was_served(studio: Studio) -> None:
    studio.prompts(one="a fox")
    studio.run("run")
    studio.prompts(uno="a fox")
    studio.run("run")
    file = studio.result("film:uno")
    file.unlink()
    assert studio.run("fetch").code == 0
    told = note_in(file)
    assert told is not None
    assert told["job"] == "film:uno"
    assert studio.run("verify").code == 0
