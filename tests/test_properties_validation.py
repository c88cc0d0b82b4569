"""What holds of `validate` for any text: it ends, soon, with problems that people can read. It never breaks."""

import itertools
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from spec_projects import save_specs

from kirin_batch.commands.validate import Validation, validate
from kirin_batch.problems import Severity
from kirin_batch.project import Project, Settings

MB = 1024 * 1024
LONGEST_MESSAGE = 610  # longer ones are cut in their middle
SOON = 6.0  # seconds of CPU; each case below takes less than one where nothing grows out of hand
QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
FOX = "{model: kirin_v2_image, params: {prompt: a fox}}"
PIECES = [
    *["version: 1\n", "vars: {", "vars:\n", "defaults: ", "jobs:\n", "  a: ", "  b:\n", "    model: ", "    params:\n"],
    *["kirin_v2_image", "kirin_v3_i2v", "\n    matrix: ", "\n    needs: ", "\n    take: ", "\n    tags: ", "\n"],
    *["{model: kirin_v2_image, params: {prompt: ", "{x: [1, 2], include: ", "n: ", "prompt: ", "image: ", "{", "}"],
    *["[", "]", ", ", ": ", "- ", "&x ", "*x", "<<: *x\n", "!!str ", "'", '"', "|\n", ">-\n", "? ", "# ", "---\n"],
    *["${{ vars.x }}", "${{ jobs.a.url }}", "${{ jobs.b[x=1].urls[3] }}", "${{ matrix.x }}", "${{", "}}", "null", "~"],
    *["1", "-0", "1e400", ".nan", "0x1F", "007", "16:9", "on", "true", "a.png", "https://x/y.png", "data:", "\t", "\0"],
    *["\ufeff", "\u2028", "\x85", "é", "😀", "\r", "  ", "    ", "      "],
]
SPEC_LIKE = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def check(root: Path, data: bytes, *, within: float = SOON) -> Validation:
    """Validate a text as the only spec of a project, and hold what any outcome must be."""
    save_specs(root, {"specs/a.yaml": data})
    started = time.process_time()
    found = validate(Project(root.resolve()))
    assert time.process_time() - started < within
    assert found.files == 1
    lines = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    for problem in found.problems:
        assert problem.message.isprintable()
        assert len(problem.message) < LONGEST_MESSAGE
        assert 1 <= problem.line <= lines
        assert problem.column >= 1
    return found


@QUICK
@given(st.binary(max_size=300))
@example(b"\xff\xfe\x00")
@example(b"version: 1\njobs: {a: \xc3}")
def test_any_bytes_are_valid_or_have_problems(tmp_path: Path, data: bytes) -> None:
    found = check(tmp_path, data)
    assert found.is_valid == all(problem.severity is Severity.WARNING for problem in found.problems)


@settings(QUICK, max_examples=150)
@given(SPEC_LIKE)
@example("version: 1\njob: {}\n")
@example("vars: {")
def test_any_text_like_a_spec_is_valid_or_has_problems(tmp_path: Path, text: str) -> None:
    check(tmp_path, text.encode())


@settings(QUICK, max_examples=80)
@given(SPEC_LIKE)
def test_anything_in_the_place_of_params_is_valid_or_has_problems(tmp_path: Path, text: str) -> None:
    flow = text.replace("\n", " ")
    check(tmp_path, f"version: 1\nvars: {{x: {flow}}}\njobs:\n  a: {FOX}\n  b: {flow}\n".encode())
    check(tmp_path, f"version: 1\njobs:\n  a:\n    model: kirin_v3_i2v\n    params: {{{flow}}}\n".encode())


def many(line: str, count: int, *, head: str = "jobs:\n") -> str:
    """A spec with a line so many times, `@` standing for a number."""
    return "version: 1\n" + head + "".join(line.replace("@", str(number)) + "\n" for number in range(count))


def job(params: str) -> str:
    return f"version: 1\njobs:\n  a: {{model: kirin_v3_omni_image, params: {{prompt: x, {params}}}}}\n"


def matrix(text: str) -> str:
    """A job with a matrix, each `@` in it standing for another number."""
    numbers = itertools.count(1)
    inside = re.sub("@", lambda _: str(next(numbers)), text)
    return job("n: 1").replace("params", f"matrix: {{{inside}}}, params")


HOSTILE: dict[str, Callable[[], str]] = {
    "lists in lists": lambda: "[" * MB,
    "mappings in mappings": lambda: "{a: " * MB,
    "block in block": lambda: "".join(" " * level + "a:\n" for level in range(1000)),
    "dashes": lambda: "- " * MB,
    "question marks": lambda: "? " * MB,
    "a scalar of megabytes": lambda: job(f"aspect_ratio: {'x' * 7 * MB}"),
    "Base64 of megabytes": lambda: job(f"image_list: [{{image: {'A' * 7 * MB}}}]"),
    "a path of megabytes": lambda: job(f"image_list: [{{image: {'a/' * MB}b.png}}]"),
    "a number of megabytes": lambda: job(f"n: {'9' * 5 * MB}"),
    "an exponent beyond all": lambda: job("n: 1e999999999"),
    "a key of megabytes": lambda: f"? {'k' * 5 * MB}\n: 1\n",
    "a model of megabytes": lambda: f"version: 1\njobs: {{a: {{model: {'kirin' * MB}, params: {{}}}}}}\n",
    "an alias bomb": lambda: (
        "a: &a [1]\n" + "".join(f"b{n}: &b{n} [*a, {f'*b{n - 1}, ' * 9 if n else ''}]\n" for n in range(40))
    ),
    "a merge bomb": lambda: f"a: &a {{{', '.join(f'k{n}: 1' for n in range(900))}}}\nb: {{<<: [{'*a, ' * 900}]}}\n",
    "a bomb of vars": lambda: many("  v@: '${{ vars.v@ }}${{ vars.v0 }}'", 500, head="vars:\n") + "jobs: {}\n",
    "an open expression": lambda: job(f"aspect_ratio: '{'${{ ' * MB}'"),
    "expressions": lambda: job(f"aspect_ratio: '{'${{ vars.x }}' * 20000}'"),
    "placeholders": lambda: job(f"n: 1, prompt: '{'<<<image_1>>>' * 20000}'").replace("prompt: x, ", ""),
    "thousands of wrong parameters": lambda: job(", ".join(f"k{n}: 1" for n in range(3000))),
    "thousands of wrong items": lambda: job(f"image_list: [{'{imag: x}, ' * 1500}]"),
    "thousands of wrong keys": lambda: many("  a@: {modl: kirin_v2_image}", 1500),
    "thousands of wrong models": lambda: many("  a@: {model: kirin_v2_imge, params: {}}", 1500),
    "thousands of wrong names": lambda: (
        many("  v@: 1", 1500, head="vars:\n")
        + many("  a@: {model: kirin_v2_image, params: {prompt: '${{ vars.w@ }}'}}", 1500).removeprefix("version: 1\n")
    ),
    "thousands of wrong references": lambda: many(
        "  a@: {model: kirin_v2_image, params: {prompt: x, image: '${{ jobs.b@.url }}'}}", 1500
    ),
    "a circle of thousands": lambda: many("  a@: {model: kirin_v2_image, params: {prompt: x}, needs: [a0@]}", 1500),
    "a matrix of thousands": lambda: job("n: 1").replace("params", f"matrix: {{x: {list(range(5000))}}}, params"),
    "a matrix that excludes thousands": lambda: matrix(f"x: {list(range(10_000))}, exclude: [{'{x: -@}, ' * 20_000}]"),
    "a matrix that includes thousands": lambda: matrix(f"x: {list(range(900))}, include: [{'{y: @}, ' * 50_000}]"),
    "a matrix that includes thousands of names": lambda: matrix(
        f"x: {list(range(900))}, include: [{'{y@: 1}, ' * 50_000}]"
    ),
    "a matrix of what only include names": lambda: matrix(f"x: [0], include: [{'{x: -@}, ' * 50_000}]"),
    "a matrix of thousands of axes": lambda: matrix("y@: [1, 2], " * 20_000),
    "a matrix of thousands of axes of one value": lambda: matrix("y@: [1], " * 50_000 + f"x: {list(range(9000))}"),
    "a matrix of wrong values": lambda: matrix(f"x: {list(range(10, 10_000))}").replace("n: 1", "n: '${{ matrix.x }}'"),
    "a list for jobs": lambda: f"version: 1\njobs: [{'a, ' * 20000}]",
    "line ends": lambda: "\r" * MB,
    "other line ends": lambda: f"a: '{chr(0x2028) * MB}'",
    "directives": lambda: "%TAG !a! b\n" * 20000,
}


@pytest.mark.soak
@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_keeps_validate_busy(tmp_path: Path, name: str) -> None:
    check(tmp_path, HOSTILE[name]().encode())


def save_hole(path: Path, size: int) -> None:
    """A file of that size that takes no room on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)


def test_a_spec_beyond_the_limit_is_told_and_not_read(tmp_path: Path) -> None:
    save_hole(tmp_path / "specs" / "a.yaml", 100 * 1024 * MB)
    save_specs(tmp_path, {"specs/b.yaml": f"version: 1\njobs: {{a: {FOX}}}"})
    found = validate(Project(tmp_path.resolve()))
    (problem,) = found.problems
    assert (problem.file, problem.rule, problem.line) == ("specs/a.yaml", "file-size", 1)
    told = "has 102,400.0 MB (107,374,182,400 bytes), more than the limit of 8 MB: split it, or raise spec_max_mb"
    assert problem.message == f"{told} in kirin.yaml"
    assert (found.files, found.jobs, found.is_valid) == (2, 1, False)


@pytest.mark.parametrize(("size", "is_valid"), [(1024, True), (1025, False)])
def test_the_limit_of_a_spec_is_that_of_kirin_yaml(tmp_path: Path, size: int, is_valid: bool) -> None:  # noqa: FBT001 - a case of the table
    text = f"version: 1\njobs: {{a: {FOX}}}\n"
    save_specs(tmp_path, {"specs/a.yaml": text + "#" * (size - len(text))})
    project = Project(tmp_path.resolve(), Settings(spec_max_mb=1 / 1024))
    assert validate(project).is_valid == is_valid


def test_a_limit_above_the_default_lets_a_larger_spec_pass(tmp_path: Path) -> None:
    text = f"version: 1\njobs: {{a: {FOX}, b: {{model: kirin_v2_image, params: {{}}}}}}\n"
    save_specs(tmp_path, {"specs/a.yaml": text + "#" * 9 * MB})
    (problem,) = validate(Project(tmp_path.resolve(), Settings(spec_max_mb=10))).problems
    assert (problem.rule, problem.line, problem.column) == ("required", 2, 88)


def test_a_pipe_in_the_place_of_a_spec_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    (problem,) = validate(Project(tmp_path.resolve()), [tmp_path / "a.yaml"]).problems
    assert (problem.rule, problem.message) == ("file", "is no file")
