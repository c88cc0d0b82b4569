"""The options of `run` that say where the work of jobs is done: here, or by workers of a Dask cluster."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from kirin_batch.commands.run_terms import ClusterOptions

__all__ = ["choose_cluster", "cluster_options"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def cluster_options(function: _Function) -> _Function:
    """Give a command the options `--engine`, `--scheduler` and `--shared`."""
    for option in (
        click.option(
            "--shared",
            "workers_folder",
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="Where workers see this project's folder: results are written there at once.",
        ),
        click.option(
            "--scheduler", metavar="ADDRESS", help="Dask's scheduler, as tcp://HOST:8786, or the file that names it."
        ),
        click.option(
            "--engine",
            type=click.Choice(["local", "dask"]),
            default="local",
            show_default=True,
            help="Who does the work of jobs: this machine, or the workers of a Dask cluster.",
        ),
    ):
        function = option(function)
    return function


def choose_cluster(engine: str, scheduler: str | None, shared: Path | None, *, sandbox: bool) -> ClusterOptions | None:
    """The cluster that the options name, if any. Raises UsageError where they contradict each other."""
    if engine == "local":
        if scheduler or shared:
            raise click.UsageError("--scheduler and --shared are about workers: add `--engine dask`.")
        return None
    if sandbox:
        raise click.UsageError(
            "--sandbox serves on loopback, where workers do not reach it: "
            "start `kirin-batch sandbox`, and set KIRIN_BASE_URL to it."
        )
    if shared and not shared.is_absolute():
        raise click.UsageError("--shared is a folder as workers see it: give its absolute path.")
    return ClusterOptions(scheduler, shared)
