"""The models that there are: the bundled schemas and those of the project's own folders. Reads no other files."""

import json
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from kirin_batch.models.further import SchemaError, SchemaFault, read_schema
from kirin_batch.models.messages import closest_name
from kirin_batch.models.model import Model
from kirin_batch.models.shape import Shape

__all__ = ["Catalog", "schema_folder", "schema_text", "shape_of"]

_ENDING = ".schema.json"
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # it is a folder's name in outputs, and stands in references


class Catalog:
    """Models by name. `Catalog.load` makes one."""

    def __init__(self, models: dict[str, Model]) -> None:
        self._models = models

    @classmethod
    def load(cls, folders: Sequence[Path] = ()) -> "Catalog":
        """The bundled models and those of `folders`, each a file `MODEL.schema.json`; theirs replace bundled ones.

        Raises SchemaError for a folder without schemas, for a file that is no schema of a model (it must satisfy
        `schemas/model.schema.json`), for a name that no model may have, and for a model that two folders have; for all
        of them at once.
        """
        models = {_name(path): _bundled(path) for path in _files(schema_folder() / "models")}
        further = _Further()
        for folder in folders:
            further.read(folder)
        if further.faults:
            raise SchemaError.of(*further.faults)
        return cls({**models, **further.models})

    def names(self) -> tuple[str, ...]:
        """The models' names, sorted."""
        return tuple(sorted(self._models))

    def model(self, name: str) -> Model | None:
        """The model of that name, if there is one."""
        return self._models.get(name)

    def suggest(self, name: str) -> str | None:
        """The name that was probably meant by one that is not there."""
        return closest_name(name, self._models)


class _Further:
    """The models of a project's own folders, as far as they are sound, and what is wrong with the others."""

    def __init__(self) -> None:
        self.models: dict[str, Model] = {}
        self.faults: list[SchemaFault] = []
        self._paths: dict[str, Path] = {}

    def read(self, folder: Path) -> None:
        try:
            paths = _files(folder)
        except SchemaError as error:
            self.faults += error.faults
            return
        for path in paths:
            try:
                self._add(path)
            except SchemaError as error:
                self.faults += error.faults

    def _add(self, path: Path) -> None:
        name = _further_name(path)
        if name in self._paths:
            told = f"{self._paths[name]} describes the model {name} too: remove one of them"
            raise SchemaError.of(SchemaFault(path, told))
        self._paths[name] = path
        self.models[name] = Model(name, schema=read_schema(path, shape=self._shape))

    @cached_property
    def _shape(self) -> Shape:
        return shape_of("model")


def schema_folder() -> Path:
    """Where the bundled schemas are: inside an installed package, else at the top of a checkout."""
    installed = Path(__file__).parents[1] / "schemas"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "schemas"


def schema_text(name: str) -> str:
    """The text of a bundled schema: a model's name, `spec`, `project`, `manifest`, `plan`, `lock` or `model`.

    Raises SchemaError, which lists the names, for any other.
    """
    files = {_name(path): path for folder in (schema_folder(), schema_folder() / "models") for path in _files(folder)}
    if name not in files:
        closest = closest_name(name, files)
        hint = f"did you mean {closest}?" if closest else f"there are {', '.join(sorted(files))}"
        raise SchemaError(f"there is no schema {name}: {hint}")
    return files[name].read_text(encoding="utf-8")


def shape_of(name: str) -> Shape:
    """A bundled schema, ready to judge and convert values: `project`, say. Raises SchemaError as `schema_text`."""
    return Shape(json.loads(schema_text(name)))


def _name(path: Path) -> str:
    return path.name.removesuffix(_ENDING)


def _further_name(path: Path) -> str:
    name = _name(path)
    if name in {_name(own) for own in _files(schema_folder())}:
        told = f"{name} is a schema of the program itself, not a model: keep it in another folder"
        raise SchemaError.of(SchemaFault(path, told))
    if not _MODEL_NAME.fullmatch(name):
        told = "a model's name has letters, digits, `.`, `_` and `-` only: rename the file"
        raise SchemaError.of(SchemaFault(path, told))
    return name


def _files(folder: Path) -> list[Path]:
    found = sorted(folder.glob(f"*{_ENDING}"))
    if not found:
        what = "has no MODEL.schema.json" if folder.is_dir() else "is no folder"
        raise SchemaError.of(SchemaFault(folder, f"{what}: correct `schemas:` in kirin.yaml"))
    return found


def _bundled(path: Path) -> Model:
    return Model(_name(path), schema=json.loads(path.read_bytes()))
