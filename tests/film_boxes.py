"""Films that consist of their headers alone, box by box (ISO/IEC 14496-12)."""

import struct

__all__ = ["box", "film", "movie_head", "track_head"]

_SCALE = 1000
_UPRIGHT, _TURNED = (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30), (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), name) + body


def movie_head(seconds: float, *, version: int = 0) -> bytes:
    form = ">B3xQQIQ" if version else ">B3xIIII"
    return box(b"mvhd", struct.pack(form, version, 0, 0, _SCALE, round(seconds * _SCALE)) + bytes(80))


def track_head(width: int, height: int, *, version: int = 0, is_turned: bool = False) -> bytes:
    times = struct.pack(">B3x", version) + bytes(32 if version else 20)
    matrix = struct.pack(">9i", *(_TURNED if is_turned else _UPRIGHT))
    return box(b"tkhd", times + bytes(16) + matrix + struct.pack(">II", width << 16, height << 16))


def film(
    width: int, height: int, seconds: float, *, version: int = 0, is_last: bool = False, is_turned: bool = False
) -> bytes:
    """A film of this size and length; `is_last`: its index stands behind what it shows."""
    track = box(b"trak", track_head(width, height, version=version, is_turned=is_turned))
    movie = box(b"moov", movie_head(seconds, version=version) + track)
    content = box(b"mdat", bytes(1000))
    return box(b"ftyp", b"isom" + bytes(4)) + (content + movie if is_last else movie + content)
