"""Why a value fails a JSON Schema, one violation per fault. Called only for values that fail.

The consequences of a fault are left out: what a condition says is void where a value that it reads is faulty or
misspelt, a forbidden value is not judged further, and a wrong type has no range.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kirin_batch.models.messages import closest_name, message_of, shortened, unknown_message
from kirin_batch.models.paths import named
from kirin_batch.models.tree import Schema, facets
from kirin_batch.models.violations import Violation
from kirin_batch.problems import Pointer

if TYPE_CHECKING:
    import jsonschema_rs
    from jsonschema import ValidationError

__all__ = ["Explainer"]

_NO_POINTERS: frozenset[Pointer] = frozenset()
# Keywords that judge a value in itself; the others tell of its type or presence, which are known of stand-ins too.
_OF_PRESENCE = frozenset({"type", "not", "additionalProperties", "unevaluatedProperties", "required", "x-unsupported"})
_BASIC = frozenset({"type", "enum", "const"})
# Where schemas stand that may be `false`; what `items` and `additionalProperties: false` say, jsonschema tells itself.
_ONE_SCHEMA = frozenset({"then", "else", "contains", "propertyNames"})
_OF_SCHEMAS = frozenset(
    {"$defs", "allOf", "anyOf", "dependentSchemas", "oneOf", "patternProperties", "prefixItems", "properties"}
)
_NO_SCHEMAS = frozenset({"const", "enum", "default", "examples"})
_NEVER: Schema = {"not": {}}


@dataclass(frozen=True, slots=True)
class _Fault:
    """A violation and what it hangs on: the values, and the mere presence of values, that its condition reads."""

    violation: Violation
    values: frozenset[Pointer] = _NO_POINTERS
    presence: frozenset[Pointer] = _NO_POINTERS
    suggestion: Pointer | None = None

    @property
    def reads(self) -> frozenset[Pointer]:
        return self.values | self.presence


class Explainer:
    """Explains values that fail one schema."""

    def __init__(self, schema: Schema) -> None:
        # Measured: importing jsonschema takes 65 ms, and most runs have no bad job.
        from jsonschema import Draft202012Validator  # noqa: PLC0415 - see above
        from jsonschema.validators import extend  # noqa: PLC0415 - see above

        self._schema: Schema = _spelt_out(schema)
        made = extend(Draft202012Validator, _BY_PATTERNS)  # type: ignore[no-untyped-call] # so are its stubs
        self._validator = made(self._schema)

    def explain(self, value: Any, *, skip: AbstractSet[Pointer] = _NO_POINTERS) -> list[Violation]:  # noqa: ANN401 - any JSON
        """The faults of `value`, none of them a consequence of another.

        `skip` are the places of stand-ins for values that are not known yet: only their type and presence count. The
        list is empty where nothing but such places is at fault.
        """
        errors = self._validator.iter_errors(value)
        faults = [fault for error in errors for fault in _faults_of(error, self._schema)]
        return _without_consequences(faults, skip)


def _spelt_out(schema: Any) -> Any:  # noqa: ANN401 - a schema or a part of one
    """The schema with `{"not": {}}` for `false`, of which jsonschema's errors tell neither keyword nor place."""
    if isinstance(schema, list):
        return [_spelt_out(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {keyword: _spelt_part(keyword, part) for keyword, part in schema.items()}


def _spelt_part(keyword: str, part: Any) -> Any:  # noqa: ANN401 - whatever the keyword holds
    if keyword in _NO_SCHEMAS:
        return part
    if keyword in _OF_SCHEMAS and isinstance(part, dict):
        return {name: _NEVER if inner is False else _spelt_out(inner) for name, inner in part.items()}
    if keyword in _OF_SCHEMAS and isinstance(part, list):
        return [_NEVER if inner is False else _spelt_out(inner) for inner in part]
    return _NEVER if keyword in _ONE_SCHEMA and part is False else _spelt_out(part)


def _faults_of(error: "ValidationError", root: Schema) -> Iterator[_Fault]:
    message, values, presence = _around(error, root)
    pointer: Pointer = tuple(error.absolute_path)
    keyword = str(error.validator)
    value: Any = error.instance
    operand: Any = error.validator_value
    if keyword == "required":
        for name in operand:
            if name not in value:
                missing = (*pointer, name)
                text = message or f"{named(missing)} is missing"
                yield _Fault(Violation("required", missing, text, key=True), values, presence)
        return
    if keyword == "additionalProperties" and operand is False:
        yield from _unknown_keys(error, pointer, root)
        return
    if keyword == "not" and not operand and _is_branch(error):
        text = message or _ruled_out(values | presence, pointer)
        yield _Fault(Violation("if", pointer, text), values, presence)
        return
    is_key = "propertyNames" in error.absolute_schema_path
    if is_key:
        pointer = (*pointer, value)
    if keyword in {"anyOf", "oneOf", "not"}:
        values, presence = _joined((values, presence), _mentions(operand, pointer, root))
    ours = message or message_of(keyword, pointer=pointer, value=value, limit=operand)
    text = ours or f"{named(pointer)}: {shortened(error.message)[1:-1]}"
    yield _Fault(Violation(keyword, pointer, text, key=is_key or keyword == "not"), values, presence)


def _is_branch(error: "ValidationError") -> bool:
    """Whether the keyword that failed is all that stands in a `then` or `else`."""
    return list(error.absolute_schema_path)[-2:-1] in (["then"], ["else"])


def _ruled_out(reads: frozenset[Pointer], pointer: Pointer) -> str:
    """The message of a condition under which nothing is valid, for what it reads."""
    names = ", ".join(sorted(map(named, reads)))
    return f"{names}: this combination is not allowed" if names else f"{named(pointer)} is not allowed here"


def _unknown_keys(error: "ValidationError", pointer: Pointer, root: Schema) -> Iterator[_Fault]:
    schema: Any = error.schema
    given: Any = error.instance
    parts = list(facets(schema, root=root))
    known = [name for part in parts for name in part.get("properties", {})]
    reasons = {name: reason for part in parts for name, reason in part.get("x-unsupported", {}).items()}
    for name in given:
        if name in reasons:
            text = f"{named((*pointer, name))} is not supported: {reasons[name]}"
            yield _Fault(Violation("x-unsupported", (*pointer, name), text, key=True))
        elif not _is_known(name, schema):
            closest = closest_name(name, known)
            meant = (*pointer, closest) if closest and closest not in given else None
            text = unknown_message(name, at=pointer, known=known)
            yield _Fault(Violation("additionalProperties", (*pointer, name), text, key=True), suggestion=meant)


def _is_known(name: str, schema: Schema) -> bool:
    patterns = schema.get("patternProperties", {})
    return name in schema.get("properties", {}) or any(_matcher(pattern).is_valid(name) for pattern in patterns)


@lru_cache(maxsize=256)
def _matcher(pattern: str) -> "jsonschema_rs.Validator":
    """What tells whether a text has a match, as the gate does: Python's `re` may take years over the same pattern."""
    import jsonschema_rs  # noqa: PLC0415 - measured: 25 ms

    return jsonschema_rs.Draft202012Validator({"pattern": pattern})


def _check_pattern(_: object, pattern: str, value: object, __: Schema) -> Iterator["ValidationError"]:
    if isinstance(value, str) and not _matcher(pattern).is_valid(value):
        yield _error(f"{value!r} does not match {pattern!r}")


def _check_pattern_properties(
    validator: Any,  # noqa: ANN401 - its types lack `descend`
    patterns: Schema,
    value: object,
    _: Schema,
) -> Iterator["ValidationError"]:
    for pattern, schema in patterns.items():
        for name, item in value.items() if isinstance(value, dict) else ():
            if _matcher(pattern).is_valid(name):
                yield from validator.descend(item, schema, path=name, schema_path=pattern)


def _check_additional_properties(
    validator: Any,  # noqa: ANN401 - its types lack `descend`
    others: Schema | bool,  # noqa: FBT001 - a schema may be one
    value: object,
    schema: Schema,
) -> Iterator["ValidationError"]:
    strange = {name: value[name] for name in value if not _is_known(name, schema)} if isinstance(value, dict) else {}
    if isinstance(others, dict):
        for name, item in strange.items():
            yield from validator.descend(item, others, path=name)
    elif strange and not others:
        yield _error(f"{list(strange)!r} are not known")


def _error(message: str) -> "ValidationError":
    from jsonschema import ValidationError  # noqa: PLC0415 - as in Explainer

    return ValidationError(message)


# jsonschema's own keywords for these judge by `re`.
_BY_PATTERNS: Mapping[str, Any] = {
    "pattern": _check_pattern,
    "patternProperties": _check_pattern_properties,
    "additionalProperties": _check_additional_properties,
}


def _without_consequences(faults: list[_Fault], skip: AbstractSet[Pointer]) -> list[Violation]:
    misspelt = {fault.suggestion for fault in faults if fault.suggestion}
    wrong = {f.violation.pointer for f in faults if f.violation.rule in _BASIC and not f.reads} - set(skip)
    unclear = misspelt | wrong
    kept = [
        fault.violation
        for fault in faults
        if not fault.reads & unclear
        and not fault.values & skip
        and not (fault.violation.rule == "required" and fault.violation.pointer in misspelt)
        and not (fault.violation.pointer in skip and fault.violation.rule not in _OF_PRESENCE)
    ]
    causes: dict[Pointer, list[Violation]] = {}
    for violation in kept:
        causes.setdefault(violation.pointer, []).append(violation)
    return [
        violation for violation in _unique(kept) if not any(_hides(c, violation) for c in _above(violation, causes))
    ]


def _unique(violations: Iterable[Violation]) -> Iterator[Violation]:
    return iter({(v.pointer, v.rule, v.message): v for v in violations}.values())


def _above(violation: Violation, causes: Mapping[Pointer, list[Violation]]) -> Iterator[Violation]:
    """Those at the same place or around it: no others can be the cause, and thousands of faults are soon compared."""
    for length in range(len(violation.pointer) + 1):
        yield from causes.get(violation.pointer[:length], ())


def _hides(cause: Violation, other: Violation) -> bool:
    """Whether `other`, at the place of `cause` or in it, need not be told: forbidden hides all, a wrong type all but
    that, and so on.
    """
    if cause.rule == other.rule:
        return False
    if cause.rule == "not" or (cause.rule == "type" and other.rule != "not"):
        return True
    if cause.pointer != other.pointer or other.rule in {"not", "type"}:
        return False
    return cause.rule in _BASIC or (cause.rule == "minLength" and other.rule in {"pattern", "format"})


_Reads = tuple[frozenset[Pointer], frozenset[Pointer]]


def _around(error: "ValidationError", root: Schema) -> tuple[str | None, frozenset[Pointer], frozenset[Pointer]]:
    """The nearest `x-message` above the keyword that failed, and what the conditions on the way read."""
    message: str | None = None
    reads: _Reads = (_NO_POINTERS, _NO_POINTERS)
    node: Any = root
    place: Pointer = ()
    instance_steps = iter(error.absolute_path)
    steps = iter(error.absolute_schema_path)
    for step in steps:
        holder = _holder(node, step, root)
        message = holder.get("x-message", message)
        if step in {"then", "else"}:
            reads = _joined(reads, _mentions(holder["if"], place, root))
        node = holder.get(str(step))
        if step in {"properties", "patternProperties", "prefixItems"}:
            node = node[next(steps)]
        elif step in {"allOf", "anyOf", "oneOf"} and (branch := next(steps, None)) is not None:
            node = node[branch]
        if step in {"properties", "patternProperties", "prefixItems", "items", "additionalProperties"}:
            place = (*place, *(step for step in [next(instance_steps, None)] if step is not None))
    return message, *reads


def _holder(node: Any, keyword: str | int, root: Schema) -> Schema:  # noqa: ANN401 - a schema or a part of one
    """The schema that has the keyword: the node, or one behind its `$ref`, which error paths leave out."""
    found = facets(node, root=root) if isinstance(node, dict) else iter(())
    return next((facet for facet in found if keyword in facet), {})


def _mentions(schema: Any, place: Pointer, root: Schema) -> _Reads:  # noqa: ANN401 - a schema or a list of them
    """The values whose content, and those whose presence, a condition at `place` depends on."""
    reads: _Reads = (_NO_POINTERS, _NO_POINTERS)
    for part in schema if isinstance(schema, list) else [schema]:
        for facet in facets(part, root=root):
            own = (
                frozenset((*place, name) for name in facet.get("properties", ())),
                frozenset((*place, name) for name in facet.get("required", ())),
            )
            reads = _joined(reads, own)
            for keyword in ("anyOf", "oneOf", "not", "if"):
                if keyword in facet:
                    reads = _joined(reads, _mentions(facet[keyword], place, root))
    return reads


def _joined(one: _Reads, other: _Reads) -> _Reads:
    return one[0] | other[0], one[1] | other[1]
