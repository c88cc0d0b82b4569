"""A command that is answered at once imports next to nothing; one that has nothing to do imports no client."""

import subprocess
import sys
from pathlib import Path

import pytest
from cached_project import CachedProject

PROBE = """
import sys
before = set(sys.modules)
from kirin_batch.__main__ import main
try:
    main()
finally:
    print(*sorted(set(sys.modules) - before), file=sys.stderr)
"""
OWN = {f"kirin_batch{name}" for name in ("", ".__main__", ".caches", ".recall", ".witness")}
HEAVY = {"aiohttp", "jsonschema", "rich", "PIL", "av", "fsspec", "jinja2"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CachedProject:
    return CachedProject(tmp_path / "project", monkeypatch)


def imported_by(*words: str) -> tuple[str, set[str]]:
    """What a process of its own tells, and the modules that it imports."""
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", PROBE, *words], capture_output=True, text=True, check=True
    )
    return done.stdout, set(done.stderr.split())


@pytest.mark.parametrize("command", ["validate", "plan"])
def test_an_answer_at_once_imports_next_to_nothing(project: CachedProject, command: str) -> None:
    settled = project.ask(command)
    told, modules = imported_by(*project.whole(command))
    assert told == settled.out
    assert {name for name in modules if name.startswith("kirin_batch")} == OWN
    assert len(modules - OWN) < 8, modules


def test_a_run_at_once_needs_one_module_more(project: CachedProject) -> None:
    settled = project.ask("run")
    told, modules = imported_by(*project.whole("run"))
    assert told == settled.out
    assert len(modules - OWN) < 9, modules


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("validate", "--no-cache"), ("plan", "--no-cache")])
def test_what_reads_and_tells_imports_no_client(project: CachedProject, words: tuple[str, ...]) -> None:
    _, modules = imported_by(*(project.whole(*words) if "--no-cache" in words else words))
    assert HEAVY & modules == set()
