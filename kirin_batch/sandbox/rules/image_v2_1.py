"""The page kirin_v2_1_reference2image."""

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

__all__ = ["IMAGE_V2_1_RULES"]

IMAGE_V2_1_RULES = ModelRules(
    fields={
        "prompt": text(at_most=2500),
        "subject_image_list": list_of(
            object_of({"subject_image": image()}, required=("subject_image",)), at_least=1, at_most=4
        ),
        "scene_image": image(),
        "style_image": image(),
        "n": integer(1, 9),
        "aspect_ratio": choice("16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9"),
        "watermark_info": object_of({"enabled": boolean()}),
        **shared_fields(),
    },
    required=("subject_image_list",),
)
"""One to four subject images, a scene and a style to one to nine images."""
