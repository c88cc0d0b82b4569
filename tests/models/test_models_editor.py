"""The editors' schema: in step with the models, open to every valid spec, closed to the usual mistakes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from cases_corpus import cases, name_of, read_case
from check_jsonschema import main as check_jsonschema  # type: ignore[import-untyped] # it has no types
from click.testing import CliRunner

from kirin_batch.models import Catalog, Shape, schema_text
from kirin_batch.models.editor import main, spec_schema
from kirin_batch.source import load_yaml, unwrap

SPECS = Path(__file__).parent / "specs"
CHECKOUT = Path(__file__).parents[2]
SCHEMA = CHECKOUT / "schemas" / "spec.schema.json"
EVERY_SPEC = sorted([*SPECS.glob("*.yaml"), *CHECKOUT.glob("specs/**/*.yaml")])
VALIDATOR = jsonschema_rs.validator_for(json.loads(schema_text("spec")))

ENVELOPE = Shape({name: part for name, part in json.loads(schema_text("spec")).items() if name != "allOf"})


def is_valid(text: str) -> bool:
    return VALIDATOR.is_valid(unwrap(load_yaml(text.encode())))


def test_the_schema_is_in_step_with_the_models() -> None:
    assert schema_text("spec") == spec_schema(Catalog.load()), "run `python -m kirin_batch.models.editor`"


def test_the_schema_is_written_as_it_is_made(tmp_path: Path) -> None:
    main(tmp_path)
    assert (tmp_path / "spec.schema.json").read_text(encoding="utf-8") == schema_text("spec")


def validate(*specs: Path) -> tuple[int, str]:
    """What check-jsonschema, a validator of its own, says to specs."""
    result = CliRunner().invoke(check_jsonschema, ["--schemafile", str(SCHEMA), *map(str, specs)])
    return result.exit_code, result.output


def test_every_valid_spec_passes_a_standard_validator(tmp_path: Path) -> None:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    texts = {"readme": next(text for text in re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL) if "jobs:" in text)}
    texts |= {name: text for name, text in texts_of("valid").items() if not name.startswith("kirin_")}
    del texts["yaml/directive"]  # that validator obeys a directive that asks for the types of YAML 1.1
    for name, text in texts.items():
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert len(texts) >= 30
    code, told = validate(*sorted(tmp_path.rglob("*.yaml")), *EVERY_SPEC)
    assert code == 0, told


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_valid_spec_has_the_shape_of_a_spec(path: Path) -> None:
    value = unwrap(load_yaml(path.read_bytes()))
    assert VALIDATOR.is_valid(value)
    assert ENVELOPE.check(value) == []


@pytest.mark.parametrize(
    "job",
    [
        "{model: kirin_v2_imag, params: {prompt: x}}",
        "{params: {prompt: x}}",
        "{model: null, params: {prompt: x}}",
        "{model: kirin_v2_image, params: {prompt: x}, tag: [a]}",
        "{model: kirin_v2_image, params: {prompt: x, aspectratio: 16:9}}",
        "{model: kirin_v2_image, params: {prompt: x, aspect_ratio: 16:10}}",
        "{model: kirin_v2_image, params: {prompt: x, n: '3'}}",
        "{model: kirin_v2_image, params: {prompt: x, n: 10}}",
        f"{{model: kirin_v2_image, params: {{prompt: {'x' * 2501}}}}}",
        "{model: kirin_v2_image, params: {n: 1}}",
        "{model: kirin_v3_omni_image, params: {prompt: x, result_type: series, n: 2}}",
    ],
    ids=[
        "model",
        "no model",
        "null",
        "key",
        "parameter",
        "option",
        "quoted",
        "range",
        "long",
        "missing",
        "combination",
    ],
)
def test_a_standard_validator_refuses_the_usual_mistakes(tmp_path: Path, job: str) -> None:
    spec = tmp_path / "wrong.yaml"
    spec.write_text(f"version: 1\njobs: {{a: {job}}}\n")
    assert validate(spec)[0] == 1


def texts_of(kind: str) -> dict[str, str]:
    """The specs of the cases by name, without the few that are larger than specs are by default."""
    found = {name_of(path): read_case(path) for path in cases(kind)}
    return {name: case.text for name, case in found.items() if "spec_max_mb" not in case.settings}


def test_every_valid_case_is_valid_for_editors() -> None:
    assert [name for name, text in texts_of("valid").items() if not is_valid(text)] == []


def test_every_case_of_a_model_that_breaks_a_rule_of_json_schema_is_invalid_for_editors() -> None:
    found = {name_of(path): read_case(path) for path in cases("invalid") if path.parent.name in Catalog.load().names()}
    broken = {name for name, case in found.items() if any(told.rule[:2] != "x-" for told in case.expected)}
    passed = {name for name in broken if is_valid(found[name].text)}
    assert passed == {"kirin_v3_omni_image/n-series-in-defaults"}, "a job may take away what defaults give"
    assert len(broken) > 100


def described(schema: dict[str, Any], place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The parameters of a made schema with their places, those inside lists and objects too."""
    for name, part in schema.get("properties", {}).items():
        yield f"{place}/{name}", part
        yield from described(part, f"{place}/{name}")
    for part in [schema["items"]] if "items" in schema else schema.get("anyOf", ()):
        yield from described(part, place)


def test_editors_have_a_description_and_the_default_of_every_parameter() -> None:
    definitions = json.loads(schema_text("spec"))["$defs"]
    catalog = Catalog.load()
    for name in catalog.names():
        found = dict(described(definitions[f"params_of_{name}"], ""))
        assert [place for place, part in found.items() if not part.get("description")] == []
        model = catalog.model(name)
        assert model
        assert {place[1:]: part["default"] for place, part in found.items() if "default" in part} == model.defaults()


V2 = "model: kirin_v2_image, params: "
OMNI = "model: kirin_v3_omni_image, params: "
I2V = "model: kirin_v3_i2v, params: "


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("{version: 1, jobs: {}}", "{jobs: {}}"),
        ("{version: 1, jobs: {}}", "{version: 2, jobs: {}}"),
        ("{version: 1, jobs: {a: {model: '${{ vars.m }}'}}}", "{version: 1, jobs: {1a: {model: '${{ vars.m }}'}}}"),
        (
            "{version: 1, jobs: {a: {model: '${{ vars.m }}', take: 2}}}",
            "{version: 1, jobs: {a: {model: '${{ vars.m }}', take: 0}}}",
        ),
        (
            "{version: 1, jobs: {a: {model: '${{ vars.m }}', tags: [x]}}}",
            "{version: 1, jobs: {a: {model: '${{ vars.m }}', tag: [x]}}}",
        ),
        (
            "{version: 1, jobs: {a: {model: '${{ vars.m }}', matrix: {x: [1]}}}}",
            "{version: 1, jobs: {a: {model: '${{ vars.m }}', matrix: {x: []}}}}",
        ),
        (
            "{version: 1, jobs: {a: {model: '${{ vars.m }}', params: {any: 1}}}}",
            "{version: 1, jobs: {a: {model: '${{ vars.m }}', params: [1]}}}",
        ),
    ],
)
def test_the_envelope_refuses_mistakes(right: str, wrong: str) -> None:
    assert (is_valid(right), is_valid(wrong)) == (True, False)
    assert ENVELOPE.check(unwrap(load_yaml(right.encode()))) == []
    assert ENVELOPE.check(unwrap(load_yaml(wrong.encode()))) != []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (f"{V2} {{prompt: x}}", f"{V2} {{n: 1}}"),
        (f"{V2} {{prompt: x, n: 9}}", f"{V2} {{prompt: x, n: '9'}}"),
        (f"{V2} {{prompt: 007}}", f"{V2} {{prompt: [x]}}"),
        (f"{V2} {{prompt: x, aspect_ratio: 16:9}}", f"{V2} {{prompt: x, aspect_ratio: 16:10}}"),
        (f"{V2} {{prompt: x, seed: null, n: null}}", f"{V2} {{prompt: x, seed: 1}}"),
        (f"{V2} {{prompt: x, image: a.png}}", f"{V2} {{prompt: x, image: 'data:image/png;base64,AAAA'}}"),
        ("model: kirin_v2_image, params: {prompt: x}", "model: kirin_v2_image"),
        (f"{OMNI} {{prompt: x, result_type: series}}", f"{OMNI} {{prompt: x, result_type: series, n: 2}}"),
        (f"{OMNI} {{prompt: x, result_type: series, series_amount: 2}}", f"{OMNI} {{prompt: x, series_amount: 2}}"),
        (
            f"{OMNI} {{prompt: x, element_list: [{{element_id: 12}}]}}",
            f"{OMNI} {{prompt: x, element_list: [{{id: 12}}]}}",
        ),
        (
            f"{I2V} {{image: a.png, prompt: x, duration: 5, sound: on}}",
            f"{I2V} {{image: a.png, prompt: x, duration: 16}}",
        ),
        (f"{I2V} {{image_tail: a.png, prompt: x}}", f"{I2V} {{prompt: x}}"),
        (f"{I2V} {{image: a.png, prompt: x}}", f"{I2V} {{image: a.png, prompt: x, multi_shot: true}}"),
    ],
)
def test_params_are_those_of_the_jobs_model(right: str, wrong: str) -> None:
    assert is_valid(f"{{version: 1, jobs: {{a: {{{right}}}}}}}")
    assert not is_valid(f"{{version: 1, jobs: {{a: {{{wrong}}}}}}}")


@pytest.mark.parametrize(
    "params",
    [
        "{prompt: '${{ vars.x }}', n: '${{ matrix.n }}', image_list: '${{ vars.images }}'}",
        "{prompt: x, element_list: [{element_id: '${{ jobs.hero.element_id }}'}, '${{ vars.e }}']}",
        "{prompt: x, result_type: '${{ matrix.kind }}', series_amount: 3}",
        "{prompt: x, aspect_ratio: '${{ matrix.w }}:${{ matrix.h }}', watermark_info: '${{ vars.w }}'}",
        "{prompt: x, watermark_info: {enabled: '${{ vars.w }}'}, callback_url: '${{ env.HOOK }}/x'}",
    ],
)
def test_an_expression_may_stand_wherever_a_value_may(params: str) -> None:
    assert is_valid(f"{{version: 1, jobs: {{a: {{{OMNI} {params}}}}}}}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("defaults: {params: {prompt: x}}, jobs: {a: {model: kirin_v2_image}}", True),
        ("defaults: {model: kirin_v2_image}, jobs: {a: {params: {prompt: x}}}", True),
        ("defaults: {model: kirin_v2_image}, jobs: {a: {params: {n: 1}}}", False),
        ("defaults: {model: kirin_v2_image, params: {n: 1}}, jobs: {a: {params: {prompt: x, n: null}}}", True),
        ("defaults: {model: kirin_v2_image, params: {n: 10}}, jobs: {a: {params: {prompt: x}}}", False),
        ("defaults: {model: kirin_v2_image, params: {prompt: x}}, jobs: {a: null, b: {params: {n: 2}}}", True),
        ("defaults: {model: kirin_v2_image, params: {prompt: x}}, jobs: {b: {params: {n: 20}}}", False),
        ("defaults: {model: kirin_v2_image, params: {mode: pro}}, jobs: {a: {model: kirin_v3_i2v}}", True),
        (
            (
                "defaults: {params: {result_type: series}}, "
                "jobs: {a: {model: kirin_v3_omni_image, params: {series_amount: 3}}}"
            ),
            True,
        ),
        (
            (
                "defaults: {params: {prompt: x}}, "
                "jobs: {a: {model: kirin_v3_omni_image, params: {result_type: series, n: 3}}}"
            ),
            False,
        ),
        ("defaults: {model: kirin_v2_image}, jobs: {a: {model: null, params: {seed: 1, prompt: x}}}", False),
        ("defaults: {model: kirin_v2_image}, jobs: {a: {model: '${{ vars.m }}', params: {seed: 1}}}", True),
        ("defaults: {params: {prompt: x}}, jobs: {a: {model: kirin_v2_image, params: {image_tail: null}}}", True),
        ("defaults: {params: {prompt: x, sound: on}}, jobs: {a: {model: kirin_v2_image}}", True),
        ("defaults: {params: {promt: x}}, jobs: {a: {model: kirin_v2_image, params: {prompt: x}}}", False),
        ("defaults: {params: {promt: x}}, jobs: {a: {model: '${{ vars.m }}'}}", True),
        (
            (
                "defaults: {params: {image_tail: a.png, multi_shot: true}}, "
                "jobs: {a: {model: kirin_v3_i2v, params: {multi_shot: null, prompt: x}}}"
            ),
            True,
        ),
        (
            "defaults: {model: kirin_v2_imag}, jobs: {a: {model: kirin_v3_i2v, params: {image: a.png, prompt: x}}}",
            False,
        ),
        ("defaults: {model: null}, jobs: {a: null}", False),
        ("defaults: {model: null, params: {prompt: x}}, jobs: {a: {model: kirin_v2_image}, b: {}}", False),
        ("defaults: null, jobs: {a: {model: kirin_v2_image, params: {prompt: x}}}", True),
        ("defaults: {model: kirin_v2_image, params: {prompt: x}}, jobs: {a: {model: null}}", True),
        ("defaults: {model: '${{ vars.m }}'}, jobs: {a: null}", True),
        ("jobs: null", True),
        ("jobs: {a: {model: kirin_v3_i2v, params: {image: null, image_tail: null, prompt: x}}}", False),
        ("jobs: {a: {model: '${{ matrix.m }}', params: {seed: 1}, matrix: {m: [kirin_v2_image]}}}", True),
    ],
)
def test_defaults_and_jobs_are_read_together(text: str, *, expected: bool) -> None:
    assert is_valid(f"{{version: 1, {text}}}") is expected
