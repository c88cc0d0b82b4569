"""The pages that follow from the program and its schemas are in step with both."""

import re
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import pytest
from studio import CHECKOUT

DOCS = CHECKOUT / "docs"
GENERATED = ("commands.md", "models.md", "settings.md")


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = spec_from_file_location("generate", DOCS / "generate.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_page_is_in_step(generator: ModuleType, name: str) -> None:
    made = generator.pages()
    assert tuple(made) == GENERATED
    assert made[name] == (DOCS / name).read_text(encoding="utf-8"), f"docs/{name} is out of step: run `make docs`"


def test_the_settings_name_the_variables_that_stand_above_them(generator: ModuleType) -> None:
    code = (CHECKOUT / "kirin_batch" / "project.py").read_text(encoding="utf-8")
    assert set(generator.ENVIRONMENT.values()) == set(re.findall(r"environ\.get\(\"(KIRIN_\w+)\"", code))


def test_every_variable_of_the_program_is_told(generator: ModuleType) -> None:
    package = CHECKOUT / "kirin_batch"
    texts = (path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    read = {name for text in texts for name in re.findall(r"environ(?:\.get\(|\[)\"(KIRIN_\w+)\"", text)}
    told = set(re.findall(r"KIRIN_\w+", " ".join(name for name, _ in generator.ENVIRONMENT_ROWS)))
    assert read == told
