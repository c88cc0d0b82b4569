"""Problems as GitHub Actions reads them from a log: one workflow command a line, which annotates the file.

Source: GitHub's documentation, "Workflow commands for GitHub Actions"; what is escaped is what its runner reads back.
"""

from collections.abc import Mapping
from pathlib import Path

from kirin_batch.problems import Problem, one_line

__all__ = ["github_command", "repository_prefix"]

_IN_MESSAGES = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTIES = _IN_MESSAGES | str.maketrans({":": "%3A", ",": "%2C"})


def github_command(problem: Problem, *, prefix: str) -> str:
    """`::error file=specs/a.yaml,line=3,col=7,title=enum::film:hero: …`; for `prefix`, see `repository_prefix`."""
    properties = {
        "file": prefix + one_line(problem.file),  # as the job: a log is read on terminals too
        "line": str(problem.line),
        "col": str(problem.column),
        "title": problem.rule,
    }
    told = ",".join(f"{name}={text.translate(_IN_PROPERTIES)}" for name, text in properties.items())
    message = f"{one_line(problem.job)}: {problem.message}" if problem.job else problem.message
    return f"::{problem.severity} {told}::{message.translate(_IN_MESSAGES)}"


def repository_prefix(root: Path, environ: Mapping[str, str]) -> str:
    """What leads from the root of a repository to the project: `media/`, or "" where they are one.

    The repository is the nearest folder upwards with a `.git`; a checkout without one, as Actions makes it where there
    is no git, lies in GITHUB_WORKSPACE.
    """
    above = (root, *root.parents)
    workspace = Path(environ.get("GITHUB_WORKSPACE") or root).resolve()
    repository = next((folder for folder in above if (folder / ".git").exists()), workspace)
    below = root.relative_to(repository).as_posix() if repository in above else "."
    return "" if below == "." else f"{below}/"
