"""Whole projects: which files are specs, what they are called, and what their faults mean for one another."""

import re
import time
from pathlib import Path

import pytest
from spec_projects import CATALOG, load, only_problem, save_specs, spec_of

from kirin_batch.errors import UsageError
from kirin_batch.problems import Severity
from kirin_batch.project import Project, Settings
from kirin_batch.specs.loading import load_specs

FOX = "{model: kirin_v2_image, params: {prompt: a fox}}"
ONE = spec_of(f"hero: {FOX}")


def film_of(reference: str) -> str:
    return spec_of(f'clip: {{model: kirin_v3_i2v, params: {{prompt: go, image: "${{{{ {reference} }}}}"}}}}')


def test_a_spec_is_named_by_its_path_below_the_root_without_specs_and_ending(tmp_path: Path) -> None:
    files = ["a.yaml", "specs/a.b.yaml", "specs/deep/er/c.yml", "specs/my spec.yaml", "specs/specs/d.yaml"]
    specs = load(tmp_path, dict.fromkeys(files, ONE), specs=("**/*.yaml", "specs/**/*.yml"))
    assert sorted(specs.jobs) == ["a.b:hero", "a:hero", "deep/er/c:hero", "my spec:hero", "specs/d:hero"]
    assert specs.files == specs.job_files == tuple(files)


def test_no_specs_are_no_jobs(tmp_path: Path) -> None:
    specs = load(tmp_path, {})
    assert (specs.jobs, specs.files, specs.problems, specs.is_valid) == ({}, (), (), True)


def test_specs_are_found_by_the_patterns_of_the_project_and_by_further_paths(tmp_path: Path) -> None:
    save_specs(tmp_path, {"specs/a.yaml": ONE, "specs/b.txt": ONE, "more/c.yaml": ONE, "specs/d.yaml/e.md": ""})
    (tmp_path / "way").symlink_to(tmp_path / "more")
    further = [tmp_path / "more" / "c.yaml", tmp_path / "way" / "c.yaml"]
    specs = load_specs(Project(tmp_path.resolve()), CATALOG, environ={}, further=further)
    assert specs.files == ("more/c.yaml", "specs/a.yaml", "way/c.yaml")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("../*.yaml", "specs: ../*.yaml leads out of the project"),
        ("/etc/*.yaml", "specs: /etc/*.yaml leads out of the project"),
        ("specs/**.yaml", "specs: specs/**.yaml is no pattern"),
        (".", "specs: . is no pattern"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_told(tmp_path: Path, pattern: str, message: str) -> None:
    with pytest.raises(UsageError, match="^" + message.replace("*", r"\*")):
        load(tmp_path, {}, specs=(pattern,))


@pytest.mark.parametrize("allow_outside", [False, True])
def test_a_spec_lies_in_the_project_whatever_its_jobs_may_read(tmp_path: Path, allow_outside: bool) -> None:  # noqa: FBT001 - a case of the table
    save_specs(tmp_path, {"other/a.yaml": ONE, "project/specs/b.yaml": ONE})
    project = Project((tmp_path / "project").resolve(), Settings(allow_outside=allow_outside))
    with pytest.raises(UsageError, match=r"other/a\.yaml is outside the project"):
        load_specs(project, CATALOG, environ={}, further=[tmp_path / "other" / "a.yaml"])


def test_a_spec_that_is_a_link_out_of_the_project_is_told_not_read(tmp_path: Path) -> None:
    save_specs(tmp_path, {"other/a.yaml": ONE, "project/specs/b.yaml": film_of("jobs.a:hero.url")})
    (tmp_path / "project" / "specs" / "a.yaml").symlink_to(tmp_path / "other" / "a.yaml")
    problem = only_problem(load(tmp_path / "project", {}))
    assert (problem.file, problem.rule, problem.line) == ("specs/a.yaml", "outside", 1)
    assert list(load(tmp_path / "project", {}, allow_outside=True).jobs) == ["a:hero", "b:clip"]


@pytest.mark.parametrize("name", ["a:b", "a[1]", "a\nb", "a\udcff"])
def test_a_file_name_that_no_id_can_hold_is_told(tmp_path: Path, name: str) -> None:
    problem = only_problem(load(tmp_path, {f"specs/{name}.yaml": ONE}))
    assert problem.rule == "file-name"
    assert problem.file.encode()


def test_all_problems_of_all_files_come_at_once_in_order(tmp_path: Path) -> None:
    specs = load(
        tmp_path,
        {
            "specs/a.yaml": spec_of("hero: {model: kirin_v2_image, params: {n: 0, prompt: ''}}\nnext: {}"),
            "specs/b.yaml": b"version: 1\njobs: {hero: \xff}",
            "specs/c.yaml": "version: 2\njobs: {}",
            "specs/d.yaml": spec_of(f"hero: {FOX}", vars="{mood: 1}"),
        },
    )
    found = [(p.file, p.line, p.rule, p.job, p.parameter) for p in specs.problems]
    assert found == [
        ("specs/a.yaml", 3, "minimum", "a:hero", "/n"),
        ("specs/a.yaml", 3, "minLength", "a:hero", "/prompt"),
        ("specs/a.yaml", 4, "required", "a:next", None),
        ("specs/b.yaml", 2, "yaml", None, None),
        ("specs/c.yaml", 1, "const", None, None),
        ("specs/d.yaml", 2, "unused-var", None, None),
    ]
    assert [p.severity for p in specs.problems].count(Severity.WARNING) == 1
    assert (list(specs.jobs), specs.is_valid) == (["d:hero"], False)
    assert specs.job_files == ("specs/a.yaml", "specs/d.yaml")


@pytest.mark.parametrize(
    "broken",
    [
        b"version: 1\njobs: [",
        b"\xff\xfe\xff",
        b"",
        b"version: 1\njobs: 3",
        b"version: 1\ndefaults: 3\njobs: {hero: {}}",
    ],
)
def test_a_reference_into_a_spec_that_cannot_be_read_is_no_further_problem(tmp_path: Path, broken: bytes) -> None:
    specs = load(tmp_path, {"specs/a.yaml": broken, "specs/b.yaml": film_of("jobs.a:hero.url")})
    assert only_problem(specs).file == "specs/a.yaml"
    assert specs.jobs == {}


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    save_specs(tmp_path, {"specs/a.yaml": film_of("jobs.gone:hero.url")})
    specs = load_specs(Project(tmp_path.resolve()), CATALOG, environ={}, further=[tmp_path / "specs" / "gone.yaml"])
    problem = only_problem(specs)
    assert (problem.file, problem.rule) == ("specs/gone.yaml", "file")
    assert problem.message == "cannot be read: No such file or directory"


def test_a_job_whose_need_is_faulty_is_left_out_without_a_problem_of_its_own(tmp_path: Path) -> None:
    bad = spec_of("hero: {model: kirin_v2_image, params: {prompt: a fox, n: 0}}")
    specs = load(tmp_path, {"specs/a.yaml": bad, "specs/b.yaml": film_of("jobs.a:hero.url"), "specs/c.yaml": ONE})
    assert only_problem(specs).job == "a:hero"
    assert list(specs.jobs) == ["c:hero"]


def test_two_files_of_one_name_cannot_have_one_job(tmp_path: Path) -> None:
    problem = only_problem(load(tmp_path, {"specs/a.yaml": ONE, "specs/a.yml": ONE}))
    assert (problem.file, problem.line, problem.rule) == ("specs/a.yml", 3, "duplicate-job")
    assert problem.message == "the job a:hero is there already in specs/a.yaml"


def test_references_lead_into_other_files_by_spec_and_name(tmp_path: Path) -> None:
    files = {"specs/z/my spec.yaml": ONE, "specs/a.yaml": film_of("jobs.z/my spec:hero.url")}
    specs = load(tmp_path, files)
    assert specs.problems == ()
    assert list(specs.jobs) == ["z/my spec:hero", "a:clip"]
    assert specs.jobs["a:clip"].needs == ("z/my spec:hero",)
    assert str(specs.jobs["a:clip"].links["image",]) == "${{ jobs.z/my spec:hero.url }}"


def test_a_name_in_another_file_is_not_found_without_its_spec(tmp_path: Path) -> None:
    problem = only_problem(load(tmp_path, {"specs/z.yaml": ONE, "specs/a.yaml": film_of("jobs.hero.url")}))
    assert problem.message.endswith("there is no job hero; did you mean z:hero?")


def test_only_the_listed_variables_reach_a_spec(tmp_path: Path) -> None:
    text = spec_of(
        'hero: {model: kirin_v2_image, params: {prompt: "${{ env.MOOD }}", negative_prompt: "${{ env.KEY }}"}}'
    )
    save_specs(tmp_path, {"specs/a.yaml": text})
    project = Project(tmp_path.resolve(), Settings(env=("MOOD", "UNSET")))
    specs = load_specs(project, CATALOG, environ={"MOOD": "grim", "KEY": "secret"})
    problem = only_problem(specs)
    assert problem.parameter == "/negative_prompt"
    assert "secret" not in problem.message


def test_a_variable_means_what_it_would_unquoted(tmp_path: Path) -> None:
    text = spec_of('hero: {model: kirin_v2_image, params: {prompt: "${{ env.P }}", n: "${{ env.N }}"}}')
    save_specs(tmp_path, {"specs/a.yaml": text})
    project = Project(tmp_path.resolve(), Settings(env=("N", "P")))
    for prompt in ("007", "true", "~", "9" * 300, "a fox"):
        specs = load_specs(project, CATALOG, environ={"N": "3", "P": prompt})
        assert specs.jobs["a:hero"].params == {"prompt": prompt, "n": 3}


@pytest.mark.parametrize(("value", "message"), [("many", "whole number"), ("\udcff", "no UTF-8")])
def test_a_variable_that_does_not_fit_is_a_problem(tmp_path: Path, value: str, message: str) -> None:
    text = spec_of('hero: {model: kirin_v2_image, params: {prompt: a, n: "${{ env.N }}"}}')
    save_specs(tmp_path, {"specs/a.yaml": text})
    specs = load_specs(Project(tmp_path.resolve(), Settings(env=("N",))), CATALOG, environ={"N": value})
    assert message in only_problem(specs).message


def test_deep_vars_of_vars_end_in_a_problem(tmp_path: Path) -> None:
    chain = "{v0: x, " + ", ".join(f"v{i}: '${{{{ vars.v{i - 1} }}}}'" for i in range(1, 3000)) + "}"
    text = spec_of('hero: {model: kirin_v2_image, params: {prompt: "${{ vars.v2999 }}"}}', vars=chain)
    assert "grows beyond all measure" in only_problem(load(tmp_path, {"specs/a.yaml": text})).message
    deep = "{v0: " + "[" * 90 + "]" * 90 + ", v1: " + "[" * 90 + "'${{ vars.v0 }}'" + "]" * 90 + "}"
    text = spec_of('hero: {model: kirin_v2_image, params: {prompt: "${{ vars.v1 }}"}}', vars=deep)
    assert "grows beyond all measure" in only_problem(load(tmp_path, {"specs/a.yaml": text})).message


def test_control_characters_of_a_spec_reach_no_message(tmp_path: Path) -> None:
    text = spec_of('hero: {model: kirin_v2_image, params: {prompt: "${{ \\e[2J }}", n: "${{ vars.\\n }}"}}')
    for problem in load(tmp_path, {"specs/a.yaml": text}).problems:
        assert problem.message.isprintable()
    long = spec_of(f"hero: {{model: kirin_v2_image, params: {{prompt: '${{{{ {'x' * 100_000} }}}}'}}}}")
    assert len(only_problem(load(tmp_path, {"specs/a.yaml": long})).message) < 700


def test_a_text_with_many_vars_beyond_all_measure_is_given_up_soon(tmp_path: Path) -> None:
    bombs = [f"b{n}: [{', '.join(10 * [f'<vars.b{n - 1}>'])}]" for n in range(1, 9)]
    text = " ".join(f"<{' ' * n}vars.b8>" for n in range(300))
    spec = spec_of(
        f"hero: {{model: kirin_v2_image, params: {{prompt: '{text}'}}}}", vars=f"{{b0: a, {', '.join(bombs)}}}"
    )
    begin = time.perf_counter()
    specs = load(tmp_path, {"specs/a.yaml": re.sub("<(.*?)>", r'"${{ \1 }}"', spec)})
    assert time.perf_counter() - begin < 10
    assert "vars.b8 grows beyond all measure" in only_problem(specs).message
