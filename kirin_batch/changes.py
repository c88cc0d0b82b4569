"""What changed between what a task was asked for and what its job asks for now, told parameter by parameter.

Both sides are params as others may see them (`Record.params`): a file or an image is told by its SHA-256 there. Knows
neither specs nor models, prints nothing.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kirin_batch.pointers import Pointer, json_pointer
from kirin_batch.problems import one_line
from kirin_batch.word_diff import Mark, Span, diff_words, shorten, shorten_spans

__all__ = ["Change", "change_spans", "changes_text", "find_changes"]

_DEEPEST = 24  # levels of a value that are told: a lockfile comes from others too
_LONGEST_VALUE = 60
_LONGEST_LINE = 480
_MOST_TOLD = 6
_LEAST_TEXT = 24  # characters from which a text is compared word by word, though it has no space
_CONTENT = {"sha256"}, {"file", "sha256"}, {"sha256", "bytes"}
_ARROW = " → "


@dataclass(frozen=True, slots=True)
class Change:
    """What is another value now; `old` is None where it was not there, `new` where it is no more.

    `pointer` is the place in params; it is empty where `name` is `model` or `take`. `job`: the value refers to this
    job, whose own request changed, and may be the same text as before.
    """

    name: str
    old: Any = None
    new: Any = None
    pointer: Pointer = ()
    job: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The form of `--format json`: `parameter` is a JSON pointer in params, or null."""
        where = json_pointer(self.pointer) if self.pointer else None
        told = {"parameter": where, "name": self.name, "from": _cut(self.old), "to": _cut(self.new)}
        return {**told, "job": self.job} if self.job else told


def find_changes(old: Mapping[str, Any], new: Mapping[str, Any], *, defaults: Mapping[str, Any]) -> tuple[Change, ...]:
    """Each place at which the params differ, in the order of `new`, then what is gone.

    A param that is left out counts as its documented default, as it does for the digest.
    """
    return tuple(_compare((), _with_defaults(old, new, defaults), _with_defaults(new, old, defaults)))


def _with_defaults(params: Mapping[str, Any], others: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The params, and the defaults of those that only the others say."""
    return {**params, **{name: defaults[name] for name in others if name in defaults and name not in params}}


def _compare(at: Pointer, old: Any, new: Any) -> Iterator[Change]:  # noqa: ANN401 - any JSON value
    match old, new:
        case _ if _content(old) or _content(new):
            if (_content(old) or old) != (_content(new) or new):
                yield _change(at, old, new)
        case (Mapping(), Mapping()):
            for key in [*new, *(key for key in old if key not in new)]:
                yield from _compare((*at, key), old.get(key), new.get(key))
        case (list(), list()):
            for index in range(max(len(old), len(new))):
                yield from _compare((*at, index), *(side[index] if index < len(side) else None for side in (old, new)))
        case _:
            if old != new or type(old) is not type(new):  # 1, 1.0 and true are equal, and not one request
                yield _change(at, old, new)


def _change(at: Pointer, old: object, new: object) -> Change:
    return Change(_name(at), old, new, pointer=at)


def _name(pointer: Pointer) -> str:
    """`image_list[0].image`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in pointer)
    return "".join(steps).removeprefix(".")


def _content(value: object) -> str | None:
    """The SHA-256 of an image that stands in params for its content."""
    is_content = isinstance(value, Mapping) and value.keys() in _CONTENT
    return str(value["sha256"]) if is_content and isinstance(value, Mapping) else None


def _cut(value: Any, *, depth: int = 0) -> Any:  # noqa: ANN401 - any JSON value
    """The value without what lies too deep to be told."""
    if depth >= _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {key: _cut(item, depth=depth + 1) for key, item in value.items()}
    return [_cut(item, depth=depth + 1) for item in value] if isinstance(value, list) else value


def changes_text(changes: Sequence[Change]) -> str:
    """The changes in one line: `prompt: A fox at [-dawn-]{+dusk+}; n: 1 → 2`."""
    return "".join(map(str, change_spans(changes)))


def change_spans(changes: Sequence[Change]) -> tuple[Span, ...]:
    """The line of `changes_text` in its pieces; what is `gone` or `new` in it is so within a text."""
    spans: list[Span] = []
    for change in changes[:_MOST_TOLD]:
        spans += [Span(Mark.SAME, "; ")] if spans else []
        spans += _spans(change)
    if len(changes) > _MOST_TOLD:
        spans.append(Span(Mark.SAME, f"; and {len(changes) - _MOST_TOLD} more"))
    return tuple(_clip([Span(span.mark, one_line(span.text)) for span in spans]))


def _clip(spans: Sequence[Span]) -> Iterator[Span]:
    room = _LONGEST_LINE
    for span in spans:
        if len(span.text) > room:
            yield Span(span.mark, f"{span.text[:room]}…")
            return
        yield span
        room -= len(span.text)


def _spans(change: Change) -> Iterable[Span]:
    name, old, new = shorten(change.name, _LONGEST_VALUE), change.old, change.new
    if change.job:
        return [_plain(f"{shorten(change.job, 3 * _LONGEST_VALUE)}, which it refers to, changed")]
    if not change.pointer:
        return [_plain(f"take {_text(new)}" if name == "take" else f"{name} {_text(old)}{_ARROW}{_text(new)}")]
    if old is None or new is None:
        return [_plain(f"{name}: {_text(new)} added" if old is None else f"{name}: {_text(old)} removed")]
    if _content(old) and _content(new) and _file(old) == _file(new):
        return [_plain(f"{name}: {shorten(_file(new) or 'the image', _LONGEST_VALUE)} changed")]
    looks_the_same = _text(old) == _text(new) and _whole(old) != _whole(new)
    if looks_the_same or _is_prose(old, new):
        spans = shorten_spans(diff_words(_whole(old), _whole(new)))
        if looks_the_same or any(span.mark is Mark.SAME and span.text.strip() for span in spans):
            return [_plain(f"{name}: "), *spans]
    return [_plain(f"{name}: {_text(old)}{_ARROW}{_text(new)}")]


def _plain(text: str) -> Span:
    return Span(Mark.SAME, text)


def _file(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    return str(value["file"]) if "file" in value else None


def _is_prose(*values: object) -> bool:
    texts = [value for value in values if isinstance(value, str)]
    return len(texts) == len(values) and any(
        " " in text or len(text) >= _LEAST_TEXT or not text.isascii() for text in texts
    )


def _whole(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if content := _content(value):
        return _file(value) or f"an image ({content[:8]})"
    return value if isinstance(value, str) else json.dumps(_cut(value), ensure_ascii=False)


def _text(value: object) -> str:
    text = shorten(_whole(value), _LONGEST_VALUE)
    if isinstance(value, str) and (not value or value != value.strip()):
        return f'"{text}"'  # shows where a text ends that has nothing, or a space, at its end
    return text
