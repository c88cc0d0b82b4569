"""The cases of `tests/cases` for all tests that read them: a spec, what must be said of it, and the project around it.

How a case is written is told in `tests/cases/README.md`.
"""

import base64
import functools
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from spec_projects import CATALOG, draw

from kirin_batch.problems import Problem
from kirin_batch.project import load_project
from kirin_batch.specs.loading import Specs, load_specs

__all__ = ["CASES", "Case", "Expected", "cases", "make_root", "name_of", "read_case"]

CASES = Path(__file__).parent / "cases"
ENVIRON = {"PLACE": "the forest"}  # what `${{ env.PLACE }}` is, for a case whose kirin.yaml lets it in

_TOLD = re.compile(
    r"^# (?P<kind>problem|warning): (?P<rule>\S+) (?P<parameter>\S+) (?P<line>\d+)(?::(?P<column>\d+))?"
    r"(?: (?P<message>.+))?$",
    re.MULTILINE,
)
_SETTINGS = re.compile(r"^# kirin\.yaml: (?P<text>.+)$", re.MULTILINE)
_PLACEHOLDER = re.compile(r"@\{(?:base64 (?P<facts>[^}]+)|(?P<text>[^}]+)\*(?P<times>\d+))\}")
_FACTS = re.compile(
    r"(?P<kind>png|jpeg|gif|bmp|webp)-(?P<width>\d+)x(?P<height>\d+)(?:-(?P<colour>[a-z]+))?(?:-(?P<size>\d+)B)?"
)
_PICTURE = re.compile(rf"\.\./assets/(?P<name>(?P<facts>{_FACTS.pattern})\.\w+)")
_ENCODING = {"encoding": "utf-8", "errors": "surrogateescape"}  # a case may be none of UTF-8, and goes through as it is


@dataclass(frozen=True, slots=True)
class Expected:
    """What a case says must be reported; None where it leaves that open, "-" as `parameter` for none."""

    kind: str
    rule: str
    parameter: str
    line: int
    column: int | None
    message: str

    def is_met_by(self, problem: Problem) -> bool:
        kind = "problem" if problem.severity == "error" else "warning"
        parameter = "-" if problem.parameter is None else problem.parameter or '""'
        found = (kind, problem.rule, parameter, problem.line, self.column and problem.column)
        told = (self.kind, self.rule, self.parameter, self.line, self.column)
        return found == told and self.message in problem.message


@dataclass(frozen=True, slots=True)
class Case:
    """A case: `text` is its spec, written out, `expected` what must be reported, `settings` its kirin.yaml."""

    text: str
    expected: tuple[Expected, ...]
    settings: str

    @property
    def data(self) -> bytes:
        return self.text.encode(**_ENCODING)

    def load(self, root: Path) -> Specs:
        """Lay the case out as the only spec of the project, with the pictures that it names, and load that."""
        (root / "specs" / "case.yaml").write_bytes(self.data)
        (root / "kirin.yaml").write_text(f"version: 1\n{self.settings}\n")
        for match in _PICTURE.finditer(self.text):
            path = root / "assets" / match["name"]
            if not path.exists():
                path.write_bytes(picture(match["facts"]))
        return load_specs(load_project(root, is_root=True, environ={}), CATALOG, environ=ENVIRON)


def cases(kind: str) -> list[Path]:
    """The files of all cases that are `valid` or `invalid`."""
    return sorted((CASES / kind).rglob("*.yaml"))


def name_of(path: Path) -> str:
    """The name of a case among the valid or invalid ones: `kirin_v2_image/n-max`."""
    return path.relative_to(CASES).with_suffix("").as_posix().partition("/")[2]


def read_case(path: Path) -> Case:
    text = path.read_bytes().decode(**_ENCODING)
    settings = "\n".join(match["text"] for match in _SETTINGS.finditer(text))
    return Case(_PLACEHOLDER.sub(_written_out, text), tuple(_expected(text)), settings)


def make_root(folder: Path) -> Path:
    """A project with what cases name below ../assets, pictures aside, and with ways out of it."""
    root = folder / "project"
    assets = root / "assets"
    assets.mkdir(parents=True)
    (root / "specs").mkdir()
    (assets / "text.jpeg").write_text("no picture")
    with (assets / "huge.png").open("wb") as file:
        file.truncate(65 * 1024 * 1024)  # takes no room on disk
    (assets / "folder.png").mkdir()
    (assets / "link.png").symlink_to(draw(folder / "secret.png"))
    (assets / "loop.png").symlink_to(assets / "loop.png")
    (root / "leak").symlink_to(folder)
    return root


def _expected(text: str) -> Iterator[Expected]:
    for match in _TOLD.finditer(text):
        column = int(match["column"]) if match["column"] else None
        place = (match["parameter"], int(match["line"]), column)
        yield Expected(match["kind"], match["rule"], *place, match["message"] or "")


def _written_out(match: re.Match[str]) -> str:
    if match["facts"]:
        return base64.b64encode(picture(match["facts"])).decode()
    return match["text"] * int(match["times"])


@functools.cache
def picture(facts: str) -> bytes:
    """A picture by its facts, such as `png-300x400-red-1000B`: cut or filled up to that size."""
    match = _FACTS.fullmatch(facts)
    assert match, facts
    file = io.BytesIO()
    size = (int(match["width"]), int(match["height"]))
    Image.new("RGB", size, match["colour"] or "orange").save(file, match["kind"])
    data = file.getvalue()
    return data if match["size"] is None else data[: int(match["size"])].ljust(int(match["size"]), b"\0")
