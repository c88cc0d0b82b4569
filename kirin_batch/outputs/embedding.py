"""Notes inside of pictures: what a picture is, in its own metadata, where copies take it along. Its pixels stay.

A PNG takes an `iTXt` chunk with the keyword `kirin-batch` behind its header (PNG 1.2, section 4.2.3), a JPEG a comment
segment that begins with that word and a space (ISO/IEC 10918-1, B.2.4.5). The text is JSON, the same for the same task:
results that are fetched again become the same files. Cost is left out, for pictures go to customers.
"""

import os
import shutil
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from kirin_batch.disk import PART_SUFFIX
from kirin_batch.records import Record

__all__ = ["Note", "embed", "note_of"]

Note = Mapping[str, Any]
"""What is said of a picture, without which of the results it is."""

_KEYWORD = b"kirin-batch"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER_BYTES = len(_PNG_SIGNATURE) + 25  # the IHDR chunk, which must come first
_JPEG_START, _JPEG_COMMENT = b"\xff\xd8", b"\xff\xfe"
_JPEG_APPLICATIONS = range(0xE0, 0xF0)  # segments of cameras and formats, which readers expect to come first
_JPEG_LEAST = 0xC0  # kinds of segments
_JPEG_LONGEST = 0xFFFF - 2


def note_of(record: Record, params: Mapping[str, Any]) -> Note:
    """What a result of a task tells of itself; `params` as others may see them."""
    return {
        "version": 1,
        "job": record.job,
        "model": record.model,
        "digest": record.digest,
        "take": record.take,
        "attempt": record.attempt,
        "params": params,
        "task_id": record.task_id,
        "external_task_id": record.external_task_id,
        "created_at": record.created_at,
        **({"sandbox": True} if record.sandbox else {}),
    }


def embed(file: Path, note: Note, *, number: int) -> bool:
    """Write the note of result `number`, from 1, into a picture and flush it; False, where it is no PNG or JPEG.

    Raises OSError.
    """
    with file.open("rb") as source:
        place = _find_place(source)
        if place is None:
            return False
        offset, frame = place
        piece = frame({**note, "result": number})
        noted = file.with_name(f"{file.name.removesuffix(PART_SUFFIX)}.noted{PART_SUFFIX}")
        try:
            with noted.open("wb") as target:
                source.seek(0)
                target.write(source.read(offset))
                target.write(piece)
                shutil.copyfileobj(source, target, 1024 * 1024)
                target.flush()
                os.fsync(target.fileno())
            noted.replace(file)
        finally:
            noted.unlink(missing_ok=True)
    return True


def _find_place(file: BinaryIO) -> tuple[int, Callable[[Note], bytes]] | None:
    """Where in a picture the note goes, and how it is framed there."""
    head = file.read(_PNG_HEADER_BYTES)
    if head.startswith(_PNG_SIGNATURE):
        is_whole = len(head) == _PNG_HEADER_BYTES and head[12:16] == b"IHDR"
        return (_PNG_HEADER_BYTES, _png_chunk) if is_whole else None
    if head.startswith(_JPEG_START + b"\xff"):
        offset = _end_of_applications(file)
        return (offset, _jpeg_comment) if offset else None
    return None


def _end_of_applications(file: BinaryIO) -> int | None:
    """The offset of the first segment of a JPEG that is no application's; None where there is none."""
    offset = len(_JPEG_START)
    while True:
        file.seek(offset)
        marker, kind, *length = file.read(4).ljust(4, b"\0")
        if marker != 0xFF or kind < _JPEG_LEAST:  # noqa: PLR2004 - each segment begins with it
            return None
        if kind not in _JPEG_APPLICATIONS:
            return offset
        offset += 2 + int.from_bytes(bytes(length))


def _png_chunk(note: Note) -> bytes:
    # Keyword, then neither compressed nor translated nor of a language: five zero bytes in all.
    body = b"iTXt" + _KEYWORD + bytes(5) + _text(note)
    return (len(body) - 4).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)


def _jpeg_comment(note: Note) -> bytes:
    text = _KEYWORD + b" " + _text(note)
    if len(text) > _JPEG_LONGEST:  # kirin.lock has the params too
        text = _KEYWORD + b" " + _text({name: value for name, value in note.items() if name != "params"})
    return _JPEG_COMMENT + (len(text) + 2).to_bytes(2) + text


def _text(note: Note) -> bytes:
    return orjson.dumps(note, option=orjson.OPT_SORT_KEYS)
