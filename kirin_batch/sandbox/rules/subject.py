"""The page kirin_custom_elements."""

from collections.abc import Mapping
from typing import cast

from kirin_batch.sandbox.refusals import wrong_parameter
from kirin_batch.sandbox.rules.fields import ModelRules, choice, list_of, object_of, shared_fields, text
from kirin_batch.sandbox.rules.images import image, same_image

__all__ = ["SUBJECT_RULES", "TAGS"]

TAGS: Mapping[str, str] = {
    "o_101": "Trending Meme",
    "o_102": "Character",
    "o_103": "Animal",
    "o_104": "Prop",
    "o_105": "Clothing",
    "o_106": "Scene",
    "o_107": "Effect",
    "o_108": "Other",
}
"""The tags of subjects by id, as the page lists them."""


def _references_differ(params: Mapping[str, object]) -> None:
    references = cast("list[dict[str, str]]", params["element_refer_list"])
    for index, reference in enumerate(references):
        if same_image(str(params["element_frontal_image"]), reference["image_url"]):
            name = f"element_refer_list[{index}].image_url"
            raise wrong_parameter(name, "must differ from element_frontal_image")


SUBJECT_RULES = ModelRules(
    fields={
        "element_name": text(at_least=1, at_most=20),
        "element_description": text(at_least=1, at_most=100),
        "element_frontal_image": image(),
        "element_refer_list": list_of(
            object_of({"image_url": image()}, required=("image_url",)), at_least=1, at_most=3
        ),
        "tag_list": list_of(object_of({"tag_id": choice(*TAGS)}, required=("tag_id",))),
        **shared_fields(),
    },
    required=("element_name", "element_description", "element_frontal_image", "element_refer_list"),
    unsupported=frozenset({"reference_type", "element_image_list", "element_video_list", "element_voice_id"}),
    combinations=(_references_differ,),
)
"""Images of one subject to an id that other requests name."""
