"""The page kirin_v2_image."""

from kirin_batch.sandbox.rules.fields import ModelRules, choice, integer, shared_fields, text
from kirin_batch.sandbox.rules.images import image

__all__ = ["IMAGE_V2_RULES"]

IMAGE_V2_RULES = ModelRules(
    fields={
        "prompt": text(at_least=1, at_most=2500),
        "image": image(),
        "negative_prompt": text(at_most=2500),  # beside an image it "may not be supported": taken, with no effect
        "n": integer(1, 9),
        "aspect_ratio": choice("16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9"),
        **shared_fields(),
    },
    required=("prompt",),
)
"""Text or one image to one to nine images."""
