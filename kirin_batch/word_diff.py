"""What changed between two texts, word by word, as git's --word-diff tells it; long texts get short. Knows no colours.

Where a script has no spaces between words, as Chinese and Thai have none, each character counts as a word.
"""

import re
from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from itertools import groupby, takewhile
from operator import attrgetter

__all__ = ["Mark", "Span", "diff_words", "shorten", "shorten_spans"]

ELLIPSIS = "…"
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_FAR_UNSPACED = "\U00020000-\U0003ffff"
_ATTACHED = "\u0300-\u036f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u102b-\u103e\u17b4-\u17d3"
_PUNCTUATION = "!-/:-@\\[-`{-~\u00a1-\u00bf\u2010-\u2027\u2030-\u205e\u3000-\u303f\uff00-\uff0f\uff1a-\uff20"
_LETTERS = rf"[^\s{_UNSPACED}{_FAR_UNSPACED}{_PUNCTUATION}]+"
_TOKEN = re.compile(
    rf"\s+|[{_UNSPACED}{_FAR_UNSPACED}][{_ATTACHED}]*|{_LETTERS}(?:['\u2019-]{_LETTERS})*|[{_PUNCTUATION}]", re.DOTALL
)
_MOST_PAIRS = 4_000  # of equal words, one in each text: with more, as in texts of one word, the time would run away
_LONGEST = 20_000  # characters that are compared: no prompt that a model takes is as long
_CONTEXT = 24  # characters that are shown around what changed
_LONGEST_CHANGE = 96
_MOST_SPANS = 16


class Mark(StrEnum):
    """What became of a piece of a text."""

    SAME = "same"
    GONE = "gone"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a text. Of two that stand for each other, the one that is gone stands first."""

    mark: Mark
    text: str

    def __str__(self) -> str:
        forms = {Mark.SAME: self.text, Mark.GONE: f"[-{self.text}-]", Mark.NEW: f"{{+{self.text}+}}"}
        return forms[self.mark]


def diff_words(old: str, new: str) -> tuple[Span, ...]:
    """The pieces of two texts: without those that are new they are `old`, without those that are gone `new`.

    What lies beyond all reason, in length or in repetition, is told as gone and new as a whole.
    """
    head, tail = _common_ends(old, new) if max(len(old), len(new)) > _LONGEST else (0, 0)
    gone, come = old[head : len(old) - tail], new[head : len(new) - tail]
    is_short = max(len(gone), len(come)) <= _LONGEST
    spans = [
        *_same([old[:head]]),
        *(_diff(_TOKEN.findall(gone), _TOKEN.findall(come)) if is_short else _replaced(gone, come)),
        *_same([old[len(old) - tail :]]),
    ]
    return tuple(_joined(_merged(spans)))


def _diff(before: Sequence[str], after: Sequence[str]) -> Iterator[Span]:
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    gone, come = before[head : len(before) - tail], after[head : len(after) - tail]
    yield from _same(before[:head])
    yield from _compare(gone, come) if _is_cheap(gone, come) else _replaced("".join(gone), "".join(come))
    yield from _same(before[len(before) - tail :])


def _common_ends(old: str, new: str) -> tuple[int, int]:
    """How many characters at the beginning, and at the end, are the same: up to a space, if one is near."""
    length = min(len(old), len(new))
    head = bisect(range(1, length + 1), 0, key=lambda size: old[:size] != new[:size])
    tail = bisect(range(1, length - head + 1), 0, key=lambda size: old[len(old) - size :] != new[len(new) - size :])
    # Not within a word, if there is a space to cut at; 24 characters without one are no word.
    head -= len(old[max(head - _CONTEXT, 0) : head].rpartition(" ")[2]) % _CONTEXT
    tail -= len(old[len(old) - tail :][:_CONTEXT].partition(" ")[0]) % _CONTEXT
    return head, tail


def _common(before: Sequence[str], after: Sequence[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))


def _is_cheap(before: Sequence[str], after: Sequence[str]) -> bool:
    words, others = Counter(before), Counter(after)
    return sum(number * others[word] for word, number in words.items() if not word.isspace()) <= _MOST_PAIRS


def _same(words: Sequence[str]) -> Iterator[Span]:
    if text := "".join(words):
        yield Span(Mark.SAME, text)


def _replaced(old: str, new: str) -> Iterator[Span]:
    if old:
        yield Span(Mark.GONE, old)
    if new:
        yield Span(Mark.NEW, new)


def _compare(before: Sequence[str], after: Sequence[str]) -> Iterator[Span]:
    matcher = SequenceMatcher(str.isspace, before, after, autojunk=False)
    for kind, left, left_end, right, right_end in matcher.get_opcodes():
        old, new = "".join(before[left:left_end]), "".join(after[right:right_end])
        yield from [Span(Mark.SAME, old)] if kind == "equal" else _replaced(old, new)


def _merged(spans: Iterable[Span]) -> list[Span]:
    """The spans, those of one mark that stand side by side as one."""
    return [Span(mark, "".join(span.text for span in run)) for mark, run in groupby(spans, key=attrgetter("mark"))]


def _joined(spans: Sequence[Span]) -> Iterator[Span]:
    """Changes with nothing but a space or a comma between them as one: that reads better."""
    gone = new = ""
    for number, span in enumerate(spans):
        is_changing = bool(gone or new) and number + 1 < len(spans)
        if span.mark is Mark.SAME and not (is_changing and _is_gap(span.text)):
            yield from _replaced(gone, new)
            yield span
            gone = new = ""
        else:
            gone += "" if span.mark is Mark.NEW else span.text
            new += "" if span.mark is Mark.GONE else span.text
    yield from _replaced(gone, new)


def _is_gap(text: str) -> bool:
    return not any(character.isalnum() for character in text) and len(text) <= len(", ")


def shorten_spans(spans: Sequence[Span]) -> tuple[Span, ...]:
    """The spans as one line can show them: some of what is the same around what is not, and no change at length."""
    spans = _narrowed(spans)
    shown = [
        Span(span.mark, _shorten_same(span.text, is_first=not number, is_last=number + 1 == len(spans)))
        if span.mark is Mark.SAME
        else Span(span.mark, shorten(span.text, _LONGEST_CHANGE))
        for number, span in enumerate(spans)
    ]
    return tuple(shown) if len(shown) <= _MOST_SPANS else (*shown[:_MOST_SPANS], Span(Mark.SAME, ELLIPSIS))


def _narrowed(spans: Iterable[Span]) -> list[Span]:
    """The spans, long changes without what is the same at length at either end: of them nothing else might be shown."""
    pieces: list[Span] = []
    for span in spans:
        is_change = bool(pieces) and (pieces[-1].mark, span.mark) == (Mark.GONE, Mark.NEW)
        pieces += _narrow(pieces.pop().text, span.text) if is_change else [span]
    return _merged(pieces)


def _narrow(old: str, new: str) -> Iterator[Span]:
    head, tail = (size if size >= _CONTEXT else 0 for size in _common_ends(old, new))
    yield from _same([old[:head]])
    yield from _replaced(old[head : len(old) - tail], new[head : len(new) - tail])
    yield from _same([old[len(old) - tail :]])


def shorten(text: str, most: int) -> str:
    """A text of at most `most` characters: its beginning and its end."""
    if len(text) <= most:
        return text
    end = most // 3
    return f"{text[: most - end - 1]}{ELLIPSIS}{text[len(text) - end :]}"


def _shorten_same(text: str, *, is_first: bool, is_last: bool) -> str:
    head = 0 if is_first else _CONTEXT
    tail = 0 if is_last else _CONTEXT
    if len(text) <= head + tail + _CONTEXT:
        return text
    # Not within a word, if there is a space to cut at.
    before = text[:head].rpartition(" ")[0] or text[:head]
    after = text[len(text) - tail :] if tail else ""
    after = after.partition(" ")[2] or after
    return f"{before}{' ' if ' ' in text[:head] else ''}{ELLIPSIS}{' ' if tail and ' ' in text[-tail:] else ''}{after}"
