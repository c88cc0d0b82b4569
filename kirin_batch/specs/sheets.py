"""A spec file as far as it has the shape of a spec. What is faulty in it is unknown: nobody is to call it missing."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from kirin_batch.documents import Document
from kirin_batch.models import Shape, Violation, schema_text
from kirin_batch.problems import Pointer, Problem

__all__ = ["Sheet", "read_sheet", "spec_name"]


@dataclass(slots=True)
class Sheet:
    """A spec file on its way: its name in ids (`examples/launch`), what can be drafted, and the problems found so far.

    `jobs` are those of the right shape, and `unknown` the names of the others and of those that could not be drafted;
    a sheet that `is_unknown` may have held any job.
    """

    document: Document
    spec: str
    vars: Mapping[str, Any]
    defaults: Mapping[str, Any]
    jobs: Mapping[str, Mapping[str, Any]]
    is_unknown: bool = False
    problems: list[Problem] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)

    def path_of(self, job: str, *path: str | int) -> Pointer:
        """Where a key of a job stands: in the job, else in `defaults`, else nowhere, which is the job itself."""
        if not path or path[0] in self.jobs[job]:
            return ("jobs", job, *path)
        return ("defaults", *path) if path[0] in self.defaults else ("jobs", job)


def spec_name(file: str) -> str:
    """`specs/examples/launch.yaml` as `examples/launch`."""
    folder, slash, name = file.removeprefix("specs/").rpartition("/")
    return f"{folder}{slash}{name.rpartition('.')[0] or name}"


def read_sheet(document: Document) -> Sheet:
    """The sheet of a document; what has not the shape of a spec goes to its problems."""
    if document.value is None:
        empty = document.problem((), "type", "the file is empty: a spec begins with version: 1, and has jobs:")
        return Sheet(document, spec_name(document.file), {}, {}, {}, is_unknown=True, problems=[empty])
    shape = _envelope()
    # To convert all values, only to look at their shape, takes longer than the look.
    faults = [] if shape.fits_as_written(document.value) else shape.check(shape.coerce(document.value))
    spec = spec_name(document.file)
    problems = [document.problem(v.pointer, v.rule, v.message, at_key=v.key, job=_job(spec, v)) for v in faults]
    said: Any = document.value
    if not _has_jobs(faults) or "jobs" not in said:  # that a misspelt one is missing is not told besides
        return Sheet(document, spec, {}, {}, {}, is_unknown=True, problems=problems)
    unknown = {str(fault.pointer[1]) for fault in faults if fault.pointer[0] == "jobs"}
    jobs = {name: own or {} for name, own in (said["jobs"] or {}).items() if name not in unknown}
    return Sheet(
        document, spec, said.get("vars") or {}, said.get("defaults") or {}, jobs, problems=problems, unknown=unknown
    )


def _has_jobs(faults: Iterable[Violation]) -> bool:
    """Whether jobs without faults mean what they say: nothing is wrong with the whole file, `vars` or `defaults`."""
    return not any(
        not fault.pointer or fault.pointer[0] == "defaults" or fault.pointer in {("vars",), ("jobs",)}
        for fault in faults
    )


def _job(spec: str, fault: Violation) -> str | None:
    return f"{spec}:{fault.pointer[1]}" if len(fault.pointer) > 1 and fault.pointer[0] == "jobs" else None


@cache
def _envelope() -> Shape:
    """The schema of a spec without what it says of each model's params: those are checked when they are filled in."""
    return Shape({key: part for key, part in json.loads(schema_text("spec")).items() if key != "allOf"})
