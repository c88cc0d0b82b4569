"""Requests as files: the valid ones pass, each invalid one is refused by just the rules that it names."""

import base64
import functools
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from kirin_batch.models import Catalog, Violation
from kirin_batch.problems import json_pointer

CASES = Path(__file__).parent / "cases"
RULES = Path(__file__).parents[2] / "docs" / "rules.md"
CATALOG = Catalog.load()


def expanded(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """A case with its long texts (`$repeat`) and pictures (`$image`) written out."""
    if isinstance(value, list):
        return [expanded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$repeat" in value:
        return value["$repeat"] * value["times"]
    if "$image" in value:
        image = value["$image"]
        return picture(image["format"], *image["size"], image.get("bytes", 0))
    return {key: expanded(item) for key, item in value.items()}


@functools.cache
def picture(kind: str, width: int, height: int, size: int) -> str:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "orange").save(file, kind)
    return base64.b64encode(file.getvalue().ljust(size, b"\0")).decode()


def check(path: Path) -> tuple[list[Violation], dict[str, Any]]:
    case = json.loads(path.read_bytes())
    model = CATALOG.model(case["model"])
    assert model
    return model.check(expanded(case["params"])), case


@pytest.mark.parametrize("path", sorted(CASES.glob("valid/*.json")), ids=lambda path: path.stem)
def test_a_valid_request_passes(path: Path) -> None:
    violations, _ = check(path)
    assert violations == []


@pytest.mark.parametrize("path", sorted(CASES.glob("invalid/*.json")), ids=lambda path: path.stem)
def test_an_invalid_request_is_refused_by_just_the_rules_it_breaks(path: Path) -> None:
    violations, case = check(path)
    found = sorted([violation.rule, json_pointer(violation.pointer)] for violation in violations)
    assert found == sorted(case["violations"])
    assert all("\n" not in violation.message and len(violation.message) < 250 for violation in violations)


def test_every_row_of_the_rules_has_its_pair_of_cases_or_a_reason() -> None:
    rows = [line.strip("|").split("|") for line in RULES.read_text(encoding="utf-8").splitlines() if "| " in line]
    named = [cell.strip() for _, _, cell in rows if cell.strip() not in {"cases", "---", "none"}]
    for cell in named:
        name, _, remark = cell.strip("`").partition("`")
        assert (CASES / "valid" / f"{name}.json").is_file(), name
        assert (CASES / "invalid" / f"{name}.json").is_file() or "valid only" in remark, name
    assert len(named) > 150
