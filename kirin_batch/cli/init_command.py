"""`kirin-batch init`: makes a project, tells each file that it wrote or left alone, and what to do next."""

from collections.abc import Iterator
from pathlib import Path

import click

from kirin_batch.cli.log_file import open_log
from kirin_batch.cli.shared import ProjectCommand, Shared, common_options, pass_shared
from kirin_batch.commands.init import Change, NewFile, NewProject, init_project
from kirin_batch.errors import ExitCode

__all__ = ["command"]

_EPILOG = """\b
Examples:
  kirin-batch init
  kirin-batch init campaign && cd campaign && kirin-batch run --sandbox
  kirin-batch init --github

\b
It writes kirin.yaml, specs/first.yaml, the schemas that editors check YAML
with, and .vscode/settings.json; to .gitignore and .gitattributes it adds the
lines they lack. What is there stays as it is, and nothing is asked. Schemas
are written anew by `kirin-batch schema spec > schemas/spec.schema.json`.

\b
--github writes .github/workflows/kirin.yml at the root of the repository: a
pull request is validated, and its plan becomes one comment; what is merged is
run with the secret KIRIN_API_KEY, and kirin.lock is committed.
"""

_COLOURS = {Change.WRITTEN: "green", Change.EXTENDED: "cyan", Change.KEPT: "yellow"}


@click.command("init", cls=ProjectCommand, epilog=_EPILOG)
@click.argument("directory", metavar="[DIR]", default=Path(), type=click.Path(path_type=Path, file_okay=False))
@click.option("--github", is_flag=True, help="Write a workflow of GitHub Actions too.")
@common_options
@pass_shared
def command(shared: Shared, directory: Path, *, github: bool) -> int:
    """Make DIR, or the working directory, a project that runs at once; nothing that is there is overwritten."""
    open_log(shared.log_file)
    project = init_project((shared.folder or Path()) / directory, github=github)
    steps = list(_next_steps(project, github=github))
    if shared.is_json:
        files = [{"path": file.path, "change": str(file.change), "note": file.note} for file in project.files]
        shared.print_json({"project": str(project.root), "files": files, "next": steps})
        return ExitCode.DONE
    for file in () if shared.quiet else project.files:
        shared.print(_line(file))
    written = sum(file.change is not Change.KEPT for file in project.files)
    shared.print(f"{project.root} is a project: {written} of {len(project.files)} files written or extended")
    for step in () if shared.quiet else steps:
        shared.print(f"  {step}")
    return ExitCode.DONE


def _line(file: NewFile) -> str:
    note = file.note or ("is there already" if file.change is Change.KEPT else "")
    change = click.style(f"{file.change:<8}", fg=_COLOURS[file.change])
    return f"{change}  {file.path}" + (f"  ({note})" if note else "")


def _next_steps(project: NewProject, *, github: bool) -> Iterator[str]:
    if project.root != Path.cwd():
        yield f"cd {click.format_filename(project.root)}"
    yield "kirin-batch run --sandbox         # pictures without a key, and without a cost"
    yield "kirin-batch report --open         # look at them"
    if project.repository:
        yield "kirin-batch lock merge --install  # git merges kirin.lock by job; once in each clone"
    if github:
        yield "gh secret set KIRIN_API_KEY       # the key for the workflow; see its KIRIN_BATCH for what it installs"
