"""Our `x-` keywords: what JSON Schema cannot say about a request, each a small rule compiled from its schema.

A rule is silent where a value that it reads has the wrong type, is forbidden, or stands in for one not known yet.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from kirin_batch.models.images import ImageForm, ImageRule, check_image, check_image_text, classify, decode_base64
from kirin_batch.models.paths import EACH, Pattern, named, pattern_of, select
from kirin_batch.models.tree import Node, Schema, places
from kirin_batch.models.violations import Violation
from kirin_batch.problems import Pointer

__all__ = ["Request", "Rule", "check_file", "rules_of"]

_PLACEHOLDER = re.compile(r"<<<\s*image_?([^<>]*)>>>", re.IGNORECASE)
_MOST_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Request:
    """Params under check: what stands in for unknown values, and where faults are so far.

    `files` tells pictures apart whose content is not in params: by the SHA-256 of a local file, or, where another job
    makes the picture, by that job and which of its results it is. `faulty` are the places of all faults; what is at or
    under those in `void` is not judged further.
    """

    params: Mapping[str, Any]
    skip: AbstractSet[Pointer] = frozenset()
    files: Mapping[Pointer, str] = field(default_factory=dict)
    faulty: AbstractSet[Pointer] = frozenset()
    void: AbstractSet[Pointer] = frozenset()

    def select(self, pattern: Pattern) -> list[tuple[Pointer, Any]]:
        """What is there at `pattern` and may be judged."""
        found = select(self.params, pattern)
        return [entry for entry in found if not self._is_void(entry[0])] if self.void else found

    def is_known(self, pointer: Pointer) -> bool:
        """Whether the value itself is known, not only its type and presence."""
        return pointer not in self.skip

    def is_sound(self, pointer: Pointer) -> bool:
        """Whether nothing at all was found wrong with the value."""
        return pointer not in self.faulty

    def _is_void(self, pointer: Pointer) -> bool:
        return any(pointer[:length] in self.void for length in range(len(pointer) + 1))


class Rule(Protocol):
    """What judges a request by one keyword of ours."""

    @property
    def concerns(self) -> frozenset[str]:
        """Parameters: a request that has none of them cannot break the rule."""
        ...

    def check(self, request: Request) -> Iterator[Violation]:
        """The faults of the request by this rule."""
        ...


@dataclass(frozen=True, slots=True)
class _Picture:
    """`x-image`: the text at an image's place, and the picture where it is Base64."""

    at: Pattern
    rule: ImageRule

    @property
    def concerns(self) -> frozenset[str]:
        return frozenset(self.at[:1])

    def check(self, request: Request) -> Iterator[Violation]:
        for pointer, text in request.select(self.at):
            if request.is_known(pointer) and request.is_sound(pointer):
                for finding in check_image_text(text, rule=self.rule):
                    yield Violation(finding.rule, pointer, f"{named(pointer)} {finding.message}")


@dataclass(frozen=True, slots=True)
class _Placeholders:
    """`x-placeholders`: every `<<<image_N>>>` of a text names an image that is there."""

    at: Pattern
    images: Pattern

    @property
    def concerns(self) -> frozenset[str]:
        return frozenset(self.at[:1])

    def check(self, request: Request) -> Iterator[Violation]:
        texts = [(pointer, text) for pointer, text in request.select(self.at) if "<<<" in text]
        lists = request.select(self.images) if texts else []
        if not texts or len(lists) < len(select(request.params, self.images)):
            return
        count = sum(len(items) for _, items in lists)
        for pointer, text in texts:
            for match in {match[0]: match for match in _PLACEHOLDER.finditer(text)}.values():
                if not self._is_there(match, count):
                    yield Violation("x-placeholders", pointer, f"{named(pointer)} {self._fault(match, count)}")

    @staticmethod
    def _is_there(match: re.Match[str], count: int) -> bool:
        number = match[1]
        is_number = number.isascii() and number.isdecimal() and len(number) <= _MOST_DIGITS
        return is_number and match[0] == f"<<<image_{int(number)}>>>" and 1 <= int(number) <= count

    def _fault(self, match: re.Match[str], count: int) -> str:
        where = named(self.images)
        if not count:
            return f"names {match[0]}, but {where} has no image: add it there, or remove the name"
        last = f" to <<<image_{count}>>>" if count > 1 else ""
        return f"names {match[0]}, but {where} has {count}: use <<<image_1>>>{last}"


@dataclass(frozen=True, slots=True)
class _Total:
    """`x-total`: several lists together have at most `most` items."""

    of: tuple[Pattern, ...]
    most: int
    label: str

    @property
    def concerns(self) -> frozenset[str]:
        return frozenset(pattern[0] for pattern in self.of)

    def check(self, request: Request) -> Iterator[Violation]:
        lists = [(pointer, items) for pattern in self.of for pointer, items in request.select(pattern)]
        total = sum(len(items) for _, items in lists)
        if total > self.most:
            longest, _ = max(lists, key=lambda found: len(found[1]))
            yield Violation("x-total", longest, f"{total} {self.label} in all: at most {self.most}")


@dataclass(frozen=True, slots=True)
class _Sum:
    """`x-sum`: the numbers of a list add up to another parameter, or to that one's default."""

    of: Pattern
    equals: Pattern
    default: Any
    options: tuple[Any, ...] | None
    label: str
    unit: str

    @property
    def concerns(self) -> frozenset[str]:
        return frozenset(self.of[:1])

    def check(self, request: Request) -> Iterator[Violation]:
        parts = select(request.params, self.of)
        read = [*parts, *(select(request.params, self.equals) or [(self.equals, self.default)])]
        if not parts or not all(request.is_known(pointer) and request.is_sound(pointer) for pointer, _ in read):
            return
        if not all(map(request.is_sound, self._shots(request))):
            return
        if len(request.select(self.of)) < len(parts) or None in (numbers := [_number(value) for _, value in read]):
            return
        *shots, wanted = (number for number in numbers if number is not None)
        if sum(shots) != wanted:
            pointer = parts[0][0][: self.of.index(EACH)]
            yield Violation("x-sum", pointer, f"{named(pointer)}: {self._fault(sum(shots), wanted)}")

    def _shots(self, request: Request) -> Iterator[Pointer]:
        """The items of the list and where their numbers are or should be: what is wrong there says enough."""
        each = self.of.index(EACH) + 1
        for pointer, _ in select(request.params, self.of[:each]):
            yield pointer
            yield (*pointer, *self.of[each:])

    def _fault(self, total: Decimal | int, wanted: Decimal) -> str:
        other = named(self.equals)
        fits = self.options is None or str(total) in map(str, self.options)
        hint = f" or set {other}: {total}" if fits else ""
        unit = f" {self.unit}".rstrip()
        return f"{self.label} take {total}{unit} of {wanted}{unit}: give {self.label} {wanted}{unit} in all{hint}"


@dataclass(frozen=True, slots=True)
class _DistinctImages:
    """`x-distinct-images`: further pictures differ from the first, by content, or by text where they are URLs."""

    image: Pattern
    others: Pattern

    @property
    def concerns(self) -> frozenset[str]:
        return frozenset(self.others[:1])

    def check(self, request: Request) -> Iterator[Violation]:
        for first, text in request.select(self.image):
            identity = _identity(request, first, text)
            for pointer, other in request.select(self.others):
                if identity is not None and _identity(request, pointer, other) == identity:
                    message = f"{named(pointer)} is the same picture as {named(first)}: use another one"
                    yield Violation("x-distinct-images", pointer, message)


@dataclass(frozen=True, slots=True)
class _SameForm:
    """`x-same-form`: pictures are all URLs, or none is."""

    of: tuple[Pattern, ...]

    @property
    def concerns(self) -> frozenset[str]:
        others = self.of[1:] if EACH not in self.of[0] else self.of  # one picture has the form of itself
        return frozenset(pattern[0] for pattern in others)

    def check(self, request: Request) -> Iterator[Violation]:
        texts = [found for pattern in self.of for found in request.select(pattern) if request.is_sound(found[0])]
        found = [(pointer, classify(text)) for pointer, text in texts]
        urls = [pointer for pointer, form in found if form is ImageForm.URL]
        sent = [pointer for pointer, form in found if form in {ImageForm.PATH, ImageForm.BASE64}]
        if urls and sent:
            message = (
                f"{named(urls[0])} is a URL, but {named(sent[0])} is sent as Base64: "
                "give both as URLs, or both as local files or Base64"
            )
            yield Violation("x-same-form", urls[0], message)


def rules_of(schema: Schema, *, node: Node) -> tuple[Rule, ...]:
    """The rules of a model's schema, `node` being the same schema compiled."""
    by_pattern = dict(places(node))
    rules: list[Rule] = [_Picture(at, place.image) for at, place in by_pattern.items() if place.image]
    rules += [_Placeholders(at, place.placeholders) for at, place in by_pattern.items() if place.placeholders]
    for total in schema.get("x-total", ()):
        rules.append(_Total(tuple(map(pattern_of, total["of"])), total["max"], total["label"]))
    for entry in schema.get("x-sum", ()):
        equals = pattern_of(entry["equals"])
        options = by_pattern[equals].options if equals in by_pattern else None
        default = schema["properties"].get(equals[0], {}).get("default")
        label, unit = entry.get("label", "the parts"), entry.get("unit", "")
        rules.append(_Sum(pattern_of(entry["of"]), equals, default, options, label, unit))
    for pair in schema.get("x-distinct-images", ()):
        rules.append(_DistinctImages(pattern_of(pair["image"]), pattern_of(pair["from"])))
    rules += [_SameForm(tuple(map(pattern_of, group))) for group in schema.get("x-same-form", ())]
    return tuple(rules)


def check_file(data: bytes, *, pointer: Pointer, rule: ImageRule) -> list[Violation]:
    """The faults of the local picture that the image at `pointer` names, `data` being its content."""
    findings = check_image(data, rule=rule)
    return [Violation(finding.rule, pointer, f"{named(pointer)} {finding.message}") for finding in findings]


def _identity(request: Request, pointer: Pointer, text: str) -> tuple[str, str] | None:
    """What tells a picture from others; None where it is not known."""
    if digest := request.files.get(pointer):
        return ("content", digest)
    if not request.is_known(pointer):
        return None
    form = classify(text)
    if form is ImageForm.PATH:
        return ("path", text)
    data = decode_base64(text) if form is ImageForm.BASE64 else None
    return ("text", text) if data is None else ("content", hashlib.sha256(data).hexdigest())


def _number(value: Any) -> Decimal | None:  # noqa: ANN401 - any JSON
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
