"""Requests as files, with what is too long to be written out told in short: for all tests that read them."""

import base64
import functools
import io
from typing import Any

from PIL import Image

__all__ = ["expanded", "picture"]


def expanded(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """A case with its long texts (`$repeat`) and pictures (`$image`) written out."""
    if isinstance(value, list):
        return [expanded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$repeat" in value:
        return value["$repeat"] * value["times"]
    if "$image" in value:
        image = value["$image"]
        return picture(image["format"], *image["size"], image.get("bytes", 0))
    return {key: expanded(item) for key, item in value.items()}


@functools.cache
def picture(kind: str, width: int, height: int, size: int) -> str:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "orange").save(file, kind)
    return base64.b64encode(file.getvalue().ljust(size, b"\0")).decode()
