"""What `make test` and CI check. The sessions share the environment that the Makefile made: none installs anything."""

import sys

import nox

nox.options.default_venv_backend = "none"

PYTEST = ("pytest", "-W", "error")
# More than 4 processes cost more to start than they save.
PARALLEL = ("--numprocesses", "auto", "--maxprocesses", "4")


@nox.session
def lint(session: nox.Session) -> None:
    run(session, "ruff", "check", ".")
    run(session, "ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    run(session, "mypy")


@nox.session
def tests(session: nox.Session) -> None:
    # The floor of the coverage stands in pyproject.toml.
    run(session, *PYTEST, "-m", "not wheel and not soak", "--cov", *PARALLEL, *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    run(session, *PYTEST, "-m", "soak", *PARALLEL)


@nox.session
def wheel(session: nox.Session) -> None:
    run(session, *PYTEST, "-m", "wheel")


def run(session: nox.Session, module: str, *arguments: str) -> None:
    """Run a tool of the environment that runs nox, whatever is on the PATH."""
    session.run(sys.executable, "-m", module, *arguments)
