"""`kirin-batch --help` starts quickly, importing no more than it needs, and the README shows its very words."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
README = CHECKOUT / "README.md"
HELP_IN_README = re.compile(r"<!-- kirin-batch (?P<command>[\w ]*)--help -->\s*```\w*\n(?P<help>.*?)```", re.DOTALL)
PROBE = """
import sys
from kirin_batch.__main__ import main
sys.argv = ["kirin-batch", "--help"]
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


def run_python(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own interpreter with arguments of this file
        [sys.executable, *arguments], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True
    )


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Start-up as users have it: compiled modules are kept (here, not in the checkout), and no coverage is measured."""
    left_out = ("COVERAGE_", "COV_CORE_", "PYTHONDONTWRITEBYTECODE", "PYTEST_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return {**inherited, "PYTHONPYCACHEPREFIX": str(tmp_path / "bytecode"), "COLUMNS": "80"}


def seconds_of(*arguments: str, environment: dict[str, str]) -> float:
    start = time.perf_counter()
    run_python(*arguments, environment=environment)
    return time.perf_counter() - start


def test_the_help_imports_nothing_heavy(environment: dict[str, str]) -> None:
    modules = run_python("-c", PROBE, environment=environment).stderr.split()
    heavy = {"aiohttp", "jsonschema", "jsonschema_rs", "rich", "PIL", "av", "yaml"} & set(modules)
    assert "click" in modules
    assert heavy == set()


def test_plain_specs_are_validated_without_a_parser(tmp_path: Path, environment: dict[str, str]) -> None:
    specs = tmp_path / "specs"
    specs.mkdir()
    (tmp_path / "kirin.yaml").write_text("namespace: test\n")
    (specs / "a.yaml").write_text("version: 1\njobs:\n  hero:\n    model: kirin_v2_image\n    params: {prompt: Fox}\n")
    probe = PROBE.replace('"--help"', f'"validate", "--project", {str(tmp_path)!r}')
    done = run_python("-c", probe, environment=environment)
    heavy = {"aiohttp", "jsonschema", "rich", "PIL", "av", "yaml"} & set(done.stderr.split())
    assert done.stdout == "1 job in 1 file: all valid\n"
    assert heavy == set()


def test_the_help_takes_less_than_twice_the_import_of_click(environment: dict[str, str]) -> None:
    shown, imported = ("-m", "kirin_batch", "--help"), ("-c", "import click")
    for arguments in (shown, imported):
        run_python(*arguments, environment=environment)  # compiles
    ratio = float("inf")
    for _ in range(4):  # a busy machine may spoil a round, hardly four
        pairs = [
            (seconds_of(*shown, environment=environment), seconds_of(*imported, environment=environment))
            for _ in range(5)
        ]
        ratio = min(ratio, median(one for one, _ in pairs) / median(other for _, other in pairs))
        if ratio < 2:
            return
    pytest.fail(f"kirin-batch --help takes {ratio:.2f} times the import of click")


def test_the_readme_shows_the_help_as_it_is(environment: dict[str, str]) -> None:
    shown = list(HELP_IN_README.finditer(README.read_text(encoding="utf-8")))
    assert shown, "the README shows no help"
    for block in shown:
        command = ["-m", "kirin_batch", *block["command"].split(), "--help"]
        assert block["help"] == run_python(*command, environment=environment).stdout
