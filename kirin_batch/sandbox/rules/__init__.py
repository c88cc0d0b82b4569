"""The parameters' rules of the five pages, one module a page. The first fault of a request is the one it is told."""

from kirin_batch.sandbox.models import Model
from kirin_batch.sandbox.rules.fields import ModelRules
from kirin_batch.sandbox.rules.image_v2 import IMAGE_V2_RULES
from kirin_batch.sandbox.rules.image_v2_1 import IMAGE_V2_1_RULES
from kirin_batch.sandbox.rules.image_v3 import IMAGE_V3_RULES
from kirin_batch.sandbox.rules.subject import SUBJECT_RULES
from kirin_batch.sandbox.rules.video_v3 import VIDEO_V3_RULES

__all__ = ["rules_of"]

RULES = {
    Model.IMAGE_V2: IMAGE_V2_RULES,
    Model.IMAGE_V2_1: IMAGE_V2_1_RULES,
    Model.IMAGE_V3: IMAGE_V3_RULES,
    Model.VIDEO_V3: VIDEO_V3_RULES,
    Model.SUBJECT: SUBJECT_RULES,
}


def rules_of(model: Model) -> ModelRules:
    """The rules of one model's page."""
    return RULES[model]
