"""Requests changed anywhere, by hypothesis: most are wrong, and nobody says beforehand how."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from request_edits import LINK, SHOT, SQUARE, WRONG_IMAGES, WRONG_RATIOS
from request_strategies import BANDS, BASES, PICTURES, RATIOS, URLS, Request, base64_of

__all__ = ["mutants"]

_TEXTS = [
    *["", " ", "a", "0", "1", "3", "5", "05", "15", "16", "on", "off", "std", "pro", "1k", "auto", "single", "series"],
    *["customize", "o_101", "o_109", "<<<image_1>>>", "<<<image_2>>>", "<<<image_11>>>", "null", "true", *RATIOS],
    *["é" * length for length in (20, 21, 64, 65, 100, 101, 512, 513, 2500, 2501)],
    *["https://x", "https://", "hook", "data:,", *URLS, *PICTURES, *BANDS, *map(str, WRONG_IMAGES.values())],
    *[SQUARE, *WRONG_RATIOS.values(), *(base64_of(*look) for look in BANDS.values())],
]
_NUMBERS = [None, True, False, -1, 0, 1, 2, 3, 5, 9, 10, 16, 2**63 - 1, 2**63, -(2**63), 2.0, 1.5, 1e300]
_PARTS: list[Any] = [
    [], {}, [{"image": LINK}], [{"image": SQUARE}] * 2, [{"element_id": 1}], [{"element_id": 1}] * 9,
    [{"subject_image": LINK}], [{"image_url": LINK}], [{"tag_id": "o_101"}], [SHOT], [SHOT, SHOT, SHOT],
    {"enabled": True}, {"enabled": None}, [[]], [None], [LINK],
]  # fmt: skip
_VALUES = st.sampled_from([*_TEXTS, *_NUMBERS, *_PARTS]) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("aZ0 .:/-é<>_", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "image", "n"]), inner),
    max_leaves=4,
)
_NAMES = sorted(
    {"n", "series_amount", "result_type", "image", "image_tail", "prompt", "multi_prompt", "multi_shot", "duration"}
    | {"image_list", "element_list", "watermark_info", "tag_list", "scene_image", "negative_prompt", "seed"}
)


@st.composite
def mutants(draw: st.DrawFn, base: str) -> list[Request]:
    """Some requests, each a valid one of `base` with one to three changes; only the first keeps an id of its own."""
    _, requests = BASES[base]
    request = draw(requests)
    found = []
    for _ in range(draw(st.integers(1, 4))):
        changed = copy.deepcopy(request)
        for _ in range(draw(st.integers(1, 3))):
            _change(changed, draw)
        found.append(changed)
        request.pop("external_task_id", None)
    return found


def _change(request: Request, draw: st.DrawFn) -> None:
    holder, key = draw(st.sampled_from([(request, name) for name in _NAMES] + list(_places(request))))
    act = draw(st.sampled_from(["drop", "put", "put", "take", "repeat"]))
    if act == "drop" and (isinstance(holder, list) or key in holder):
        del holder[key]
    elif act == "repeat" and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[key]))
    elif act == "take":
        other, place = draw(st.sampled_from(list(_places(request)) or [({"a": 1}, "a")]))
        holder[key] = copy.deepcopy(other[place])
    else:
        holder[key] = copy.deepcopy(draw(_VALUES))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - any JSON
    """Every value inside, as what holds it and its key there."""
    for key, item in list(value.items()) if isinstance(value, dict) else list(enumerate(value)):
        yield value, key
        if isinstance(item, dict | list):
            yield from _places(item)
