"""The five models: whose slots a task takes, how many, and how long it takes. Knows nothing of parameters' rules."""

from collections.abc import Mapping
from enum import StrEnum
from typing import cast

__all__ = ["Model", "images_of", "kind_of", "median_seconds_of", "slots_of"]


class Model(StrEnum):
    """The models of the five pages, by the names that a request gives them."""

    IMAGE_V2 = "kirin_v2_image"
    IMAGE_V2_1 = "kirin_v2_1_reference2image"
    IMAGE_V3 = "kirin_v3_omni_image"
    VIDEO_V3 = "kirin_v3_i2v"
    SUBJECT = "kirin_custom_elements"


MEDIAN_SECONDS = {Model.VIDEO_V3: 180.0, Model.SUBJECT: 10.0}
MEDIAN_IMAGE_SECONDS = 25.0
DEFAULT_SERIES = 4  # page kirin_v3_omni_image, series_amount


def kind_of(model: Model) -> str:
    """The kind of slots that a task of `model` takes: `image` or `video`."""
    return "video" if model is Model.VIDEO_V3 else "image"


def images_of(params: Mapping[str, object]) -> int:
    """How many images a valid request makes: `n`, or `series_amount` of a series."""
    if params.get("result_type") == "series":
        return cast("int", params.get("series_amount", DEFAULT_SERIES))
    return cast("int", params.get("n", 1))


def slots_of(model: Model, params: Mapping[str, object]) -> int:
    """The slots that a task holds until it ends: one, or as many as it makes images."""
    return 1 if model in {Model.VIDEO_V3, Model.SUBJECT} else images_of(params)


def median_seconds_of(model: Model) -> float:
    """How long half of the tasks of `model` take at speed 1, in seconds."""
    return MEDIAN_SECONDS.get(model, MEDIAN_IMAGE_SECONDS)
