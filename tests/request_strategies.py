"""Valid requests of the five models, drawn by hypothesis: every bound stands here as the pages state it.

Nothing is read from `schemas/` or from the sandbox's rules: these tables are a third judgement of the same pages.
"""

import base64
import functools
import io
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st
from PIL import Image

__all__ = ["BANDS", "BASES", "PICTURES", "RATIOS", "URLS", "Request", "as_sent", "base64_of", "save_pictures"]

Request = dict[str, Any]
"""The params of a request, images as a spec may give them: a URL, raw Base64, or a path of `PICTURES`."""

RATIOS = ["16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9"]
LONGEST_PROMPT, LONGEST_SHOT, LONGEST_NAME, LONGEST_DESCRIPTION = 2500, 512, 20, 100
MOST_REFERENCES, MOST_SUBJECTS_OF_FILM, MOST_SUBJECT_IMAGES, MOST_FURTHER_IMAGES = 10, 3, 4, 3
FEWEST_SECONDS, MOST_SECONDS, USUAL_SECONDS, MOST_SHOTS = 3, 15, 5, 6
LARGEST_LONG = 2**63 - 1

# Sides at the edges of "at least 300px" and "between 1:2.5 and 2.5:1"; the end frame of a film may have any ratio.
PICTURES = {
    "../pictures/square.png": ("PNG", (300, 300), "orange"),
    "../pictures/wide.png": ("PNG", (750, 300), "orange"),
    "../pictures/tall.JPG": ("JPEG", (300, 750), "navy"),
    "../pictures/plain.jpeg": ("JPEG", (301, 400), "teal"),
    "../pictures/other square.png": ("PNG", (300, 300), "black"),
}
BANDS = {
    "../pictures/band.png": ("PNG", (1200, 300), "orange"),
    "../pictures/tower.jpg": ("JPEG", (300, 1200), "orange"),
}
URLS = [
    "https://pictures.example/fox.png",
    "http://pictures.example",
    "HTTPS://Pictures.Example:8443/a%20b/fox.JPEG?w=1&h=2#part",
    "https://user:word@pictures.example/no-ending",
    "http://127.0.0.1:80/füchse/狐.jpg",
    "http://[2001:db8::1]/fox.webp?sig=a+b/c==",
]


@functools.cache
def base64_of(kind: str, size: tuple[int, int], colour: str) -> str:
    """A picture as raw Base64."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, kind)
    return base64.b64encode(file.getvalue()).decode()


def save_pictures(root: Path) -> None:
    """Draw all pictures where a spec in `specs/` of the project finds them."""
    for path, look in (PICTURES | BANDS).items():
        file = root / "specs" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(base64_of(*look)))


def as_sent(value: Any, further: Mapping[str, str] = MappingProxyType({})) -> Any:  # noqa: ANN401 - any JSON
    """Params as the request carries them: local pictures as raw Base64, which `further` has of other files."""
    if isinstance(value, dict):
        return {key: as_sent(item, further) for key, item in value.items()}
    if isinstance(value, list):
        return [as_sent(item, further) for item in value]
    if not isinstance(value, str):
        return value
    look = (PICTURES | BANDS).get(value)
    return further.get(value, value) if look is None else base64_of(*look)


def identity(image: str) -> str:
    """What two images share where they are the same one."""
    return str(as_sent(image))


# No `$`, which may begin an expression, and none of the characters that YAML 1.1 alone takes for line breaks.
LETTERS = "aZ09 é—漢😀\n\t'\"\\:#-{}[],&*!|>%@`~?=._/"
WORDS = ["on", "no", "true", "~x", "007", "1e3", "16:9", "0x1F", "null and void", "- a", "a: b", "# c", "2026-01-01"]


def texts(most: int, *, least: int = 1) -> st.SearchStrategy[str]:
    """Texts of up to `most` characters, many of them at either edge; few are drawn letter by letter."""
    units = st.text(LETTERS, min_size=1, max_size=8)
    lengths = st.sampled_from([least, least + 1, most - 1, most]) | st.integers(least, min(most, 40))
    long = st.builds(lambda unit, length: (unit * length)[:length], units, lengths)
    return long | st.sampled_from([word for word in WORDS if least <= len(word) <= most])


PROMPTS = texts(LONGEST_PROMPT)
MAYBE_EMPTY = texts(LONGEST_PROMPT, least=0)
LINKS = st.sampled_from(URLS)
FILES = st.sampled_from(list(PICTURES))
ENCODED = st.sampled_from([base64_of(*look) for look in PICTURES.values()])
IMAGES = LINKS | FILES | ENCODED
BANDS_SENT = st.sampled_from([*BANDS, *(base64_of(*look) for look in BANDS.values())])
COUNTS = st.sampled_from([1, 9]) | st.integers(1, 9)
SUBJECTS = st.fixed_dictionaries(
    {"element_id": st.sampled_from([1, 2**31, 2**53 + 1, LARGEST_LONG]) | st.integers(1, LARGEST_LONG)}
)
WATERMARKS = st.fixed_dictionaries({}, optional={"enabled": st.booleans()})
SHARED = {
    "callback_url": st.sampled_from(["https://ci.example/hook?a=b", "http://localhost:8080"]),
    "external_task_id": st.sampled_from(["a", "my task 1", "ü" * 64]),
}


def image_v2() -> st.SearchStrategy[Request]:
    """The page kirin_v2_image. A negative prompt beside an image only "may not be supported": a warning."""
    optional = {
        "image": IMAGES,
        "negative_prompt": MAYBE_EMPTY,
        "n": COUNTS,
        "aspect_ratio": st.sampled_from(RATIOS),
        **SHARED,
    }
    return st.fixed_dictionaries({"prompt": PROMPTS}, optional=optional)


def image_v2_1() -> st.SearchStrategy[Request]:
    """The page kirin_v2_1_reference2image."""
    subjects = st.fixed_dictionaries({"subject_image": IMAGES})
    optional = {
        "prompt": MAYBE_EMPTY,
        "scene_image": IMAGES,
        "style_image": IMAGES,
        "n": COUNTS,
        "aspect_ratio": st.sampled_from(RATIOS),
        "watermark_info": WATERMARKS,
        **SHARED,
    }
    return st.fixed_dictionaries({"subject_image_list": some(subjects, 1, MOST_SUBJECT_IMAGES)}, optional=optional)


def some(items: st.SearchStrategy[Any], least: int, most: int) -> st.SearchStrategy[list[Any]]:
    """Lists, as many of them full as not."""
    return st.lists(items, min_size=most, max_size=most) | st.lists(items, min_size=least, max_size=most)


OMNI_OPTIONAL = {
    "resolution": st.sampled_from(["1k", "2k", "4k"]),
    "aspect_ratio": st.sampled_from([*RATIOS, "auto"]),
    "watermark_info": WATERMARKS,
    **SHARED,
}


@st.composite
def image_v3(draw: st.DrawFn, *, is_series: bool) -> Request:
    """The page kirin_v3_omni_image: up to ten images and subjects together, of which the prompt may name the images."""
    if is_series:
        amounts = st.sampled_from([2, 9]) | st.integers(2, 9)
        kind = st.fixed_dictionaries({"result_type": st.just("series")}, optional={"series_amount": amounts})
    else:
        kind = st.fixed_dictionaries({}, optional={"result_type": st.just("single"), "n": COUNTS})
    request: Request = {**draw(kind), **draw(st.fixed_dictionaries({}, optional=OMNI_OPTIONAL))}
    images = draw(st.sampled_from([0, 1, MOST_REFERENCES]) | st.integers(0, MOST_REFERENCES))
    left = MOST_REFERENCES - images
    subjects = draw(st.sampled_from([0, left]) | st.integers(0, left))
    if images or draw(st.booleans()):
        request["image_list"] = [{"image": draw(IMAGES)} for _ in range(images)]
    if subjects or draw(st.booleans()):
        request["element_list"] = [draw(SUBJECTS) for _ in range(subjects)]
    named = draw(st.lists(st.integers(1, images), max_size=3)) if images else []
    placeholders = "".join(f"<<<image_{number}>>>" for number in {*named, *([images] if named else [])})
    return {**request, "prompt": placeholders + draw(texts(LONGEST_PROMPT - len(placeholders)))}


FRAMES = st.one_of(
    st.fixed_dictionaries({"image": IMAGES}),
    st.fixed_dictionaries({"image_tail": IMAGES | BANDS_SENT}),
    st.fixed_dictionaries({"image": LINKS, "image_tail": LINKS}),
    st.fixed_dictionaries({"image": FILES | ENCODED, "image_tail": FILES | ENCODED | BANDS_SENT}),
)
FILM_OPTIONAL = {
    "negative_prompt": MAYBE_EMPTY,
    "element_list": some(SUBJECTS, 0, MOST_SUBJECTS_OF_FILM),
    "sound": st.sampled_from(["on", "off"]),
    "mode": st.sampled_from(["std", "pro"]),
    "watermark_info": WATERMARKS,
    **SHARED,
}


@st.composite
def film(draw: st.DrawFn) -> Request:
    """The page kirin_v3_i2v, a film of one shot; all images are Base64 where one is."""
    lengths = st.integers(FEWEST_SECONDS, MOST_SECONDS).map(str)
    optional = {**FILM_OPTIONAL, "multi_shot": st.just(value=False), "duration": lengths}
    return {**draw(FRAMES), **draw(st.fixed_dictionaries({"prompt": PROMPTS}, optional=optional))}


@st.composite
def film_of_shots(draw: st.DrawFn) -> Request:
    """The page kirin_v3_i2v, a film of one to six shots, which fill it."""
    total = draw(st.sampled_from([FEWEST_SECONDS, USUAL_SECONDS, MOST_SECONDS]) | st.integers(3, MOST_SECONDS))
    most = min(MOST_SHOTS, total)
    count = draw(st.sampled_from([1, most]) | st.integers(1, most))
    cuts = sorted(draw(st.sets(st.integers(1, total - 1), min_size=count - 1, max_size=count - 1)))
    seconds = [end - start for start, end in zip([0, *cuts], [*cuts, total], strict=True)]
    shots = [
        {"index": index, "prompt": draw(texts(LONGEST_SHOT)), "duration": str(length)}
        for index, length in enumerate(seconds, start=1)
    ]
    request = {**draw(FRAMES), **draw(st.fixed_dictionaries({}, optional=FILM_OPTIONAL))}
    if total != USUAL_SECONDS or draw(st.booleans()):
        request["duration"] = str(total)
    return {**request, "multi_shot": True, "shot_type": "customize", "multi_prompt": shots}


@st.composite
def subject(draw: st.DrawFn) -> Request:
    """The page kirin_custom_elements: the further images differ from the first, not from one another."""
    front = draw(IMAGES)
    others = IMAGES.filter(lambda image: identity(image) != identity(front))
    tags = st.fixed_dictionaries({"tag_id": st.sampled_from([f"o_10{number}" for number in range(1, 9)])})
    required = {
        "element_name": texts(LONGEST_NAME),
        "element_description": texts(LONGEST_DESCRIPTION),
        "element_frontal_image": st.just(front),
        "element_refer_list": some(st.fixed_dictionaries({"image_url": others}), 1, MOST_FURTHER_IMAGES),
    }
    return draw(st.fixed_dictionaries(required, optional={"tag_list": st.lists(tags, max_size=8), **SHARED}))


BASES: Mapping[str, tuple[str, st.SearchStrategy[Request]]] = {
    "image v2": ("kirin_v2_image", image_v2()),
    "image v2.1": ("kirin_v2_1_reference2image", image_v2_1()),
    "image v3": ("kirin_v3_omni_image", image_v3(is_series=False)),
    "series": ("kirin_v3_omni_image", image_v3(is_series=True)),
    "film": ("kirin_v3_i2v", film()),
    "film of shots": ("kirin_v3_i2v", film_of_shots()),
    "subject": ("kirin_custom_elements", subject()),
}
"""Kinds of requests: the model of each, and the strategy that draws its valid requests."""
