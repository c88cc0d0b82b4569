"""`kirin-batch plan`: prints what a run would do, why, and what it would cost."""

from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import click

from kirin_batch.cli.money import Usd
from kirin_batch.cli.plan_markdown import plan_markdown
from kirin_batch.cli.plan_text import plan_lines, summary_line
from kirin_batch.cli.repeatable import no_cache_option
from kirin_batch.cli.shared import (
    ProjectCommand,
    Shared,
    common_options_with,
    pass_shared,
    paths_argument,
    selection_options,
)
from kirin_batch.cli.step_summary import write_step_summary
from kirin_batch.commands.planning import Planned
from kirin_batch.errors import ExitCode
from kirin_batch.plan import SENDING, PlannedJob, PlanOptions

__all__ = ["command"]

_EPILOG = """\b
Examples:
  kirin-batch plan
  kirin-batch plan specs/launch.yaml --tag trailer
  kirin-batch plan --model 'kirin_v3_*' --exclude 'poster*'
  kirin-batch plan --detailed-exitcode || kirin-batch run
  kirin-batch plan --out plan.json && kirin-batch run --plan plan.json
  kirin-batch plan --format markdown > comment.md
  kirin-batch plan --max-cost 5.00

\b
What changed since a job was run is told by parameter, texts word by word:
  prompt: A fox at [-dawn-]{+dusk+}; n: 1 → 2; image: fox.png changed

\b
Actions: create, retry (a further attempt), resume (its task is in flight),
fetch (download again), move (renamed: nothing to pay), blocked, failed (left
alone until --retry-failed or a changed spec), unknown, orphan, none.

\b
Prices are learned from what tasks cost: of the same length and quality, else
("by its model") others of the model; else they are those of `prices` in
kirin.yaml, else made up ("by the sandbox", for the curious). A job of
unknown price counts as the dearest known.

Exit codes: 0; with --detailed-exitcode 3 where there is work; 1 invalid specs.
"""


@click.command("plan", cls=ProjectCommand, epilog=_EPILOG)
@paths_argument
@selection_options
@click.option("--retry-failed", is_flag=True, help="Plan a further attempt for jobs that failed.")
@click.option("--max-cost", type=Usd(), help="Tell which jobs would wait if a run may spend no more.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Save the plan, for `run --plan FILE` to carry out.",
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 3 where there is work.")
@no_cache_option
@common_options_with(
    ("text", "json", "markdown"), told="For people, one JSON document on stdout, or a comment for a pull request."
)
@pass_shared
def command(
    shared: Shared,
    paths: tuple[Path, ...],
    *,
    retry_failed: bool,
    max_cost: Decimal | None,
    out: Path | None,
    detailed_exitcode: bool,
) -> int:
    """Tell what a run would do and cost, and why.

    Compares the specs, or those at PATH, with the lockfile. Nothing is sent.
    """
    options = PlanOptions(retry_failed=retry_failed, takes_made_up=True)
    planned = shared.open(paths).plan(shared.selection(paths), options, max_cost=max_cost, out=out)
    write_step_summary(shared, partial(plan_markdown, planned))
    _tell(shared, planned)
    return ExitCode.WORK_LEFT if detailed_exitcode and planned.plan.has_work else ExitCode.DONE


def _tell(shared: Shared, planned: Planned) -> None:
    if shared.is_json:
        shared.print_json(_as_json(planned))
    elif shared.form == "markdown":
        click.echo(plan_markdown(planned), nl=False)
    else:
        for line in () if shared.quiet else plan_lines(planned, is_whole=shared.verbose):
            shared.print(line)
        shared.print(summary_line(planned.plan))


def _as_json(planned: Planned) -> dict[str, Any]:
    plan = planned.plan
    return {
        "jobs": [_job_as_json(job) for job in plan.jobs],
        "summary": plan.count(),
        "estimated_cost": None if plan.estimated_cost is None else str(plan.estimated_cost),
        "unpriced": plan.unpriced,
        "unpriced_counted_as": str(plan.dearest) if plan.unpriced and plan.dearest is not None else None,
        **planned.forecast.as_json(),
    }


def _job_as_json(planned: PlannedJob) -> dict[str, Any]:
    return {
        "job": planned.job,
        "model": planned.model,
        "action": str(planned.action),
        "reason": planned.reason,
        "digest": planned.digest,
        "external_task_id": planned.external_task_id,
        "estimated_cost": None if planned.estimated_cost is None else str(planned.estimated_cost),
        "estimate_source": _source(planned),
        "attempt": planned.attempt,
        "changes": [change.as_json() for change in planned.changes],
        "stale": planned.is_stale,
    }


def _source(planned: PlannedJob) -> str | None:
    if planned.estimate_source is None:
        return "unknown" if planned.action in SENDING else None
    return str(planned.estimate_source)
