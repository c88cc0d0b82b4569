"""`kirin-batch schema`: prints the schemas that the program goes by."""

import json

import click

from kirin_batch.cli.shared import ProjectCommand, Shared, common_options, pass_shared
from kirin_batch.errors import ExitCode, UsageError
from kirin_batch.models import Catalog, SchemaError, schema_text

__all__ = ["command"]

_EPILOG = """\b
Examples:
  kirin-batch schema
  kirin-batch schema kirin_v3_i2v
  kirin-batch schema spec > spec.schema.json
"""


@click.command("schema", cls=ProjectCommand, epilog=_EPILOG)
@click.argument("name", metavar="[MODEL]", required=False)
@common_options
@pass_shared
def command(shared: Shared, name: str | None) -> int:
    """Print the JSON Schema of MODEL, or list the models.

    MODEL may also be spec, project, manifest or lock: the files that the program reads and writes.
    """
    catalog = _catalog(shared)
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


def _catalog(shared: Shared) -> Catalog:
    project = shared.project()
    return Catalog.load([project.root / folder for folder in project.settings.schemas])


def _text(catalog: Catalog, name: str) -> str:
    if model := catalog.model(name):
        return json.dumps(model.schema, indent=2, ensure_ascii=False)
    try:
        return schema_text(name)
    except SchemaError as error:
        raise UsageError(str(error)) from error


def _facts(catalog: Catalog, name: str) -> dict[str, str]:
    model = catalog.model(name)
    schema = model.schema if model else {}
    return {"model": name, "kind": schema.get("x-kind", ""), "description": schema.get("description", "")}
