"""Names that shells complete: the jobs, tags, models and specs that `.kirin/manifest.json` holds, and what is on disk.

A key is waited for: no YAML is read, and nothing heavy imported. What cannot be read has no names, and is told nowhere.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import orjson
from click.shell_completion import CompletionItem

__all__ = ["JOB", "MODEL", "NAMES", "SCHEMA", "SPEC", "TAG", "Names", "SpecPath"]

_MOST_JOBS = 400  # of more, those of a matrix are offered as one
_ENDINGS, _SCHEMA = (".yaml", ".yml"), ".schema.json"

Jobs = list[Mapping[str, Any]]
"""The jobs of a manifest, of which nothing is sure but that each is a mapping."""


class Names(click.ParamType[str]):
    """A text for which shells offer what `find` finds in the manifest for the beginning that is typed."""

    def __init__(self, name: str, find: Callable[[Jobs, str], Iterable[str]]) -> None:
        self.name = name
        self._find = find

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:  # noqa: ARG002 - click's signature
        """What the text may be, in order, each once."""
        found = self._find(_manifest_jobs(ctx), incomplete)
        return [CompletionItem(name) for name in dict.fromkeys(found) if name.startswith(incomplete)]


class SpecPath(click.Path):
    """A path for which shells offer specs: those of the manifest, and those beside what is typed; else any file."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        """What the path may be, each once."""
        root, below = _root(ctx), None if ctx.params.get("folder") else Path.cwd()
        specs = _texts(_manifest_jobs(ctx), "spec")
        known = [os.path.relpath(root / spec, below) if below else spec for spec in set(specs)]
        names = [name for name in (*known, *_beside(incomplete)) if name.startswith(incomplete)]
        if not names:
            return super().shell_complete(ctx, param, incomplete)
        return [CompletionItem(name) for name in sorted(set(names))]


def _manifest_jobs(ctx: click.Context) -> Jobs:
    try:
        manifest = orjson.loads((_root(ctx) / ".kirin" / "manifest.json").read_bytes())
    except (OSError, ValueError):
        return []
    jobs = manifest.get("jobs") if isinstance(manifest, dict) else None
    return [job for job in jobs if isinstance(job, dict)] if isinstance(jobs, list) else []


def _root(ctx: click.Context) -> Path:
    """As `load_project` finds it, whose settings need not be read."""
    if folder := ctx.params.get("folder"):
        return Path(folder).expanduser()  # it is as it was typed
    start = Path.cwd()
    return next((place for place in (start, *start.parents) if (place / "kirin.yaml").is_file()), start)


def _texts(jobs: Jobs, key: str) -> Iterator[str]:
    for job in jobs:
        found = job.get(key)
        yield from (text for text in (found if isinstance(found, list) else [found]) if isinstance(text, str))


def _job_names(jobs: Jobs, incomplete: str) -> list[str]:
    """Ids, else names without their spec."""
    ids = list(_texts(jobs, "job"))
    named = [id_ for id_ in ids if id_.startswith(incomplete)]
    named = named or [name for id_ in ids if (name := id_.partition(":")[2]).startswith(incomplete)]
    if len(named) > _MOST_JOBS and "[" not in incomplete:
        return [name.partition("[")[0] for name in named]
    return named


def _model_names(jobs: Jobs, incomplete: str) -> list[str]:  # noqa: ARG001 - as all of these
    return sorted({*_bundled("models"), *_texts(jobs, "model")})


def _schema_names(jobs: Jobs, incomplete: str) -> list[str]:
    return [*_model_names(jobs, incomplete), *_bundled(".")]


def _bundled(folder: str) -> list[str]:
    """What the bundled schemas of a folder are of."""
    # Measured: the catalog takes 30 ms to import, as long as click, and other names do without it.
    from kirin_batch.models.catalog import schema_folder  # noqa: PLC0415 - see above

    return sorted(path.name.removesuffix(_SCHEMA) for path in (schema_folder() / folder).glob(f"*{_SCHEMA}"))


def _beside(incomplete: str) -> list[str]:
    """The YAML files in the folder of the path that is typed."""
    folder = os.path.dirname(incomplete)  # noqa: PTH120 - a Path would lose `./`, which is to stay as it was typed
    try:
        names = sorted(os.listdir(folder or "."))  # noqa: PTH208 - as above
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names if name.endswith(_ENDINGS) and name != "kirin.yaml"]  # noqa: PTH118 - as above


JOB = Names("job", _job_names)
"""A job's id, or its name."""
TAG = Names("tag", lambda jobs, _: sorted(set(_texts(jobs, "tags"))))
"""A tag of jobs."""
MODEL = Names("model", _model_names)
"""A bundled model, or one that a job has."""
SCHEMA = Names("schema", _schema_names)
"""What `schema` prints."""
SPEC = SpecPath(path_type=Path)
"""A spec, or a folder of them."""
NAMES: Mapping[str, click.ParamType[Any]] = {"job": JOB, "tag": TAG, "model": MODEL, "schema": SCHEMA, "spec": SPEC}
"""All of these."""
