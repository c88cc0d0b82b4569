"""The key, so wrapped that it shows nowhere: not in a repr, a log or a traceback. Must not know where it came from."""

from kirin_batch.errors import GatewayRefusedError

__all__ = ["Secret"]

_HIDDEN = "[key]"
_LONG = 16  # a key so long is never part of an innocent text; a short one ("test") would tear ids and addresses apart


class Secret:
    """A key; only `reveal` gives it away, and only the building of a header may call that.

    Blanks around it are dropped (a file ends with a line end). Raises GatewayRefusedError where no header can hold it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value.strip()
        if not self._value:
            raise GatewayRefusedError("the gateway's key is empty: set KIRIN_API_KEY (or KIRIN_API_KEY_FILE)")
        if not (self._value.isascii() and self._value.isprintable() and " " not in self._value):
            raise GatewayRefusedError("the gateway's key holds characters that no key has: check KIRIN_API_KEY")

    def __repr__(self) -> str:
        return "Secret()"

    def reveal(self) -> str:
        """Give the key itself."""
        return self._value

    def redact(self, text: str) -> str:
        """Take the key out of a text for people that a stranger wrote."""
        return text.replace(self._value, _HIDDEN)

    def redact_body(self, body: bytes) -> bytes:
        """Take the key out of a whole answer, ids and addresses too, if it is long enough to be no accident."""
        if len(self._value) < _LONG:
            return body
        return body.replace(self._value.encode(), _HIDDEN.encode())
