"""References between jobs: what they become, the order that follows, and that size is no matter."""

import time
from pathlib import Path

from spec_projects import load, load_job, only_problem, spec_of

from kirin_batch.jobs import Link, LinkedText

POSTER = "poster: {model: kirin_v2_image, params: {prompt: a fox, n: 2}}"


def chain(length: int, *, first: str) -> str:
    """Jobs of which each needs the one before."""
    lines = [f"j0: {{model: kirin_v2_image, params: {{prompt: a fox{first}}}}}"]
    for index in range(1, length):
        need = f'"${{{{ jobs.j{index - 1}.url }}}}"'
        lines.append(f"j{index}: {{model: kirin_v2_image, params: {{prompt: a fox, image: {need}}}}}")
    return spec_of("\n".join(reversed(lines)))


def test_a_reference_becomes_a_link_and_a_need(tmp_path: Path) -> None:
    job = load_job(
        tmp_path,
        spec_of(
            f"{POSTER}\n"
            'clip: {model: kirin_v3_i2v, params: {image: "${{ jobs.poster.urls[1] }}", '
            'prompt: "like ${{ jobs.a:poster.url }} and ${{ jobs.poster.task_id }}"}}'
        ),
    )
    assert job.links == {
        ("image",): LinkedText((Link("a:poster", "urls", 1),)),
        ("prompt",): LinkedText(("like ", Link("a:poster", "url"), " and ", Link("a:poster", "task_id"))),
    }
    assert job.needs == ("a:poster",)
    assert str(job.links["image",]) == "${{ jobs.a:poster.urls[1] }}"
    assert str(job.links["prompt",]) == "like ${{ jobs.a:poster.url }} and ${{ jobs.a:poster.task_id }}"


def test_needs_bring_all_instances_or_those_with_the_named_axes(tmp_path: Path) -> None:
    text = spec_of(
        'grid: {model: kirin_v2_image, matrix: {a: [1, 2], b: [x, y]}, params: {prompt: "${{ matrix.a }}"}}\n'
        "all: {model: kirin_v2_image, needs: [grid], params: {prompt: all}}\n"
        'some: {model: kirin_v2_image, needs: ["a:grid[b=y]"], params: {prompt: some}}'
    )
    jobs = load(tmp_path, {"specs/a.yaml": text}).jobs
    assert jobs["a:all"].needs == ("a:grid[a=1,b=x]", "a:grid[a=1,b=y]", "a:grid[a=2,b=x]", "a:grid[a=2,b=y]")
    assert jobs["a:some"].needs == ("a:grid[a=1,b=y]", "a:grid[a=2,b=y]")


def test_a_reference_finds_the_instance_that_only_an_include_made(tmp_path: Path) -> None:
    text = spec_of(
        "grid: {model: kirin_v2_image, matrix: {a: [1], include: [{a: 2, b: x}]}, params: {prompt: fox}}\n"
        'clip: {model: kirin_v3_i2v, matrix: {a: [1, 2]}, params: {prompt: go, image: "${{ jobs.grid.url }}"}}'
    )
    jobs = load(tmp_path, {"specs/a.yaml": text}).jobs
    assert jobs["a:clip[a=1]"].needs == ("a:grid[a=1]",)
    assert jobs["a:clip[a=2]"].needs == ("a:grid[a=2,b=x]",)


def test_a_chain_of_thousands_of_jobs_is_put_in_order(tmp_path: Path) -> None:
    begun = time.process_time()
    specs = load(tmp_path, {"specs/a.yaml": chain(5000, first="")})
    assert list(specs.jobs) == [f"a:j{index}" for index in range(5000)]
    assert time.process_time() - begun < 15  # about 1 s; a quadratic way takes minutes


def test_a_cycle_of_thousands_of_jobs_is_one_short_problem(tmp_path: Path) -> None:
    specs = load(tmp_path, {"specs/a.yaml": chain(2000, first=', image: "${{ jobs.j1999.url }}"')})
    problem = only_problem(specs)
    assert (problem.rule, problem.parameter, specs.jobs) == ("cycle", "/image", {})
    assert problem.message.endswith("a:j1999 → a:j1998 → a:j1997 → a:j1996 → (1994 more) → a:j1 → a:j0 → a:j1999")


def test_two_large_matrices_find_each_other_fast(tmp_path: Path) -> None:
    axes = "{a: [" + ", ".join(map(str, range(1500))) + "]}"
    text = spec_of(
        f'grid: {{model: kirin_v2_image, matrix: {axes}, params: {{prompt: "${{{{ matrix.a }}}}"}}}}\n'
        f'clip: {{model: kirin_v3_i2v, matrix: {axes}, params: {{prompt: go, image: "${{{{ jobs.grid.url }}}}"}}}}'
    )
    begun = time.process_time()
    jobs = load(tmp_path, {"specs/a.yaml": text}).jobs
    assert jobs["a:clip[a=1499]"].needs == ("a:grid[a=1499]",)
    assert time.process_time() - begun < 10


def test_one_wrong_name_in_thousands_of_places_is_told_in_time(tmp_path: Path) -> None:
    lines = [f'j{i}: {{model: kirin_v2_image, needs: [gone], params: {{prompt: "{i}"}}}}' for i in range(1000)]
    begun = time.process_time()
    specs = load(tmp_path, {"specs/a.yaml": spec_of("\n".join(lines))})
    assert len(specs.problems) == 1000
    assert time.process_time() - begun < 10


def test_text_around_a_reference_counts_in_what_is_checked(tmp_path: Path) -> None:
    text = (
        f'{POSTER}\nclip: {{model: kirin_v3_i2v, params: {{prompt: go, image_tail: "https://x.example/a.png", '
        'image: "https://proxy.example/?u=${{ jobs.poster.url }}"}}'
    )
    assert load_job(tmp_path, spec_of(text)).id == "a:clip"
