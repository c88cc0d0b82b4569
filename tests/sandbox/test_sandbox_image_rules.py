"""What the pages ask of an image, at every place that takes one."""

import base64
import zlib
from collections.abc import Mapping
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_wire import PICTURE, base64_image

from kirin_batch.sandbox.models import Model
from kirin_batch.sandbox.refusals import RequestRefusedError
from kirin_batch.sandbox.rules import rules_of
from kirin_batch.sandbox.rules.images import image, pixels_of

PNG_START = b"\x89PNG\r\n\x1a\n"
TEN_MEGABYTES = 10 * 1024 * 1024


BASE: Mapping[Model, dict[str, object]] = {
    Model.IMAGE_V2: {"prompt": "a fox"},
    Model.IMAGE_V2_1: {"subject_image_list": [{"subject_image": PICTURE}]},
    Model.IMAGE_V3: {"prompt": "a fox"},
    Model.VIDEO_V3: {"prompt": "it walks"},
    Model.SUBJECT: {
        "element_name": "Hero",
        "element_description": "A fox",
        "element_frontal_image": f"{PICTURE}?front",
        "element_refer_list": [{"image_url": f"{PICTURE}?side"}],
    },
}


def with_image(model: Model, place: str, value: str) -> dict[str, object]:
    """A request that is valid if the image at this place is; `list[0].member` is a place in a list."""
    name, _, member = place.partition("[0].")
    return {**BASE[model], name: [{member: value}] if member else value}


PLACES = [
    (Model.IMAGE_V2, "image"),
    (Model.IMAGE_V2_1, "subject_image_list[0].subject_image"),
    (Model.IMAGE_V2_1, "scene_image"),
    (Model.IMAGE_V2_1, "style_image"),
    (Model.IMAGE_V3, "image_list[0].image"),
    (Model.VIDEO_V3, "image"),
    (Model.VIDEO_V3, "image_tail"),
    (Model.SUBJECT, "element_frontal_image"),
    (Model.SUBJECT, "element_refer_list[0].image_url"),
]
TALL = base64_image(300, 751)
RULES = [
    pytest.param(base64_image(300, 300), base64_image(299, 300), "each side needs 300 px", id="300 px"),
    pytest.param(
        base64_image(300, 400, encoding="JPEG"), base64_image(400, 400, encoding="GIF"), "PNG or JPEG", id="format"
    ),
    pytest.param(f"{PICTURE}?x=1", "https:// x", "not a valid URL", id="URL"),
    pytest.param("HTTP://pictures.example/a.png", "https://", "not a valid URL", id="URL with a host"),
    pytest.param(PICTURE, f"data:image/png;base64,{base64_image(300, 300)}", "raw Base64", id="no prefix"),
    pytest.param(PICTURE, "../fox.png", "neither a URL nor raw Base64", id="no path"),
    pytest.param(PICTURE, base64.b64encode(PNG_START + b"broken").decode(), "PNG or JPEG", id="broken"),
]  # fmt: skip - a row a rule


@pytest.mark.parametrize(("model", "place"), PLACES)
@pytest.mark.parametrize(("accepted", "refused", "why"), RULES)
def test_an_image_keeps_the_rules_wherever_it_stands(
    model: Model, place: str, accepted: str, refused: str, why: str
) -> None:
    rules_of(model).check(with_image(model, place, accepted))
    with pytest.raises(RequestRefusedError) as caught:
        rules_of(model).check(with_image(model, place, refused))
    assert caught.value.message.startswith(f"{place}: ")
    assert why in caught.value.message


@pytest.mark.parametrize(("model", "place"), PLACES)
def test_only_the_end_frame_may_have_any_ratio(model: Model, place: str) -> None:
    rules_of(model).check(with_image(model, place, base64_image(300, 750)))
    rules_of(model).check(with_image(model, place, base64_image(750, 300)))
    if place == "image_tail":
        rules_of(model).check(with_image(model, place, TALL))
        return
    with pytest.raises(RequestRefusedError, match=r"the ratio must be 1:2\.5 to 2\.5:1"):
        rules_of(model).check(with_image(model, place, TALL))


def test_an_image_may_have_ten_megabytes_and_no_byte_more() -> None:
    whole = base64.b64decode(base64_image(300, 300))
    image()("image", base64.b64encode(whole.ljust(TEN_MEGABYTES, b"\0")).decode())
    with pytest.raises(RequestRefusedError, match="more than 10 MB"):
        image()("image", base64.b64encode(whole.ljust(TEN_MEGABYTES + 1, b"\0")).decode())


def test_an_image_of_many_pixels_is_measured_without_a_warning() -> None:
    header = base64_image(300, 300)
    wide = bytearray(base64.b64decode(header))
    wide[16:24] = (40000).to_bytes(4) + (40000).to_bytes(4)
    wide[29:33] = zlib.crc32(wide[12:29]).to_bytes(4)
    assert pixels_of(base64.b64encode(wide).decode()) == (40000, 40000)


def test_a_link_and_a_stranger_have_no_pixels() -> None:
    assert [pixels_of(PICTURE), pixels_of("x y"), pixels_of(None), pixels_of("QUJD")] == [None, None, None, None]


@given(st.sampled_from([PNG_START, b"\xff\xd8\xff", b""]), st.binary(max_size=200))
def test_whatever_bytes_an_image_holds_it_is_accepted_or_refused(start: bytes, rest: bytes) -> None:
    with suppress(RequestRefusedError):
        image()("image", base64.b64encode(start + rest).decode())
