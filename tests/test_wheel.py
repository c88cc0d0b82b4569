"""The sdist and the wheel hold what they should: built, each installed into an empty environment, used elsewhere."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
USER_PROGRAM = """\
from pathlib import Path
from kirin_batch.commands.validate import validate
from kirin_batch.project import load_project
is_valid: bool = validate(load_project(Path())).is_valid
"""
_PROGRAMS = "Scripts" if os.name == "nt" else "bin"

pytestmark = pytest.mark.wheel


def run(command: Sequence[str | os.PathLike[str]], *, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - commands of this file
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done


def run_again_once(command: Sequence[str | os.PathLike[str]], *, cwd: Path) -> None:
    """The package index is a network away: one more try."""
    try:
        run(command, cwd=cwd)
    except AssertionError:
        run(command, cwd=cwd)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("packages")
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, CHECKOUT], cwd=folder)
    return folder


@pytest.fixture(scope="module")
def sdist(packages: Path) -> Path:
    (built,) = packages.glob("*.tar.gz")
    return built


@pytest.fixture(scope="module")
def wheel(packages: Path) -> Path:
    (built,) = packages.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environments(wheel: Path, sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The programs of two environments, each with one of the packages, its pinned requirements, and nothing else."""
    folder = tmp_path_factory.mktemp("environments")
    with ThreadPoolExecutor() as threads:
        # An sdist is built in an environment of its own, for which pip asks the index; a wheel needs nothing more.
        made = {
            "wheel": threads.submit(make_environment, folder / "wheel", "--no-index", str(wheel)),
            "sdist": threads.submit(make_environment, folder / "sdist", str(sdist)),
        }
        return {name: environment.result() for name, environment in made.items()}


def make_environment(folder: Path, *package: str) -> Path:
    run([sys.executable, "-m", "venv", "--without-pip", folder], cwd=CHECKOUT)
    install = (*pip_for(folder), "install", "--quiet", "--no-compile")
    run_again_once([*install, "--require-hashes", "--requirement", CHECKOUT / "requirements" / "run.txt"], cwd=folder)
    run_again_once([*install, "--no-deps", *package], cwd=folder)
    return folder / _PROGRAMS


def pip_for(environment: Path) -> tuple[str, ...]:
    """Our own pip at work on another environment: that one needs none, which spares seconds."""
    return sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(environment)


@pytest.fixture(params=["wheel", "sdist"])
def installed(request: pytest.FixtureRequest, environments: Mapping[str, Path]) -> Path:
    """The programs of an environment that one of the packages was installed into."""
    return environments[request.param]


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """A project with the examples."""
    shutil.copytree(CHECKOUT / "specs", tmp_path / "specs")
    return tmp_path


def test_the_wheel_holds_the_package_the_schemas_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    inside = {"kirin_batch/py.typed", "kirin_batch/__main__.py", "kirin_batch/schemas/spec.schema.json"}
    pages = {"kirin_batch/report/page/gallery.html.j2", "kirin_batch/commands/new_project/workflow.yml"}
    assert inside | pages <= set(names)
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"kirin_batch"}
    assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]
    schemas = {path.name for path in (CHECKOUT / "schemas" / "models").glob("*.json")}
    assert {Path(name).name for name in names if name.startswith("kirin_batch/schemas/models/")} == schemas


def test_the_wheel_is_the_same_from_the_checkout_and_from_the_sdist(wheel: Path, tmp_path: Path) -> None:
    run([sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", tmp_path, CHECKOUT], cwd=tmp_path)
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


@pytest.mark.skipif(not (CHECKOUT / ".git").exists(), reason="what belongs to the project is known in its repository")
def test_the_sdist_holds_what_git_does_so_that_make_test_runs_there(sdist: Path) -> None:
    listed = run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=CHECKOUT).stdout.splitlines()
    with tarfile.open(sdist) as archive:
        modes = {member.name.partition("/")[2]: member.mode for member in archive.getmembers()}
    assert set(modes) == {name for name in listed if (CHECKOUT / name).exists()} | {"PKG-INFO"}
    assert modes[".ci/run"] & 0o100


def test_an_index_would_take_both_packages(packages: Path) -> None:
    checked = run([sys.executable, "-m", "twine", "check", "--strict", *packages.iterdir()], cwd=packages)
    assert checked.stdout.count("PASSED") == 2


def test_the_installed_program_validates_the_examples(installed: Path, examples: Path) -> None:
    run([installed / "kirin-batch", "validate"], cwd=examples)


def test_the_installed_program_knows_its_version_and_the_schemas(installed: Path, examples: Path) -> None:
    version = run([installed / "kirin-batch", "--version"], cwd=examples).stdout
    assert f'__version__ = "{version.split()[-1]}"' in (CHECKOUT / "kirin_batch" / "__init__.py").read_text()
    listed = run([installed / "kirin-batch", "schema"], cwd=examples).stdout
    for schema in (CHECKOUT / "schemas" / "models").glob("*.json"):
        assert schema.name.removesuffix(".schema.json") in listed


def test_the_installed_program_makes_a_project_and_runs_it(installed: Path, tmp_path: Path) -> None:
    run([installed / "kirin-batch", "init", "films"], cwd=tmp_path)
    ran = run([installed / "kirin-batch", "run", "--sandbox"], cwd=tmp_path / "films")
    assert "3 completed" in ran.stdout
    run([installed / "kirin-batch", "verify"], cwd=tmp_path / "films")
    run([installed / "kirin-batch", "report"], cwd=tmp_path / "films")
    assert len(list((tmp_path / "films" / "outputs").rglob("*.png"))) == 3


def test_the_requirements_of_the_package_agree(installed: Path, tmp_path: Path) -> None:
    run([*pip_for(installed.parent), "check"], cwd=tmp_path)


def test_a_strict_type_checker_knows_the_types_of_the_installed_package(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(USER_PROGRAM)
    python: list[str | Path] = ["--python-executable", installed / "python", "--config-file", os.devnull]
    run([sys.executable, "-m", "mypy", "--strict", *python, "program.py"], cwd=tmp_path)
