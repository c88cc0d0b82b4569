"""What `make test` and CI check. The sessions share the environment that the Makefile made: none adds to it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nox

nox.options.default_venv_backend = "none"

PYTEST = ("pytest", "-W", "error")
# More than 4 processes cost more to start than they save.
PARALLEL = ("--numprocesses", "auto", "--maxprocesses", "4")
PINS = sorted(Path(__file__).with_name("requirements").glob("*.txt"))
AUDIT_SECONDS = 180


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


@nox.session(default=False)
def audit(session: nox.Session) -> None:
    """Ask which pinned packages have known vulnerabilities; skip, and say so, where nobody can be asked.

    `make test` leaves it out: it needs the network, and what it finds comes with time, not with a change. Known and
    borne: `nox --session audit -- --ignore-vuln ID`.
    """
    pins = [argument for path in PINS for argument in ("--requirement", str(path))]
    plain = ("--disable-pip", "--require-hashes", "--progress-spinner=off", "--format=json", "--timeout=10")
    command = [sys.executable, "-m", "pip_audit", "--vulnerability-service=osv", *plain, *pins, *session.posargs]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=AUDIT_SECONDS)  # noqa: S603 - a tool of our own environment
    except subprocess.TimeoutExpired:
        session.skip(f"not audited: the service took more than {AUDIT_SECONDS} seconds")
    if not done.stdout:
        *_, reason = done.stderr.splitlines() or ["no answer"]
        # pip-audit tells a service that is out of reach, or out of order, by its own traceback or by this tip.
        if any(mark in done.stderr for mark in ("requests.exceptions.", "ServiceError", "network may be blocking")):
            session.skip(f"not audited, the service cannot be asked: {reason[:200]}")
        session.error(f"pip-audit failed: {reason}")
    tell_audit(session, json.loads(done.stdout)["dependencies"])


def tell_audit(session: nox.Session, packages: list[dict[str, Any]]) -> None:
    """Fail for packages with vulnerabilities; what the service does not know counts as not audited."""
    found = [
        f"{package['name']} {package['version']}: {flaw['id']} (mended in {', '.join(flaw['fix_versions']) or 'none'})"
        for package in packages
        for flaw in package.get("vulns", ())
    ]
    for line in found:
        session.warn(line)
    if found:
        session.error(f"known vulnerabilities: {len(found)}")
    if unknown := [package["name"] for package in packages if "skip_reason" in package]:
        session.skip(f"{len(unknown)} of {len(packages)} packages not audited: {', '.join(unknown)[:200]}")
    session.log(f"{len(packages)} packages audited, no known vulnerabilities")


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
