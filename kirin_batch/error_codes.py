"""What the codes of failed tasks and refused requests mean for sending them again. Codes are text: zeros count."""

import re

__all__ = ["is_content_refusal", "is_transient"]

_TRANSIENT = frozenset({"006001094", "006001095", "006001099"})
_SERVER_FAULT = re.compile(r"5[0-9]{2,3}", re.ASCII)
_CONTENT = frozenset({"1300", "1301"})


def is_transient(code: str) -> bool:
    """Whether a further attempt may pass.

    So it is after the three codes of the kirin_v3_i2v page (Error Codes: resources, an answer or a creation failed),
    and where a server behind the gateway failed (500, 503, 5001 and the like).
    """
    return code in _TRANSIENT or _SERVER_FAULT.fullmatch(code) is not None


def is_content_refusal(code: str) -> bool:
    """Whether the content was refused by policy: the same request will never pass, whoever sends it."""
    return code in _CONTENT
