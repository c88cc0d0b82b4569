"""The table of rules holds each rule that a problem may name, and no other."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from cases_corpus import cases, read_case
from jsonschema import Draft202012Validator

from kirin_batch.cli.problems_rules import RULES
from kirin_batch.problems import Severity

CHECKOUT = Path(__file__).resolve().parents[2]
IDS = [rule.id for rule in RULES]
RULE_ARGUMENT = {"complain": 0, "_complain": 0, "problem": 1, "Problem": 4, "Violation": 0, "Finding": 0, "_Seen": 0}
# What is handed on comes from one of the calls above, or is a keyword that failed.
HANDED_ON = {"rule", "v.rule", "violation.rule", "finding.rule", "seen.fault[0]", "keyword", "done", "*unfit"}
# These keywords only lead to others, which are the ones that fail; `format` is a remark in JSON Schema 2020-12.
LEADING_ON = {
    *("$dynamicRef", "$ref", "allOf", "dependentSchemas", "format", "patternProperties", "prefixItems"),
    *("properties", "propertyNames"),
}


@cache
def rules_in_code() -> set[str]:
    """The rules that the code names, by the calls that make a problem."""
    trees = [ast.parse(path.read_text()) for path in sorted((CHECKOUT / "kirin_batch").rglob("*.py"))]
    told = [argument for tree in trees for node in ast.walk(tree) for argument in rule_arguments(node)]
    strange = {ast.unparse(node) for node in told if not isinstance(node, ast.Constant)} - HANDED_ON
    assert not strange, "how does this test learn of the rules that come from there?"
    return {node.value for node in told if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def rule_arguments(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args) if name in RULE_ARGUMENT:
            at = args[RULE_ARGUMENT[name]]
            yield at.elts[0] if isinstance(at, ast.Tuple) else at
        case ast.FunctionDef(name="_why_unread"):
            yield from (
                rule
                for inner in ast.walk(node)
                if isinstance(inner, ast.Return) and isinstance(inner.value, ast.Tuple)
                for rule in inner.value.elts[:1]
            )
        case ast.Yield(value=ast.Tuple(elts=[_, ast.Constant(value=str()) as rule, _])):  # the faults of kirin.yaml
            yield rule


def keywords() -> set[str]:
    """The keywords of JSON Schema that a value may fail."""
    return ({*Draft202012Validator.VALIDATORS} | {"minContains", "maxContains"}) - LEADING_ON


def test_the_table_is_what_the_code_and_json_schema_can_say() -> None:
    assert len(IDS) == len(set(IDS))
    assert set(IDS) == rules_in_code() | keywords()


def test_the_table_has_every_rule_that_a_case_of_the_tests_names() -> None:
    paths = [*cases("valid"), *cases("invalid")]
    seen = {expected.rule for path in paths for expected in read_case(path).expected}
    assert len(seen) > 30
    assert seen - set(IDS) == set()


def test_rules_are_told_in_sentences_of_their_own() -> None:
    for rule in RULES:
        assert rule.description.endswith(".")
        assert rule.help.endswith(".")
        assert rule.description != rule.help
    assert {rule.id for rule in RULES if rule.severity is Severity.WARNING} == {
        "unused-var",
        "x-warnings",
        "idle-exclude",
    }
