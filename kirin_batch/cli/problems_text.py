"""Problems as people read them, and as `--format json` has them."""

import shutil
from collections.abc import Iterator, Sequence
from typing import Any

import click

from kirin_batch.cli.problems_source import Excerpt, SourceLines
from kirin_batch.problems import Problem, Severity, one_line
from kirin_batch.project import Project

__all__ = ["counted", "problem_as_json", "problem_texts", "problems_summary"]

_FEWEST_COLUMNS = 40  # of a terminal: in less, nothing can be read
_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


def problem_texts(problems: Sequence[Problem], project: Project) -> Iterator[str]:
    """Each problem as a line, and below it the line of its file with a caret under the place."""
    lines = SourceLines(project)
    columns = max(shutil.get_terminal_size().columns, _FEWEST_COLUMNS)
    for problem in problems:
        excerpt = lines.excerpt(problem, columns=columns - len(_gutter(problem)))
        yield _line(problem) if excerpt is None else f"{_line(problem)}\n{_with_caret(problem, excerpt)}"


def _line(problem: Problem) -> str:
    """`specs/a.yaml:12:7: error: film:hero: … [enum]`; names of files and jobs may hold anything."""
    place = click.style(f"{one_line(problem.file)}:{problem.line}:{problem.column}:", bold=True)
    severity = click.style(f"{problem.severity}:", fg=_COLOURS[problem.severity], bold=True)
    job = f"{one_line(problem.job)}: " if problem.job else ""
    return f"{place} {severity} {job}{problem.message} {click.style(f'[{problem.rule}]', dim=True)}"


def _gutter(problem: Problem) -> str:
    return f"  {problem.line} | "


def _with_caret(problem: Problem, excerpt: Excerpt) -> str:
    gutter = _gutter(problem)
    shown = f"{click.style(gutter, dim=True)}{excerpt.text}" if excerpt.text else click.style(gutter.rstrip(), dim=True)
    below = click.style(f"{'| ':>{len(gutter)}}", dim=True)
    return f"{shown}\n{below}{' ' * excerpt.before}{click.style('^', fg=_COLOURS[problem.severity], bold=True)}"


def problems_summary(problems: Sequence[Problem], *, files: int, jobs: int) -> str:
    """One line that counts."""
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    warnings = len(problems) - errors
    read = f"{counted(jobs, 'job')} in {counted(files, 'file')}"
    if not problems:
        return f"{read}: all valid"
    return f"{read}: {counted(errors, 'error')}, {counted(warnings, 'warning')}"


def counted(number: int, noun: str) -> str:
    """`1 job`, `2 jobs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def problem_as_json(problem: Problem) -> dict[str, Any]:
    """The form of `--format json`."""
    return {
        "severity": str(problem.severity),
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "job": problem.job,
        "parameter": problem.parameter,
        "rule": problem.rule,
        "message": problem.message,
    }
