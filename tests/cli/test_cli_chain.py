"""The life of a project as people live it: seen by commands, by files, and by the gateway's books."""

import io
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from PIL import Image
from studio import SUBJECT, Studio, open_studio

from kirin_batch.disk import sha256_of_file

CHAIN = f"""
  hero:{SUBJECT}
  poster:
    model: kirin_v3_omni_image
    params:
      prompt: the fox in the forest
      element_list: [{{element_id: "${{{{ jobs.hero.element_id }}}}"}}]
  clip:
    model: kirin_v3_i2v
    params: {{image: "${{{{ jobs.poster.url }}}}", prompt: it walks away, duration: 3}}
  still:
    params: {{prompt: the same, image: "${{{{ jobs.poster.file }}}}"}}
"""


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


def hashes_hold(studio: Studio) -> bool:
    """Whether every recorded result is on disk as it was recorded."""
    outputs = [output for record in studio.records.values() for output in record.outputs]
    return all(output.path and sha256_of_file(studio.root / output.path) == output.sha256 for output in outputs)


def test_subject_image_and_film_become_files_that_open(studio: Studio) -> None:
    studio.paints = True
    studio.spec(CHAIN)
    ran = studio.run_json()
    assert (ran.code, set(ran.statuses.values())) == (0, {"completed"}), ran.err
    with Image.open(studio.result("film:poster")) as image:
        image.load()
        assert max(image.size) == 1024
    with av.open(io.BytesIO(studio.result("film:clip").read_bytes()), "r") as film:
        assert film.duration is not None
        assert abs(film.duration / 1_000_000 - 3) < 0.1
    assert len(studio.outputs()) == 3
    assert hashes_hold(studio)


def test_a_second_run_sends_nothing_and_writes_nothing(studio: Studio) -> None:
    studio.prompts(one="a", two="b")
    assert studio.run("run").code == 0
    before, queries = studio.files(), studio.books.queries
    ran = studio.run("run")
    assert (ran.code, studio.books.creates, studio.books.queries) == (0, 2, queries)
    assert studio.files() == before


def test_a_deleted_result_is_fetched_again_and_not_paid_again(studio: Studio) -> None:
    studio.prompts(one="a", two="b")
    studio.run("run")
    [lost, _] = studio.outputs()
    (studio.root / lost).unlink()
    assert studio.run("plan", "--format", "json").actions == {"film:one": "fetch", "film:two": "none"}
    assert studio.run("run").code == 0
    assert studio.books.creates == 2
    assert hashes_hold(studio)


def test_what_was_not_downloaded_is_by_the_next_run(studio: Studio) -> None:
    studio.prompts(one="a")
    first = studio.run_json("--no-download")
    [output] = first.json["jobs"][0]["outputs"]
    assert (first.code, output["path"], output["sha256"], studio.outputs()) == (0, None, None, [])
    assert output["url"].startswith("http://127.0.0.1:")
    assert studio.run_json().code == 0
    assert studio.books.creates == 1
    assert hashes_hold(studio)


def test_a_renamed_job_takes_its_files_along_and_a_new_job_under_its_old_name_covers_nothing(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    studio.prompts(uno="a")
    assert studio.run("plan", "--format", "json").actions == {"film:uno": "move"}
    assert studio.run("run").code == 0
    [file] = studio.outputs()
    assert file.startswith("outputs/film/uno/1.")
    studio.prompts(uno="a", one="another")
    assert studio.run("run").code == 0
    assert studio.books.creates == 2
    assert hashes_hold(studio)


def test_names_that_are_shifted_take_their_tasks_and_files_along(studio: Studio) -> None:
    studio.prompts(one="a", two="b", three="c")
    studio.run("run")
    pictures = {name: studio.result(f"film:{name}").read_bytes() for name in ("one", "two", "three")}
    studio.prompts(two="a", three="b", four="c")
    planned = studio.run("plan", "--format", "json")
    assert planned.actions == {"film:two": "move", "film:three": "move", "film:four": "move"}
    assert studio.run("run").code == 0
    shifted = [(name, studio.result(f"film:{name}")) for name in ("two", "three", "four")]
    assert [path.read_bytes() for _, path in shifted] == list(pictures.values())
    assert all(path.parent.name == name for name, path in shifted)
    assert (studio.books.creates, len(studio.outputs()), hashes_hold(studio)) == (3, 3, True)
    assert studio.run("plan", "--format", "json").actions == dict.fromkeys(planned.actions, "none")


def test_names_that_go_round_in_a_circle_pay_nothing_and_lose_nothing(studio: Studio) -> None:
    studio.prompts(one="a", two="b", three="c")
    studio.run("run")
    studio.prompts(two="a", three="b", one="c")
    assert studio.run("run").code == 0
    assert (studio.books.creates, len(studio.outputs()), hashes_hold(studio)) == (3, 3, True)
    assert len(studio.downloads) == 3, "files were moved, not fetched again"


def test_a_new_job_that_asks_for_what_another_asked_before_takes_that_over(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    studio.prompts(one="changed", copy="a")
    assert studio.run("plan", "--format", "json").actions == {"film:one": "create", "film:copy": "move"}
    assert studio.run("run").code == 0
    studio.prompts(one="a", copy="a")  # a change taken back finds its own task, whoever has it by now
    assert (studio.run("run").code, studio.books.creates) == (0, 2)


def test_a_spec_that_moved_to_another_folder_is_not_paid_again(studio: Studio) -> None:
    spec = studio.prompts(one="a", two="b")
    studio.run("run")
    (spec.parent / "autumn").mkdir()
    spec.rename(spec.parent / "autumn" / "launch.yaml")
    ran = studio.run_json()
    assert ran.statuses == {"autumn/launch:one": "completed", "autumn/launch:two": "completed"}
    assert studio.books.creates == 2
    assert all(path.startswith("outputs/autumn/launch/") for path in studio.outputs())


def test_a_changed_prompt_is_a_new_task_and_the_old_one_is_kept(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    old = studio.records["film:one"]
    studio.prompts(one="b")
    assert studio.run("run").code == 0
    [earlier] = studio.records["film:one"].earlier
    assert (earlier.task_id, earlier.cost, studio.books.creates) == (old.task_id, old.cost, 2)
    shown = studio.run("show", "one", "--format", "json").json
    assert [task["task_id"] for task in shown["earlier"]] == [old.task_id]


def test_a_change_that_is_taken_back_costs_nothing_and_brings_the_old_picture_back(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    old = studio.records["film:one"]
    for prompt in ("b", "a"):
        studio.prompts(one=prompt)
        assert studio.run("run").code == 0
    assert studio.books.creates == 2
    assert studio.records["film:one"].outputs[0].sha256 == old.outputs[0].sha256
    assert hashes_hold(studio)
    assert studio.run("plan", "--format", "json").actions == {"film:one": "none"}


def test_a_file_that_somebody_edited_is_left_alone(studio: Studio) -> None:
    for prompt in ("a", "b"):
        studio.prompts(one=prompt)
        studio.run("run")
    path = studio.result("film:one")
    path.write_bytes(b"retouched by hand")
    assert studio.run("run").code == 0
    assert path.read_bytes() == b"retouched by hand"


def test_another_take_is_another_task_of_the_same_job(studio: Studio) -> None:
    studio.spec("  one: {params: {prompt: a}}")
    studio.run("run")
    studio.spec("  one: {take: 2, params: {prompt: a}}")
    assert studio.run("plan", "--format", "json").json["jobs"][0]["reason"] == "take 2"
    assert studio.run("run").code == 0
    assert (studio.books.creates, studio.records["film:one"].take) == (2, 2)


def test_the_summary_names_the_folder_that_holds_all_results(studio: Studio) -> None:
    (studio.root / "kirin.yaml").write_text("version: 1\nallow_outside: true\n")
    store = studio.root.parent / f"{studio.root.name}-store"
    studio.spec("  one: {params: {prompt: a}}\n  two: {params: {prompt: b}}")
    assert studio.run("run").out.endswith("; results are in outputs/film\n")
    studio.spec(f"  one: {{params: {{prompt: a}}}}\n  two: {{params: {{prompt: c}}, outputs: '{store}'}}")
    assert studio.run("run").out.endswith(f"; results are in {studio.root.parent}\n")


def test_a_result_of_many_images_is_numbered(studio: Studio) -> None:
    studio.spec("  one: {params: {prompt: a, n: 3}}")
    ran = studio.run("run", "-v")
    assert [Path(path).stem for path in studio.outputs()] == ["1", "2", "3"]
    assert "and 2 more" in ran.out
    assert hashes_hold(studio)


def test_a_task_in_flight_whose_job_is_changed_or_removed_is_recorded_when_it_ends(studio: Studio) -> None:
    studio.prompts(one="a", two="b", three="fail-006001095")
    (studio.root / "kirin.yaml").write_text("version: 1\ntimeout: {image: 0.05}\npoll: {min: 0.01, max: 0.02}\n")
    studio.holds_time = True
    assert studio.run("run").code == 3
    studio.prompts(one="changed")
    assert studio.run("run").code == 3
    studio.holds_time = False
    assert studio.run("run").code == 0
    assert studio.books.creates == 4
    left = [*studio.records["film:one"].earlier, studio.records["film:two"], studio.records["film:three"]]
    assert [task.status for task in left] == ["completed", "completed", "failed"]
    assert left[0].cost == left[1].cost == "0.0140"
    assert all(output.url and output.path is None for task in left for output in task.outputs)
    queries = studio.books.queries
    assert (studio.run("run").code, studio.books.queries) == (0, queries)
