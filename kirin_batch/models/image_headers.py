"""Format and size of a picture from its first bytes. Any bytes are safe: nothing is decoded, nothing raises.

Pillow is not used: opening a file by it costs 20 ms of imports, warns of large pictures through the process-wide
warning filter, and raises a dozen kinds of errors for hostile bytes.
"""

import struct
import zlib
from dataclasses import dataclass

__all__ = ["ImageHeader", "read_header", "sniff_format"]

_PNG_HEADER_BYTES = 33  # signature, length, IHDR with its checksum
_MARKER = 0xFF
_LENGTH_BYTES = 2  # a segment counts the two bytes of its length
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_OTHERS = (
    (b"GIF8", "gif"),
    (b"BM", "bmp"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"%PDF", "pdf"),
    (b"<svg", "svg"),
    (b"<?xml", "xml"),
    (b"<!DOCTYPE", "html"),
    (b"<html", "html"),
    (b"version https://git-lfs", "git-lfs pointer"),
)
# SOF0 to SOF15 without DHT (C4), JPG (C8) and DAC (CC), which share their range: ITU T.81, table B.1.
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers without a length: TEM and RST0 to RST7.
_STANDALONE = frozenset((0x01, *range(0xD0, 0xD8)))


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Width and height in pixels, and whether the end of the picture is there."""

    width: int
    height: int
    is_whole: bool


def sniff_format(data: bytes) -> str | None:
    """`png`, `jpeg`, or the name of another known format, by content; None where it is none that we know."""
    if data.startswith(_PNG):
        return "png"
    if data.startswith(_JPEG):
        return "jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp":
        return {b"avif": "avif", b"heic": "heic", b"heix": "heic", b"mif1": "heic"}.get(data[8:12], "mp4")
    return next((name for magic, name in _OTHERS if data.startswith(magic)), None)


def read_header(data: bytes) -> ImageHeader | None:
    """The header of a PNG or JPEG; None where it is damaged or cut off."""
    if data.startswith(_PNG):
        return _read_png(data)
    if data.startswith(_JPEG):
        return _read_jpeg(data)
    return None


def _read_png(data: bytes) -> ImageHeader | None:
    chunk = data[12:29]
    if data[8:16] != b"\0\0\0\rIHDR" or len(data) < _PNG_HEADER_BYTES:
        return None
    if zlib.crc32(chunk) != struct.unpack_from(">I", data, 29)[0]:
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return ImageHeader(width, height, is_whole=data.find(b"IEND", _PNG_HEADER_BYTES) > 0) if width and height else None


def _read_jpeg(data: bytes) -> ImageHeader | None:
    position = 2
    while position + 9 <= len(data):
        if data[position] != _MARKER:
            return None
        marker = data[position + 1]
        if marker == _MARKER:  # fill byte before a marker
            position += 1
        elif marker in _STANDALONE:
            position += 2
        elif marker in _START_OF_FRAME:
            height, width = struct.unpack_from(">HH", data, position + 5)
            whole = data.rfind(b"\xff\xd9", position) > 0
            return ImageHeader(width, height, is_whole=whole) if width and height else None
        else:
            (length,) = struct.unpack_from(">H", data, position + 2)
            if length < _LENGTH_BYTES:
                return None
            position += _LENGTH_BYTES + length
    return None
