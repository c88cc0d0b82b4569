"""The workflow that `init --github` writes, and action.yml: linted, and their steps run as GitHub's shell runs them."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_jsonschema import main as check_jsonschema  # type: ignore[import-untyped] # it has no types
from click.testing import CliRunner
from git_repository import Repository, isolate_git, make_repository
from studio import CHECKOUT, Studio, open_studio

from kirin_batch.cli.main import run_command_line

# What `gh api` does with comments, which lie in a file here; jq is what gh has built in.
GH = """\
import json, os, pathlib, subprocess, sys
store, arguments = pathlib.Path(os.environ["COMMENTS"]), sys.argv[1:]
comments = json.loads(store.read_text())
if "--jq" in arguments:
    sys.exit(subprocess.run(["jq", "-r", arguments[-1]], input=store.read_text(), text=True).returncode)
assert os.environ["GH_TOKEN"] and "--method" in arguments
body = pathlib.Path(arguments[-1].removeprefix("body=@")).read_text()
if "POST" in arguments:
    comments.append({"id": 7 + len(comments), "user": {"type": "Bot"}, "body": body})
else:
    number = next(int(part.rpartition("/")[2]) for part in arguments if "issues/comments/" in part)
    next(comment for comment in comments if comment["id"] == number)["body"] = body
store.write_text(json.dumps(comments))
"""

needs_jq = pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    """A new project with a workflow, in a repository of its own, whose origin is another folder."""
    isolate_git(monkeypatch)
    root = tmp_path / "work"
    make_repository(root)
    with open_studio(root, monkeypatch, capsys) as studio:
        assert run_command_line(["init", str(root), "--github", "-q"]) == 0
        origin = tmp_path / "origin.git"
        repository = Repository(root)
        repository.git("init", "--quiet", "--bare", "--initial-branch=main", str(origin))
        repository.git("remote", "add", "origin", str(origin))
        push(repository)
        yield studio


def push(repository: Repository) -> None:
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--message", "specs")
    repository.git("push", "--quiet", "--set-upstream", "origin", "main")


def workflow_of(root: Path) -> Any:  # noqa: ANN401 - any YAML
    return yaml.safe_load((root / ".github" / "workflows" / "kirin.yml").read_text())


def runner_environment(folder: Path) -> dict[str, str]:
    """What a runner sets, as far as the steps look."""
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    gh = folder / "bin" / "gh"
    gh.write_text(f"#!{sys.executable}\n{GH}")
    gh.chmod(0o755)
    program = folder / "bin" / "kirin-batch"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m kirin_batch "$@"\n')
    program.chmod(0o755)
    comments = folder / "comments.json"
    if not comments.exists():
        comments.write_text("[]")
    return {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": "someone/pictures",
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "RUNNER_TEMP": str(folder),
        "COMMENTS": str(comments),
    }


def step(
    root: Path, job: str, name: str, environment: Mapping[str, str], *, code: int = 0
) -> "subprocess.CompletedProcess[str]":
    """Run a step of the workflow as `shell: bash` does."""
    (found,) = (step for step in workflow_of(root)["jobs"][job]["steps"] if step.get("name") == name)
    done = subprocess.run(  # noqa: S603 - a step of our own workflow
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", found["run"]],  # noqa: S607 - the machine's own
        cwd=root,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def plan(studio: Studio, folder: Path, *, head: str, code: int = 0) -> list[str]:
    """Call the steps of a pull request, and give the comments that it then has."""
    environment = {**runner_environment(folder), "HEAD_SHA": head, "PULL_REQUEST": "5", "GH_TOKEN": "token"}
    step(studio.root, "plan", "Plan", environment, code=code)
    step(studio.root, "plan", "Comment", environment)
    return [comment["body"] for comment in json.loads((folder / "comments.json").read_text())]


@needs_jq
def test_a_pull_request_has_one_comment_which_is_brought_up_to_date(studio: Studio, tmp_path: Path) -> None:
    folder = tmp_path / "runner"
    runner_environment(folder)
    of_a_person = {"id": 1, "user": {"type": "User"}, "body": "<!-- kirin-batch plan root --> quoted"}
    (folder / "comments.json").write_text(json.dumps([of_a_person]))
    _, first = plan(studio, folder, head="a" * 40)
    assert first.startswith(
        "<!-- kirin-batch plan root -->\n<!-- kirin-batch plan -->\n### kirin-batch plan: 3 create;"
    )
    assert "| <code>first&#58;" in first
    (studio.root / "specs" / "first.yaml").unlink()
    quoted, second = plan(studio, folder, head="b" * 40)
    assert (folder / "summary.md").read_text() == first + second, "each push has one summary"
    assert (quoted, "no jobs" in second, "b" * 12 in second) == (of_a_person["body"], True, True)
    assert studio.books.creates == 0


@needs_jq
def test_specs_that_are_wrong_fail_the_step_and_are_told_in_the_comment(studio: Studio, tmp_path: Path) -> None:
    studio.prompts(wrong="'${{ vars.gone }}'")
    (body,) = plan(studio, tmp_path / "runner", head="a" * 40, code=1)
    assert "### kirin-batch: no plan can be made" in body
    assert "vars.gone" in body
    environment = runner_environment(tmp_path / "runner")
    assert "::error file=specs/film.yaml" in step(studio.root, "plan", "Validate", environment, code=1).stdout


@needs_jq
def test_no_text_of_a_spec_ends_the_block_that_it_is_shown_in(studio: Studio, tmp_path: Path) -> None:
    studio.prompts(wrong="'${{ vars.````x }} @someone <!-- '")
    (body,) = plan(studio, tmp_path / "runner", head="a" * 40, code=1)
    block = body.partition("`````text\n")[2].partition("\n`````\n")[0]
    assert "````x" in block
    assert "Planned for" not in block


@needs_jq
def test_errors_that_are_cut_within_a_character_leave_a_whole_comment(studio: Studio, tmp_path: Path) -> None:
    names = ["a" * 250, *["山" * 180] * 200]
    jobs = (f"  j{n}: {{params: {{prompt: '${{{{ vars.{name} }}}}'}}}}\n" for n, name in enumerate(names))
    studio.spec("".join(jobs))
    (body,) = plan(studio, tmp_path / "runner", head="a" * 40, code=1)
    assert body.count("\n```") == 2, "a block that begins and ends"
    assert body.rstrip().endswith("Nothing is sent before it is merged.")
    assert (tmp_path / "runner" / "summary.md").read_text() == body


@needs_jq
def test_a_plan_of_thousands_of_jobs_fits_into_the_comment(studio: Studio, tmp_path: Path) -> None:
    studio.spec(f"  many: {{matrix: {{n: {list(range(1000))}}}, params: {{prompt: '@a `|` <b> ${{{{ matrix.n }}}}'}}}}")
    (body,) = plan(studio, tmp_path / "runner", head="a" * 40)
    assert "1003 to create" in body
    assert "for which there is no room here" in body
    assert body.rstrip().endswith("Nothing is sent before it is merged.")
    assert 50_000 < len(body) <= 65_536


def run_and_commit(studio: Studio, folder: Path) -> str:
    """Call the steps of a merge; the paths at the origin's tip."""
    environment = runner_environment(folder)
    step(studio.root, "run", "Run", environment)
    step(studio.root, "run", "Commit", environment)
    return Repository(studio.root).git("ls-tree", "-r", "--name-only", "origin/main").stdout


def test_what_is_merged_is_run_and_committed_with_its_results(studio: Studio, tmp_path: Path) -> None:
    paths = run_and_commit(studio, tmp_path / "runner").splitlines()
    assert "kirin.lock" in paths
    assert len([path for path in paths if path.startswith("outputs/first/")]) == 3
    assert not any(path.startswith(".kirin/") for path in paths)
    run_and_commit(studio, tmp_path / "runner")
    assert studio.books.creates == 3
    assert Repository(studio.root).git("rev-list", "--count", "main").stdout == "2\n"


def test_with_a_store_the_lockfile_alone_is_committed(studio: Studio, tmp_path: Path) -> None:
    with (studio.root / "kirin.yaml").open("a") as settings:
        settings.write(f'store: "file://{tmp_path}/store"\n')
    push(Repository(studio.root))
    paths = run_and_commit(studio, tmp_path / "runner")
    assert "kirin.lock" in paths
    assert "outputs/" not in paths


@pytest.mark.parametrize("nothing", ["null", "~", "# none", "null   # none"])
def test_a_store_that_is_named_but_empty_is_none(studio: Studio, tmp_path: Path, nothing: str) -> None:
    with (studio.root / "kirin.yaml").open("a") as settings:
        settings.write(f"store: {nothing}\n")
    push(Repository(studio.root))
    assert "outputs/first/" in run_and_commit(studio, tmp_path / "runner")


def test_the_commit_goes_on_top_of_what_others_pushed_meanwhile(studio: Studio, tmp_path: Path) -> None:
    other = Repository(tmp_path / "other")
    Repository(studio.root).git("clone", "--quiet", str(tmp_path / "origin.git"), str(other.root))
    (other.root / "README.md").write_text("ours\n")
    push(other)
    paths = run_and_commit(studio, tmp_path / "runner").splitlines()
    assert {"README.md", "kirin.lock"} <= set(paths)


def test_no_step_puts_values_of_github_into_its_shell(studio: Studio) -> None:
    jobs = [*workflow_of(studio.root)["jobs"].values(), yaml.safe_load((CHECKOUT / "action.yml").read_text())["runs"]]
    scripts = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    assert len(scripts) == 9
    assert not [script for script in scripts if "${{" in script]


def test_the_key_is_in_one_step_of_the_job_on_the_default_branch(studio: Studio) -> None:
    workflow = workflow_of(studio.root)
    assert "pull_request_target" not in workflow[True]  # YAML 1.1 reads the key `on` so
    assert "secrets" not in json.dumps([workflow["env"], workflow["jobs"]["plan"]])
    holders = [step["name"] for step in workflow["jobs"]["run"]["steps"] if "secrets" in json.dumps(step)]
    assert holders == ["Run"]
    assert "default_branch" in workflow["jobs"]["run"]["if"]
    assert "always()" in workflow["jobs"]["run"]["steps"][-1]["if"], "what was paid for is committed after a failure"
    assert workflow["permissions"] == {}
    assert workflow["jobs"]["plan"]["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert workflow["jobs"]["run"]["permissions"] == {"contents": "write"}
    assert workflow["jobs"]["run"]["concurrency"]["cancel-in-progress"] is False


def test_github_knows_every_key_of_the_workflow_and_of_the_action(studio: Studio) -> None:
    files = {"github-workflows": studio.root / ".github" / "workflows" / "kirin.yml"}
    for schema, file in {**files, "github-actions": CHECKOUT / "action.yml"}.items():
        checked = CliRunner().invoke(check_jsonschema, ["--builtin-schema", f"vendor.{schema}", str(file)])
        assert checked.exit_code == 0, checked.output


AUDIT = """
rules:
  unpinned-uses: {config: {policies: {"actions/*": ref-pin, "*": hash-pin}}}
  artipacked: {ignore: [kirin.yml]}  # the credentials push kirin.lock
"""


def test_an_audit_of_workflows_and_action_finds_nothing(studio: Studio, tmp_path: Path) -> None:
    files = [studio.root / ".github" / "workflows" / "kirin.yml", CHECKOUT / "action.yml"]
    files += sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))
    config = tmp_path / "audit.yml"
    config.write_text(AUDIT)
    words = ["--offline", "--no-progress", "--config", str(config), *map(str, files)]
    program = [str(Path(sys.executable).with_name("zizmor")), *words]
    done = subprocess.run(program, capture_output=True, text=True, check=False)  # noqa: S603 - a tool of our own environment
    assert (len(files), done.returncode) == (4, 0), done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("actionlint"), reason="actionlint is not installed")
def test_actionlint_finds_nothing(studio: Studio) -> None:
    done = subprocess.run(["actionlint"], cwd=studio.root, capture_output=True, text=True, check=False)  # noqa: S607 - the machine's own
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_action_calls_the_command_with_its_arguments_a_line_each(studio: Studio, tmp_path: Path) -> None:
    folder = tmp_path / "kirin-batch"
    environment = runner_environment(folder) | {"RUNNER_TEMP": str(tmp_path)}
    last = yaml.safe_load((CHECKOUT / "action.yml").read_text())["runs"]["steps"][-1]
    done = subprocess.run(  # noqa: S603 - a step of our own action
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", last["run"]],  # noqa: S607 - the machine's own
        cwd=studio.root,
        env={**os.environ, **environment, "COMMAND": "plan", "ARGUMENTS": "--job\n*:house[season=winter]\n\n-q\n"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout.split(";")[0]) == (0, "1 create"), done.stderr


def test_each_hook_of_pre_commit_is_a_command_that_passes_in_a_new_project(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(studio.root)
    assert studio.run("run", "-q").code == 0
    hooks = yaml.safe_load((CHECKOUT / ".pre-commit-hooks.yaml").read_text())
    assert [hook["id"] for hook in hooks] == ["kirin-validate", "kirin-lock-check"]
    for hook in hooks:
        program, *arguments = shlex.split(hook["entry"])
        assert (program, studio.run(*arguments).code) == ("kirin-batch", 0)
