"""Paints the ground of a picture: a landscape in layers, seeded and told by the prompt's words. Writes no text.

A scene is drawn once, 2048 px on its long side whatever is asked for, and then resized: edges come out smooth for the
usual size, and a large one costs little more.
"""

import math
import random
import re

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from kirin_batch.sandbox.draws import draw
from kirin_batch.sandbox.orders import Scene
from kirin_batch.sandbox.palettes import Color, Palette, mix, palette_for

__all__ = ["paint_scene"]

CANVAS_SIDE = 2048
TREE_SHARE = 0.45
LIT_SHARE = 0.3
CITY_WORDS = frozenset({"city", "street", "town", "skyline", "tower", "building", "urban", "rooftop", "market"})
FOREST_WORDS = frozenset({"forest", "tree", "wood", "jungle", "garden", "park", "valley", "mountain"})
SEA_WORDS = frozenset({"sea", "ocean", "beach", "lake", "river", "water", "boat", "island", "harbour", "harbor"})
WORD = re.compile(r"[a-z]+")


def paint_scene(scene: Scene, *, width: int, height: int) -> Image.Image:
    """The scene as an RGB image of this size in pixels."""
    scale = CANVAS_SIDE / max(width, height)
    canvas_size = max(round(width * scale), 1), max(round(height * scale), 1)
    dice = draw(scene.seed, scene.prompt, "scene")
    found = WORD.findall(scene.prompt.lower())
    words = frozenset([*found, *(word.removesuffix("s") for word in found)])
    palette = palette_for(words, dice)
    canvas = _sky(canvas_size, palette)
    _light(canvas, palette, dice)
    if palette.is_night:
        _stars(canvas, dice)
    _ground(canvas, words, palette, dice)
    return canvas.resize((width, height), Image.Resampling.LANCZOS)


def _ground(canvas: Image.Image, words: frozenset[str], palette: Palette, dice: random.Random) -> None:
    if words & CITY_WORDS:
        _city(canvas, palette, dice)
    elif words & SEA_WORDS:
        _sea(canvas, palette, dice)
    elif words & FOREST_WORDS:
        _wooded_hills(canvas, palette, dice)
    else:
        dice.choice((_bare_hills, _wooded_hills, _sea, _city))(canvas, palette, dice)


def _sky(size: tuple[int, int], palette: Palette) -> Image.Image:
    strip = Image.new("RGB", (1, 3))
    for row, color in enumerate(palette.sky):
        strip.putpixel((0, row), color)
    # Bicubic between three rows; the box leaves out the flat margins above and below their centres.
    return strip.resize(size, Image.Resampling.BICUBIC, box=(0, 0.5, 1, 2.6))


def _light(canvas: Image.Image, palette: Palette, dice: random.Random) -> None:
    """A sun or moon with its glow."""
    width, height = canvas.size
    x, y = round(width * dice.uniform(0.2, 0.8)), round(height * dice.uniform(0.18, 0.42))
    radius = round(min(width, height) * dice.uniform(0.05, 0.09))
    reach = radius * 9
    glow = (
        ImageChops.invert(Image.radial_gradient("L"))
        .resize((2 * reach, 2 * reach))
        .point([_soften(value) for value in range(256)])
    )
    canvas.paste(palette.light, (x - reach, y - reach), glow)
    disc = Image.new("L", (2 * radius, 2 * radius), 0)
    ImageDraw.Draw(disc).ellipse((2, 2, 2 * radius - 3, 2 * radius - 3), fill=245)
    canvas.paste(palette.light, (x - radius, y - radius), disc.filter(ImageFilter.GaussianBlur(2)))


def _soften(value: int) -> int:
    return round(150 * math.pow(max((value - 110) / 145, 0), 2.2))


def _stars(canvas: Image.Image, dice: random.Random) -> None:
    pen = ImageDraw.Draw(canvas)
    width, height = canvas.size
    for _ in range(170):
        x, y, size = dice.uniform(0, width), height * dice.random() ** 1.6 * 0.7, dice.choice((1, 1, 1.5, 2.5))
        shade = dice.randint(150, 255)
        pen.ellipse((x - size, y - size, x + size, y + size), fill=(shade, shade, min(shade + 20, 255)))


def _bare_hills(canvas: Image.Image, palette: Palette, dice: random.Random) -> None:
    _hills(canvas, palette, dice, has_trees=False)


def _wooded_hills(canvas: Image.Image, palette: Palette, dice: random.Random) -> None:
    _hills(canvas, palette, dice, has_trees=True)


def _hills(canvas: Image.Image, palette: Palette, dice: random.Random, *, has_trees: bool) -> None:
    pen = ImageDraw.Draw(canvas)
    width, height = canvas.size
    layers = 5
    for layer in range(layers):
        depth = layer / (layers - 1)
        base = height * (0.5 + 0.34 * depth)
        ridge = _ridge(width, base, height * (0.14 - 0.06 * depth), dice)
        color = mix(mix(palette.far, palette.sky[2], 0.35), palette.near, depth)
        pen.polygon([(0, height), *ridge, (width, height)], fill=color)
        if has_trees and depth >= 1 / 2:
            _trees(pen, ridge, color, height * (0.05 + 0.09 * depth), dice)


def _ridge(width: int, base: float, rise: float, dice: random.Random) -> list[tuple[float, float]]:
    waves = [(dice.uniform(0.6, 1.4) * power, dice.uniform(0, math.tau), rise / power) for power in (1, 2.3, 5.1, 11)]
    return [
        (x, base - sum(size * math.sin(count * math.tau * x / width + turn) for count, turn, size in waves) * 0.6)
        for x in range(0, width + 8, 8)
    ]


def _trees(
    pen: ImageDraw.ImageDraw, ridge: list[tuple[float, float]], color: Color, tallest: float, dice: random.Random
) -> None:
    shade = mix(color, (0, 0, 0), 0.18)
    for x, y in ridge:
        if dice.random() < TREE_SHARE:
            tall = tallest * dice.uniform(0.45, 1)
            for part in range(3):
                half, top = tall * (0.12 + 0.06 * part), y - tall * (1 - 0.26 * part)
                foot = top + tall * 0.5
                pen.polygon([(x - half, foot), (x, top), (x + half, foot)], fill=shade)


def _sea(canvas: Image.Image, palette: Palette, dice: random.Random) -> None:
    pen = ImageDraw.Draw(canvas)
    width, height = canvas.size
    horizon = round(height * dice.uniform(0.52, 0.6))
    island = _ridge(width, horizon, height * 0.1, dice)
    pen.polygon([(0, horizon), *[(x, min(y, horizon)) for x, y in island], (width, horizon)], fill=palette.far)
    for y in range(horizon, height):
        depth = (y - horizon) / (height - horizon)
        pen.line((0, y, width, y), fill=mix(mix(palette.sky[2], palette.far, 0.3), palette.near, depth**0.7))
    for _ in range(420):
        depth = dice.random() ** 1.5
        y, half = horizon + depth * (height - horizon), (10 + 110 * depth) * dice.uniform(0.3, 1)
        x, thick = dice.uniform(0, width), 1 + 4 * depth
        glint = mix(mix(palette.sky[1], palette.near, 0.25 + 0.55 * depth), palette.light, dice.uniform(0, 0.3))
        pen.ellipse((x - half, y - thick, x + half, y + thick), fill=glint)


def _city(canvas: Image.Image, palette: Palette, dice: random.Random) -> None:
    pen = ImageDraw.Draw(canvas)
    width, height = canvas.size
    for layer in range(3):
        depth = layer / 2
        color = mix(mix(palette.far, palette.sky[2], 0.25), palette.near, depth)
        x = -dice.uniform(0, 60)
        while x < width:
            wide = dice.uniform(0.045, 0.1) * max(width, height) * (0.7 + 0.4 * depth)
            top = height * (dice.uniform(0.3, 0.56) + 0.2 * depth)
            _house(pen, (x, top, x + wide, height), color, palette, dice)
            x += wide * dice.uniform(0.92, 1.12)


def _house(
    pen: ImageDraw.ImageDraw,
    box: tuple[float, float, float, float],
    color: Color,
    palette: Palette,
    dice: random.Random,
) -> None:
    left, top, right, bottom = box
    pen.rectangle(box, fill=color)
    if dice.random() < 1 / 4:
        middle = (left + right) / 2
        pen.rectangle((middle - 2, top - (right - left) * 0.5, middle + 2, top), fill=color)
    lit, unlit = mix(color, palette.light, 0.75), mix(color, (0, 0, 0), 0.16)
    columns = max(int((right - left) / 26), 1)
    step = (right - left) / columns
    for row in range(int((bottom - top) / 36)):
        for column in range(columns):
            x, y = left + (column + 0.28) * step, top + 16 + row * 36
            pen.rectangle((x, y, x + step * 0.44, y + 18), fill=lit if dice.random() < LIT_SHARE else unlit)
