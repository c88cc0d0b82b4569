"""Where results lie: the `outputs` template, filled for one job. Names are safe on every system; nothing is written."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

__all__ = ["TemplateError", "fill_output_template", "is_foreign", "output_path", "place_of"]

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_KNOWN = ("spec", "job", "model", "digest", "take", "index", "ext")
_LATER = ("index", "ext")  # known when a result arrives
_FILLED_NOW = re.compile(r"\{(spec|job|model|digest|take)\}")
# What Windows refuses, controls, and what breaks lines or turns the text around: a name is read as it is.
_UNSAFE = re.compile(r'[<>:"|?*\\{}\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]')
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])", re.IGNORECASE)  # devices to Windows
_LONGEST_NAME = 180  # bytes; the usual limit is 255, and the index, the ending and a mark of unfinished files are added
_LONGEST_PATH = 3000  # bytes; the usual limit is 4096, and the root stands before it
# A root or a drive, a way up, and what is no name: with NUL in it, or longer than the usual systems take.
_FOREIGN = re.compile(rb"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)|\x00|[^/]{256}")


class TemplateError(ValueError):
    """An `outputs` template that names no place; the message is for people."""


def fill_output_template(template: str, values: Mapping[str, str]) -> str:
    """The path of a job's results below the root, with `{index}` and `{ext}` left in it.

    `values` has spec, job, model, digest and take. A template without any placeholder is a folder for all jobs, one
    that ends in `/` a folder for the results of a job. Raises TemplateError.
    """
    filled = "".join(_filled(name, values) if is_name else name for name, is_name in _pieces(template))
    if len(filled.encode()) <= _LONGEST_NAME:
        return filled
    return "/".join(_shortened(part) for part in filled.split("/"))


@lru_cache(maxsize=64)  # a project has few templates and many jobs
def _pieces(template: str) -> tuple[tuple[str, bool], ...]:
    """The texts of a template and the names of the placeholders that are filled now, which are True, in order."""
    split = _FILLED_NOW.split(_whole(template))
    return tuple((piece, bool(index % 2)) for index, piece in enumerate(split) if piece)


def _whole(template: str) -> str:
    """The template with all that is left out written down."""
    _check(template)
    if not _PLACEHOLDER.search(template):
        template = template.rstrip("/") + "/{spec}/{job}/"
    if template.endswith("/"):
        template += "{index}"
    whole = template if "{ext}" in template else template + "{ext}"
    if reserved := next(filter(_is_reserved, whole.split("/")), None):
        raise TemplateError(f"outputs has {reserved!r}, which is no name to Windows: take another one")
    return whole


def _check(template: str) -> None:
    known = ", ".join(f"{{{name}}}" for name in _KNOWN)
    for name in _PLACEHOLDER.findall(template):
        if name not in _KNOWN:
            raise TemplateError(f"outputs has no {{{name}}}: take {known}")
    if unsafe := _UNSAFE.search(_PLACEHOLDER.sub("", template)):
        raise TemplateError(
            f"outputs has {unsafe[0]!r}, which no file name may hold: write folders with /, and {known}"
        )


def _is_reserved(part: str) -> bool:
    """Whether a part of a template without a value of its own is a device to Windows, or loses its end there."""
    is_cut = part.endswith((".", " ")) and part.strip(".") != ""
    return is_cut or _RESERVED.fullmatch(part.removesuffix("{ext}").partition(".")[0]) is not None


def _filled(name: str, values: Mapping[str, str]) -> str:
    value = values[name]
    if "/" not in value:
        return _safe(value)
    return "/".join(map(_safe, value.split("/"))) if name == "spec" else _safe(value.replace("/", "-"))


@lru_cache(maxsize=1024)  # the same folders, models and names of jobs stand in thousands of places
def _safe(part: str) -> str:
    cleaned = _UNSAFE.sub("-", unicodedata.normalize("NFC", part)).rstrip(". ")
    stem = cleaned.partition(".")[0].rstrip(" ")  # Windows sees a device in `con .txt` too
    return f"{cleaned}-" if not cleaned or _RESERVED.fullmatch(stem) else cleaned


def _shortened(part: str) -> str:
    data = part.encode()
    if len(data) <= _LONGEST_NAME:
        return part
    mark = hashlib.sha256(data).hexdigest()[:8]
    kept = _PLACEHOLDER.sub("", part).encode()[: _LONGEST_NAME - 30].decode(errors="ignore")
    later = "".join(f"{{{name}}}" for name in _LATER if f"{{{name}}}" in part)
    return f"{kept}~{mark}{later}"


def output_path(filled: str, *, index: int, ext: str) -> str:
    """The path of result `index` (from 1), `ext` with its dot."""
    return filled.replace("{index}", str(index)).replace("{ext}", ext)


def is_foreign(path: str) -> bool:
    """Whether a recorded path is none of a project's: it leads outside on some system, or is no name to any."""
    data = path.encode()
    return len(data) > _LONGEST_PATH or _FOREIGN.search(data) is not None


def place_of(path: str) -> str:
    """What is equal for paths that are one file to some system: without case, and with one form of letters."""
    return unicodedata.normalize("NFC", path.casefold())
