"""What a result shall show, as plain data: it is painted only when someone downloads it. Knows no imaging library."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["FilmOrder", "Order", "PictureOrder", "Scene", "Shot"]


@dataclass(frozen=True, slots=True)
class Scene:
    """A painted ground: the same prompt and seed give the same picture at any size."""

    prompt: str
    seed: str


@dataclass(frozen=True, slots=True)
class PictureOrder:
    """One still: size in pixels, its scene, and the small line under the prompt."""

    width: int
    height: int
    encoding: Literal["png", "jpeg"]
    scene: Scene
    label: str


@dataclass(frozen=True, slots=True)
class Shot:
    """A part of a film: its scene, what its caption says, and its length in seconds."""

    scene: Scene
    caption: str
    seconds: int


@dataclass(frozen=True, slots=True)
class FilmOrder:
    """One film: frame size in pixels (even numbers), its shots in order, whether it has a sound track, its label."""

    width: int
    height: int
    shots: tuple[Shot, ...]
    sound: bool
    label: str


Order: TypeAlias = PictureOrder | FilmOrder
"""Either kind of result."""
