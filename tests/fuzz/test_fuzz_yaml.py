"""The fuzz target of the YAML builder: it runs, it finds nothing for a while, and it would find what is wrong."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import yaml
from fuzz.fuzz_yaml import examine, save_seeds

from kirin_batch.source import Value, YamlError, load_yaml

TARGET = Path(__file__).with_name("fuzz_yaml.py")
RUNS = 3000


def fuzz(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-W", "error", str(TARGET), f"-artifact_prefix={folder}/", *arguments],
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.soak
@pytest.mark.skipif(not importlib.util.find_spec("atheris"), reason="atheris has no wheels for this system")
def test_fuzzing_for_a_while_finds_nothing(tmp_path: Path) -> None:
    ran = fuzz(tmp_path, f"-runs={RUNS}", "-max_len=400", "-seed=1")
    assert (ran.returncode, f"Done {RUNS} runs" in ran.stderr) == (0, True), ran.stderr[-2000:]
    assert "cov: " in ran.stderr  # what is not instrumented has no coverage to be guided by
    assert list(tmp_path.iterdir()) == []


def load_with(data: bytes, *, ends: Callable[[YamlError | Value], Value]) -> Value:
    """What a builder gives or complains of, as `ends` changes it."""
    try:
        return ends(load_yaml(data))
    except YamlError as error:
        return ends(error)


def crash(_: YamlError | Value) -> Value:
    raise KeyError("anchor")


def forgive(end: YamlError | Value) -> Value:
    return None if isinstance(end, YamlError) else end


def lose_the_place(end: YamlError | Value) -> Value:
    if isinstance(end, YamlError):
        raise YamlError(end.message, end.line + 5, end.column)
    return end


def stammer(end: YamlError | Value) -> Value:
    if isinstance(end, YamlError):
        raise YamlError("no\nYAML", end.line, end.column)
    return end


def grow(end: YamlError | Value) -> Value:
    assert isinstance(end, list)
    return [*end, *end]


@pytest.mark.parametrize(
    ("ends", "data", "error"),
    [
        (crash, b"a: &b 1", KeyError),
        (forgive, b"a: [", yaml.YAMLError),
        (lose_the_place, b"a: [", AssertionError),
        (stammer, b"a: [", AssertionError),
        (grow, b"[a, b]", AssertionError),
    ],
)
def test_a_builder_that_is_wrong_is_found(
    ends: Callable[[YamlError | Value], Value], data: bytes, error: type[Exception]
) -> None:
    examine(data)
    with pytest.raises(error):
        examine(data, load=partial(load_with, ends=ends))


def test_the_seeds_are_the_yaml_of_the_tests(tmp_path: Path) -> None:
    seeds = list(save_seeds(tmp_path / "seeds").iterdir())
    assert len(seeds) > 20
    for seed in seeds:
        examine(seed.read_bytes())
