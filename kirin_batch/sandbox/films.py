"""Films as MP4 files: each shot a slow move over its painted scene, with its prompt. Needs PyAV, the extra `sandbox`.

Eight frames a second and x264's quickest preset: a film of 5 s takes about 0.8 s of one core at 720p, 1.6 s at 1080p.
"""

import io
import threading
from collections.abc import Callable, Container, Iterator
from fractions import Fraction
from typing import Literal, TypeAlias

import av
from PIL import Image

from kirin_batch.sandbox.captions import caption_for, caption_panel
from kirin_batch.sandbox.orders import FilmOrder, Shot
from kirin_batch.sandbox.scenes import paint_scene

__all__ = ["codec_among", "encode_film"]

FRAMES_PER_SECOND = 8
SAMPLES_PER_SECOND = 44100
SAMPLES_PER_FRAME = 1024  # AAC's own
MARGIN = 1.16  # how much larger a still is than the frame that moves over it

Codec: TypeAlias = Literal["libx264", "mpeg4"]

frame_from_image: Callable[[Image.Image], av.VideoFrame] = av.VideoFrame.from_image  # PyAV's stub has no types for it


def encode_film(order: FilmOrder, *, stop: threading.Event) -> bytes:
    """The film's file; the same order gives the same bytes. Once `stop` is set, it ends early with InterruptedError."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        codec, options = codec_among(av.codecs_available)
        video = container.add_stream(codec, rate=FRAMES_PER_SECOND, options=options)
        video.width, video.height, video.pix_fmt = order.width, order.height, "yuv420p"
        audio = container.add_stream("aac", rate=SAMPLES_PER_SECOND, layout="stereo") if order.sound else None
        for index, picture in enumerate(_pictures(order)):
            if stop.is_set():
                raise InterruptedError("the sandbox is stopping")
            frame = frame_from_image(picture)
            frame.pts, frame.time_base = index, Fraction(1, FRAMES_PER_SECOND)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if audio is not None:
            for sound in _silence(sum(shot.seconds for shot in order.shots)):
                container.mux(audio.encode(sound))
            container.mux(audio.encode())
    return file.getvalue()


def codec_among(available: Container[str]) -> tuple[Codec, dict[str, str]]:
    """The codec to use and its options: H.264 where PyAV was built with x264, else MPEG-4 Part 2, which all have."""
    if "libx264" in available:
        return "libx264", {"preset": "ultrafast", "crf": "25"}
    return "mpeg4", {"qscale": "5"}


def _pictures(order: FilmOrder) -> Iterator[Image.Image]:
    for number, shot in enumerate(order.shots, start=1):
        label = order.label if len(order.shots) == 1 else f"{order.label}  ·  shot {number}/{len(order.shots)}"
        caption = caption_for(shot.caption, label, width=order.width, height=order.height)
        yield from _moves(order, shot, caption_panel(caption, width=order.width, height=order.height))


def _moves(order: FilmOrder, shot: Shot, panel: Image.Image) -> Iterator[Image.Image]:
    """The frames of one shot: the window grows smaller and drifts, while the caption stands still."""
    size = order.width, order.height
    still = paint_scene(shot.scene, width=round(order.width * MARGIN), height=round(order.height * MARGIN))
    count = shot.seconds * FRAMES_PER_SECOND
    for index in range(count):
        share = index / count
        zoom = 1 - (1 - 1 / MARGIN) * share
        width, height = still.width * zoom, still.height * zoom
        left, top = (still.width - width) * share, (still.height - height) * 0.5
        window = (left, top, left + width, top + height)
        frame = still.resize(size, Image.Resampling.BILINEAR, box=window)
        frame.paste(panel, (0, order.height - panel.height), panel)
        yield frame


def _silence(seconds: int) -> Iterator[av.AudioFrame]:
    for start in range(0, seconds * SAMPLES_PER_SECOND, SAMPLES_PER_FRAME):
        frame = av.AudioFrame(format="fltp", layout="stereo", samples=SAMPLES_PER_FRAME)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.sample_rate, frame.pts = SAMPLES_PER_SECOND, start
        yield frame
