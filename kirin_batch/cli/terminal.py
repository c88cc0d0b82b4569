"""What may reach a terminal: texts of specs, lockfiles and gateways come from others, and a terminal obeys some."""

import re

__all__ = ["printable"]

# Colours are ours, or harmless; line breaks and tabs are layout. All else that steers a terminal is shown instead.
_OBEYED = re.compile("(\x1b\\[[0-9;]*m)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """The text with the control characters escaped that are neither colours nor layout."""
    return _OBEYED.sub(lambda found: found[1] or f"\\x{ord(found[0]):02x}", text)
