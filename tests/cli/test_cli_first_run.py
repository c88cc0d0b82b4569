"""Who begins is told what to do next: in a line or two on stderr, and never to a program or with `-q`."""

from pathlib import Path

import pytest
from studio import Ran

from kirin_batch.cli.main import run_command_line


def call(capsys: pytest.CaptureFixture[str], arguments: str) -> Ran:
    capsys.readouterr()
    code = run_command_line(arguments.split())
    told = capsys.readouterr()
    return Ran(code, told.out, told.err)


by_command = pytest.mark.parametrize("command", ["validate", "plan", "run", "status", "report"])


@by_command
def test_an_empty_folder_is_told_how_to_begin(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran = call(capsys, command)
    assert (ran.code, ran.out.count("\n")) == (0, 1)
    assert ran.err == f"note: there are no specs in {tmp_path}: `kirin-batch init` writes a first one\n"


@by_command
@pytest.mark.parametrize("options", ["-q", "--format json"])
def test_who_wants_no_words_gets_none(command: str, options: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = call(capsys, f"{command} {options}")
    assert (ran.code, ran.err) == (0, "")


def test_a_setting_that_meets_no_spec_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kirin.yaml").write_text("version: 1\nspecs: ['jobs/*.yaml']\n")
    assert call(capsys, "plan").err == "note: `specs:` of kirin.yaml (jobs/*.yaml) meets no file\n"


def test_without_a_key_it_is_told_where_one_is_and_how_to_do_without(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIRIN_BASE_URL", "http://127.0.0.1:9")
    call(capsys, "init")
    ran = call(capsys, "run")
    assert ran.code == 4
    first, second = ran.err.splitlines()
    assert first.startswith("error: there is no API key: your account at http://127.0.0.1:9 has one; set KIRIN_API_KEY")
    assert second.startswith("`kirin-batch run --sandbox` needs none")


def test_each_step_names_the_next_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert "  kirin-batch run --sandbox" in call(capsys, "init").out
    nothing = call(capsys, "report")
    assert (nothing.code, nothing.out) == (0, "nothing is recorded that the gallery could show\n")
    assert "`kirin-batch run --sandbox` at no cost" in nothing.err
    ran = call(capsys, "run --sandbox")
    assert (ran.code, "`kirin-batch report --open` shows them" in ran.err) == (0, True)
    assert call(capsys, "report").out.startswith("3 jobs, 3 results: ")


def test_a_report_of_nothing_writes_nothing_and_is_a_document_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = call(capsys, "report --format json --out gallery --zip gallery.zip --open")
    assert (ran.code, ran.json["report"], ran.json["zip"], ran.json["results"]) == (0, None, None, 0)
    assert call(capsys, "report -q").out == "nothing is recorded that the gallery could show\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("gallery")] == []
