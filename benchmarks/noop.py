"""Measures commands that have nothing to do: kirin-batch beside build tools, each with the same jobs up to date.

Usage: python benchmarks/noop.py [--jobs N] [--rounds N] [--only NAME…] [--tools FOLDER]. A job is a result that is made
from its spec, a hundred jobs a spec. All take their turn in each round. doit, ninja, snakemake and dvc are installed
into a new environment in a temporary folder, or once into FOLDER; what cannot be had is left out, and said so.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from processes import Cost, Work, compare, measure

CHECKOUT = Path(__file__).resolve().parent.parent
INSTALLED = ("doit", "ninja", "snakemake", "dvc")  # packages of the same names
SETTLING_SECONDS = 2.5  # files that changed within two seconds are looked at anew

Pairs = Sequence[tuple[str, str]]
"""Results with the specs that they are made of."""


def write_doit(root: Path, pairs: Pairs) -> Work:
    """A task a result; run once, so that doit's database knows them."""
    (root / "pairs.json").write_text(json.dumps(pairs))
    (root / "dodo.py").write_text(
        "import json\nPAIRS = json.load(open('pairs.json'))\n"
        "def task_job():\n    for result, spec in PAIRS:\n"
        "        yield {'name': result, 'file_dep': [spec], 'targets': [result], 'actions': []}\n"
    )
    return Work(["doit", "--verbosity", "0"], root)


def write_make(root: Path, pairs: Pairs) -> Work:
    """A rule a result."""
    lines = [f"all: {' '.join(result for result, _ in pairs)}", *(f"{r}: {s}\n\tfalse" for r, s in pairs), ""]
    (root / "Makefile").write_text("\n".join(lines))
    return Work(["make", "-s"], root)


def write_make_without_rules(root: Path, pairs: Pairs) -> Work:
    """The same without make's built-in rules."""
    return Work(["make", "-rs"], write_make(root, pairs).folder)


def write_ninja(root: Path, pairs: Pairs) -> Work:
    """An edge a result; run once, so that ninja's log knows them."""
    lines = ["rule job\n  command = touch $out", *(f"build {result}: job {spec}" for result, spec in pairs), ""]
    (root / "build.ninja").write_text("\n".join(lines))
    return Work(["ninja"], root)


def write_snakemake(root: Path, pairs: Pairs) -> Work:
    """A rule for all results, which finds the spec by a table."""
    (root / "pairs.json").write_text(json.dumps(dict(pairs)))
    (root / "Snakefile").write_text(
        "import json\nPAIRS = json.load(open('pairs.json'))\n"
        "rule all:\n    input: list(PAIRS)\n"
        "rule job:\n    input: lambda wildcards: PAIRS['outputs/' + wildcards.name]\n"
        "    output: 'outputs/{name}'\n    shell: 'false'\n"
    )
    return Work(["snakemake", "-n", "--quiet", "--rerun-triggers", "mtime"], root)


def write_dvc(root: Path, pairs: Pairs) -> Work:
    """A stage a result, with the lock that a first run would have left."""
    stages, locked = {}, {}
    for number, (result, spec) in enumerate(pairs):
        name = f"job{number}"
        command = f"touch {result}"
        stages[name] = {"cmd": command, "deps": [spec], "outs": [{result: {"cache": False}}]}
        locked[name] = {"cmd": command, "deps": [_dvc_entry(root, spec)], "outs": [_dvc_entry(root, result)]}
    (root / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    (root / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": locked}))
    return Work(["dvc", "status"], root, says="up to date")


def _dvc_entry(root: Path, name: str) -> dict[str, object]:
    data = (root / name).read_bytes()
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return {"path": name, "hash": "md5", "md5": digest, "size": len(data)}


WRITERS: Mapping[str, tuple[str, Callable[[Path, Pairs], Work]]] = {
    "ninja": ("ninja", write_ninja),
    "make -r": ("make", write_make_without_rules),
    "make": ("make", write_make),
    "doit": ("doit", write_doit),
    "snakemake -n": ("snakemake", write_snakemake),
    "dvc status": ("dvc", write_dvc),
}


def install(folder: Path, tools: Iterable[str]) -> None:
    """Put tools into an environment, each for itself: one that fails keeps out no other."""
    if not (folder / "bin" / "python").exists():
        venv.create(folder, with_pip=True)
    for tool in tools:
        if not (folder / "bin" / tool).exists():
            command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", tool]
            subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - pip of that environment


def ours(root: Path) -> dict[str, Work]:
    """The commands of kirin-batch that are compared, and the floor of any process of this Python."""
    program = [sys.executable, "-m", "kirin_batch"]
    return {
        "python -c pass": Work([sys.executable, "-c", "pass"], root),
        "kirin-batch plan": Work([*program, "plan"], root, says="nothing to do"),
        "kirin-batch run": Work([*program, "run"], root, says="this run cost $0.00"),
        "kirin-batch validate": Work([*program, "validate"], root, says="all valid"),
        "plan --no-cache": Work([*program, "plan", "--no-cache"], root, says="nothing to do"),
    }


def theirs(root: Path, environ: Mapping[str, str], only: Sequence[str] | None) -> dict[str, Work]:
    """The other tools' commands, each in a copy of the project; those that are not to be had are told."""
    works = {}
    pairs = [(name, spec_of(root, name)) for name in results_of(root)]
    for title, (tool, write) in WRITERS.items():
        if only is not None and title not in only:
            continue
        if shutil.which(tool, path=environ["PATH"]) is None:
            print(f"  {title}: left out, {tool} cannot be had here")
            continue
        folder = root.parent / title.replace(" ", "")
        shutil.copytree(root, folder)
        works[title] = write(folder, pairs)
        if tool == "dvc":
            subprocess.run(["dvc", "init", "--no-scm", "-q"], cwd=folder, env=dict(environ), check=True)  # noqa: S607 - found above
    return works


def results_of(root: Path) -> Iterable[str]:
    """All results of a project."""
    return sorted(path.relative_to(root).as_posix() for path in (root / "outputs").rglob("*.png"))


def spec_of(root: Path, result: str) -> str:
    """The spec of a result: `outputs/season000/campaign00000/hero1/1.png`."""
    _, season, campaign, *_ = Path(result).parts
    assert (root / "specs" / season / f"{campaign}.yaml").is_file()  # noqa: S101 - the layout that this file wrote
    return f"specs/{season}/{campaign}.yaml"


def show(costs: Mapping[str, Cost]) -> None:
    """Print a row each: its time, over a bare process and over kirin-batch plan, and its memory."""
    bare, plan = costs["python -c pass"].seconds, costs["kirin-batch plan"].seconds
    print(f"  {'':<22}{'seconds':>9}{'over bare':>11}{'over plan':>11}{'MB':>7}")
    for name, cost in costs.items():
        ratios = f"{cost.seconds / bare:11.1f}{cost.seconds / plan:11.2f}"
        print(f"  {name:<22}{cost.seconds:9.3f}{ratios}{cost.megabytes:7.0f}")


def main(arguments: Sequence[str]) -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--only", nargs="*", choices=list(WRITERS), help="of the other tools, none to measure ours alone"
    )
    parser.add_argument("--tools", type=Path, help="a virtual environment, made if it is not there")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="kirin-benchmark-") as folder:
        tools = chosen.tools or Path(folder) / "tools"
        wanted = {WRITERS[name][0] for name in (WRITERS if chosen.only is None else chosen.only)}
        if wanted.intersection(INSTALLED):
            install(tools.resolve(), wanted.intersection(INSTALLED))
        path = f"{tools.resolve() / 'bin'}{os.pathsep}{os.environ['PATH']}"
        environ = {**os.environ, "PATH": path, "PYTHONPATH": str(CHECKOUT)}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        root = Path(folder).resolve() / "project"
        make = [sys.executable, str(CHECKOUT / "benchmarks" / "settled_project.py"), str(root), str(chosen.jobs)]
        subprocess.run(make, env=environ, check=True)  # noqa: S603 - of this folder
        print(f"{chosen.jobs} jobs, all up to date")
        works = ours(root) | theirs(root, environ, chosen.only)
        for work in ours(root).values():  # makes `.kirin/`, whose folder must grow as old as the rest
            measure(work, environ)
        time.sleep(SETTLING_SECONDS)
        show(compare(works, environ, rounds=chosen.rounds))


if __name__ == "__main__":
    main(sys.argv[1:])
