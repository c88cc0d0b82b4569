"""One model: what its schema says about a request. Knows nothing of specs, of files on disk or of the gateway."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from kirin_batch.models.asks import Asked, asked_of
from kirin_batch.models.images import ImageRule
from kirin_batch.models.paths import pattern_of, select
from kirin_batch.models.rules import Request, Rule, rules_of
from kirin_batch.models.shape import Shape, gate_of
from kirin_batch.models.tree import Schema, places
from kirin_batch.models.violations import Violation
from kirin_batch.problems import Pointer, Severity

if TYPE_CHECKING:
    import jsonschema_rs

__all__ = ["Model", "stand_in"]

_STAND_INS: dict[str, str | int] = {"element_id": 1, "task_id": "task", "file": "AAAA"}
_NO_POINTERS: frozenset[Pointer] = frozenset()
_VOIDING = frozenset({"type", "not", "additionalProperties", "x-unsupported"})  # nobody knows what such a value means
_NO_FILES: Mapping[Pointer, str] = MappingProxyType({})


def stand_in(field: str) -> str | int:
    """A value of the type and form of a job's field: `url`, `urls`, `file`, `element_id`, `task_id`.

    It takes the place of a reference in params that are checked before its job is done; its pointer goes to `skip`.
    """
    return _STAND_INS.get(field, "https://results.example/0.png")


class Model(Shape):
    """A model by its schema.

    `kind` is whose slots a task takes (`image` or `video`), `result_type` what it yields (`image`, `video` or `text`),
    `result_fields` the fields of a text result that other jobs may use (`element_id`).
    """

    def __init__(self, name: str, *, schema: Schema) -> None:
        super().__init__(schema)
        self.name = name
        self.kind: str = schema["x-kind"]
        self.result_type: str = schema["x-result"]["type"]
        self.result_fields: tuple[str, ...] = tuple(schema["x-result"].get("fields", ()))

    def check(
        self,
        value: Any,  # noqa: ANN401 - any JSON
        *,
        skip: AbstractSet[Pointer] = _NO_POINTERS,
        files: Mapping[Pointer, str] = _NO_FILES,
    ) -> list[Violation]:
        """The faults of params, all at once, one per fault; those of warning severity let a job pass.

        `skip` are the places of stand-ins (see `stand_in`): what is said about the value itself is not judged there,
        what is said about types, presence, counts and combinations is. `files` are the SHA-256 of the local files that
        image parameters name, by pointer; the files themselves are checked by whoever reads them, with `check_file`.
        """
        found = super().check(value, skip=skip)
        if not isinstance(value, dict):
            return found
        # Most requests have few parameters, and few rules concern those: nothing is made for the others.
        rules = [rule for concerns, rule in self._rules if not concerns.isdisjoint(value)]
        if rules:
            faulty = frozenset(fault.pointer for fault in found)
            void = frozenset(fault.pointer for fault in found if fault.rule in _VOIDING)
            request = Request(value, skip=skip, files=files, faulty=faulty, void=void)
            for rule in rules:
                found += rule.check(request)
        return found + [warning.violation for warning in self._warnings if warning.when.is_valid(value)]

    def takes(self, name: str) -> bool:
        """Whether the model has a parameter of this name."""
        return name in self.schema["properties"]

    def image_pointers(self, params: Mapping[str, Any]) -> list[tuple[Pointer, ImageRule]]:
        """Where params hold the text of an image, and what that image must be."""
        return [
            (pointer, rule)
            for pattern, rule in self._images
            if pattern[0] in params
            for pointer, text in select(params, pattern)
            if isinstance(text, str)
        ]

    def slots(self, params: Mapping[str, Any]) -> int:
        """How many slots of the account's concurrency a task of valid params takes."""
        return _first_match(self._slots, params)

    def result_count(self, params: Mapping[str, Any]) -> int:
        """How many results a task of valid params yields."""
        return _first_match(self._counts, params)

    def asked(self, params: Mapping[str, Any]) -> Asked:
        """What valid params ask of the results, as far as the schema names the parameters that say it."""
        return asked_of(self.schema.get("x-asks", {}), params, self.defaults())

    def defaults(self) -> Mapping[str, Any]:
        """The documented defaults of the top-level parameters."""
        return self._defaults

    @cached_property
    def _defaults(self) -> Mapping[str, Any]:
        properties = self.schema["properties"].items()
        found = {name: part["default"] for name, part in properties if isinstance(part, dict) and "default" in part}
        return MappingProxyType(found)

    @cached_property
    def _rules(self) -> tuple[tuple[frozenset[str], Rule], ...]:
        return tuple((rule.concerns, rule) for rule in rules_of(self.schema, node=self._node))

    @cached_property
    def _images(self) -> tuple[tuple[tuple[str, ...], ImageRule], ...]:
        return tuple((pattern, node.image) for pattern, node in places(self._node) if pattern and node.image)

    @cached_property
    def _slots(self) -> tuple["_Case", ...]:
        return self._cases(self.schema["x-slots"])

    @cached_property
    def _counts(self) -> tuple["_Case", ...]:
        return self._cases(self.schema["x-result"]["count"])

    @cached_property
    def _warnings(self) -> tuple["_Warning", ...]:
        return tuple(
            _Warning(
                gate_of(entry["when"], root=self.schema),
                Violation("x-warnings", pattern_of(entry["parameter"]), entry["message"], Severity.WARNING),
            )
            for entry in self.schema.get("x-warnings", ())
        )

    def _cases(self, entries: list[dict[str, Any]]) -> tuple["_Case", ...]:
        defaults = self.defaults()
        return tuple(
            _Case(
                gate_of(entry["when"], root=self.schema) if "when" in entry else None,
                entry.get("param"),
                entry["value"] if "value" in entry else defaults.get(entry["param"], 1),
            )
            for entry in entries
        )


@dataclass(frozen=True, slots=True)
class _Case:
    """One of the `x-slots`: a number, or a parameter that holds it (`value` is then its default)."""

    when: "jsonschema_rs.Validator | None"
    param: str | None
    value: int

    def count(self, params: Mapping[str, Any]) -> int:
        found = self.value if self.param is None else params.get(self.param, self.value)
        return found if isinstance(found, int) else self.value


@dataclass(frozen=True, slots=True)
class _Warning:
    """One of the `x-warnings`."""

    when: "jsonschema_rs.Validator"
    violation: Violation


def _first_match(cases: tuple[_Case, ...], params: Mapping[str, Any]) -> int:
    for case in cases:
        if case.when is None or case.when.is_valid(params):
            return case.count(params)
    return 1
