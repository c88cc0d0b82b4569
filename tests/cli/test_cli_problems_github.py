"""`validate --format github`: annotations for GitHub Actions, one a line, and nothing else on stdout."""

from pathlib import Path

import pytest
from studio import Studio

from kirin_batch.cli.problems_github import github_command
from kirin_batch.problems import Problem, Severity

SPEC = """\
version: 1
vars: {unused: x}
jobs:
  one: {model: kirin_v2_image, params: {prompt: a, n: 99}}
"""
UNUSED = "vars.unused is never used: remove it, or write ${{ vars.unused }} where it belongs"


@pytest.fixture
def studio(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Studio:
    (tmp_path / ".git").mkdir()
    return Studio(tmp_path, capsys)


def test_errors_and_warnings_are_commands_and_the_summary_is_elsewhere(studio: Studio) -> None:
    studio.spec(SPEC)
    ran = studio.run("validate", "--format", "github")
    assert ran.code == 1
    assert ran.out.splitlines() == [
        f"::warning file=specs/film.yaml,line=2,col=8,title=unused-var::{UNUSED}",
        "::error file=specs/film.yaml,line=4,col=55,title=maximum::film:one: n is 99: at most 9",
    ]
    assert ran.err == "1 job in 1 file: 1 error, 1 warning\n"


def test_valid_specs_leave_stdout_empty(studio: Studio) -> None:
    studio.prompts(one="a")
    ran = studio.run("validate", "--format", "github")
    assert (ran.code, ran.out, ran.err) == (0, "", "1 job in 1 file: all valid\n")


def test_only_validate_has_this_form(studio: Studio) -> None:
    ran = studio.run("plan", "--format", "github")
    assert (ran.code, "'github' is not one of 'text', 'json'" in ran.err) == (2, True)


def test_what_would_end_a_property_or_a_line_is_escaped_as_the_runner_reads_it() -> None:
    problem = Problem("specs/50%, a:b.yaml", 1, 2, Severity.ERROR, "file-name", "100%:\r\n::add-mask::x, y", job="a\nb")
    assert github_command(problem, prefix="50%/") == (
        "::error file=50%25/specs/50%25%2C a%3Ab.yaml,line=1,col=2,title=file-name"
        "::a\\nb: 100%25:%0D%0A::add-mask::x, y"
    )


@pytest.mark.parametrize("text", ["::error::x", "a\\n::stop-commands::x", "%0A::warning::x", "##[error]x"])
def test_a_prompt_commands_nothing(studio: Studio, text: str) -> None:
    studio.spec(f'version: 1\njobs:\n  one: {{model: "{text}", params: {{prompt: a}}}}')
    out = studio.run("validate", "--format", "github").out
    assert out.startswith("::error file=specs/film.yaml,line=3,col=16,title=model::film:one: no model is called ")
    assert (out.count("\n"), "%0A" in out) == (1, False)


def test_files_are_named_from_the_root_of_the_repository(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    media = Studio(studio.root / "my media", studio.capsys)
    media.spec(SPEC)
    for arguments in (("-C", "my media"), ("-C", str(media.root))):
        assert "::error file=my media/specs/film.yaml," in studio.run("validate", "--format", "github", *arguments).out
    monkeypatch.chdir(media.root)
    (studio.root / ".git").rmdir()
    assert "::error file=specs/film.yaml," in studio.run("validate", "--format", "github").out
    monkeypatch.setenv("GITHUB_WORKSPACE", str(studio.root))
    assert "::error file=my media/specs/film.yaml," in studio.run("validate", "--format", "github").out
    monkeypatch.setenv("GITHUB_WORKSPACE", str(studio.root / "elsewhere"))
    assert "::error file=specs/film.yaml," in studio.run("validate", "--format", "github").out


def test_a_wrong_kirin_yaml_is_an_annotation(studio: Studio) -> None:
    (studio.root / "kirin.yaml").write_text("version: 1\nlimit: {image: 1}")
    out = studio.run("validate", "--format", "github").out
    assert out.startswith("::error file=kirin.yaml,line=2,col=1,title=additionalProperties::")
