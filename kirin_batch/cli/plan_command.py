"""`kirin-batch plan`: prints what a run would do, why, and what it would cost."""

from pathlib import Path
from typing import Any

import click

from kirin_batch.cli.money import usd
from kirin_batch.cli.shared import (
    ProjectCommand,
    Shared,
    common_options,
    pass_shared,
    paths_argument,
    selection_options,
)
from kirin_batch.cli.step_summary import plan_summary, write_step_summary
from kirin_batch.commands.planning import plan_project
from kirin_batch.errors import ExitCode
from kirin_batch.plan import SENDING, Action, Plan, PlannedJob, PlanOptions
from kirin_batch.prices import Source

__all__ = ["command"]

_EPILOG = """\b
Examples:
  kirin-batch plan
  kirin-batch plan specs/launch.yaml --tag trailer
  kirin-batch plan --model 'kirin_v3_*' --exclude 'poster*'
  kirin-batch plan --detailed-exitcode || kirin-batch run

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

_MARKS = {
    Action.CREATE: ("+", "green"),
    Action.RETRY: ("+", "green"),
    Action.RESUME: ("~", "cyan"),
    Action.FETCH: ("~", "cyan"),
    Action.MOVE: (">", "cyan"),
    Action.BLOCKED: ("!", "yellow"),
    Action.FAILED: ("!", "red"),
    Action.UNKNOWN: ("?", "red"),
    Action.ORPHAN: ("-", "yellow"),
    Action.NONE: ("=", "bright_black"),
}

_SOURCES = {
    Source.HISTORY: "",
    Source.MODEL: " by its model",
    Source.PRICES: " by kirin.yaml",
    Source.SANDBOX: " by the sandbox",
}


@click.command("plan", cls=ProjectCommand, epilog=_EPILOG)
@paths_argument
@selection_options
@click.option("--retry-failed", is_flag=True, help="Plan a further attempt for jobs that failed.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 3 where there is work.")
@common_options
@pass_shared
def command(shared: Shared, paths: tuple[Path, ...], retry_failed: bool, detailed_exitcode: bool) -> int:  # noqa: FBT001 - click passes by name
    """Tell what a run would do and cost, and why.

    Compares the specs, or those at PATH, with the lockfile. Nothing is sent.
    """
    options = PlanOptions(retry_failed=retry_failed, takes_made_up=True)
    plan = plan_project(shared.workspace(paths), shared.selection(paths), options)
    write_step_summary(shared, plan_summary(plan))
    if shared.is_json:
        shared.print_json(_as_json(plan))
    else:
        for planned in () if shared.quiet else plan.jobs:
            if planned.action is not Action.NONE or shared.verbose:
                shared.print(_line(planned))
        shared.print(_summary(plan))
    return ExitCode.WORK_LEFT if detailed_exitcode and plan.has_work else ExitCode.DONE


def _line(planned: PlannedJob) -> str:
    mark, colour = _MARKS[planned.action]
    action = click.style(f"{mark} {planned.action:<8}", fg=colour)
    return f"{action} {planned.job}  {click.style(f'({planned.reason})', dim=True)}{_price(planned)}"


def _price(planned: PlannedJob) -> str:
    if planned.estimated_cost is None or planned.estimate_source is None:
        return "  price unknown" if planned.action in SENDING else ""
    return f"  {usd(planned.estimated_cost)}{_SOURCES[planned.estimate_source]}"


def _summary(plan: Plan) -> str:
    counts = plan.count()
    if not plan.jobs:
        return "no jobs"
    told = ", ".join(f"{number} {action}" for action, number in counts.items())
    if not plan.has_work:
        return f"{told}: nothing to do"
    cost = plan.estimated_cost
    if cost is None or plan.dearest is None:
        return f"{told}; estimated cost {'unknown (no price is known yet)' if cost is None else usd(cost)}"
    unknown = f", {plan.unpriced} of unknown price counted as {usd(plan.dearest)}, the dearest known"
    return f"{told}; estimated cost {usd(cost)}{unknown if plan.unpriced else ''}"


def _as_json(plan: Plan) -> dict[str, Any]:
    return {
        "jobs": [
            {
                "job": planned.job,
                "model": planned.model,
                "action": str(planned.action),
                "reason": planned.reason,
                "digest": planned.digest,
                "external_task_id": planned.external_task_id,
                "estimated_cost": None if planned.estimated_cost is None else str(planned.estimated_cost),
                "estimate_source": _source(planned),
            }
            for planned in plan.jobs
        ],
        "summary": plan.count(),
        "estimated_cost": None if plan.estimated_cost is None else str(plan.estimated_cost),
        "unpriced": plan.unpriced,
        "unpriced_counted_as": str(plan.dearest) if plan.unpriced and plan.dearest is not None else None,
    }


def _source(planned: PlannedJob) -> str | None:
    if planned.estimate_source is None:
        return "unknown" if planned.action in SENDING else None
    return str(planned.estimate_source)
