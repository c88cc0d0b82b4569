"""A command that has nothing to do is answered at once the next time, as long as nothing at all has changed."""

import fcntl
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from cached_project import SPEC, CachedProject
from spec_projects import draw

from kirin_batch.caches import load_cache
from kirin_batch.cli.main import run_command_line
from kirin_batch.cli.repeatable import run_repeatable
from kirin_batch.recall import Call, Kept

COMMANDS = (
    ("validate",),
    ("validate", "--format", "json"),
    ("plan",),
    ("plan", "--format=json"),
    ("plan", "-v"),
    ("plan", "--job", "hero", "-q"),
    ("run",),
    ("run", "--format", "json"),
    ("run", "--sandbox"),
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CachedProject:
    return CachedProject(tmp_path / "project", monkeypatch)


def touch_back(path: Path, text: str) -> None:
    """Write a file and set its times to what they were, as archives and editors do."""
    before = path.stat()
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("words", COMMANDS)
def test_a_kept_answer_is_the_same_word_for_word(project: CachedProject, words: tuple[str, ...]) -> None:
    first = project.ask(*words)
    assert project.is_kept(*words)
    assert project.ask(*words) == first == project.ask(*words, "--no-cache")
    assert first.code == 0


def replace_job(project: CachedProject) -> None:
    project.write("specs/film.yaml", SPEC.replace("A fox}", "A wolf}"))


def restore_times(project: CachedProject) -> None:
    touch_back(project.root / "specs/film.yaml", SPEC.replace("A fox}", "A cat}"))


def add_spec(project: CachedProject) -> None:
    project.write("specs/more/new.yaml", SPEC)


def remove_spec(project: CachedProject) -> None:
    (project.root / "specs/film.yaml").unlink()


def change_settings(project: CachedProject) -> None:
    project.write("kirin.yaml", "namespace: test\nenv: [MOOD]\nspec_max_mb: 0.00001\n")


def remove_settings(project: CachedProject) -> None:
    (project.root / "kirin.yaml").unlink()


def change_variable(project: CachedProject) -> None:
    project.set_mood("at dusk")


def change_image(project: CachedProject) -> None:
    path = project.root / "pictures/fox.png"
    before, data = path.stat(), bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def lose_result(project: CachedProject) -> None:
    (project.root / "outputs/film/hero/1.png").unlink()


def lose_lockfile(project: CachedProject) -> None:
    (project.root / "kirin.lock").unlink()


def lead_out(project: CachedProject) -> None:
    """Move results out of the project, with a link in their place: files, inodes and times stay what they were."""
    folder, away = project.root / "outputs", project.root.parent / "away"
    folder.rename(away)
    folder.symlink_to(away)


def lead_images_out(project: CachedProject) -> None:
    folder, away = project.root / "pictures", project.root.parent / "away"
    folder.rename(away)
    folder.symlink_to(away)


CHANGES = (
    replace_job,
    restore_times,
    add_spec,
    remove_spec,
    change_settings,
    change_variable,
    change_image,
    lose_result,
    lose_lockfile,
    lead_out,
    lead_images_out,
)


@pytest.mark.parametrize("change", CHANGES)
def test_a_plan_sees_every_change(project: CachedProject, change: Callable[[CachedProject], None]) -> None:
    settled = project.ask("plan")
    assert project.is_kept("plan")
    change(project)
    answer = project.ask("plan")
    assert answer == project.ask("plan", "--no-cache")
    assert answer != settled


def test_a_model_of_the_project_that_changes_is_seen(project: CachedProject) -> None:
    schema = project.write("models/fast.schema.json", _schema(longest=40))
    project.write("kirin.yaml", "schemas: [models]\n")
    project.write("specs/film.yaml", "version: 1\njobs: {a: {model: fast, params: {prompt: A fox in the rain}}}\n")
    assert project.ask("validate").code == 0
    assert project.is_kept("validate")
    touch_back(schema, _schema(longest=4))
    assert project.ask("validate").code == 1


def test_a_new_model_beside_the_others_is_seen(project: CachedProject) -> None:
    project.write("models/fast.schema.json", _schema(longest=40))
    project.write("kirin.yaml", "schemas: [models]\nenv: [MOOD]\n")
    assert project.ask("validate").code == 0
    assert project.is_kept("validate")
    project.write("models/kirin_v2_image.schema.json", _schema(longest=4))
    assert project.ask("validate").code == 1


def _schema(*, longest: int) -> str:
    schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"prompt": {"type": "string", "maxLength": longest}},
        "x-kind": "image",
        "x-slots": [{"value": 1}],
        "x-result": {"type": "image", "count": [{"value": 1}]},
    }
    return json.dumps(schema)


def test_nothing_is_kept_of_files_that_changed_within_two_seconds(project: CachedProject) -> None:
    for words in COMMANDS:
        project.ask(*words, later_ns=0)
        assert not project.is_kept(*words)


def test_two_changes_within_one_tick_of_the_clock_are_told_apart(project: CachedProject) -> None:
    project.ask("validate", later_ns=0)
    spec = project.root / "specs/film.yaml"
    project.write("specs/film.yaml", SPEC.replace("A fox}", "A cow}"))
    first = project.ask("plan", later_ns=0)
    touch_back(spec, SPEC)
    assert project.ask("plan", later_ns=0) != first


def test_what_is_asked_elsewhere_or_otherwise_is_another_answer(
    project: CachedProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.ask("plan")
    assert project.is_kept("plan")
    assert not project.is_kept("plan", "-q")
    assert not project.is_kept("run")
    monkeypatch.setenv("KIRIN_MAX_COST", "1")
    assert not project.is_kept("plan")
    monkeypatch.delenv("KIRIN_MAX_COST")
    monkeypatch.chdir("/")
    assert not project.is_kept("plan")


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "--no-cache"),
        ("plan", "--log-file", "log"),
        ("plan", "specs"),
        ("plan", "--format", "markdown"),
        ("validate", "--format", "sarif"),
        ("run", "--dry-run"),
        ("run", "--no-download"),
        ("status",),
    ],
)
def test_a_command_that_does_more_than_tell_is_never_kept(project: CachedProject, words: tuple[str, ...]) -> None:
    project.ask(*words)
    assert not project.is_kept(*words)
    assert list(project.root.glob(".kirin/cache/*.answer")) == []


def test_a_summary_is_written_each_time(project: CachedProject, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = project.root / "summary.md"
    project.ask("plan")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    project.ask("plan")
    project.ask("plan")
    assert summary.read_text().count("### kirin-batch plan") == 2


def test_what_is_left_to_do_is_never_kept(project: CachedProject) -> None:
    lose_lockfile(project)
    project.ask("plan")
    assert not project.is_kept("plan")


def test_invalid_specs_are_never_kept(project: CachedProject) -> None:
    project.write("specs/film.yaml", SPEC.replace("prompt", "promt"))
    assert project.ask("validate", "--format", "json").code == 1
    assert not project.is_kept("validate", "--format", "json")


def test_after_a_run_that_was_killed_the_next_one_looks_for_what_it_left(project: CachedProject) -> None:
    project.ask("run")
    assert project.is_kept("run")
    part = project.write("outputs/film/.1.png.0123abcd.kirin-part", "half")
    project.write(".kirin/run.json", '{"pid": 1}')
    assert project.ask("run").code == 0
    assert not part.exists()


def test_news_in_the_journal_is_seen(project: CachedProject) -> None:
    project.ask("plan")
    project.write(".kirin/journal.jsonl", "{")
    assert not project.is_kept("plan")


def test_a_run_stops_where_another_one_holds_the_project(project: CachedProject) -> None:
    project.ask("run")
    assert project.is_kept("run")
    with (project.root / ".kirin/run.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert project.ask("run").code == 5
        assert project.ask("plan").code == 0
    assert project.ask("run").code == 0


def test_a_run_writes_the_manifest_where_it_is_gone(project: CachedProject) -> None:
    project.ask("run")
    manifest = project.root / ".kirin/manifest.json"
    manifest.unlink()
    assert project.ask("run").code == 0
    assert manifest.exists()


@pytest.mark.parametrize("setting", ["sidecar: true", "store: file:///{root}/kept"])
def test_a_run_with_duties_is_never_kept(project: CachedProject, setting: str) -> None:
    said = setting.format(root=project.root)
    project.write("kirin.yaml", f"namespace: test\nenv: [MOOD]\nallow_outside: true\n{said}\n")
    assert project.ask("run").code == 0
    assert not project.is_kept("run")


def test_a_project_with_links_is_asked_anew(project: CachedProject) -> None:
    (project.root / "specs/film.yaml").rename(project.root / "film.yaml")
    (project.root / "specs/film.yaml").symlink_to(project.root / "film.yaml")
    assert project.ask("plan").code == 0
    assert not project.is_kept("plan")


@pytest.mark.parametrize("pattern", ["specs/*.yaml", "specs/late.yaml", "specs/*/late.yaml"])
def test_a_spec_that_appears_behind_a_link_is_seen(project: CachedProject, pattern: str) -> None:
    """As of a submodule that is not there yet."""
    project.write("kirin.yaml", f"namespace: test\nenv: [MOOD]\nspecs: [specs/film.yaml, '{pattern}']\n")
    late = project.root / ("specs/more" if pattern.count("/") > 1 else "specs/late.yaml")
    late.symlink_to(project.root / "away" / late.name)
    settled = project.ask("plan")
    assert project.is_kept("plan")
    project.write("away/more/late.yaml" if late.name == "more" else "away/late.yaml", SPEC)
    found = project.ask("plan")
    assert found == project.ask("plan", "--no-cache") != settled


@pytest.mark.parametrize("command", ["validate", "plan", "run"])
def test_every_file_that_a_command_opens_is_one_that_its_answer_rests_on(project: CachedProject, command: str) -> None:
    project.write("models/fast.schema.json", _schema(longest=40))
    project.write("kirin.yaml", "namespace: test\nenv: [MOOD]\nschemas: [models]\n")
    opened: set[str] = set()
    is_over = False

    def watch(event: str, args: tuple[object, ...]) -> None:
        if event in {"open", "os.scandir", "os.listdir"} and not is_over and isinstance(args[0], str | Path):
            opened.add(os.path.abspath(args[0]))  # noqa: PTH100 - links are to be seen as they are

    sys.addaudithook(watch)  # which nothing can take away again
    project.ask(command, "--no-cache")
    is_over = True
    project.ask(command)
    (file,) = (project.root / ".kirin/cache").glob(f"{command}-*.answer")
    parts = load_cache(str(file))
    assert isinstance(parts, dict)
    kept = Kept(**parts)
    inner = {f"{folder}/{name}".lstrip("/") for folder, names in kept.ways.items() for name in names}
    folders = {folder.rstrip("/") for folder in kept.folders}
    rests_on = {*kept.files, *kept.empty, *kept.kinds, *folders, *inner}
    read = {os.path.relpath(path, project.root) for path in opened if path.startswith(str(project.root))}
    own = {path for path in read if f"{path}/".startswith((".kirin/", "./"))} - {".kirin/journal.jsonl"}
    assert read - rests_on - own == set()


@pytest.mark.parametrize("text", ["../pictures/../pictures/fox.png", "{root}/pictures/fox.png", "../link/fox.png"])
def test_a_roundabout_way_to_a_picture_is_gone_anew(project: CachedProject, text: str) -> None:
    (project.root / "link").symlink_to("pictures")
    project.write("specs/film.yaml", SPEC.replace("../pictures/fox.png", text.format(root=project.root)))
    assert project.ask("validate").code == 0
    assert not project.is_kept("validate")


def test_a_command_that_fails_in_the_end_is_not_kept(project: CachedProject) -> None:
    call = Call.of(project.whole("plan"), time.time_ns() + 10_000_000_000)
    assert call
    assert run_repeatable(call, lambda words: run_command_line(words) + 1) == 1
    assert call.rests_on
    assert not project.is_kept("plan")


@pytest.mark.parametrize(
    ("noise", "is_kept"),
    [
        ("note: told again\n", True),
        ("\x1b[?25l\r\x1b[2K\x1b[?25h", True),
        ("\x1b[31mred", False),
        ("x" * 100_001, False),
    ],
)
def test_notes_are_told_again_and_displays_are_not(project: CachedProject, noise: str, *, is_kept: bool) -> None:
    call = Call.of(project.whole("plan"), time.time_ns() + 10_000_000_000)
    assert call

    def run(words: Sequence[str]) -> int:
        sys.stderr.write(noise)
        return run_command_line(words)

    assert run_repeatable(call, run) == 0
    assert project.is_kept("plan") is is_kept
    if is_kept:
        assert project.ask("plan").err == ("" if "\x1b" in noise else noise)


def test_links_may_lead_anywhere_where_the_project_says_so(project: CachedProject) -> None:
    project.write("kirin.yaml", "namespace: test\nenv: [MOOD]\nallow_outside: true\n")
    lead_out(project)
    assert project.ask("plan").code == 0
    assert project.is_kept("plan")
    (project.root.parent / "away/film/hero/1.png").unlink()
    assert project.ask("plan") == project.ask("plan", "--no-cache")


def test_a_picture_beside_specs_that_lie_elsewhere_is_not_taken_for_one_of_the_project(project: CachedProject) -> None:
    project.write("kirin.yaml", "namespace: test\nenv: [MOOD]\nallow_outside: true\nspecs: ['specs/*.yaml']\n")
    away = project.root.parent / "away"
    away.mkdir()
    (project.root / "specs").rename(away / "specs")
    (project.root / "specs").symlink_to(away / "specs")
    fox = draw(away / "pictures" / "fox.png")
    settled = project.ask("plan")
    draw(fox, colour="red")
    changed = project.ask("plan")
    assert changed == project.ask("plan", "--no-cache") != settled


def test_no_state_is_made_in_a_folder_without_specs(project: CachedProject) -> None:
    remove_spec(project)
    project.ask("validate")
    assert not (project.root / ".kirin").exists()


def test_an_answer_is_quick(project: CachedProject) -> None:
    project.ask("plan")
    begin = time.perf_counter()
    assert project.is_kept("plan")
    assert time.perf_counter() - begin < 0.05
