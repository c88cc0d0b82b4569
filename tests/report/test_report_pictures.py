"""Previews of files from strangers: pictures of what is one, None for all else, and never an error."""

import io
import struct
import threading
import zlib
from pathlib import Path

import pytest
from PIL import Image
from studio import plain_picture

from kirin_batch.report.pictures import draw, media_of, quiet_about_large_pictures
from kirin_batch.sandbox.films import encode_film
from kirin_batch.sandbox.orders import FilmOrder, Scene, Shot

HTML = b"<!doctype html><script>alert(1)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says it is large."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(bytes(1000))) + png_chunk(b"IEND", b"")


def test_a_large_picture_becomes_a_small_webp_and_keeps_its_size_in_words(tmp_path: Path) -> None:
    drawn = draw(put(tmp_path, "a.png", plain_picture("a", size=(1600, 800))))
    assert drawn is not None
    assert (drawn.width, drawn.height, drawn.seconds) == (1600, 800, None)
    with Image.open(io.BytesIO(drawn.webp)) as small:
        assert (small.format, small.size) == ("WEBP", (640, 320))


def test_a_photograph_that_lies_on_its_side_is_turned(tmp_path: Path) -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: a quarter turn
    Image.new("RGB", (2000, 500)).save(file, "JPEG", exif=exif)
    drawn = draw(put(tmp_path, "a.jpg", file.getvalue()))
    assert drawn is not None
    assert (drawn.width, drawn.height) == (500, 2000)
    with Image.open(io.BytesIO(drawn.webp)) as small:
        assert small.size == (160, 640)


def test_transparency_stays(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("RGBA", (400, 400), (255, 0, 0, 0)).save(file, "PNG")
    drawn = draw(put(tmp_path, "a.png", file.getvalue()))
    assert drawn is not None
    with Image.open(io.BytesIO(drawn.webp)) as small:
        assert small.getchannel("A").getextrema() == (0, 0)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("html.png", HTML),
        ("picture.svg", SVG),
        ("svg.png", SVG),
        ("empty.png", b""),
        ("page.html", plain_picture("a") + HTML),
        ("film.png", b"\0\0\0\x18ftypmp42" + bytes(40)),
    ],
)
def test_a_file_whose_bytes_and_name_disagree_is_neither_image_nor_film(tmp_path: Path, name: str, data: bytes) -> None:
    path = put(tmp_path, name, data)
    assert media_of(path) is None
    assert draw(path) is None


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("cut.png", plain_picture("a", size=(900, 900))[:60]),
        ("head.jpg", b"\xff\xd8\xff\xe0"),
        ("bomb.png", bomb(60_000, 60_000)),
        ("wide.png", bomb(100_000, 1000)),
        ("text.png", plain_picture("a")[:33] + png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1 << 26)))),
        ("noise.mp4", b"\0\0\0\x18ftypmp42" + b"\xff" * 400),
        ("noise.webm", b"\x1a\x45\xdf\xa3" + b"\xff" * 400),
        ("noise.gif", b"GIF89a" + b"\xff" * 100),
        ("noise.avif", b"\0\0\0\x18ftypavif" + b"\xff" * 100),
        ("noise.heic", b"\0\0\0\x18ftypheic" + b"\xff" * 100),
    ],
)
def test_a_broken_or_hostile_file_has_no_preview(tmp_path: Path, name: str, data: bytes) -> None:
    path = put(tmp_path, name, data)
    with quiet_about_large_pictures():
        assert draw(path) is None


def test_a_whole_picture_that_is_too_large_to_decode_has_no_preview(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("1", (9000, 9000)).save(file, "PNG")
    assert len(file.getvalue()) < 50_000
    with quiet_about_large_pictures():
        assert draw(put(tmp_path, "a.png", file.getvalue())) is None


def test_a_film_shows_its_first_frame_and_tells_its_length(tmp_path: Path) -> None:
    order = FilmOrder(320, 180, (Shot(Scene("night", "1"), "first", 2),), sound=True, label="x")
    drawn = draw(put(tmp_path, "a.mp4", encode_film(order, stop=threading.Event())))
    assert drawn is not None
    assert (drawn.width, drawn.height, round(drawn.seconds or 0, 1)) == (320, 180, 2.0)
    with Image.open(io.BytesIO(drawn.webp)) as small:
        assert small.size == (320, 180)
