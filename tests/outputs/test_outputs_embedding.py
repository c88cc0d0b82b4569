"""Notes in PNG and JPEG: other programs read them, the pixels stay, and what is no picture is left as it is."""

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from kirin_batch.outputs.embedding import embed

NOTE = {"job": "film:one", "params": {"prompt": "ein Füchslein 🦊 --> <b>"}}


def picture(path: Path, form: str, **more: bytes) -> Path:
    image = Image.effect_noise((64, 48), 60).convert("RGB")
    image.save(path, form, **more)
    return path


def pixels(path: Path) -> bytes:
    with Image.open(path) as image:
        image.verify()
    with Image.open(path) as image:
        return image.tobytes()


def test_a_png_tells_its_note_to_others_and_shows_the_same(tmp_path: Path) -> None:
    file = picture(tmp_path / "a.png", "PNG")
    before = pixels(file)
    assert embed(file, NOTE, number=2)
    assert pixels(file) == before
    with Image.open(file) as image:
        assert json.loads(image.info["kirin-batch"]) == {**NOTE, "result": 2}


@pytest.mark.parametrize("more", [{}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}], ids=["plain", "with EXIF"])
def test_a_jpeg_tells_its_note_behind_what_cameras_say(tmp_path: Path, more: dict[str, bytes]) -> None:
    file = picture(tmp_path / "a.jpg", "JPEG", **more)
    before, head = pixels(file), file.read_bytes()[:20]
    assert embed(file, NOTE, number=1)
    assert (pixels(file), file.read_bytes()[:20]) == (before, head)
    with Image.open(file) as image:
        said = bytes(image.info["comment"])
    assert json.loads(said.removeprefix(b"kirin-batch ")) == {**NOTE, "result": 1}


def test_a_note_that_a_jpeg_has_no_room_for_goes_without_params(tmp_path: Path) -> None:
    file = picture(tmp_path / "a.jpg", "JPEG")
    assert embed(file, {"job": "film:one", "params": {"prompt": "x" * 70_000}}, number=1)
    with Image.open(file) as image:
        assert json.loads(bytes(image.info["comment"])[12:]) == {"job": "film:one", "result": 1}
    pixels(file)


def test_the_same_note_makes_the_same_file_whatever_its_order(tmp_path: Path) -> None:
    files = [picture(tmp_path / name, "PNG") for name in ("a.png", "b.png")]
    files[1].write_bytes(files[0].read_bytes())
    assert embed(files[0], NOTE, number=1)
    assert embed(files[1], dict(reversed(NOTE.items())), number=1)
    assert files[0].read_bytes() == files[1].read_bytes()


def webp() -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (8, 8)).save(target, "WEBP")
    return target.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + b"\0\0\0\x0dtEXt" + bytes(40),
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0\xff\xff" + bytes(30),
        b"\xff\xd8\xff\xe0\0\0" * 3,
        webp(),
        b"\0\0\0\x18ftypmp42" + bytes(40),
    ],
    ids=["nothing", "PNG begun", "PNG without header", "JPEG begun", "cut off", "empty segment", "WebP", "film"],
)
def test_what_is_no_whole_png_or_jpeg_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.bin"
    file.write_bytes(content)
    assert not embed(file, NOTE, number=1)
    assert (file.read_bytes(), [path.name for path in tmp_path.iterdir()]) == (content, ["a.bin"])
