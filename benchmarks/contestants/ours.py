"""The contestant that the benchmark is about: a project of so many jobs, run through the library's front door."""

import asyncio
import sys
from collections.abc import Callable

from measuring import POLL_SECONDS, Errand, Meter, cpu_seconds, read_errand

from kirin_batch.cli.event_loop import spare_collector
from kirin_batch.commands.run import run_project
from kirin_batch.commands.run_terms import RunOptions, RunReport
from kirin_batch.commands.workspace import open_project, open_workspace
from kirin_batch.errors import ExitCode
from kirin_batch.scheduler.observer import Measures, Silent

IN_ONE_FOLDER = 'outputs: "outputs/{spec}/{job}-{index}{ext}"\n'
SETTINGS = """\
limits: {{image: {slots}}}
poll: {{min: {least}, max: {most}}}
"""


class Start(Silent):
    """Watches a run for the moment when its plan is made and the first request may go out."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.prepared_seconds = 0.0

    def began(self, jobs: int, *, working: int, measure: Callable[[], Measures]) -> None:
        """See Observer."""
        del jobs, working, measure
        self.prepared_seconds = cpu_seconds()
        self._meter.begin()


def write_project(errand: Errand, *, folders: bool = False) -> None:
    """Specs of 1,000 jobs each; the gateway's address and the key are in the environment."""
    (errand.folder / "specs").mkdir(parents=True)
    settings = SETTINGS.format(slots=errand.slots, least=POLL_SECONDS, most=POLL_SECONDS)
    (errand.folder / "kirin.yaml").write_text(settings if folders else settings + IN_ONE_FOLDER)
    for first in range(0, errand.jobs, 1000):
        numbers = range(first, min(first + 1000, errand.jobs))
        lines = "".join(f"  job{number}: {{params: {{prompt: Fox number {number}}}}}\n" for number in numbers)
        spec = errand.folder / "specs" / f"film{first // 1000}.yaml"
        spec.write_text(f"version: 1\ndefaults: {{model: kirin_v2_image}}\njobs:\n{lines}")


def main() -> None:
    """Run the project. Raises RuntimeError where a job is not completed."""
    errand, meter = read_errand(), Meter()
    write_project(errand, folders="--folders" in sys.argv)
    begin = cpu_seconds()
    start = Start(meter)
    workspace = open_workspace(open_project(errand.folder))
    spare_collector()
    report: RunReport = asyncio.run(run_project(workspace, RunOptions(), observer=start))
    if report.exit_code is not ExitCode.DONE:
        raise RuntimeError(f"the run ended with {report.exit_code!r}")
    meter.tell(preparing_seconds=start.prepared_seconds - begin)


if __name__ == "__main__":
    main()
