"""What a request's body comes to on the wire, without a wire."""

import asyncio
import json
from typing import Any

from kirin_batch.gateway.body import StreamedBody, json_body

__all__ = ["as_json", "pieces_of"]


async def pieces_of(body: bytes | StreamedBody) -> list[bytes]:
    """The pieces in which a body is sent."""
    return [piece async for piece in body] if isinstance(body, StreamedBody) else [body]


def as_json(content: object) -> Any:  # noqa: ANN401 - any JSON
    """What the other side reads of it: files as Base64."""
    return json.loads(b"".join(asyncio.run(pieces_of(json_body(content)))))
