"""Writes a prompt and a small line under it into a picture, always within its bounds and in Pillow's own font."""

import bisect
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from PIL import Image, ImageDraw, ImageFont

__all__ = ["Caption", "caption_for", "caption_panel"]

WHITE = (255, 255, 255, 255)
PALE = (222, 226, 236, 255)
INK = (6, 8, 16)
DARKEST = 205
MOST_HEIGHT_SHARE = 0.42
SMALLEST_TEXT_SHARE = 0.024
LONGEST_READ = 3000  # a page allows 2500 characters
LACKING = "·"
DASHES = str.maketrans({"–": "-", "—": "-", "−": "-", "ß": "ss"})  # noqa: RUF001 - the very letters
NARROWEST = 0.2  # of the text's size: the width of an i or l


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption set for one picture size: lines that fit, sizes in pixels."""

    lines: tuple[str, ...]
    label: str
    text_size: int
    label_size: int
    margin: int

    @property
    def height(self) -> int:
        """The height of the text block with its margins."""
        return round(len(self.lines) * self.text_size * 1.3 + self.label_size * 1.9) + 2 * self.margin


def caption_for(text: str, label: str, *, width: int, height: int) -> Caption:
    """Set a caption: the text as large as fits into the lower part of the picture, in the worst case cut short."""
    short = min(width, height)
    margin = round(short * 0.045)
    room = width - 2 * margin
    label_size = max(round(short * 0.026), 9)
    shown = _readable(" ".join(text[:LONGEST_READ].split()))
    size = round(short * 0.056)
    while True:
        most_lines = max(int((height * MOST_HEIGHT_SHARE - label_size * 1.9) / (size * 1.3)), 1)
        lines = list(_wrapped(shown, _font(size), room))
        if len(lines) <= most_lines or size <= max(short * SMALLEST_TEXT_SHARE, 9):
            break
        size = round(size * 0.86)
    if len(lines) > most_lines:
        lines = [*lines[: most_lines - 1], _cut(lines[most_lines - 1] + "…", _font(size), room)]
    return Caption(tuple(lines), _cut(_readable(label), _font(label_size), room), size, label_size, margin)


def caption_panel(caption: Caption, *, width: int, height: int) -> Image.Image:
    """The caption as an RGBA strip to lay over the foot of a picture of this size: dark below, clear above."""
    panel_height = min(round(caption.height * 1.5), height)
    panel = Image.new("RGBA", (width, panel_height), (*INK, 0))
    panel.putalpha(Image.linear_gradient("L").resize(panel.size).point([_shade(value) for value in range(256)]))
    pen = ImageDraw.Draw(panel)
    y = panel_height - caption.height + caption.margin
    for line in caption.lines:
        pen.text((caption.margin, y), line, font=_font(caption.text_size), fill=WHITE)
        y += round(caption.text_size * 1.3)
    y += round(caption.label_size * 0.5)
    pen.text((caption.margin, y), caption.label, font=_font(caption.label_size), fill=PALE)
    return panel


def _shade(value: float) -> int:
    """A smooth rise to the full shade, reached before the text begins."""
    share = min(value / 255 * 1.7, 1.0)
    return round(DARKEST * share * share * (3 - 2 * share))


def _wrapped(text: str, font: ImageFont.FreeTypeFont, room: int) -> Iterator[str]:
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if font.getlength(longer) <= room:
            line = longer
            continue
        if line:
            yield line
        line = word
        while (head := _head(line, font, room)) < len(line):
            yield line[:head]
            line = line[head:]
    if line:
        yield line


def _head(word: str, font: ImageFont.FreeTypeFont, room: int) -> int:
    """How many characters of a word fit on one line: at least one. Measuring thousands of characters would be slow."""
    most = min(len(word), int(room / (font.size * NARROWEST)) + 1)
    fits = bisect.bisect_left(range(1, most + 1), x=True, key=lambda count: font.getlength(word[:count]) > room)
    return max(fits, 1)


def _cut(line: str, font: ImageFont.FreeTypeFont, room: int) -> str:
    while len(line) > 1 and font.getlength(line) > room:
        line = line[:-2].rstrip() + "…"
    return line


def _readable(text: str) -> str:
    """The text in the letters of Pillow's font, which holds ASCII and a little more."""
    shown = "".join(_shown(character) for character in text.translate(DASHES))
    if shown.count(LACKING) * 2 > len(shown):
        return f"({len(text)} characters in a script that this font does not hold)"
    return shown


@lru_cache(maxsize=4096)
def _shown(character: str) -> str:
    """The character, its base letter where the font lacks it (ế as e), or a middle dot: no row of empty boxes."""
    if _has_glyph(character):
        return character
    base = unicodedata.normalize("NFKD", character)[0]
    if base != character and _has_glyph(base):
        return base
    return "" if unicodedata.category(character) in {"Mn", "Cf", "Cc"} else LACKING


def _has_glyph(character: str) -> bool:
    font = _font(32)
    return character.isspace() or bytes(font.getmask(character)) != bytes(font.getmask("\U0010fffd"))


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont:
    return cast("ImageFont.FreeTypeFont", ImageFont.load_default(size))  # asked for by size, it is one or an error
