"""Problems as SARIF 2.1.0, which code scanning and editors read: one log with one run.

Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", the sections named below.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from kirin_batch import __version__
from kirin_batch.cli.problems_rules import RULES, Rule
from kirin_batch.problems import Problem

__all__ = ["sarif_log"]

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "%SRCROOT%"
_FINGERPRINT = "kirinProblem/v1"
_INDEX = {rule.id: index for index, rule in enumerate(RULES)}


def sarif_log(problems: Sequence[Problem], *, prefix: str) -> dict[str, Any]:
    """The log of one validation; `prefix` leads from the root of the repository to the project (`media/`, or "")."""
    seen: Counter[str] = Counter()
    driver = {"name": "kirin-batch", "version": __version__, "rules": [_rule(rule) for rule in RULES]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The root of the repository."}}},
        "results": [_result(problem, prefix, seen) for problem in problems],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": _text(rule.description)},
        "fullDescription": {"text": _text(f"{rule.description} {rule.help}")},
        "help": {"text": _text(rule.help)},
        "defaultConfiguration": {"level": str(rule.severity)},
    }


def _result(problem: Problem, prefix: str, seen: Counter[str]) -> dict[str, Any]:
    fingerprint = _fingerprint(problem)
    seen[fingerprint] += 1
    # A schema of a further model may fail by a keyword that no table foresees: such a rule has an id alone.
    index = {"ruleIndex": _INDEX[problem.rule]} if problem.rule in _INDEX else {}
    parameter = {} if problem.parameter is None else {"properties": {"parameter": problem.parameter}}
    return {
        "ruleId": problem.rule,
        **index,
        "level": str(problem.severity),
        "message": {"text": _text(problem.message)},
        "locations": [_location(problem, prefix)],
        "partialFingerprints": {_FINGERPRINT: f"{fingerprint}:{seen[fingerprint]}"},
        **parameter,
    }


def _location(problem: Problem, prefix: str) -> dict[str, Any]:
    physical = {
        "artifactLocation": {"uri": quote(prefix + problem.file), "uriBaseId": _ROOT},
        "region": {"startLine": problem.line, "startColumn": problem.column},
    }
    logical = {"logicalLocations": [{"fullyQualifiedName": problem.job, "kind": "job"}]} if problem.job else {}
    return {"physicalLocation": physical, **logical}


def _fingerprint(problem: Problem) -> str:
    """The same for a problem whose line moved; and, where a parameter tells it from others, whose value changed."""
    told = problem.message if problem.parameter is None else None
    key = json.dumps([problem.rule, problem.file, problem.job, problem.parameter, told])
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _text(text: str) -> str:
    """A plain text message: braces are doubled (3.11.5), and no brackets may make a link of it (3.11.6)."""
    return text.replace("{", "{{").replace("}", "}}").replace("](", "] (")
