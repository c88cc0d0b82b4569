"""Size and length of a result by its headers: PNG, JPEG, GIF, WebP, MP4, MOV. Any bytes are safe, nothing is decoded.

Films are read by their boxes (ISO/IEC 14496-12) on every machine, and not by a library where there happens to be one:
what is recorded of a result must not depend on who fetched it.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from kirin_batch.models.image_headers import read_header

__all__ = ["Measures", "measure"]

_HEAD_BYTES = 64 * 1024  # where the size of a picture stands nearly always
_LONG_HEAD_BYTES = 4 * 1024 * 1024  # behind profiles and thumbnails
_MOVIE_BYTES = 16 * 1024 * 1024  # of the index of a film; one of 15 s has some KB
_MOST_BOXES = 1000
_BOX_BYTES, _LARGE_BOX_BYTES = 8, 16
_TRACK_BYTES = {0: 84, 1: 96}  # of a tkhd by its version
_WEBP_BYTES = 30
_SIDE_MASK = 0x3FFF


@dataclass(frozen=True, slots=True)
class Measures:
    """Width and height in pixels, as shown; length in seconds. None where the file does not say."""

    width: int | None = None
    height: int | None = None
    seconds: float | None = None


def measure(path: Path) -> Measures:
    """What the headers of a file say; nothing where it is damaged, or of another kind. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if head[4:8] == b"ftyp":
            return _measure_film(file)
        size = _picture_size(head)
        if size is None and len(head) == _HEAD_BYTES:
            size = _picture_size(head + file.read(_LONG_HEAD_BYTES))
    return Measures(*size) if size else Measures()


def _picture_size(data: bytes) -> tuple[int, int] | None:
    if header := read_header(data):
        return header.width, header.height
    if data[:4] == b"GIF8" and len(data) >= 10:  # noqa: PLR2004 - signature, width, height
        width, height = struct.unpack_from("<HH", data, 6)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP" and len(data) >= _WEBP_BYTES:
        width, height = _webp_size(data)
    else:
        return None
    return (width, height) if width and height else None


def _webp_size(data: bytes) -> tuple[int, int]:
    match data[12:16]:
        case b"VP8X":
            return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
        case b"VP8L" if data[20] == 0x2F:  # noqa: PLR2004 - its signature
            bits = int.from_bytes(data[21:25], "little")
            return (bits & _SIDE_MASK) + 1, (bits >> 14 & _SIDE_MASK) + 1
        case b"VP8 " if data[23:26] == b"\x9d\x01\x2a":
            width, height = struct.unpack_from("<HH", data, 26)
            return width & _SIDE_MASK, height & _SIDE_MASK
    return 0, 0


def _measure_film(file: BinaryIO) -> Measures:
    movie = _read_movie(file)
    boxes = list(_boxes(movie))
    sizes = [size for name, body in boxes if name == b"trak" for size in _track_sizes(body)]
    width, height = max(sizes, default=(None, None), key=lambda size: size[0] * size[1])
    seconds = next((seconds for name, body in boxes if name == b"mvhd" and (seconds := _seconds(body))), None)
    return Measures(width, height, seconds)


def _read_movie(file: BinaryIO) -> bytes:
    """The body of the box `moov`, which may stand at either end of the file; empty where there is none."""
    position, end = 0, file.seek(0, os.SEEK_END)
    for _ in range(_MOST_BOXES):
        if position + _BOX_BYTES > end:
            break
        file.seek(position)
        header = file.read(_LARGE_BOX_BYTES)
        size, start = _box_size(header)
        if 0 < size < start:  # less than its own head
            break
        body_bytes = size - start if size else _MOVIE_BYTES
        if header[4:8] == b"moov":
            file.seek(position + start)
            return file.read(min(body_bytes, _MOVIE_BYTES))
        if size == 0:
            break
        position += size
    return b""


def _box_size(header: bytes) -> tuple[int, int]:
    """The size of a box, 0 where it goes on to the end, and where its body begins."""
    (size,) = struct.unpack_from(">I", header)
    if size == 1 and len(header) >= _LARGE_BOX_BYTES:
        return struct.unpack_from(">Q", header, 8)[0], _LARGE_BOX_BYTES
    return size, _BOX_BYTES


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    for _ in range(_MOST_BOXES):
        header = data[position : position + _LARGE_BOX_BYTES]
        if len(header) < _BOX_BYTES:
            return
        size, start = _box_size(header)
        end = position + size if size else len(data)
        if end < position + start:
            return
        yield header[4:8], data[position + start : end]
        position = end


def _seconds(body: bytes) -> float | None:
    """The length in the head of a film."""
    form = {0: (">II", 12), 1: (">IQ", 20)}.get(body[0]) if body else None
    if form is None or len(body) < form[1] + struct.calcsize(form[0]):
        return None
    scale, length = struct.unpack_from(form[0], body, form[1])
    return length / scale if scale and length else None


def _track_sizes(track: bytes) -> Iterator[tuple[int, int]]:
    """Width and height of a track that is seen, turned as its matrix says."""
    for name, body in _boxes(track):
        length = _TRACK_BYTES.get(body[0]) if body else None
        if name != b"tkhd" or length is None or len(body) < length:
            continue
        width, height = (side >> 16 for side in struct.unpack_from(">II", body, length - 8))
        first, second = struct.unpack_from(">ii", body, length - 44)
        if width and height:
            yield (height, width) if not first and second else (width, height)
