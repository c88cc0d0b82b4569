"""Small pictures of files from strangers: whatever the bytes are, a picture comes out or None, never an error.

Images by Pillow, first frames of films by PyAV where it is installed.
"""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageOps

from kirin_batch.outputs.media import HEAD_BYTES, Media, recognise

__all__ = ["Drawn", "draw", "media_of", "quiet_about_large_pictures"]

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")
_LONG_SIDE = 640
_MOST_PIXELS = 80_000_000  # a picture of 8K square and a bit; decoded, it takes 320 MB
_QUALITY = 78
_EFFORT = 2  # of WebP's 0 to 6: a third less than JPEG's bytes, for a quarter more time
_DEMUXERS = {".webm": "matroska"}
_ENDINGS = {
    "image": frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".heic"}),
    "video": frozenset({".mp4", ".mov", ".webm", ".m4v"}),
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A preview as WebP, and the original's size in pixels; `seconds` of a film."""

    webp: bytes
    width: int
    height: int
    seconds: float | None = None


def media_of(path: Path) -> Media | None:
    """What a file is; None unless bytes and ending agree that it is an image or a film: browsers go by the ending."""
    try:
        with path.open("rb") as file:
            media = recognise(file.read(HEAD_BYTES))
    except OSError:
        return None
    return media if media and path.suffix.lower() in _ENDINGS[media.type] else None


def draw(path: Path) -> Drawn | None:
    """A preview of the file, None where it shows nothing."""
    media = media_of(path)
    try:
        if media is None:
            return None
        return _of_film(path, media) if media.type == "video" else _of_image(path)
    except Exception:  # noqa: BLE001 - decoders raise a dozen kinds of errors for hostile bytes, and none is the user's
        return None


@contextmanager
def quiet_about_large_pictures() -> Iterator[None]:
    """Keep Pillow from warning, inside the block: `draw` has its own limit. Stands around all threads that draw."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def _of_image(path: Path) -> Drawn | None:
    with Image.open(path, formats=_FORMATS) as image:
        if image.width * image.height > _MOST_PIXELS:
            return None
        size = image.size
        image.draft("RGB", (_LONG_SIDE, _LONG_SIDE))  # JPEG is decoded at an eighth of its size where that is enough
        turned = ImageOps.exif_transpose(image)
        width, height = size if (turned.width < turned.height) == (size[0] < size[1]) else size[::-1]
        return Drawn(_webp(turned), width, height)


def _of_film(path: Path, media: Media) -> Drawn | None:
    if find_spec("av") is None:
        return None
    import av  # noqa: PLC0415 - an extra, and 60 ms that a gallery without films need not spend

    # The format is named: left to guess, FFmpeg takes playlists, which name other files.
    with path.open("rb") as file, av.open(file, "r", format=_DEMUXERS.get(media.ext, "mov")) as film:
        stream = film.streams.video[0]
        if stream.width * stream.height > _MOST_PIXELS:
            return None
        seconds = film.duration / av.time_base if film.duration else None
        to_image: Callable[[], Image.Image] = next(film.decode(stream)).to_image  # PyAV's stub has no types for it
        return Drawn(_webp(to_image()), stream.width, stream.height, seconds)


def _webp(image: Image.Image) -> bytes:
    image.thumbnail((_LONG_SIDE, _LONG_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    has_alpha = image.has_transparency_data
    file = io.BytesIO()
    image.convert("RGBA" if has_alpha else "RGB").save(file, "WEBP", quality=_QUALITY, method=_EFFORT)
    return file.getvalue()
