"""The params of a request when it is sent: values of other jobs filled in, pictures in place, nothing made up."""

import asyncio
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from spec_projects import CATALOG, draw, load, spec_of

from kirin_batch.bodies import RequestBuilder
from kirin_batch.encoded_file import EncodedFile
from kirin_batch.jobs import Job
from kirin_batch.records import Output, Record, Status

SPEC = spec_of(
    "hero: {model: kirin_custom_elements, params: {element_name: Hero, element_description: A fox, "
    "element_frontal_image: ../fox.png, element_refer_list: [{image_url: ../side.png}]}}\n"
    "poster: {model: kirin_v3_omni_image, params: {prompt: a fox, result_type: single, n: 2, "
    'element_list: [{element_id: "${{ jobs.hero.element_id }}"}]}}\n'
    'clip: {model: kirin_v3_i2v, params: {image: "${{ jobs.poster.urls[1] }}", '
    'prompt: "as in ${{ jobs.poster.url }}, task ${{ jobs.poster.task_id }}"}}\n'
    'file: {model: kirin_v3_i2v, params: {image: "${{ jobs.poster.file }}", prompt: go}}\n'
    "subject: {model: kirin_custom_elements, params: {element_name: Fox, element_description: A fox, "
    'element_frontal_image: ../blue.png, element_refer_list: [{image_url: "${{ jobs.poster.file }}"}]}}\n'
    "plain: {model: kirin_v2_image, params: {prompt: a fox, image: ../fox.png, external_task_id: mine}}"
)


class Studio:
    """A project with pictures, whose jobs `hero` and `poster` are done."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.fox = draw(self.root / "fox.png")
        draw(self.root / "side.png", colour="red")
        draw(self.root / "blue.png", colour="blue")
        result = draw(self.root / "outputs" / "1.png", colour="blue")
        specs = load(self.root, {"specs/a.yaml": SPEC})
        assert specs.problems == ()
        self.jobs = specs.jobs
        outputs = (
            Output("https://x.example/1.png", "image", "outputs/1.png", sha256_of(result), 1),
            Output("https://x.example/2.png", "image"),
        )
        self.records = {
            "a:hero": self.record("a:hero", element_id=9007199254740993),
            "a:poster": self.record("a:poster", task_id="t-2", outputs=outputs),
        }

    def record(self, job: str, **known: Any) -> Record:  # noqa: ANN401 - fields of a Record
        found = self.jobs[job]
        return Record(
            job=job,
            model=found.model,
            status=Status.COMPLETED,
            digest=found.digest,
            external_task_id=found.external_task_id,
            created_at="2026-01-31T12:00:00Z",
            **known,
        )

    def change(self, job: str, **known: Any) -> None:  # noqa: ANN401 - fields of a Record
        self.records[job] = replace(self.records[job], **known)

    def build(self, job: str) -> dict[str, Any] | str:
        builder = RequestBuilder(self.root, self.records, CATALOG)
        return asyncio.run(builder.build(self.jobs[job], "kb-1"))


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def encoded(path: Path) -> EncodedFile:
    return EncodedFile(path, sha256_of(path), path.stat().st_size)


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path)


def test_a_local_image_is_in_its_place_and_the_id_is_the_one_that_is_asked_for(studio: Studio) -> None:
    expected = {"prompt": "a fox", "image": encoded(studio.fox), "external_task_id": "kb-1"}
    assert studio.build("a:plain") == expected


def test_a_reference_becomes_the_value_of_the_other_job_with_its_type(studio: Studio) -> None:
    built = studio.build("a:poster")
    assert isinstance(built, dict)
    assert built["element_list"] == [{"element_id": 9007199254740993}]


def test_references_inside_text_are_written_out(studio: Studio) -> None:
    built = studio.build("a:clip")
    assert isinstance(built, dict)
    assert built["image"] == "https://x.example/2.png"
    assert built["prompt"] == "as in https://x.example/1.png, task t-2"


def test_a_file_of_another_job_is_in_its_place(studio: Studio) -> None:
    built = studio.build("a:file")
    assert isinstance(built, dict)
    assert built["image"] == encoded(studio.root / "outputs" / "1.png")


def test_the_job_itself_stays_as_it_was(studio: Studio) -> None:
    before = repr(studio.jobs["a:poster"])
    studio.build("a:poster")
    assert repr(studio.jobs["a:poster"]) == before


def test_a_local_image_that_changed_or_went_is_told(studio: Studio) -> None:
    draw(studio.fox, colour="green")
    assert studio.build("a:plain") == f"{studio.fox} has changed since it was checked: run again"
    studio.fox.unlink()
    assert studio.build("a:plain") == f"{studio.fox} cannot be read: No such file or directory"


def test_a_result_that_is_not_there_is_told(studio: Studio) -> None:
    first, second = studio.records["a:poster"].outputs
    studio.change("a:poster", outputs=(second,))
    assert studio.build("a:file") == "${{ jobs.a:poster.file }}: the result was not downloaded"
    told = "${{ jobs.a:poster.urls[1] }}: the task made only 1 result"
    assert studio.build("a:clip") == told
    studio.change("a:poster", outputs=(first,))
    (studio.root / "outputs" / "1.png").unlink()
    assert "outputs/1.png cannot be read" in str(studio.build("a:file"))


@pytest.mark.parametrize(("job", "known"), [("a:hero", {"element_id": None}), ("a:poster", {"task_id": None})])
def test_a_value_that_the_other_job_never_had_is_told(studio: Studio, job: str, known: dict[str, Any]) -> None:
    studio.change(job, **known)
    told = studio.build("a:poster" if job == "a:hero" else "a:clip")
    assert told == f"${{{{ jobs.{job}.{next(iter(known))} }}}}: the task did not tell it"


def test_what_only_shows_when_all_values_are_there_is_told_not_sent(studio: Studio) -> None:
    long = Output("https://x.example/" + "a" * 2500, "image")
    studio.change("a:poster", outputs=(long, long))
    assert "prompt has" in str(studio.build("a:clip"))
    assert "at most 2500" in str(studio.build("a:clip"))


def test_a_result_that_the_next_model_does_not_take_is_told(studio: Studio) -> None:
    small = draw(studio.root / "outputs" / "1.png", size=(100, 100))
    output = Output("https://x.example/1.png", "image", "outputs/1.png", sha256_of(small), 1)
    studio.change("a:poster", outputs=(output,))
    assert "image has 100 x 100 pixels" in str(studio.build("a:file"))


def test_a_result_that_must_differ_from_a_local_image_and_does_not_is_told(studio: Studio) -> None:
    told = studio.build("a:subject")
    assert told == ("element_refer_list[0].image_url is the same picture as element_frontal_image: use another one")
    assert isinstance(studio.build("a:hero"), dict)


def test_a_result_of_another_kind_of_file_is_told_as_it_is_in_a_spec(studio: Studio) -> None:
    text = studio.root / "outputs" / "1.png"
    text.write_bytes(b"GIF89a")
    output = Output("https://x.example/1.png", "image", "outputs/1.png", sha256_of(text), 6)
    studio.change("a:poster", outputs=(output,))
    assert studio.build("a:file") == "image is GIF: use PNG or JPEG"


def test_a_job_without_references_is_not_checked_again(studio: Studio) -> None:
    job: Job = replace(studio.jobs["a:plain"], params={"prompt": ""}, files={})
    builder = RequestBuilder(studio.root, studio.records, CATALOG)
    assert asyncio.run(builder.build(job, "kb-1")) == {"prompt": "", "external_task_id": "kb-1"}
