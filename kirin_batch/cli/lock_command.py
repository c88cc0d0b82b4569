"""`kirin-batch lock`: what concerns the lockfile itself; `lock merge` is what git calls, `lock check` what CI does."""

import os
from pathlib import Path

import click

from kirin_batch.cli.problems_github import github_command, repository_prefix
from kirin_batch.cli.problems_text import problem_as_json
from kirin_batch.cli.shared import ProjectCommand, Shared, common_options_with, pass_shared
from kirin_batch.commands.lock import install_merge_driver, merge_lockfiles
from kirin_batch.commands.lock_check import LockCheck, check_lock
from kirin_batch.commands.workspace import project_with_defaults
from kirin_batch.errors import ExitCode
from kirin_batch.problems import Problem, one_line

__all__ = ["command"]

_EPILOG = """\b
Examples:
  kirin-batch lock merge --install
  kirin-batch lock merge base.lock kirin.lock theirs.lock

git calls it for each merge, rebase, cherry-pick and stash that meets changes of kirin.lock on both sides. It is told
to by two things:

\b
  .gitattributes  kirin.lock merge=kirin-lock
  git config      merge.kirin-lock.driver "... lock merge -q %O %A %B"

The first is committed; the second is a clone's own, so each clone calls `lock merge --install` once. Without it git
leaves conflict markers, which every command reads as both sides, and the next run writes as one.

Exit codes: 0 merged, 1 a side cannot be read (OURS is left as it was, and
git reports a conflict), 2 usage.
"""

_CHECK_EPILOG = """\b
Examples:
  kirin-batch lock check
  kirin-batch lock check --complete --format github
  kirin-batch lock check --format json | jq '.problems[].message'

\b
Rules: header, invalid, twice, order, format (as the program writes it),
conflict (marks of a merge), journal (news of a killed run), orphan (no spec
has the job), incomplete (with --complete), output (a result's SHA-256).

\b
A hook of pre-commit:
  - id: kirin-lock
    name: kirin.lock
    entry: kirin-batch lock check -q
    language: system
    pass_filenames: false

Exit codes: 0 nothing is wrong, 1 something is, or specs are invalid, 2 usage.
"""


_GROUP_EPILOG = """\b
Examples:
  kirin-batch lock check
  kirin-batch lock merge --install
"""


@click.group("lock", epilog=_GROUP_EPILOG)
def command() -> None:
    """Look after kirin.lock itself."""


_file = click.Path(path_type=Path, dir_okay=False)


@command.command("merge", cls=ProjectCommand, epilog=_EPILOG)
@click.argument("base", required=False, type=_file)
@click.argument("ours", required=False, type=_file)
@click.argument("theirs", required=False, type=_file)
@click.option("--install", is_flag=True, help="Make git call it in this clone, and merge nothing now.")
@click.option(
    "-C",
    "--project",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="With --install: the project's root. [default: the nearest folder upwards with a kirin.yaml, else this one]",
)
@click.option("-q", "--quiet", is_flag=True, help="Print notes alone.")
def merge(
    base: Path | None, ours: Path | None, theirs: Path | None, folder: Path | None, *, install: bool, quiet: bool
) -> int:
    """Merge the lockfile THEIRS into OURS, both grown from BASE, by job.

    No task that either side recorded is lost. Where both sides paid for the same job, both tasks are kept, one is
    used, and a note says so.
    """
    if install and base is None:
        told = install_merge_driver(project_with_defaults(folder).root)
        for sentence in () if quiet else told:
            click.echo(sentence)
    elif install or folder or base is None or ours is None or theirs is None:
        raise click.UsageError("Give three files, BASE OURS THEIRS, or --install alone.", click.get_current_context())
    else:
        _merge_files(base, ours, theirs, quiet=quiet)
    return ExitCode.DONE


def _merge_files(base: Path, ours: Path, theirs: Path, *, quiet: bool) -> None:
    merged = merge_lockfiles(base, ours, theirs)
    for told in merged.paid_twice:
        click.echo(f"note: {told}", err=True)
    if not quiet:
        count = len(merged.records)
        twice = f", {len(merged.paid_twice)} paid for twice" if merged.paid_twice else ""
        click.echo(f"merged {count} job{'' if count == 1 else 's'}{twice}")


@command.command("check", cls=ProjectCommand, epilog=_CHECK_EPILOG)
@click.option("--complete", is_flag=True, help="Every job must be done as its spec is now.")
@click.option("--outputs", is_flag=True, help="Every recorded result must be on disk.")
@common_options_with(
    ("text", "json", "github"),
    told="For people, one JSON document, or annotations of GitHub Actions, whose summary goes to stderr.",
)
@pass_shared
def check(shared: Shared, *, complete: bool, outputs: bool) -> int:
    """Check kirin.lock as it is committed: for CI, and before a commit.

    It must be as the program writes it, hold no job that no spec has, and results that are on disk must have the
    SHA-256 that it says. No network, no key, nothing is written.
    """
    workspace = shared.workspace()
    checked = check_lock(workspace, complete=complete, outputs=outputs)
    if shared.is_json:
        problems = [problem_as_json(problem) for problem in checked.problems]
        shared.print_json({"valid": not checked.problems, "jobs": checked.jobs, "problems": problems})
    elif shared.form == "github":
        prefix = repository_prefix(workspace.project.root, os.environ)
        for problem in checked.problems:
            shared.print(github_command(problem, prefix=prefix))
        shared.print_note(_check_summary(checked))
    else:
        for problem in () if shared.quiet else checked.problems:
            shared.print(_problem_line(problem))
        shared.print(_check_summary(checked))
    return ExitCode.FAILED if checked.problems else ExitCode.DONE


def _problem_line(problem: Problem) -> str:
    place = click.style(f"{problem.file}:{problem.line}:", bold=True)
    job = f"{one_line(problem.job)}: " if problem.job else ""
    return f"{place} {job}{one_line(problem.message)} {click.style(f'[{problem.rule}]', dim=True)}"


def _check_summary(checked: LockCheck) -> str:
    jobs, wrong = checked.jobs, len(checked.problems)
    told = f"{wrong} {'problem' if wrong == 1 else 'problems'}" if wrong else "all is right"
    return f"kirin.lock, {jobs} {'job' if jobs == 1 else 'jobs'}: {told}"
