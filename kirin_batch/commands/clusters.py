"""A cluster in the place of this machine: opened and looked at before anything is sent, its engine made for a run.

It loads Dask, which other runs need not: it is imported where a run asks for a cluster.
"""

import logging
import secrets
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from kirin_batch.clock import SystemClock
from kirin_batch.commands.planning import recorded_contents
from kirin_batch.commands.run_terms import ClusterOptions
from kirin_batch.engines.dask_wall import DaskCluster, open_cluster
from kirin_batch.engines.knowledge import Knowledge
from kirin_batch.engines.messages import Terms
from kirin_batch.engines.remote_engine import RemoteEngine, require_fitting_workers
from kirin_batch.errors import KirinError
from kirin_batch.jobs import Job
from kirin_batch.outputs.collector import remove_leftovers
from kirin_batch.project import Project
from kirin_batch.records import Record
from kirin_batch.scheduler.learned import Latencies
from kirin_batch.scheduler.observer import Observer
from kirin_batch.scheduler.surroundings import Rules

__all__ = ["ClusterSite", "open_site"]

logger = logging.getLogger("kirin_batch.engines")


@dataclass(frozen=True, slots=True)
class ClusterSite:
    """A cluster whose workers fit, for one run of a project; `workers` is how many there were when it began."""

    project: Project
    cluster: DaskCluster
    shared: Path | None
    workers: int

    @asynccontextmanager
    async def open_engine(
        self,
        parts: Knowledge,
        jobs: Iterable[Job],
        *,
        rules: Rules,
        downloads: bool,
        observer: Observer,
        latencies: Latencies,
    ) -> AsyncIterator[RemoteEngine]:
        """The engine, for as long as a scheduler uses it; what workers that died left in the project is removed."""
        losses = self.cluster.losses
        terms = self._terms(rules, latencies, is_downloading=downloads)
        async with RemoteEngine(
            self.cluster,
            terms,
            parts,
            recorded_at=_recorded_at(parts.records.values()),
            clock=SystemClock(),
            observer=observer,
            latencies=latencies,
        ) as engine:
            yield engine
        if self.shared and self.cluster.losses > losses:
            remove_leftovers(self.project.root, jobs)

    def _terms(self, rules: Rules, latencies: Latencies, *, is_downloading: bool) -> Terms:
        settings = self.project.settings
        folders = [self.project.root / folder for folder in settings.schemas]
        rate = settings.requests_per_second
        return Terms(
            base_url=settings.base_url,
            timeout_seconds=settings.gateway_timeout,
            requests_per_second=rate and rate / self.workers,
            result_bytes=int(settings.result_max_mb * 1024**2),
            downloads=settings.downloads,
            rules=rules,
            is_downloading=is_downloading,
            is_embedding=settings.embed,
            shared=str(self.shared) if self.shared else None,
            store=settings.store,
            schemas={path.name: path.read_text("utf-8") for each in folders for path in each.glob("*.schema.json")},
            latencies=latencies.dump(),
        )


@asynccontextmanager
async def open_site(project: Project, options: ClusterOptions) -> AsyncIterator[ClusterSite]:
    """Connect, and look at all workers that there are. Raises KirinError where they are not what they should be."""
    async with open_cluster(options.scheduler) as cluster:
        with _marked(project, options.shared) as mark:
            workers = await require_fitting_workers(cluster, mark)
        if not workers:
            logger.warning("the Dask cluster has no workers yet: jobs wait for them")
        yield ClusterSite(project, cluster, options.shared, max(1, workers))


@contextmanager
def _marked(project: Project, shared: Path | None) -> Iterator[Path | None]:
    """A file by which workers know that a folder of theirs is this project, as they are to see it."""
    if shared is None:
        yield None
        return
    mark = project.state / f"shared-{secrets.token_hex(8)}"
    try:
        mark.touch()
    except OSError as error:
        raise KirinError(f"{mark} cannot be written: {error.strerror}") from error
    try:
        yield shared / mark.relative_to(project.root)
    finally:
        with suppress(OSError):
            mark.unlink()


def _recorded_at(records: Iterable[Record]) -> Callable[[Job], Mapping[str, frozenset[str | None]]]:
    """What makes, for a job, the SHA-256 that are recorded of paths where its results go; as records are now."""
    contents = recorded_contents(records)
    paths = sorted(contents)

    def of(job: Job) -> Mapping[str, frozenset[str | None]]:
        prefix = job.output_stem.partition("{")[0]
        found = {}
        for path in paths[bisect_left(paths, prefix) :]:
            if not path.startswith(prefix):
                break
            found[path] = frozenset(sha256 for _, sha256 in contents[path])
        return found

    return of
