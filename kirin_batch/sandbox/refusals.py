"""The answer to a request that does not pass, as an exception, and its body in the forms that the gateway uses."""

from aiohttp import web

__all__ = ["RequestRefusedError", "wrong_parameter"]

BAD_PARAMETER = "1201"


class RequestRefusedError(Exception):
    """A request ends here: `status` and the vendor's `code` (a string) tell the client why, `message` tells people."""

    def __init__(self, status: int, code: str, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after

    def response(self) -> web.Response:
        """The answer as the gateway's own `{"error": {"code", "message"}}`."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        body = {"error": {"code": self.code, "message": self.message}}
        return web.json_response(body, status=self.status, headers=headers)


def wrong_parameter(name: str, why: str) -> RequestRefusedError:
    """400 with code 1201, naming the parameter as the vendor does."""
    return RequestRefusedError(400, BAD_PARAMETER, f"{name}: {why}")
