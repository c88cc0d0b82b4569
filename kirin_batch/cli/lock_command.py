"""`kirin-batch lock`: what concerns the lockfile itself; `lock merge` is what git calls."""

from pathlib import Path

import click

from kirin_batch.cli.shared import ProjectCommand
from kirin_batch.commands.lock import install_merge_driver, merge_lockfiles
from kirin_batch.commands.workspace import project_with_defaults
from kirin_batch.errors import ExitCode

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


@click.group("lock")
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
