"""Measures `kirin-batch validate` beside check-jsonschema and PyYAML's CSafeLoader: the same files, a process each.

Usage: python benchmarks/validate.py [--files N] [--jobs N] [--faulty N] [--rounds N]. Writes to a temporary folder.
"""

import argparse
import gc
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

CHECKOUT = Path(__file__).resolve().parent.parent
SCHEMA = CHECKOUT / "schemas" / "spec.schema.json"

IMAGE = """\
# A poster of campaign {number}.
version: 1
defaults:
  model: kirin_v2_image
  params: {{aspect_ratio: 16:9}}
  tags: [campaign]
jobs:
  hero:
    params:
      prompt: Fox number {number} in a red scarf walks through the city at dawn, film grain
      n: 2
"""
FILM = """\
version: 1
vars:
  style: film grain, muted colours
jobs:
  clip:
    model: kirin_v3_i2v
    params:
      image: https://assets.example/fox-{number}.png
      prompt: Fox number {number} runs through the snow, ${{{{ vars.style }}}}
      duration: 5
      sound: on
    tags: [trailer, "film {number}"]
"""
MATRIX = """\
version: 1
jobs:
  poster:
    model: kirin_v3_omni_image
    matrix:
      place: [forest, city]
    params:
      prompt: Fox number {number} in the ${{{{ matrix.place }}}}, at dawn
      resolution: 2k
"""
FAULTY = """\
version: 1
jobs:
  hero:
    model: kirin_v2_image
    params:
      prompt: Fox number {number}
      aspect_ratio: 16:8
      n: 99
      seed: 7
"""
JOB = """\
  hero{number}:
    params:
      prompt: Fox number {number} in a red scarf walks through the city at dawn, film grain
      n: 2
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took: seconds by the clock, MB of memory at its peak."""

    seconds: float
    megabytes: float


def many_files(root: Path, count: int) -> list[Path]:
    """Specs of one job each, every tenth with a matrix of two, a hundred to a folder."""
    templates = [MATRIX, *[IMAGE] * 6, *[FILM] * 3]
    return list(write_specs(root, (templates[number % 10] for number in range(count))))


def write_specs(root: Path, templates: Iterator[str]) -> Iterator[Path]:
    """Write a spec for each template, and tell where."""
    root.mkdir(exist_ok=True)
    (root / "kirin.yaml").write_text("namespace: benchmark\n")
    for number, template in enumerate(templates):
        path = root / "specs" / f"campaign{number // 100:03}" / f"spec{number:05}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(template.format(number=number))
        yield path


def one_file(root: Path, jobs: int) -> list[Path]:
    """A single spec of many jobs."""
    said = "version: 1\ndefaults:\n  model: kirin_v2_image\n  params: {{aspect_ratio: 16:9}}\njobs:\n"
    text = said + "".join(JOB.format(number=number) for number in range(jobs)).replace("{", "{{").replace("}", "}}")
    return list(write_specs(root, iter([text])))


def faulty_files(root: Path, count: int) -> list[Path]:
    """Specs with three problems in each, for whose places the files are read a second time."""
    return list(write_specs(root, (FAULTY for _ in range(count))))


def commands(root: Path, specs: Sequence[Path]) -> dict[str, list[str]]:
    """The three programs that read the same specs."""
    listed = root / "files.txt"
    listed.write_text("\n".join(map(str, specs)))
    return {
        "kirin-batch": [sys.executable, "-m", "kirin_batch", "validate", "--no-cache", "--project", str(root)],
        "CSafeLoader": [sys.executable, __file__, "--only-load", str(listed)],
        "check-jsonschema": [
            *[sys.executable, "-m", "check_jsonschema", "--schemafile", str(SCHEMA)],
            *map(str, specs),
        ],
    }


def cost_of(command: list[str], *, bytecode: Path) -> Cost:
    """Run a command to its end, its output left unread in a file. Raises RuntimeError where it could not judge.

    Compiled modules are kept in `bytecode`, as users have them kept, whatever the environment says.
    """
    with tempfile.TemporaryFile() as output:
        where = [(os.POSIX_SPAWN_DUP2, output.fileno(), 1), (os.POSIX_SPAWN_DUP2, output.fileno(), 2)]
        environ = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONPYCACHEPREFIX": str(bytecode)}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        start = perf_counter()
        pid = os.posix_spawn(command[0], command, environ, file_actions=where)
        _, status, usage = os.wait4(pid, 0)
        seconds = perf_counter() - start
        output.seek(0)
        if os.waitstatus_to_exitcode(status) not in {0, 1}:
            raise RuntimeError(output.read().decode(errors="replace"))
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Cost(seconds, kilobytes / 1024)


def compare(runs: dict[str, Callable[[], Cost]], *, rounds: int) -> dict[str, Cost]:
    """The medians of interleaved rounds."""
    found: dict[str, list[Cost]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(run())
    return {
        name: Cost(median(c.seconds for c in costs), median(c.megabytes for c in costs))
        for name, costs in found.items()
    }


def compare_processes(title: str, specs: Callable[[Path], list[Path]], *, rounds: int) -> None:
    """Print what each program takes for the same specs."""
    with tempfile.TemporaryDirectory(prefix="kirin-benchmark-") as folder:
        project, first, bytecode = (Path(folder).resolve() / name for name in ("project", "first", "bytecode"))
        for command in commands(first, faulty_files(first, 1)).values():
            cost_of(command, bytecode=bytecode)  # compiles
        found = commands(project, specs(project))
        runs = {name: lambda c=c: cost_of(c, bytecode=bytecode) for name, c in found.items()}  # type: ignore[misc] # a default binds the command
        show(title, compare(runs, rounds=rounds))


def compare_warm(count: int, *, rounds: int) -> None:
    """Print what the work alone takes of the processor, start-up and the schemas' compilation left out."""
    # Here, not above: what measures memory must stay small, since a child's peak begins at its parent's size.
    import yaml  # noqa: PLC0415 - see above

    from kirin_batch.models import Catalog  # noqa: PLC0415 - see above
    from kirin_batch.project import load_project  # noqa: PLC0415 - see above
    from kirin_batch.specs import load_specs  # noqa: PLC0415 - see above

    with tempfile.TemporaryDirectory(prefix="kirin-benchmark-") as folder:
        root = Path(folder).resolve()
        specs = many_files(root, count)
        project, catalog = load_project(root, is_root=True), Catalog.load()
        runs: dict[str, Callable[[], object]] = {
            "load_specs": lambda: load_specs(project, catalog, environ={}),
            "CSafeLoader": lambda: [yaml.load(path.read_bytes(), yaml.CSafeLoader) for path in specs],
        }
        runs["load_specs"]()
        costs = compare({name: lambda r=r: timed(r) for name, r in runs.items()}, rounds=rounds)  # type: ignore[misc] # a default binds the work
    show(f"{count} files, warm", costs)


def timed(work: Callable[[], object]) -> Cost:
    """Seconds of the processor for some work whose result is kept until it is done; memory is not told."""
    gc.collect()
    start = process_time()
    kept = work()
    seconds = process_time() - start
    del kept
    return Cost(seconds, 0)


def show(title: str, costs: dict[str, Cost]) -> None:
    """Print the rows of a comparison: each against the first."""
    print(title)
    first = next(iter(costs.values())).seconds
    for name, cost in costs.items():
        memory = f"{cost.megabytes:8.0f} MB" if cost.megabytes else ""
        print(f"  {name:<18}{cost.seconds:8.2f} s {cost.seconds / first:7.2f} x {memory}", flush=True)


def only_load(listed: Path) -> None:
    """Load the listed files with CSafeLoader and do nothing else."""
    import yaml  # noqa: PLC0415 - see compare_warm

    kept = [yaml.load(Path(line).read_bytes(), yaml.CSafeLoader) for line in listed.read_text().splitlines()]
    print(len(kept))


def main(arguments: Sequence[str]) -> None:
    """Print all comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--files", type=int, default=10_000, help="specs of one job each")
    parser.add_argument("--jobs", type=int, default=20_000, help="jobs of a single spec")
    parser.add_argument("--faulty", type=int, default=1_000, help="specs with problems in them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["start", "files", "jobs", "faulty", "warm"])
    parser.add_argument("--only-load", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.only_load:
        only_load(chosen.only_load)
        return
    rounds = chosen.rounds
    comparisons: dict[str, Callable[[], None]] = {
        "start": lambda: compare_processes("1 file", lambda root: many_files(root, 1), rounds=rounds),
        "files": lambda: compare_processes(
            f"{chosen.files} files", lambda r: many_files(r, chosen.files), rounds=rounds
        ),
        "jobs": lambda: compare_processes(
            f"1 file of {chosen.jobs} jobs", lambda root: one_file(root, chosen.jobs), rounds=rounds
        ),
        "faulty": lambda: compare_processes(
            f"{chosen.faulty} files with problems", lambda root: faulty_files(root, chosen.faulty), rounds=rounds
        ),
        "warm": lambda: compare_warm(chosen.files, rounds=rounds),
    }
    for name, run in comparisons.items():
        if chosen.only in {None, name}:
            run()


if __name__ == "__main__":
    main(sys.argv[1:])
