"""What is mistyped is told with what was probably meant, and exits with 2."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from studio import Studio, open_studio

from kirin_batch.commands.suggestions import closest_job

JOBS = """
  poster: {matrix: {n: [1, 2]}, tags: [still, trailer], params: {prompt: "a ${{ matrix.n }}"}}
  hero: {params: {prompt: b}}
"""


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        studio.spec(JOBS, "launch")
        yield studio


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("paln", "No such command 'paln'. Did you mean 'plan'?"),
        ("lock chek", "No such command 'chek'. Did you mean 'check'?"),
        ("plan --taag still", "No such option '--taag'. Did you mean '--tag'?"),
        ("plan --job postr", "error: --job postr meets no job; did you mean launch:poster?"),
        ("status --job lanch:hero", "error: --job lanch:hero meets no job; did you mean launch:hero?"),
        ("run --exclude poster[n=9]", "error: --exclude poster[n=9] meets no job; did you mean launch:poster[n=2]?"),
        ("run --tag trialer", "error: --tag trialer is on no job; did you mean trailer?"),
        ("fetch --model kirin_v2_imgae", "error: --model kirin_v2_imgae makes no job; did you mean kirin_v2_image?"),
        ("show hreo", "error: there is no job hreo; did you mean launch:hero?"),
        ("schema kirin_v3_image", "error: there is no schema kirin_v3_image: did you mean kirin_v2_image?"),
        ("schema kirin_v2_imgae", "error: there is no schema kirin_v2_imgae: did you mean kirin_v2_image?"),
    ],
)
def test_what_was_probably_meant_is_told(studio: Studio, arguments: str, told: str) -> None:
    ran = studio.run(*arguments.split())
    assert (ran.code, ran.out, ran.err.splitlines()[-1].removeprefix("Error: ")) == (2, "", told)


def test_what_is_like_nothing_is_told_without_a_guess(studio: Studio) -> None:
    assert studio.run("plan", "--job", "quite-another").err == "error: --job quite-another meets no job\n"
    assert studio.run("frobnicate").err.splitlines()[-1] == "Error: No such command 'frobnicate'."


def test_json_has_the_suggestion_too(studio: Studio) -> None:
    ran = studio.run("plan", "--job", "postr", "--format", "json")
    assert ran.json["error"] == "--job postr meets no job; did you mean launch:poster?"


def test_a_name_in_a_suggestion_moves_no_terminal(studio: Studio) -> None:
    studio.spec('  one: {tags: ["red\\x07dish"], params: {prompt: a}}', "other")
    assert studio.run("plan", "--tag", "reddish").err.endswith("; did you mean red\\x07dish?\n")


def test_of_thousands_of_jobs_one_is_suggested() -> None:
    ids = [f"film:shot{number}" for number in range(4000)]
    assert closest_job("film:shto12", ids) in ids
