"""Colours of painted scenes. Which ones a prompt gets is told by its words, else drawn. Paints nothing."""

import random
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Color", "Palette", "mix", "palette_for"]

Color: TypeAlias = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""


@dataclass(frozen=True, slots=True)
class Palette:
    """A sky from top to horizon, the light in it, and the ground from far to near."""

    sky: tuple[Color, Color, Color]
    light: Color
    far: Color
    near: Color
    words: tuple[str, ...] = ()
    is_night: bool = False


PALETTES = (
    Palette(
        ((44, 62, 110), (214, 122, 120), (255, 206, 146)),
        (255, 240, 200),
        (160, 110, 130),
        (38, 32, 58),
        ("dawn", "sunrise", "morning"),
    ),
    Palette(
        ((60, 36, 92), (226, 92, 84), (255, 178, 92)),
        (255, 226, 160),
        (140, 66, 92),
        (34, 20, 44),
        ("dusk", "sunset", "evening", "autumn", "fire", "red"),
    ),
    Palette(
        ((8, 14, 40), (24, 42, 92), (72, 88, 148)),
        (236, 238, 255),
        (42, 56, 106),
        (8, 12, 30),
        ("night", "moon", "stars", "space", "midnight", "neon", "dark"),
        is_night=True,
    ),
    Palette(
        ((58, 132, 200), (140, 196, 232), (232, 244, 246)),
        (255, 252, 232),
        (128, 170, 180),
        (30, 78, 84),
        ("day", "noon", "summer", "beach", "sea", "ocean", "blue", "sky"),
    ),
    Palette(
        ((96, 140, 132), (178, 206, 172), (240, 238, 204)),
        (255, 252, 220),
        (132, 168, 132),
        (26, 60, 48),
        ("forest", "spring", "garden", "jungle", "green", "meadow"),
    ),
    Palette(
        ((150, 168, 188), (204, 216, 226), (246, 244, 242)),
        (255, 255, 255),
        (170, 186, 202),
        (62, 78, 102),
        ("winter", "snow", "ice", "fog", "mist", "rain", "white"),
    ),
    Palette(
        ((76, 60, 128), (184, 130, 190), (250, 208, 214)),
        (255, 240, 236),
        (150, 120, 178),
        (48, 36, 82),
        ("dream", "magic", "pink", "flower", "love", "pastel"),
    ),
    Palette(
        ((24, 76, 92), (84, 160, 150), (246, 214, 160)),
        (255, 236, 190),
        (92, 140, 134),
        (18, 44, 56),
        ("lake", "river", "island", "desert", "sand"),
    ),
)  # fmt: skip - a row a palette


def palette_for(words: frozenset[str], dice: random.Random) -> Palette:
    """The palette that shares a word with the prompt; where several or none do, one is drawn."""
    fitting = [palette for palette in PALETTES if words.intersection(palette.words)]
    return dice.choice(fitting or list(PALETTES))


def mix(one: Color, other: Color, share: float) -> Color:
    """The colour `share` of the way from one to the other."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue
