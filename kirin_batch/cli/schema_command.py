"""`kirin-batch schema`: prints the schemas that the program goes by."""

import json

import click

from kirin_batch.cli.completion_names import SCHEMA
from kirin_batch.cli.shared import ProjectCommand, Shared, common_options, pass_shared
from kirin_batch.commands.workspace import load_catalog
from kirin_batch.errors import ExitCode, UsageError
from kirin_batch.models import Catalog, SchemaError, schema_text
from kirin_batch.models.editor import spec_schema

__all__ = ["command"]

_EPILOG = """\b
Examples:
  kirin-batch schema
  kirin-batch schema kirin_v3_i2v
  kirin-batch schema spec > spec.schema.json
"""


@click.command("schema", cls=ProjectCommand, epilog=_EPILOG)
@click.argument("name", metavar="[MODEL]", required=False, type=SCHEMA)
@common_options
@pass_shared
def command(shared: Shared, name: str | None) -> int:
    """Print the JSON Schema of MODEL, or list the models.

    MODEL may also be spec, project, manifest, plan or lock: the files that the program reads and writes. The schema of
    a spec is for editors and knows the project's own models too; model is what the schema of a model must satisfy.
    """
    catalog = load_catalog(shared.project().folder)
    if name is not None:
        click.echo(_text(catalog, name).rstrip("\n"))
    elif shared.is_json:
        shared.print_json({"models": [_facts(catalog, model) for model in catalog.names()]})
    else:
        names = catalog.names()
        width = max(map(len, names))
        for model in names:
            facts = _facts(catalog, model)
            shared.print(f"{click.style(f'{model:<{width}}', bold=True)}  {facts['description']}")
    return ExitCode.DONE


def _text(catalog: Catalog, name: str) -> str:
    if name == "spec":
        return spec_schema(catalog)
    if model := catalog.model(name):
        return json.dumps(model.schema, indent=2, ensure_ascii=False)
    try:
        return schema_text(name)
    except SchemaError as error:
        meant = catalog.suggest(name)
        raise UsageError(f"there is no schema {name}: did you mean {meant}?" if meant else str(error)) from error


def _facts(catalog: Catalog, name: str) -> dict[str, str]:
    model = catalog.model(name)
    schema = model.schema if model else {}
    return {"model": name, "kind": schema.get("x-kind", ""), "description": schema.get("description", "")}
