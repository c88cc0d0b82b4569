"""Places for stores of results, a folder and a bucket, and what lies in them; moto serves the bucket on loopback."""

import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

__all__ = ["KINDS", "StorePlace", "open_place"]

KINDS = ("file", "s3")
_PREFIX = "of/this project/"


class StorePlace(Protocol):
    """A place at `url`, which is not there until it is made."""

    @property
    def url(self) -> str:
        """Its address, as kirin.yaml names it."""

    def make(self) -> None:
        """Make it; before that, it takes nothing."""

    def objects(self) -> dict[str, bytes]:
        """What lies in it, by its path below the address."""

    def put(self, key: str, content: bytes) -> None:
        """Put something into it, past the program."""

    def remove(self, key: str) -> None:
        """Take something out of it."""


@dataclass(slots=True)
class _Folder:
    root: Path

    @property
    def url(self) -> str:
        return f"file://{self.root}"

    def make(self) -> None:
        if self.root.is_file():
            self.root.unlink()

    def objects(self) -> dict[str, bytes]:
        files = sorted(path for path in self.root.rglob("*") if path.is_file())
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in files}

    def put(self, key: str, content: bytes) -> None:
        (self.root / key).write_bytes(content)

    def remove(self, key: str) -> None:
        (self.root / key).unlink()


@dataclass(slots=True)
class _Bucket:
    client: Any
    name: str

    @property
    def url(self) -> str:
        return f"s3://{self.name}/{_PREFIX.rstrip('/')}"

    def make(self) -> None:
        self.client.create_bucket(Bucket=self.name)

    def objects(self) -> dict[str, bytes]:
        listed = self.client.list_objects_v2(Bucket=self.name).get("Contents", [])
        return {item["Key"].removeprefix(_PREFIX): self._read(item["Key"]) for item in listed}

    def _read(self, key: str) -> bytes:
        content: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return content

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=_PREFIX + key, Body=content)

    def remove(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=_PREFIX + key)


@contextmanager
def open_place(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StorePlace]:
    """A place of one of KINDS for as long as the block lasts; skips the test where the extra `s3` is not installed."""
    if kind == "file":
        root = folder / "store of results"
        root.write_text("in the way: nothing can be put below a file")
        yield _Folder(root)
        return
    pytest.importorskip("s3fs", reason="the extra `s3` is not installed")
    server = pytest.importorskip("moto.server", reason="moto is not installed").ThreadedMotoServer(
        ip_address="127.0.0.1", port=0, verbose=False
    )
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        client = pytest.importorskip("boto3").client("s3")
        yield _Bucket(client, f"results-{secrets.token_hex(4)}")  # moto's buckets are those of the process
        client.close()
    finally:
        server.stop()
