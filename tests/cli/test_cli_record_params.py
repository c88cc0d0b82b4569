"""What a task was asked for stands with it in kirin.lock, as others may see it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from studio import KEY, Studio, draw_picture, open_studio

from kirin_batch.disk import sha256_of_file


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


def test_each_task_of_a_job_keeps_what_it_was_asked_for(studio: Studio) -> None:
    for prompt in ("a fox at dawn", "a fox at dusk"):
        studio.prompts(one=prompt)
        assert studio.run("run").code == 0
    record = studio.records["film:one"]
    assert record.params == {"prompt": "a fox at dusk"}
    assert [task.params for task in record.earlier] == [{"prompt": "a fox at dawn"}]


def test_a_secret_comes_into_no_file_of_the_project_and_an_image_as_its_hash(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDIO_TOKEN", "hush-hush-42")
    (studio.root / "kirin.yaml").write_text("env: [STUDIO_TOKEN]\n")
    draw_picture(studio.root / "assets" / "fox.png")
    studio.spec(
        "  one:\n    model: kirin_v3_omni_image\n    params:\n      prompt: as ${{ env.STUDIO_TOKEN }} says\n"
        "      image_list: [{image: ../assets/fox.png}]\n"
    )
    assert studio.run("run").code == 0
    files = [path for path in studio.root.rglob("*") if path.is_file() and path.suffix != ".png"]
    assert {"kirin.lock", "manifest.json"} <= {path.name for path in files}
    assert [path for path in files if b"hush" in path.read_bytes()] == []
    image = {"file": "../assets/fox.png", "sha256": sha256_of_file(studio.root / "assets" / "fox.png")}
    assert studio.records["film:one"].params == {"prompt": "as [secret] says", "image_list": [{"image": image}]}


def test_a_record_that_was_recovered_tells_what_was_asked_for(studio: Studio) -> None:
    studio.prompts(one="a fox")
    studio.run("run")
    (studio.root / "kirin.lock").unlink()
    assert studio.run("recover").code == 0
    assert studio.records["film:one"].params == {"prompt": "a fox"}


def test_the_key_itself_comes_into_no_file_wherever_it_is_kept(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("secrets") / "key"
    file.write_text(f"{KEY}\n")
    monkeypatch.delenv("KIRIN_API_KEY")
    monkeypatch.setenv("KIRIN_API_KEY_FILE", str(file))
    studio.spec(f"  one: {{params: {{prompt: a fox with {KEY}}}}}\n")
    assert studio.run("run").code == 0
    kept = [path for path in (studio.root / ".kirin").rglob("*") if path.is_file()] + [studio.root / "kirin.lock"]
    assert [path for path in kept if KEY.encode() in path.read_bytes()] == []
    assert studio.records["film:one"].params == {"prompt": "a fox with [secret]"}
