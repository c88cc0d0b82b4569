"""The page kirin_v3_omni_image."""

import re
from collections.abc import Mapping

from kirin_batch.sandbox.refusals import wrong_parameter
from kirin_batch.sandbox.rules.fields import (
    ModelRules,
    boolean,
    choice,
    integer,
    list_of,
    object_of,
    shared_fields,
    text,
)
from kirin_batch.sandbox.rules.images import image

__all__ = ["IMAGE_V3_RULES"]

MOST_REFERENCES = 10
PLACEHOLDER = re.compile(r"<<<image_(\d+)>>>")


def _length(params: Mapping[str, object], name: str) -> int:
    value = params.get(name, [])
    return len(value) if isinstance(value, list) else 0


def _few_references(params: Mapping[str, object]) -> None:
    total = _length(params, "image_list") + _length(params, "element_list")
    if total > MOST_REFERENCES:
        raise wrong_parameter("image_list", f"and element_list have {total} items, more than {MOST_REFERENCES}")


def _one_count(params: Mapping[str, object]) -> None:
    result_type = params.get("result_type", "single")
    invalid = "n" if result_type == "series" else "series_amount"
    if invalid in params:
        raise wrong_parameter(invalid, f"is invalid when result_type is {result_type}")


def _placeholders_exist(params: Mapping[str, object]) -> None:
    images = _length(params, "image_list")
    for number in PLACEHOLDER.findall(str(params["prompt"])):
        if not 1 <= int(number) <= images:
            raise wrong_parameter("prompt", f"names <<<image_{number}>>>, and image_list has {images} images")


IMAGE_V3_RULES = ModelRules(
    fields={
        "prompt": text(at_least=1, at_most=2500),
        "image_list": list_of(object_of({"image": image()}, required=("image",))),
        "element_list": list_of(object_of({"element_id": integer()}, required=("element_id",))),
        "resolution": choice("1k", "2k", "4k"),
        "result_type": choice("single", "series"),
        "n": integer(1, 9),
        "series_amount": integer(2, 9),
        "aspect_ratio": choice("16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9", "auto"),
        "watermark_info": object_of({"enabled": boolean()}),
        **shared_fields(),
    },
    required=("prompt",),
    combinations=(_few_references, _one_count, _placeholders_exist),
)
"""Text, up to ten images and subjects together, to images or a series."""
