"""Problems as people and machines read them."""

from collections.abc import Sequence
from typing import Any

import click

from kirin_batch.problems import Problem, Severity

__all__ = ["counted", "problem_as_json", "problem_line", "problems_summary"]


def problem_line(problem: Problem) -> str:
    """`specs/a.yaml:12:7: error: … [enum]`, with the job where the line alone does not tell it."""
    place = click.style(f"{problem.file}:{problem.line}:{problem.column}:", bold=True)
    colour = "red" if problem.severity is Severity.ERROR else "yellow"
    severity = click.style(f"{problem.severity}:", fg=colour, bold=True)
    job = f"{problem.job}: " if problem.job else ""
    return f"{place} {severity} {job}{problem.message} {click.style(f'[{problem.rule}]', dim=True)}"


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
