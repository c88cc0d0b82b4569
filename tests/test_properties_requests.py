"""What holds of requests drawn from the pages: the program and the sandbox, which share no rule, judge them alike."""

import asyncio
import base64
import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from request_edits import EDITS, WRONG_FILES
from request_mutants import mutants
from request_strategies import BASES, Request, as_sent, save_pictures
from request_yaml import written
from sent_bodies import as_json
from spec_projects import CATALOG, load

from kirin_batch.bodies import RequestBuilder
from kirin_batch.problems import Severity
from kirin_batch.sandbox.models import Model
from kirin_batch.sandbox.refusals import RequestRefusedError
from kirin_batch.sandbox.rules import rules_of
from kirin_batch.specs.loading import Specs

QUICK = settings(
    deadline=None,
    phases=set(Phase) - {Phase.shrink},  # which takes minutes, and parameters tell what is wrong
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
SEEDS = st.integers(0, 2**32)


def examples(few: int, many: int) -> pytest.MarkDecorator:
    """So few examples in every run, and so many apart."""
    scales = [pytest.param(few, id="few"), pytest.param(many, id="many", marks=pytest.mark.soak)]
    return pytest.mark.parametrize("count", scales)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project's folder with all pictures in it, right ones and wrong ones."""
    save_pictures(tmp_path)
    for path, data in WRONG_FILES.items():
        (tmp_path / "specs" / path).write_bytes(base64.b64decode(data))
    return tmp_path


def spec_by_hand(model: str, request: Request, seed: int) -> str:
    """A spec as a person might write it, or a tool of theirs."""
    chance = random.Random(seed)  # noqa: S311 - styles of writing
    job = {"model": model, "params": request}
    if chance.random() < 0.2:
        return yaml.safe_dump({"version": 1, "jobs": {"a": job}}, allow_unicode=chance.random() < 0.5)
    return f"version: 1\njobs:\n  a:{written(job, chance, indent=4)}\n"


def refusal(model: str, params: Request) -> str | None:
    """What the sandbox says against a request."""
    try:
        rules_of(Model(model)).check(params)
    except RequestRefusedError as refused:
        return refused.message
    return None


def bodies(root: Path, specs: Specs) -> list[tuple[str, Request]]:
    """The model and the params of each job's request as it would be sent."""
    builder = RequestBuilder(root, {}, CATALOG)

    async def build() -> list[tuple[str, Any]]:
        return [(job.model, await builder.build(job, job.external_task_id)) for job in specs.jobs.values()]

    return [(model, as_json(params)) for model, params in asyncio.run(build())]


def hold_that_it_passes(root: Path, model: str, request: Request, seed: int) -> None:
    specs = load(root, {"specs/a.yaml": spec_by_hand(model, request, seed)})
    assert errors_by_job(specs) == {}
    [(_, sent)] = bodies(root, specs)
    assert sent == {"external_task_id": sent["external_task_id"], **as_sent(request)}
    assert refusal(model, sent) is None


def hold_that_edits_fail(root: Path, base: str, request: Request) -> None:
    """Every edit by itself, as a job of its own in one spec: one that passes shows by being told of nowhere."""
    model, _ = BASES[base]
    jobs, wrong = {}, {}
    for number, (name, edit) in enumerate(EDITS[base].items()):
        edited = copy.deepcopy({key: value for key, value in request.items() if key != "external_task_id"})
        wrong[f"a:job{number}"] = (name, {edit(edited)})
        jobs[f"job{number}"] = {"model": model, "params": edited}
        assert refusal(model, as_sent(edited, WRONG_FILES)) is not None, (name, edited)
    text = json.dumps({"version": 1, "jobs": jobs}, ensure_ascii=False)
    found = errors_by_job(load(root, {"specs/a.yaml": text}))
    told = [(name, pointers, found.get(job)) for job, (name, pointers) in wrong.items()]
    assert [entry for entry in told if entry[1] != entry[2]] == []


def hold_that_what_passes_is_taken(root: Path, model: str, mutants: list[Any], seed: int) -> None:
    jobs = {f"job{number}": {"model": model, "params": params} for number, params in enumerate(mutants)}
    chance = random.Random(seed)  # noqa: S311 - styles of writing
    specs = load(root, {"specs/a.yaml": f"version: 1\njobs:{written(jobs, chance, indent=2)}\n"})
    for _, sent in bodies(root, specs):
        assert refusal(model, sent) is None


def errors_by_job(specs: Specs) -> dict[str | None, set[str | None]]:
    """The parameters that are wrong in each job."""
    found: dict[str | None, set[str | None]] = {}
    for problem in specs.problems:
        if problem.severity is Severity.ERROR:
            found.setdefault(problem.job, set()).add(problem.parameter)
    return found


@pytest.mark.parametrize("base", BASES)
@examples(20, 100)
def test_a_valid_request_passes_however_it_is_written_and_is_taken_as_it_is_sent(
    root: Path, base: str, count: int
) -> None:
    model, requests = BASES[base]

    @settings(QUICK, max_examples=count)
    @given(requests, SEEDS)
    def hold(request: Request, seed: int) -> None:
        hold_that_it_passes(root, model, request, seed)

    hold()


@pytest.mark.parametrize("base", BASES)
@examples(3, 20)
def test_one_edit_across_an_edge_is_told_at_its_parameter_and_refused(root: Path, base: str, count: int) -> None:
    _, requests = BASES[base]

    @settings(QUICK, max_examples=count)
    @given(requests)
    def hold(request: Request) -> None:
        hold_that_edits_fail(root, base, request)

    hold()


@pytest.mark.parametrize("base", BASES)
@examples(20, 70)
def test_whatever_passes_is_taken(root: Path, base: str, count: int) -> None:
    @settings(QUICK, max_examples=count)
    @given(mutants(base), SEEDS)
    def hold(requests: list[Request], seed: int) -> None:
        hold_that_what_passes_is_taken(root, BASES[base][0], requests, seed)

    hold()
