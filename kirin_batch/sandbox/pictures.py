"""Pictures as files: a painted scene with its prompt on it, as PNG or JPEG. Slow enough to belong into a thread."""

import io

from kirin_batch.sandbox.captions import caption_for, caption_panel
from kirin_batch.sandbox.orders import PictureOrder
from kirin_batch.sandbox.scenes import paint_scene

__all__ = ["encode_picture"]

JPEG_QUALITY = 85


def encode_picture(order: PictureOrder) -> bytes:
    """The picture's file; the same order gives the same bytes."""
    picture = paint_scene(order.scene, width=order.width, height=order.height)
    caption = caption_for(order.scene.prompt, order.label, width=order.width, height=order.height)
    panel = caption_panel(caption, width=order.width, height=order.height)
    picture.paste(panel, (0, order.height - panel.height), panel)
    file = io.BytesIO()
    if order.encoding == "png":
        picture.save(file, "PNG", compress_level=1)
    else:
        picture.save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()
