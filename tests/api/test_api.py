"""`from kirin_batch import Project`: what the command line does, for programs."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from studio import Studio, open_studio

import kirin_batch
from kirin_batch import (
    Action,
    ExitCode,
    Job,
    KirinError,
    Measures,
    PlanOptions,
    Project,
    RunOptions,
    Selection,
    SpecsInvalidError,
    Stage,
    Status,
    load_plan,
)


class Diary:
    """An observer that writes down what it is told."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, Stage]] = []
        self.measures: list[Measures] = []

    def began(self, jobs: int, *, working: int, measure: Callable[[], Measures]) -> None:
        assert (jobs, working) == (2, 2)
        self.measure = measure

    def stepped(self, job: Job, stage: Stage, detail: str) -> None:
        del detail
        self.stages.append((job.id, stage))
        self.measures.append(self.measure())


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        studio.prompts(one="a fox", two="b")
        yield studio


def test_a_project_is_planned_run_and_told_of(studio: Studio) -> None:
    project, diary = Project(studio.root), Diary()
    assert project.plan().plan.count() == {"create": 2}
    report = asyncio.run(project.run(observer=diary))
    assert (report.exit_code, studio.books.creates) == (ExitCode.DONE, 2)
    assert (diary.stages[-1][1], len(diary.measures)) == (Stage.COMPLETED, len(diary.stages))
    rows = project.status()
    assert [(row.job, row.status) for row in rows] == [("film:one", Status.COMPLETED), ("film:two", Status.COMPLETED)]
    assert all((project.root / str(out.path)).is_file() for row in rows if row.record for out in row.record.outputs)
    assert project.plan().plan.count() == {"none": 2}


def test_a_selection_narrows_plan_run_and_status(studio: Studio) -> None:
    project, two = Project(str(studio.root)), Selection(jobs=("two",))
    assert [planned.job for planned in project.plan(two).plan.jobs] == ["film:two"]
    asyncio.run(project.run(RunOptions(selection=two)))
    assert [row.job for row in project.status(two)] == ["film:two"]
    assert project.plan().plan.count() == {"create": 1, "none": 1}


def test_paths_of_a_selection_are_read_though_no_setting_names_them(studio: Studio) -> None:
    extra = studio.root / "drafts" / "more.yaml"
    extra.parent.mkdir()
    extra.write_text("version: 1\njobs:\n  three: {model: kirin_v2_image, params: {prompt: c}}\n")
    selection = Selection(paths=(extra,))
    assert [planned.job for planned in Project(studio.root).plan(selection).plan.jobs] == ["drafts/more:three"]


def test_problems_come_with_their_places_and_no_run_begins(studio: Studio) -> None:
    studio.spec("  one: {params: {promt: a}}")
    project = Project(studio.root)
    [problem, *_] = project.validate().problems
    assert (problem.file, problem.job, problem.line) == ("specs/film.yaml", "film:one", 4)
    with pytest.raises(SpecsInvalidError) as caught:
        asyncio.run(project.run())
    assert (caught.value.exit_code, studio.books.creates) == (ExitCode.FAILED, 0)


def test_a_plan_that_was_saved_is_carried_out(studio: Studio) -> None:
    project, file = Project(studio.root), studio.root / "plan.json"
    project.plan(Selection(jobs=("one",)), PlanOptions(), out=file)
    saved = load_plan(file)
    report = asyncio.run(Project(studio.root).run(RunOptions(selection=saved.selection, saved=saved)))
    assert ([row.job for row in report.rows], studio.books.creates) == (["film:one"], 1)


def test_what_a_plan_would_exceed_is_told(studio: Studio) -> None:
    (studio.root / "kirin.yaml").write_text('prices: {kirin_v2_image: "2.00"}\n')
    planned = Project(studio.root).plan(max_cost=Decimal("3.00"))
    assert planned.plan.estimated_cost == Decimal("4.00")
    assert {job.action for job in planned.plan.jobs} == {Action.CREATE}


def test_no_key_is_an_error_with_the_exit_code_of_the_command(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KIRIN_API_KEY")
    report = asyncio.run(Project(studio.root).run())
    assert isinstance(report.stopped_by, KirinError)
    assert report.exit_code is ExitCode.REFUSED


def test_every_name_of_the_package_is_there_and_none_other() -> None:
    assert dir(kirin_batch) == sorted(kirin_batch.__all__)
    assert [name for name in kirin_batch.__all__ if not hasattr(kirin_batch, name)] == []
    with pytest.raises(AttributeError, match="has no attribute 'Projekt'"):
        kirin_batch.Projekt  # type: ignore[attr-defined] # noqa: B018 - asked for because it is not there


def test_the_package_imports_none_of_its_modules_until_it_is_asked() -> None:
    program = "import sys, kirin_batch; print([name for name in sys.modules if name.startswith('kirin_batch.')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - our own interpreter
    assert done.stdout == "[]\n"
