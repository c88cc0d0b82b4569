"""The wheel holds all that the program needs: built, installed into an empty environment, used elsewhere."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.wheel


def run(command: Sequence[str | os.PathLike[str]], *, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - commands of this file
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder], cwd=CHECKOUT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that holds the wheel and its pinned requirements, and nothing else."""
    environment = tmp_path_factory.mktemp("installed")
    run([sys.executable, "-m", "venv", environment], cwd=environment)
    programs = environment / ("Scripts" if os.name == "nt" else "bin")
    pip: list[str | Path] = [programs / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    pinned = [*pip, "--require-hashes", "--requirement", CHECKOUT / "requirements" / "run.txt"]
    try:
        run(pinned, cwd=environment)
    except AssertionError:  # the package index is a network away: one more try
        run(pinned, cwd=environment)
    run([*pip, "--no-deps", "--no-index", wheel], cwd=environment)
    return programs


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(CHECKOUT / "specs", tmp_path / "specs")
    return tmp_path


def test_the_wheel_holds_the_package_the_schemas_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    inside = {"kirin_batch/py.typed", "kirin_batch/__main__.py", "kirin_batch/schemas/spec.schema.json"}
    pages = {"kirin_batch/report/page/gallery.html.j2", "kirin_batch/commands/new_project/workflow.yml"}
    assert inside | pages <= set(names)
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"kirin_batch"}
    schemas = {path.name for path in (CHECKOUT / "schemas" / "models").glob("*.json")}
    assert {Path(name).name for name in names if name.startswith("kirin_batch/schemas/models/")} == schemas


def test_the_installed_program_validates_the_examples(installed: Path, project: Path) -> None:
    run([installed / "kirin-batch", "validate"], cwd=project)


def test_the_installed_program_knows_the_schemas(installed: Path, project: Path) -> None:
    listed = run([installed / "kirin-batch", "schema"], cwd=project).stdout
    for schema in (CHECKOUT / "schemas" / "models").glob("*.json"):
        assert schema.name.removesuffix(".schema.json") in listed


def test_the_requirements_of_the_wheel_agree(installed: Path, project: Path) -> None:
    run([installed / "python", "-m", "pip", "check"], cwd=project)
