"""kirin-batch: declarative batches of generated images and films.

`from kirin_batch import Project` is where a program begins (see `kirin_batch.api`). Names are imported when they are
asked for: the command line starts with none of them.
"""

TYPE_CHECKING = False  # `typing` has it too, and takes 4 ms to import
if TYPE_CHECKING:
    from kirin_batch.api import Project
    from kirin_batch.commands.rows import JobRow
    from kirin_batch.commands.run_terms import RunOptions, RunReport
    from kirin_batch.commands.saved_plan import load_plan
    from kirin_batch.commands.validate import Validation
    from kirin_batch.commands.workspace import Selection, SpecsInvalidError
    from kirin_batch.errors import ExitCode, KirinError
    from kirin_batch.jobs import Job
    from kirin_batch.plan import Action, Plan, PlannedJob, PlanOptions
    from kirin_batch.problems import Problem
    from kirin_batch.records import Output, Record, Status, TaskError
    from kirin_batch.scheduler.observer import Measures, Observer, Stage

__version__ = "0.1.0"

__all__ = [
    "Action",
    "ExitCode",
    "Job",
    "JobRow",
    "KirinError",
    "Measures",
    "Observer",
    "Output",
    "Plan",
    "PlanOptions",
    "PlannedJob",
    "Problem",
    "Project",
    "Record",
    "RunOptions",
    "RunReport",
    "Selection",
    "SpecsInvalidError",
    "Stage",
    "Status",
    "TaskError",
    "Validation",
    "__version__",
    "load_plan",
]

_HOMES = {
    "api": ("Project",),
    "commands.rows": ("JobRow",),
    "commands.run_terms": ("RunOptions", "RunReport"),
    "commands.saved_plan": ("load_plan",),
    "commands.validate": ("Validation",),
    "commands.workspace": ("Selection", "SpecsInvalidError"),
    "errors": ("ExitCode", "KirinError"),
    "jobs": ("Job",),
    "plan": ("Action", "Plan", "PlannedJob", "PlanOptions"),
    "problems": ("Problem",),
    "records": ("Output", "Record", "Status", "TaskError"),
    "scheduler.observer": ("Measures", "Observer", "Stage"),
}


if not TYPE_CHECKING:  # else every name would pass for one of them

    def __getattr__(name: str) -> object:
        home = next((home for home, names in _HOMES.items() if name in names), None)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        # Measured: a millisecond of the few in which a command without work is answered.
        from importlib import import_module  # noqa: PLC0415 - see above

        return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
