"""Bad input ends in one clear message and the right exit code; nothing is sent, nothing is written."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from studio import Studio, open_studio

from kirin_batch.cli.main import cli


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


WRONG_FILES = [
    pytest.param(
        {"specs/film.yaml": "version: 1\njobs: {a: {model: kirin_v9, params: {}}}"}, 1, "kirin_v9", id="model"
    ),
    pytest.param({"specs/film.yaml": "version: 1\njobs: [\n"}, 1, "film.yaml:", id="YAML that does not end"),
    pytest.param({"specs/film.yaml": "version: 1\njobs: {}\njobs: {}"}, 1, "jobs", id="a key twice"),
    pytest.param({"specs/film.yaml": "version: 2\njobs: {}"}, 1, "version", id="a version to come"),
    pytest.param({"specs/film.yaml": b"version: 1 # \xff"}, 1, "UTF-8", id="no UTF-8"),
    pytest.param(
        {"specs/film.yaml": "version: 1\njobs: {a: {model: kirin_v2_image, params: {prompt: '${{ vars.x }}'}}}"},
        1,
        "vars.x",
        id="an unknown variable",
    ),
    pytest.param(
        {"specs/film.yaml": "version: 1\njobs: {a: {model: kirin_v2_image, params: {prompt: a, image: no.png}}}"},
        1,
        "no.png",
        id="an image that is not there",
    ),
    pytest.param({"kirin.yaml": "version: 1\nlimit: {image: 1}"}, 1, "limit", id="an unknown setting"),
    pytest.param({"kirin.yaml": "version: 1\npoll: {min: 9, max: 1}"}, 1, "poll.min", id="settings that contradict"),
    pytest.param({"kirin.lock": "not a lockfile\n"}, 1, "kirin.lock", id="a lockfile that is none"),
    pytest.param({"kirin.lock": '{"kirin_lock":1}\n{"job":'}, 1, "kirin.lock, line 2", id="a torn lockfile"),
    pytest.param({"kirin.lock": '{"kirin_lock":9}\n'}, 1, "version 9", id="a lockfile to come"),
]


@pytest.mark.parametrize(("files", "code", "told"), WRONG_FILES)
def test_a_wrong_file_ends_a_run_before_anything_is_sent_or_written(
    studio: Studio, files: dict[str, str | bytes], code: int, told: str
) -> None:
    studio.prompts(good="a")
    for name, content in files.items():
        (studio.root / name).write_bytes(content.encode() if isinstance(content, str) else content)
    before = studio.files()
    ran = studio.run("run")
    assert (ran.code, ran.out) == (code, "")
    assert told in ran.err
    assert "bug:" not in ran.err
    assert studio.books.creates + studio.books.queries == 0
    left = {path: data for path, data in studio.files().items() if not path.startswith(".kirin/")}
    assert left == before
    as_json = studio.run_json()
    assert (as_json.code, as_json.json["jobs"]) == (code, [])
    assert as_json.json["error"] in as_json.err


WRONG_ARGUMENTS = [
    (("run", "specs/none.yaml"), "specs/none.yaml is not there"),
    (("validate", "/etc"), "outside the project"),
    (("run", "--nonsense"), "--nonsense"),
    (("run", "--max-cost", "much"), "give USD such as 25.00"),
    (("run", "--max-cost", "nan"), "give USD such as 25.00"),
    (("run", "--max-cost", "-1"), "give USD such as 25.00"),
    (("plan", "--format", "yaml"), "yaml"),
    (("run", "--job", "nope*"), "--job nope* meets no job"),
    (("run", "--tag", "nope"), "--tag nope is on no job"),
    (("run", "--model", "nope"), "--model nope makes no job"),
    (("-C", "nowhere", "run"), "-C"),
    (("run", "-C", "nowhere"), "nowhere is no folder"),
    (("show",), "JOB"),
    (("nonsense",), "nonsense"),
    (("status", "--log-file", "no/such/folder/log"), "cannot be written"),
    (("sandbox", "--port", "99999"), "99999"),
]


@pytest.mark.parametrize(("arguments", "told"), WRONG_ARGUMENTS, ids=lambda value: str(value)[:40])
def test_wrong_arguments_are_usage_errors(studio: Studio, arguments: tuple[str, ...], told: str) -> None:
    studio.prompts(good="a")
    before = studio.files()
    ran = studio.run(*arguments)
    assert (ran.code, ran.out, studio.files()) == (2, "", before)
    assert told in ran.err
    assert studio.books.creates == 0


def test_without_a_command_the_help_is_shown(studio: Studio) -> None:
    ran = studio.run()
    assert (ran.code, "Commands:" in ran.err) == (2, True)
    assert studio.run("--version").out.startswith("kirin-batch ")
    assert studio.run("run", "-h").code == 0


@pytest.mark.parametrize(("name", "value"), [("KIRIN_MAX_COST", "lots"), ("KIRIN_BASE_URL", "ftp://x")])
def test_a_wrong_variable_is_named(studio: Studio, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    studio.prompts(one="a")
    monkeypatch.setenv(name, value)
    ran = studio.run("run")
    assert (ran.code, name in ran.err, value in ran.err) == (2, True, True)
    assert studio.records == {}


def test_a_shell_can_complete_the_commands() -> None:
    offered = [item.value for item in cli.shell_complete(click.Context(cli), "s")]
    assert offered == ["status", "show", "schema", "sandbox"]


def test_a_project_without_jobs_is_no_error(studio: Studio) -> None:
    assert "no jobs" in studio.run("plan").out
    assert studio.run("run").code == 0
    assert studio.run("status", "--format", "json").json == {"jobs": [], "summary": {}, "cost": "0"}
    assert studio.run("validate").out == "0 jobs in 0 files: all valid\n"


def test_a_folder_named_on_the_command_line_holds_specs_and_the_root_holds_settings_too(studio: Studio) -> None:
    (studio.root / "kirin.yaml").write_text("version: 1\n")
    studio.prompts(one="a")
    more = studio.root / "more" / "late.yml"
    more.parent.mkdir()
    more.write_text("version: 1\njobs: {two: {model: kirin_v2_image, params: {prompt: b}}}")
    (more.parent / ".cache").mkdir()
    (more.parent / ".cache" / "other.yaml").write_text("no: spec")
    assert studio.run("validate", ".").out == "1 job in 1 file: all valid\n"
    assert studio.run("validate", "more").out == "1 job in 1 file: all valid\n"
    assert studio.run("plan", "more", "--format", "json").actions == {"more/late:two": "create"}
