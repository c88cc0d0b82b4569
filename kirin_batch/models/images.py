"""What the text at an image's place is, and whether a picture is one that the gateway takes.

Knows nothing of params: `rules` asks it about Base64, the reader of specs about local files.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from kirin_batch.models.image_headers import ImageHeader, read_header, sniff_format

__all__ = ["Finding", "ImageForm", "ImageRule", "check_image", "check_image_text", "classify", "decode_base64"]

# As the patterns of callback_url in schemas/: user, host, port, path.
_URL = re.compile(r"https?://([^\s/?#\[\]@]*@)?([^\s/?#\[\]@:]+|\[[0-9a-f:.]+\])(:[0-9]+)?([/?#]\S*)?", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_URL_SAFE_OR_UNPADDED = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_LOCAL = (".png", ".jpg", ".jpeg")
_MEGABYTE = 1024 * 1024
_SHOWN_LENGTH = 60
_LOOKS_LIKE_A_PATH = re.compile(r"^\.{0,2}/|^~|\\|\.[A-Za-z][A-Za-z0-9]{1,4}$|\s")


class ImageForm(StrEnum):
    """What a string at an image's place is."""

    URL = "url"
    PATH = "path"
    BASE64 = "base64"
    DATA_URI = "data_uri"


@dataclass(frozen=True, slots=True)
class ImageRule:
    """What a picture must be: `formats` by content, `max_bytes` of the file, `min_side` in pixels.

    `max_ratio` is the long side over the short one, or None where any shape will do (the end frame of kirin_v3_i2v).
    Source: the image requirements of all five pages.
    """

    formats: tuple[str, ...] = ("png", "jpeg")
    max_bytes: int = 10 * _MEGABYTE
    min_side: int = 300
    max_ratio: float | None = None


class Finding(NamedTuple):
    """What is wrong with a picture; `message` goes on where a name stopped: "is a GIF: use PNG or JPEG"."""

    rule: str
    message: str


def classify(text: str) -> ImageForm:
    """Tell a URL (any scheme) from a data URI, a local path (ends in .png, .jpg or .jpeg), and Base64, the rest."""
    if text[:5].lower() == "data:":
        return ImageForm.DATA_URI
    if _SCHEME.match(text):
        return ImageForm.URL
    return ImageForm.PATH if text[-5:].lower().endswith(_LOCAL) else ImageForm.BASE64


def decode_base64(text: str) -> bytes | None:
    """The bytes of raw Base64, or None: the standard alphabet, padded, without white space or anything else."""
    if len(text) % 4:  # the strict mode lets a surplus `=` pass
        return None
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:  # binascii.Error is one, characters beyond ASCII raise another
        return None


def check_image_text(text: str, *, rule: ImageRule) -> list[Finding]:
    """What is wrong with the text at an image's place; the content of a local file is its reader's to check."""
    match classify(text):
        case ImageForm.PATH:
            return []
        case ImageForm.URL:
            return [] if _URL.fullmatch(text) else [_finding(f"is no URL that the gateway can read: {_shown(text)}")]
        case ImageForm.DATA_URI:
            return [_finding('starts with "data:": remove the prefix up to and including the comma, keep the Base64')]
        case ImageForm.BASE64:
            return _check_base64(text, rule=rule)


def check_image(data: bytes, *, rule: ImageRule) -> list[Finding]:
    """What is wrong with a picture: its format by content, its size in bytes, its sides and its ratio.

    Any bytes are safe. Source: the image requirements of all five pages.
    """
    return [_finding(message) for message in _faults(data, rule)]


def _finding(message: str) -> Finding:
    return Finding("x-image", message)


def _check_base64(text: str, *, rule: ImageRule) -> list[Finding]:
    size = len(text) * 3 // 4
    if size > rule.max_bytes + 2:  # padding: up to two bytes less
        return [_finding(_too_large(size, rule))]
    data = decode_base64(text)
    return [_finding(_not_base64(text))] if data is None else check_image(data, rule=rule)


def _not_base64(text: str) -> str:
    if _LOOKS_LIKE_A_PATH.search(text[:64]) or _LOOKS_LIKE_A_PATH.search(text[-64:]):
        return f"is neither a URL nor Base64, and a local file must end in .png, .jpg or .jpeg: {_shown(text)}"
    if len(text) > _SHOWN_LENGTH and _URL_SAFE_OR_UNPADDED.fullmatch(text):
        return "is not standard Base64, which uses + and / and is padded with =: encode the file again"
    return f"is neither a URL, nor Base64, nor a path that ends in .png, .jpg or .jpeg: {_shown(text)}"


def _faults(data: bytes, rule: ImageRule) -> Iterator[str]:
    if len(data) > rule.max_bytes:
        yield _too_large(len(data), rule)
    kind = sniff_format(data)
    allowed = " or ".join(name.upper() for name in rule.formats)
    if kind not in rule.formats:
        yield f"is {kind.upper()}: use {allowed}" if kind else f"is no picture that can be read: use {allowed}"
        return
    header = read_header(data)
    if header is None or not header.is_whole:
        yield f"is a damaged {str(kind).upper()} file, or only a part of one"
    if header:
        yield from _shape_faults(header, rule)


def _shape_faults(header: ImageHeader, rule: ImageRule) -> Iterator[str]:
    width, height = header.width, header.height
    if min(width, height) < rule.min_side:
        yield f"has {width} x {height} pixels: width and height must be at least {rule.min_side}"
    if rule.max_ratio is not None and max(width, height) > rule.max_ratio * min(width, height):
        limit = f"{rule.max_ratio:g}"
        yield f"has {width} x {height} pixels: the aspect ratio must be between 1:{limit} and {limit}:1"


def _too_large(size: int, rule: ImageRule) -> str:
    return f"has {size:,} bytes: at most {rule.max_bytes:,} ({rule.max_bytes / _MEGABYTE:g} MB)"


def _shown(text: str) -> str:
    return f'"{text}"' if len(text) <= _SHOWN_LENGTH else f'"{text[:40]}…{text[-10:]}"'
