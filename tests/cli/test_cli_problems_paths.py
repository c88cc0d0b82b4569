"""Paths on the command line: from the working directory, else from the project that `-C` names."""

from pathlib import Path

import pytest
from studio import Studio

SPEC = "version: 1\njobs: {one: {model: kirin_v2_image, params: {prompt: a}}}"


@pytest.fixture
def studio(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Studio:
    studio = Studio(tmp_path / "media", capsys)
    studio.spec(SPEC)
    studio.spec(SPEC, "clips/late")
    return studio


@pytest.mark.parametrize("path", ["specs/film.yaml", "media/specs/film.yaml", "specs/clips", "media/specs/clips/"])
def test_a_path_may_count_from_the_project_that_is_named(studio: Studio, path: str) -> None:
    ran = studio.run("validate", "-C", "media", path)
    assert (ran.code, ran.out) == (0, "1 job in 1 file: all valid\n")


def test_a_path_of_another_project_here_does_not_hide_the_one_that_is_named(studio: Studio, tmp_path: Path) -> None:
    Studio(tmp_path, studio.capsys).spec("version: nonsense")
    assert studio.run("validate", "-C", "media", "specs/film.yaml").out == "1 job in 1 file: all valid\n"


@pytest.mark.parametrize(
    ("path", "told"),
    [("specs/none.yaml", "is not there"), ("specs/../../other.yaml", "is outside the project"), ("/", "is outside")],
)
def test_a_path_that_leads_nowhere_from_both_is_an_error(studio: Studio, tmp_path: Path, path: str, told: str) -> None:
    (tmp_path / "other.yaml").write_text(SPEC)
    ran = studio.run("validate", "-C", "media", path)
    assert (ran.code, ran.out, told in ran.err) == (2, "", True)
