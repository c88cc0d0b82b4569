"""The workflows of this repository: linted, with few rights; a release runs step by step as in GitHub's shell."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_jsonschema import main as check_jsonschema  # type: ignore[import-untyped] # it has no types
from click.testing import CliRunner
from git_repository import Repository, isolate_git, make_repository

import kirin_batch

CHECKOUT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))
RELEASE = CHECKOUT / ".github" / "workflows" / "release.yml"
CHECK = "Check the tag, the addresses and the changelog"
CHANGELOG = """\
# Changelog

## Unreleased

- What comes.

## 1.2.30

- Not this.

## 1.2.3 (2026-01-31)

- What is new.

- And more.

## 1.2.2

- What was.
"""
PINNED = re.compile(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+\n")

# What `gh release` does: it knows the releases of a file, and notes there what it is told.
GH = """\
import json, os, pathlib, sys
store, (verb, tag, *rest) = pathlib.Path(os.environ["RELEASES"]), sys.argv[4:]
assert sys.argv[1:4] == ["release", "--repo", "someone/kirin-batch"] and os.environ["GH_TOKEN"]
releases = json.loads(store.read_text())
if verb == "view":
    sys.exit(tag not in releases)
assert (verb == "create") == (tag not in releases)
releases[tag] = sorted(part for part in rest if part.startswith("dist/"))
store.write_text(json.dumps(releases))
"""

by_name = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def jobs_of(path: Path) -> Any:  # noqa: ANN401 - any YAML
    return yaml.safe_load(path.read_text())["jobs"]


def call_step(name: str, folder: Path, *, code: int = 0, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a step of the release in `folder` as `shell: bash` does; what is kept between steps lies in it, too."""
    (found,) = (step for job in jobs_of(RELEASE).values() for step in job["steps"] if step.get("name") == name)
    done = subprocess.run(  # noqa: S603 - a step of our own workflow
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", found["run"]],  # noqa: S607 - the machine's own
        cwd=folder,
        env={**os.environ, "RUNNER_TEMP": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """What the check of a release reads, of a version 1.2.3."""
    (tmp_path / "kirin_batch").mkdir()
    (tmp_path / "kirin_batch" / "__init__.py").write_text('"""A."""\n\n__version__ = "1.2.3"\n')
    (tmp_path / "pyproject.toml").write_text('[project.urls]\nSource = "https://git.test/"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    return tmp_path


def test_the_notes_of_a_release_are_the_section_of_its_version(source: Path) -> None:
    call_step(CHECK, source, GITHUB_REF_NAME="v1.2.3")
    assert (source / "notes.md").read_text().strip() == "- What is new.\n\n- And more."


@pytest.mark.parametrize("tag", ["v1.2.30", "v1.2", "1.2.3", "v1.2.3-rc1", "v1x2.3"])
def test_a_tag_of_another_version_is_refused(source: Path, tag: str) -> None:
    told = call_step(CHECK, source, code=1, GITHUB_REF_NAME=tag).stdout
    assert told == f"::error file=kirin_batch/__init__.py::the tag is {tag}, and the version is 1.2.3\n"


@pytest.mark.parametrize("changelog", ["## 1.2.30\n\n- A.\n", "## 1.2.3\n\n## 1.2.2\n\n- A.\n", "### 1.2.3\n\n- A.\n"])
def test_a_version_of_which_the_changelog_tells_nothing_is_refused(source: Path, changelog: str) -> None:
    (source / "CHANGELOG.md").write_text(changelog)
    told = call_step(CHECK, source, code=1, GITHUB_REF_NAME="v1.2.3").stdout
    assert "::error file=CHANGELOG.md::it has no section '## 1.2.3'" in told


def test_addresses_that_are_nobodys_are_not_released(source: Path) -> None:
    shutil.copy(CHECKOUT / "pyproject.toml", source / "pyproject.toml")
    told = call_step(CHECK, source, code=1, GITHUB_REF_NAME="v1.2.3").stdout
    assert "the addresses of the project are still placeholders" in told


def test_the_version_is_where_the_check_looks_for_it(source: Path) -> None:
    shutil.copy(CHECKOUT / "kirin_batch" / "__init__.py", source / "kirin_batch" / "__init__.py")
    told = call_step(CHECK, source, code=1, GITHUB_REF_NAME="v0").stdout
    assert f"the version is {kirin_batch.__version__}\n" in told


def test_a_release_is_announced_with_its_files_and_again_after_it_broke_off(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "dist").mkdir()
    files = ["dist/kirin_batch-1.2.3-py3-none-any.whl", "dist/kirin_batch-1.2.3.tar.gz"]
    for name in (*files, "notes.md", "gh"):
        (source / name).write_text(f"#!{sys.executable}\n{GH}")
    (source / "gh").chmod(0o755)
    releases = source / "releases.json"
    releases.write_text("{}")
    for name, value in {"RELEASES": str(releases), "GH_TOKEN": "token", "GITHUB_REF_NAME": "v1.2.3"}.items():
        monkeypatch.setenv(name, value)
    path = f"{source}{os.pathsep}{os.environ['PATH']}"
    for _ in range(2):
        call_step("Announce", source, PATH=path, GITHUB_REPOSITORY="someone/kirin-batch")
        assert json.loads(releases.read_text()) == {"v1.2.3": files}


@pytest.mark.wheel
def test_the_same_commit_is_built_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate_git(monkeypatch)
    repository = make_repository(tmp_path / "origin")
    for name in ("kirin_batch", "schemas", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"):
        copy = shutil.copytree if (CHECKOUT / name).is_dir() else shutil.copy
        copy(CHECKOUT / name, repository.root / name)
    (repository.root / ".gitignore").write_text("__pycache__/\n/.venv\n/dist/\n")
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--message", "a release")
    (tmp_path / "notes.md").write_text("- What is new.\n")
    built = [build(repository, tmp_path / name) for name in ("one", "two")]
    assert sorted(Path(name).suffix for name in built[0]) == [".gz", ".whl"]
    assert built[0] == built[1]


def build(repository: Repository, folder: Path) -> dict[str, bytes]:
    """The files that the release's own step builds from a checkout of the repository in `folder`."""
    repository.git("clone", "--quiet", str(repository.root), str(folder))
    (folder / ".venv").symlink_to(sys.prefix)
    call_step("Build", folder, RUNNER_TEMP=str(folder.parent))
    return {path.name: path.read_bytes() for path in (folder / "dist").iterdir()}


@by_name
def test_github_knows_every_key_of_the_workflow(path: Path) -> None:
    checked = CliRunner().invoke(check_jsonschema, ["--builtin-schema", "vendor.github-workflows", str(path)])
    assert checked.exit_code == 0, checked.output


@by_name
def test_every_action_is_pinned_by_its_commit_and_tells_its_version(path: Path) -> None:
    lines = [line.strip(" -") + "\n" for line in path.read_text().splitlines() if "uses:" in line]
    assert [line for line in lines if not PINNED.fullmatch(line)] == []


@by_name
def test_no_step_puts_values_of_github_into_its_shell(path: Path) -> None:
    scripts = [step["run"] for job in jobs_of(path).values() for step in job["steps"] if "run" in step]
    assert scripts
    assert not [script for script in scripts if "${{" in script]


def test_each_job_has_the_rights_that_it_needs_and_none_has_a_secret() -> None:
    assert all(yaml.safe_load(path.read_text())["permissions"] == {} for path in WORKFLOWS)
    assert not any("secrets." in path.read_text() for path in WORKFLOWS)
    rights = {name: job["permissions"] for name, job in jobs_of(RELEASE).items()}
    contents = {"build": {"contents": "read"}, "announce": {"contents": "write"}}
    assert rights == {**contents, "publish": {"id-token": "write"}}
    assert jobs_of(RELEASE)["publish"]["environment"] == "release"
    assert not any("run" in step for step in jobs_of(RELEASE)["publish"]["steps"]), "no code of ours has that right"


def test_a_release_and_ci_run_the_command_that_people_run() -> None:
    for path in WORKFLOWS:
        scripts = [step.get("run") for job in jobs_of(path).values() for step in job["steps"]]
        assert ".ci/run" in scripts
