"""Post-flight: what arrived is held against what was asked; a mismatch is a warning with both values, no failure."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from film_boxes import film
from studio import Studio, open_studio, plain_picture

OMNI = "model: kirin_v3_omni_image, params: {prompt: a"
CLIP = "model: kirin_v3_i2v, params: {prompt: a, image: 'https://pictures.example/1.png'"


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


def serving(*contents: bytes) -> Callable[[web.Request], web.StreamResponse]:
    """Serve these, one after the other, the last one again and again."""
    left = list(contents)
    return lambda _request: web.Response(body=left.pop(0) if len(left) > 1 else left[0])


def warnings_of(studio: Studio, job: str, content: bytes) -> list[dict[str, Any]]:
    studio.spec(f"  one: {{{job}}}}}")
    studio.serve_result = serving(content)
    ran = studio.run_json()
    assert ran.code == 0, ran.err
    warnings: list[dict[str, Any]] = ran.json["jobs"][0]["warnings"]
    return warnings


def picture(width: int, height: int) -> bytes:
    return plain_picture("a.png", size=(width, height))


@pytest.mark.parametrize(
    ("job", "content", "told"),
    [
        (f"{OMNI}, aspect_ratio: 16:9", picture(1024, 1024), ["ratio: asked 16:9, got 1:1 (1024 x 1024) (result 1)"]),
        (f"{OMNI}, aspect_ratio: 9:16", picture(576, 1010), []),
        (f"{OMNI}, aspect_ratio: 9:16", picture(576, 990), ["ratio: asked 9:16, got 7:12 (576 x 990) (result 1)"]),
        (f"{OMNI}, aspect_ratio: auto", picture(700, 1500), []),
        ("params: {prompt: a", picture(900, 900), ["ratio: asked 16:9, got 1:1 (900 x 900) (result 1)"]),
        (f"{OMNI}, resolution: 2k", picture(1024, 576), ["resolution: asked 2k, got 1k (1024 x 576) (result 1)"]),
        (f"{OMNI}, resolution: 2k", picture(2048, 1152), []),
        (f"{OMNI}, aspect_ratio: 21:9", picture(1568, 672), []),
        (OMNI, picture(320, 320), ["resolution: asked 1k, got (320 x 320) (result 1)"]),
        (CLIP, film(1280, 720, 5.4), []),
        (CLIP, film(960, 960, 5.04), []),
        (f"{CLIP}, mode: pro", film(1080, 1080, 5), []),
        (f"{CLIP}, mode: pro", film(1280, 720, 5), ["resolution: asked pro, got std (1280 x 720) (result 1)"]),
        (f"{CLIP}, duration: 10", film(1280, 720, 5.04), ["duration: asked 10 s, got 5.04 s (result 1)"]),
        (f"{CLIP}, duration: 10", film(1280, 720, 9.1), []),
    ],
)
def test_what_differs_is_told_with_both_values(studio: Studio, job: str, content: bytes, told: list[str]) -> None:
    warnings = warnings_of(studio, job, content)
    assert [str(warning) for warning in studio.records["film:one"].warnings] == told
    assert [(w["what"], w["outputs"]) for w in warnings] == [(text.partition(":")[0], [1]) for text in told]


def test_a_warning_is_shown_by_run_once_and_by_status_and_show_always(studio: Studio) -> None:
    studio.prompts(one="a", two="b")
    studio.serve_result = serving(picture(900, 900), picture(1024, 576))
    told = "warning: ratio: asked 16:9, got 1:1 (900 x 900) (result 1)"
    first = studio.run("run")
    assert (first.code, first.out.count(told)) == (0, 1)
    assert "2 completed (1 with warnings); this run cost" in first.out
    again = studio.run("run")
    assert (again.code, told in again.out, "(1 with warnings)" in again.out) == (0, False, True)
    assert told in studio.run("status").out
    [warned] = [job for job in ("film:one", "film:two") if studio.records[job].warnings]
    assert told in studio.run("show", warned).out


def test_equal_differences_of_several_results_are_one_warning(studio: Studio) -> None:
    studio.spec("  one: {params: {prompt: a, n: 3}}")
    studio.serve_result = serving(picture(900, 900), picture(1024, 576), picture(900, 900))
    assert studio.run("run").code == 0
    assert [warning.outputs for warning in studio.records["film:one"].warnings] == [(1, 3)]


def test_fewer_results_than_asked_for_are_a_warning(studio: Studio) -> None:
    studio.spec("  one: {params: {prompt: a, n: 3}}")
    studio.run("run", "--no-download")
    lock = studio.root / "kirin.lock"
    assert '"warnings"' not in lock.read_text()
    studio.wrap = lose_results
    studio.spec("  one: {params: {prompt: b, n: 3}}")
    assert studio.run("run").code == 0
    assert [str(warning) for warning in studio.records["film:one"].warnings] == ["count: asked 3, got 1"]


async def lose_results(request: web.Request, handler: Any) -> web.StreamResponse:  # noqa: ANN401 - aiohttp's
    """Answer as the gateway does, with the first result of a task alone."""
    answer: web.Response = await handler(request)
    if answer.content_type != "application/json" or not answer.text:
        return answer
    document = json.loads(answer.text)
    task = document.get("data", document)
    if task.get("output"):
        task["output"] = [{**task["output"][0], "content": task["output"][0]["content"][:1]}]
    return web.json_response(document)


def test_the_warnings_of_an_earlier_take_stay_with_it(studio: Studio) -> None:
    studio.serve_result = serving(picture(900, 900))
    studio.prompts(one="a")
    studio.run("run")
    studio.serve_result = None
    studio.prompts(one="b")
    studio.run("run")
    record = studio.records["film:one"]
    assert (record.warnings, len(record.earlier[0].warnings)) == ((), 1)
