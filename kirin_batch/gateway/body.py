"""The JSON of a request: in one piece where it is small, else in pieces, into which files are encoded as they are sent.

The bytes are those that orjson gives where Base64 texts stand in place of the files.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import zip_longest
from secrets import token_hex

import orjson

from kirin_batch.encoded_file import EncodedFile, FileChangedError

__all__ = ["StreamedBody", "json_body"]

_PIECE_BYTES = 64 * 1024


def json_body(content: object) -> "bytes | StreamedBody":
    """The JSON of `content`, which may hold an EncodedFile wherever a text may stand.

    What is no file is written on the event loop: it takes 0.5 ms a megabyte and holds the interpreter's lock, so that a
    thread would free nothing.
    """
    files: list[EncodedFile] = []
    mark = token_hex(16)  # in no text of anybody's

    def note(value: object) -> str:
        if not isinstance(value, EncodedFile):
            raise TypeError  # orjson has words for it
        files.append(value)
        return mark

    text = orjson.dumps(content, default=note, option=orjson.OPT_PASSTHROUGH_DATACLASS)
    if not files and len(text) <= _PIECE_BYTES:
        return text
    return StreamedBody(text.split(mark.encode()), files)


class StreamedBody(AsyncIterator[bytes]):
    """A body in pieces, for one request. `size_bytes`: of all pieces; `fault`: why it broke off, if it did.

    Whoever stops asking for pieces leaves nothing open. Raises FileChangedError for a file that is not the one that was
    checked, before the last byte of that file: what was sent till then is no whole request.
    """

    def __init__(self, texts: list[bytes], files: list[EncodedFile]) -> None:
        self.size_bytes = sum(map(len, texts)) + sum(file.encoded_bytes for file in files)
        self.fault: str | None = None
        self._steps = _steps(texts, files)

    async def __anext__(self) -> bytes:
        step = next(self._steps, None)
        if step is None:
            raise StopAsyncIteration
        if isinstance(step, bytes):
            return step
        try:
            return await asyncio.to_thread(step)
        except FileChangedError as error:
            self.fault = str(error)
            raise


def _steps(texts: list[bytes], files: list[EncodedFile]) -> Iterator[bytes | Callable[[], bytes]]:
    """Pieces, and what makes pieces: a text, a file, and so on by turns."""
    for text, file in zip_longest(texts, files):
        yield from (text[begin : begin + _PIECE_BYTES] for begin in range(0, len(text), _PIECE_BYTES))
        if file:
            yield from file.pieces()
