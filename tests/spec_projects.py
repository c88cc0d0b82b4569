"""Projects of specs for tests: files and pictures in a folder, read as the commands read them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from kirin_batch.jobs import Job
from kirin_batch.models import Catalog
from kirin_batch.problems import Problem
from kirin_batch.project import Project, Settings
from kirin_batch.specs.loading import Specs, load_specs

__all__ = ["CATALOG", "draw", "load", "load_job", "only_problem", "save_specs", "spec_of"]

CATALOG = Catalog.load()


def draw(path: Path, *, size: tuple[int, int] = (300, 300), kind: str = "PNG", colour: str = "orange") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, kind)
    return path


def save_specs(root: Path, specs: Mapping[str, str | bytes]) -> None:
    """Write files, each by its path below the root."""
    for name, text in specs.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


def spec_of(jobs: str, **parts: str) -> str:
    """A spec with these jobs, a line each: `hero: {model: …}`; `parts` are further keys of the spec."""
    heads = "".join(f"{key}: {value}\n" for key, value in parts.items())
    body = "".join(f"  {line}\n" for line in jobs.strip().splitlines())
    return f"version: 1\n{heads}jobs:\n{body}"


def load(root: Path, files: Mapping[str, str | bytes], **settings: Any) -> Specs:  # noqa: ANN401 - fields of Settings
    save_specs(root, files)
    return load_specs(Project(root.resolve(), Settings(**settings)), CATALOG, environ={})


def load_job(root: Path, spec: str, **settings: Any) -> Job:  # noqa: ANN401 - fields of Settings
    """The last job of `specs/a.yaml` with this text."""
    found = load(root, {"specs/a.yaml": spec}, **settings)
    assert found.problems == ()
    return list(found.jobs.values())[-1]


def only_problem(specs: Specs) -> Problem:
    (problem,) = specs.problems
    return problem
