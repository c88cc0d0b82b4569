"""Values that other jobs will give, judged before they are known by what such a value can be.

Knows the forms of values and the schema of a place; what is said of several parameters together is judged elsewhere.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from kirin_batch.models.explain import Explainer
from kirin_batch.models.model import Model
from kirin_batch.models.paths import EACH, Pattern
from kirin_batch.models.shape import gate_of
from kirin_batch.models.tree import Schema, facets
from kirin_batch.models.violations import Violation
from kirin_batch.problems import Pointer

if TYPE_CHECKING:
    import jsonschema_rs

__all__ = ["UnknownValues", "kind_of"]

Forms: TypeAlias = tuple[tuple[str, bool], ...]
"""The parts of a value in order: a text as it is (False), or the name of a job's field (True)."""

# A place takes a field where it takes one of these. Each is as short or as small as such a value can well be.
_URLS: tuple[str | int, ...] = tuple(
    f"{start}{end}"
    for start in ("https://a.example.com/0", "http://a.example.com/0")
    for end in (".png", ".jpg", ".jpeg", ".mp4", "", ".png?a=b")
)
_TASK_IDS = (
    "829836802793406551",
    "task_1a2b3c4d",
    "7f9c24e8-3b12-4f1a-9d5e-0c6b8a7d2e41",
    "7f9c24e83b124f1a9d5e0c6b8a7d2e41",
)
_ELEMENT_IDS = (1_000_000, 829_836_802_793_406_551)
_EXAMPLES: dict[str, Sequence[str | int]] = {
    "url": _URLS,
    "urls": _URLS,
    "task_id": _TASK_IDS,
    "element_id": _ELEMENT_IDS,
}


def kind_of(field: str) -> str:
    """What a job's field is, for people."""
    return "a URL" if field in {"url", "urls"} else "an id"


class UnknownValues:
    """Judges values with fields of other jobs in them; equal ones are judged once, however many jobs have them."""

    def __init__(self) -> None:
        self._gates: dict[tuple[str, Pattern], jsonschema_rs.Validator] = {}
        self._faults: dict[tuple[str, Pattern, Forms], Violation | None] = {}

    def fault(self, model: Model, pointer: Pointer, forms: Forms) -> Violation | None:
        """Why no value of these forms fits at the place, if none does. A `file` is not judged."""
        pattern = tuple(EACH if isinstance(step, int) else step for step in pointer)
        key = (model.name, pattern, forms)
        if key not in self._faults:
            self._faults[key] = self._judge(model, pattern, forms)
        return self._faults[key]

    def _judge(self, model: Model, pattern: Pattern, forms: Forms) -> Violation | None:
        examples = list(_values(forms))
        gate = self._gate(model, pattern)
        if not examples or any(map(gate.is_valid, examples)):
            return None
        schema: Schema = {"$defs": model.schema.get("$defs", {}), "allOf": _schemas_at(pattern, model.schema)}
        return next(iter(Explainer(schema).explain(examples[0])), None)

    def _gate(self, model: Model, pattern: Pattern) -> "jsonschema_rs.Validator":
        key = (model.name, pattern)
        if key not in self._gates:
            self._gates[key] = gate_of({"allOf": _schemas_at(pattern, model.schema)}, root=model.schema)
        return self._gates[key]


def _values(forms: Forms) -> Iterator[str | int]:
    """Values of such forms, one for each example; a single field keeps its type."""
    given = [_EXAMPLES.get(text, ()) if is_field else (text,) for text, is_field in forms]
    if len(given) == 1:
        yield from given[0]
    elif all(given):
        # In step, not every one with every other: a text with many fields would have millions of values.
        for index in range(max(map(len, given))):
            yield "".join(str(examples[index % len(examples)]) for examples in given)


def _schemas_at(pattern: Pattern, root: Schema) -> list[Schema]:
    """All that the schema says of the place in any case; conditions are left out."""
    found = [root]
    for step in pattern:
        parts = itertools.chain.from_iterable(facets(schema, root=root) for schema in found)
        inner = [_inside(part, step) for part in parts]
        found = [schema for schema in inner if isinstance(schema, dict)]
    return found


def _inside(schema: Schema, step: str) -> object:
    if step == EACH:
        return None if "prefixItems" in schema else schema.get("items")
    return schema.get("properties", {}).get(step)
