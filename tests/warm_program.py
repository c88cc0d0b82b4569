"""The program with its schemas compiled: loaded once by the server that `killable` forks its calls from."""

import tempfile
from pathlib import Path

import kirin_batch.cli.run_command
from kirin_batch.commands.validate import validate
from kirin_batch.project import Project

__all__: list[str] = []

_SPEC = "version: 1\ndefaults: {model: kirin_v2_image}\njobs: {a: {params: {prompt: a}}}\n"

with tempfile.TemporaryDirectory() as _folder:
    _root = Path(_folder).resolve()
    (_root / "specs").mkdir()
    (_root / "specs" / "warm.yaml").write_text(_SPEC)
    assert validate(Project(_root)).is_valid
    assert kirin_batch.cli.run_command.command
