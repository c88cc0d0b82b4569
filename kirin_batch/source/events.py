"""The wall around PyYAML: bytes to a stream of parsing events, every failure of it to a `YamlError`.

Nobody else makes or runs a parser.
"""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE
from collections.abc import Callable
from typing import Final, TypeVar

from yaml import Event, ScalarEvent, YAMLError

from kirin_batch.source.errors import YamlError, place_at
from kirin_batch.source.parsers import FASTEST, MakeParser
from kirin_batch.source.syntax import explain

__all__ = ["MAX_BYTES", "NextEvent", "decode", "parse"]

MAX_BYTES: Final = 8 * 1024 * 1024
"""How many bytes of YAML are taken where the caller sets no limit."""

NextEvent = Callable[[], Event]
"""Gives the events of a text one by one, up to the end of the stream and no further."""

_Built = TypeVar("_Built")
_OTHER_ENCODINGS: Final = (BOM_UTF16_LE, BOM_UTF16_BE, BOM_UTF32_BE)  # the one of UTF-32-LE begins with UTF-16-LE's
# YAML 1.2 ends lines with LF, CR LF and CR (section 5.4). PyYAML follows 1.1 and ends them here, too: it would fold
# these characters in pasted prompts, and count lines that no editor shows.
_NO_BREAKS: Final = "\x85\u2028\u2029"
# libyaml compares each %TAG directive with all before it: some hundred thousand of them would take minutes.
_MAX_TAG_DIRECTIVES: Final = 100
_TAG_DIRECTIVE: Final = re.compile(r"(?:\A|(?<=[\r\n]))%TAG")


def parse(
    data: bytes, build: Callable[[NextEvent], _Built], *, max_bytes: int = MAX_BYTES, parser: MakeParser = FASTEST
) -> _Built:
    """What `build` makes of the events of a text, `YamlError` where the text is no YAML."""
    text = decode(data, max_bytes=max_bytes)
    try:
        return build(_events(text, parser))
    except YAMLError as error:
        raise explain(error, text) from error


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


def _events(text: str, parser: MakeParser) -> NextEvent:
    if text.isascii() or not any(character in text for character in _NO_BREAKS):
        return parser(text.encode()).get_event
    return _without_breaks(text, parser)


def _without_breaks(text: str, parser: MakeParser) -> NextEvent:
    """Events of the text with stand-ins for what only YAML 1.1 takes for line breaks; scalars get the original back."""
    used = set(text)
    spare = (character for character in map(chr, range(0x10000, 0x110000)) if character not in used)
    stand_ins = {ord(original): stand_in for original, stand_in in zip(_NO_BREAKS, spare, strict=False)}
    originals = {ord(stand_in): original for original, stand_in in stand_ins.items()}
    next_event = parser(text.translate(stand_ins).encode()).get_event

    def with_originals() -> Event:
        event = next_event()
        if isinstance(event, ScalarEvent):
            event.value = event.value.translate(originals)
        return event

    return with_originals
