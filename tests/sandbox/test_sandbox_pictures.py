"""Pictures: real files of the asked size, with captions that fit."""

import asyncio
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sandbox_wire import PICTURE, Sandboxed, base64_image, sandboxed

from kirin_batch.sandbox.captions import caption_for, caption_panel
from kirin_batch.sandbox.draws import draw
from kirin_batch.sandbox.orders import PictureOrder, Scene
from kirin_batch.sandbox.palettes import PALETTES, palette_for
from kirin_batch.sandbox.pictures import encode_picture

FOX = {"prompt": "a fox"}
WIDE = [{"image": base64_image(600, 300)}]


async def size_of(asked: Sandboxed, model: str, params: dict[str, Any]) -> tuple[int, int]:
    answer = await asked.finished(model, params)
    data = (await asked.fetch(answer.contents[0]["url"])).raw
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert picture.format in {"PNG", "JPEG"}
        return picture.size


@pytest.mark.parametrize(
    ("model", "params", "size"),
    [
        ("kirin_v2_image", FOX, (1024, 576)),
        ("kirin_v2_image", {**FOX, "aspect_ratio": "9:16"}, (576, 1024)),
        ("kirin_v2_image", {**FOX, "aspect_ratio": "21:9"}, (1024, 439)),
        ("kirin_v2_1_reference2image", {"subject_image_list": [{"subject_image": PICTURE}]}, (1024, 576)),
        ("kirin_v3_omni_image", {**FOX, "aspect_ratio": "1:1", "resolution": "2k"}, (2048, 2048)),
        ("kirin_v3_omni_image", {**FOX, "aspect_ratio": "2:3", "resolution": "4k"}, (2731, 4096)),
        ("kirin_v3_omni_image", {**FOX, "image_list": WIDE}, (1024, 512)),
        ("kirin_v3_omni_image", {**FOX, "image_list": [{"image": PICTURE}]}, (1024, 576)),
    ],
)
def test_a_picture_has_the_asked_ratio_and_resolution(
    model: str, params: dict[str, Any], size: tuple[int, int]
) -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            assert await size_of(asked, model, params) == size

    asyncio.run(scenario())


def test_auto_follows_a_picture_that_the_sandbox_made_itself() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            answer = await asked.finished("kirin_v2_image", {**FOX, "aspect_ratio": "3:4"})
            params = {**FOX, "image_list": [{"image": answer.contents[0]["url"]}]}
            assert await size_of(asked, "kirin_v3_omni_image", params) == (768, 1024)

    asyncio.run(scenario())


def order(prompt: str, *, seed: str = "1") -> PictureOrder:
    return PictureOrder(256, 144, "jpeg", Scene(prompt, seed), "kirin_v2_image")


def test_the_same_order_gives_the_same_bytes_and_another_prompt_or_seed_another_picture() -> None:
    assert encode_picture(order("a fox")) == encode_picture(order("a fox"))
    pictures = {encode_picture(order(prompt, seed=seed)) for prompt in ("a fox", "a cat") for seed in ("1", "2")}
    assert len(pictures) == 4


@pytest.mark.parametrize(
    "prompt", ["a city", "deep forest", "the sea", "", "a night", "hello", *(f"word {n}" for n in range(8))]
)
def test_every_kind_of_scene_is_painted(prompt: str) -> None:
    with Image.open(io.BytesIO(encode_picture(order(prompt, seed=prompt)))) as picture:
        assert len(set(picture.resize((8, 8)).convert("RGB").tobytes())) > 20


def test_a_word_of_the_prompt_chooses_the_palette() -> None:
    night = next(palette for palette in PALETTES if palette.is_night)
    assert {palette_for(frozenset({"night", "fox"}), draw(seed)) for seed in range(8)} == {night}
    assert len({palette_for(frozenset({"fox"}), draw(seed)) for seed in range(40)}) > 3


SIZES = st.tuples(st.integers(64, 1200), st.integers(64, 1200))


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=3000), st.text(max_size=300), SIZES)
def test_any_caption_fits_any_picture(text: str, label: str, size: tuple[int, int]) -> None:
    width, height = size
    caption = caption_for(text, label, width=width, height=height)
    assert caption.height <= height
    panel = caption_panel(caption, width=width, height=height)
    assert panel.width == width
    assert panel.height <= height


def test_a_long_prompt_is_set_smaller_and_in_the_end_cut_short() -> None:
    short = caption_for("a fox", "x", width=1024, height=576)
    long = caption_for("a fox in the forest, " * 20, "x", width=1024, height=576)
    longest = caption_for("a fox in the forest, " * 110, "x", width=1024, height=576)
    assert short.text_size > long.text_size > longest.text_size
    assert long.lines[-1].endswith("forest,")
    assert longest.lines[-1].endswith("…")


def test_a_word_and_a_label_longer_than_a_line_are_broken_and_cut() -> None:
    caption = caption_for(f"a {'x' * 400}", "y" * 400, width=576, height=1024)
    assert "".join(caption.lines) == "a" + "x" * 400
    assert caption.label.endswith("…")
    assert len(caption.label) < 100


@pytest.mark.parametrize(
    ("prompt", "shown"),
    [
        ("Füchse – naïve", "Fuchse - naive"),  # noqa: RUF001 - a dash that the font lacks
        ("một con cáo", "mot con cao"),
        ("a 狐狸 fox", "a ·· fox"),
        ("\u0301a\u200b", "a"),
        ("a fox 🦊", "a fox ·"),
        ("森の狐", "(3 characters in a script that this font does not hold)"),
    ],
)
def test_letters_that_the_font_lacks_are_shown_by_their_base_or_by_a_dot(prompt: str, shown: str) -> None:
    assert caption_for(prompt, "", width=1024, height=576).lines == (shown,)
