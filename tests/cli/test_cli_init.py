"""`kirin-batch init`: a project that runs at once, and one that is added to what is there already."""

import json
from pathlib import Path

import pytest
from check_jsonschema import main as check_jsonschema  # type: ignore[import-untyped] # it has no types
from click.testing import CliRunner
from studio import Ran

from kirin_batch.cli.main import run_command_line

FILES = [
    "kirin.yaml",
    "specs/first.yaml",
    "schemas/spec.schema.json",
    "schemas/project.schema.json",
    ".vscode/settings.json",
    ".gitignore",
    ".gitattributes",
]


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ran:
    code = run_command_line(arguments)
    told = capsys.readouterr()
    return Ran(code, told.out, told.err)


def changes(ran: Ran) -> dict[str, str]:
    return {file["path"]: file["change"] for file in ran.json["files"]}


def test_a_new_project_runs_at_once_in_the_sandbox(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call(capsys, "init", "new/campaign", "-q").code == 0
    monkeypatch.chdir("new/campaign")
    assert call(capsys, "validate", "-q").out == "3 jobs in 1 file: all valid\n"
    ran = call(capsys, "run", "--sandbox", "--format", "json")
    assert (ran.code, ran.json["summary"]) == (0, {"completed": 3})
    assert len(list(Path("outputs").rglob("*.*"))) == 3


def test_it_lists_what_it_wrote_and_what_to_do_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran = call(capsys, "init", "here")
    lines = ran.out.splitlines()
    assert lines[: len(FILES)] == [f"written   {path}" for path in FILES]
    assert lines[len(FILES)] == f"{tmp_path / 'here'} is a project: 7 of 7 files written or extended"
    assert lines[len(FILES) + 1].startswith("  cd ")
    assert "  kirin-batch run --sandbox" in ran.out


def test_json_lists_the_files_and_the_next_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran = call(capsys, "init", "--format", "json")
    assert changes(ran) == dict.fromkeys(FILES, "written")
    assert ran.json["project"] == str(tmp_path)
    assert ran.json["next"][0].startswith("kirin-batch run --sandbox")


def test_a_second_call_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def content() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    call(capsys, "init", "--github")
    before = content()
    again = call(capsys, "init", "--github", "--format", "json")
    assert set(changes(again).values()) == {"kept"}
    assert content() == before


def test_what_is_there_is_kept_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kirin.yaml").write_text("version: 1\nnamespace: mine\n")
    (tmp_path / ".vscode").mkdir()
    (tmp_path / ".vscode" / "settings.json").write_text("{}")
    ran = call(capsys, "init")
    assert "kept      kirin.yaml  (is there already)" in ran.out
    assert "its yaml.schemas may name schemas/spec.schema.json" in ran.out
    assert (tmp_path / "kirin.yaml").read_text() == "version: 1\nnamespace: mine\n"
    assert (tmp_path / ".vscode" / "settings.json").read_text() == "{}"


def test_lines_are_added_once_behind_those_that_are_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / ".gitignore").write_text("build/\n.env")
    (tmp_path / ".gitattributes").write_text("* text=auto")
    told = changes(call(capsys, "init", "--format", "json"))
    assert (told[".gitignore"], told[".gitattributes"]) == ("extended", "extended")
    assert (tmp_path / ".gitignore").read_text() == "build/\n.env\n/.kirin/\n.*.kirin-part\n"
    assert (tmp_path / ".gitattributes").read_text() == "* text=auto\nkirin.lock merge=kirin-lock\n"


def test_a_folder_with_specs_gets_no_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "own.yaml").write_text("version: 1\njobs: {}\n")
    assert "specs/first.yaml" not in changes(call(capsys, "init", "--format", "json"))
    assert [path.name for path in (tmp_path / "specs").iterdir()] == ["own.yaml"]


def test_editors_find_the_schemas_and_nothing_to_complain_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call(capsys, "init")
    for name in ("specs/first.yaml", "kirin.yaml"):
        opening = (tmp_path / name).read_text().splitlines()[0]
        schema = (tmp_path / name).parent / opening.removeprefix("# yaml-language-server: $schema=")
        checked = CliRunner().invoke(check_jsonschema, ["--schemafile", str(schema), str(tmp_path / name)])
        assert checked.exit_code == 0, checked.output
    settings = json.loads((tmp_path / ".vscode" / "settings.json").read_text())
    assert all((tmp_path / schema).is_file() for schema in settings["yaml.schemas"])


def test_a_wrong_kirin_yaml_is_told_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kirin.yaml").write_text("version: 2\n")
    ran = call(capsys, "init")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error: kirin.yaml:1:")
    assert [path.name for path in tmp_path.iterdir()] == ["kirin.yaml"]


def test_a_disk_that_refuses_is_an_error_of_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "schemas").write_text("a file where a folder must be")
    ran = call(capsys, "init")
    assert ran.code == 1
    assert ran.err.startswith(f"error: {tmp_path / 'schemas'} cannot be written: ")


def test_the_workflow_of_a_folder_goes_to_the_root_of_its_repository(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".git").mkdir()
    told = call(capsys, "init", "--github", "ads/spring", "--format", "json")
    assert changes(told)[".github/workflows/kirin-ads-spring.yml"] == "written"
    text = (tmp_path / ".github" / "workflows" / "kirin-ads-spring.yml").read_text()
    assert 'working-directory: "ads/spring"' in text
    assert "@" not in text.replace("@v", "").replace("@users", "").replace("@COMMIT", "").replace("=@$", "")


def test_a_folder_that_a_workflow_could_misread_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".git").mkdir()
    ran = call(capsys, "init", "--github", "a${{ github.actor }}")
    assert (ran.code, ran.out) == (2, "")
    assert [path.name for path in tmp_path.iterdir()] == [".git"]
