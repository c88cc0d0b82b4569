"""Projects for benchmarks whose jobs all have their results, without a run: specs, a lockfile, and small files."""

import hashlib
import os
import sys
from pathlib import Path

from kirin_batch.commands.workspace import open_project, open_workspace
from kirin_batch.jobs import Job
from kirin_batch.lockfile import save_lockfile
from kirin_batch.naming import output_path
from kirin_batch.records import Output, Record, Status

__all__ = ["make_project", "write_specs"]

JOBS_A_SPEC = 100
HEAD = "version: 1\ndefaults:\n  model: kirin_v2_image\n  params: {aspect_ratio: 16:9}\njobs:\n"
JOB = """\
  hero{job}:
    params:
      prompt: Fox {job} of campaign {spec} in a red scarf walks through the city at dawn, film grain
      n: 1
"""
RESULT = b"\x89PNG\r\n\x1a\n" + bytes(200)
DAY = "2026-01-31T12:00:00Z"
LONG_AGO = 1_700_000_000


def write_specs(root: Path, jobs: int) -> None:
    """Write specs of a hundred jobs each, a hundred to a folder."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "kirin.yaml").write_text("namespace: benchmark\n")
    for spec, first in enumerate(range(0, jobs, JOBS_A_SPEC)):
        path = root / "specs" / f"season{spec // 100:03}" / f"campaign{spec:05}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        count = min(JOBS_A_SPEC, jobs - first)
        path.write_text(HEAD + "".join(JOB.format(job=number, spec=spec) for number in range(count)))
        os.utime(path, (LONG_AGO, LONG_AGO))


def make_project(root: Path, jobs: int) -> tuple[Job, ...]:
    """Make the project with a result for every job, and give the jobs. Results are newer than specs, both are old."""
    write_specs(root, jobs)
    workspace = open_workspace(open_project(root))
    found = tuple(workspace.specs.jobs.values())
    save_lockfile(root / "kirin.lock", {job.id: _record(root, job) for job in found})
    return found


def _record(root: Path, job: Job) -> Record:
    path = output_path(job.output_stem, index=1, ext=".png")
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(RESULT)
    os.utime(root / path, (LONG_AGO, LONG_AGO + 1))
    url, sha256 = f"https://results.example/{job.digest}.png", hashlib.sha256(RESULT).hexdigest()
    return Record(
        job=job.id,
        model=job.model,
        status=Status.COMPLETED,
        digest=job.digest,
        external_task_id=job.external_task_id,
        created_at=DAY,
        finished_at=DAY,
        task_id=f"task-{job.digest[:12]}",
        cost="0.0280",
        outputs=(Output(url, "image", path=path, sha256=sha256, bytes=len(RESULT)),),
    )


def main() -> None:
    """Make a project in a process of its own, whose memory is not that of the benchmark."""
    make_project(Path(sys.argv[1]), int(sys.argv[2]))


if __name__ == "__main__":
    main()
