"""What the gateway says of a fault, in any of its forms: codes and a message. Must not know what the codes mean."""

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Fault", "read_fault"]

_LONG_CODE = 1_000_000  # told as a number, a code of the gateway (006001094) has lost its zeros; a vendor's is short
_GATEWAY_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Fault:
    """The codes, the most telling first, and the text, both as strangers wrote them and empty where there is none."""

    codes: tuple[str, ...]
    message: str

    @property
    def code(self) -> str:
        """The one code to show."""
        return self.codes[0] if self.codes else ""


def read_fault(body: object) -> Fault:
    """Read an error body, or the task that holds an `error`: an object of any listed form, a bare text or number."""
    layers = tuple(_layers(body))
    codes = [code for layer in layers for code in _codes(layer)]
    messages = (message for layer in layers for message in _messages(layer))
    return Fault(tuple(dict.fromkeys(codes)), next(messages, ""))


def _layers(body: object) -> Iterator[object]:
    """The places where a fault may be told, the innermost first."""
    if isinstance(body, dict):
        yield body.get("error")
        if isinstance(body.get("status"), dict):
            yield body["status"]  # else the status of a task, a word
    yield body


def _codes(layer: object) -> Iterator[str]:
    if isinstance(layer, dict):
        told = [_as_code(layer.get("error_code")), _as_code(layer.get("code"))]
    elif isinstance(layer, str) and not layer.isdecimal():
        told = []  # a bare text is a message
    else:
        told = [_as_code(layer)]
    return (code for code in told if code.strip("0"))  # a zero means that all is well


def _as_code(value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, int):
        return ""
    return str(value).zfill(_GATEWAY_DIGITS) if value >= _LONG_CODE else str(value)


def _messages(layer: object) -> Iterator[str]:
    told = (layer.get("message"), layer.get("error_message")) if isinstance(layer, dict) else (layer,)
    for message in told:
        if isinstance(message, str) and message.strip() and not message.isdecimal():
            yield message.strip()
