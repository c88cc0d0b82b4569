"""Requests as files: the valid ones pass, each invalid one is refused by just the rules that it names."""

import json
from pathlib import Path
from typing import Any

import pytest
from model_cases import expanded

from kirin_batch.models import Catalog, Violation
from kirin_batch.problems import json_pointer

CASES = Path(__file__).parent / "cases"
RULES = Path(__file__).parents[2] / "docs" / "rules.md"
CATALOG = Catalog.load()


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
