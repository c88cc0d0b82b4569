"""The pages of the documentation as a reader meets them: their headings, links and fenced blocks, and what each is for.

A block's comment stands right above its fence:

- `<!-- not run: REASON -->`: commands that a test cannot run;
- `<!-- file: PATH -->`: the reader saves the block there;
- `<!-- same as: PATH -->`: what is there already says the same;
- `<!-- edit: PATH -->`: a diff that the reader makes there by hand.

Two stand alone, and from there on the reader is in a new folder: `<!-- project: NAME -->`, which has `assets/` with
pictures, and `<!-- checkout: NAME -->`, which has `specs/` as this repository has them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from studio import CHECKOUT

__all__ = ["COMMANDS", "FOLDERS", "Block", "Page", "pages"]

COMMANDS = frozenset({"sh", "console"})
"""Languages of blocks that are run: `sh` has commands alone, `console` what they tell too."""

FOLDERS: Mapping[str, tuple[str, str]] = {"project": ("specs/assets", "assets"), "checkout": ("specs", "specs")}
"""Comments that begin a folder: what of this repository is copied there, and where to."""

_COMMENT = re.compile(r"<!-- *(?P<word>not run|file|same as|edit|project|checkout): *(?P<value>.+?) *-->")
_FENCE = re.compile(r"(?P<indent> *)(?P<fence>`{3,})(?P<language>\w*)")
_HEADING = re.compile(r"#{1,6} (?P<text>.+)")
_LINK = re.compile(r"(?<!!)\[(?:[^\]\[]|\[[^\]]*\])*\]\((?P<target>[^)\s]+)\)")
_IN_CODE = re.compile(r"`[^`]*`")
_NOT_IN_ANCHOR = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block, or a new folder, which has no text. `line` is its fence's, `notes` are its comments by word."""

    line: int
    language: str
    text: str
    notes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """One file of Markdown."""

    path: Path

    def __str__(self) -> str:
        is_ours = self.path.is_relative_to(CHECKOUT)
        return self.path.relative_to(CHECKOUT).as_posix() if is_ours else self.path.name

    def blocks(self) -> Iterator[Block]:
        """The blocks in order."""
        lines = self.path.read_text(encoding="utf-8").splitlines()
        notes: dict[str, str] = {}
        place = 0
        while place < len(lines):
            line = lines[place]
            if fence := _FENCE.fullmatch(line):
                end = lines.index(fence["indent"] + fence["fence"], place + 1)
                text = "".join(f"{inner.removeprefix(fence['indent'])}\n" for inner in lines[place + 1 : end])
                yield Block(place + 1, fence["language"], text, notes)
                place = end
            elif comment := _COMMENT.fullmatch(line.strip()):
                notes[comment["word"]] = comment["value"]
            if is_folder := not notes.keys().isdisjoint(FOLDERS):
                yield Block(place + 1, "", "", notes)
            if is_folder or not _COMMENT.fullmatch(line.strip()):
                notes = {}
            place += 1

    def links(self) -> Iterator[str]:
        """The targets of the links outside blocks and code."""
        for line in self._prose():
            yield from (link["target"] for link in _LINK.finditer(_IN_CODE.sub("`code`", line)))

    def anchors(self) -> set[str]:
        """The names that GitHub gives to headings."""
        found: dict[str, int] = {}
        names: set[str] = set()
        for line in self._prose():
            if heading := _HEADING.fullmatch(line):
                name = _NOT_IN_ANCHOR.sub("", heading["text"].strip().lower()).replace(" ", "-")
                names.add(f"{name}-{found[name]}" if name in found else name)
                found[name] = found.get(name, 0) + 1
        return names

    def _prose(self) -> Iterator[str]:
        fence = ""
        for line in self.path.read_text(encoding="utf-8").splitlines():
            opened = _FENCE.match(line)
            if fence:
                fence = "" if line.strip() == fence else fence
            elif opened:
                fence = opened["fence"]
            else:
                yield line


def pages() -> list[Page]:
    """The README, the changelog and all of docs/."""
    found = [CHECKOUT / "README.md", CHECKOUT / "CHANGELOG.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
    return [Page(path) for path in found]
