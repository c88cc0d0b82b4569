"""A spec file as far as it has the shape of a spec. What is faulty in it is unknown: nobody is to call it missing."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from kirin_batch.documents import Document
from kirin_batch.models import Shape, Violation, schema_text
from kirin_batch.models.messages import closest_name, shortened, unknown_message
from kirin_batch.models.paths import named
from kirin_batch.pointers import value_at
from kirin_batch.problems import Pointer, Problem
from kirin_batch.source import unwrap

__all__ = ["Sheet", "read_sheet", "spec_name"]

_STRANGE = re.compile(r"[^\w ,.-]")  # what would need quotes in a list, or dots where a text was shortened


@dataclass(slots=True)
class Sheet:
    """A spec file on its way: its name in ids (`examples/launch`), what can be drafted, and the problems found so far.

    `jobs` are those that can be read, and `unknown` the names of the others, of faulty ones and of those that could not
    be drafted; a sheet that `is_unknown` may have held any job. `unclear` are, by the names of faulty jobs, the keys
    whose values nobody knows: those with faults, and those that a misspelt one may stand for. `matrix_places` are the
    places of values by job and axis, kept by `origins`: thousands may be wrong. One that `is_kept`
    was not read: it has its name alone, and can tell no problem.
    """

    document: Document
    spec: str
    vars: Mapping[str, Any]
    defaults: Mapping[str, Any]
    jobs: Mapping[str, Mapping[str, Any]]
    is_unknown: bool = False
    problems: list[Problem] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    unclear: Mapping[str, AbstractSet[str]] = field(default_factory=dict)
    is_kept: bool = False
    matrix_places: dict[tuple[str, str], Mapping[object, Pointer]] = field(default_factory=dict)

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
    said: Any = document.value
    if faults:
        return _faulty_sheet(document, spec, said, faults)
    jobs = {name: own or {} for name, own in (said["jobs"] or {}).items()}
    return Sheet(document, spec, said.get("vars") or {}, said.get("defaults") or {}, jobs)


def _faulty_sheet(document: Document, spec: str, said: Any, faults: Sequence[Violation]) -> Sheet:  # noqa: ANN401 - any YAML value
    problems = [document.problem(v.pointer, v.rule, _message(v, said), at_key=v.key, job=_job(spec, v)) for v in faults]
    if not _has_jobs(faults, said) or "jobs" not in said:  # that a misspelt one is missing is not told besides
        return Sheet(document, spec, {}, {}, {}, is_unknown=True, problems=problems)
    unreadable = {str(v.pointer[1]) for v in faults if v.pointer[0] == "jobs" and len(v.pointer) == _JOB}
    jobs = {name: own or {} for name, own in (said["jobs"] or {}).items() if name not in unreadable}
    defaults, vars_ = said.get("defaults") or {}, said.get("vars") or {}
    unclear = _unclear(faults, jobs, defaults)
    unknown = unreadable | unclear.keys()
    return Sheet(document, spec, vars_, defaults, jobs, problems=problems, unknown=unknown, unclear=unclear)


_TOP, _JOB = 1, 2  # the lengths of the pointers of a key of the file, and of a job or a key of its defaults


def _has_jobs(faults: Iterable[Violation], said: Any) -> bool:  # noqa: ANN401 - any YAML value
    """Whether jobs without faults mean what they say: `vars` and `defaults` are there where they are meant to be."""
    wrong = {fault.pointer for fault in faults if len(fault.pointer) <= _TOP}
    misspelt = {_meant(str(pointer[0]), said) for pointer in wrong if pointer} if () not in wrong else set()
    return wrong.isdisjoint({(), ("vars",), ("defaults",), ("jobs",)}) and misspelt.isdisjoint({"vars", "defaults"})


def _meant(key: str, said: Mapping[str, Any]) -> str | None:
    """The key of the file that a wrong one probably stands for."""
    known = _envelope().schema["properties"]
    meant = None if key in known else closest_name(key, known)
    return None if meant in said else meant


def _unclear(
    faults: Iterable[Violation], jobs: Mapping[str, Mapping[str, Any]], defaults: Mapping[str, Any]
) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for fault in faults:
        pointer = fault.pointer
        if pointer[0] == "jobs" and pointer[1] in jobs:
            name = str(pointer[1])
            found.setdefault(name, set()).update(_keys_of(fault, str(pointer[_JOB]), jobs[name]))
    shared = {key for fault in faults if fault.pointer[0] == "defaults" for key in _shared_keys(fault, defaults)}
    if shared:  # a job's own keys win, but params are merged
        for name, own in jobs.items():
            found.setdefault(name, set()).update(key for key in shared if key == "params" or key not in own)
    return found


def _shared_keys(fault: Violation, defaults: Mapping[str, Any]) -> set[str]:
    return _keys_of(fault, str(fault.pointer[_TOP]), defaults)


def _keys_of(fault: Violation, key: str, given: Mapping[str, Any]) -> set[str]:
    """The faulty key, and what it may stand for where it is none."""
    meant = closest_name(key, _job_keys()) if fault.rule == "additionalProperties" else None
    return {key} if meant is None or meant in given else {key, meant}


def _message(fault: Violation, said: Any) -> str:  # noqa: ANN401 - any YAML value
    """The message of a fault in words of a spec, whose keys are no parameters, and whose lists are not expressions."""
    pointer = fault.pointer
    if fault.rule == "additionalProperties":
        known = _envelope().schema["properties"] if len(pointer) == _TOP else _job_keys()
        return unknown_message(str(pointer[-1]), at=pointer[:-1], known=known, noun="key")
    if fault.rule != "pattern" or fault.key:
        return fault.message
    text = shortened(unwrap(value_at(said, pointer)))
    return f"{named(pointer)} is {text}: write {_form(pointer, text)}, or an expression, ${{{{ vars.NAME }}}} say"


def _form(pointer: Pointer, text: str) -> str:
    """What should stand where text can stand only as an expression."""
    key, inside = _split(pointer)
    word = text.strip('"')
    match key, *inside:
        case "take", *_:
            return f"it without quotes, {word}" if word.isdecimal() else "a whole number from 1"
        case ("matrix",):
            return "axes with lists of values, place: [forest, city]"
        case "matrix", "include" | "exclude":
            return "a list of combinations, [{place: city}]"
        case "matrix", "include" | "exclude", *_:
            return "a combination, {place: city}"
    return "a list" if _STRANGE.search(word) else f"a list, [{word}]"


def _split(pointer: Pointer) -> tuple[str | int, Pointer]:
    """The key of a job that a pointer leads to, and the way on from there."""
    start = _TOP if pointer[0] == "defaults" else _JOB
    return pointer[start], pointer[start + 1 :]


def _job(spec: str, fault: Violation) -> str | None:
    return f"{spec}:{fault.pointer[1]}" if len(fault.pointer) > 1 and fault.pointer[0] == "jobs" else None


@cache
def _envelope() -> Shape:
    """The schema of a spec without what it says of each model's params: those are checked when they are filled in."""
    return Shape({key: part for key, part in json.loads(schema_text("spec")).items() if key != "allOf"})


@cache
def _job_keys() -> Sequence[str]:
    return tuple(_envelope().schema["$defs"]["job"]["properties"])
