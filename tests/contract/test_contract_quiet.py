"""`-q` prints one line, whatever there is to tell."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from studio import Studio, open_studio

JOBS = """
  one: {params: {prompt: a}}
  two: {params: {prompt: b}}
  bad: {params: {prompt: forbidden-content}}
  needy: {params: {prompt: c, image: "${{ jobs.bad.url }}"}}
"""
COMMANDS = [
    *("validate", "plan", "run", "run --dry-run", "run --sandbox", "run --max-cost 0", "status", "fetch", "verify"),
    *("report", "prune --dry-run", "prune --yes", "prune --yes --outputs", "recover", "lock check", "init"),
    "whence specs/film.yaml",
]


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        studio.spec(JOBS)
        yield studio


def lines(studio: Studio, command: str) -> list[str]:
    """All that a command tells, on stdout and stderr, without the errors that its exit code needs."""
    ran = studio.run(*command.split(), "-q")
    return [line for line in (ran.out + ran.err).splitlines() if not line.startswith("error: ")]


@pytest.mark.parametrize("command", COMMANDS)
def test_in_a_new_project(studio: Studio, command: str) -> None:
    assert len(lines(studio, command)) == 1


@pytest.mark.parametrize("command", [command for command in COMMANDS if "--sandbox" not in command])
def test_after_a_run_with_failures_whose_specs_have_moved_on(studio: Studio, command: str) -> None:
    studio.run("run")
    studio.result("film:one").unlink()
    studio.spec(
        JOBS.replace("prompt: b", "prompt: changed").replace("  one:", "  uno: {params: {prompt: new}}\n  eins:")
    )
    assert len(lines(studio, command)) == 1


@pytest.mark.parametrize("command", ["validate", "status", "verify", "report"])
def test_where_the_specs_have_errors(studio: Studio, command: str) -> None:
    studio.run("run")
    studio.spec("  one: {params: {promt: a}}\n  two: {params: {prompt: b, n: 99}}")
    assert len(lines(studio, command)) == 1
