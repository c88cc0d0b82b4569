"""What a file is, by its first bytes."""

import io

import pytest
from PIL import Image

from kirin_batch.outputs.media import HEAD_BYTES, Media, recognise


@pytest.mark.parametrize(
    ("encoding", "ext"), [("PNG", ".png"), ("JPEG", ".jpg"), ("GIF", ".gif"), ("WEBP", ".webp"), ("AVIF", ".avif")]
)
def test_images_that_pillow_writes_are_recognised(encoding: str, ext: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, encoding)
    assert recognise(file.getvalue()[:HEAD_BYTES]) == Media("image", ext)


@pytest.mark.parametrize(
    ("head", "media"),
    [
        (b"\0\0\0\x20ftypisom\0\0\x02\0", Media("video", ".mp4")),
        (b"\0\0\0\x14ftypqt  \0\0\0\0", Media("video", ".mov")),
        (b"\0\0\0\x18ftypheic\0\0\0\0", Media("image", ".heic")),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81", Media("video", ".webm")),
        (b"RIFF\x24\0\0\0WAVEfmt ", None),
        (b"<!DOCTYPE html><html>", None),
        (b'{"error": "expired"}', None),
        (b"\x89PNG", None),
        (b"", None),
    ],
)
def test_films_are_told_from_images_and_from_all_else(head: bytes, media: Media | None) -> None:
    assert recognise(head) == media
