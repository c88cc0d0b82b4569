"""From a valid request to what its results show: how many, what size, which scene. Paints nothing."""

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from kirin_batch.sandbox.draws import draw
from kirin_batch.sandbox.models import Model, images_of
from kirin_batch.sandbox.orders import FilmOrder, Order, PictureOrder, Scene, Shot
from kirin_batch.sandbox.rules.images import pixels_of

__all__ = ["Lookup", "orders_of"]

Lookup: TypeAlias = Callable[[str], Order | None]
"""Gives the order behind a URL that this sandbox made itself, None for any other."""

LONG_SIDE = {"1k": 1024, "2k": 2048, "4k": 4096}
SHORT_SIDE = {"std": 720, "pro": 1080}
DEFAULT_RATIO = 16 / 9
WIDEST = 2.5
PNG_SHARE = 0.3


def orders_of(model: Model, params: Mapping[str, object], *, seed: str, label: str, lookup: Lookup) -> list[Order]:
    """The results of one task in their order; none for a subject. `label` names the job in captions."""
    if model is Model.SUBJECT:
        return []
    if model is Model.VIDEO_V3:
        return [_film(params, seed=seed, label=f"{model}  ·  {label}", lookup=lookup)]
    count = images_of(params)
    width, height = _picture_size(params, lookup)
    return [
        PictureOrder(
            width=width,
            height=height,
            encoding=_encoding(seed, max(width, height)),
            scene=Scene(str(params.get("prompt", "")), f"{seed}/{number}"),
            label=f"{model}  ·  {label}  ·  {number}/{count}",
        )
        for number in range(1, count + 1)
    ]


def _encoding(seed: str, long_side: int) -> Literal["png", "jpeg"]:
    # A PNG of 4096 px takes more than twice as long to encode as a JPEG.
    return "png" if long_side <= LONG_SIDE["1k"] and draw(seed, "encoding").random() < PNG_SHARE else "jpeg"


def _picture_size(params: Mapping[str, object], lookup: Lookup) -> tuple[int, int]:
    long_side = LONG_SIDE[str(params.get("resolution", "1k"))]
    ratio = _picture_ratio(params, lookup)
    if ratio >= 1:
        return long_side, round(long_side / ratio)
    return round(long_side * ratio), long_side


def _picture_ratio(params: Mapping[str, object], lookup: Lookup) -> float:
    """Width by height; `auto`, the default of kirin_v3_omni_image, follows the first reference image."""
    asked = str(params.get("aspect_ratio", "auto"))
    if asked != "auto":
        width, height = asked.split(":")
        return int(width) / int(height)
    images = params.get("image_list")
    first = images[0]["image"] if isinstance(images, list) and images else None
    return _ratio_of(first, lookup)


def _ratio_of(image: object, lookup: Lookup) -> float:
    order = lookup(image) if isinstance(image, str) else None
    size = (order.width, order.height) if order else pixels_of(image)
    return DEFAULT_RATIO if size is None else size[0] / size[1]


def _film(params: Mapping[str, object], *, seed: str, label: str, lookup: Lookup) -> FilmOrder:
    frame = params.get("image", params.get("image_tail"))
    width, height = _film_size(_ratio_of(frame, lookup), SHORT_SIDE[str(params.get("mode", "std"))])
    return FilmOrder(
        width=width,
        height=height,
        shots=_shots(params, seed=seed, opening=lookup(frame) if isinstance(frame, str) else None),
        sound=params.get("sound") == "on",
        label=label,
    )


def _film_size(ratio: float, short_side: int) -> tuple[int, int]:
    ratio = min(max(ratio, 1 / WIDEST), WIDEST)  # an end frame may have any ratio, a film may not
    if ratio >= 1:
        return _even(short_side * ratio), short_side
    return short_side, _even(short_side / ratio)


def _even(pixels: float) -> int:
    return 2 * round(pixels / 2)


def _shots(params: Mapping[str, object], *, seed: str, opening: Order | None) -> tuple[Shot, ...]:
    """The shots of a film; the first begins with the very picture that the request names, if the sandbox made it."""
    parts = _parts(params)
    shots = [Shot(Scene(text, f"{seed}/{index}"), text, seconds) for index, (text, seconds) in enumerate(parts)]
    if isinstance(opening, PictureOrder):
        shots[0] = Shot(opening.scene, shots[0].caption, shots[0].seconds)
    return tuple(shots)


def _parts(params: Mapping[str, object]) -> list[tuple[str, int]]:
    shots = params.get("multi_prompt")
    if isinstance(shots, list):
        ordered = sorted(shots, key=lambda shot: int(shot["index"]))
        return [(str(shot["prompt"]), int(shot["duration"])) for shot in ordered]
    return [(str(params.get("prompt", "")), int(str(params.get("duration", "5"))))]
