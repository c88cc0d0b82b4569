"""Whatever is edited, in whatever order: a command that may use the cache answers as one that may not."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cached_project import SPEC, CachedProject
from hypothesis import given, settings
from hypothesis import strategies as st

SPECS = ("specs/film.yaml", "specs/more/film.yaml", "specs/more/other.yml", "elsewhere.yaml")
TEXTS = (
    SPEC,
    SPEC.replace("A fox}", "A cat}"),
    SPEC.replace("  copy", "  copied"),
    SPEC.replace("{ env", "{ vars"),
    SPEC.replace("A fox", "${{ jobs.poster.url }}"),
    "version: 1\njobs: {one: {model: kirin_v2_image, params: {prompt: '${{ jobs.film:hero.url }}'}}}\n",
    "version: 1\njobs: {one: {model: fast, params: {prompt: A fox in the rain}}}\n",
    "",
)
SETTINGS = (
    "namespace: test\nenv: [MOOD]\n",
    "namespace: tess\nenv: [MOOD]\n",
    "namespace: test\nenv: []\n",
    "env: [MOOD]\nspecs: ['**/*.yaml']\n",
    "env: [MOOD]\nschemas: [models]\n",
    "env: [MOOD]\nallow_outside: true\n",
    "nonsense: 1\n",
)
SCHEMA = """{"type": "object", "additionalProperties": false,
"properties": {"prompt": {"type": "string", "maxLength": 40}}, "x-kind": "image", "x-slots": [{"value": 1}],
"x-result": {"type": "image", "count": [{"value": 1}]}}"""
SCHEMAS = (SCHEMA, SCHEMA.replace("40", "10"), SCHEMA.replace("image", "video"), "{}")
RESULTS = ("outputs/film/hero/1.png", "outputs/film/copy/1.png", "pictures/fox.png", "kirin.lock")
FOLDERS = ("outputs", "outputs/film", "outputs/film/hero", "pictures", "specs", "specs/more")
COMMANDS = ("validate", "plan")

writing = st.one_of(
    st.tuples(st.sampled_from(SPECS), st.sampled_from(TEXTS)),
    st.tuples(st.just("kirin.yaml"), st.sampled_from(SETTINGS)),
    st.tuples(st.sampled_from(("models/fast.schema.json", "models/slow.schema.json")), st.sampled_from(SCHEMAS)),
)
edits = st.one_of(
    st.tuples(st.just("write"), writing),
    st.tuples(st.just("write in place, times as before"), writing),
    st.tuples(st.just("remove"), st.sampled_from((*SPECS, *RESULTS, "kirin.yaml"))),
    st.tuples(st.just("flip a bit, times as before"), st.sampled_from(RESULTS)),
    st.tuples(st.just("lead out"), st.sampled_from(FOLDERS)),
    st.tuples(st.just("set the variable"), st.sampled_from(("at dawn", "at dusk", "3"))),
    st.tuples(st.just("make results"), st.none()),
    st.tuples(st.just("nothing"), st.none()),
)


@contextmanager
def kept_times(path: Path) -> Iterator[None]:
    """Set the times of a file to what they were, if it is there before and after."""
    before = path.stat() if path.is_file() else None
    yield
    if before and path.is_file():
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def edit(project: CachedProject, act: str, what: object) -> None:
    match act, what:
        case "write", (str(name), str(text)):
            project.write(name, text)
        case "write in place, times as before", (str(name), str(text)):
            with kept_times(project.root / name):
                project.write(name, text)
        case "remove", str(name):
            (project.root / name).unlink(missing_ok=True)
        case "flip a bit, times as before", str(name):
            flip_bit(project.root / name)
        case "lead out", str(name):
            lead_out(project, project.root / name)
        case "set the variable", str(mood):
            project.set_mood(mood)
        case "make results", _ if project.ask("validate", "--no-cache").code == 0:
            project.make_results()


def flip_bit(path: Path) -> None:
    if path.is_file() and path.stat().st_size:
        with kept_times(path):
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)


def lead_out(project: CachedProject, folder: Path) -> None:
    """Move a folder out of the project, with a link in its place; or back again."""
    if folder.is_symlink():
        away = folder.readlink()
        folder.unlink()
        away.rename(folder)
    elif folder.is_dir():
        away = project.root.parent / f"away-{folder.name}"
        if not away.exists():
            folder.rename(away)
            folder.symlink_to(away)


@settings(deadline=None, max_examples=25)
@given(st.lists(edits, min_size=1, max_size=8))
def test_a_cache_never_changes_an_answer(sequence: list[tuple[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as environment:
        project = CachedProject(Path(folder) / "project", environment)
        for command in COMMANDS:
            project.ask(command, "--format", "json")
            assert project.is_kept(command, "--format", "json")
        for act, what in sequence:
            edit(project, act, what)
            for command in COMMANDS:
                told = project.ask(command, "--format", "json")
                assert told == project.ask(command, "--format", "json", "--no-cache")
