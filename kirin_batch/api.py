"""The front door for programs: a project, and what one does with it. The command line is its first user.

    project = Project("campaign")
    for problem in project.validate().problems:
        print(problem.file, problem.line, problem.message)
    print(project.plan(Selection(tags=("film",))).plan.estimated_cost)
    report = asyncio.run(project.run(RunOptions(max_cost=Decimal("5.00"))))
    print(report.exit_code, [row.job for row in project.status() if row.error])

What goes wrong for all jobs is a KirinError, whose `exit_code` is that of the command; what goes wrong with one job is
in its row. The key comes from the environment, as it does for the command line.
"""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from kirin_batch.commands.planning import Planned, plan_project
from kirin_batch.commands.rows import JobRow
from kirin_batch.commands.run_terms import Confirm, Interrupts, RunOptions, RunReport
from kirin_batch.commands.saved_plan import open_planned, save_plan
from kirin_batch.commands.status import status_rows
from kirin_batch.commands.validate import Validation, validate
from kirin_batch.commands.workspace import Selection, Workspace, open_project, open_workspace
from kirin_batch.plan import PlanOptions
from kirin_batch.project import Settings
from kirin_batch.scheduler.observer import Observer

__all__ = ["Project"]


class Project:
    """The project of a folder; None: the nearest upwards from the working directory that has a kirin.yaml, else that.

    kirin.yaml is read now, specs when they are first needed, what is recorded each time: where specs were edited, make
    another Project. `folder` tells where all that belongs to it lies. Raises UsageError for a kirin.yaml or an
    environment that cannot be used.
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        self.folder = open_project(None if folder is None else Path(folder))
        self._read: dict[tuple[Path, ...], Workspace] = {}

    @property
    def root(self) -> Path:
        """The folder that paths of results and specs are relative to; absolute."""
        return self.folder.root

    @property
    def settings(self) -> Settings:
        """What kirin.yaml and the environment say, with defaults for the rest."""
        return self.folder.settings

    def read(self, paths: Sequence[Path] = ()) -> Workspace:
        """The models and specs of the project, those at `paths` included; its `specs.jobs` are all jobs by id.

        Raises UsageError for a path that is not there or outside, SchemaError for a wrong schema of a further model.
        """
        named = tuple(paths)
        if named not in self._read:
            self._read[named] = open_workspace(self.folder, named)
        return self._read[named]

    def read_for(self, options: RunOptions) -> Workspace:
        """What a run with these options begins with: the specs of its plan, or of its selection. Raises as `read`."""
        if options.saved is None:
            return self.read(options.selection.paths)
        named = tuple(self.root / path for path in options.saved.selection.paths)
        if named not in self._read:
            self._read[named] = open_planned(self.folder, options.saved)
        return self._read[named]

    def validate(self, paths: Sequence[Path] = ()) -> Validation:
        """All problems of the specs, or of those at `paths`; no network. Reads them anew."""
        return validate(self.folder, paths)

    def plan(
        self,
        selection: Selection | None = None,
        options: PlanOptions | None = None,
        *,
        max_cost: Decimal | None = None,
        out: Path | None = None,
    ) -> Planned:
        """What a run would do with the selected jobs (None: all), why, and what it would cost; no network.

        `max_cost`: USD, instead of what kirin.yaml says. `out` is where the plan is saved, for `RunOptions.saved`.
        Raises SpecsInvalidError, UsageError for a selection that meets nothing, and KirinError for a lockfile that
        cannot be trusted.
        """
        chosen, options = selection or Selection(), options or PlanOptions(takes_made_up=True)
        workspace = self.read(chosen.paths)
        planned = plan_project(workspace, chosen, options, max_cost=max_cost)
        if out:
            save_plan(out, workspace, planned, selection=chosen, retry_failed=options.retry_failed)
        return planned

    async def run(
        self,
        options: RunOptions | None = None,
        *,
        observer: Observer | None = None,
        on_interrupt: Interrupts | None = None,
        confirm: Confirm | None = None,
    ) -> RunReport:
        """Create what is missing, wait for it, download and record it; `observer` hears of every step.

        `on_interrupt` makes a context in which the run can be told to stop; what is in flight is left for the next one.
        Where `options.canaries` went well, `confirm` says whether the others may go. Raises as `plan`, and
        ProjectBusyError while another run holds the project.
        """
        # Measured: aiohttp and what talks to the gateway take 150 ms to import, which plans need not wait for.
        from kirin_batch.commands.run import run_project  # noqa: PLC0415 - see above

        options = options or RunOptions()
        return await run_project(
            self.read_for(options),
            options,
            observer=observer,
            on_interrupt=on_interrupt,
            confirm=confirm,
        )

    def status(self, selection: Selection | None = None) -> list[JobRow]:
        """How each selected job stands, as it is recorded, and what no spec has any more; beside a run too, no network.

        Where the specs have errors, only what is recorded is told.
        """
        chosen = selection or Selection()
        return status_rows(self.read(chosen.paths), chosen)
