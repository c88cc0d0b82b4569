"""No result goes outside the project, whatever leads there."""

from pathlib import Path

import pytest
from spec_projects import load, only_problem, spec_of

JOB = "a: {model: kirin_v2_image, params: {prompt: a fox}}"


@pytest.mark.parametrize("link", ["outputs", "outputs/a", "outputs/a/a"])
def test_an_output_folder_that_is_a_link_may_not_lead_outside(tmp_path: Path, link: str) -> None:
    root, outside = tmp_path / "project", tmp_path / "outside"
    outside.mkdir()
    (root / link).parent.mkdir(parents=True)
    (root / link).symlink_to(outside)
    problem = only_problem(load(root, {"specs/a.yaml": spec_of(JOB)}))
    assert (problem.rule, problem.job) == ("outside", "a:a")
    assert load(root, {}, allow_outside=True).problems == ()


def test_an_output_folder_that_is_a_link_may_lead_inside(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "outputs").symlink_to("results")
    assert load(tmp_path, {"specs/a.yaml": spec_of(JOB)}).problems == ()
