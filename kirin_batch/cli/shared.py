"""Options that commands share: each leaves its value in one `Shared`, which the command takes as its first argument."""

import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from kirin_batch import api
from kirin_batch.cli.completion_names import JOB, MODEL, SPEC, TAG
from kirin_batch.cli.log_file import open_log
from kirin_batch.cli.problems_text import problem_as_json, problem_texts
from kirin_batch.cli.terminal import printable
from kirin_batch.commands.workspace import Selection, SpecsInvalidError, Workspace
from kirin_batch.errors import KirinError
from kirin_batch.problems import Problem, one_line
from kirin_batch.project import InvalidSettingsError, Project, Settings

__all__ = [
    "ProjectCommand",
    "Shared",
    "common_options",
    "common_options_with",
    "json_text",
    "pass_shared",
    "paths_argument",
    "selection_options",
]

_CONTROLS = re.compile("[\x7f-\x9f]")  # DEL and C1; those below U+0020 are never raw in JSON
_NO_JOBS: Mapping[str, object] = {"jobs": [], "summary": {}}
_NOTHING: Mapping[str, Mapping[str, object]] = {
    "validate": {"valid": False, "files": 0, "jobs": 0},
    "plan": {**_NO_JOBS, "estimated_cost": None},
    "run": {**_NO_JOBS, "cost": "0"},
    "status": {**_NO_JOBS, "cost": "0"},
}  # what `--format json` promises, of a command that did not come to its work
_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(slots=True)
class Shared:
    """What the shared options say; see their help."""

    folder: Path | None = None
    form: str = "text"
    quiet: bool = False
    verbose: bool = False
    no_color: bool = False
    log_file: Path | None = None
    jobs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    failed: bool = False
    exclude: tuple[str, ...] = ()

    @property
    def is_json(self) -> bool:
        """Whether stdout is one JSON document and nothing else."""
        return self.form == "json"

    @property
    def may_color(self) -> bool:
        """Whether colours may be used where there is a terminal: unless `--no-color` or NO_COLOR says otherwise."""
        return not self.no_color and not os.environ.get("NO_COLOR")

    @property
    def has_progress(self) -> bool:
        """Whether a moving display may be drawn on stderr."""
        is_terminal = sys.stderr.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}
        return is_terminal and not self.quiet and not os.environ.get("CI")

    def selection(self, paths: tuple[Path, ...]) -> Selection:
        """The jobs that the options and `paths` mean."""
        return Selection(
            paths=paths,
            jobs=self.jobs,
            tags=self.tags,
            models=self.models,
            failed=self.failed,
            exclude=self.exclude,
        )

    def project(self) -> api.Project:
        """The project that the command is about; the log is open from here on."""
        open_log(self.log_file)
        return api.Project(self.folder)

    def open(self, paths: tuple[Path, ...] = ()) -> api.Project:
        """The project with its specs read; where it has none, people are told how to begin."""
        project = self.project()
        self.tell_first_step(project.folder, files=len(project.read(paths).specs.files))
        return project

    def workspace(self, paths: tuple[Path, ...] = ()) -> Workspace:
        """What is read of the project, as `open` does."""
        return self.open(paths).read(paths)

    def tell_first_step(self, project: Project, *, files: int) -> None:
        """Tell people what to do in a project of so many specs, if it has none."""
        if files or self.quiet or self.form != "text":
            return
        if project.settings.specs == Settings().specs:
            told = f"there are no specs in {click.format_filename(project.root)}: `kirin-batch init` writes a first one"
        else:
            told = f"`specs:` of kirin.yaml ({one_line(', '.join(project.settings.specs))}) meets no file"
        self.print_note(f"note: {told}")

    def print_json(self, document: object) -> None:
        """Print the one JSON document of `--format json`."""
        click.echo(json_text(document))

    def print(self, text: str) -> None:
        """Print a line for people on stdout, its colours only where they may be."""
        click.echo(printable(text), color=None if self.may_color else False)

    def print_note(self, text: str) -> None:
        """Print a line for people on stderr, beside what the command tells."""
        click.echo(printable(text), err=True, color=None if self.may_color else False)


def json_text(document: object) -> str:
    """JSON for people, with the control characters escaped that it may hold as they are: a terminal obeys some."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


class ProjectCommand(click.Command):
    """A command about a project. What ends it is told as JSON too where that was asked for, problems one by one."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click.Command
        """Call the command; errors go on to the one boundary, which has their message and exit code."""
        try:
            return super().invoke(ctx)
        except KirinError as error:
            _tell_error(ctx.ensure_object(Shared), error, command=str(self.name))
            raise


def _tell_error(shared: Shared, error: KirinError, *, command: str) -> None:
    problems: tuple[Problem, ...] = ()
    if isinstance(error, SpecsInvalidError | InvalidSettingsError):
        problems = error.problems
    if shared.is_json:
        told = {"error": str(error), "problems": [problem_as_json(problem) for problem in problems]}
        shared.print_json({**_NOTHING.get(command, _NO_JOBS), **told})
    if isinstance(error, SpecsInvalidError) and not shared.quiet:
        for text in problem_texts(problems, error.project):
            shared.print_note(text)


pass_shared = click.make_pass_decorator(Shared, ensure=True)
"""Gives a command the `Shared` of its call."""


def _remember(ctx: click.Context, param: click.Parameter, value: object) -> None:
    setattr(ctx.ensure_object(Shared), str(param.name), value)


_option = partial(click.option, expose_value=False, callback=_remember)


def _stack(*decorators: Callable[[_Function], _Function]) -> Callable[[_Function], _Function]:
    def decorate(function: _Function) -> _Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def paths_argument(function: _Function) -> _Function:
    """Spec files and folders, or patterns of them."""
    return click.argument("paths", nargs=-1, metavar="[PATH]...", type=SPEC)(function)


def common_options_with(forms: Sequence[str], *, told: str) -> Callable[[_Function], _Function]:
    """`common_options` for a command whose `--format` has further forms; the first is the default, `told` its help."""
    return _stack(
        _option(
            "-C",
            "--project",
            "folder",
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="The project's root. [default: the nearest folder upwards with a kirin.yaml, else this one]",
        ),
        _option("--format", "form", type=click.Choice(forms), default=forms[0], help=told),
        _option("-q", "--quiet", is_flag=True, help="Print one line."),
        _option("-v", "--verbose", is_flag=True, help="Tell more."),
        _option("--no-color", is_flag=True, help="No colours; NO_COLOR does the same."),
        _option(
            "--log-file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Append every request and decision, as JSON lines.",
        ),
    )


common_options = common_options_with(("text", "json"), told="For people, or one JSON document on stdout.")
"""What every command takes: `-C`, `--format`, `-q`, `-v`, `--no-color`, `--log-file`."""

selection_options = _stack(
    _option("--job", "jobs", type=JOB, multiple=True, metavar="GLOB", help="Jobs by id or name; may be repeated."),
    _option("--tag", "tags", type=TAG, multiple=True, metavar="GLOB", help="Jobs with a tag; may be repeated."),
    _option("--model", "models", type=MODEL, multiple=True, metavar="GLOB", help="Jobs of a model; may be repeated."),
    _option("--failed", is_flag=True, help="Jobs that failed."),
    _option("--exclude", type=JOB, multiple=True, metavar="GLOB", help="Not these, by id or name; may be repeated."),
)
"""Which jobs are meant: `--job`, `--tag`, `--model`, `--failed`, `--exclude`."""
