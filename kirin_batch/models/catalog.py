"""The models that there are: the bundled schemas and those of the project's own folders. Reads no other files."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from kirin_batch.models.further import SchemaError, read_schema
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
        `schemas/model.schema.json`), for a name that no model may have, and for a model that two folders have.
        """
        models = {_name(path): _bundled(path) for path in _files(schema_folder() / "models")}
        further: dict[str, Path] = {}
        for path in (path for folder in folders for path in _files(folder)):
            name = _further_name(path)
            if name in further:
                raise SchemaError(f"{path}: {further[name]} describes the model {name} too: remove one of them")
            further[name] = path
        if further:
            shape = shape_of("model")
            models |= {name: Model(name, schema=read_schema(path, shape=shape)) for name, path in further.items()}
        return cls(models)

    def names(self) -> tuple[str, ...]:
        """The models' names, sorted."""
        return tuple(sorted(self._models))

    def model(self, name: str) -> Model | None:
        """The model of that name, if there is one."""
        return self._models.get(name)

    def suggest(self, name: str) -> str | None:
        """The name that was probably meant by one that is not there."""
        return closest_name(name, self._models)


def schema_folder() -> Path:
    """Where the bundled schemas are: inside an installed package, else at the top of a checkout."""
    installed = Path(__file__).parents[1] / "schemas"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "schemas"


def schema_text(name: str) -> str:
    """The text of a bundled schema: a model's name, `spec`, `project`, `manifest`, `lock` or `model`.

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
        raise SchemaError(f"{path}: {name} is a schema of the program itself, not a model: keep it in another folder")
    if not _MODEL_NAME.fullmatch(name):
        raise SchemaError(f"{path}: a model's name has letters, digits, `.`, `_` and `-` only: rename the file")
    return name


def _files(folder: Path) -> list[Path]:
    found = sorted(folder.glob(f"*{_ENDING}"))
    if not found:
        what = "has no MODEL.schema.json" if folder.is_dir() else "is no folder"
        raise SchemaError(f"{folder} {what}: correct `schemas:` in kirin.yaml")
    return found


def _bundled(path: Path) -> Model:
    return Model(_name(path), schema=json.loads(path.read_bytes()))
