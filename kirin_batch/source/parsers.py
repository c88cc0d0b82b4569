"""The parser of PyYAML that is there: libyaml's, or PyYAML's own, which gives the same events slower."""

import re
from collections.abc import Callable
from typing import Final, Protocol, cast

from yaml import Event, Mark
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner, ScannerError

__all__ = ["FASTEST", "EventParser", "MakeParser", "PythonParser"]

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class EventParser(Protocol):
    """What this package asks of a parser of PyYAML."""

    def get_event(self) -> Event:
        """The next event, up to the end of the stream and no further. Raises `yaml.YAMLError`."""
        ...


MakeParser = Callable[[bytes], EventParser]
"""Makes a parser of one text, encoded as UTF-8."""


class PythonParser(Reader, Scanner, Parser):
    """PyYAML's own parser, made as strict as libyaml about escapes that are no characters."""

    def __init__(self, data: bytes) -> None:
        Reader.__init__(self, data)
        Scanner.__init__(self)
        Parser.__init__(self)

    def scan_flow_scalar_non_spaces(self, double: bool, start_mark: Mark) -> list[str]:  # noqa: FBT001 - PyYAML's own
        """The pieces of a quoted scalar up to the next space."""
        try:
            chunks: list[str] = super().scan_flow_scalar_non_spaces(double, start_mark)
        except (OverflowError, ValueError):  # chr() of "\UFFFFFFFF"
            chunks = ["\ud800"]
        if any(map(_SURROGATE.search, chunks)):
            raise ScannerError(
                "while scanning a quoted scalar", start_mark, "found invalid Unicode character escape", self.get_mark()
            )
        return chunks


try:
    from yaml._yaml import CParser
except ImportError:  # PyYAML was built without libyaml
    FASTEST: MakeParser = PythonParser
else:
    FASTEST = cast("MakeParser", CParser)  # its stub says None for what comes after the last event
