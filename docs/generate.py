# ruff: noqa: INP001 - a script beside the pages that it writes, no package
"""Writes the pages that follow from the program and its schemas: commands.md, models.md and settings.md.

`make docs` calls it. Every word of a table comes from a command's help or from a schema, so a page is mended there.
"""

import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from kirin_batch.cli.main import cli

__all__ = ["pages"]

CHECKOUT = Path(__file__).resolve().parent.parent
MODELS = CHECKOUT / "schemas" / "models"
EXAMPLES = CHECKOUT / "specs" / "examples"
MADE = "<!-- Made by `make docs` from {source}: mend it there. -->"
COMMON = ("folder", "quiet", "verbose", "no_color", "log_file")
SELECTION = ("jobs", "tags", "models", "failed", "exclude")
WIDE = 1000  # so that no help is broken into lines
USUAL_FORMS = ["text", "json"]
ENVIRONMENT = {"gateway.base_url": "KIRIN_BASE_URL", "max_cost": "KIRIN_MAX_COST"}
"""Which variables stand above kirin.yaml; a test holds this against the code."""

Schema = Mapping[str, Any]


def pages() -> dict[str, str]:
    """The text of each generated page, by its name in docs/."""
    return {"commands.md": commands_page(), "models.md": models_page(), "settings.md": settings_page()}


def main() -> None:
    """Write the pages that are not as they should be."""
    for name, text in pages().items():
        path = Path(__file__).with_name(name)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"written: docs/{name}\n")


def page(*parts: str) -> str:
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def code(value: object) -> str:
    """A value as it is written in YAML or JSON."""
    return f"`{value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)}`"


def sentence(text: str) -> str:
    """A schema's or a help's words, so that Markdown shows them as they are; expressions become code."""
    parts = re.split(r"(`[^`]*`|\$\{\{.*?\}\}|<<<\w+>>>)", text)
    return "".join(in_code(part) if index % 2 else part.replace("*", "\\*") for index, part in enumerate(parts))


def in_code(text: str) -> str:
    return text if text.startswith("`") else f"`{text}`"


# commands.md


def commands_page() -> str:
    context = click.Context(cli, info_name="kirin-batch", terminal_width=WIDE, max_content_width=WIDE)
    names = cli.list_commands(context)
    listed = [(f"[`{name}`](#kirin-batch-{name})", sentence(short_help(cli, name, context))) for name in names]
    return page(
        "# Commands",
        MADE.format(source="the help of each command"),
        "`kirin-batch COMMAND --help` tells the same in a terminal.",
        table(("command", "does"), listed),
        "## Common options",
        "What nearly every command takes; `--format` has further forms where a command says so.",
        options_table(shared_options(names, (*COMMON, "form"))),
        "## Selection",
        "Options of one kind add up, kinds narrow each other. PATH is a spec, a folder of specs or a pattern; a GLOB is"
        " in quotes, so that the shell leaves it alone. A selected job brings what it needs; an excluded one is never"
        " sent.",
        options_table(shared_options(names, SELECTION)),
        *(part for name in names for part in command_parts(name, context)),
    )


def short_help(group: click.Group, name: str, context: click.Context) -> str:
    """What `--help` of the group says of a command."""
    shown = group.get_help(context)
    found = re.search(rf"^  {re.escape(name)} +(.*)$", shown, re.MULTILINE)
    return found[1] if found else ""


def shared_options(names: list[str], wanted: tuple[str, ...]) -> list[click.Option]:
    """Options that several commands have, each once, in the order of `wanted`."""
    found: dict[str, click.Option] = {}
    for option in (option for name in names for option in options_of(command_of(cli, name))):
        if option.name in wanted and is_usual(option):
            found.setdefault(str(option.name), option)
    return [found[name] for name in wanted if name in found]


def command_of(group: click.Group, name: str) -> click.Command:
    command = group.get_command(click.Context(group), name)
    if command is None:
        raise LookupError(name)
    return command


def options_of(command: click.Command) -> Iterator[click.Option]:
    return (param for param in command.params if isinstance(param, click.Option))


def is_usual(option: click.Option) -> bool:
    """Whether `--format` takes what it takes in most commands."""
    return option.name != "form" or (isinstance(option.type, click.Choice) and list(option.type.choices) == USUAL_FORMS)


def command_parts(name: str, above: click.Context) -> Iterator[str]:
    group = above.command
    if not isinstance(group, click.Group):
        raise TypeError(group.name)
    command = command_of(group, name)
    context = click.Context(command, info_name=name, parent=above)
    level = "##" if above.parent is None else "###"
    yield f"{level} {context.command_path}"
    yield f"```text\n{' '.join([context.command_path, *command.collect_usage_pieces(context)])}\n```"
    yield from (sentence(part) for part in paragraphs(command.help or ""))
    own = [option for option in options_of(command) if not is_shared(option)]
    if own:
        yield options_table(own)
    if references := list(shared_references(command)):
        yield f"It takes the {' and the '.join(references)} too."
    for text in paragraphs(command.epilog or "", keep_lines=True):
        yield epilog_part(text)
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            yield from command_parts(inner, context)


def is_shared(option: click.Option) -> bool:
    return option.name in {*COMMON, *SELECTION} or (option.name == "form" and is_usual(option))


def shared_references(command: click.Command) -> Iterator[str]:
    names = {option.name for option in options_of(command)}
    if names.issuperset(COMMON):
        yield "[common options](#common-options)"
    if names.issuperset(SELECTION):
        yield "[selection](#selection)"


def options_table(options: list[click.Option]) -> str:
    return table(("option", "does"), [option_row(option) for option in options])


def option_row(option: click.Option) -> tuple[str, str]:
    context = click.Context(click.Command("any"))
    metavar = "" if option.is_flag else f" {option.make_metavar(context)}"
    if isinstance(option.type, click.IntRange | click.FloatRange) and option.metavar is None:
        metavar = " N"
    names = ", ".join([*option.opts, *option.secondary_opts])
    notes = option.get_help_extra(context)
    extra = [f"default: {notes['default']}"] if "default" in notes else []
    extra += [f"range: {notes['range']}"] if "range" in notes else []
    return code(names + metavar), sentence(option.help or "") + (f" [{'; '.join(extra)}]" if extra else "")


def paragraphs(text: str, *, keep_lines: bool = False) -> list[str]:
    """The paragraphs of a help, click's mark for kept lines left out."""
    found = [part.strip("\n") for part in inspect.cleandoc(text).replace("\b\n", "").split("\n\n")]
    return [part if keep_lines else " ".join(part.split()) for part in found if part]


def epilog_part(text: str) -> str:
    """Examples and what is laid out by hand as they are, all else as prose."""
    first, *others = text.splitlines()
    if first == "Examples:":
        return "<!-- not run: from the help -->\n```sh\n" + inspect.cleandoc("\n".join(others)) + "\n```"
    is_laid_out = any(line.startswith(" ") for line in [first, *others])
    if is_laid_out and not first.startswith(" ") and all(line.startswith(" ") for line in others):
        return f"{sentence(first)}\n\n{fenced(others)}"
    if is_laid_out:
        return fenced([first, *others])
    prose = sentence(" ".join(text.split()))
    return re.sub(r"^(Exit codes|Actions|Rules):", r"**\1:**", prose)


def fenced(lines: Sequence[str]) -> str:
    return "```text\n" + inspect.cleandoc("\n".join(["", *lines])) + "\n```"


# models.md


def models_page() -> str:
    schemas = {path.name.removesuffix(".schema.json"): load(path) for path in sorted(MODELS.glob("*.schema.json"))}
    listed = [
        (f"[`{name}`](#{name})", sentence(schema["description"]), made(schema)) for name, schema in schemas.items()
    ]
    return page(
        "# Models",
        MADE.format(source="schemas/models"),
        "The parameters of each model, as they stand under `params`. A plain number or boolean in YAML is taken as"
        ' text where the type is string: `duration: 5` is `"5"`. The rules as the pages of the API state them, each'
        " with its test, are in [rules.md](rules.md); [adding-a-model.md](adding-a-model.md) tells how to add a model.",
        table(("model", "is for", "makes"), listed),
        *(part for name, schema in schemas.items() for part in model_parts(name, schema)),
    )


def load(path: Path) -> Schema:
    schema: Schema = json.loads(path.read_text(encoding="utf-8"))
    return schema


def made(schema: Schema) -> str:
    """What a task yields."""
    result = schema["x-result"]
    if result["type"] == "text":
        return "a subject: " + ", ".join(code(field) for field in result["fields"])
    counts = result["count"]
    if counts == [{"value": 1}]:
        return f"one {result['type']}"
    return f"{result['type']}s: as many as " + cases(counts, schema)


def cases(entries: list[Any], schema: Schema) -> str:
    """`x-slots` or a count in words."""
    told = [
        (code(entry["param"]) if "param" in entry else str(entry["value"]))
        + (f" where {condition(entry['when'], schema)}" if "when" in entry else "")
        for entry in entries
    ]
    return ", else ".join(told)


def condition(when: Schema, schema: Schema) -> str:
    """A condition on constants, as the cases of the bundled models have them."""
    constants = follow(when, schema)["properties"].items()
    return " and ".join(code(f"{name}: {part['const']}") for name, part in constants)


def follow(part: Schema, schema: Schema) -> Schema:
    """A part of a schema with what its `$ref` leads to."""
    if "$ref" not in part:
        return part
    target: Any = schema
    for step in part["$ref"].removeprefix("#/").split("/"):
        target = target[step]
    return {**target, **{key: value for key, value in part.items() if key != "$ref"}}


def model_parts(name: str, schema: Schema) -> Iterator[str]:
    yield f"## {name}"
    yield sentence(schema["description"])
    used = [path.name for path in sorted(EXAMPLES.glob("*.yaml")) if f"model: {name}\n" in path.read_text("utf-8")]
    links = ", ".join(f"[{file}](../specs/examples/{file})" for file in used)
    yield "\n".join(
        [
            f"- Makes: {made(schema)}.",
            f"- Slots: {cases(schema['x-slots'], schema)}, of those for {schema['x-kind']}s.",
            *([f"- Examples: {links}."] if used else []),
        ]
    )
    yield table(("parameter", "type", "allowed", "default", "says"), list(parameter_rows(schema, schema)))
    rules = [f"- {sentence(rule)}" for rule in between(schema)]
    if rules:
        yield "Rules between parameters, as `validate` tells them:"
        yield "\n".join(rules)


def parameter_rows(part: Schema, schema: Schema, *, above: str = "") -> Iterator[tuple[str, ...]]:
    """A row for each parameter, those inside lists and mappings behind their own."""
    for name, found in part["properties"].items():
        place = f"{above}{name}"
        own = follow(found, schema)
        needed = ", required" if name in part.get("required", ()) else ""
        default = code(own["default"]) if "default" in own else ""
        yield code(place), f"{type_of(own)}{needed}", allowed(own), default, sentence(own["description"])
        if "properties" in own:
            yield from parameter_rows(own, schema, above=f"{place}.")
        elif "properties" in own.get("items", {}):
            yield from parameter_rows(own["items"], schema, above=f"{place}[].")


def type_of(part: Schema) -> str:
    if "x-image" in part:
        return "image"
    types = part.get("type") or ("number" if isinstance(part.get("const"), int) else "any")
    names = types if isinstance(types, list) else [types]
    names = [{"object": "mapping", "array": "list"}.get(name, name) for name in names]
    inner = follow(part.get("items", {}), part).get("type")
    return " or ".join(names) + (f" of {'mapping' if inner == 'object' else inner}s" if inner else "")


def allowed(part: Schema) -> str:
    return "; ".join(limits_of(part))


def limits_of(part: Schema) -> Iterator[str]:
    if "enum" in part:
        yield ", ".join(map(code, part["enum"]))
    if "const" in part:
        yield code(part["const"])
    yield from bounds(part.get("minimum"), part.get("maximum"))
    if "exclusiveMinimum" in part:
        yield f"more than {part['exclusiveMinimum']}"
    if "x-image" in part:
        yield from image_limits(part["x-image"])
    elif part.get("minLength") == 1:
        yield "not empty"
    yield from bounds(None, part.get("maxLength"), unit=" characters")
    yield from bounds(part.get("minItems"), part.get("maxItems"), unit=" items")
    if "pattern" in part:
        yield sentence(part["x-message"].rpartition(": ")[2])  # behind the colon stands what would be right


def bounds(least: int | None, most: int | None, *, unit: str = "") -> Iterator[str]:
    if least is not None and most is not None:
        yield f"{least} to {most}{unit}"
    elif most is not None:
        yield f"at most {most}{unit}"
    elif least is not None:
        yield f"at least {least}{unit}"


def image_limits(rule: Schema) -> Iterator[str]:
    yield "URL, Base64 or file: " + " or ".join(name.upper() for name in rule["formats"])
    yield f"at most {rule['max_bytes'] / 1024**2:g} MB"
    yield f"sides of at least {rule['min_side']} px"
    if "max_ratio" in rule:
        yield f"1:{rule['max_ratio']} to {rule['max_ratio']}:1"


def between(schema: Schema) -> Iterator[str]:
    """The rules that concern several parameters, and what is told of those that the model does not have."""
    for rule in schema.get("allOf", ()):
        yield from messages(rule)
    for rule in schema.get("x-sum", ()):
        yield f"{rule.get('label', rule['of'])}: {code(rule['of'])} adds up to {code(rule['equals'])}"
    for rule in schema.get("x-total", ()):
        yield f"at most {rule['max']} {rule['label']} together: {' and '.join(map(code, rule['of']))}"
    for rule in schema.get("x-distinct-images", ()):
        yield f"every {code(rule['from'])} differs from {code(rule['image'])}"
    for group in schema.get("x-same-form", ()):
        yield f"{' and '.join(map(code, group))} are all URLs, or none of them is"
    for name, part in schema["properties"].items():
        for kind, place in part.get("x-placeholders", {}).items():
            yield f"`<<<{kind}_N>>>` in {code(name)} names the N-th item of {code(place)}, which must be there"
    for warning in schema.get("x-warnings", ()):
        yield f"(a warning) {warning['message']}"
    for name, reason in schema.get("x-unsupported", {}).items():
        yield f"{code(name)} is not supported: {reason}"


def messages(rule: Schema) -> Iterator[str]:
    """What is told where a condition does not hold: of the rule itself, and of what follows from its `if`."""
    if "x-message" in rule:
        yield rule["x-message"]
    for branch in ("then", "else"):
        if branch in rule:
            yield from messages(rule[branch])


# settings.md


def settings_page() -> str:
    schema = load(CHECKOUT / "schemas" / "project.schema.json")
    rows = list(setting_rows(schema, schema))
    return page(
        "# Settings",
        MADE.format(source="schemas/project.schema.json"),
        sentence(schema["description"]) + " Of option, environment, kirin.yaml and default, the first that is there"
        " counts. Editors complete and check the file with the schema that `kirin-batch init` writes.",
        "## kirin.yaml",
        table(("key", "type", "allowed", "default", "says", "environment"), rows),
        "## Environment",
        table(("variable", "says"), [*ENVIRONMENT_ROWS]),
    )


ENVIRONMENT_ROWS = (
    ("`KIRIN_API_KEY`", "The gateway's key."),
    ("`KIRIN_API_KEY_FILE`", "A file that holds the key; read where `KIRIN_API_KEY` is not set or empty."),
    ("`KIRIN_BASE_URL`", "Stands above `gateway.base_url`."),
    ("`KIRIN_MAX_COST`", "Stands above `max_cost`; `run --max-cost` stands above both."),
    ("`NO_COLOR`", "Not empty: no colours."),
    ("`CI`", "Not empty: no moving display."),
    ("`GITHUB_STEP_SUMMARY`", "Set by GitHub Actions: `run` and `plan` add a table to the file that it names."),
    ("`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`", "The proxy for requests and downloads, in lower case too."),
    ("`AWS_…`", "The credentials of a `store:` in a bucket."),
)
"""What the program reads from the environment."""


def setting_rows(part: Schema, schema: Schema, *, above: str = "") -> Iterator[tuple[str, ...]]:
    for name, found in part["properties"].items():
        key, own = f"{above}{name}", follow(found, schema)
        if "properties" in own:
            yield code(key), "mapping", "", "", sentence(own["description"]), ""
            yield from setting_rows(own, schema, above=f"{key}.")
            continue
        default = code(own["default"]) if "default" in own else ""
        variable = code(ENVIRONMENT[key]) if key in ENVIRONMENT else ""
        yield code(key), type_of(own), allowed(own), default, sentence(own["description"]), variable


if __name__ == "__main__":
    main()
