"""`plan`: the manifest against what is recorded. Reads, decides, and writes nothing but the manifest."""

from collections.abc import Mapping
from dataclasses import replace

from kirin_batch.commands.workspace import Selection, Workspace
from kirin_batch.journal import load_records
from kirin_batch.plan import Plan, PlanOptions, make_plan, pick
from kirin_batch.prices import Estimates
from kirin_batch.records import Output, Record

__all__ = ["plan_jobs", "plan_project"]


def plan_project(workspace: Workspace, selection: Selection, options: PlanOptions) -> Plan:
    """What a run would do. Raises SpecsInvalidError, and KirinError where the lockfile cannot be trusted."""
    project = workspace.project
    return plan_jobs(workspace, selection, load_records(project.lockfile, project.journal), options)


def plan_jobs(workspace: Workspace, selection: Selection, records: Mapping[str, Record], options: PlanOptions) -> Plan:
    """The plan against `records`; orphans are told only where nothing narrows the selection."""
    workspace.require_valid()
    project, jobs = workspace.project, workspace.specs.jobs

    def is_present(output: Output) -> bool:
        return output.path is not None and (project.root / output.path).is_file()

    settings = project.settings
    plan = make_plan(
        jobs,
        records,
        is_present=is_present,
        estimates=Estimates(jobs.values(), records, settings.prices),
        options=replace(options, namespace=settings.namespace, retries=settings.retries),
    )
    return plan if selection.is_everything else pick(plan, workspace.select(selection, records))
