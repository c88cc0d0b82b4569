"""What workers are asked to do: the functions that a driver names, each of which Dask calls on the event loop."""

import asyncio
import os
from pathlib import Path

from kirin_batch.engines.dask_wall import stand_at
from kirin_batch.engines.depot import read_piece
from kirin_batch.engines.messages import Answer, Facts, Packed, Parcel, Program, Trouble, own_program, pack
from kirin_batch.engines.office import Office
from kirin_batch.errors import KirinError

__all__ = ["describe", "dismiss", "give_piece", "misfit", "recall", "take_piece", "work"]

_offices: dict[tuple[str, str], Office] = {}  # by run and worker: a process may hold several workers


async def work(parcel: Parcel) -> Packed[Answer]:
    """Work at a job; never raises what the driver should hear of."""
    post = stand_at(parcel.run, parcel.key)
    if complaint := misfit(parcel.program, own_program()):
        trouble = Trouble("UsageError", f"worker {post.address} {complaint}")
        return pack(Answer(worker=post.address, trouble=trouble))
    try:
        office = _offices.get((parcel.run, post.address))
        if office is None or office.is_closed:
            _forget_closed()
            office = _offices[parcel.run, post.address] = Office(parcel.run, parcel.terms.open(), post)
    except KirinError as error:
        trouble = Trouble(type(error).__name__, f"worker {post.address}: {error}")
        return pack(Answer(worker=post.address, trouble=trouble))
    return pack(await office.employ(parcel.key, parcel.errand.open()))


def _forget_closed() -> None:
    for known in [known for known, office in _offices.items() if office.is_closed]:
        del _offices[known]


def misfit(driver: Program, worker: Program) -> str:
    """Why a worker may not work for a driver; empty where it may."""
    if driver.version != worker.version:
        return f"has kirin-batch {worker.version}, the driver {driver.version}: install the same version on both"
    if driver.schemas != worker.schemas:
        return "has other schemas of models than the driver: install the same version on both"
    return ""


async def describe(shared_mark: str | None) -> Facts:
    """What this worker is; `shared_mark` is a file of the folder that is to be shared."""
    has_key = bool(os.environ.get("KIRIN_API_KEY") or os.environ.get("KIRIN_API_KEY_FILE"))
    sees = shared_mark is not None and await asyncio.to_thread(Path(shared_mark).is_file)
    return Facts(own_program(), has_key, sees)


async def recall(run: str) -> None:
    """End the work for a run, but for creates whose answers are awaited."""
    for office in _of(run):
        office.recall()


async def dismiss(run: str) -> None:
    """End all work for a run, and forget it."""
    for office in _of(run):
        await office.close()
    _forget_closed()


async def take_piece(run: str, sha256: str, offset: int, data: bytes, is_last: bool) -> None:  # noqa: FBT001 - a message
    """Take a piece of a file that somebody here asked for."""
    for office in _of(run):
        await office.depot.take(sha256, offset, data, is_last=is_last)


async def give_piece(path: str, offset: int) -> tuple[bytes, bool]:
    """Give a piece of a result, and whether it is the last one. Raises OSError."""
    return await asyncio.to_thread(read_piece, Path(path), offset)


def _of(run: str) -> list[Office]:
    return [office for (of_run, _), office in _offices.items() if of_run == run]
