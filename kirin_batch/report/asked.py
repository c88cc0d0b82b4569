"""What a job asked for: from its spec, or from the manifest of the last run where no spec tells any more."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from kirin_batch.jobs import Job

__all__ = ["Asked", "load_asked", "prompt_of"]

_NO_PROMPT = ("negative",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A job as the gallery tells it; `inputs` are local files, below the root where they are in it."""

    digest: str
    params: Mapping[str, Any]
    tags: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    take: int = 1

    @classmethod
    def of(cls, job: Job, root: Path) -> "Asked":
        """What a job of the specs asks for."""
        paths = dict.fromkeys(file.path for file in job.files.values())
        return cls(
            digest=job.digest,
            params=job.params,
            tags=job.tags,
            needs=job.needs,
            inputs=tuple(path.relative_to(root).as_posix() for path in paths if path.is_relative_to(root)),
            take=job.take,
        )

    @property
    def prompt(self) -> str:
        """See `prompt_of`."""
        return prompt_of(self.params)


def prompt_of(params: Mapping[str, Any]) -> str:
    """What people would call the prompt: the texts under keys that end so, in their order, else a description."""
    return "\n".join(_texts(params, "prompt")) or "\n".join(_texts(params, "description"))


def load_asked(manifest: Path) -> dict[str, Asked]:
    """Jobs by id as the manifest has them; none where it is not there or no manifest: it is a copy, and not missed."""
    try:
        return {line["job"]: _of_line(line) for line in orjson.loads(manifest.read_bytes())["jobs"]}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _of_line(line: Mapping[str, Any]) -> Asked:
    return Asked(
        digest=line["digest"],
        params=line["params"],
        tags=tuple(line["tags"]),
        needs=tuple(line["needs"]),
        inputs=tuple(dict.fromkeys(str(file["path"]) for file in line["files"].values())),
        take=line["take"],
    )


def _texts(value: object, ending: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if str(key).endswith(ending) and isinstance(item, str) and not str(key).startswith(_NO_PROMPT):
                yield item
            else:
                yield from _texts(item, ending)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item, ending)
