"""What the pages ask of an image: raw Base64 of a PNG or JPEG within limits, or a URL. Nothing is fetched."""

import base64
import binascii
import io
import struct
from dataclasses import dataclass

from kirin_batch.sandbox.refusals import wrong_parameter
from kirin_batch.sandbox.rules.fields import Check, is_address

__all__ = ["image", "is_link", "pixels_of", "same_image"]

MOST_BYTES = 10 * 1024 * 1024
LEAST_SIDE = 300
MOST_RATIO = 2.5
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
JPEG_MAGIC = b"\xff\xd8\xff"
HEADER_ERRORS = (SyntaxError, OSError, ValueError, EOFError, IndexError, TypeError, struct.error)
"""What Pillow's two readers raise on damaged headers."""


@dataclass(frozen=True, slots=True)
class _Pixels:
    width: int
    height: int

    @property
    def ratio(self) -> float:
        return max(self.width, self.height) / min(self.width, self.height)


def image(*, any_ratio: bool = False) -> Check:
    """An image as the pages ask for it; `any_ratio` is for the end frame of a film (page kirin_v3_i2v)."""

    def check(name: str, value: object) -> None:
        if not isinstance(value, str):
            raise wrong_parameter(name, "must be a string: a URL or raw Base64")
        if not value:
            raise wrong_parameter(name, "must not be empty")
        if value.startswith("data:"):
            raise wrong_parameter(name, "must be raw Base64, without a prefix such as data:image/png;base64,")
        if is_link(value):
            if not is_address(value):
                raise wrong_parameter(name, "is not a valid URL")
            return
        _check_content(name, value, any_ratio=any_ratio)

    return check


def is_link(value: str) -> bool:
    """Whether an image parameter is meant as a URL rather than as Base64."""
    return value[:8].lower().startswith(("http://", "https://"))


def pixels_of(value: object) -> tuple[int, int] | None:
    """Width and height of an image given as Base64; None for a URL and for whatever is no image."""
    if not isinstance(value, str) or is_link(value):
        return None
    data = _decoded(value)
    pixels = None if data is None else _measure(data)
    return None if pixels is None else (pixels.width, pixels.height)


def same_image(one: str, other: str) -> bool:
    """Whether two image parameters are one image: by content where both are Base64, else by their text."""
    if is_link(one) or is_link(other):
        return one == other
    return _decoded(one) == _decoded(other)


def _check_content(name: str, value: str, *, any_ratio: bool) -> None:
    data = _decoded(value)
    if data is None:
        raise wrong_parameter(name, "is neither a URL nor raw Base64")
    if len(data) > MOST_BYTES:
        raise wrong_parameter(name, f"has {len(data)} bytes, more than 10 MB")
    pixels = _measure(data)
    if pixels is None:
        raise wrong_parameter(name, "is not a PNG or JPEG image")
    if min(pixels.width, pixels.height) < LEAST_SIDE:
        raise wrong_parameter(name, f"is {pixels.width} x {pixels.height} px; each side needs {LEAST_SIDE} px")
    if not any_ratio and pixels.ratio > MOST_RATIO:
        raise wrong_parameter(name, f"is {pixels.width} x {pixels.height} px; the ratio must be 1:2.5 to 2.5:1")


def _decoded(value: str) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None


def _measure(data: bytes) -> _Pixels | None:
    # Pillow costs 15 ms of start-up that a sandbox without Base64 images need not pay. Its two readers are called
    # directly: Image.open would accept other formats, and warn of large pictures that are never decoded here.
    from PIL import JpegImagePlugin, PngImagePlugin  # noqa: PLC0415 - measured start-up cost, see above

    try:
        if data.startswith(PNG_MAGIC):
            return _Pixels(*PngImagePlugin.PngImageFile(io.BytesIO(data)).size)
        if data.startswith(JPEG_MAGIC):
            return _Pixels(*JpegImagePlugin.JpegImageFile(io.BytesIO(data)).size)
    except HEADER_ERRORS:
        return None
    return None
