"""The wall around PyYAML: bytes to a stream of parsing events, every failure of it to a `YamlError`.

Nobody else makes or runs a parser.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from yaml import Event, ScalarEvent, YAMLError

from kirin_batch.source.parsers import FASTEST, MakeParser
from kirin_batch.source.syntax import explain
from kirin_batch.source.texts import MAX_BYTES, decode

__all__ = ["NextEvent", "parse"]

NextEvent = Callable[[], Event]
"""Gives the events of a text one by one, up to the end of the stream and no further."""

_Built = TypeVar("_Built")
# YAML 1.2 ends lines with LF, CR LF and CR (section 5.4). PyYAML follows 1.1 and ends them here, too: it would fold
# these characters in pasted prompts, and count lines that no editor shows.
_NO_BREAKS: Final = "\x85\u2028\u2029"


def parse(
    data: bytes, build: Callable[[NextEvent], _Built], *, max_bytes: int = MAX_BYTES, parser: MakeParser = FASTEST
) -> _Built:
    """What `build` makes of the events of a text, `YamlError` where the text is no YAML."""
    text = decode(data, max_bytes=max_bytes)
    try:
        return build(_events(text, parser))
    except YAMLError as error:
        raise explain(error, text) from error


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
