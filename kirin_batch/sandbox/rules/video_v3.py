"""The page kirin_v3_i2v."""

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
from kirin_batch.sandbox.rules.images import image, is_link

__all__ = ["VIDEO_V3_RULES"]

SECONDS = re.compile(r"0|[1-9][0-9]{0,3}")  # as the page writes them: "5", and "10" without a 0 before it
DEFAULT_SECONDS = "5"


def _shot_seconds(name: str, value: object) -> None:
    if not isinstance(value, str) or not SECONDS.fullmatch(value):
        raise wrong_parameter(name, "must be a string with a whole number of seconds")
    if int(value) < 1:
        raise wrong_parameter(name, "must not be less than 1")


def _some_frame(params: Mapping[str, object]) -> None:
    if "image" not in params and "image_tail" not in params:
        raise wrong_parameter("image", "or image_tail must be given")


def _one_form_of_images(params: Mapping[str, object]) -> None:
    frames = [str(params[name]) for name in ("image", "image_tail") if name in params]
    if len({is_link(frame) for frame in frames}) > 1:
        raise wrong_parameter("image_tail", "and image must both be Base64 where one is")


def _one_way_of_shots(params: Mapping[str, object]) -> None:
    if params.get("multi_shot", False):
        _refuse(params, ("prompt",), "is invalid when multi_shot is true")
        _demand(params, ("shot_type", "multi_prompt"), "is required when multi_shot is true")
    else:
        _refuse(params, ("shot_type", "multi_prompt"), "is invalid when multi_shot is false")
        _demand(params, ("prompt",), "must not be empty when multi_shot is false")


def _refuse(params: Mapping[str, object], names: tuple[str, ...], why: str) -> None:
    for name in names:
        if name in params:
            raise wrong_parameter(name, why)


def _demand(params: Mapping[str, object], names: tuple[str, ...], why: str) -> None:
    for name in names:
        if not params.get(name):
            raise wrong_parameter(name, why)


def _shots_fill_the_film(params: Mapping[str, object]) -> None:
    shots = params.get("multi_prompt")
    if not isinstance(shots, list):
        return
    total = int(str(params.get("duration", DEFAULT_SECONDS)))
    seconds = [int(shot["duration"]) for shot in shots]
    for index, length in enumerate(seconds):
        if length > total:
            raise wrong_parameter(f"multi_prompt[{index}].duration", f"is {length}, more than the duration {total}")
    if sum(seconds) != total:
        raise wrong_parameter("multi_prompt", f"takes {sum(seconds)} s in all, and duration is {total}")


SHOT = object_of(
    {"index": integer(), "prompt": text(at_least=1, at_most=512), "duration": _shot_seconds},
    required=("index", "prompt", "duration"),
)

VIDEO_V3_RULES = ModelRules(
    fields={
        "image": image(),
        "image_tail": image(any_ratio=True),
        "multi_shot": boolean(),
        "shot_type": choice("customize"),
        "prompt": text(at_most=2500),
        "multi_prompt": list_of(SHOT, at_least=1, at_most=6),
        "negative_prompt": text(at_most=2500),
        "element_list": list_of(object_of({"element_id": integer()}, required=("element_id",)), at_most=3),
        "sound": choice("on", "off"),
        "mode": choice("std", "pro"),
        "duration": choice(*(str(seconds) for seconds in range(3, 16))),
        "watermark_info": object_of({"enabled": boolean()}),
        **shared_fields(),
    },
    required=(),
    combinations=(_some_frame, _one_form_of_images, _one_way_of_shots, _shots_fill_the_film),
)
"""A first or last frame, and a prompt or shots, to a film."""
