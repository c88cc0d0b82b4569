"""The made-up prices: what each model's tasks cost."""

from typing import Any

import pytest

from kirin_batch.sandbox.models import Model
from kirin_batch.sandbox.prices import price_of


@pytest.mark.parametrize(
    ("model", "params", "cost"),
    [
        (Model.IMAGE_V2, {}, "0.0140"),
        (Model.IMAGE_V2, {"n": 3}, "0.0420"),
        (Model.IMAGE_V2_1, {"n": 2}, "0.0560"),
        (Model.IMAGE_V3, {}, "0.0280"),
        (Model.IMAGE_V3, {"resolution": "2k"}, "0.0420"),
        (Model.IMAGE_V3, {"resolution": "4k", "result_type": "series"}, "0.2240"),
        (Model.VIDEO_V3, {}, "0.4200"),
        (Model.VIDEO_V3, {"mode": "pro", "duration": "10"}, "1.1200"),
        (Model.VIDEO_V3, {"sound": "on", "duration": "3"}, "0.3780"),
        (Model.SUBJECT, {}, "0.0100"),
    ],
)
def test_a_task_has_its_price(model: Model, params: dict[str, Any], cost: str) -> None:
    assert str(price_of(model, params).cost) == cost
