"""A JSON Schema, ready to judge values and to convert them. Knows none of our rules across parameters."""

from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kirin_batch.models.explain import Explainer
from kirin_batch.models.tree import Node, Schema, coerced, node_of
from kirin_batch.models.violations import Violation
from kirin_batch.problems import Pointer
from kirin_batch.source import Value

if TYPE_CHECKING:
    import jsonschema_rs

__all__ = ["Shape", "gate_of"]

_NO_POINTERS: frozenset[Pointer] = frozenset()


class Shape:
    """A JSON Schema (2020-12) in use; what it needs is compiled on first use."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def coerce(self, value: Value) -> Any:  # noqa: ANN401 - any JSON
        """The value as JSON: where the schema wants a string, a plain number or boolean is its text as written.

        An integral number is an integer where one is wanted; a string is never turned into anything else.
        """
        return coerced(value, self._node)

    def fits_as_written(self, value: Value) -> bool:
        """Whether a value needs no conversion to fit. Only for schemas in which no conversion makes a fault."""
        try:
            return self._gate.is_valid(value)
        except ValueError:  # a PlainScalar is nothing that JSON has
            return False

    def check(self, value: Any, *, skip: AbstractSet[Pointer] = _NO_POINTERS) -> list[Violation]:  # noqa: ANN401 - any JSON
        """The faults of a plain JSON value, all at once, one per fault; of those in `skip` only type and presence."""
        if self._gate.is_valid(value):
            return []
        found = self._explainer.explain(value, skip=skip)
        if found or skip:
            return found
        # The two validators differ in one thing: only the gate knows that JSON has no `.inf` and `.nan`.
        return [Violation("type", (), "a number is not finite (.inf or .nan): no request can carry it")]

    @cached_property
    def _explainer(self) -> Explainer:
        return Explainer(self.schema)

    @cached_property
    def _node(self) -> Node:
        return node_of(self.schema, root=self.schema)

    @cached_property
    def _gate(self) -> "jsonschema_rs.Validator":
        return gate_of(self.schema, root=self.schema)


def gate_of(schema: Schema | bool, *, root: Schema) -> "jsonschema_rs.Validator":  # noqa: FBT001 - a schema may be one
    """A fast validator that tells valid from not; `schema` may refer to the `$defs` of `root`."""
    # Measured: importing jsonschema_rs takes 25 ms, and commands that judge nothing need none of it.
    import jsonschema_rs  # noqa: PLC0415 - see above

    own: Schema = {"allOf": [schema]} if isinstance(schema, bool) else schema
    return jsonschema_rs.Draft202012Validator({"$defs": root.get("$defs", {}), **own})
