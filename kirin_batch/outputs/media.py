"""What a file is by its first bytes. Results come from strangers: neither a URL's ending nor a header is believed."""

from typing import NamedTuple

__all__ = ["HEAD_BYTES", "Media", "recognise"]

HEAD_BYTES = 32
"""As many first bytes as `recognise` looks at."""


class Media(NamedTuple):
    """`type` is the gateway's word (`image`, `video`); `ext` the usual ending with its dot."""

    type: str
    ext: str


_SIGNATURES = (
    (0, b"\x89PNG\r\n\x1a\n", Media("image", ".png")),
    (0, b"\xff\xd8\xff", Media("image", ".jpg")),
    (0, b"GIF8", Media("image", ".gif")),
    (8, b"WEBP", Media("image", ".webp")),
    (4, b"ftypavif", Media("image", ".avif")),
    (4, b"ftypavis", Media("image", ".avif")),
    *((4, b"ftyp" + brand, Media("image", ".heic")) for brand in (b"heic", b"heix", b"heif", b"mif1", b"msf1")),
    (4, b"ftypqt", Media("video", ".mov")),
    (4, b"ftyp", Media("video", ".mp4")),
    (0, b"\x1a\x45\xdf\xa3", Media("video", ".webm")),
)


def recognise(head: bytes) -> Media | None:
    """What begins with `head` (up to HEAD_BYTES bytes); None for anything that is neither image nor film."""
    for offset, signature, media in _SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            return media
    return None
