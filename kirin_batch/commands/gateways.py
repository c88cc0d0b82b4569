"""The gateway that a project's settings name, or a sandbox in its place, open as long as a command needs it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kirin_batch.gateway.answers import Gateway
from kirin_batch.gateway.client import HttpGateway
from kirin_batch.gateway.credentials import read_api_key
from kirin_batch.gateway.secret import Secret
from kirin_batch.gateway.settings import GatewaySettings
from kirin_batch.project import Settings
from kirin_batch.sandbox import Sandbox, SandboxSettings

__all__ = ["SANDBOX_SPEED", "open_gateway", "open_sandbox"]

SANDBOX_SPEED = 30.0
"""How many times as fast a sandbox of our own is as a gateway: an image in about a second, a film in six."""


@asynccontextmanager
async def open_gateway(settings: Settings) -> AsyncIterator[Gateway]:
    """The gateway of kirin.yaml, with the key of the environment. Raises GatewayRefusedError where there is no key."""
    gateway_settings = GatewaySettings(
        settings.base_url,
        read_api_key(settings.base_url),
        timeout_seconds=settings.gateway_timeout,
        requests_per_second=settings.requests_per_second,
        result_bytes=int(settings.result_max_mb * 1024**2),
    )
    async with HttpGateway(gateway_settings) as gateway:
        yield gateway


@asynccontextmanager
async def open_sandbox(settings: Settings) -> AsyncIterator[Gateway]:
    """A sandbox with the account's slots as kirin.yaml has them, which bills nothing and needs no key."""
    async with (
        Sandbox(SandboxSettings(speed=SANDBOX_SPEED, limits=settings.slots)) as sandbox,
        HttpGateway(GatewaySettings(sandbox.base_url, Secret("sandbox"))) as gateway,
    ):
        yield gateway
