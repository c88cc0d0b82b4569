"""Bytes to the text that they are, within limits: of YAML it knows only what no parser may see."""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE
from typing import Final

from kirin_batch.source.errors import YamlError, place_at

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_NODES", "decode"]

MAX_BYTES: Final = 8 * 1024 * 1024
"""How many bytes of YAML are taken where the caller sets no limit."""

MAX_DEPTH: Final = 100
"""How many levels of mappings and lists are taken where the caller sets no limit."""

MAX_NODES: Final = 1_000_000
"""How many values all aliases of a file may stand for where the caller sets no limit."""

_OTHER_ENCODINGS: Final = (BOM_UTF16_LE, BOM_UTF16_BE, BOM_UTF32_BE)  # the one of UTF-32-LE begins with UTF-16-LE's
# libyaml compares each %TAG directive with all before it: some hundred thousand of them would take minutes.
_MAX_TAG_DIRECTIVES: Final = 100
_TAG_DIRECTIVE: Final = re.compile(r"(?:\A|(?<=[\r\n]))%TAG")


def decode(data: bytes, *, max_bytes: int = MAX_BYTES) -> str:
    """The text that bytes are, without a byte order mark; `YamlError` for too many bytes and for what is no UTF-8."""
    data = data.removeprefix(BOM_UTF8)
    if len(data) > max_bytes:
        raise YamlError(f"the file has {len(data)} bytes, more than the {max_bytes} that are read: split it", 1, 1)
    if data.startswith(_OTHER_ENCODINGS):
        raise YamlError("the file is encoded as UTF-16 or UTF-32: save it as UTF-8", 1, 1)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        place = place_at(before, len(before))
        raise YamlError(f"the byte 0x{data[error.start]:02X} is not UTF-8: save the file as UTF-8", *place) from error
    directives = list(_TAG_DIRECTIVE.finditer(text)) if "%TAG" in text else []
    if len(directives) > _MAX_TAG_DIRECTIVES:
        raise YamlError("`%TAG` directives are not supported: remove them", *place_at(text, directives[0].start()))
    return text
