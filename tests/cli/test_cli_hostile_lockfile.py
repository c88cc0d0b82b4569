"""A lockfile comes from git, so from others: no path in it leads out of the project, or breaks a command."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from studio import Studio, open_studio, plain_picture

from kirin_batch.disk import sha256_of_file
from kirin_batch.lockfile import save_lockfile
from kirin_batch.records import Record


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    with open_studio(root, monkeypatch, capsys) as studio:
        yield studio


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A picture of the user's, outside the project."""
    path = tmp_path / "private.png"
    path.write_bytes(plain_picture("private"))
    return path


def point_at(studio: Studio, job: str, path: str, file: Path | None = None, *, rename: str | None = None) -> None:
    """Have the lockfile say that the first result of a job is at `path`, with the content of `file`."""
    records = dict(studio.records)
    record = records.pop(job)
    output = replace(record.outputs[0], path=path)
    if file:
        output = replace(output, sha256=sha256_of_file(file), bytes=file.stat().st_size)
    records[rename or job] = replace(record, job=rename or job, outputs=(output,))
    save(studio, records)


def save(studio: Studio, records: dict[str, Record]) -> None:
    save_lockfile(studio.root / "kirin.lock", records)
    (studio.root / ".kirin/journal.jsonl").unlink(missing_ok=True)


@pytest.mark.parametrize("command", ["run", "fetch", "plan"])
def test_a_renamed_job_takes_no_file_along_from_outside_the_project(studio: Studio, secret: Path, command: str) -> None:
    studio.prompts(one="a")
    studio.run("run")
    point_at(studio, "film:one", "../private.png", secret, rename="film:old")
    before = studio.files()
    ran = studio.run(command)
    assert (ran.code, "a result of film:old is at '../private.png', which is outside the project" in ran.err) == (
        1,
        True,
    )
    assert (secret.is_file(), studio.outputs()) == (True, [path for path in before if path.startswith("outputs/")])


def test_an_earlier_task_brings_no_file_back_from_outside_the_project(studio: Studio, secret: Path) -> None:
    for prompt in ("a", "b"):
        studio.prompts(one=prompt)
        studio.run("run")
    record = studio.records["film:one"]
    point_at(studio, "film:one", "../private.png", secret)
    stolen = replace(record.earlier[0], outputs=studio.records["film:one"].outputs)
    save(studio, {"film:one": replace(record, earlier=(stolen,))})
    studio.prompts(one="a")
    assert studio.run("run").code == 1
    assert secret.is_file()


def test_a_reference_sends_no_file_from_outside_the_project(studio: Studio, secret: Path) -> None:
    studio.prompts(one="a")
    studio.run("run")
    point_at(studio, "film:one", "../private.png", secret)
    film = "{model: kirin_v3_i2v, params: {prompt: b, image: '${{ jobs.one.file }}'}}"
    studio.spec(f"  one: {{params: {{prompt: a}}}}\n  two: {film}")
    assert studio.run("run", "--no-download").code == 1
    assert studio.books.creates == 1


def test_a_project_that_may_leave_its_folder_has_results_elsewhere(studio: Studio) -> None:
    (studio.root / "kirin.yaml").write_text("version: 1\nallow_outside: true\noutputs: ../elsewhere/{job}/\n")
    studio.prompts(one="a")
    assert [studio.run("run").code for _ in range(2)] == [0, 0]
    assert studio.run("plan", "--format", "json").actions == {"film:one": "none"}


def test_what_a_link_leads_out_of_the_project_is_fetched_again_and_stays(studio: Studio, tmp_path: Path) -> None:
    studio.prompts(one="a")
    studio.run("run")
    folder, outside = studio.root / "outputs/film/one", tmp_path / "outside"
    folder.rename(outside)
    folder.symlink_to(outside)
    studio.prompts(two="a")
    assert studio.run("run").code == 0
    assert (outside / "1.png").is_file()
    assert studio.records["film:two"].outputs[0].path == "outputs/film/two/1.png"
    assert studio.books.creates == 1


COMMANDS = (
    ("status",),
    ("show", "film:one"),
    ("plan",),
    ("verify",),
    ("report",),
    ("run",),
    ("fetch",),
    ("prune", "--outputs", "--yes"),
)
NAMES = {"nul": "outputs/\0.png", "long": f"outputs/{'x' * 3000}.png", "deep": f"outputs/{'x/' * 5000}1.png"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command[0]))
def test_a_name_that_no_system_takes_breaks_no_command(studio: Studio, command: tuple[str, ...], name: str) -> None:
    studio.prompts(one="a", two="b")
    studio.run("run")
    point_at(studio, "film:one", NAMES[name])
    if command[0] == "prune":
        studio.prompts(two="b")
    ran = studio.run(*command)
    assert (ran.code in {0, 1}, "bug:" in ran.err) == (True, False), ran.err


@pytest.mark.parametrize("command", COMMANDS[:6], ids=lambda command: str(command[0]))
def test_a_result_that_is_a_link_to_itself_breaks_no_command(studio: Studio, command: tuple[str, ...]) -> None:
    studio.prompts(one="a")
    studio.run("run")
    file = studio.result("film:one")
    file.unlink()
    file.symlink_to(file)
    ran = studio.run(*command)
    assert (ran.code in {0, 1}, "bug:" in ran.err) == (True, False), ran.err


def test_what_a_link_leads_out_of_the_project_is_sent_to_nobody(studio: Studio, tmp_path: Path) -> None:
    poster = "  poster: {params: {prompt: a}}\n"
    studio.spec(poster)
    studio.run("run")
    outside = tmp_path / "outside.png"
    studio.result("film:poster").rename(outside)
    studio.result("film:poster").symlink_to(outside)
    studio.spec(poster + '  still: {params: {prompt: b, image: "${{ jobs.poster.file }}"}}\n')
    ran = studio.run("run", "--no-download")
    assert (ran.code, "a link leads outputs/film/poster/1.png out of the project" in ran.err) == (1, True), ran.err
    assert len(studio.books.tasks) == 1


@pytest.mark.parametrize("command", ["run", "plan", "validate", "report", "recover", "prune"])
def test_nothing_is_written_where_a_link_leads_the_program_s_own_folder(
    studio: Studio, tmp_path: Path, command: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (studio.root / ".kirin").symlink_to(outside)
    studio.prompts(one="a")
    ran = studio.run(command)
    reads = {"plan", "validate", "report"}
    assert (ran.code, ".kirin is a link that leads out of the project" in ran.err) == (
        (0, False) if command in reads else (1, True)
    )
    assert (list(outside.iterdir()), len(studio.books.tasks)) == ([], 0)
