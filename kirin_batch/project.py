"""A project: its root, its settings (kirin.yaml and environment), and where things lie in it. Knows no specs."""

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import orjson

from kirin_batch.disk import make_folders
from kirin_batch.documents import read_document
from kirin_batch.errors import KirinError, UsageError
from kirin_batch.models import Shape, Violation, schema_text
from kirin_batch.models.messages import unknown_message
from kirin_batch.models.paths import named
from kirin_batch.models.tree import Schema
from kirin_batch.naming import TemplateError, fill_output_template
from kirin_batch.problems import Pointer, Problem

__all__ = ["InvalidSettingsError", "Project", "Settings", "load_project"]

_FILE = "kirin.yaml"
_DEFAULT_SPECS = ("specs/**/*.yaml", "specs/**/*.yml")


class InvalidSettingsError(KirinError):
    """kirin.yaml is wrong; `problems` holds all that is."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        lines = [f"{p.file}:{p.line}:{p.column}: {p.message}" for p in problems]
        super().__init__("\n".join(lines))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """kirin.yaml with its defaults. Seconds are floats, money is USD; `timeouts` and `slots` are by kind."""

    namespace: str = ""
    specs: tuple[str, ...] = _DEFAULT_SPECS
    spec_max_mb: float = 8.0
    result_max_mb: float = 4096.0
    outputs: str = "outputs/{spec}/{job}/{index}{ext}"
    schemas: tuple[str, ...] = ()
    base_url: str = "https://cloud.vtrix.ai"
    gateway_timeout: float = 60.0
    slots: Mapping[str, int] = field(default_factory=lambda: {"image": 10, "video": 5})
    requests_per_second: float | None = None
    downloads: int = 16
    poll_min: float = 1.0
    poll_max: float = 30.0
    retries: int = 1
    timeouts: Mapping[str, float] = field(default_factory=lambda: {"image": 900.0, "video": 3600.0})
    max_cost: Decimal | None = None
    prices: Mapping[str, Decimal] = field(default_factory=dict)
    env: tuple[str, ...] = ()
    allow_outside: bool = False
    sidecar: bool = False
    embed: bool = False
    store: str | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """A folder of specs and what belongs to them. `root` is absolute, without symbolic links."""

    root: Path
    settings: Settings = field(default_factory=Settings)

    @property
    def lockfile(self) -> Path:
        """What each job produced."""
        return self.root / "kirin.lock"

    @property
    def state(self) -> Path:
        """The folder of manifest, journal, run lock and what was learned, which git ignores."""
        return self.root / ".kirin"

    @property
    def journal(self) -> Path:
        """What the lockfile does not hold yet."""
        return self.state / "journal.jsonl"

    @property
    def manifest(self) -> Path:
        """Every job, resolved and fingerprinted."""
        return self.state / "manifest.json"

    @property
    def latencies(self) -> Path:
        """How long tasks took so far."""
        return self.state / "latencies.json"

    @property
    def stored(self) -> Path:
        """Which results the store is known to hold."""
        return self.state / "stored.txt"

    def make_state_folder(self) -> None:
        """Make `.kirin/`, which ignores itself. Raises KirinError where it cannot, or where a link leads it outside."""
        if not self.is_inside(self.state):
            told = f"{self.state} is a link that leads out of the project"
            raise KirinError(f"{told}: remove it, or set `allow_outside: true`")
        try:
            make_folders(self.state)
            ignore = self.state / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n")
        except OSError as error:
            raise KirinError(f"{self.state} cannot be made: {error.strerror}") from error

    def is_inside(self, path: Path) -> bool:
        """Whether a path may be read or written: below the root, links followed, unless `allow_outside` is set."""
        try:
            return self.settings.allow_outside or path.resolve().is_relative_to(self.root)
        except (OSError, RuntimeError, ValueError):  # links in a circle; no name, with NUL in it
            return False


def load_project(folder: Path, *, is_root: bool = False, environ: Mapping[str, str] | None = None) -> Project:
    """The project that `folder` lies in: the nearest one upwards with a kirin.yaml, else `folder` itself.

    `is_root`: the project is `folder` and no other. `environ` replaces the process's environment. Raises
    InvalidSettingsError for a wrong kirin.yaml, UsageError for a wrong variable or a folder that is not there.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder")
    start = folder.resolve()
    candidates = [start] if is_root else [start, *start.parents]
    root = next((path for path in candidates if (path / _FILE).is_file()), start)
    settings = _read_settings(root) if (root / _FILE).is_file() else Settings()
    return Project(root, _with_environment(settings, os.environ if environ is None else environ))


def _read_settings(root: Path) -> Settings:
    document = read_document(root / _FILE, _FILE)
    if isinstance(document, Problem):
        raise InvalidSettingsError((document,))
    shape = Shape(orjson.loads(schema_text("project")))
    said = shape.coerce(document.value if document.value is not None else {})
    violations = _violations(said, shape)
    if violations:
        raise InvalidSettingsError(
            tuple(document.problem(v.pointer, v.rule, _message(v, shape.schema), at_key=v.key) for v in violations)
        )
    settings = _settings_of(said)
    faults = tuple(document.problem(path, rule, message) for path, rule, message in _faults(settings, root))
    if faults:
        raise InvalidSettingsError(faults)
    return settings


def _violations(said: Any, shape: Shape) -> list[Violation]:  # noqa: ANN401 - any JSON, and what JSON has not
    """What the schema says against kirin.yaml; it knows that JSON has no `.inf` and `.nan`, not where they are."""
    strange = list(_not_finite(said))
    kept = [violation for violation in shape.check(said) if not strange or violation.pointer not in {(), *strange}]
    told = "is not finite (.inf or .nan): give a number"
    return kept + [Violation("type", pointer, f"{named(pointer)} {told}") for pointer in strange]


def _message(fault: Violation, schema: Schema) -> str:
    """The message of a fault in words of kirin.yaml, whose keys are no parameters."""
    if fault.rule != "additionalProperties":
        return fault.message
    *above, name = fault.pointer
    known: Schema = schema
    for key in above:
        known = known["properties"][key]
    return unknown_message(str(name), at=tuple(above), known=known.get("properties", {}), noun="setting")


def _not_finite(value: Any, at: Pointer = ()) -> Iterator[Pointer]:  # noqa: ANN401 - as above
    if isinstance(value, float) and not math.isfinite(value):
        yield at
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _not_finite(item, (*at, key))


def _settings_of(said: dict[str, Any]) -> Settings:
    gateway, limits = said.get("gateway", {}), said.get("limits", {})
    poll, defaults = said.get("poll", {}), Settings()
    max_cost = said.get("max_cost")
    return Settings(
        namespace=said.get("namespace", ""),
        specs=tuple(said.get("specs", _DEFAULT_SPECS)),
        spec_max_mb=float(said.get("spec_max_mb", defaults.spec_max_mb)),
        result_max_mb=float(said.get("result_max_mb", defaults.result_max_mb)),
        outputs=said.get("outputs", defaults.outputs),
        schemas=tuple(said.get("schemas", ())),
        base_url=gateway.get("base_url", defaults.base_url),
        gateway_timeout=float(gateway.get("timeout", defaults.gateway_timeout)),
        slots={kind: limits.get(kind, slots) for kind, slots in defaults.slots.items()},
        requests_per_second=limits.get("requests_per_second"),
        downloads=limits.get("downloads", defaults.downloads),
        poll_min=float(poll.get("min", defaults.poll_min)),
        poll_max=float(poll.get("max", defaults.poll_max)),
        retries=said.get("retries", defaults.retries),
        timeouts=dict(defaults.timeouts) | {kind: float(s) for kind, s in said.get("timeout", {}).items()},
        max_cost=None if max_cost is None else Decimal(str(max_cost)),  # not of the float, which is off by a little
        prices={model: Decimal(str(price)) for model, price in said.get("prices", {}).items()},
        env=tuple(said.get("env", ())),
        allow_outside=said.get("allow_outside", False),
        sidecar=said.get("sidecar", False),
        embed=said.get("embed", False),
        store=said.get("store"),
    )


def _faults(settings: Settings, root: Path) -> Iterator[tuple[Pointer, str, str]]:
    """What no schema says: path in kirin.yaml, rule and message of each fault."""
    if settings.poll_min > settings.poll_max:
        told = f"poll.min is {settings.poll_min:g} s, which is more than poll.max, {settings.poll_max:g} s"
        yield ("poll", "min"), "poll", told
    try:
        sample = fill_output_template(settings.outputs, dict.fromkeys(("spec", "job", "model", "digest", "take"), "x"))
    except TemplateError as error:
        yield ("outputs",), "outputs", str(error)
        return
    if not Project(root, settings).is_inside(root / sample):
        told = f"{settings.outputs} is outside the project: choose a place inside, or set `allow_outside: true`"
        yield ("outputs",), "outside", told


def _with_environment(settings: Settings, environ: Mapping[str, str]) -> Settings:
    if base_url := environ.get("KIRIN_BASE_URL"):
        settings = replace(settings, base_url=base_url)
    if max_cost := environ.get("KIRIN_MAX_COST"):
        settings = replace(settings, max_cost=_usd(max_cost, "KIRIN_MAX_COST"))
    return settings


def _usd(text: str, name: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise UsageError(f'{name} is "{text}": give USD as a decimal number, such as 25.00')
    return amount
