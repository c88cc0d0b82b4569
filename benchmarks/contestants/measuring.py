"""What every contestant is asked to do, and how it tells what that took. The standard library alone."""

import json
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["KEY", "POLL_SECONDS", "Errand", "Meter", "read_errand"]

KEY = "sk-benchmark-0123456789"
POLL_SECONDS = 0.01  # between two queries of a task


@dataclass(frozen=True, slots=True)
class Errand:
    """So many jobs at the gateway of `url`, so many of them at once, their results as files below `folder`."""

    url: str
    folder: Path
    jobs: int
    slots: int

    @property
    def generation_url(self) -> str:
        """Where tasks are created."""
        return f"{self.url}/model/v1/generation"

    def task_url(self, task_id: object) -> str:
        """Where a task is queried."""
        return f"{self.generation_url}/task/{task_id}"

    def body(self, number: int) -> dict[str, object]:
        """The request of one job."""
        params = {"prompt": f"Fox number {number}", "external_task_id": f"fanout-{number}"}
        return {"model": "kirin_v2_image", "input": [{"params": params}]}

    def file(self, number: int) -> Path:
        """Where the result of one job goes."""
        return self.folder / f"{number}.png"


class Meter:
    """Measures this process from `begin` to `tell`."""

    def begin(self) -> None:
        """The work begins."""
        self._began, self._began_cpu = time.perf_counter(), cpu_seconds()

    def tell(self, *, preparing_seconds: float = 0.0) -> None:
        """Print for the benchmark what it took; `preparing_seconds` of CPU are not among it."""
        seconds, cpu = time.perf_counter() - self._began, cpu_seconds() - self._began_cpu
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps([seconds, cpu, megabytes, preparing_seconds]), flush=True)


def cpu_seconds() -> float:
    """What this process took so far, all its threads, in the program and in the kernel for it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def read_errand() -> Errand:
    """The errand of the command line: URL, folder, jobs, slots."""
    url, folder, jobs, slots = sys.argv[1:5]
    return Errand(url, Path(folder), int(jobs), int(slots))
