"""Going on with a download that broke off: what is asked for, and whether what is served goes on where it ended.

Facts of HTTP headers alone (RFC 9110: 8.8 validators, 13.1.5 If-Range, 14 ranges). In doubt a download begins anew: two
versions of a result are never mixed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime

from kirin_batch.gateway.answers import Begun

__all__ = ["Stretch", "read_rest", "read_whole", "rest_headers"]

_STRONG_TAG = re.compile(r'"[\x21\x23-\x7e]*"')
_DATE = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", re.ASCII)
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII)
_SETTLED = timedelta(seconds=1)  # so long after its last change a file's date names one content


@dataclass(frozen=True, slots=True)
class Stretch:
    """The bytes of a result that an answer brings: from `start` up to before `end`, of `whole_bytes`.

    None: not told. `tag` names the version, None where nothing does.
    """

    start: int = 0
    end: int | None = None
    whole_bytes: int | None = None
    tag: str | None = None

    def begun(self, size_bytes: int) -> Begun | None:
        """What is kept where the answer breaks off after this many bytes of the result; None where that is no use."""
        if not self.tag or not size_bytes or size_bytes > (self.end or size_bytes):
            return None
        return Begun(size_bytes, self.tag, self.whole_bytes)


def rest_headers(begun: Begun | None) -> dict[str, str]:
    """The headers of a request for what is missing; of none for the whole."""
    return {"Range": f"bytes={begun.size_bytes}-", "If-Range": begun.tag} if begun else {}


def read_whole(headers: Mapping[str, str], length: int | None) -> Stretch:
    """What an answer with the whole result brings; `length` is its Content-Length."""
    if _is_packed(headers):  # lengths and ranges are of what is packed, and what is kept is unpacked
        return Stretch()
    return Stretch(end=length, whole_bytes=length, tag=_validator(headers))


def read_rest(headers: Mapping[str, str], length: int | None, begun: Begun) -> Stretch | None:
    """What a 206 brings; None where that is not surely the same version from where `begun` ends."""
    told = _RANGE.fullmatch(headers.get("Content-Range", ""))
    if told is None or _is_packed(headers) or not _is_same_version(headers, begun.tag):
        return None
    start, last, whole = (int(number) for number in told.groups())
    is_fitting = start == begun.size_bytes <= last < whole
    if not is_fitting or whole != (begun.whole_bytes or whole) or length not in {None, last + 1 - start}:
        return None
    return Stretch(start, last + 1, whole, begun.tag)


def _is_packed(headers: Mapping[str, str]) -> bool:
    return headers.get("Content-Encoding", "identity").strip().lower() != "identity"


def _is_same_version(headers: Mapping[str, str], tag: str) -> bool:
    """A 206 repeats the entity tag (15.3.7), and need not repeat the date."""
    if tag.startswith('"'):
        return headers.get("ETag") == tag
    return headers.get("Last-Modified", tag) == tag


def _validator(headers: Mapping[str, str]) -> str | None:
    """The strong entity tag; where there is no tag at all, a date of the last change that is strong (8.8.2.2)."""
    tag = headers.get("ETag")
    if tag is not None:
        return tag if _STRONG_TAG.fullmatch(tag) else None
    changed, served = headers.get("Last-Modified", ""), headers.get("Date", "")
    if not _DATE.fullmatch(changed) or not _DATE.fullmatch(served):
        return None
    try:
        is_strong = parsedate_to_datetime(served) - parsedate_to_datetime(changed) >= _SETTLED
    except ValueError:
        return None
    return changed if is_strong else None
