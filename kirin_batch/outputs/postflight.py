"""What arrived, held against what was asked: count, kind, ratio, resolution class, length. Tells, and refuses nothing.

A ratio may be off by 2 %, because sides are whole pixels; a length by half a second or a tenth, whichever is more; a
class of resolution has the pixels that are nearest to it, by its side or by its area, because models cut both ways.
"""

import asyncio
import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from kirin_batch.errors import KirinError
from kirin_batch.jobs import Job
from kirin_batch.models import Catalog
from kirin_batch.models.asks import Asked, Resolution
from kirin_batch.outputs.measures import measure
from kirin_batch.outputs.replaced import with_earlier_files
from kirin_batch.outputs.sidecar import write_sidecars
from kirin_batch.records import Mismatch, Output, Record

__all__ = ["Postflight", "find_mismatches"]

_RATIO_SHARE = 0.02
_LEAST_SECONDS, _SECONDS_SHARE = 0.5, 0.1
_CLASS_FACTOR = 1.5  # how far pixels may be from those of a class; the next class is at least as far
_WIDE = Fraction(16, 9)
_LARGEST_TERM = 21

_Found = tuple[str, str, str]
"""What differs, what was asked, what came."""


class Postflight:
    """The last look at a task's results before they are recorded; leaves sidecars beside them where they are wanted."""

    def __init__(self, root: Path, catalog: Catalog, *, sidecar: bool = False, secrets: Collection[str] = ()) -> None:
        """`secrets`: texts that come into no sidecar."""
        self._root = root
        self._catalog = catalog
        self._sidecar = sidecar
        self._secrets = secrets

    async def inspect(self, job: Job, record: Record) -> Record:
        """The record with its warnings. Raises KirinError for a disk that refuses a sidecar."""
        asked = self._asked(job)
        has_files = any(output.path for output in record.outputs)
        if has_files and (self._sidecar or record.earlier or not asked.is_nothing):
            # The heads of pictures that were just written are in memory: the way to a thread costs more than to read.
            if not self._sidecar and not record.earlier and all(output.type == "image" for output in record.outputs):
                return self._look(job, record, asked)
            return await asyncio.to_thread(self._look, job, record, asked)
        return _warned(record, find_mismatches(job, record.outputs, asked, root=None))

    def annotate(self, made: Iterable[tuple[Job, Record]]) -> None:
        """Bring the sidecars of completed tasks up to date, where they are wanted. Raises KirinError."""
        for job, record in made if self._sidecar else ():
            self._write_sidecars(job, record)

    def _asked(self, job: Job) -> Asked:
        model = self._catalog.model(job.model)
        return model.asked(job.params) if model else Asked()

    def _look(self, job: Job, record: Record, asked: Asked) -> Record:
        warned = _warned(record, find_mismatches(job, record.outputs, asked, root=self._root))
        warned = with_earlier_files(self._root, warned)
        if self._sidecar:
            self._write_sidecars(job, warned)
        return warned

    def _write_sidecars(self, job: Job, record: Record) -> None:
        try:
            write_sidecars(self._root, job, record, secrets=self._secrets)
        except OSError as error:
            raise KirinError(f"a sidecar of {job.id} cannot be written: {error}") from error


def _warned(record: Record, warnings: tuple[Mismatch, ...]) -> Record:
    if record.warnings == warnings:
        return record
    return replace(record, warnings=warnings)


def find_mismatches(job: Job, outputs: Collection[Output], asked: Asked, *, root: Path | None) -> tuple[Mismatch, ...]:
    """Where results differ from what `job` asked for; what a file is, is seen below `root` only (None: not at all)."""
    if job.result_type == "text":
        return ()
    found: dict[_Found, list[int]] = {}
    for number, output in enumerate(outputs, 1):
        for difference in _differences(job, output, asked, root):
            found.setdefault(difference, []).append(number)
    count = () if len(outputs) == job.result_count else (Mismatch("count", str(job.result_count), str(len(outputs))),)
    return (*count, *(Mismatch(*difference, tuple(numbers)) for difference, numbers in found.items()))


def _differences(job: Job, output: Output, asked: Asked, root: Path | None) -> Iterator[_Found]:
    if output.type != job.result_type:
        yield "kind", job.result_type, output.type
    if root is None or output.path is None:
        return
    try:
        measures = measure(root / output.path)
    except OSError:
        return
    if measures.width and measures.height:
        yield from _of_size(measures.width, measures.height, asked)
    if asked.seconds is not None and measures.seconds is not None:
        allowed = max(_LEAST_SECONDS, _SECONDS_SHARE * asked.seconds)
        if abs(measures.seconds - asked.seconds) > allowed:
            yield "duration", f"{asked.seconds:g} s", f"{measures.seconds:.3g} s"


def _of_size(width: int, height: int, asked: Asked) -> Iterator[_Found]:
    if asked.ratio:
        wide, high = map(int, asked.ratio.split(":"))
        if abs(width * high / (height * wide) - 1) > _RATIO_SHARE:
            yield "ratio", asked.ratio, f"{_ratio_text(width, height)} ({width} x {height})"
    if asked.resolution:
        classes = _classes(width, height, asked.resolution)
        if asked.resolution.name not in classes:
            name = f"{classes[0]} " if classes else ""
            yield "resolution", asked.resolution.name, f"{name}({width} x {height})".strip()


def _ratio_text(width: int, height: int) -> str:
    near = Fraction(width, height).limit_denominator(_LARGEST_TERM)
    if near and near.numerator <= _LARGEST_TERM and abs(near * height / width - 1) <= _RATIO_SHARE / 4:
        return f"{near.numerator}:{near.denominator}"
    return f"{width / height:.3g}:1"


def _classes(width: int, height: int, resolution: Resolution) -> list[str]:
    """The classes that a picture may count as: by its side, and by that of a picture of the usual shape as large."""
    if resolution.side == "long":
        sides = [max(width, height), math.sqrt(width * height)]
    else:
        sides = [min(width, height), math.sqrt(width * height / _WIDE)]
    return [name for side in sides for name in _nearest(side, resolution)]


def _nearest(side: float, resolution: Resolution) -> Iterable[str]:
    distances = {name: abs(math.log(side / pixels)) for name, pixels in resolution.pixels.items()}
    name = min(distances, key=lambda name: distances[name])
    return [name] if distances[name] <= math.log(_CLASS_FACTOR) else []
