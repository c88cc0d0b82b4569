"""What the schema of a model says about a request: its parameters, its images, its slots and its results.

Every rule stands in `schemas/`; this package knows the keywords and no model. It knows no specs and no gateway.
"""

from kirin_batch.models.catalog import Catalog, schema_text, shape_of
from kirin_batch.models.further import SchemaError
from kirin_batch.models.images import (
    Finding,
    ImageForm,
    ImageRule,
    check_image,
    classify,
    decode_base64,
)
from kirin_batch.models.model import Model, stand_in
from kirin_batch.models.rules import check_file
from kirin_batch.models.shape import Shape
from kirin_batch.models.violations import Violation

__all__ = [
    "Catalog",
    "Finding",
    "ImageForm",
    "ImageRule",
    "Model",
    "SchemaError",
    "Shape",
    "Violation",
    "check_file",
    "check_image",
    "classify",
    "decode_base64",
    "schema_text",
    "shape_of",
    "stand_in",
]
