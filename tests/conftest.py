"""What holds for every test: the guard of `guards.py`, a known environment, and an empty working directory."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from guards import Guard

__all__ = ["GUARD", "known_environment"]

GUARD = Guard()
GUARD.install()  # before a test is collected: what is imported later is watched from its first line

_COLOUR = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLORTERM")
_CI = ("CI", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    with GUARD.watching():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    with GUARD.watching():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    with GUARD.watching():
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def _temporary_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let tests write where pytest gives them folders, and bring what `tempfile` makes there too."""
    with GUARD.paused():
        folder = tmp_path_factory.getbasetemp()  # the first call makes the folder and removes those of old sessions
    GUARD.allow(folder)
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    yield
    tempfile.tempdir = before


@pytest.fixture(autouse=True)
def known_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a test the same on every machine: no settings of the developer, 80 columns, UTC, cwd in `tmp_path`."""
    for name in (*_COLOUR, *_CI, *(name for name in os.environ if name.startswith("KIRIN_"))):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"COLUMNS": "80", "LINES": "24", "TZ": "UTC", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def guard() -> Guard:
    """The guard over this test, for those that look into what it refused."""
    return GUARD
