"""Size and length of results by their headers, whatever the bytes are."""

import io
import random
import struct
from pathlib import Path

import pytest
from film_boxes import box, film, movie_head, track_head
from PIL import Image
from studio import plain_picture

from kirin_batch.outputs.measures import Measures, measure


def measured(path: Path, data: bytes) -> Measures:
    path.write_bytes(data)
    return measure(path)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_picture_tells_its_size(tmp_path: Path, form: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (321, 123)).save(file, form)
    assert measured(tmp_path / "1", file.getvalue()) == Measures(321, 123)


@pytest.mark.parametrize("options", [{"lossless": True}, {"exif": b"Exif\0\0"}], ids=["lossless", "extended"])
def test_every_kind_of_webp_tells_its_size(tmp_path: Path, options: dict[str, bool | bytes]) -> None:
    file = io.BytesIO()
    Image.new("RGB", (300, 17)).save(file, "WEBP", **options)
    assert measured(tmp_path / "1", file.getvalue()) == Measures(300, 17)


def test_a_jpeg_whose_size_stands_behind_a_long_profile_tells_it(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("RGB", (40, 30)).save(file, "JPEG", icc_profile=bytes(300_000))
    assert measured(tmp_path / "1", file.getvalue()) == Measures(40, 30)


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("is_last", [False, True])
def test_a_film_tells_size_and_length(tmp_path: Path, version: int, *, is_last: bool) -> None:
    data = film(1280, 720, 5.04, version=version, is_last=is_last)
    assert measured(tmp_path / "1.mp4", data) == Measures(1280, 720, 5.04)


def test_a_film_that_lies_on_its_side_is_measured_as_it_is_shown(tmp_path: Path) -> None:
    assert measured(tmp_path / "1.mp4", film(1280, 720, 5, is_turned=True)) == Measures(720, 1280, 5.0)


def test_of_several_tracks_the_largest_counts_and_sound_has_no_size(tmp_path: Path) -> None:
    tracks = b"".join(box(b"trak", track_head(*size)) for size in ((0, 0), (160, 90), (640, 360)))
    data = box(b"ftyp", b"isom") + box(b"moov", movie_head(3) + tracks)
    assert measured(tmp_path / "1.mp4", data) == Measures(640, 360, 3.0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"GIF89a\0\0",
        b"RIFF\0\0\0\0WEBPVP8L" + bytes(20),
        b"<html>",
        box(b"ftyp", b"isom"),
        box(b"ftyp", b"isom") + struct.pack(">I4s", 3, b"moov"),
        box(b"ftyp", b"isom") + struct.pack(">I4sQ", 1, b"free", 2**63) + box(b"moov", b""),
        box(b"ftyp", b"isom") + struct.pack(">I4sQ", 1, b"free", 0) + box(b"moov", b""),
        box(b"ftyp", b"isom") + box(b"moov", box(b"mvhd", b"") + box(b"trak", box(b"tkhd", b"\x07"))),
        box(b"ftyp", b"isom") + box(b"moov", box(b"mvhd", bytes(100))),
        box(b"ftyp", b"isom") + box(b"free", b"") * 3000,
    ],
    ids=str,
)
def test_damaged_and_hostile_files_have_no_measures(tmp_path: Path, data: bytes) -> None:
    assert measured(tmp_path / "1", data) == Measures()


def test_any_damage_to_a_file_ends_as_some_measures(tmp_path: Path) -> None:
    dice = random.Random(7)  # noqa: S311 - no secret
    for whole in (film(1280, 720, 5), plain_picture("a.png"), plain_picture("a.jpg")):
        for _ in range(300):
            data = bytearray(whole[: dice.randrange(len(whole))])
            for _ in range(dice.randrange(4)):
                if data:
                    data[dice.randrange(len(data))] = dice.randrange(256)
            found = measured(tmp_path / "1", bytes(data))
            assert found.seconds is None or found.seconds > 0
