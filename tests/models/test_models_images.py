"""Images: what a text at an image's place is, and which pictures pass. Any bytes give findings, never an exception."""

import base64
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kirin_batch.models import Catalog, ImageForm, ImageRule, check_file, check_image, classify, decode_base64
from kirin_batch.models.image_headers import read_header, sniff_format
from kirin_batch.models.images import check_image_text

RULE = ImageRule(max_ratio=2.5)


def picture(width: int = 300, height: int = 300, kind: str = "PNG", mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, (width, height)).save(
        file, kind, **({"progressive": True} if kind == "JPEG" and width > 500 else {})
    )
    return file.getvalue()


PNG, JPEG = picture(), picture(kind="JPEG")


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("https://example.com/a.png", ImageForm.URL),
        ("HTTP://example.com", ImageForm.URL),
        ("s3://bucket/a.png", ImageForm.URL),
        ("../assets/fox.png", ImageForm.PATH),
        ("Fox.JPG", ImageForm.PATH),
        ("a.jpeg", ImageForm.PATH),
        ("/9j/4AAQSkZJRg==", ImageForm.BASE64),
        ("fox.webp", ImageForm.BASE64),
        ("data:image/png;base64,AAAA", ImageForm.DATA_URI),
        ("DATA:,", ImageForm.DATA_URI),
        ("", ImageForm.BASE64),
    ],
)
def test_a_text_is_a_url_a_path_base64_or_a_data_uri(text: str, form: ImageForm) -> None:
    assert classify(text) is form


@pytest.mark.parametrize("text", ["AAA", "AA\nA", "AAAA\n", "AA==AA==", "====", "A-_A", "äöüß", "AA A"])
def test_base64_is_strict(text: str) -> None:
    assert decode_base64(text) is None


@given(st.binary(max_size=200))
def test_base64_comes_back(data: bytes) -> None:
    assert decode_base64(base64.b64encode(data).decode()) == data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (picture(299, 300), "has 299 x 300 pixels: width and height must be at least 300"),
        (picture(751, 300), "has 751 x 300 pixels: the aspect ratio must be between 1:2.5 and 2.5:1"),
        (picture(300, 751, "JPEG"), "has 300 x 751 pixels: the aspect ratio must be between 1:2.5 and 2.5:1"),
        (picture(kind="GIF"), "is GIF: use PNG or JPEG"),
        (picture(kind="WEBP"), "is WEBP: use PNG or JPEG"),
        (picture(kind="BMP"), "is BMP: use PNG or JPEG"),
        (picture(kind="TIFF"), "is TIFF: use PNG or JPEG"),
        (b"\0\0\0\x1cftypavif", "is AVIF: use PNG or JPEG"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is GIT-LFS POINTER: use PNG or JPEG"),
        (b"<html></html>", "is HTML: use PNG or JPEG"),
        (b"", "is no picture that can be read: use PNG or JPEG"),
        (b"hello", "is no picture that can be read: use PNG or JPEG"),
        (PNG[:-20], "is a damaged PNG file, or only a part of one"),
        (PNG[:30], "is a damaged PNG file, or only a part of one"),
        (PNG[:20] + b"\xff" + PNG[21:], "is a damaged PNG file, or only a part of one"),
        (JPEG[:-2], "is a damaged JPEG file, or only a part of one"),
        (JPEG[:100], "is a damaged JPEG file, or only a part of one"),
        (b"\xff\xd8\xff\xe0\0\1" + bytes(20), "is a damaged JPEG file, or only a part of one"),
        (b"\xff\xd8\xff\xe0\0\2" + bytes(20), "is a damaged JPEG file, or only a part of one"),
    ],
)
def test_a_wrong_picture_is_told_what_is_wrong(data: bytes, message: str) -> None:
    assert [finding.message for finding in check_image(data, rule=RULE)] == [message]


def test_all_that_is_wrong_with_a_picture_is_told_at_once() -> None:
    findings = check_image(picture(800, 200), rule=ImageRule(max_bytes=10, max_ratio=2.5))
    assert [finding.message.split(":")[0] for finding in findings] == [
        f"has {len(picture(800, 200)):,} bytes",
        "has 800 x 200 pixels",
        "has 800 x 200 pixels",
    ]


@pytest.mark.parametrize("size", [(300, 750), (750, 300), (5000, 2000), (600, 600)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_pictures_at_the_edges_pass(size: tuple[int, int], kind: str) -> None:
    assert check_image(picture(*size, kind), rule=RULE) == []


def test_the_end_frame_has_any_shape() -> None:
    assert check_image(picture(3000, 300), rule=ImageRule()) == []


def test_fill_bytes_and_standalone_markers_of_a_jpeg_are_stepped_over() -> None:
    data = JPEG[:2] + b"\xff\xff\xff\x01\xff\xd0" + JPEG[2:]
    header = read_header(data[:2] + b"\xff" + data[2:])
    assert header
    assert (header.width, header.height) == (300, 300)


def test_a_picture_too_large_to_decode_is_no_danger() -> None:
    bomb = bytearray(PNG)
    bomb[16:24] = b"\x7f\xff\xff\xff" * 2
    assert check_image(bytes(bomb), rule=RULE)[0].message.startswith("is a damaged PNG")


@given(st.binary(max_size=300), st.sampled_from([b"", PNG[:8], PNG[:16], PNG[:40], JPEG[:3], JPEG[:20], JPEG[:160]]))
def test_any_bytes_give_findings_and_no_exception(data: bytes, start: bytes) -> None:
    assert all(finding.rule == "x-image" for finding in check_image(start + data, rule=RULE))
    assert read_header(data) is None or sniff_format(data) in {"png", "jpeg"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ftp://example.com/a.png", 'is no URL that the gateway can read: "ftp://example.com/a.png"'),
        ("https://", 'is no URL that the gateway can read: "https://"'),
        ("https://a b", 'is no URL that the gateway can read: "https://a b"'),
        (
            "data:image/png;base64,AAAA",
            'starts with "data:": remove the prefix up to and including the comma, keep the Base64',
        ),
        ("../fox.webp", 'is neither a URL nor Base64, and a local file must end in .png, .jpg or .jpeg: "../fox.webp"'),
        ("fox", 'is neither a URL, nor Base64, nor a path that ends in .png, .jpg or .jpeg: "fox"'),
        ("A" * 71, "is not standard Base64, which uses + and / and is padded with =: encode the file again"),
        (
            "?" * 71,
            f'is neither a URL, nor Base64, nor a path that ends in .png, .jpg or .jpeg: "{"?" * 40}…{"?" * 10}"',
        ),
        ("AAAA", "is no picture that can be read: use PNG or JPEG"),
        ("A" * 14_000_000, "has 10,500,000 bytes: at most 10,485,760 (10 MB)"),
    ],
)
def test_a_wrong_text_at_an_images_place_is_told_what_is_wrong(text: str, message: str) -> None:
    assert [finding.message for finding in check_image_text(text, rule=RULE)] == [message]


def test_urls_paths_and_good_base64_pass() -> None:
    texts = ["https://example.com/x?y", "http://127.0.0.1:8/a", "missing.png", base64.b64encode(PNG).decode()]
    assert [check_image_text(text, rule=RULE) for text in texts] == [[], [], [], []]


def test_the_fault_of_a_local_file_names_its_parameter() -> None:
    model = Catalog.load().model("kirin_v3_omni_image")
    assert model
    [(pointer, rule)] = model.image_pointers({"image_list": [{"image": "small.png"}]})
    [violation] = check_file(picture(100, 100), pointer=pointer, rule=rule)
    assert (violation.pointer, violation.rule) == (("image_list", 0, "image"), "x-image")
    assert violation.message.startswith("image_list[0].image has 100 x 100 pixels")
