"""Specs as files: of each just the problems and warnings are told that it names, and it has the jobs that it names."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from cases_corpus import CASES, cases, make_root, name_of, read_case

from kirin_batch.specs.loading import Specs

RULES = Path(__file__).parents[1] / "docs" / "rules.md"
LONGEST_MESSAGE = 300
CONDITIONS = frozenset({"not", "required", "minLength"})  # what is told where a condition of `allOf` fails


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_root(tmp_path_factory.mktemp("cases"))


def check(root: Path, path: Path) -> Specs:
    """Load a case, and hold that what it names, and nothing else, is reported."""
    case = read_case(path)
    specs = case.load(root)
    missing, surplus = list(case.expected), []
    for problem in specs.problems:
        met = next((expected for expected in missing if expected.is_met_by(problem)), None)
        if met:
            missing.remove(met)
        else:
            surplus.append(problem)
        assert problem.file == "specs/case.yaml"
        assert problem.message.isprintable(), "a message is one line"
        assert len(problem.message) < LONGEST_MESSAGE
    assert (missing, surplus) == ([], [])
    return specs


@pytest.mark.parametrize("path", cases("invalid"), ids=name_of)
def test_an_invalid_spec_has_just_the_problems_that_it_names(root: Path, path: Path) -> None:
    assert not check(root, path).is_valid


@pytest.mark.parametrize("path", cases("valid"), ids=name_of)
def test_a_valid_spec_has_just_the_jobs_and_warnings_that_it_names(root: Path, path: Path) -> None:
    specs = check(root, path)
    assert specs.is_valid
    told = re.findall(r"^#job (.*)$", path.read_text(), re.MULTILINE)
    if told:
        expected = yaml.safe_load("\n".join(told))
        found = {id_: {key: specs.jobs[id_].params.get(key) for key in expected.get(id_) or ()} for id_ in specs.jobs}
        assert found == {id_: params or {} for id_, params in expected.items()}
        assert list(found) == list(expected)
    else:
        assert specs.jobs


def test_the_corpus_has_not_become_smaller() -> None:
    assert len(cases("valid")) > 180
    assert len(cases("invalid")) > 260


@dataclass(frozen=True, slots=True)
class Row:
    """A case that a row of docs/rules.md names: `remark` says why it has no pair, `rules` are the words of its rule."""

    model: str
    name: str
    remark: str
    rules: frozenset[str]

    def path(self, kind: str) -> Path:
        return CASES / kind / self.model / f"{self.name}.yaml"


def rows() -> list[Row]:
    found = []
    model = ""
    for line in RULES.read_text(encoding="utf-8").splitlines():
        model = line.removeprefix("## ") if line.startswith("## ") else model
        if line.startswith("| "):
            _, held, names = line.strip("| ").rsplit(" | ", 2)
            rules = frozenset(re.findall(r"[\w-]+", held))
            for name, remark in re.findall(r"`([\w-]+)`(?: \(([\w ]+)\))?", names):
                found.append(Row(model, name, remark, rules | (CONDITIONS if "allOf" in rules else frozenset())))
    return found


def test_every_case_that_the_rules_name_has_its_pair_or_a_remark() -> None:
    expected = {"": ["invalid", "valid"], "valid only": ["valid"], "invalid only": ["invalid"], "a warning": ["valid"]}
    for row in rows():
        assert [kind for kind in ("invalid", "valid") if row.path(kind).is_file()] == expected[row.remark], row
    assert len(rows()) > 200


def test_a_case_that_the_rules_name_breaks_just_the_rule_of_its_row() -> None:
    for row in rows():
        path = row.path("valid" if row.remark == "a warning" else "invalid")
        if row.remark != "valid only":
            assert row.rules.issuperset(expected.rule for expected in read_case(path).expected), row


def test_every_case_of_a_model_is_named_by_the_rules() -> None:
    models = {row.model for row in rows()}
    named = {f"{row.model}/{row.name}" for row in rows()}
    found = {name_of(path) for kind in ("valid", "invalid") for path in cases(kind) if path.parent.name in models}
    assert found == named
