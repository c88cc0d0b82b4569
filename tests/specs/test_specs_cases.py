"""Specs as files: each invalid one has just the problems that its first comments name, each valid one the jobs."""

import os
import re
from pathlib import Path

import pytest
import yaml
from spec_projects import CATALOG, draw

from kirin_batch.problems import Problem
from kirin_batch.project import Project, Settings
from kirin_batch.specs.loading import Specs, load_specs

CASES = Path(__file__).parent / "cases"
EXPECTED = re.compile(
    r"^# problem: (?P<rule>\S+) (?P<line>\d+)(?::(?P<column>\d+))?(?: (?P<message>.+))?$", re.MULTILINE
)
LONGEST_MESSAGE = 300


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the pictures that cases name, and with ways out of it."""
    outside = tmp_path_factory.mktemp("outside")
    root = outside / "project"
    assets = root / "assets"
    draw(assets / "good.png")
    draw(assets / "side.png", colour="red")
    draw(assets / "small.png", size=(299, 400))
    draw(assets / "wide.png", size=(800, 300))
    draw(assets / "gif.png", kind="GIF")
    (assets / "text.jpeg").write_text("no picture")
    with (assets / "huge.png").open("wb") as file:
        file.truncate(65 * 1024 * 1024)  # takes no room on disk
    (assets / "folder.png").mkdir()
    (assets / "link.png").symlink_to(draw(outside / "secret.png"))
    (assets / "loop.png").symlink_to(assets / "loop.png")
    (root / "leak").symlink_to(outside)
    (root / "specs").mkdir()
    return root


def read_case(root: Path, path: Path) -> Specs:
    copy = root / "specs" / "case.yaml"
    copy.write_bytes(path.read_bytes())
    settings = Settings(specs=("specs/case.yaml",), slots={"image": 9 if path.stem != "slots" else 4, "video": 5})
    return load_specs(Project(root.resolve(), settings), CATALOG, environ=os.environ)


def is_told(expected: re.Match[str], problem: Problem) -> bool:
    place = (problem.rule, problem.line, int(expected["column"] or problem.column))
    said = (expected["rule"], int(expected["line"]), problem.column)
    return place == said and (expected["message"] or "") in problem.message


@pytest.mark.parametrize("path", sorted(CASES.glob("invalid/*.yaml")), ids=lambda path: path.stem)
def test_an_invalid_spec_has_just_the_problems_that_it_names(root: Path, path: Path) -> None:
    expected = list(EXPECTED.finditer(path.read_text()))
    problems = read_case(root, path).problems
    missing = [match[0] for match in expected if not any(is_told(match, problem) for problem in problems)]
    surplus = [str(problem) for problem in problems if not any(is_told(match, problem) for match in expected)]
    assert expected
    assert (missing, surplus) == ([], [])
    for problem in problems:
        assert problem.file == "specs/case.yaml"
        assert problem.message.isprintable(), "a message is one line"
        assert len(problem.message) < LONGEST_MESSAGE


@pytest.mark.parametrize("path", sorted(CASES.glob("valid/*.yaml")), ids=lambda path: path.stem)
def test_a_valid_spec_has_just_the_jobs_that_it_names(root: Path, path: Path) -> None:
    expected = yaml.safe_load("\n".join(re.findall(r"^#job (.*)$", path.read_text(), re.MULTILINE))) or {}
    specs = read_case(root, path)
    assert [str(problem) for problem in specs.problems] == []
    found = {id_: {key: specs.jobs[id_].params.get(key) for key in expected.get(id_) or ()} for id_ in specs.jobs}
    assert found == {id_: params or {} for id_, params in expected.items()}
    assert list(found) == list(expected)
