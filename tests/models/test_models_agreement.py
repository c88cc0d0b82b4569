"""Two judges of one request agree: the fast gate with the explanations, and the editors' schema with the program."""

import json
import random
from typing import Any

import jsonschema_rs
import pytest

from kirin_batch.models import Catalog, Model, schema_text
from kirin_batch.problems import Severity
from kirin_batch.source import Value

pytestmark = pytest.mark.soak

CATALOG = Catalog.load()
EDITOR = jsonschema_rs.validator_for(json.loads(schema_text("spec")))
U = "https://example.com/a.png"
VALUES: list[Any] = [
    None, True, False, 0, 1, 3, 5, 9, 10, 2.5, "", "x", "3", "16:9", "auto", "series", "single", "on", "pro", "4k",
    "customize", U, "a.png", [], {}, [{"image": U}], [{"element_id": 1}], [{"image_url": U}], [{"tag_id": "o_101"}],
    [{"subject_image": "a.png"}], {"enabled": True}, [{"index": 1, "prompt": "x", "duration": 5}],
]  # fmt: skip


def requests_of(model: Model, *, count: int) -> list[dict[str, Any]]:
    """Params as YAML gives them: each parameter mostly with a value that is right by itself."""
    chance = random.Random(model.name)  # noqa: S311 - the same requests in every run
    names = list(model.schema["properties"])
    fitting = {name: [value for value in VALUES if fits(model, name, value)] for name in names}
    wanted = set(model.schema.get("required", ()))
    return [
        {
            name: chance.choice(fitting[name] if chance.random() < 0.95 else VALUES)
            for name in names
            if chance.random() < (0.95 if name in wanted else 0.4)
        }
        for _ in range(count)
    ]


def fits(model: Model, name: str, value: Value) -> bool:
    params = model.coerce({name: value})
    return all(fault.key or fault.pointer[:1] != (name,) for fault in model.check(params))


@pytest.mark.parametrize("name", CATALOG.names())
def test_the_editors_schema_takes_every_request_that_the_program_takes(name: str) -> None:
    model = CATALOG.model(name)
    assert model
    taken = 0
    for params in requests_of(model, count=1000):
        sent = model.coerce({key: value for key, value in params.items() if value is not None})
        if not any(fault.severity is Severity.ERROR for fault in model.check(sent)):
            taken += 1
            defaults = dict(list(params.items())[:2])
            job = {"version": 1, "jobs": {"a": {"model": name, "params": params}}}
            inherited = {
                "version": 1,
                "defaults": {"model": name, "params": defaults},
                "jobs": {"a": {"params": params}},
            }
            assert EDITOR.is_valid(job), params
            assert EDITOR.is_valid(inherited), params
    assert taken > 20


@pytest.mark.parametrize("name", CATALOG.names())
def test_a_request_has_faults_just_when_json_schema_refuses_it(name: str) -> None:
    model = CATALOG.model(name)
    assert model
    gate = jsonschema_rs.validator_for(model.schema)
    for params in requests_of(model, count=1000):
        faults = [fault for fault in model.check(params) if fault.rule == "x-unsupported" or fault.rule[:2] != "x-"]
        assert gate.is_valid(params) is not bool(faults), params
