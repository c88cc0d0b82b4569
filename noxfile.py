"""What `make test` and CI check. The sessions share the environment that the Makefile made: none adds to it."""

import os
import shutil
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
    run(session, *PYTEST, "-m", "not wheel and not soak and not browser", "--cov", *PARALLEL, *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    run(session, *PYTEST, "-m", "soak", *PARALLEL)


@nox.session
def wheel(session: nox.Session) -> None:
    run(session, *PYTEST, "-m", "wheel")


@nox.session
def browser(session: nox.Session) -> None:
    install_chromium(session)
    run(session, *PYTEST, "-m", "browser")


def install_chromium(session: nox.Session) -> None:
    """Install Debian's Chromium where there is none and it may be: as root, or in CI. Elsewhere its tests skip."""
    has_one = any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if has_one or not shutil.which("apt-get") or not (is_root or os.environ.get("CI")):
        return
    apt = (*(() if is_root else ("sudo", "-n")), "apt-get", "--quiet", "--option", "Acquire::Retries=3")
    packages = ("chromium", "fonts-dejavu-core")
    session.run(*apt, "update", external=True)
    session.run(*apt, "install", "--yes", "--no-install-recommends", *packages, external=True)


def run(session: nox.Session, module: str, *arguments: str) -> None:
    """Run a tool of the environment that runs nox, whatever is on the PATH."""
    session.run(sys.executable, "-m", module, *arguments)
