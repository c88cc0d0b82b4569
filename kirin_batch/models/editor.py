"""The editors' schema of a spec, kept in step with the models' schemas: `python -m kirin_batch.models.editor`.

By hand are kept the envelope (version, vars, defaults, jobs) and its `$defs`; made are the `$defs` that begin with
`params_`, and the top `allOf`, which chooses among them by `model`. The rule of the making: what the program takes,
any standard validator takes. So an expression may stand anywhere, a number where text is wanted, null where a default
is removed; and where a file has `defaults.params`, nothing is demanded that may come from there. In one thing more is
asked than the program asks: a default must be right even where every job replaces it. What stands in `allOf` is for
editors alone: the program reads models and params in another way, and tells more of them.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kirin_batch.models.catalog import Catalog, schema_folder, schema_text
from kirin_batch.models.editor_params import added_params, given_params, whole_params
from kirin_batch.models.model import Model
from kirin_batch.models.tree import Schema

__all__ = ["main", "spec_schema"]

_MADE = "params_"
_GIVEN, _ADDED, _WHOLE = "params_of_", "params_over_defaults_of_", "params_alone_of_"
_NO_MODEL: Schema = {"properties": {"model": {"type": "null"}}}  # absent or null
_HAS_MODEL: Schema = {"required": ["model"], "properties": {"model": {"not": {"type": "null"}}}}
_DEFAULT_PARAMS: Schema = {
    "required": ["defaults"],
    "properties": {
        "defaults": {"type": "object", "required": ["params"], "properties": {"params": {"type": "object"}}}
    },
}


def spec_schema(catalog: Catalog) -> str:
    """The editors' schema of specs whose jobs are of these models; of the bundled ones, `schemas/spec.schema.json`."""
    schema = _envelope(json.loads(schema_text("spec")))
    models = [model for name in catalog.names() if (model := catalog.model(name))]
    schema["$defs"]["model"]["anyOf"] = [{"enum": [model.name for model in models]}, {"type": ["string", "null"]}]
    for model in models:
        given = _reference(model, _GIVEN)
        schema["$defs"][_GIVEN + model.name] = given_params(model)
        schema["$defs"][_ADDED + model.name] = added_params(model, given=given)
        schema["$defs"][_WHOLE + model.name] = whole_params(model, given=given)
    schema["allOf"] = [
        *_known_models(models),
        _own_models(models),
        *map(_inherited_model, models),
        _known_defaults(models),
    ]
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main(folder: Path) -> None:
    """Write `spec.schema.json` anew in `folder`, for the bundled models."""
    text = spec_schema(Catalog.load())
    (folder / "spec.schema.json").write_text(text, encoding="utf-8")


def _envelope(schema: Schema) -> Schema:
    kept = {name: part for name, part in schema["$defs"].items() if not name.startswith(_MADE)}
    return {**schema, "$defs": kept}


def _known_models(models: Sequence[Model]) -> list[Schema]:
    """Every model that is named is there, and every job has one, of its own or of the file's defaults."""
    names: Schema = {"anyOf": [{"enum": [*(model.name for model in models), None]}, {"$ref": "#/$defs/expression"}]}
    known: Schema = {"properties": {"model": names}}
    has_default: Schema = {"required": ["defaults"], "properties": {"defaults": {"type": "object", **_HAS_MODEL}}}
    named = {"if": has_default, "else": _jobs({"type": "object", **_HAS_MODEL})}
    return [{"properties": {"defaults": known, "jobs": {"additionalProperties": known}}}, named]


def _own_models(models: Sequence[Model]) -> Schema:
    """Jobs that name their model."""

    def job(form: str) -> Schema:
        return {"allOf": [_where(_named(model), _job_params(model, form)) for model in models]}

    return _by_default_params(_jobs(job(_ADDED)), _jobs(job(_WHOLE)))


def _inherited_model(model: Model) -> Schema:
    """Jobs without a model of their own in a file whose defaults name `model`, and, if all are such, the defaults."""

    def jobs(form: str) -> Schema:
        return _jobs(_where(_NO_MODEL, _job_params(model, form)))

    inherits: Schema = {"required": ["defaults"], "properties": {"defaults": {"type": "object", **_named(model)}}}
    defaults: Schema = {"properties": {"defaults": {"properties": {"params": _reference(model, _GIVEN)}}}}
    choice = _by_default_params(jobs(_ADDED), jobs(_WHOLE))
    return _where(inherits, {"allOf": [choice, _where(_jobs(_NO_MODEL), defaults)]})


def _known_defaults(models: Sequence[Model]) -> Schema:
    """Where every job's model is one of `models`, a default is a parameter of some model."""
    known: Schema = {"properties": {"model": {"enum": [*(model.name for model in models), None]}}}
    names = sorted({name for model in models for name in model.schema["properties"]})
    params: Schema = {"properties": {"params": {"propertyNames": {"enum": names}}}}
    condition: Schema = {**_jobs(known), "required": ["defaults"]}
    condition["properties"]["defaults"] = known
    return _where(condition, {"properties": {"defaults": params}})


def _by_default_params(with_defaults: Schema, without: Schema) -> Schema:
    return {"if": _DEFAULT_PARAMS, "then": with_defaults, "else": without}


def _where(condition: Schema, then: Schema) -> Schema:
    return {"if": condition, "then": then}


def _named(model: Model) -> Schema:
    return {"required": ["model"], "properties": {"model": {"const": model.name}}}


def _jobs(job: Schema) -> Schema:
    return {"properties": {"jobs": {"additionalProperties": job}}}


def _job_params(model: Model, form: str) -> Schema:
    needed: dict[str, Any] = {"required": ["params"]} if form == _WHOLE and model.check({}) else {}
    return {**needed, "properties": {"params": _reference(model, form)}}


def _reference(model: Model, form: str) -> Schema:
    return {"$ref": f"#/$defs/{form}{model.name}"}


if __name__ == "__main__":  # pragma: no cover - one line, and tests write nothing into the checkout
    main(schema_folder())
